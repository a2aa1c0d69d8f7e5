"""What was said to a person already: `manifests/.notices.json` records when, so that cron is not told every time."""

import json
import time
from collections.abc import Iterable
from pathlib import Path

from wikidata.config import Table
from wikidata.records.lock import hold_records
from wikidata.system.files import write_atomically

DAY_SECONDS = 86400.0


def card_subject(table: Table) -> str:
    """What is said of a dataset card that did not arrive; it is tried again after a day."""
    return f"card of {table}"


def is_news(manifest_dir: Path, subject: str, repeat_seconds: float | None = None) -> bool:
    """Whether something has to be said of `subject`: it never was, or longer ago than `repeat_seconds`.

    Records that it is said now.
    """
    with hold_records(manifest_dir):
        said = _read(manifest_dir)
        last = said.get(subject)
        if last is not None and (repeat_seconds is None or time.time() - last < repeat_seconds):
            return False
        _write(manifest_dir, said | {subject: time.time()})
        return True


def due(manifest_dir: Path, subjects: Iterable[str]) -> list[str]:
    """Those of `subjects` of which something was said longer ago than a day."""
    said = _read(manifest_dir)
    return [each for each in subjects if each in said and time.time() - said[each] >= DAY_SECONDS]


def forget(manifest_dir: Path, subject: str) -> None:
    """`subject` is as it should be: what is said next of it is news."""
    if subject in _read(manifest_dir):
        with hold_records(manifest_dir):
            said = _read(manifest_dir)
            said.pop(subject, None)
            _write(manifest_dir, said)


def _read(manifest_dir: Path) -> dict[str, float]:
    try:
        content = json.loads(_path(manifest_dir).read_bytes())
        return {str(subject): float(when) for subject, when in content.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _write(manifest_dir: Path, said: dict[str, float]) -> None:
    write_atomically(_path(manifest_dir), json.dumps(said, indent=2).encode() + b"\n")


def _path(manifest_dir: Path) -> Path:
    return manifest_dir / ".notices.json"
