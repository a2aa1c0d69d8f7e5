"""`wikidata status`: how far the publication is, and which chunks need attention; or all; or JSON."""

import json
import sys
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from wikidata.config import Selection, Settings
from wikidata.errors import Exit, PushError, StateError
from wikidata.records.lock import Holder, has_submitted
from wikidata.report.overview import ChunkState, Overview, State, look
from wikidata.report.summary import summary
from wikidata.report.words import table_of
from wikidata.slurm.jobs import tasks_of
from wikidata.state import UNREADABLE, Step

SLURM_SECONDS = 5.0
"""How long Slurm may take to tell what is queued."""


def run(settings: Settings, chosen: Selection) -> Exit:
    """Print a summary, then a line for each chunk that needs attention; for the chosen one its line alone."""
    overview = _with_tasks(look(settings, chosen.chunk), settings)
    if not overview.chunks:
        which = "state files" if chosen.chunk is None else f"state files of chunk {chosen.chunk}"
        raise StateError(f"state: there are no {which} in {settings.state_dir}: is STATE_DIR right?")
    if settings.json:
        print(json.dumps(as_json(overview), indent=1))
        return Exit.OK
    if chosen.chunk is None:
        for line in summary(overview):
            print(line)
    everything = settings.all or chosen.chunk is not None
    if shown := [chunk for chunk in overview.chunks if everything or chunk.needs_attention]:
        print(end="\n" if chosen.chunk is None else "")
        print(table_of(map(_cells, shown), ("chunk", "parts", "steps", "state", "tables")))
    return Exit.OK


def _with_tasks(overview: Overview, settings: Settings) -> Overview:
    """Add what Slurm has of ours, if anything was ever submitted; it is not waited for long."""
    if not has_submitted(settings.manifest_dir):
        return overview
    try:
        return replace(overview, tasks=tuple(tasks_of(settings, SLURM_SECONDS)))
    except PushError as error:
        print(f"wikidata: warning: {error}", file=sys.stderr)
        return replace(overview, tasks=None)


def as_json(overview: Overview) -> dict[str, Any]:
    """What `--json` prints: see docs/status.md; names and meanings stay, further ones may be added."""
    refusal, holders = overview.refusal, [_holder(holder) for holder in overview.holders]
    return {
        "at": overview.at.isoformat(timespec="seconds"),
        "chunks": [
            {
                "chunk": chunk.number,
                "state": chunk.state,
                "parts": chunk.facts["parts"],
                "files": chunk.facts["files"],
                "min_step": chunk.facts["min_step"],
                "max_step": chunk.facts["max_step"],
                "needs_attention": chunk.needs_attention,
                "tables": dict(chunk.tables),
            }
            for chunk in overview.chunks
        ],
        "published": {name: overview.total(name) for name in ("files", "size_bytes", "rows")},
        "tables_a_day": round(overview.tables_a_day, 2),
        "end_at_this_rate": _iso(overview.end_at_this_rate),
        "end_at_the_quota": _iso(overview.end_at_the_quota),
        "at_work": holders[0] if holders else None,
        "all_at_work": holders,
        "tasks": None if overview.tasks is None else [each._asdict() for each in overview.tasks],
        "waits": refusal and {"for": refusal.kind, "until": _iso(refusal.not_before), "why": refusal.why},
        "failures": [
            {"chunk": each.chunk, "table": each.table or None, "at": _iso(each.at), "message": each.message}
            for each in overview.failures
        ],
    }


def _holder(holder: Holder) -> dict[str, Any]:
    return {"purpose": holder.purpose, "host": holder.host, "pid": holder.pid, "since": _iso(holder.since)}


def _iso(moment: "datetime | float | None") -> str | None:
    moment = datetime.fromtimestamp(moment, UTC) if isinstance(moment, float) else moment
    return moment.isoformat(timespec="seconds") if moment else None


def _cells(chunk: ChunkState) -> tuple[str, ...]:
    facts = chunk.facts
    parts = f"{facts['files']:,} of {facts['parts'] or 'contradictory'}"
    low, high = (
        "unreadable" if step == UNREADABLE else Step(step).name for step in (facts["min_step"], facts["max_step"])
    )
    steps = low if low == high else f"{low} to {high}"
    by_state = [
        (state, [table.value for table, each in chunk.tables.items() if each is state])
        for state in State
        if state in chunk.tables.values()
    ]
    tables = (
        "all five" if len(by_state) == 1 else "; ".join(f"{state}: {', '.join(which)}" for state, which in by_state)
    )
    return str(chunk.number), parts, steps, chunk.state.value, tables
