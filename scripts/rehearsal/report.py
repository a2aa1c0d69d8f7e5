"""What a rehearsal tells: a line now and then while it runs, a table and a JSON file at its end."""

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from localhub.counts import Counts
from scripts.rehearsal.cron import Cron
from scripts.rehearsal.pipeline import Pipeline
from scripts.rehearsal.remote import FAULTS
from wikidata.report.terminal import readable_bytes, table_of

PROGRESS_SECONDS = 15.0
MOST_LINES = 20

Figures = dict[str, Any]
"""What was counted, by name, as it is written to the JSON file."""


def count_pushes(pipeline: Pipeline, cron: Cron, logs: Path, counts: Counts, struck: Sequence[int]) -> Figures:
    """What the pushes cost; `counts` and `struck` are the Hub's, without what the checks ask for.

    `pushes` are ticks by exit code. `refused_commits` neither landed nor met a fault: the quota was used up. `cli_runs`
    are the logs, one for each run of the upload CLI; `cli_reruns` those beyond the first of a table of a chunk.
    `peak_bytes` and `largest_bytes` are the most of any tick; see Tick.
    """
    met = list(zip(FAULTS, struck, strict=True))
    faulty_commits = sum(times for fault, times in met if fault.endpoint == "commit" and not fault.lands)
    runs = Counter((log.parent.name, log.name.split("-")[0]) for log in logs.glob("chunk_*/*.log"))
    return {
        "chunks": len(pipeline.sizes),
        "source_files": sum(pipeline.sizes.values()),
        "partition_files": pipeline.files,
        "rows": pipeline.rows,
        "pushes": Counter(str(tick.exit_code) for tick in cron.ticks),
        "commits": counts.commits,
        "refused_commits": counts.requests["commit"] - counts.commits - faulty_commits,
        "quota_waits": cron.quota_waits,
        "requests": counts.requests,
        "faults_struck": {
            f"{fault.endpoint} {fault.status if fault.action == 'status' else fault.action}"
            f"{' (landed)' if fault.lands else ''}": times
            for fault, times in met
        },
        "cli_runs": runs.total(),
        "cli_reruns": runs.total() - len(runs),
        "uploaded_bytes": counts.uploaded_bytes,
        "peak_bytes": max((tick.peak_bytes for tick in cron.ticks), default=0),
        "largest_bytes": max((tick.largest_bytes for tick in cron.ticks), default=0),
        "cores": os.cpu_count(),
    }


def lines(figures: Figures) -> list[tuple[str, str]]:
    """The figures as they are printed: what, and how much. Those of the checks are missing if nothing was checked."""
    get = figures.get
    return [
        ("chunks, source files", f"{get('chunks'):,}, {get('source_files'):,}"),
        ("partition files, rows made", f"{get('partition_files'):,}, {get('rows'):,}"),
        ("files on the Hub, layout", f"{get('hub_files', 0):,}, {' and '.join(get('layouts', ())) or 'none'}"),
        ("pushes by exit code", ", ".join(f"{code}: {times:,}" for code, times in sorted(figures["pushes"].items()))),
        ("commits, the most in one window", f"{get('commits'):,}, {get('most_commits_in_window', 0):,}"),
        ("commits that the quota refused, waits for it", f"{get('refused_commits'):,}, {get('quota_waits'):,}"),
        *_each("requests", figures["requests"]),
        *_each("faults struck", figures["faults_struck"]),
        ("runs of the upload CLI, repeated ones", f"{get('cli_runs'):,}, {get('cli_reruns'):,}"),
        ("uploaded", readable_bytes(figures["uploaded_bytes"])),
        ("peak memory of a push", readable_bytes(figures["peak_bytes"])),
        ("largest process that a push started", readable_bytes(figures["largest_bytes"])),
        ("time to push, to check", f"{_clock(get('push_seconds', 0))}, {_clock(get('check_seconds', 0))}"),
    ]


def _each(what: str, counts: Mapping[str, int]) -> list[tuple[str, str]]:
    parts = [(f"  {name}", f"{count:,}") for name, count in sorted(counts.items()) if count]
    return [(what, f"{sum(counts.values()):,}"), *parts]


def write_report(path: Path, choices: Figures, figures: Figures, violations: Sequence[str]) -> None:
    """Print the figures and what does not hold; write everything, with the choices that were made."""
    print(table_of(lines(figures), ("what", "how much")))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**choices, **figures, "violations": list(violations)}, indent=1) + "\n")
    for line in violations[:MOST_LINES]:
        say(f"rehearsal: {line}")
    if len(violations) > MOST_LINES:
        say(f"rehearsal: {len(violations) - MOST_LINES} more are in {path}")


def progress(pipeline: Pipeline, cron: Cron) -> Callable[[], None]:
    """Returns a function to call often, which says every PROGRESS_SECONDS how far it is."""
    started = next_time = time.monotonic()

    def show() -> None:
        nonlocal next_time
        if (now := time.monotonic()) >= next_time:
            next_time = now + PROGRESS_SECONDS
            say(
                f"{_clock(now - started):>6}  {len(pipeline.pushed)} of {len(pipeline.sizes)} chunks pushed, "
                f"{len(pipeline.complete)} complete, {pipeline.files:,} files made, {len(cron.ticks)} ticks"
            )

    return show


def say(line: str) -> None:
    """A line of progress, or about what does not hold."""
    print(line, file=sys.stderr, flush=True)


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
