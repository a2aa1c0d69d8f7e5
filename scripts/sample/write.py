"""Writing the files of every source file of a sample into a staging folder."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Protocol

import polars as pl

from scripts.sample.source_files import AUDIT, RESULTS, STATE, SourceFile
from wikidata.config import Table
from wikidata.state import Step

# Fixed, since the default depends on how a frame lies in memory, and equal samples have equal bytes.
_ROW_GROUP_ROWS = 100_000

_TARGET = "__target"
"""The column with the path of a row's partition file, relative to its table's folder; not written."""


class Source(Protocol):
    """Where rows come from: the keys of each table, and those left out because they are not valid, with their rows."""

    keys: dict[Table, list[str]]
    invalid_keys: dict[tuple[Table, str], int]

    def rows(self, table: Table, file: SourceFile) -> pl.DataFrame:
        """The rows of a table that come from one source file, with the columns of SCHEMAS."""


@dataclass(frozen=True)
class Options:
    """Which files are written; see write_sample."""

    source: Source
    split_keys: Collection[str]
    incomplete: Collection[int]
    sidecars: bool
    process_files: bool

    def step(self, file: SourceFile) -> Step:
        """The step that a source file stands at."""
        is_caught = file.chunk in self.incomplete and file.part == file.parts - 1
        return Step.PROCESS if is_caught else Step.PARTITION


def write_files(staging: Path, files: Sequence[SourceFile], options: Options) -> pl.DataFrame:
    """Write all files of a sample below `staging`; return the frame of Sample.partitions."""
    for folder in (STATE, *(f"{parent}/{table}" for parent in (RESULTS, AUDIT) for table in Table)):
        (staging / folder).mkdir(parents=True)
    for file in files:
        (staging / STATE / f"{file.stem}.jsonl").write_text(f'{{"step": {options.step(file):d}}}\n')
    return pl.concat(_write(staging, table, file, options) for table, file in product(Table, files))


def _write(staging: Path, table: Table, file: SourceFile, options: Options) -> pl.DataFrame:
    """Write what one source file has for a table; return its rows of Sample.partitions."""
    rows = options.source.rows(table, file)
    is_partitioned = options.step(file) >= Step.PARTITION
    if options.process_files or not is_partitioned:
        rows.write_parquet(staging / RESULTS / table / f"{file.stem}.parquet", row_group_size=_ROW_GROUP_ROWS)
    rows = _with_target(table, file, rows if is_partitioned else rows.clear(), options.split_keys)
    facts = _facts(table.partition_column, rows)
    if is_partitioned:
        _write_partitions(staging / RESULTS / table, rows)
    if is_partitioned and options.sidecars:
        sidecar = facts.drop("files")
        sidecar.write_parquet(staging / AUDIT / table / f"{file.stem}.parquet", row_group_size=_ROW_GROUP_ROWS)
    return facts.select(
        pl.lit(table.value).alias("table"),
        pl.lit(file.chunk, pl.Int64).alias("chunk"),
        pl.lit(file.part, pl.Int64).alias("part"),
        pl.col(table.partition_column).alias("key"),
        "rows",
        "files",
    )


def _with_target(table: Table, file: SourceFile, rows: pl.DataFrame, split_keys: Collection[str]) -> pl.DataFrame:
    """Add the target: the latter half of the rows of a split key goes to the file with `_1`."""
    column = table.partition_column
    suffix = pl.lit("")
    if split_keys:
        latter = 2 * pl.int_range(pl.len()).over(column) >= pl.len().over(column)
        is_split = pl.col(column).is_in(list(split_keys)) & (pl.len().over(column) > 1)
        suffix = pl.when(is_split & latter).then(pl.lit("_1")).otherwise(suffix)
    target = pl.format("{}={}/{}{}.parquet", pl.lit(column), column, pl.lit(file.stem), suffix)
    return rows.with_columns(target.alias(_TARGET))


def _write_partitions(folder: Path, rows: pl.DataFrame) -> None:
    """Write every partition file in one pass, which takes half as long as a write_parquet for each.

    polars calls PartitionBy unstable; the lock pins polars.
    """
    by_target = pl.PartitionBy(
        folder, key=_TARGET, include_key=False, file_path_provider=lambda file: str(file.partition_keys.item(0, 0))
    )
    rows.lazy().sink_parquet(by_target, mkdir=True, row_group_size=_ROW_GROUP_ROWS)


def _facts(column: str, rows: pl.DataFrame) -> pl.DataFrame:
    """A row for each key, sorted: the partition column, `rows`, `min_id`, `max_id`, as in a sidecar, and `files`."""
    facts = rows.group_by(column).agg(
        rows=pl.len().cast(pl.Int64),
        min_id=pl.col("id").min(),
        max_id=pl.col("id").max(),
        files=pl.col(_TARGET).n_unique().cast(pl.Int64),
    )
    return facts.sort(column)
