"""A sample, from what was asked for to the files below its root."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from scripts.sample.builtin import CHUNKS_AT_MOST, BuiltinSource
from scripts.sample.entities import read_entities
from scripts.sample.errors import SampleError
from scripts.sample.layout import SourceFile
from scripts.sample.settle import settle
from scripts.sample.sources import EntitySource, Source
from scripts.sample.write import Options, write_files
from wikidata.config import Table

DEFAULT_KEYS = 10
DEFAULT_ROWS = 5
PARTS_AT_MOST = 99_999
"""What five digits hold."""

_STAGING_PREFIX = ".make_sample-"


@dataclass(frozen=True)
class Sample:
    """What a sample consists of.

    `partitions` has a row for each key of each source file that was partitioned, sorted by table, chunk, part and key:
    `table`, `chunk`, `part`, `key`, `rows`, `files` (2 where it is split). `invalid_keys` are those of the entities
    that are no valid codes and were left out, with their rows. `written` and `kept` count files: those written now,
    and those that were there already.
    """

    root: Path
    partitions: pl.DataFrame
    invalid_keys: dict[tuple[Table, str], int]
    written: int
    kept: int

    def rows(self, table: Table, chunk: int | None = None) -> dict[str, int]:
        """The rows of every key of a table in the partition files, of one chunk or of all."""
        chosen = self.partitions.filter(pl.col("table") == table.value)
        if chunk is not None:
            chosen = chosen.filter(pl.col("chunk") == chunk)
        return dict(chosen.group_by("key").agg(pl.col("rows").sum()).sort("key").iter_rows())


def write_sample(
    root: Path,
    chunks: Mapping[int, int],
    *,
    keys: int | None = None,
    rows: int = DEFAULT_ROWS,
    incomplete: Collection[int] = (),
    split_keys: Collection[str] = (),
    entities: Path | None = None,
    seed: int = 0,
    sidecars: bool = True,
    process_files: bool = True,
    force: bool = False,
) -> Sample:
    """Write `chunks` (the number of parts of each) below `root`, as the pipeline leaves them before a push.

    Without `entities`, every source file has `rows` rows of each of `keys` keys (10 where None); with it, what the
    file has, of the `keys` most frequent keys of each table (all where None), and neither `rows` nor `seed` matters.
    The last part of an `incomplete` chunk stands at PROCESS: it has unpartitioned files even without `process_files`,
    and nothing else. `split_keys` are written as two files, where they have two rows. Equal arguments give equal bytes.

    Files appear whole, the state files last. Nothing is synced: a sample can be made again. What is there already and
    equal is left alone, as are state files at a later step. Raises SampleError, leaving everything as it was, where an
    argument makes no sense or where other data of these chunks is there; `force` replaces that.
    """
    _check_layout(root, chunks, incomplete)
    _check_counts(keys, rows)
    files = [SourceFile(chunk, part, parts) for chunk, parts in sorted(chunks.items()) for part in range(parts)]
    if entities is None:
        source: Source = BuiltinSource(keys or DEFAULT_KEYS, rows, seed)
    else:
        source = EntitySource(read_entities(entities), files, keys)
    _check_split_keys(source, split_keys)
    options = Options(source, frozenset(split_keys), frozenset(incomplete), sidecars, process_files)
    root.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=_STAGING_PREFIX, dir=root) as staging:
        partitions = write_files(Path(staging), files, options)
        written, kept = settle(Path(staging), root, chunks, force)
    return Sample(root, partitions, source.invalid_keys, written, kept)


def _check_layout(root: Path, chunks: Mapping[int, int], incomplete: Collection[int]) -> None:
    if root.exists() and not root.is_dir():
        raise SampleError(f"{root} is no folder")
    if not chunks:
        raise SampleError("there must be at least one chunk")
    for chunk, parts in chunks.items():
        if not 0 <= chunk < CHUNKS_AT_MOST:
            raise SampleError(f"chunk {chunk}: must be from 0 to {CHUNKS_AT_MOST - 1}")
        if not 1 <= parts <= PARTS_AT_MOST:
            raise SampleError(f"chunk {chunk}: must have from 1 to {PARTS_AT_MOST} parts, not {parts}")
    if unknown := sorted(set(incomplete) - set(chunks)):
        raise SampleError(f"chunk {unknown[0]} cannot be incomplete: it is none of the chunks to make")


def _check_counts(keys: int | None, rows: int) -> None:
    if keys is not None and keys < 1:
        raise SampleError("there must be at least one key")
    if rows < 1:
        raise SampleError("there must be at least one row")


def _check_split_keys(source: Source, split_keys: Collection[str]) -> None:
    known = {key for keys in source.keys.values() for key in keys}
    if unknown := sorted(set(split_keys) - known):
        raise SampleError(f"key {unknown[0]} cannot be split: no table has it")
