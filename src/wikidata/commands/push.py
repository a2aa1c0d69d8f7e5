"""`wikidata push`: one chunk, or every due one, lowest first; each is attempted, and the worst exit code wins.

`wikidata.push`, which loads huggingface_hub, is imported only if there is something to push: a tick of cron with
nothing to do costs little more than polars.
"""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack
from threading import Event
from typing import TYPE_CHECKING

import polars as pl

from wikidata.commands.attended import attend, refresh_page
from wikidata.config import Selection, Settings, Table
from wikidata.errors import (
    ChunkIncompleteError,
    Exit,
    LockedError,
    PushError,
    StateError,
    TryLaterError,
    worst,
)
from wikidata.records.failures import forget_failures, record_failure
from wikidata.records.lock import hold_this_host
from wikidata.records.not_before import refusal_now
from wikidata.records.notices import card_subject, due
from wikidata.report.failures import report
from wikidata.report.terminal import Terminal
from wikidata.report.words import readable_bytes, table_of
from wikidata.state import due_chunks, get_all_state, require_pushable, stuck_chunks, summarize
from wikidata.upload.finder import ask_ahead

if TYPE_CHECKING:
    from wikidata.session import Session


def run(settings: Settings, chosen: Selection) -> Exit:
    """Push, or with DRY_RUN=1 only tell what would be uploaded."""
    if settings.dry_run:
        return _dry_run(settings, chosen)
    is_by_hand = chosen.chunk is not None
    return attend(settings, lambda terminal: _failures(settings, chosen, terminal), is_by_hand=is_by_hand)


def _failures(settings: Settings, chosen: Selection, terminal: Terminal) -> Iterator[PushError]:
    """Push each chunk, and yield what failed as it fails."""
    try:
        state = get_all_state(settings.state_dir)
    except StateError as error:
        yield error
        return
    if chosen.chunk is None:
        yield from stuck_chunks(state, settings.state_dir)
    chunks = [chosen.chunk] if chosen.chunk is not None else due_chunks(state)
    has_cards = chosen.chunk is None and any(due(settings.manifest_dir, map(card_subject, Table)))
    if not chunks and not has_cards:
        return
    try:
        with ExitStack() as stack:
            begin = stack.enter_context(hold_this_host(settings.manifest_dir)) if chosen.chunk is None else None
            if chosen.chunk is not None:
                require_pushable(state, chosen.chunk)
            if chunks and refusal_now(settings.manifest_dir) is None:
                ask_ahead(settings.uploader, settings.manifest_dir)  # while all else is imported
            from wikidata.push import push_waiting_cards
            from wikidata.session import Session

            session = stack.enter_context(Session(settings, chosen.repos(settings), terminal))
            parts = dict(summarize(state).select("chunk", "parts").iter_rows())
            terminal.agenda({f"chunk {chunk}": parts.get(chunk, 0) for chunk in chunks}, session.repos)
            is_over = yield from _push_all(session, state, chunks, begin)
            if has_cards and not is_over:
                push_waiting_cards(session, state)
    except PushError as error:
        yield error


def _push_all(
    session: "Session", state: pl.DataFrame, chunks: Sequence[int], begin: Callable[[str], None] | None
) -> Generator[PushError, None, bool]:
    """Push chunks, `CHUNKS_AT_ONCE` at a time; returns whether the Hub is to be left alone for now.

    `begin` is told of each; if it is None, the chunk was named by a person, and is pushed also if it is not due. One
    that somebody else is at work on is left to them, which is no failure if there was another one to push.
    """
    from wikidata.push import push

    settings, is_over = session.settings, Event()

    def attempt(chunk: int) -> PushError | None:
        if is_over.is_set():
            return None
        ours = session.taking_up(f"chunk {chunk}")
        refresh_page(settings)
        try:
            if begin:
                begin(f"chunk {chunk}")
            push(ours, state, chunk, if_due=begin is not None)
            forget_failures(settings.manifest_dir, chunk)
        except PushError as error:
            if isinstance(error, TryLaterError) and not isinstance(error, LockedError):
                is_over.set()
            elif not isinstance(error, LockedError | ChunkIncompleteError):
                record_failure(settings.manifest_dir, chunk, error)
            return error
        finally:
            ours.listener.puts_down()
        return None

    left: dict[int, LockedError] = {}
    for chunk, attempted in session.at_once(settings.chunks_at_once, attempt, chunks):
        error = attempted.result()
        if isinstance(error, LockedError):
            left[chunk] = error
        elif error:
            yield error
    yield from _left(session, left, are_all=len(left) == len(chunks))
    return is_over.is_set()


def _left(session: "Session", left: Mapping[int, LockedError], *, are_all: bool) -> Iterator[LockedError]:
    """Tell of the chunks that were left to others; as a failure only if they are all, or for too long."""
    longest = sorted(left.values(), key=lambda error: error.held_seconds)[-1:]
    if are_all:
        yield from longest
        return
    for chunk, error in left.items():
        session.listener.left(chunk, str(error))
    yield from (error for error in longest if error.held_seconds > session.settings.lock_stale_hours * 3600)


def _dry_run(settings: Settings, chosen: Selection) -> Exit:
    state = get_all_state(settings.state_dir)
    chunks = [chosen.chunk] if chosen.chunk is not None else due_chunks(state)
    if not chunks:
        return Exit.OK
    from wikidata.session import Session

    codes = []
    with Session(settings, chosen.repos(settings), Terminal(quiet=settings.quiet)) as session:
        for chunk in chunks:
            try:
                _print_preview(session, state, chunk)
            except PushError as error:
                codes.append(report(error))
    return worst(codes)


def _print_preview(session: "Session", state: pl.DataFrame, chunk: int) -> None:
    from wikidata.push import preview

    rows = [
        (
            str(chunk),
            table.value,
            plan.manifest.files.height,
            plan.missing.height,
            readable_bytes(int(plan.missing["size_bytes"].sum())),
            plan.repo_id + ("" if plan.snapshot.revision else " (to be created)"),
        )
        for table, plan in preview(session, state, chunk).items()
    ]
    print(table_of(rows, ("chunk", "table", "files", "to upload", "bytes", "repo")))
