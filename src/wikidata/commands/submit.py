"""`wikidata submit`: let Slurm push what is due, a task for each chunk, and fold afterwards."""

import shlex
from collections.abc import Iterator
from contextlib import nullcontext

import polars as pl

from wikidata.commands.attended import attend
from wikidata.config import Selection, Settings, Table
from wikidata.errors import Exit, PushError
from wikidata.names import TASK_LOGS
from wikidata.records.folds import due_folds
from wikidata.records.lock import hold_submission
from wikidata.report.summary import numbers
from wikidata.slurm.jobs import fold_line, push_line, submit, tasks_of
from wikidata.state import due_chunks, get_all_state, require_pushable, stuck_chunks
from wikidata.system.files import make_private_folder


def run(settings: Settings, chosen: Selection) -> Exit:
    """Submit the chosen chunk, or every due one, unless it is queued or running; with DRY_RUN=1 print the commands."""
    return attend(settings, lambda _: _failures(settings, chosen), is_by_hand=chosen.chunk is not None)


def _failures(settings: Settings, chosen: Selection) -> Iterator[PushError]:
    try:
        state = get_all_state(settings.state_dir)
        if chosen.chunk is None:
            yield from stuck_chunks(state, settings.state_dir)
            wanted = due_chunks(state)
        else:
            require_pushable(state, chosen.chunk)
            wanted = [chosen.chunk]
        if wanted or _is_fold_due(settings, state, chosen.table):
            with nullcontext() if settings.dry_run else hold_submission(settings.manifest_dir):
                _submit(settings, wanted, chosen.table)
        elif not settings.quiet:
            print("nothing is due")
    except PushError as error:
        yield error


def _is_fold_due(settings: Settings, state: pl.DataFrame, table: Table | None) -> bool:
    tables = [table] if table else list(Table)
    return any(due_folds(state, settings.manifest_dir, each, settings.fold) for each in tables)


def _submit(settings: Settings, wanted: list[int], table: Table | None) -> None:
    """Submit what is wanted and not there already. A fold follows each array; alone it is if nothing else is there."""
    tasks = tasks_of(settings)
    there = {task.chunk for task in tasks if task.table in (None, table)}
    chunks = [chunk for chunk in wanted if chunk not in there]
    if len(chunks) < len(wanted):
        _say(settings, f"queued or running already: {numbers(set(wanted) - set(chunks))}")
    job = None
    if chunks:
        job = _send(settings, push_line(settings, chunks, table), numbers(chunks))
    if settings.fold and (chunks or not tasks):
        _send(settings, fold_line(settings, job, table), "fold" if job is None else f"fold, after job {job}")


def _send(settings: Settings, line: list[str], what: str) -> str:
    """Submit a job, or print how with DRY_RUN=1; returns its number."""
    if settings.dry_run:
        print(shlex.join(line))
        return "JOB"
    make_private_folder(settings.log_dir / TASK_LOGS)
    job = submit(line)
    _say(settings, f"job {job}: {what}; logs in {settings.log_dir / TASK_LOGS}")
    return job


def _say(settings: Settings, words: str) -> None:
    if not settings.quiet and not settings.dry_run:
        print(words)
