"""Which blocks are due to be folded, told from state files and our own records alone."""

from pathlib import Path

import pytest

from wikidata.config import Table
from wikidata.names import Block, one
from wikidata.records.folds import due_folds, folded_chunks
from wikidata.records.manifest import manifest_path
from wikidata.state import get_all_state

LABELS = Table.LABELS
PACKED = "path,size_bytes,sha256,rows,sources_sha256\n"
FILES = "path,size_bytes,sha256,rows\n"


def write_state(tmp_path: Path, **steps: int) -> None:
    (tmp_path / "state").mkdir()
    for chunk, step in steps.items():
        (tmp_path / "state" / f"chunk_{chunk[1:]}-00000-of-00001.jsonl").write_text(f'{{"step": {step}}}\n')


def record(tmp_path: Path, *blocks: Block, header: str = PACKED) -> None:
    for block in blocks:
        path = manifest_path(tmp_path, block, LABELS)
        path.parent.mkdir()
        path.write_text(header)


def due(tmp_path: Path, fold: int) -> list[Block]:
    return due_folds(get_all_state(tmp_path / "state"), tmp_path, LABELS, fold)


@pytest.mark.parametrize(
    ("steps", "recorded", "wanted"),
    [
        ((4, 4, 4, 4, 3), [], [Block(0, 1), Block(2, 3)]),  # nothing is known here: the Hub has to be asked
        ((4, 4, 4, 4, 3), [one(0), one(1), Block(2, 3)], [Block(0, 1)]),
        ((4, 4, 4, 4, 3), [Block(0, 1), Block(2, 3)], []),
        ((4, 4, 4, 4, 3), [Block(0, 1), one(1), Block(2, 3)], [Block(0, 1)]),  # some keys are not folded yet
        ((4, 4, 4, 4, 3), [Block(0, 3)], []),
        ((4, 4, 4, 4, 3), [Block(0, 2), one(3)], []),  # another FOLD was used before
        ((4, 3, 6, 5, 4), [], [Block(2, 3)]),
        ((3, 3, 3, 3, 3), [], []),
        ((4, 4, 4, 4, 4), [Block(0, 1), Block(2, 3), one(4)], [Block(0, 4)]),
        ((4, 4, 4, 4, 6), [Block(0, 4)], []),
    ],
)
def test_a_block_is_due_if_all_of_it_is_pushed_and_not_yet_folded(
    tmp_path: Path, steps: tuple[int, ...], recorded: list[Block], wanted: list[Block]
) -> None:
    write_state(tmp_path, **{f"c{chunk}": step for chunk, step in enumerate(steps)})
    record(tmp_path, *recorded)
    assert due(tmp_path, 2) == wanted
    assert due(tmp_path, 0) == []


def test_chunks_that_do_not_follow_each_other_are_not_folded_together(tmp_path: Path) -> None:
    write_state(tmp_path, c0=4, c1=4, c3=4, c5=4, c6=4)
    assert due(tmp_path, 16) == [Block(0, 1), Block(5, 6)]


def test_partition_files_are_never_folded(tmp_path: Path) -> None:
    write_state(tmp_path, c0=4, c1=4)
    record(tmp_path, one(0), one(1), header=FILES)
    assert due(tmp_path, 16) == []


def test_a_chunk_is_folded_if_it_is_recorded_in_a_block_alone(tmp_path: Path) -> None:
    record(tmp_path, Block(0, 3), one(2), one(4))
    assert folded_chunks(tmp_path, LABELS) == {0, 1, 3}
