"""The publication in some lines: how far, how fast, until when, and what waits for what."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import groupby

from wikidata.config import Table
from wikidata.names import runs
from wikidata.report.overview import RATE_DAYS, Overview, State
from wikidata.report.words import bar, readable_bytes, readable_seconds
from wikidata.slurm.jobs import Task

_MOST_RUNS = 8
_FOR = {"quota": "the Hub's quota", "storage": "storage, which a person has to ask for"}


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
    yield from (f"failed: {line}" for line in troubles(overview))


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
    for holder in overview.holders:
        seconds = overview.at.timestamp() - holder.since
        yield f"at work: {holder.purpose}, by process {holder.pid} on {holder.host}, for {readable_seconds(seconds)}"
    yield from at_slurm(overview.tasks or ())
    if refusal := overview.refusal:
        until = datetime.fromtimestamp(refusal.not_before, UTC)
        yield f"the push waits until {until:%Y-%m-%d %H:%M} UTC for {_FOR[refusal.kind]}: {refusal.why}"
    if of[State.DUE]:
        yield f"waiting for the push: {numbers(of[State.DUE])}"
    if of[State.INCOMPLETE]:
        yield f"waiting for the pipeline: {numbers(of[State.INCOMPLETE])}"


def at_slurm(tasks: Iterable[Task]) -> Iterator[str]:
    """What is queued and running there, by Slurm's word for it."""
    for state, group in groupby(sorted(tasks, key=lambda task: task.state), lambda task: task.state):
        those = list(group)
        chunks = {task.chunk for task in those if task.chunk is not None}
        folds = ["fold"] if any(task.chunk is None for task in those) else []
        nodes = sorted({task.node for task in those if task.node})
        where = f", on {', '.join(nodes)}" if nodes else ""
        what = " and ".join([*([numbers(chunks)] if chunks else []), *folds])
        yield f"at Slurm, {state.lower()}: {what}{where}"


def troubles(overview: Overview) -> Iterator[str]:
    """The last failures of chunks that were not pushed since."""
    for failure in overview.failures:
        at = datetime.fromtimestamp(failure.at, UTC)
        yield f"chunk {failure.chunk}, {at:%Y-%m-%d %H:%M} UTC: {failure.message}"


def day(moment: datetime) -> str:
    """A day, and the hour if it is near."""
    is_near = (moment - datetime.now(UTC)).days < 2
    return f"{moment:%Y-%m-%d %H:%M} UTC" if is_near else f"{moment:%Y-%m-%d}"


def numbers(chunks: Iterable[int]) -> str:
    """Chunk numbers with runs: `chunks 3, 7 to 12`."""
    blocks = runs(chunks)
    words = [str(block.first) if block.is_one else f"{block.first} to {block.last}" for block in blocks]
    more = f" and {len(words) - _MOST_RUNS} more" if len(words) > _MOST_RUNS else ""
    return f"chunk{'s' * (len(blocks) > 1 or not blocks[0].is_one)} {', '.join(words[:_MOST_RUNS])}{more}"
