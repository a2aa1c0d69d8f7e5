"""Parquet files whose row groups are encoded at once are those that a writer makes of one after the other."""

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator
from errno import ENOSPC
from pathlib import Path
from threading import Event
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from wikidata.dataset import writing
from wikidata.dataset.encodings import BLOCK_ROWS, DICTIONARY_ROWS, options_of
from wikidata.dataset.writing import Encoders, blocks_of
from wikidata.errors import ManifestError

COUNT = 30_001


def write_parquet(path: Path, row_groups: Iterable[pa.Table], schema: pa.Schema) -> tuple[int, str, int]:
    with Encoders() as encoders:
        return writing.write_parquet(path, row_groups, schema, encoders)


def rows_of_every_kind(columns: int) -> pa.Table:
    """Texts with and without repetition, nulls alone, numbers, truths, lists and records, in so many columns.

    Some pages have no bounds, since a text is too long for that, or all numbers are NaN, so some row groups have no
    index of a column.
    """
    numbers = range(COUNT)
    kinds = (
        pa.array([f"Q{number * 7919 % 99_991}" for number in numbers], pa.large_string()),
        pa.array([None if number % 3 else "en" for number in numbers]),
        pa.nulls(COUNT, pa.string()),
        pa.array([number / 7 for number in numbers]),
        pa.array([number % 5 == 0 for number in numbers]),
        pa.array([["x"] * (number % 4) if number % 9 else None for number in numbers]),
        pa.array([{"rank": number % 3, "name": "y" * (number % 8)} for number in numbers]),
        pa.array(["z" * (5000 if number < 2 else number % 50) for number in numbers]),
        pa.array([float("nan") if number < BLOCK_ROWS else 1.5 for number in numbers]),
    )
    return pa.table({f"column {index}": kinds[index % len(kinds)] for index in range(columns)})


@pytest.mark.parametrize("columns", [1, 9, 27])
@pytest.mark.parametrize("groups", [0, 1, 2, 20])
def test_the_file_is_that_of_a_single_writer(tmp_path: Path, columns: int, groups: int) -> None:
    table = rows_of_every_kind(columns)
    sizes = (DICTIONARY_ROWS, COUNT - groups, 5000, BLOCK_ROWS)
    row_groups = [table.slice(number, sizes[number % len(sizes)]) for number in range(groups)]
    with pq.ParquetWriter(tmp_path / "plain", table.schema, **options_of(table)) as writer:
        for group in row_groups:
            writer.write_table(pa.concat_tables(blocks_of([group])), row_group_size=group.num_rows)
    written = write_parquet(tmp_path / "joined", row_groups, table.schema)
    content = (tmp_path / "joined").read_bytes()
    assert content == (tmp_path / "plain").read_bytes()
    assert written == (len(content), hashlib.sha256(content).hexdigest(), sum(each.num_rows for each in row_groups))
    if groups:
        frames = [pl.DataFrame(each) for each in (pq.read_table(tmp_path / "joined"), pa.concat_tables(row_groups))]
        assert frames[0].equals(frames[1])


def test_the_bytes_of_a_row_group_depend_on_its_rows_alone(tmp_path: Path) -> None:
    group = rows_of_every_kind(9)
    pieces = pa.concat_tables([group.slice(start, 999) for start in range(0, COUNT, 999)])
    for name, groups in {"alone": [pieces], "behind": [group.slice(5), group]}.items():
        write_parquet(tmp_path / name, groups, group.schema)
    write_parquet(tmp_path / "again", [pq.ParquetFile(tmp_path / "alone").read_row_group(0)], group.schema)
    content = (tmp_path / "alone").read_bytes()
    assert (tmp_path / "again").read_bytes() == content
    facts = pq.ParquetFile(tmp_path / "alone").metadata.row_group(0)
    size = sum(facts.column(index).total_compressed_size for index in range(facts.num_columns))
    assert content[4 : 4 + size] in (tmp_path / "behind").read_bytes()


