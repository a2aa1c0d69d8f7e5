"""What failed last of each chunk: `manifests/.failures.json`, for those who look later; forgotten when it is pushed."""

import json
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from wikidata.errors import DiskError, LockedError, PushError, TablesFailedError
from wikidata.records.lock import hold_records
from wikidata.system.files import write_atomically

_MOST_CHARACTERS = 1000


class LastFailure(NamedTuple):
    """What failed of a chunk, in words, and when (seconds since 1970); `table` is empty if all its tables did."""

    chunk: int
    table: str
    at: float
    message: str


def record_failure(manifest_dir: Path, chunk: int, error: PushError) -> None:
    """Write down what failed of a chunk, in place of what failed of it before."""
    errors = error.errors if isinstance(error, TablesFailedError) else (error,)
    _replace(manifest_dir, chunk, [LastFailure(chunk, e.table, time.time(), str(e)[:_MOST_CHARACTERS]) for e in errors])


def forget_failures(manifest_dir: Path, chunk: int) -> None:
    """The chunk was pushed."""
    if any(each.chunk == chunk for each in last_failures(manifest_dir)):
        _replace(manifest_dir, chunk, [])


def last_failures(manifest_dir: Path) -> list[LastFailure]:
    """What failed of each chunk that was not pushed since, the latest last."""
    try:
        return [LastFailure(*facts) for facts in json.loads(_path(manifest_dir).read_bytes())]
    except (OSError, ValueError, TypeError):
        return []


def _replace(manifest_dir: Path, chunk: int, new: list[LastFailure]) -> None:
    """Write it down if that is possible: a disk that is full must not hide what failed."""
    with suppress(DiskError, LockedError), hold_records(manifest_dir):
        failures = [*(each for each in last_failures(manifest_dir) if each.chunk != chunk), *new]
        write_atomically(_path(manifest_dir), json.dumps(failures, indent=1).encode() + b"\n")


def _path(manifest_dir: Path) -> Path:
    return manifest_dir / ".failures.json"
