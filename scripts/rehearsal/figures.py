"""Everything that a rehearsal counts."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localhub.counts import Counts
from scripts.rehearsal.cron import Tick
from scripts.rehearsal.pipeline import Pipeline
from scripts.rehearsal.trouble import FAULTS
from wikidata.report.terminal import readable_bytes


@dataclass(frozen=True)
class Pushes:
    """What cron's pushes cost; `counts` and `struck` are the Hub's, without what the checks ask for."""

    ticks: Sequence[Tick]
    quota_waits: int
    counts: Counts
    struck: Sequence[int]
    logs: Path
    seconds: float
    is_done: bool


@dataclass(frozen=True)
class Inspection:
    """What the checks found on the Hub."""

    violations: list[str]
    layouts: Sequence[str] = ()
    hub_files: int = 0
    most_commits: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Figures:
    """The figures of a report.

    `pushes` are ticks by exit code. `refused_commits` neither landed nor met a fault: the quota was used up. `cli_runs`
    are the logs, one for each run of the upload CLI; `cli_reruns` those beyond the first of a table of a chunk.
    `peak_bytes` and `largest_bytes` are the most of any tick; see Tick.
    """

    chunks: int
    source_files: int
    partition_files: int
    layouts: Sequence[str]
    hub_files: int
    rows: int
    pushes: Mapping[str, int]
    commits: int
    most_commits_in_window: int
    refused_commits: int
    quota_waits: int
    requests: Mapping[str, int]
    faults_struck: Mapping[str, int]
    cli_runs: int
    cli_reruns: int
    uploaded_bytes: int
    peak_bytes: int
    largest_bytes: int
    push_seconds: float
    check_seconds: float
    cores: int | None

    def to_json(self) -> dict[str, Any]:
        """As they are written."""
        return {name: round(value, 1) if isinstance(value, float) else value for name, value in vars(self).items()}

    def lines(self) -> list[tuple[str, str]]:
        """As they are printed: what, and how much."""
        return [
            ("chunks, source files", f"{self.chunks:,}, {self.source_files:,}"),
            ("partition files made", f"{self.partition_files:,}"),
            ("files on the Hub, layout", f"{self.hub_files:,}, {' and '.join(self.layouts) or 'none'}"),
            ("rows made", f"{self.rows:,}"),
            ("pushes by exit code", _listed(self.pushes)),
            ("commits, the most in one window", f"{self.commits:,}, {self.most_commits_in_window:,}"),
            ("commits that the quota refused, waits for it", f"{self.refused_commits:,}, {self.quota_waits:,}"),
            ("requests", f"{sum(self.requests.values()):,}"),
            *((f"  {name}", f"{count:,}") for name, count in sorted(self.requests.items()) if count),
            ("faults struck", f"{sum(self.faults_struck.values()):,}"),
            *((f"  {name}", f"{count:,}") for name, count in sorted(self.faults_struck.items()) if count),
            ("runs of the upload CLI, repeated ones", f"{self.cli_runs:,}, {self.cli_reruns:,}"),
            ("uploaded", readable_bytes(self.uploaded_bytes)),
            ("peak memory of a push", readable_bytes(self.peak_bytes)),
            ("largest process that a push started", readable_bytes(self.largest_bytes)),
            (
                "time to push, to check",
                f"{readable_seconds(self.push_seconds)}, {readable_seconds(self.check_seconds)}",
            ),
        ]


def figures(pipeline: Pipeline, pushes: Pushes, inspection: Inspection) -> Figures:
    """Put everything together."""
    counts, ticks = pushes.counts, pushes.ticks
    runs, reruns = count_runs(pushes.logs)
    return Figures(
        chunks=len(pipeline.sizes),
        source_files=sum(pipeline.sizes.values()),
        partition_files=pipeline.files,
        layouts=inspection.layouts,
        hub_files=inspection.hub_files,
        rows=pipeline.rows,
        pushes=Counter(str(tick.exit_code) for tick in ticks),
        commits=counts.commits,
        most_commits_in_window=inspection.most_commits,
        refused_commits=_refused_commits(counts, pushes.struck),
        quota_waits=pushes.quota_waits,
        requests=counts.requests,
        faults_struck=count_faults(pushes.struck),
        cli_runs=runs,
        cli_reruns=reruns,
        uploaded_bytes=counts.uploaded_bytes,
        peak_bytes=max((tick.peak_bytes for tick in ticks), default=0),
        largest_bytes=max((tick.largest_bytes for tick in ticks), default=0),
        push_seconds=pushes.seconds,
        check_seconds=inspection.seconds,
        cores=os.cpu_count(),
    )


def count_faults(struck: Sequence[int]) -> dict[str, int]:
    """How often each kind of fault has struck, by the class of the request and what it did."""
    counted: Counter[str] = Counter()
    for fault, times in zip(FAULTS, struck, strict=True):
        what = f"{fault.status}" if fault.action == "status" else fault.action
        counted[f"{fault.endpoint} {what}{' (landed)' if fault.lands else ''}"] += times
    return dict(counted)


def _refused_commits(counts: Counts, struck: Sequence[int]) -> int:
    faulty = [
        times for fault, times in zip(FAULTS, struck, strict=True) if fault.endpoint == "commit" and not fault.lands
    ]
    return counts.requests["commit"] - counts.commits - sum(faulty)


def count_runs(logs: Path) -> tuple[int, int]:
    """Runs of the upload CLI, and those beyond the first of each table of a chunk."""
    runs = Counter((log.parent.name, log.name.split("-")[0]) for log in logs.glob("chunk_*/*.log"))
    return runs.total(), runs.total() - len(runs)


def readable_seconds(seconds: float) -> str:
    """Minutes and seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name}: {count:,}" for name, count in sorted(counts.items()))
