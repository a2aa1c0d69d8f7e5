"""The `wikidata` command: arguments in, exit code out.

`wikidata.commands` is imported when a command runs: the watcher, of which five start at once, needs none of it.
"""

import argparse
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import NoReturn

from wikidata.config import Settings, Table
from wikidata.errors import Exit, PushError, TablesFailedError, UploadFailedError
from wikidata.files import make_private_folder, write_atomically
from wikidata.secrets import Redactor


class TerminatedError(KeyboardInterrupt):
    """SIGTERM or SIGHUP came."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code. The only place that decides it."""
    options = _parser().parse_args(arguments)
    if options.command == "watch":
        return _watch(options)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _terminate)
    on_interrupt = signal.getsignal(signal.SIGINT)
    try:
        from wikidata import commands

        signal.signal(signal.SIGINT, on_interrupt)  # importing polars 2.1 takes it away from Python
        return int(getattr(commands, options.command)(options))
    except PushError as error:
        return report(error)
    except KeyboardInterrupt as error:
        _leave(Exit.TERMINATED if isinstance(error, TerminatedError) else Exit.INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.FAILED
    except Exception as bug:
        return _report_bug(bug)


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
        if isinstance(each, UploadFailedError):
            lines += [f"    {line}" for line in each.tail]
    return lines


def _report_bug(bug: Exception) -> Exit:
    """Put the traceback into the log folder, or on standard error where that cannot be written."""
    trace = Redactor()("".join(traceback.format_exception(bug)).encode())
    try:
        log = Settings.from_environment().log_dir / f"bug-{datetime.now(UTC):%Y%m%dT%H%M%S}.log"
        write_atomically(make_private_folder(log.parent) / log.name, trace)
        where = f"the traceback is in {log}"
    except PushError:
        sys.stderr.buffer.write(trace)
        where = "the traceback stands above"
    print(f"wikidata: a bug, {type(bug).__name__}: {where}: please report it", file=sys.stderr)
    return Exit.BUG


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="wikidata",
        description="Publish complete chunks of Wikidata to the Hugging Face Hub. "
        "Folders and limits come from the environment; the Makefile lists them.",
        epilog="exit codes: 0 done or nothing to do, 1 refused or failed, 2 usage, 3 a bug, 75 try again later",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    push = commands.add_parser("push", help="push one chunk, or every chunk that is complete and not yet pushed")
    push.add_argument("--dry-run", action="store_true", help="tell what would be uploaded; change nothing (DRY_RUN=1)")
    push.add_argument("--quiet", action="store_true", help="print nothing where all goes well (QUIET=1)")
    status = commands.add_parser("status", help="show how far each chunk is")
    verify = commands.add_parser("verify", help="compare the Hub with the manifests; change nothing")
    prune = commands.add_parser("prune", help="list the files of a chunk on the Hub that are no longer made")
    prune.add_argument("--yes", action="store_true", help="delete them, in one commit for each table (YES=1)")
    card = commands.add_parser("card", help="print the dataset card that the next push would publish")
    card.add_argument("--open", action="store_true", help="open it as a page instead (OPEN=1)")
    for command in (push, status, verify, prune):
        command.add_argument("--chunk", type=_chunk, metavar="N", help="this chunk only")
    for command in (push, verify, prune, card):
        command.add_argument("--table", type=Table, choices=list(Table), metavar="TABLE", help="this table only")
    _add_watch(commands.add_parser("watch", help="run the upload CLI under the watcher, like timeout or nice"))
    return parser


def _add_watch(watch: argparse.ArgumentParser) -> None:
    watch.add_argument("--log", type=Path, required=True, help="file for the whole output of the program")
    watch.add_argument("--folder", type=Path, required=True, help="the folder that it uploads")
    watch.add_argument("--stall-minutes", type=float, default=10.0, help="end it when nothing advances for so long")
    watch.add_argument("--timeout-hours", type=float, default=24.0, help="end it after so long in any case")
    watch.add_argument("--lifeline", action="store_true", help="end it when standard input closes")
    watch.add_argument("program", nargs="+", metavar="-- PROGRAM", help="the program and its arguments")


def _watch(options: argparse.Namespace) -> int:
    from wikidata.watch import Limits, run

    limits = Limits(options.stall_minutes * 60, options.timeout_hours * 3600)
    return run(options.program, options.log, options.folder, limits, options.lifeline)


def _chunk(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise argparse.ArgumentTypeError(f"{text!r} is no chunk number, such as 3")
    return int(text)


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise TerminatedError


def _leave(code: Exit) -> NoReturn:
    """Exit at once: threads that wait for the Hub must not hold up somebody who pressed Ctrl-C."""
    print("wikidata: interrupted: nothing is lost, push again to go on", file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
