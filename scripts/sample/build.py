"""A sample, from what was asked for to the files below its root."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from scripts.sample.builtin import CHUNKS_AT_MOST, BuiltinSource
from scripts.sample.entities import EntitySource
from scripts.sample.source_files import AUDIT, RESULTS, STATE, SampleError, chunk_of, find_files
from scripts.sample.write import Options, write_files
from wikidata.config import Table
from wikidata.names import Source
from wikidata.state import UNREADABLE, parse_step

DEFAULT_KEYS = 10
DEFAULT_ROWS = 5
PARTS_AT_MOST = 99_999  # what five digits hold


@dataclass(frozen=True)
class Sample:
    """What a sample consists of: its partition files, the rows in them, and what became of its files.

    `invalid_keys` are those of the entities that are not valid codes and were left out, with their rows. `written` and
    `kept` count files of every kind: those written now, and those that were there already.
    """

    root: Path
    partition_files: int
    rows: int
    invalid_keys: dict[tuple[Table, str], int]
    written: int
    kept: int


def write_sample(
    root: Path,
    chunks: Mapping[int, int],
    *,
    keys: int | None = None,
    rows: int = DEFAULT_ROWS,
    incomplete: Collection[int] = (),
    split_keys: Collection[str] = (),
    entities: Path | None = None,
    process_files: bool = True,
) -> Sample:
    """Write `chunks` (the number of parts of each) below `root`, as the pipeline leaves them before a push.

    Without `entities`, every source file has `rows` rows of each of `keys` keys (10 if None); with it, what the
    file has, of the `keys` most frequent keys of each table (all if None), and `rows` does not matter.
    The last part of an `incomplete` chunk stands at PROCESS: it has unpartitioned files even without `process_files`,
    and nothing else. `split_keys` are written as two files, if they have two rows. Equal arguments give equal bytes.

    Files appear whole, the state files last. Nothing is synced: a sample can be made again. What is there already and
    equal is left alone, as are state files at a later step. Raises SampleError, leaving everything as it was, if an
    argument makes no sense or other data of these chunks is there.
    """
    _check(chunks, keys, rows, incomplete)
    files = [Source(chunk, part, parts) for chunk, parts in sorted(chunks.items()) for part in range(parts)]
    source = EntitySource(entities, files, keys) if entities else BuiltinSource(keys or DEFAULT_KEYS, rows, seed=0)
    if unknown := set(split_keys).difference(*source.keys.values()):
        raise SampleError(f"key {min(unknown)} cannot be split: no table has it")
    options = Options(source, frozenset(split_keys), frozenset(incomplete), process_files)
    root.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".sample-", dir=root) as staging:
        partition_files, row_count = write_files(Path(staging), files, options)
        written, kept = _settle(Path(staging), root, chunks)
    return Sample(root, partition_files, row_count, source.invalid_keys, written, kept)


def _check(chunks: Mapping[int, int], keys: int | None, rows: int, incomplete: Collection[int]) -> None:
    for chunk, parts in chunks.items():
        if not 0 <= chunk < CHUNKS_AT_MOST:
            raise SampleError(f"chunk {chunk}: must be from 0 to {CHUNKS_AT_MOST - 1}")
        if not 1 <= parts <= PARTS_AT_MOST:
            raise SampleError(f"chunk {chunk}: must have from 1 to {PARTS_AT_MOST} parts, not {parts}")
    if unknown := set(incomplete).difference(chunks):
        raise SampleError(f"chunk {min(unknown)} cannot be incomplete: it is none of the chunks to make")
    if rows < 1 or (keys is not None and keys < 1):
        raise SampleError(f"there must be at least one {'row' if rows < 1 else 'key'}")


def _settle(staging: Path, root: Path, chunks: Collection[int]) -> tuple[int, int]:
    """Move all files of `chunks` from `staging` to `root`; return how many were moved, and how many were there.

    A file that is there with the same content stays as it is, and so does a state file at a later step; an earlier
    one is replaced. Raises SampleError, with nothing moved, if a file is there with other content, or one that is
    not in `staging`.
    """
    made, there = find_files(staging, chunks), find_files(root, chunks)
    steps = {path: parse_step((root / path).read_bytes()) for path in there if path.endswith(".jsonl")}

    def is_settled(path: str) -> bool:
        content = (staging / path).read_bytes()
        if path in steps:
            return steps[path] >= parse_step(content)
        return content == (root / path).read_bytes()

    kept = {path for path in made & there if is_settled(path)}
    if others := {path for path in there - kept if path not in made or steps.get(path, UNREADABLE) == UNREADABLE}:
        path, more = min(others), f" and {len(others) - 1} more" if len(others) > 1 else ""
        raise SampleError(f"chunk {chunk_of(path)}: {root} has other data of it ({path}{more})")
    for path in kept:
        (staging / path).unlink()
    for folder in (AUDIT, RESULTS, STATE):
        _move(staging / folder, root / folder)
    return len(made - kept), len(kept)


def _move(source: Path, target: Path) -> None:
    """Move a file, or a folder into another; as a whole if the target is not there."""
    if not (source.is_dir() and target.is_dir()):
        source.replace(target)
        return
    for entry in source.iterdir():
        _move(entry, target / entry.name)
