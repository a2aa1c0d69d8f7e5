"""State files: half-written ones never count, chunks never mix, steps only rise."""

import json
import os
from pathlib import Path

import polars as pl
import pytest

from wikidata.errors import ChunkIncompleteError, StateError
from wikidata.names import parse_state_file
from wikidata.state import (
    UNREADABLE,
    Step,
    due_chunks,
    get_all_state,
    is_complete,
    parse_step,
    raise_to_push,
    require_pushable,
    stuck_chunks,
    summarize,
    update_state,
)


def write_state(folder: Path, chunk: int, steps: list[int], parts: int | None = None) -> None:
    folder.mkdir(exist_ok=True)
    for part, step in enumerate(steps):
        name = f"chunk_{chunk}-{part:05d}-of-{parts or len(steps):05d}.jsonl"
        (folder / name).write_text(json.dumps({"step": step}) + "\n")


def test_the_frame_has_the_specified_columns_sorted_by_chunk_and_part(tmp_path: Path) -> None:
    write_state(tmp_path, 30, [3, 3])
    write_state(tmp_path, 3, [4, 2])
    frame = get_all_state(tmp_path)
    assert frame.schema == {"file": pl.String, "chunk": pl.Int64, "part": pl.Int64, "step": pl.Int64}
    assert frame.rows() == [
        ("chunk_3-00000-of-00002.jsonl", 3, 0, 4),
        ("chunk_3-00001-of-00002.jsonl", 3, 1, 2),
        ("chunk_30-00000-of-00002.jsonl", 30, 0, 3),
        ("chunk_30-00001-of-00002.jsonl", 30, 1, 3),
    ]


def test_files_that_are_no_state_files_are_left_out(tmp_path: Path) -> None:
    write_state(tmp_path, 3, [3])
    names = ["notes.txt", ".chunk_3-00000-of-00001.jsonl.tmp", "chunk_03-00000-of-00001.jsonl", "chunk_3-0-of-1.jsonl"]
    for name in names:
        (tmp_path / name).write_text('{"step": 0}')
    assert get_all_state(tmp_path).height == 1
    assert parse_state_file("chunk_3-000001-of-00002.jsonl") is None


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b'{"step"', b'{"step": "3"}', b'{"step": 7}', b'{"step": -1}', b'{"step": true}', b'{"step": 3.0}']
    + [b"[3]", b"3", b"null", b"{}", b"\xff\xfe", b"[" * 4000],
)
def test_a_damaged_state_file_is_never_complete(tmp_path: Path, content: bytes) -> None:
    write_state(tmp_path, 3, [3, 3])
    (tmp_path / "chunk_3-00001-of-00002.jsonl").write_bytes(content)
    frame = get_all_state(tmp_path)
    assert frame["step"].to_list() == [3, UNREADABLE]
    assert not is_complete(frame, 3)
    assert frame.get_column("step").min() < Step.PARTITION  # type: ignore[operator]  # the specification's predicate
    assert due_chunks(frame) == []
    with pytest.raises(ChunkIncompleteError, match="chunk_3-00001-of-00002.jsonl has no valid step"):
        require_pushable(frame, 3)


@pytest.mark.parametrize("content", [b'{"step": 3}', b'{"step":3}\n', b' {"step": 3, "at": "now"} \n'])
def test_valid_content_is_read(content: bytes) -> None:
    assert parse_step(content) == Step.PARTITION


def test_a_chunk_is_complete_only_with_every_promised_part(tmp_path: Path) -> None:
    write_state(tmp_path, 3, [3, 5, 6])
    assert is_complete(get_all_state(tmp_path), 3)
    (tmp_path / "chunk_3-00001-of-00003.jsonl").unlink()
    assert not is_complete(get_all_state(tmp_path), 3)
    with pytest.raises(ChunkIncompleteError, match="part 00001 of 00003 has no state file"):
        require_pushable(get_all_state(tmp_path), 3)


def test_chunk_3_is_not_chunk_30(tmp_path: Path) -> None:
    write_state(tmp_path, 3, [3, 3])
    write_state(tmp_path, 30, [3, 2])
    frame = get_all_state(tmp_path)
    assert is_complete(frame, 3)
    assert not is_complete(frame, 30)
    assert due_chunks(frame) == [3]


