"""What a rehearsal counts and tells: a table and a JSON file at its end."""

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from localhub.counts import Counts
from scripts.bench.measure import readable
from scripts.bench.workspace import say
from scripts.rehearsal.cron import Cron
from scripts.rehearsal.remote import FAULTS
from wikidata.report.words import table_of

MOST_LINES = 20
Figures = dict[str, Any]
"""What was counted, by name, as it is written to the JSON file."""


def count_pushes(cron: Cron, logs: Path, counts: Counts, struck: Sequence[int]) -> Figures:
    """What the pushes cost; `counts` and `struck` are the Hub's, without what the checks ask for.

    `refused_commits` neither landed nor met a fault: the quota was used up. `cli_runs` are the logs, one for each run
    of the upload CLI; `cli_reruns` those beyond the first of a table of a chunk. The memory is the most of any tick.
    """
    pipeline, met = cron.pipeline, list(zip(FAULTS, struck, strict=True))
    faulty_commits = sum(times for fault, times in met if fault.endpoint == "commit" and not fault.lands)
    runs = Counter((log.parent.name, log.name.split("-")[0]) for log in logs.glob("chunk_*/*.log"))
    return {
        "chunks": len(pipeline.sizes),
        "source_files": sum(pipeline.sizes.values()),
        "partition_files": pipeline.files,
        "rows": pipeline.rows,
        "pushes_by_exit_code": Counter(str(tick.process.returncode) for tick in cron.ticks),
        "killed_pushes": sum(tick.was_killed for tick in cron.ticks),
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
        "peak_of_a_push_bytes": max((tick.peak_bytes for tick in cron.ticks), default=0),
        "cores": os.cpu_count() or 1,
    }


def lines(figures: Figures) -> Iterator[tuple[str, str]]:
    """The figures as they are printed: what, and how much."""
    for name, value in figures.items():
        what = name.removesuffix("_bytes").removesuffix("_seconds").replace("_", " ")
        if isinstance(value, Mapping):
            yield what, f"{sum(value.values()):,}"
            yield from ((f"  {part}", f"{count:,}") for part, count in sorted(value.items()) if count)
        else:
            yield what, " and ".join(value) if isinstance(value, list) else readable(name, value)


def write_report(path: Path, options: Figures, figures: Figures, violations: Sequence[str]) -> None:
    """Print the figures and what does not hold; write everything, with the options."""
    print(table_of(lines(figures), ("what", "how much")))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"options": options, **figures, "violations": list(violations)}, indent=1) + "\n")
    for line in violations[:MOST_LINES]:
        say(f"rehearsal: {line}")
    if len(violations) > MOST_LINES:
        say(f"rehearsal: {len(violations) - MOST_LINES} more are in {path}")
