"""Packing: the partition files of a chunk and key, in the order of their parts, as one: `language=en/chunk_3.parquet`.

The same rows, columns and types, in row groups that the Hub's viewer can read. Equal sources give equal bytes, however
many processors there are, so a packed file is found again on the Hub. Memory holds row groups, never a whole key.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from wikidata.config import Table
from wikidata.dataset.survey import Partitions
from wikidata.dataset.writing import BLOCK_ROWS, PROCESSORS, WRITER_OPTIONS, blocks_of, write_parquet
from wikidata.errors import ManifestError, StagingError, first_line
from wikidata.names import one, packed_path

PACKED_ROW_GROUP_BYTES = 128 << 20
"""Uncompressed, in memory: the Hub advises 100 to 300 MB, and its viewer refuses above about 286 MiB."""
PACKED_ROW_GROUP_ROWS = 1 << 20
PACK_THREADS = PROCESSORS + 1
_SMALL_KEY_BYTES = 8 << 20
"""The files of a key up to this are read all at once, by polars: without threads of Python that wait for each other."""
_SMALL_BYTES = 1 << 20
"""Else, files up to this are read at once, larger ones in batches."""
_BUFFER_BYTES = 1 << 20


@dataclass(frozen=True)
class Bundle:
    """The partition files that make one packed file.

    `path` is that of the packed file, `sources` those of the partition files in the order of their parts, `size_bytes`
    and `rows` those of all of these, `sources_sha256` the sha256 over everything that the packed file's content depends
    on. `is_uniform` tells that the partition files have just the columns of the packed file.
    """

    path: str
    key: str
    sources: tuple[str, ...]
    size_bytes: int
    rows: int
    sources_sha256: str
    is_uniform: bool


class Packed(NamedTuple):
    """A packed file as a row of a manifest."""

    path: str
    size_bytes: int
    sha256: str
    rows: int
    sources_sha256: str


def bundle(partitions: Partitions, schema: pa.Schema) -> list[Bundle]:
    """What there is to pack, one for each key, sorted by path."""
    is_uniform = all(each.equals(schema) for each, _ in partitions.schemas) and all(map(_is_plain, schema.types))
    lines = pl.concat_str("path", "size_bytes", "sha256", "rows", separator=",").str.join("\n")
    found = partitions.files.sort("key", "part", "split").group_by("key", maintain_order=True)
    bundles = []
    for key, sources, size_bytes, rows, listed in found.agg(
        "path", pl.col("size_bytes").sum(), pl.col("rows").sum(), lines.alias("listed")
    ).iter_rows():
        digest = hashlib.sha256(f"{_format_of(schema)}path,size_bytes,sha256,rows\n{listed}\n".encode()).hexdigest()
        path = packed_path(partitions.table, key, one(partitions.chunk))
        bundles.append(Bundle(path, key, tuple(sources), size_bytes, rows, digest, is_uniform))
    return sorted(bundles, key=lambda each: each.path)


def _format_of(schema: pa.Schema) -> str:
    """Everything that the bytes of a packed file depend on beside its sources: columns, writer, row groups."""
    row_groups = f"row groups of {PACKED_ROW_GROUP_BYTES} bytes, {PACKED_ROW_GROUP_ROWS} rows, blocks of {BLOCK_ROWS}"
    return f"{schema}\n{WRITER_OPTIONS}\n{row_groups}\n{pa.cpp_build_info.version}"


def sources_of(partitions: Partitions) -> pl.DataFrame:
    """The frame of `labels.sources.csv`: which packed file each partition file goes into; see `manifest.py`."""
    keys = partitions.files["key"].unique()
    path = pl.col("key").replace_strict(
        {key: packed_path(partitions.table, key, one(partitions.chunk)) for key in keys}
    )
    ordered = partitions.files.sort("key", "part", "split")
    return ordered.select(path.alias("path"), pl.col("path").alias("source"), "size_bytes", "sha256", "rows")


def pack(
    bundles: Sequence[Bundle],
    source: Path,
    table: Table,
    schema: pa.Schema,
    folder: Path,
    is_stopped: Callable[[], bool],
) -> list[Packed]:
    """Write the packed files below `folder`, several keys at a time, from the partition files below `source`.

    Each appears whole or not at all. Raises ManifestError if a partition file cannot be read or has other rows than
    before, StagingError if there is no room or if it `is_stopped`.
    """

    def pack_one(each: Bundle) -> Packed:
        if is_stopped():
            raise StagingError("packing was stopped")
        return _pack(each, source, table, schema, folder)

    _make_folders(folder, bundles)
    largest_first = sorted(bundles, key=lambda each: -each.size_bytes)
    with ThreadPoolExecutor(PACK_THREADS) as pool:
        try:
            return sorted(pool.map(pack_one, largest_first))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _make_folders(folder: Path, bundles: Iterable[Bundle]) -> None:
    """Make the folders of all packed files, before threads that would race to make them."""
    for each in bundles:
        parent = (folder / each.path).parent
        try:
            parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StagingError(f"staging: cannot make {parent}: {error.strerror or error}: make room") from error


def _pack(each: Bundle, source: Path, table: Table, schema: pa.Schema, folder: Path) -> Packed:
    target = folder / each.path
    temporary = target.with_name(f".{target.name}.tmp")
    try:
        row_groups: Iterable[pa.Table] = row_groups_of([each], source, table, schema)
        if each.size_bytes <= _SMALL_KEY_BYTES:
            row_groups = list(row_groups)  # read now, not only when there is room for it
        size_bytes, digest, rows = write_parquet(temporary, row_groups, schema)
        if rows != each.rows:
            raise ManifestError(f"{table}: {each.path} would have {rows} rows, its parts had {each.rows}: push again")
        temporary.replace(target)
    except OSError as error:
        raise StagingError(f"staging: cannot write {target}: {error.strerror or error}: make room") from error
    return Packed(each.path, size_bytes, digest, rows, each.sources_sha256)


def row_groups_of(bundles: Sequence[Bundle], source: Path, table: Table, schema: pa.Schema) -> Iterator[pa.Table]:
    """The row groups of packed files, one file after the other, from the partition files below `source`.

    Small ones are read together. Raises ManifestError if one of the partition files cannot be read.
    """
    for together in _by_size(bundles):
        whole = _read_at_once(together, source, schema)
        first_row = 0
        for each in together:
            if whole is None:
                yield from _row_groups(_conform(part, schema, each.key, table) for part in _read(each, source, table))
            else:
                yield from _row_groups([whole.slice(first_row, each.rows)])
            first_row += each.rows


def _by_size(bundles: Iterable[Bundle]) -> Iterator[list[Bundle]]:
    """Put bundles together that are small enough to be read at once, in the same order."""
    held: list[Bundle] = []
    size_bytes = 0
    for each in bundles:
        if held and size_bytes + each.size_bytes > _SMALL_KEY_BYTES:
            yield held
            held, size_bytes = [], 0
        held.append(each)
        size_bytes += each.size_bytes
    yield held


def _is_plain(kind: pa.DataType) -> bool:
    """Whether polars and Arrow mean the same by a type: not so with categories, times, or nested records."""
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _is_plain(kind.value_type)
    return bool(
        pa.types.is_large_string(kind)
        or pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_boolean(kind)
    )


def _read_at_once(bundles: Sequence[Bundle], source: Path, schema: pa.Schema) -> pa.Table | None:
    """All rows of small keys; None if they are large, or have to be read file by file to find out what is wrong."""
    size_bytes, rows = sum(each.size_bytes for each in bundles), sum(each.rows for each in bundles)
    if size_bytes > _SMALL_KEY_BYTES or not all(each.is_uniform for each in bundles):
        return None
    paths = [f"{source}/{path}" for each in bundles for path in each.sources]
    try:
        whole = pl.read_parquet(paths, hive_partitioning=False, glob=False).to_arrow().cast(schema).combine_chunks()
    except (pl.exceptions.PolarsError, pa.ArrowException, OSError, ValueError):
        return None
    return whole if whole.num_rows == rows else None


def _read(each: Bundle, source: Path, table: Table) -> Iterator[pa.Table]:
    """The rows of each partition file, those of a large one in batches."""
    for path in each.sources:
        local = f"{source}/{path}"
        try:
            if os.stat(local).st_size <= _SMALL_BYTES:
                with open(local, "rb", buffering=0) as file:
                    yield pq.ParquetFile(pa.BufferReader(file.read())).read(use_threads=False)
                continue
            with pq.ParquetFile(local, buffer_size=_BUFFER_BYTES, pre_buffer=False) as large:
                for batch in large.iter_batches(BLOCK_ROWS, use_threads=False):
                    yield pa.Table.from_batches([batch])
        except (pa.ArrowException, OSError) as error:
            raise ManifestError(f"{table}: {path} cannot be read as Parquet: {first_line(error)}") from error


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
            yield _taken(held)
            size_bytes = rows = 0
    if rows:
        yield _taken(held)


def _taken(held: list[pa.Table]) -> pa.Table:
    """All of them as one, of which nothing is left here to take memory."""
    table = pa.concat_tables(held)
    held.clear()
    return table
