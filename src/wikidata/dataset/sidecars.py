"""Sidecars: `audit/{table}/{source}.parquet` tells which keys a source file has, and how many rows of each.

It has the partition column, `rows`, `min_id` and `max_id`. Keys with no rows are not in it. Older runs left none.
"""

import os
from collections.abc import Iterable
from pathlib import Path

import polars as pl

from wikidata.config import Table
from wikidata.errors import ManifestError, first_line
from wikidata.names import Source, key_folder


def check_parts(chunk: int, parts: int, table: Table, files: pl.DataFrame, audit_dir: Path) -> None:
    """Compare keys and row counts of every part with its sidecar; without one, it must have at least one file.

    `files` has the columns `key`, `part` and `rows`. Raises ManifestError.
    """
    counted: dict[int, dict[str, int]] = {part: {} for part in range(parts)}
    for key, part, rows in files.group_by("key", "part").agg(pl.col("rows").sum()).iter_rows():
        counted[part][key] = rows
    for part in range(parts):
        source = Source(chunk, part, parts).file
        sidecar = audit_dir / source
        if os.path.lexists(sidecar):
            _compare(counted[part], _read_sidecar(sidecar, table), source, table)
        elif not counted[part]:
            raise ManifestError(f"{table}: {source} has no partition files and no sidecar: partition it again")


def _read_sidecar(sidecar: Path, table: Table) -> dict[str, int]:
    """Rows per key."""
    try:
        frame = pl.read_parquet(sidecar, columns=[table.partition_column, "rows"], hive_partitioning=False)
        keys, rows = frame[table.partition_column].cast(pl.String), frame["rows"].cast(pl.Int64)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise ManifestError(f"{table}: the sidecar {sidecar} cannot be read: {first_line(error)}") from error
    if keys.null_count() or rows.null_count() or keys.n_unique() != keys.len():
        raise ManifestError(f"{table}: the sidecar {sidecar} has null or repeated keys: partition its source again")
    return dict(zip(keys, rows, strict=True))


def _compare(counted: dict[str, int], promised: dict[str, int], source: str, table: Table) -> None:
    for key in _union(counted, promised):
        there, wanted = counted.get(key), promised.get(key, 0)
        if there is None and wanted:
            raise ManifestError(
                f"{table}: {key_folder(table, key)}/{source} is missing: the sidecar has {wanted} rows of it"
            )
        if there is not None and there != wanted:
            raise ManifestError(
                f"{table}: {key_folder(table, key)}/{source} has {there} rows, the sidecar says {wanted}"
            )


def _union(*mappings: Iterable[str]) -> list[str]:
    return sorted(set().union(*mappings))
