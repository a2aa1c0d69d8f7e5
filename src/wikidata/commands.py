"""What the `wikidata` command does: one function for each subcommand, which returns the exit code.

`wikidata.push`, which loads huggingface_hub, is imported only where there is something to push: a tick of cron with
nothing to do costs little more than polars.
"""

import argparse
import sys
import webbrowser
from collections.abc import Iterator
from typing import TYPE_CHECKING

import polars as pl

from wikidata.config import Settings, target_repos
from wikidata.errors import Exit, LockedError, PushError, StateError, TryLaterError, UsageError, worst
from wikidata.files import make_private_folder, write_atomically
from wikidata.main import describe, report
from wikidata.ping import Ping
from wikidata.receipt import is_recorded
from wikidata.state import UNREADABLE, Step, due_chunks, get_all_state, stuck_chunks, summarize

if TYPE_CHECKING:
    from wikidata.session import Session
    from wikidata.terminal import Terminal


def push(options: argparse.Namespace) -> Exit:
    """Push one chunk, or every due one, lowest first; each is attempted, and the worst exit code wins.

    A tick of cron (no chunk named, no terminal) that finds another push at work, or a quota used up, says nothing.
    """
    settings = Settings.from_environment()
    if options.dry_run or settings.dry_run:
        return _dry_run(options, settings)
    ping = Ping(settings.ping_url, warn=lambda line: print(line, file=sys.stderr))
    ping.start()
    is_tick = options.chunk is None and not sys.stderr.isatty()
    codes, told = [], []
    for error in _failures(options, settings):
        codes.append(error.exit_code)
        if not (is_tick and _is_quiet(error, settings)):
            report(error)
            told += describe(error)
    if told:
        ping.fail(told)
    elif not codes:
        ping.success()
    return worst(codes)


def _failures(options: argparse.Namespace, settings: Settings) -> Iterator[PushError]:
    """Push each chunk, and yield what failed as it fails."""
    try:
        state = get_all_state(settings.state_dir)
    except StateError as error:
        yield error
        return
    if options.chunk is None:
        yield from stuck_chunks(state, settings.state_dir)
    chunks = _chosen_or_due(options, state)
    if not chunks:
        return
    from wikidata.push import push

    session, terminal = _session(options, settings)
    for chunk in chunks:
        try:
            push(session, chunk, if_due=options.chunk is None)
        except PushError as error:
            terminal.finish()
            yield error
            if isinstance(error, TryLaterError):
                return


def _is_quiet(error: PushError, settings: Settings) -> bool:
    """Whether a tick need not tell: somebody else is at work, though not for too long, or it is not yet time."""
    if isinstance(error, LockedError):
        return error.held_seconds <= settings.lock_stale_hours * 3600
    return isinstance(error, TryLaterError)


def _dry_run(options: argparse.Namespace, settings: Settings) -> Exit:
    codes = []
    chunks = _chosen_or_due(options, get_all_state(settings.state_dir))
    if chunks:
        session, _ = _session(options, settings)
    for chunk in chunks:
        try:
            _print_preview(session, chunk)
        except PushError as error:
            codes.append(report(error))
    return worst(codes)


def _chosen_or_due(options: argparse.Namespace, state: pl.DataFrame) -> list[int]:
    return due_chunks(state) if options.chunk is None else [options.chunk]


def verify(options: argparse.Namespace) -> Exit:
    """Compare the Hub with the written manifests of a chunk, or of every chunk that has receipts."""
    from wikidata.publish import recorded_chunks
    from wikidata.upkeep import verify

    settings = Settings.from_environment()
    session, _ = _session(options, settings)
    codes = []
    for chunk in [options.chunk] if options.chunk is not None else recorded_chunks(settings.manifest_dir):
        try:
            for table, (manifest, missing, strays) in verify(session, chunk).items():
                problems = []
                if missing.height:
                    again = f"make push CHUNK={chunk} TABLE={table}"
                    problems.append(f"{missing.height} are missing or different, such as {missing['path'][0]}: {again}")
                if strays:
                    remove = f"make prune CHUNK={chunk} TABLE={table}"
                    problems.append(f"{len(strays)} more are no longer made, such as {strays[0]}: {remove}")
                codes.append(Exit.FAILED if problems else Exit.OK)
                where = f"chunk {chunk} {table}: {manifest.files.height} files in {session.repos[table]}"
                print(f"{where}: {'; '.join(problems) or 'all there'}")
        except PushError as error:
            codes.append(report(error))
    return worst(codes)


