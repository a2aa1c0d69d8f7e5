"""What an answer of the Hub means, whether the library met it or the upload CLI: which errors are worth a retry.

The one place that decides it. Sources: the Hub's documents, its maintainers' words, issue threads of huggingface_hub
where a number is named, and its source (`utils/_http.py`). Only the standard library is imported, for the watcher.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from wikidata.errors import Kind

_TRANSIENT_CLIENT_ERRORS = {408, 409, 412, 425}
_PERMANENT_SERVER_ERRORS = {501, 507}  # not implemented, insufficient storage
_STORAGE = re.compile(r"storage patterns tripped|storage (?:limit|quota)\b|exceeded your [^\n]*storage", re.IGNORECASE)
"""The refusals of #3325, #3366 and #3315, which come at the commit, after all content was sent."""
_RECREATED = "LFS pointer pointed to a file that does not exist"
"""The answer to Parquet in a repo that was deleted and recreated (#3829)."""
_RATE_LIMIT = re.compile(r'"[^"]*"\s*;\s*r=([0-9]+)\s*;\s*t=([0-9]+)')
"""`RateLimit: "api";r=0;t=241`: what remains of a quota, and the seconds until it is filled (IETF draft, #4662)."""
_RETRY_IN = re.compile(
    r"(?:retry|try again)[^.\n]{0,60}? (?:in|after) (?:about )?(an?|[0-9]+) (second|minute|hour)", re.IGNORECASE
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


def kind_of(status: int, words: str = "") -> Kind:
    """The meaning of an HTTP status of 400 or above, with the Hub's own words."""
    if status == 403 and _STORAGE.search(words):
        return Kind.STORAGE
    if status == 429:
        return Kind.QUOTA
    if status in _TRANSIENT_CLIENT_ERRORS or (status >= 500 and status not in _PERMANENT_SERVER_ERRORS):
        return Kind.TRANSIENT
    return Kind.TRANSIENT if status == 400 and _RECREATED in words else Kind.PERMANENT


def advice(words: str) -> str:
    """What is known about an answer, to be said behind the Hub's own words; empty if nothing is."""
    if _STORAGE.search(words):
        return ": the token is fine, the account needs more storage: ask for it at website@huggingface.co"
    if _RECREATED in words:
        return (
            ": a repo that was deleted and recreated refuses Parquet for a while: wait, or publish under another name"
        )
    return ""


def retry_after_of_headers(headers: Mapping[str, str]) -> float | None:
    """How many seconds the headers of an answer ask to wait; None if they do not say.

    The API's 429 has no `Retry-After`. In `RateLimit`, `t` counts only if `r` is 0: a commit quota's 429 may carry the
    request quota, of which much is left.
    """
    asked = headers.get("Retry-After", "")
    if asked.isdecimal() and int(asked):
        return float(asked)
    waits = [float(seconds) for left, seconds in _RATE_LIMIT.findall(headers.get("RateLimit", "")) if int(left) == 0]
    return max(waits, default=None)


def retry_after_of_words(words: str) -> float | None:
    """How many seconds the Hub's own words, or those of a CLI, ask to wait; None if they do not say."""
    if match := _WAITING.search(words):
        return float(match[1])
    if match := _RETRY_IN.search(words):
        number, unit = match.groups()
        return (1.0 if number.lower() in {"a", "an"} else float(number)) * _SECONDS[unit.lower()]
    return HOURLY_QUOTA_SECONDS if _HOURLY_COMMITS.search(words) else None
