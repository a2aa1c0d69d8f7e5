"""Writing the files of every source file of a sample into a staging folder."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import polars as pl

from scripts.sample.layout import AUDIT, RESULTS, STATE, SourceFile
from scripts.sample.sources import Source
from wikidata.config import Table
from wikidata.state import Step

# Fixed, since the default depends on how a frame lies in memory, and equal samples have equal bytes.
_ROW_GROUP_ROWS = 100_000

_TARGET = "__target"
"""The column with the path of a row's partition file, relative to its table's folder; not written."""


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
        caught = file.chunk in self.incomplete and file.part == file.parts - 1
        return Step.PROCESS if caught else Step.PARTITION


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
    partitioned = options.step(file) >= Step.PARTITION
    if options.process_files or not partitioned:
        rows.write_parquet(staging / RESULTS / table / f"{file.stem}.parquet", row_group_size=_ROW_GROUP_ROWS)
    if not partitioned:
        rows = rows.clear()
    targeted = _with_target(table, file, rows, options.split_keys)
    facts = _facts(table.partition_column, targeted)
    if partitioned:
        _write_partitions(staging / RESULTS / table, targeted)
    if partitioned and options.sidecars:
        sidecar = facts.drop("files")
        sidecar.write_parquet(staging / AUDIT / table / f"{file.stem}.parquet", row_group_size=_ROW_GROUP_ROWS)
    return _partitions(table, file, facts)


def _with_target(table: Table, file: SourceFile, rows: pl.DataFrame, split_keys: Collection[str]) -> pl.DataFrame:
    """Add the target: the latter half of the rows of a split key goes to the file with `_1`."""
    column = table.partition_column
    suffix = pl.lit("")
    if split_keys:
        latter = 2 * pl.int_range(pl.len()).over(column) >= pl.len().over(column)
        split = pl.col(column).is_in(list(split_keys)) & (pl.len().over(column) > 1)
        suffix = pl.when(split & latter).then(pl.lit("_1")).otherwise(suffix)
    target = pl.format("{}={}/{}{}.parquet", pl.lit(column), column, pl.lit(file.stem), suffix)
    return rows.with_columns(target.alias(_TARGET))


def _write_partitions(folder: Path, rows: pl.DataFrame) -> None:
    """Write every partition file in one pass, which takes half as long as a write_parquet for each.

    polars calls PartitionBy unstable; the lock pins polars.
    """
    by_target = pl.PartitionBy(
        folder,
        key=_TARGET,
        include_key=False,
        file_path_provider=lambda file: str(file.partition_keys.item(0, 0)),
    )
    rows.lazy().sink_parquet(by_target, mkdir=True, row_group_size=_ROW_GROUP_ROWS)


def _facts(column: str, rows: pl.DataFrame) -> pl.DataFrame:
    """A row for each key, sorted: the partition column, `rows`, `min_id`, `max_id`, as in a sidecar, and `files`."""
    return (
        rows.lazy()
        .group_by(column)
        .agg(
            rows=pl.len().cast(pl.Int64),
            min_id=pl.col("id").min(),
            max_id=pl.col("id").max(),
            files=pl.col(_TARGET).n_unique().cast(pl.Int64),
        )
        .sort(column)
        .collect()
    )


def _partitions(table: Table, file: SourceFile, facts: pl.DataFrame) -> pl.DataFrame:
    """The rows of Sample.partitions of one source file and table."""
    return facts.select(
        pl.lit(table.value).alias("table"),
        pl.lit(file.chunk, pl.Int64).alias("chunk"),
        pl.lit(file.part, pl.Int64).alias("part"),
        pl.col(table.partition_column).alias("key"),
        "rows",
        "files",
    )
