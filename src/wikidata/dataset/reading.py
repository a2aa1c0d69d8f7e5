"""Reading the partition files of bundles, small ones many at once, as the row groups of packed files.

Memory holds a row group, or the small files that are read together, never a whole key.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from wikidata.config import Table
from wikidata.dataset.bundles import Bundle
from wikidata.dataset.encodings import BLOCK_ROWS
from wikidata.dataset.writing import PACKED_ROW_GROUP_BYTES, PACKED_ROW_GROUP_ROWS, blocks_of
from wikidata.errors import ChangedError, ManifestError, first_line

SMALL_KEY_BYTES = 8 << 20
"""The files of a key up to this are read all at once, by polars: without threads of Python that wait for each other."""
_SMALL_BYTES = 1 << 20
"""Files larger than this are read one after the other, in batches."""
_BUFFER_BYTES = 1 << 20
_BATCH_ROWS = 4 * BLOCK_ROWS
"""So that most blocks lie in a batch, and need not be copied, though files and batches end anywhere."""
_SHA256_LETTERS = 64


def read_now_if_small(row_groups: Iterable[pa.Table], size_bytes: int) -> Iterable[pa.Table]:
    """The row groups of a file of about that size: read now if it is small, not only when there is room for each."""
    return list(row_groups) if size_bytes <= SMALL_KEY_BYTES else row_groups


def row_groups_of(bundles: Sequence[Bundle], source: Path, table: Table, schema: pa.Schema) -> Iterator[pa.Table]:
    """The row groups of packed files, one file after the other, from the partition files below `source`.

    Small ones are read together. Raises ManifestError if one of the partition files cannot be read; ChangedError if it
    was to be compared.
    """
    for together in _by_size(bundles):
        whole = _read_at_once(together, source, table, schema)
        first_row = 0
        for each in together:
            if whole is None:
                yield from _row_groups(_conform(part, schema, each.key, table) for part in _read(each, source, table))
            else:
                yield from _row_groups([whole.slice(first_row, each.rows)])
            first_row += each.rows


def compare(each: Bundle, source: Path, table: Table) -> None:
    """Raise ChangedError if one of the partition files is no longer what it was."""
    for index, path in enumerate(each.sources):
        try:
            _compare_file(each, index, source, table)
        except OSError as error:
            raise _refusal(each, f"{table}: {path} cannot be read: {error.strerror}") from error


def _by_size(bundles: Iterable[Bundle]) -> Iterator[list[Bundle]]:
    """Put bundles together that are small enough to be read at once, in the same order."""
    held: list[Bundle] = []
    size_bytes = 0
    for each in bundles:
        if held and size_bytes + each.size_bytes > SMALL_KEY_BYTES:
            yield held
            held, size_bytes = [], 0
        held.append(each)
        size_bytes += each.size_bytes
    yield held


def _read_at_once(bundles: Sequence[Bundle], source: Path, table: Table, schema: pa.Schema) -> pa.Table | None:
    """All rows of small keys; None if they, or their files, are large, or something is wrong that is to be found."""
    size_bytes, rows = sum(each.size_bytes for each in bundles), sum(each.rows for each in bundles)
    most = min(SMALL_KEY_BYTES, sum(len(each.sources) for each in bundles) * _SMALL_BYTES)
    if size_bytes > most or not all(each.is_uniform for each in bundles):
        return None
    contents = [_content(each, index, source, table) for each in bundles for index in range(len(each.sources))]
    try:
        whole = pl.read_parquet(contents, hive_partitioning=False).rechunk().to_arrow()  # each chunk takes as long
        whole = whole if whole.schema.equals(schema) else whole.cast(schema)  # the first cast takes 25 ms
    except (pl.exceptions.PolarsError, pa.ArrowException, ValueError):
        return None
    return whole if whole.num_rows == rows else None


def _read(each: Bundle, source: Path, table: Table) -> Iterator[pa.Table]:
    """The rows of each partition file, those of a large one in batches."""
    for index, path in enumerate(each.sources):
        local = f"{source}/{path}"
        try:
            facts = _facts(local)
            if facts[0] <= _SMALL_BYTES:
                yield pq.ParquetFile(pa.BufferReader(_content(each, index, source, table))).read(use_threads=False)
                continue
            if each.joined_sha256:
                _compare_file(each, index, source, table)
            with pq.ParquetFile(local, buffer_size=_BUFFER_BYTES, pre_buffer=False) as large:
                for batch in large.iter_batches(_BATCH_ROWS, use_threads=False):
                    yield pa.Table.from_batches([batch])
            if each.joined_sha256 and _facts(local) != facts:
                raise _refusal(each, f"{table}: {path} was rewritten while it was read")
        except (pa.ArrowException, OSError) as error:
            raise _refusal(each, f"{table}: {path} cannot be read as Parquet: {first_line(error)}") from error


def _facts(path: str) -> tuple[int, int, int]:
    """Size, modification time and inode of a file."""
    found = os.stat(path)
    return found.st_size, found.st_mtime_ns, found.st_ino


def _content(each: Bundle, index: int, source: Path, table: Table) -> bytes:
    """The whole content of a partition file."""
    path = each.sources[index]
    try:
        with open(f"{source}/{path}", "rb", buffering=0) as file:
            content = file.read()
    except OSError as error:
        raise _refusal(each, f"{table}: {path} cannot be read: {error.strerror}") from error
    if each.joined_sha256:
        _compare(each, index, hashlib.sha256(content).hexdigest(), table)
    return content


def _compare_file(each: Bundle, index: int, source: Path, table: Table) -> None:
    with open(f"{source}/{each.sources[index]}", "rb") as file:
        _compare(each, index, hashlib.file_digest(file, "sha256").hexdigest(), table)


def _compare(each: Bundle, index: int, digest: str, table: Table) -> None:
    if each.joined_sha256[index * _SHA256_LETTERS : (index + 1) * _SHA256_LETTERS] != digest:
        raise _refusal(each, f"{table}: {each.sources[index]} is no longer what it was when it was pushed")


def _refusal(each: Bundle, message: str) -> ManifestError:
    """ChangedError if the partition file should be one that was published."""
    return ChangedError(message, {each.chunk}) if each.joined_sha256 else ManifestError(message)


def _conform(part: pa.Table, schema: pa.Schema, key: str, table: Table) -> pa.Table:
    """The same rows with exactly the columns of `schema`."""
    if part.schema.equals(schema):
        return part.replace_schema_metadata(None)
    columns = []
    for field in schema:
        if field.name in part.column_names:
            columns.append(part[field.name].cast(field.type))
        else:
            value = key if field.name == table.partition_column else None
            columns.append(pa.repeat(pa.scalar(value, field.type), part.num_rows))
    return pa.Table.from_arrays(columns, schema=schema)


def _row_groups(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Put tables together until they make a row group."""
    held: list[pa.Table] = []
    size_bytes = rows = 0
    for table in blocks_of(tables):
        held.append(table)
        size_bytes, rows = size_bytes + table.nbytes, rows + table.num_rows
        if size_bytes >= PACKED_ROW_GROUP_BYTES or rows >= PACKED_ROW_GROUP_ROWS:
            yield taken(held)
            size_bytes = rows = 0
    if rows:
        yield taken(held)


def taken(held: list[pa.Table]) -> pa.Table:
    """All of them as one, of which nothing is left here to take memory."""
    table = pa.concat_tables(held)
    held.clear()
    return table
