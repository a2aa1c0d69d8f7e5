"""The `wikidata` command: arguments in, exit code out.

A command is imported when it runs: the watcher, of which five start at once, needs none of the others.
"""

import argparse
import io
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from types import FrameType
from typing import NoReturn

from wikidata.commands import watch
from wikidata.config import ALLOCATOR, Selection, Settings, Table
from wikidata.errors import Exit, PushError
from wikidata.report.failures import report, report_bug


class TerminatedError(KeyboardInterrupt):
    """SIGTERM or SIGHUP came."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code. The only place that decides it."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # what the user's encoding lacks must not end a push
    options = _parser().parse_args(arguments)
    os.environ.update(ALLOCATOR | os.environ)
    if options.command == "watch":
        return watch.run(options)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _terminate)
    on_interrupt = signal.getsignal(signal.SIGINT)
    try:
        settings = Settings.from_environment(os.environ | options.given)
        command = import_module(f"wikidata.commands.{options.command}")
        signal.signal(signal.SIGINT, on_interrupt)  # importing polars 2.1 takes it away from Python
        try:
            return int(command.run(settings, Selection(options.chunk, options.table)))
        except PushError:
            raise
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return Exit.FAILED
        except Exception as bug:
            return report_bug(bug, settings.log_dir)
    except PushError as error:
        return report(error)
    except KeyboardInterrupt as error:
        _leave(Exit.TERMINATED if isinstance(error, TerminatedError) else Exit.INTERRUPTED)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="wikidata",
        description="Publish complete chunks of Wikidata to the Hugging Face Hub. "
        "Folders and limits come from the environment; `make` lists them.",
        epilog="exit codes: 0 done or nothing to do, 1 refused or failed, 2 usage, 3 a bug, 75 try again later",
    )
    parser.set_defaults(chunk=None, table=None, given={})
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    push = commands.add_parser("push", help="push one chunk, or every chunk that is complete and not yet pushed")
    fold = commands.add_parser("fold", help="put the files of consecutive chunks together, once all are pushed")
    submit = commands.add_parser(
        "submit", help="let Slurm push what is due, a task for each chunk, and fold afterwards"
    )
    for command in (push, fold, submit):
        _add_setting(command, "--dry-run", "DRY_RUN", "tell what would be done; change nothing")
        _add_setting(command, "--quiet", "QUIET", "print nothing if all goes well")
    status = commands.add_parser("status", help="show how far the publication is, and what needs attention")
    _add_setting(status, "--all", "ALL", "list every chunk")
    _add_setting(status, "--json", "JSON", "print JSON, for scripts")
    commands.add_parser("page", help="write the same as a page to look at, to PAGE or wikidata.html")
    verify = commands.add_parser("verify", help="compare the repos, or a copy, with their manifests; change nothing")
    sync = commands.add_parser("sync", help="make the manifests here those of the repos; what a new box runs first")
    prune = commands.add_parser("prune", help="list the files of a chunk on the Hub that are no longer produced")
    _add_setting(prune, "--yes", "YES", "delete them, in one commit for each table")
    card = commands.add_parser("card", help="print the dataset card that the next push would publish")
    commands.add_parser("later", help="print the seconds until a push that ended with 75 may be tried again")
    for command in (push, submit, status, verify, prune):
        command.add_argument("--chunk", type=_chunk, metavar="N", help="this chunk only")
    for command in (push, fold, submit, verify, sync, prune, card):
        command.add_argument("--table", type=_table, metavar="TABLE", help="this table only")
    watch.add_arguments(commands.add_parser("watch", help="run the upload CLI under the watcher, like timeout or nice"))
    return parser


def _add_setting(parser: argparse.ArgumentParser, option: str, name: str, help_text: str) -> None:
    """An option that stands for a setting: from here on only the setting is read."""
    help_text = f"{help_text} ({name}=1)"
    parser.add_argument(
        option, dest="given", action=_Given, const=name, nargs=0, default=argparse.SUPPRESS, help=help_text
    )


class _Given(argparse.Action):
    def __call__(self, _parser: object, options: argparse.Namespace, *_: object) -> None:
        options.given = {**getattr(options, "given", {}), str(self.const): "1"}


def _chunk(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise argparse.ArgumentTypeError(f"{text!r} is not a chunk number, such as 3")
    return int(text)


def _table(text: str) -> Table:
    if text not in list(Table):
        raise argparse.ArgumentTypeError(f"{text!r} is not a table: give one of {', '.join(Table)}")
    return Table.named(text)


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise TerminatedError


def _leave(code: Exit) -> NoReturn:
    """Exit at once: threads that wait for the Hub must not hold up somebody who pressed Ctrl-C."""
    print("wikidata: interrupted: nothing is lost, push again to go on", file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
