"""What a failure reads like, on standard error and for a monitoring service."""

import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path

from wikidata.errors import Exit, PushError, TablesFailedError, UploadError
from wikidata.system.files import make_private_folder, write_atomically
from wikidata.system.secrets import Redactor


def report(error: PushError) -> Exit:
    """Say on standard error what failed; returns the exit code."""
    for line in describe(error):
        print(line, file=sys.stderr)
    return error.exit_code


def describe(error: PushError) -> list[str]:
    """What failed, one line each, with the end of the CLI's log below."""
    lines = []
    for each in error.errors if isinstance(error, TablesFailedError) else (error,):
        lines.append(f"wikidata: {each}")
        if isinstance(each, UploadError):
            lines += [f"    {line}" for line in each.tail]
    return lines


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
