"""`wikidata fold`: fold every block that is due, or with DRY_RUN=1 only tell which."""

from collections.abc import Iterator

import polars as pl

from wikidata.commands.attended import attend
from wikidata.config import Selection, Settings, Table, target_repos
from wikidata.errors import Exit, NotYetError, PushError, StateError
from wikidata.names import Block
from wikidata.records.folds import due_folds
from wikidata.records.lock import hold_this_host
from wikidata.report.failures import report
from wikidata.report.terminal import Terminal
from wikidata.report.words import readable_bytes, table_of
from wikidata.state import get_all_state

Due = dict[Table, list[Block]]


def run(settings: Settings, chosen: Selection) -> Exit:
    """Fold; if nothing is due, nothing is asked."""
    if settings.dry_run:
        return _dry_run(settings, chosen)
    return attend(settings, lambda terminal: _failures(settings, chosen, terminal), is_by_hand=False)


def _due(settings: Settings, chosen: Selection) -> tuple[pl.DataFrame, Due]:
    state = get_all_state(settings.state_dir)
    tables = [chosen.table] if chosen.table else list(Table)
    due = {table: due_folds(state, settings.manifest_dir, table, settings.fold) for table in tables}
    return state, {table: blocks for table, blocks in due.items() if blocks}


def _failures(settings: Settings, chosen: Selection, terminal: Terminal) -> Iterator[PushError]:
    try:
        state, due = _due(settings, chosen)
    except StateError as error:
        yield error
        return
    if not due:
        return
    from wikidata.fold import fold
    from wikidata.session import Session

    repos = target_repos(settings.hf_user)
    blocks = sorted({block for of_table in due.values() for block in of_table})
    try:
        with (
            hold_this_host(settings.manifest_dir) as begin,
            Session(settings, {table: repos[table] for table in due}, terminal) as session,
        ):
            terminal.agenda({f"fold of {block}": len(block.chunks) for block in blocks}, list(due))
            for block in blocks:
                one = session.taking_up(f"fold of {block}")
                try:
                    begin(f"fold of {block}")
                    fold(one, state, block, [table for table in due if block in due[table]])
                except PushError as error:
                    yield error
                    if isinstance(error, NotYetError):
                        return
                finally:
                    one.listener.puts_down()
    except PushError as error:
        yield error


def _dry_run(settings: Settings, chosen: Selection) -> Exit:
    _, due = _due(settings, chosen)
    if not due:
        return Exit.OK
    from wikidata.fold import preview
    from wikidata.session import Session

    repos = target_repos(settings.hf_user)
    try:
        with Session(settings, {table: repos[table] for table in due}, Terminal(quiet=settings.quiet)) as session:
            rows = [
                (str(each.block), table.value, each.before, each.after, readable_bytes(each.size_bytes), repos[table])
                for table, previews in preview(session, due).items()
                for each in previews
            ]
    except PushError as error:
        return report(error)
    print(table_of(rows, ("block", "table", "files now", "files then", "to fold", "repo")))
    return Exit.OK
