"""What is measured and what is made of it: runs of several sides in turn, medians, ratios, and whether a goal holds."""

import statistics
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from scripts.bench.workspace import Workspace, say
from wikidata.report.words import readable_bytes, table_of

OURS = "ours"
COLUMNS = ("what", "ours", "against", "peer", "ratio", "goal", "holds")

Measured = dict[str, float]
"""What one run measured, by name."""

Side = Callable[[Workspace], Measured]
"""Does one run. Raises SideError."""

Runs = Mapping[str, Sequence[Measured]]
"""The runs of a comparison, by side."""


class Row(NamedTuple):
    """A row of the table: a `side` against another, or against a `limit` that `against` describes.

    The limit may be the name of something else that the side measures.

    `name` is that of what is measured; the `goal` is the highest ratio that is good enough.
    """

    what: str
    against: str
    goal: float | None = None
    name: str = "seconds"
    side: str = OURS
    limit: float | str | None = None


@dataclass(frozen=True)
class Comparison:
    """Sides by name, which run in turn, so that all meet the same weather; those of `once` take too long to repeat.

    It is made `by_default`, unless it takes very long.
    """

    name: str
    sides: Mapping[str, Side]
    rows: Sequence[Row]
    runs: int = 3
    once: tuple[str, ...] = ()
    by_default: bool = True


def run_sides(comparison: Comparison, workspace: Workspace) -> Runs:
    """Run the sides in turn, again and again. Raises SideError."""
    runs: defaultdict[str, list[Measured]] = defaultdict(list)
    for number in range(comparison.runs):
        for name, side in comparison.sides.items():
            if number == 0 or name not in comparison.once:
                runs[name].append(side(workspace))
                told = ", ".join(f"{key} {readable(key, value)}" for key, value in runs[name][-1].items())
                say(f"{comparison.name}: run {number + 1}: {name}: {told}")
    return runs


def result_of(row: Row, runs: Runs, is_judged: bool) -> dict[str, Any]:
    """A row with the medians of `ours` and `peer` and their `ratio`, None if they could not be measured.

    `holds` says whether the goal does, None if there is none or it is not judged.
    """

    def median(side: str, name: str = row.name) -> float | None:
        return statistics.median(run[name] for run in runs[side]) if runs.get(side) else None

    ours, peer = median(row.side), median(row.against) if row.limit is None else row.limit
    peer = median(row.side, peer) if isinstance(peer, str) else peer
    ratio = ours / peer if ours is not None and peer else None
    holds = None if row.goal is None or not is_judged else ratio is not None and ratio <= row.goal
    return {**row._asdict(), "ours": ours, "peer": peer, "ratio": ratio, "holds": holds}


def table(results: Sequence[Mapping[str, Any]]) -> str:
    return table_of([_cells(result) for result in results], COLUMNS)


def _cells(result: Mapping[str, Any]) -> tuple[str, ...]:
    ratio, goal = result["ratio"], result["goal"]
    ours, peer = (readable(result["name"], result[side]) for side in ("ours", "peer"))
    told = "" if ratio is None else f"{ratio:.3g}" if ratio >= 1 else f"{ratio:.3f}"
    holds = "" if goal is None else {None: "not judged", True: "yes", False: "NO"}[result["holds"]]
    return result["what"], ours, result["against"], peer, told, "" if goal is None else f"≤ {goal:g}", holds


def readable(name: str, value: float | None) -> str:
    """What was measured, as people write it."""
    if value is None:
        return "failed"
    if name.endswith("bytes"):
        return readable_bytes(value)
    return f"{value:,.2f} s" if name.endswith("seconds") else f"{value:,.0f}"
