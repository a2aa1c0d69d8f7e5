"""What a failure reads like, on standard error and for a monitoring service: a paragraph, without the CLI's banner."""

import re
import sys
import traceback
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from wikidata.errors import Exit, PushError, TablesFailedError, UploadError, UploadUnfinishedError
from wikidata.system.files import make_private_folder, write_atomically
from wikidata.system.secrets import Redactor
from wikidata.tables import Table

_TAIL_LINES = 6
"""So much of the CLI's output is shown if it died without naming an error; all of it is in the log."""
_MOST_LINES = 12
_COLOUR, _RESET = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]"), "\x1b[0m"
_NOISE = re.compile(
    r"\s*\(Request ID: [^)]*\)|\s*Cannot access content at: \S+| for url: \S+"
    r"|\.+(?: Make sure your token has the correct permissions\.)?(?=: the token is fine)"
)
_OF_A_TABLE = re.compile(rf"\b(?:{'|'.join(Table)})\b|https?://\S+")
"""What differs in the same failure of two tables."""


def report(error: PushError) -> Exit:
    """Say on standard error what failed; returns the exit code."""
    for line in describe(error):
        print(line, file=sys.stderr)
    return error.exit_code


def describe(error: PushError) -> list[str]:
    """A paragraph of at most 12 lines: what failed, in the Hub's own words; then what is lacking, the log, what to do.

    What is the same for several tables is said once, with the details of the first.
    """
    groups: dict[str, list[PushError]] = {}
    for each in error.errors if isinstance(error, TablesFailedError) else (error,):
        groups.setdefault(_OF_A_TABLE.sub("", _headline(each)), []).append(each)
    lines = [line for group in groups.values() for line in _lines(group, is_alone=len(groups) == 1)]
    return lines[:_MOST_LINES]


def _lines(group: Sequence[PushError], *, is_alone: bool) -> Iterator[str]:
    first, words = group[0], _headline(group[0]).partition(": ")[2]
    yield f"wikidata: {', '.join(_headline(each).partition(': ')[0] for each in group)}{': ' if words else ''}{words}"
    if not is_alone:
        yield from (f"    {detail}" for detail in first.details[-1:])
        return
    tail = _plain(first.tail) if isinstance(first, UploadError) else []
    if not any(words.startswith(_NOISE.sub("", line)) for line in tail):  # the CLI named no error
        yield from (f"    {line}" for line in tail[-_TAIL_LINES:])
    yield from (f"    {detail}" for detail in first.details)
    if len(group) > 1 and first.details:
        yield "    and the like for the others, in their own logs beside it"
    if isinstance(first, UploadError):
        what = "wait for the next push" if isinstance(first, UploadUnfinishedError) else "mend that, and push again"
        yield f"    next: {what}: only what is missing is sent"


def _headline(error: PushError) -> str:
    """What failed, without its details."""
    return _COLOUR.sub("", _NOISE.sub("", str(error.args[0]) if error.args else ""))


def _plain(tail: Sequence[str]) -> list[str]:
    """The CLI's last lines without its banner, which is what it writes in colour, and without empty ones."""
    after = next((index + 1 for index in reversed(range(len(tail))) if tail[index].endswith(_RESET)), 0)
    return [line for each in tail[after:] if (line := _COLOUR.sub("", each)).strip()]


def report_bug(bug: Exception, log_dir: Path) -> Exit:
    """Write the traceback into the log folder, or to standard error if that is impossible."""
    trace = Redactor()("".join(traceback.format_exception(bug)).encode())
    try:
        log = log_dir / f"bug-{datetime.now(UTC):%Y%m%dT%H%M%S}.log"
        write_atomically(make_private_folder(log.parent) / log.name, trace)
        where = f"the traceback is in {log}"
    except PushError:
        sys.stderr.buffer.write(trace)
        where = "the traceback stands above"
    print(f"wikidata: a bug, {type(bug).__name__}: {where}: please report it", file=sys.stderr)
    return Exit.BUG
