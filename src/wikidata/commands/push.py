"""`wikidata push`: one chunk, or every due one, lowest first; each is attempted, and the worst exit code wins.

`wikidata.push`, which loads huggingface_hub, is imported only if there is something to push: a tick of cron with
nothing to do costs little more than polars.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import polars as pl

from wikidata.commands.attended import attend, refresh_page
from wikidata.config import Selection, Settings, Table
from wikidata.errors import ChunkIncompleteError, Exit, PushError, StateError, TryLaterError, worst
from wikidata.records.failures import forget_failures, record_failure
from wikidata.records.notices import card_subject, due
from wikidata.report.failures import report
from wikidata.report.terminal import Terminal
from wikidata.report.words import readable_bytes, table_of
from wikidata.state import due_chunks, get_all_state, stuck_chunks, summarize

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
    from wikidata.push import push, push_waiting_cards
    from wikidata.session import Session

    with Session(settings, chosen.repos(settings), terminal) as session:
        parts = dict(summarize(state).select("chunk", "parts").iter_rows())
        terminal.agenda({f"chunk {chunk}": parts.get(chunk, 0) for chunk in chunks}, session.repos)
        for chunk in chunks:
            terminal.takes_up(f"chunk {chunk}")
            refresh_page(settings)
            try:
                push(session, state, chunk, if_due=chosen.chunk is None)
                forget_failures(settings.manifest_dir, chunk)
            except PushError as error:
                if not isinstance(error, TryLaterError | ChunkIncompleteError):
                    record_failure(settings.manifest_dir, chunk, error)
                yield error
                if isinstance(error, TryLaterError):
                    return
        if has_cards:
            try:
                push_waiting_cards(session, state)
            except PushError as error:
                yield error


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
