"""`wikidata status`: how far the publication is, and which chunks need attention; or all; or JSON."""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from wikidata.config import Selection, Settings, Table
from wikidata.errors import Exit, StateError
from wikidata.report.overview import RATE_DAYS, ChunkState, Overview, State, look
from wikidata.report.words import bar, readable_bytes, readable_seconds, table_of
from wikidata.state import UNREADABLE, Step

_MOST_DUE = 8


def run(settings: Settings, chosen: Selection) -> Exit:
    """Print a summary, then a line for each chunk that needs attention; for the chosen one its line alone."""
    overview = look(settings, chosen.chunk)
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
        print()
        print(table_of(map(_cells, shown), ("chunk", "parts", "steps", "state", "tables")))
    return Exit.OK


def summary(overview: Overview) -> Iterator[str]:
    """The publication in some lines: how far it is, how fast, when it will be done, and what waits for what."""
    states, total = overview.states, len(overview.chunks)
    published = states[State.PUSHED] + states[State.FOLDED]
    yield f"{bar(published / total)}  {published} of {total} chunks are published"
    yield ", ".join(f"{states[state]} {state}" for state in State if states[state])
    rows, size = overview.total("rows"), readable_bytes(overview.total("size_bytes"))
    yield f"on the Hub: {rows:,} rows, {size}, {overview.total('files'):,} files in {len(overview.repos)} repos"
    yield from pace(overview)
    yield from waits(overview)


def pace(overview: Overview) -> Iterator[str]:
    """How fast it goes, and when it will be done."""
    if overview.tables_a_day:
        size = sum(each.size_bytes for each in overview.recent) / len(overview.recent) * overview.tables_a_day
        chunks = overview.tables_a_day / len(Table)
        yield f"rate of the last {RATE_DAYS} days: {chunks:.1f} chunks ({readable_bytes(size)}) a day"
    ends = {"at this rate": overview.end_at_this_rate, "at the Hub's quota of commits": overview.end_at_the_quota}
    if words := [f"{day(end)} {how}" for how, end in ends.items() if end]:
        yield f"expected end: {', '.join(words)}"


def waits(overview: Overview) -> Iterator[str]:
    """What waits for what."""
    of = {state: [chunk.number for chunk in overview.chunks if chunk.state is state] for state in State}
    if holder := overview.holder:
        seconds = overview.at.timestamp() - holder.since
        yield f"at work: {holder.purpose}, by process {holder.pid}, for {readable_seconds(seconds)}"
    if refusal := overview.refusal:
        until = datetime.fromtimestamp(refusal.not_before, UTC)
        yield f"the push waits until {until:%Y-%m-%d %H:%M} UTC for {_FOR[refusal.kind]}: {refusal.why}"
    if of[State.DUE]:
        yield f"waiting for the push: {_numbers(of[State.DUE])}"
    if of[State.INCOMPLETE]:
        yield f"waiting for the pipeline: {_numbers(of[State.INCOMPLETE])}"
    for failure in overview.failures:
        at = datetime.fromtimestamp(failure.at, UTC)
        yield f"failed at {at:%Y-%m-%d %H:%M} UTC: chunk {failure.chunk}: {failure.message}"


def day(moment: datetime) -> str:
    """A day, and the hour if it is near."""
    is_near = (moment - datetime.now(UTC)).days < 2
    return f"{moment:%Y-%m-%d %H:%M} UTC" if is_near else f"{moment:%Y-%m-%d}"


def as_json(overview: Overview) -> dict[str, Any]:
    """What `--json` prints: see docs/status.md; names and meanings stay, further ones may be added."""
    refusal, holder = overview.refusal, overview.holder
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
        "at_work": holder and {"purpose": holder.purpose, "pid": holder.pid, "since": _iso(holder.since)},
        "waits": refusal and {"for": refusal.kind, "until": _iso(refusal.not_before), "why": refusal.why},
        "failures": [
            {"chunk": each.chunk, "table": each.table or None, "at": _iso(each.at), "message": each.message}
            for each in overview.failures
        ],
    }


_FOR = {"quota": "the Hub's quota", "storage": "storage, which a person has to ask for"}


def _iso(moment: "datetime | float | None") -> str | None:
    moment = datetime.fromtimestamp(moment, UTC) if isinstance(moment, float) else moment
    return moment.isoformat(timespec="seconds") if moment else None


def _numbers(chunks: Iterable[int]) -> str:
    """Chunk numbers with runs: `chunks 3, 7 to 12`."""
    runs = [
        [number for _, number in run] for _, run in groupby(enumerate(sorted(chunks)), lambda pair: pair[1] - pair[0])
    ]
    words = [str(run[0]) if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs]
    more = f" and {len(words) - _MOST_DUE} more" if len(words) > _MOST_DUE else ""
    return f"chunk{'s' * (len(runs) > 1 or len(runs[0]) > 1)} {', '.join(words[:_MOST_DUE])}{more}"


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