@pytest.mark.parametrize("sizes", [[1], [BLOCK_ROWS], [BLOCK_ROWS - 1, 2], [0, 5, 3 * BLOCK_ROWS, 0], []])
def test_blocks_have_the_same_rows_in_tables_of_equal_size(sizes: list[int]) -> None:
    numbers = pa.table({"number": range(sum(sizes))})
    starts = [sum(sizes[:index]) for index in range(len(sizes))]
    blocks = list(blocks_of(numbers.slice(start, size) for start, size in zip(starts, sizes, strict=True)))
    assert [block.num_rows for block in blocks[:-1]] == [BLOCK_ROWS] * (len(blocks) - 1)
    assert all(0 < block.num_rows <= BLOCK_ROWS and block["number"].num_chunks == 1 for block in blocks)
    assert pa.concat_tables([numbers.slice(0, 0), *blocks]).equals(numbers)


@pytest.mark.parametrize(("largest_bytes", "expected"), [(1, 3), (writing.PACKED_ROW_GROUP_BYTES, 4)])
def test_as_many_row_groups_are_read_as_are_encoded_and_one_more_if_they_are_small(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, largest_bytes: int, expected: int
) -> None:
    monkeypatch.setattr(writing, "PACKED_ROW_GROUP_BYTES", largest_bytes)
    group, may_encode, in_memory, most = rows_of_every_kind(1), Event(), deque[pa.Table](), 0
    encode = writing.encode

    def row_groups() -> Iterator[pa.Table]:
        nonlocal most
        for _ in range(9):
            in_memory.append(group)
            most = max(most, len(in_memory))
            if most == expected:
                may_encode.set()
            yield group

    def counted(*arguments: Any) -> Any:
        assert may_encode.wait(60)
        encoded = encode(*arguments)
        in_memory.pop()
        return encoded

    monkeypatch.setattr(writing, "encode", counted)
    with Encoders(3) as encoders:
        assert writing.write_parquet(tmp_path / "file", row_groups(), group.schema, encoders)[2] == 9 * COUNT
    assert most == expected


def test_row_groups_follow_each_other_whichever_is_encoded_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups = [pa.table({"number": [number] * 9}) for number in range(3)]
    encode, last_is_encoded = writing.encode, Event()

    def last_first(group: pa.Table, *arguments: Any) -> Any:
        if group is not groups[2]:
            assert last_is_encoded.wait(60)
        encoded = encode(group, *arguments)
        if group is groups[2]:
            last_is_encoded.set()
        return encoded

    monkeypatch.setattr(writing, "encode", last_first)
    with Encoders(3) as encoders:
        writing.write_parquet(tmp_path / "file", groups, groups[0].schema, encoders)
    assert pq.read_table(tmp_path / "file").equals(pa.concat_tables(groups))


@pytest.mark.parametrize("groups", [1, 5])
def test_what_cannot_be_written_is_told_as_the_system_tells_it(groups: int) -> None:
    group = rows_of_every_kind(2)
    with pytest.raises(OSError, match="No space left") as raised:
        write_parquet(Path("/dev/full"), [group] * groups, group.schema)
    assert raised.value.errno == ENOSPC


def test_row_groups_of_a_file_differ_in_their_dictionaries(tmp_path: Path) -> None:
    groups = [pa.table({"text": [f"Q{number % unlike}" for number in range(9999)]}) for unlike in (5, 9999, 7)]
    write_parquet(tmp_path / "file", groups, groups[0].schema)
    facts = pq.ParquetFile(tmp_path / "file").metadata
    assert [facts.row_group(index).column(0).has_dictionary_page for index in range(3)] == [True, False, True]
    for read in (pl.from_arrow(pq.read_table(tmp_path / "file")), pl.read_parquet(tmp_path / "file")):
        assert pl.DataFrame(read).equals(pl.DataFrame(pa.concat_tables(groups)))


def test_a_row_group_that_cannot_be_read_ends_the_file_and_no_other(tmp_path: Path) -> None:
    group = rows_of_every_kind(1)

    def row_groups() -> Iterator[pa.Table]:
        yield group
        raise ManifestError("the second one")

    with Encoders() as encoders:
        for _ in range(writing.PROCESSORS + 2):
            with pytest.raises(ManifestError, match="the second one"):
                writing.write_parquet(tmp_path / "file", row_groups(), group.schema, encoders)
        assert writing.write_parquet(tmp_path / "file", [group], group.schema, encoders)[2] == COUNT
