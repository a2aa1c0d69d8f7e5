"""What the lines that the upload CLI prints say went wrong; the lines themselves are known to its generations.

Up to 1.x a failed job reads `Failed to <job>: <error>`, with the Hub's own words on the same line or below. What an
upload of LFS content was refused with is not always said: the push finds that out by uploading one such file itself.
The standard library alone is imported here, for the watcher.
"""

import re
from itertools import takewhile

from wikidata.errors import Kind
from wikidata.hub.meaning import Failure, advice, kind_of, retry_after_of_words
from wikidata.upload.generations import GENERATIONS, any_of

_LOCAL_TROUBLE = (
    "No such file",
    "No space left",
    "Read-only file system",
    "Permission denied",
    "Disk quota exceeded",
    "Not a directory",
)
_REPEATS = any_of([generation.REPEATS for generation in GENERATIONS])
_REPEATS_BYTES = re.compile(_REPEATS.pattern.encode())
_ERRORS = any_of([generation.ERRORS for generation in GENERATIONS])
_REPEATED_ERRORS = any_of([generation.REPEATED_ERRORS for generation in GENERATIONS])
_WORDS_LINES = 8
"""The Hub's own words follow a failed job within so many lines."""
_OTHER_WORDS = ("Failed to ", "Hint: ", "Traceback ", "The above exception ")
_UNEXPLAINED = "Error while uploading"


def is_unexplained(message: str) -> bool:
    """Whether a failure of the CLI is an upload of content, of which it does not say what the Hub answered."""
    return _UNEXPLAINED in message


def starts_failure(line: str) -> bool:
    """Whether a line of the CLI's output says that something failed, so that it is going to repeat itself."""
    return _REPEATS.search(line) is not None


def holds_failure(output: bytes) -> bool:
    """Whether a block of raw output has such a line in it: a quick test, before it is split into lines."""
    return _REPEATS_BYTES.search(output) is not None


def diagnose(lines: list[str]) -> Failure | None:
    """What the CLI's last lines of output say went wrong; None if they name no error.

    The first line by which it repeats itself counts, else the last one with an HTTP error (the end of a traceback).
    """
    start = next((index for index, line in enumerate(lines) if starts_failure(line)), None)
    if start is None:
        start = next((index for index in reversed(range(len(lines))) if _ERRORS.search(lines[index])), None)
    if start is None:
        return None
    more = takewhile(lambda line: not line.startswith(_OTHER_WORDS), lines[start + 1 : start + _WORDS_LINES])
    words = [lines[start].strip(), *filter(None, map(str.strip, more))]
    text = "\n".join(words)
    kind = _kind_of_words(text)
    return Failure(
        kind, " ".join(words)[:600] + advice(text), retry_after_of_words(text) if kind is Kind.QUOTA else None
    )


def _kind_of_words(text: str) -> Kind:
    if status := _ERRORS.search(text) or _REPEATED_ERRORS.search(text):
        return kind_of(int(next(filter(None, status.groups()), 400)), text)
    return Kind.PERMANENT if any(words in text for words in _LOCAL_TROUBLE) else Kind.TRANSIENT
