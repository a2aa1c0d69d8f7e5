"""Recording that the account may not push for now, in `manifests/.not-before.json`: until then nobody asks the Hub.

A used-up quota is filled again at a known time. An account without storage gets it when somebody answers a mail, so the
time until the next attempt doubles from an hour to a day. It is written as soon as one attempt is refused, and read
before each: so those who are at work at the same time stop, too.
"""

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from wikidata.errors import DiskError, NotYetError, PushError, QuotaError, StorageRefusedError
from wikidata.records.lock import hold_records
from wikidata.system.files import write_atomically

REQUEST_WINDOW_SECONDS = 300.0
"""The window of the Hub's request quota: how long to wait if the Hub does not say."""
FIRST_STORAGE_SECONDS = 3600.0
LONGEST_STORAGE_SECONDS = 86400.0

_WORDS = {"quota": "a quota is used up", "storage": "the Hub takes no more data from this account"}


def record_refusal(manifest_dir: Path, error: PushError) -> None:
    """If an attempt was refused for a quota or for lack of storage, write down until when not to try again.

    What is recorded already, and whose time has not come yet, is the same refusal that somebody else has met.
    """
    if not isinstance(error, QuotaError | StorageRefusedError):
        return
    with hold_records(manifest_dir):
        now, new = refusal_now(manifest_dir), _refusal(error, _read(_path(manifest_dir)))
        if now is None or (now.kind == "quota" and (new.kind == "storage" or new.not_before > now.not_before)):
            write_atomically(_path(manifest_dir), json.dumps(new._asdict()).encode() + b"\n")


def check_not_before(manifest_dir: Path) -> None:
    """Raise NotYetError before the recorded time."""
    path = _path(manifest_dir)
    if refusal := refusal_now(manifest_dir):
        at = datetime.fromtimestamp(refusal.not_before, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        error = NotYetError(f"{_WORDS[refusal.kind]}, not before {at}: remove {path} to try at once")
        error.details = (refusal.why,)
        raise error


def refusal_now(manifest_dir: Path) -> "Refusal | None":
    """What is recorded, if its time has not come yet."""
    refusal = _read(_path(manifest_dir))
    return refusal if refusal and refusal.not_before > time.time() else None


def forget_refusal(manifest_dir: Path) -> None:
    """The account may push again: a push has succeeded. What somebody else was refused since then stays."""
    path = _path(manifest_dir)
    if _read(path) is None:
        return
    with hold_records(manifest_dir):
        if refusal_now(manifest_dir) is None:
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise DiskError(f"cannot remove {path}: {error.strerror}: mend its permissions") from error


class Refusal(NamedTuple):
    """Why the account may not push for now: `kind` is quota or storage; and until when, in seconds since 1970."""

    kind: str
    not_before: float
    seconds: float
    why: str


def _refusal(error: PushError, before: Refusal | None) -> Refusal:
    """Until when to wait after an error; longer, if the attempt `before` met a lack of storage, too."""
    if isinstance(error, QuotaError):
        seconds = error.retry_after_seconds or REQUEST_WINDOW_SECONDS
        return Refusal("quota", time.time() + seconds, seconds, str(error))
    seconds = FIRST_STORAGE_SECONDS
    if before and before.kind == "storage":
        seconds = min(2 * before.seconds, LONGEST_STORAGE_SECONDS)
    return Refusal("storage", time.time() + seconds, seconds, str(error))


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
