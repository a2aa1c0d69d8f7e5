"""The pipeline's state files: reading them all, telling which chunks are complete, raising one atomically.

A source file `chunk_3-00001-of-00064.parquet` has the state file `chunk_3-00001-of-00064.jsonl` with one line,
`{"step": 3}`. Other steps of the pipeline write these files while a push runs, not always atomically.
"""

import errno
import json
import os
import time
from contextlib import suppress
from enum import IntEnum
from pathlib import Path

import polars as pl

from wikidata.errors import ChunkIncompleteError, StateError
from wikidata.names import PARTS_OF_STATE_FILE, parse_state_file
from wikidata.system.files import SHARED_MODE, write_atomically

UNREADABLE = -1
"""The step of a state file that is empty, half-written or damaged: below every real step, so never complete."""

DAMAGED_AFTER_SECONDS = 3600.0
"""A state file that was half-written for so long is not being written."""

_SCHEMA = {"file": pl.String, "chunk": pl.Int64, "part": pl.Int64, "step": pl.Int64}


class Step(IntEnum):
    """The steps of the pipeline, in order."""

    INIT = 0
    PULL = 1
    PROCESS = 2
    PARTITION = 3
    PUSH = 4
    POST_CHECK = 5
    COMPLETE = 6


_STEPS = frozenset(Step)


