"""What is packed together: the partition files of a chunk and key, in the order of their parts.

Found by a survey, or as a push has recorded them.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pyarrow as pa

from wikidata.config import Table
from wikidata.dataset.encodings import BLOCK_ROWS, RULES
from wikidata.dataset.survey import Partitions
from wikidata.dataset.writing import PACKED_ROW_GROUP_BYTES, PACKED_ROW_GROUP_ROWS
from wikidata.names import key_of, one, packed_path, parse_data_file


@dataclass(frozen=True)
class Bundle:
    """The partition files that make one packed file.

    `path` is that of the packed file, `sources` those of the partition files in the order of their parts, `size_bytes`
    and `rows` those of all of these, `sources_sha256` the sha256 over everything that the packed file's content depends
    on. `is_uniform` tells that the partition files are expected to have just the columns of the packed file.
    `joined_sha256` is the sha256 of each as hex, one behind the other (there may be 688,000 of them in memory), if they
    are to be compared when they are read; else empty.
    """

    path: str
    chunk: int
    key: str
    sources: tuple[str, ...]
    size_bytes: int
    rows: int
    sources_sha256: str
    is_uniform: bool
    joined_sha256: str = ""


def bundles_of(partitions: Partitions, schema: pa.Schema) -> list[Bundle]:
    """What there is to pack, one for each key, sorted by path."""
    is_uniform = all(each.equals(schema) for each, _ in partitions.schemas)
    return _bundles(sources_of(partitions), partitions.table, schema, is_uniform, pl.lit(""))


def recorded_bundles(sources: pl.DataFrame, folder: Path, table: Table, schema: pa.Schema) -> list[Bundle]:
    """What was packed, from the frame of `labels.sources.csv`, of which all files are still below `folder`.

    They have their sizes; what is in them is compared when they are read.
    """
    gone = set[str]()
    for path, source, size_bytes in sources.select("path", "source", "size_bytes").iter_rows():
        if path not in gone and _size_of(f"{folder}/{source}") != size_bytes:
            gone.add(path)
    here = sources.filter(~pl.col("path").is_in(list(gone)))
    return _bundles(here, table, schema, True, pl.col("sha256").str.join(""))


def _size_of(path: str) -> int | None:
    try:
        return os.stat(path, follow_symlinks=False).st_size
    except OSError:
        return None


def sources_of(partitions: Partitions) -> pl.DataFrame:
    """The frame of `labels.sources.csv`: which packed file each partition file goes into; see `manifest.py`."""
    keys = partitions.files["key"].unique()
    path = pl.col("key").replace_strict(
        {key: packed_path(partitions.table, key, one(partitions.chunk)) for key in keys}
    )
    ordered = partitions.files.sort("key", "part", "split")
    return ordered.select(path.alias("path"), pl.col("path").alias("source"), "size_bytes", "sha256", "rows")


def _bundles(
    sources: pl.DataFrame, table: Table, schema: pa.Schema, is_uniform: bool, digests: pl.Expr
) -> list[Bundle]:
    """A bundle for each packed file of a frame of `labels.sources.csv`."""
    is_uniform = is_uniform and all(map(_is_plain, schema.types))
    lines = pl.concat_str("source", "size_bytes", "sha256", "rows", separator=",").str.join("\n")
    bundles = []
    for path, files, size_bytes, rows, listed, compared in (
        sources.group_by("path", maintain_order=True)
        .agg("source", pl.col("size_bytes", "rows").sum(), lines.alias("listed"), digests.first().alias("digests"))
        .iter_rows()
    ):
        digest = hashlib.sha256(f"{_format_of(schema)}path,size_bytes,sha256,rows\n{listed}\n".encode()).hexdigest()
        file = parse_data_file(path)
        key = key_of(table, file.folder) if file else None
        if file and key is not None:
            chunk = file.block.first
            bundles.append(Bundle(path, chunk, key, tuple(files), size_bytes, rows, digest, is_uniform, compared))
    return sorted(bundles, key=lambda each: each.path)


def _format_of(schema: pa.Schema) -> str:
    """Everything that the bytes of a packed file depend on beside its sources: columns, writer, row groups."""
    row_groups = f"row groups of {PACKED_ROW_GROUP_BYTES} bytes, {PACKED_ROW_GROUP_ROWS} rows, blocks of {BLOCK_ROWS}"
    return f"{schema}\n{RULES}\n{row_groups}\n{pa.cpp_build_info.version}"


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