def test_contradictory_parts_are_refused_with_both_named(tmp_path: Path) -> None:
    write_state(tmp_path, 3, [3, 3])
    write_state(tmp_path, 3, [3, 3, 3], parts=3)
    frame = get_all_state(tmp_path)
    assert not is_complete(frame, 3)
    with pytest.raises(ChunkIncompleteError, match="both of-00002 and of-00003"):
        require_pushable(frame, 3)


def test_a_part_beyond_the_last_is_refused(tmp_path: Path) -> None:
    write_state(tmp_path, 3, [3, 3, 3], parts=2)
    frame = get_all_state(tmp_path)
    assert not is_complete(frame, 3)
    with pytest.raises(ChunkIncompleteError, match="beyond its last part"):
        require_pushable(frame, 3)


def test_an_unknown_chunk_and_a_missing_folder_say_where_to_look(tmp_path: Path) -> None:
    write_state(tmp_path, 3, [3])
    with pytest.raises(ChunkIncompleteError, match="chunk 4 has no state files: is STATE_DIR right"):
        require_pushable(get_all_state(tmp_path), 4)
    with pytest.raises(StateError, match="cannot read .*nowhere"):
        get_all_state(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    assert get_all_state(tmp_path / "empty").is_empty()
    assert due_chunks(get_all_state(tmp_path / "empty")) == []


def test_due_chunks_are_complete_and_not_pushed_lowest_first(tmp_path: Path) -> None:
    for chunk, steps in {10: [3], 9: [3, 4], 2: [4, 4], 1: [2, 3], 0: [6, 3]}.items():
        write_state(tmp_path, chunk, steps)
    assert due_chunks(get_all_state(tmp_path)) == [0, 9, 10]
    summary = summarize(get_all_state(tmp_path))
    assert summary["chunk"].to_list() == [0, 1, 2, 9, 10]
    assert summary["complete"].to_list() == [True, False, True, True, True]


def test_pushing_raises_only_what_is_at_partition(tmp_path: Path) -> None:
    write_state(tmp_path, 3, [3, 5, 6, 4])
    write_state(tmp_path, 30, [3])
    assert raise_to_push(tmp_path, 3) == 1
    assert get_all_state(tmp_path)["step"].to_list() == [4, 5, 6, 4, 3]
    assert (tmp_path / "chunk_3-00000-of-00004.jsonl").read_text() == '{"step": 4}\n'


def test_pushing_an_incomplete_chunk_raises_nothing(tmp_path: Path) -> None:
    write_state(tmp_path, 3, [3, 2])
    with pytest.raises(ChunkIncompleteError):
        raise_to_push(tmp_path, 3)
    assert get_all_state(tmp_path)["step"].to_list() == [3, 2]


def test_an_update_is_whole_and_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "chunk_3-00000-of-00001.jsonl"
    path.write_text('{"step": 3}\n')
    update_state(path, Step.POST_CHECK)
    assert json.loads(path.read_text()) == {"step": 5}
    assert os.listdir(tmp_path) == [path.name]


def test_a_state_folder_that_may_not_be_read_is_no_silence(tmp_path: Path) -> None:
    write_state(tmp_path, 3, [3])
    loop = tmp_path / "chunk_4-00000-of-00001.jsonl"
    loop.symlink_to(loop)
    with pytest.raises(StateError, match="chunk_4-00000-of-00001.jsonl"):
        get_all_state(tmp_path)


def test_a_chunk_that_will_never_be_due_by_itself_is_told(tmp_path: Path) -> None:
    write_state(tmp_path, 1, [3, 2])
    write_state(tmp_path, 2, [3, 3])
    write_state(tmp_path, 2, [3], parts=3)
    write_state(tmp_path, 3, [3, 3])
    fresh, old = (tmp_path / f"chunk_3-0000{part}-of-00002.jsonl" for part in (0, 1))
    fresh.write_text("")
    old.write_text("")
    os.utime(old, (0, 0))
    told = [str(error) for error in stuck_chunks(get_all_state(tmp_path), tmp_path)]
    assert len(told) == 2
    assert "chunk 2 is contradictory" in told[0]
    assert f"{old} has had no valid step for an hour" in told[1]