def parse_step(content: bytes) -> int:
    """The step in a state file's content, or UNREADABLE."""
    try:
        step = json.loads(content)["step"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return UNREADABLE
    return step if type(step) is int and step in _STEPS else UNREADABLE


def get_all_state(state_dir: Path, chunk: int | None = None) -> pl.DataFrame:
    """Read every state file, or those of one chunk.

    Returns a frame with the columns `file` (String, the state file's name), `chunk`, `part`, `step` (Int64), sorted
    by chunk and part. `step` is UNREADABLE (-1) if the file is empty, half-written or damaged. Files that are not
    state files are left out. Raises StateError if the folder or a file may not be read.
    """
    rows: list[tuple[str, int, int, int]] = []
    try:
        for file in os.listdir(state_dir):
            source = parse_state_file(file)
            if source is None or (chunk is not None and source.chunk != chunk):
                continue
            if (content := _read(f"{os.fspath(state_dir)}/{file}")) is not None:
                rows.append((file, source.chunk, source.part, parse_step(content)))
    except OSError as error:
        raise StateError(f"state: cannot read {error.filename}: {error.strerror}: is STATE_DIR right?") from error
    rows.sort(key=lambda row: (row[1], row[2], row[0]))
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


def _read(path: str) -> bytes | None:
    """The content of a small file; None if it vanished, nothing if it is a folder. Faster than pathlib."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe must not hold us up
    except FileNotFoundError:
        return None
    try:
        return os.read(descriptor, 4096)
    except OSError as error:
        if error.errno == errno.EISDIR:
            return b""
        raise OSError(error.errno, error.strerror, path) from error
    finally:
        os.close(descriptor)


def summarize(state: pl.DataFrame) -> pl.DataFrame:
    """One row per chunk of a state frame, sorted by chunk: the one rule of completeness.

    Columns: `chunk`; `parts`, the number of parts that the file names promise (0 if they contradict each other);
    `files`, the number of state files; `unreadable`, those without a valid step; `min_step`, `max_step` (Int64);
    `complete`, whether every part is there and at PARTITION or beyond; `pushable`, whether it is complete and its local
    files are still there, which they are not once all parts are at COMPLETE; `due`, whether it is complete and not yet
    pushed.
    """
    promised = pl.col("file").str.extract(PARTS_OF_STATE_FILE).cast(pl.Int64)
    summary = state.group_by("chunk").agg(
        pl.when(promised.n_unique() == 1).then(promised.first()).otherwise(0).alias("parts"),
        pl.len().cast(pl.Int64).alias("files"),
        pl.col("part").n_unique().cast(pl.Int64).alias("distinct"),
        pl.col("part").max().alias("last"),
        (pl.col("step") == UNREADABLE).sum().cast(pl.Int64).alias("unreadable"),
        pl.col("step").min().alias("min_step"),
        pl.col("step").max().alias("max_step"),
    )
    every_part = (
        (pl.col("parts") > 0)
        & (pl.col("files") == pl.col("parts"))
        & (pl.col("distinct") == pl.col("parts"))
        & (pl.col("last") == pl.col("parts") - 1)
    )
    complete = every_part & (pl.col("min_step") >= Step.PARTITION)
    return (
        summary.with_columns(complete.alias("complete"))
        .with_columns(
            (pl.col("complete") & (pl.col("min_step") < Step.COMPLETE)).alias("pushable"),
            (pl.col("complete") & (pl.col("min_step") < Step.PUSH)).alias("due"),
        )
        .drop("distinct", "last")
        .sort("chunk")
    )


def is_complete(state: pl.DataFrame, chunk: int) -> bool:
    """Whether every part of `chunk` that its file names promise is there and at PARTITION or beyond."""
    return bool(summarize(state.filter(pl.col("chunk") == chunk))["complete"].any())


def due_chunks(state: pl.DataFrame) -> list[int]:
    """The chunks that are complete and not yet pushed, lowest first."""
    return summarize(state).filter("due")["chunk"].to_list()


def stuck_chunks(state: pl.DataFrame, state_dir: Path) -> list[StateError]:
    """The chunks that will never be due by themselves, because of a contradiction or a file damaged for an hour."""
    errors = [
        StateError(f"chunk {chunk} {_reason(state.filter(pl.col('chunk') == chunk))}")
        for chunk in summarize(state).filter(pl.col("parts") == 0)["chunk"]
    ]
    for file in state.filter(pl.col("step") == UNREADABLE)["file"]:
        with suppress(OSError):
            if time.time() - (state_dir / file).stat().st_mtime > DAMAGED_AFTER_SECONDS:
                errors.append(StateError(f"state: {state_dir / file} has had no valid step for an hour: repair it"))
    return errors


def require_pushable(state: pl.DataFrame, chunk: int) -> int:
    """Return the number of parts of a complete `chunk` whose local files are still there.

    Raises ChunkIncompleteError with the reason otherwise.
    """
    files = state.filter(pl.col("chunk") == chunk)
    if not summarize(files)["pushable"].any():
        raise ChunkIncompleteError(f"chunk {chunk} {_reason(files)}")
    return files.height


def _reason(files: pl.DataFrame) -> str:
    """The words for why a chunk with these state files is not pushable, which `summarize` decides."""
    if files.is_empty():
        return "has no state files: is STATE_DIR right?"
    promised = files["file"].str.extract(PARTS_OF_STATE_FILE).unique().sort()
    if promised.len() > 1:
        both = f"of-{promised[0]} and of-{promised[1]}"
        return f"is contradictory: its state files end in both {both}: remove the stale ones"
    parts = int(promised[0])
    missing = sorted(set(range(parts)) - set(files["part"]))
    if missing:
        return f"is not complete: part {missing[0]:05d} of {parts:05d} has no state file ({len(missing)} missing)"
    beyond = files.filter(pl.col("part") >= parts)
    if not beyond.is_empty():
        return f"is contradictory: {beyond['file'][0]} is beyond its last part: remove it"
    behind = files.filter(pl.col("step") < Step.PARTITION)
    if behind.is_empty():
        return f"is at {Step.COMPLETE.name}: its local files are deleted, nothing can be pushed; use make verify"
    file, _, _, step = behind.row(0)
    found = "has no valid step (being written, or damaged)" if step == UNREADABLE else f"is at {Step(step).name}"
    return f"is not complete: {file} {found} ({behind.height} of {parts} parts below {Step.PARTITION.name})"


def update_state(state_file: Path, step: Step) -> None:
    """Set a state file to `step`: afterwards it holds the old line or the new one, whatever happens between."""
    write_atomically(state_file, b'{"step": %d}\n' % step, SHARED_MODE)


def raise_to_push(state_dir: Path, chunk: int) -> int:
    """Raise every source file of a complete `chunk` to PUSH; returns how many were below.

    A file at PUSH or beyond stays where it is, and one below PARTITION is never raised: each is read again just
    before it is written, because other steps may have moved it, and ChunkIncompleteError is raised if one fell.
    """
    state = get_all_state(state_dir, chunk)
    require_pushable(state, chunk)
    raised = 0
    for file in state["file"]:
        path = state_dir / file
        try:
            step = parse_step(_read(os.fspath(path)) or b"")
        except OSError as error:
            raise StateError(f"state: cannot read {path}: {error.strerror}: mend its permissions") from error
        if step < Step.PARTITION:
            raise ChunkIncompleteError(f"chunk {chunk}: {file} fell below PARTITION while it was pushed: push again")
        if step == Step.PARTITION:
            update_state(path, Step.PUSH)
            raised += 1
    return raised
