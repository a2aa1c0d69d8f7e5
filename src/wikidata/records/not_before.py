"""Recording that the account may not push for now, in `manifests/.not-before.json`: until then nobody asks the Hub.

A used-up quota is filled again at a known time. An account without storage gets it when somebody answers a mail, so the
time until the next attempt doubles from an hour to a day.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from wikidata.errors import DiskError, PushError, QuotaError, StorageRefusedError, TablesFailedError, TryLaterError
from wikidata.system.files import make_private_folder, write_atomically

REQUEST_WINDOW_SECONDS = 300.0
"""The window of the Hub's request quota: how long to wait if the Hub does not say."""
FIRST_STORAGE_SECONDS = 3600.0
LONGEST_STORAGE_SECONDS = 86400.0

_WORDS = {"quota": "a quota is used up", "storage": "the Hub takes no more data from this account"}


@contextmanager
def recording_refusals(manifest_dir: Path) -> Iterator[None]:
    """Write down a quota or a lack of storage that ends the block."""
    try:
        yield
    except PushError as error:
        record_refusal(manifest_dir, error)
        raise


def record_refusal(manifest_dir: Path, error: PushError) -> None:
    """If a push ended for a quota or for lack of storage, write down until when not to try again."""
    errors = error.errors if isinstance(error, TablesFailedError) else (error,)
    storage = [each for each in errors if isinstance(each, StorageRefusedError)]
    quotas = [each for each in errors if isinstance(each, QuotaError)]
    if storage:
        before = _read(_path(manifest_dir))
        seconds = FIRST_STORAGE_SECONDS
        if before and before.kind == "storage":
            seconds = min(2 * before.seconds, LONGEST_STORAGE_SECONDS)
        _write(manifest_dir, "storage", seconds, str(storage[0]))
    elif quotas:
        seconds = max(each.retry_after_seconds or REQUEST_WINDOW_SECONDS for each in quotas)
        _write(manifest_dir, "quota", seconds, str(quotas[0]))


def check_not_before(manifest_dir: Path) -> None:
    """Raise TryLaterError before the recorded time."""
    path = _path(manifest_dir)
    if refusal := refusal_now(manifest_dir):
        at = datetime.fromtimestamp(refusal.not_before, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        error = TryLaterError(f"{_WORDS[refusal.kind]}, not before {at}: remove {path} to try at once")
        error.details = (refusal.why,)
        raise error


def refusal_now(manifest_dir: Path) -> "Refusal | None":
    """What is recorded, if its time has not come yet."""
    refusal = _read(_path(manifest_dir))
    return refusal if refusal and refusal.not_before > time.time() else None


def forget_refusal(manifest_dir: Path) -> None:
    """The account may push again: a push has succeeded."""
    path = _path(manifest_dir)
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise DiskError(f"cannot remove {path}: {error.strerror}: mend its permissions") from error


def _write(manifest_dir: Path, kind: str, seconds: float, why: str) -> None:
    content = {"kind": kind, "not_before": time.time() + seconds, "seconds": seconds, "why": why}
    write_atomically(_path(make_private_folder(manifest_dir)), json.dumps(content).encode() + b"\n")


class Refusal(NamedTuple):
    """Why the account may not push for now: `kind` is quota or storage; and until when, in seconds since 1970."""

    kind: str
    not_before: float
    seconds: float
    why: str


def _read(path: Path) -> Refusal | None:
    """What is recorded; None if nothing is, or nothing that can be read."""
    try:
        content = json.loads(path.read_bytes())
        kind = content.get("kind", "quota")
        seconds = float(content.get("seconds", FIRST_STORAGE_SECONDS))
        return Refusal(kind if kind in _WORDS else "quota", float(content["not_before"]), seconds, str(content["why"]))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DiskError(f"cannot read {path}: {error.strerror}: mend its permissions") from error
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _path(manifest_dir: Path) -> Path:
    return manifest_dir / ".not-before.json"
