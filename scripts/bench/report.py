"""What a benchmark tells: the table, and the file with everything that was measured."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from scripts.bench.figures import Measured, Result, readable, readable_ratio
from wikidata.report.terminal import readable_bytes, table_of

COLUMNS = ("what", "ours", "against", "peer", "ratio", "goal", "holds")
PACKAGES = ("polars", "pyarrow", "huggingface_hub")


def machine() -> dict[str, Any]:
    """On what the numbers were made, and when."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "processor": _processor(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }


def _processor() -> str:
    """The model of the processor, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.machine())


def describe(facts: Mapping[str, Any]) -> str:
    """The machine in a line."""
    return (
        f"{facts['cores']} cores, {facts['processor']}, {readable_bytes(facts['memory_bytes'])}, "
        f"Python {facts['python']}, polars {facts['polars']}, huggingface_hub {facts['huggingface_hub']}, "
        f"{facts['date'][:10]}"
    )


def table(results: Sequence[Result]) -> str:
    """The results as aligned text."""
    return table_of([_cells(result) for result in results], COLUMNS)


def _cells(result: Result) -> tuple[str, ...]:
    row = result.row
    goal = "" if row.goal is None else f"≤ {row.goal:g}"
    ours, peer = readable(result.ours, row.unit), readable(result.peer, row.unit)
    return row.what, ours, row.against, peer, readable_ratio(result.ratio), goal, verdict(result)


def verdict(result: Result) -> str:
    """Whether the goal holds, in a word."""
    if result.row.goal is None:
        return ""
    return "not judged" if result.holds is None else "yes" if result.holds else "NO"


def document(
    facts: Mapping[str, Any], results: Sequence[Result], runs: Mapping[str, Measured], is_quick: bool
) -> dict[str, Any]:
    """Everything, for `bench.json`: the machine, the rows with their medians, and every run by contest and side."""
    return {
        "machine": dict(facts),
        "quick": is_quick,
        "rows": [_row(result) for result in results],
        "runs": {contest: _runs(measured) for contest, measured in runs.items()},
    }


def _row(result: Result) -> dict[str, Any]:
    row = result.row
    return {
        "contest": row.contest,
        "what": row.what,
        "against": row.against,
        "unit": row.unit.value,
        "ours": result.ours,
        "peer": result.peer,
        "ratio": result.ratio,
        "goal": row.goal,
        "holds": result.holds,
    }


def _runs(measured: Measured) -> list[dict[str, Any]]:
    return [
        {"side": side, "phase": phase, "runs": [asdict(figures) for figures in all_figures]}
        for (side, phase), all_figures in measured.items()
    ]


def write(path: Path, content: dict[str, Any]) -> None:
    """Write a document as JSON."""
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
