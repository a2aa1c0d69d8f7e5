"""What a rehearsal tells: a line now and then while it runs, a table and a JSON file at its end."""

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.rehearsal.cron import Tick
from scripts.rehearsal.figures import Figures, readable_seconds
from scripts.rehearsal.pipeline import Pipeline
from wikidata.report.terminal import table_of

PROGRESS_SECONDS = 15.0
MOST_LINES = 20


@dataclass
class Progress:
    """Says every PROGRESS_SECONDS how far it is."""

    pipeline: Pipeline
    ticks: Sequence[Tick]
    started: float = field(default_factory=time.monotonic)
    _next: float = 0.0

    def show(self) -> None:
        """Print the line, where it is time."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + PROGRESS_SECONDS
        pipeline = self.pipeline
        say(
            f"{readable_seconds(now - self.started):>6}  {pipeline.pushed} of {len(pipeline.sizes)} chunks pushed, "
            f"{pipeline.complete} complete, {pipeline.files:,} files made, {len(self.ticks)} ticks"
        )


def write_report(path: Path, choices: dict[str, Any], figures: Figures, violations: Sequence[str]) -> None:
    """Print the figures and what does not hold; write everything, with the choices that were made."""
    print(table_of(figures.lines(), ("what", "how much")))
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {**choices, **figures.to_json(), "violations": list(violations)}
    path.write_text(json.dumps(content, indent=1) + "\n")
    for line in violations[:MOST_LINES]:
        say(f"rehearsal: {line}")
    if len(violations) > MOST_LINES:
        say(f"rehearsal: {len(violations) - MOST_LINES} more are in {path}")


def say(line: str) -> None:
    """A line of progress, or of trouble."""
    print(line, file=sys.stderr, flush=True)
