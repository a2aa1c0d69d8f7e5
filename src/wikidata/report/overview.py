"""How far the publication is: what the state, the receipts and the other records say together, without asking the Hub.

It is what `wikidata status` and the page show, and what `wikidata status --json` prints.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cached_property
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

from wikidata.config import Settings, Table, target_repos
from wikidata.limits import COMMITS_AN_HOUR, FILES_A_COMMIT
from wikidata.names import ANY_CHUNK
from wikidata.records.failures import LastFailure, last_failures
from wikidata.records.folds import folded_chunks
from wikidata.records.lock import Holder, holders
from wikidata.records.not_before import Refusal, refusal_now
from wikidata.records.receipt import recorded_chunks
from wikidata.slurm.jobs import Task
from wikidata.state import get_all_state, summarize

RATE_DAYS = 7
"""The rate is that of so many days."""


class State(StrEnum):
    """How far a table of a chunk is."""

    INCOMPLETE = "incomplete"
    """The pipeline has not finished every part of the chunk."""
    DUE = "due"
    UPLOADING = "uploading"
    FAILED = "failed"
    """The last push of it ended with an error."""
    PUSHED = "pushed"
    FOLDED = "folded"
    """Pushed, and then folded with other chunks."""


_WORST_FIRST = (State.FAILED, State.UPLOADING, State.DUE, State.INCOMPLETE, State.PUSHED, State.FOLDED)


class Confirmed(NamedTuple):
    """What was confirmed to be on the Hub, when, and how much."""

    at: datetime
    table: str
    files: int
    size_bytes: int
    rows: int


@dataclass(frozen=True)
class ChunkState:
    """A chunk: its row of `summarize`, and how far each table is."""

    facts: Mapping[str, Any]
    tables: Mapping[Table, State]

    @property
    def number(self) -> int:
        """The chunk's number."""
        return int(self.facts["chunk"])

    @property
    def state(self) -> State:
        """How far the chunk is: as far as the table that is least so."""
        return next(state for state in _WORST_FIRST if state in self.tables.values())

    @property
    def needs_attention(self) -> bool:
        """Whether something has failed, is damaged or contradictory, is at work, or only some tables are pushed."""
        is_odd = self.facts["parts"] == 0 or self.facts["unreadable"] > 0
        return is_odd or self.state in (State.FAILED, State.UPLOADING) or len(set(self.tables.values())) > 1


@dataclass(frozen=True)
class Overview:
    """Everything at the time `at`; `refusal` is a quota or storage that the push waits for, `holders` are at work."""

    at: datetime
    repos: Mapping[Table, str]
    chunks: tuple[ChunkState, ...]
    confirmed: tuple[Confirmed, ...]
    refusal: Refusal | None
    holders: tuple[Holder, ...]
    failures: tuple[LastFailure, ...]
    tasks: tuple[Task, ...] | None = ()
    """What Slurm has queued and runs, which only status asks; None if it does not tell."""

    @cached_property
    def states(self) -> Counter[State]:
        """How many chunks are how far."""
        return Counter(chunk.state for chunk in self.chunks)

    @property
    def tables_left(self) -> int:
        """How many tables of chunks are not on the Hub."""
        done = (State.PUSHED, State.FOLDED)
        return sum(state not in done for chunk in self.chunks for state in chunk.tables.values())

    @cached_property
    def recent(self) -> list[Confirmed]:
        """What was confirmed in the last days."""
        return [each for each in self.confirmed if self.at - each.at <= timedelta(days=RATE_DAYS)]

    @property
    def tables_a_day(self) -> float:
        """The rate of the last days, in tables of chunks; 0 if nothing was confirmed."""
        if not self.recent:
            return 0.0
        return len(self.recent) / max((self.at - self.recent[0].at) / timedelta(days=1), 1 / 24)

    @property
    def end_at_this_rate(self) -> datetime | None:
        """When all will be published at the rate of the last days."""
        return self._after(self.tables_left / self.tables_a_day * 24) if self.tables_a_day else None

    @property
    def end_at_the_quota(self) -> datetime | None:
        """When all could be published at the earliest, if only the Hub's commits limit it."""
        if not self.confirmed:
            return None
        files = sum(each.files for each in self.confirmed) / len(self.confirmed)
        return self._after(self.tables_left * (ceil(files / FILES_A_COMMIT) + 1) / COMMITS_AN_HOUR)

    def total(self, name: str) -> int:
        """The `files`, `size_bytes` or `rows` on the Hub."""
        return sum(getattr(each, name) for each in self.confirmed)

    def _after(self, hours: float) -> datetime | None:
        return self.at + timedelta(hours=hours) if self.tables_left and hours < 1e6 else None


def look(settings: Settings, only: int | None = None) -> Overview:
    """How far all chunks are, or one alone. Raises StateError."""
    folder, repos = settings.manifest_dir, target_repos(settings.hf_user)
    at_work, failures = tuple(holders(folder)), tuple(last_failures(folder))
    purposes = {holder.purpose for holder in at_work}
    failed = {(each.chunk, each.table) for each in failures}
    folded = {table: folded_chunks(folder, table) for table in Table}
    recorded = {table: recorded_chunks(folder, table, repos[table]) for table in Table}

    def state_of(facts: Mapping[str, Any], table: Table) -> State:
        chunk = int(facts["chunk"])
        if chunk in folded[table]:
            return State.FOLDED
        if chunk in recorded[table] or (facts["complete"] and not facts["due"]):
            return State.PUSHED
        if f"chunk {chunk}" in purposes:
            return State.UPLOADING
        if failed & {(chunk, table.value), (chunk, "")}:
            return State.FAILED
        return State.DUE if facts["due"] else State.INCOMPLETE

    chunks = (
        ChunkState(facts, {table: state_of(facts, table) for table in Table})
        for facts in summarize(get_all_state(settings.state_dir, only)).iter_rows(named=True)
    )
    return Overview(
        datetime.now(UTC), repos, tuple(chunks), _confirmed(folder, repos), refusal_now(folder), at_work, failures
    )


def _confirmed(manifest_dir: Path, repos: Mapping[Table, str]) -> tuple[Confirmed, ...]:
    """What receipts say, the oldest first."""
    found = []
    for path in manifest_dir.glob(f"{ANY_CHUNK}/*.receipt.json"):
        try:
            facts = json.loads(path.read_bytes())
            if facts["repo"] in repos.values():
                at = datetime.fromisoformat(facts["confirmed_at"])
                found.append(Confirmed(at, path.name.split(".")[0], facts["files"], facts["size_bytes"], facts["rows"]))
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return tuple(sorted(found))
