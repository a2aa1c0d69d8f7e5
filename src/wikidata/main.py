"""The `wikidata` command: arguments in, exit code out.

`wikidata.commands` is imported when a command runs: the watcher, of which five start at once, needs none of it.
"""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from wikidata.config import Table
from wikidata.errors import Exit, PushError, TablesFailedError, UploadFailedError


class TerminatedError(KeyboardInterrupt):
    """SIGTERM or SIGHUP came."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code. The only place that decides it."""
    options = _parser().parse_args(arguments)
    if options.command == "watch":
        return _watch(options)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _terminate)
    try:
        from wikidata import commands

        return int(getattr(commands, options.command)(options))
    except PushError as error:
        return report(error)
    except KeyboardInterrupt as error:
        _leave(Exit.TERMINATED if isinstance(error, TerminatedError) else Exit.INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return Exit.FAILED


def report(error: PushError) -> Exit:
    """Say on standard error what failed, one line each with the end of the CLI's log below; returns the exit code."""
    for each in error.errors if isinstance(error, TablesFailedError) else (error,):
        print(f"wikidata: {each}", file=sys.stderr)
        if isinstance(each, UploadFailedError):
            for line in each.tail:
                print(f"    {line}", file=sys.stderr)
    return error.exit_code


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
    for command in (push, status, verify):
        command.add_argument("--chunk", type=_chunk, metavar="N", help="this chunk only")
    for command in (push, verify):
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
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is no chunk number, such as 3")
    return int(text)


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise TerminatedError


def _leave(code: Exit) -> None:
    """Exit at once: threads that wait for the Hub must not hold up somebody who pressed Ctrl-C."""
    print("wikidata: interrupted: nothing is lost, push again to go on", file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
