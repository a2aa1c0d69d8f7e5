"""`wikidata status`: a line for each chunk, and totals."""

import polars as pl

from wikidata.config import Selection, Settings, target_repos
from wikidata.errors import Exit, StateError
from wikidata.records.receipt import is_recorded
from wikidata.report.words import table_of
from wikidata.state import UNREADABLE, Step, get_all_state, summarize


def run(settings: Settings, chosen: Selection) -> Exit:
    """Print how far every chunk is, or the chosen one."""
    summary = summarize(get_all_state(settings.state_dir))
    if chosen.chunk is not None:
        summary = summary.filter(pl.col("chunk") == chosen.chunk)
    if summary.is_empty():
        which = "state files" if chosen.chunk is None else f"state files of chunk {chosen.chunk}"
        raise StateError(f"state: there are no {which} in {settings.state_dir}: is STATE_DIR right?")
    repos = target_repos(settings.hf_user)
    rows, tables = [], 0
    for row in summary.iter_rows(named=True):
        pushed = [t for t, repo_id in repos.items() if is_recorded(settings.manifest_dir, row["chunk"], t, repo_id)]
        tables += len(pushed)
        parts = f"{row['files']} of {row['parts'] or 'contradictory'}"
        rows.append((str(row["chunk"]), parts, _steps(row), _word(row), ", ".join(pushed) or "-"))
    print(table_of(rows, ("chunk", "parts", "steps", "state", "tables on the Hub")))
    pushed_chunks = summary.filter(pl.col("complete") & ~pl.col("due")).height
    print(
        f"total: {summary.height} chunks, {summary['files'].sum()} parts; {int(summary['complete'].sum())} complete, "
        f"{int(summary['due'].sum())} to push, {pushed_chunks} pushed; {tables} tables on the Hub"
    )
    return Exit.OK


def _steps(row: dict[str, int]) -> str:
    """The lowest and the highest step of a chunk's files."""
    low, high = ("unreadable" if step == UNREADABLE else Step(step).name for step in (row["min_step"], row["max_step"]))
    return low if low == high else f"{low} to {high}"


def _word(row: dict[str, object]) -> str:
    if row["due"]:
        return "to push"
    return "pushed" if row["complete"] else "incomplete"
