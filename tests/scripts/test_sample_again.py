"""Making a sample where one is already: the same bytes again, and other data is not replaced."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from scripts.sample.__main__ import SampleError, write_sample


def all_files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Chunk 3 with one part and two keys; to be copied."""
    return write_sample(tmp_path_factory.mktemp("plain"), {3: 1}, keys=2).root


def test_equal_arguments_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_sample(tmp_path / name, {3: 1, 0: 1}, keys=3, rows=7, split_keys={"no"}, seed=5)
    assert all_files(tmp_path / "one") == all_files(tmp_path / "two")


def test_a_chunk_does_not_depend_on_the_others(tmp_path: Path) -> None:
    write_sample(tmp_path / "together", {3: 2, 30: 1}, keys=2)
    for chunk, parts in ((3, 2), (30, 1)):
        write_sample(tmp_path / "apart", {chunk: parts}, keys=2)
    assert all_files(tmp_path / "together") == all_files(tmp_path / "apart")


def test_another_seed_gives_other_files_of_the_same_shape(tmp_path: Path) -> None:
    one, two = (write_sample(tmp_path / str(seed), {3: 1}, keys=1, seed=seed) for seed in (1, 2))
    assert one.partitions.equals(two.partitions)
    assert all_files(one.root) != all_files(two.root)


def test_what_is_there_stays_as_it_is_with_the_steps_it_has_reached(tmp_path: Path) -> None:
    first = write_sample(tmp_path, {3: 2}, keys=1)
    (tmp_path / "state" / "chunk_3-00000-of-00002.jsonl").write_text('{"step": 4}\n')
    before = {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in tmp_path.rglob("chunk_*")}
    again = write_sample(tmp_path, {3: 2}, keys=1)
    assert (again.written, again.kept) == (0, first.written)
    after = {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in tmp_path.rglob("chunk_*")}
    assert after == before


def test_an_incomplete_chunk_is_completed(tmp_path: Path) -> None:
    write_sample(tmp_path / "stepwise", {3: 2}, keys=1, incomplete={3})
    write_sample(tmp_path / "stepwise", {3: 2}, keys=1)
    write_sample(tmp_path / "at-once", {3: 2}, keys=1)
    assert all_files(tmp_path / "stepwise") == all_files(tmp_path / "at-once")


def test_what_got_lost_is_written_again(tmp_path: Path) -> None:
    write_sample(tmp_path, {3: 2}, keys=1)
    before = all_files(tmp_path)
    (tmp_path / "results/labels/language=en/chunk_3-00001-of-00002.parquet").unlink()
    assert write_sample(tmp_path, {3: 2}, keys=1).written == 1
    assert all_files(tmp_path) == before


@pytest.mark.parametrize(
    "changed", [{"seed": 1}, {"rows": 1}, {"keys": 1}, {"chunks": {3: 2}}, {"incomplete": {3}}, {"sidecars": False}]
)
def test_other_data_of_a_chunk_is_not_replaced_unless_forced(
    tmp_path: Path, plain: Path, changed: dict[str, Any]
) -> None:
    arguments: dict[str, Any] = {"chunks": {3: 1}, "keys": 2}
    shutil.copytree(plain, tmp_path / "box")
    before = all_files(tmp_path / "box")
    with pytest.raises(SampleError, match="chunk 3: .* has other data of it"):
        write_sample(tmp_path / "box", **(arguments | changed))
    assert all_files(tmp_path / "box") == before

    write_sample(tmp_path / "box", **(arguments | changed), force=True)
    write_sample(tmp_path / "fresh", **(arguments | changed))
    assert all_files(tmp_path / "box") == all_files(tmp_path / "fresh")


def test_a_damaged_state_file_is_other_data(tmp_path: Path, plain: Path) -> None:
    shutil.copytree(plain, tmp_path, dirs_exist_ok=True)
    (tmp_path / "state" / "chunk_3-00000-of-00001.jsonl").write_text("")
    with pytest.raises(SampleError, match=r"state/chunk_3-00000-of-00001\.jsonl"):
        write_sample(tmp_path, {3: 1}, keys=2)


def test_force_spares_other_chunks_and_other_files(tmp_path: Path, plain: Path) -> None:
    write_sample(tmp_path, {30: 1}, keys=1)
    (tmp_path / "results" / "labels" / "notes.txt").write_text("mine")
    before = all_files(tmp_path)
    shutil.copytree(plain, tmp_path, dirs_exist_ok=True)
    write_sample(tmp_path, {3: 2}, keys=1, force=True)
    assert before.items() <= all_files(tmp_path).items()