def prune(options: argparse.Namespace) -> Exit:
    """List the files of a chunk on the Hub that are no longer made; delete them if told so."""
    if options.chunk is None:
        raise UsageError("prune: of which chunk? make prune CHUNK=3 TABLE=labels, or wikidata prune --chunk 3")
    from wikidata.upkeep import prune

    settings = Settings.from_environment()
    session, _ = _session(options, settings)
    delete = options.yes or settings.yes
    for table, strays in prune(session, options.chunk, delete).items():
        for path in strays:
            print(f"{session.repos[table]}/{path}")
        where = f"chunk {options.chunk} {table}: {len(strays)} files that are no longer made"
        print(f"{where}{': deleted' if delete and strays else ': set YES=1 to delete them' if strays else ''}")
    return Exit.OK


def status(options: argparse.Namespace) -> Exit:
    """Print a line for each chunk, and totals."""
    from wikidata.terminal import table_of

    settings = Settings.from_environment()
    summary = summarize(get_all_state(settings.state_dir))
    if options.chunk is not None:
        summary = summary.filter(pl.col("chunk") == options.chunk)
    if summary.is_empty():
        which = "state files" if options.chunk is None else f"state files of chunk {options.chunk}"
        raise StateError(f"state: there are no {which} in {settings.state_dir}: is STATE_DIR right?")
    repos = target_repos(settings.hf_user)
    rows, tables = [], 0
    for chunk in summary.iter_rows(named=True):
        pushed = [t for t, repo_id in repos.items() if is_recorded(settings.manifest_dir, chunk["chunk"], t, repo_id)]
        tables += len(pushed)
        parts = f"{chunk['files']} of {chunk['parts'] or 'contradictory'}"
        rows.append((str(chunk["chunk"]), parts, _steps(chunk), _word(chunk), ", ".join(pushed) or "-"))
    print(table_of(rows, ("chunk", "parts", "steps", "state", "tables on the Hub")))
    pushed_chunks = summary.filter(pl.col("complete") & ~pl.col("due")).height
    print(
        f"total: {summary.height} chunks, {summary['files'].sum()} parts; {int(summary['complete'].sum())} complete, "
        f"{int(summary['due'].sum())} to push, {pushed_chunks} pushed; {tables} tables on the Hub"
    )
    return Exit.OK


def card(options: argparse.Namespace) -> Exit:
    """Print the card that the next push would publish; with OPEN=1, open it as a page."""
    if options.table is None:
        raise UsageError("card: of which table? make card TABLE=labels, or wikidata card --table labels")
    from wikidata.page import make_page
    from wikidata.publish import preview_card

    settings = Settings.from_environment()
    session, _ = _session(options, settings)
    text = preview_card(session, options.table, get_all_state(settings.state_dir))
    if not (options.open or settings.open):
        print(text, end="")
        return Exit.OK
    page = make_private_folder(settings.log_dir) / f"card-{options.table}.html"
    write_atomically(page, make_page(text).encode())
    print(page)
    webbrowser.open(page.as_uri())
    return Exit.OK


def _session(options: argparse.Namespace, settings: Settings) -> "tuple[Session, Terminal]":
    from wikidata.session import Session
    from wikidata.terminal import Terminal

    repos = target_repos(settings.hf_user)
    chosen = {options.table: repos[options.table]} if options.table else repos
    terminal = Terminal(quiet=settings.quiet or getattr(options, "quiet", False))
    return Session(settings, chosen, terminal), terminal


def _print_preview(session: "Session", chunk: int) -> None:
    from wikidata.push import preview
    from wikidata.terminal import readable_bytes, table_of

    rows = [
        (
            str(chunk),
            table.value,
            plan.manifest.files.height,
            plan.missing.height,
            readable_bytes(int(plan.missing["size_bytes"].sum())),
            plan.repo_id + ("" if plan.look.revision else " (to be created)"),
        )
        for table, plan in preview(session, chunk).items()
    ]
    print(table_of(rows, ("chunk", "table", "files", "to upload", "bytes", "repo")))


def _steps(chunk: dict[str, int]) -> str:
    """The lowest and the highest step of a chunk's files."""
    low, high = (
        "unreadable" if step == UNREADABLE else Step(step).name for step in (chunk["min_step"], chunk["max_step"])
    )
    return low if low == high else f"{low} to {high}"


def _word(chunk: dict[str, object]) -> str:
    if chunk["due"]:
        return "to push"
    return "pushed" if chunk["complete"] else "incomplete"
