"""What an answer of the Hub means, whether the library met it or the upload CLI: which errors are worth a retry.

The one place that decides it. Sources: the Hub's documents, its maintainers' words, and huggingface_hub
(`utils/_http.py`). The standard library alone is imported here, for the watcher.
"""

import re
from typing import NamedTuple

from wikidata.errors import Kind

_TRANSIENT_CLIENT_ERRORS = {408, 409, 412, 425}
_PERMANENT_SERVER_ERRORS = {501, 507}  # not implemented, insufficient storage
_RETRY_IN = re.compile(
    r"(?:retry|try again)[^.\n]{0,60}? in (?:about )?(an?|[0-9]+) (second|minute|hour)", re.IGNORECASE
)
_WAITING = re.compile(r"Rate limited\. Waiting ([0-9.]+)s before retry")
_HOURLY_COMMITS = re.compile(r"commits?\b[^\n]{0,80}\bhour|hour[^\n]{0,80}\bcommits?\b", re.IGNORECASE)
_SECONDS = {"second": 1.0, "minute": 60.0, "hour": 3600.0}
HOURLY_QUOTA_SECONDS = 900.0
"""How long to wait if the Hub names an hourly commit quota, but not when it is filled again."""


class Failure(NamedTuple):
    """An error with its meaning; `message` is one line, `retry_after_seconds` is known only if the Hub said so."""

    kind: Kind
    message: str
    retry_after_seconds: float | None = None


def kind_of_status(status: int) -> Kind:
    """The meaning of an HTTP status of 400 or above."""
    if status == 429:
        return Kind.QUOTA
    if status in _TRANSIENT_CLIENT_ERRORS or (status >= 500 and status not in _PERMANENT_SERVER_ERRORS):
        return Kind.TRANSIENT
    return Kind.PERMANENT


def retry_after_of_words(words: str) -> float | None:
    """How many seconds the Hub's own words ask to wait; None if they do not say."""
    if match := _WAITING.search(words):
        return float(match[1])
    if match := _RETRY_IN.search(words):
        number, unit = match.groups()
        return (1.0 if number.lower() in {"a", "an"} else float(number)) * _SECONDS[unit.lower()]
    return HOURLY_QUOTA_SECONDS if _HOURLY_COMMITS.search(words) else None
