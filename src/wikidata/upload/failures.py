"""What an error of the Hub means, whether it came as an answer or as a line of the upload CLI's output.

The one place that decides what is tried again. Sources: the Hub's documents, and what the CLIs print, from the source
of huggingface_hub (`_upload_large_folder.py`, `utils/_http.py`, `cli/_errors.py`). Up to 1.x a failed job reads
`Failed to <job>: <error>`. An HTTP error reads `500 Server Error: … for url: …` up to 0.36, `Server error '500 …' for
url …` from 1.0 on, `HTTP Error 500 thrown while requesting …` where the request is going to be repeated, or, lines
below, `403 Forbidden: …`, `429 Too Many Requests …`, `Bad request for commit endpoint:`; from 2.0 on also
`Error: Dataset '…' not found.` hf_xet writes `HTTP status client error (403 Forbidden), domain: …`; that a token for
Xet was refused with 401, 0.36 says in words alone (`_commit_api.py`). What an upload of LFS content was refused with is
not always said: that is found out by uploading one such file ourselves (`push.py`).
"""

import re
from enum import StrEnum
from itertools import takewhile
from typing import NamedTuple

from wikidata.upload.generations import REPEATS


class Kind(StrEnum):
    """What an error asks for."""

    REFUSED = "refused"
    """It will never heal: stop now and say so."""
    QUOTA = "quota"
    """A quota is used up: stop, and try again when it is filled."""
    PASSING = "passing"
    """It heals, or may have worked after all: look at the Hub, wait, try again."""


class Failure(NamedTuple):
    """An error with its meaning; `message` is one line, `retry_after_seconds` is known only where the Hub said so."""

    kind: Kind
    message: str
    retry_after_seconds: float | None = None


_PASSING_CLIENT_ERRORS = {408, 409, 412, 425}
_FINAL_SERVER_ERRORS = {501, 507}  # not implemented, insufficient storage
_LOCAL_TROUBLE = (
    "No such file",
    "No space left",
    "Read-only file system",
    "Permission denied",
    "Disk quota exceeded",
    "Not a directory",
)
_STATUS = re.compile(
    r"\b([45][0-9]{2}) (?:Client|Server) Error\b|\b(?:Client|Server) error '([45][0-9]{2}) |"
    r"^(403) Forbidden: |^(429) Too Many Requests\b|\bHTTP status (?:client|server) error \(([45][0-9]{2}) |"
    r"\bYou are unauthorized to upload to xet storage\b|"
    r"^(?:Error: )?Bad request\b|^Error: (?:Dataset|Repository) .*not found\.",
    re.MULTILINE,
)
_REPEATED_STATUS = re.compile(r"\bHTTP Error ([45][0-9]{2}) thrown\b")
"""By itself no failure: the request may have been repeated with success."""
_WORDS_LINES = 8
"""The Hub's own words follow a failed job within so many lines."""
_OTHER_WORDS = ("Failed to ", "Hint: ", "Traceback ", "The above exception ")
_UNEXPLAINED = "Error while uploading"
_REPEATS_BYTES = re.compile(REPEATS.pattern.encode())
_RETRY_IN = re.compile(
    r"(?:retry|try again)[^.\n]{0,60}? in (?:about )?(an?|[0-9]+) (second|minute|hour)", re.IGNORECASE
)
_WAITING = re.compile(r"Rate limited\. Waiting ([0-9.]+)s before retry")
_HOURLY_COMMITS = re.compile(r"commits?\b[^\n]{0,80}\bhour|hour[^\n]{0,80}\bcommits?\b", re.IGNORECASE)
_SECONDS = {"second": 1.0, "minute": 60.0, "hour": 3600.0}
HOURLY_QUOTA_SECONDS = 900.0
"""How long to wait where the Hub names an hourly commit quota, but not when it is filled again."""


def kind_of_status(status: int) -> Kind:
    """The meaning of an HTTP status of 400 or above."""
    if status == 429:
        return Kind.QUOTA
    if status in _PASSING_CLIENT_ERRORS or (status >= 500 and status not in _FINAL_SERVER_ERRORS):
        return Kind.PASSING
    return Kind.REFUSED


def retry_after_of_words(words: str) -> float | None:
    """How many seconds the Hub's own words ask to wait; None where they do not say."""
    if match := _WAITING.search(words):
        return float(match[1])
    if match := _RETRY_IN.search(words):
        number, unit = match.groups()
        return (1.0 if number.lower() in {"a", "an"} else float(number)) * _SECONDS[unit.lower()]
    return HOURLY_QUOTA_SECONDS if _HOURLY_COMMITS.search(words) else None


def is_unexplained(message: str) -> bool:
    """Whether a failure of the CLI is an upload of content, of which it does not say what the Hub answered."""
    return _UNEXPLAINED in message


def starts_failure(line: str) -> bool:
    """Whether a line of the CLI's output says that something failed, so that it is going to repeat itself."""
    return REPEATS.search(line) is not None


def holds_failure(output: bytes) -> bool:
    """Whether a block of raw output has such a line in it: a quick look, before it is split into lines."""
    return _REPEATS_BYTES.search(output) is not None


def diagnose(lines: list[str]) -> Failure | None:
    """What the CLI's last lines of output say went wrong; None where they name no error.

    The first line by which it repeats itself counts, else the last one with an HTTP error (the end of a traceback).
    """
    start = next((index for index, line in enumerate(lines) if starts_failure(line)), None)
    if start is None:
        start = next((index for index in reversed(range(len(lines))) if _STATUS.search(lines[index])), None)
    if start is None:
        return None
    more = takewhile(lambda line: not line.startswith(_OTHER_WORDS), lines[start + 1 : start + _WORDS_LINES])
    words = [lines[start].strip(), *filter(None, map(str.strip, more))]
    text = "\n".join(words)
    kind = _kind_of_words(text)
    return Failure(kind, " ".join(words)[:600], retry_after_of_words(text) if kind is Kind.QUOTA else None)


def _kind_of_words(text: str) -> Kind:
    if status := _STATUS.search(text) or _REPEATED_STATUS.search(text):
        return kind_of_status(int(next(filter(None, status.groups()), 400)))
    return Kind.REFUSED if any(words in text for words in _LOCAL_TROUBLE) else Kind.PASSING
