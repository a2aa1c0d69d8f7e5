"""Writing the files of every source file of a sample into a staging folder."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import polars as pl

from scripts.sample.builtin import BuiltinSource
from scripts.sample.entities import EntitySource
from scripts.sample.source_files import AUDIT, RESULTS, STATE
from wikidata.config import Table
from wikidata.names import Source
from wikidata.state import Step

# Fixed, since the default depends on how a frame lies in memory, and equal samples have equal bytes.
_ROW_GROUP_ROWS = 100_000

_TARGET = "__target"
"""The column with the path of a row's partition file, relative to its table's folder; not written."""


@dataclass(frozen=True)
class Options:
    """Which files are written; see write_sample."""

    source: BuiltinSource | EntitySource
    split_keys: Collection[str]
    incomplete: Collection[int]
    process_files: bool

    def step(self, file: Source) -> Step:
        """The step that a source file stands at."""
        is_caught = file.chunk in self.incomplete and file.part == file.parts - 1
        return Step.PROCESS if is_caught else Step.PARTITION


def write_files(root: Path, files: Sequence[Source], options: Options) -> tuple[int, int]:
    """Write all files of a sample below `root`; return the numbers of partition files and of rows in them."""
    make_folders(root)
    for file in files:
        write_state(root, file, options.step(file))
    written = [write_table(root, table, file, options) for table, file in product(Table, files)]
    return sum(files for files, _ in written), sum(rows for _, rows in written)


def write_state(root: Path, file: Source, step: Step) -> None:
    (root / STATE / f"{file.stem}.jsonl").write_text(f'{{"step": {step:d}}}\n')


def make_folders(root: Path) -> None:
    for folder in (STATE, *(f"{parent}/{table}" for parent in (RESULTS, AUDIT) for table in Table)):
        (root / folder).mkdir(parents=True)


def write_table(root: Path, table: Table, file: Source, options: Options) -> tuple[int, int]:
    """Write what one source file has for a table; return the numbers of partition files and of rows in them."""
    rows = options.source.rows(table, file)
    is_partitioned = options.step(file) >= Step.PARTITION
    if options.process_files or not is_partitioned:
        rows.write_parquet(root / RESULTS / table / f"{file.stem}.parquet", row_group_size=_ROW_GROUP_ROWS)
    if not is_partitioned:
        return 0, 0
    sidecar = rows.group_by(table.partition_column).agg(
        rows=pl.len().cast(pl.Int64), min_id=pl.col("id").min(), max_id=pl.col("id").max()
    )
    sidecar.sort(table.partition_column).write_parquet(root / AUDIT / table / f"{file.stem}.parquet")
    rows = _with_target(table, file, rows, options.split_keys)
    # In one pass, which takes half as long as a write_parquet for each. polars calls PartitionBy unstable; the lock
    # pins polars.
    by_target = pl.PartitionBy(
        root / RESULTS / table,
        key=_TARGET,
        include_key=False,
        file_path_provider=lambda part: str(part.partition_keys.item(0, 0)),
    )
    rows.lazy().sink_parquet(by_target, mkdir=True, row_group_size=_ROW_GROUP_ROWS)
    return rows[_TARGET].n_unique(), rows.height


def _with_target(table: Table, file: Source, rows: pl.DataFrame, split_keys: Collection[str]) -> pl.DataFrame:
    """Add the target: the latter half of the rows of a split key goes to the file with `_1`."""
    column = table.partition_column
    suffix = pl.lit("")
    if split_keys:
        latter = 2 * pl.int_range(pl.len()).over(column) >= pl.len().over(column)
        is_split = pl.col(column).is_in(list(split_keys)) & (pl.len().over(column) > 1)
        suffix = pl.when(is_split & latter).then(pl.lit("_1")).otherwise(suffix)
    target = pl.format("{}={}/{}{}.parquet", pl.lit(column), column, pl.lit(file.stem), suffix)
    return rows.with_columns(target.alias(_TARGET))
