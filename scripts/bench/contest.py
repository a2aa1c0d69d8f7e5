"""Running a contest: its sides in turn, one run each, again and again."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from scripts.bench.figures import Figures, Unit, readable
from scripts.bench.workshop import Workshop, say

Work = Callable[[Workshop], Mapping[str, Figures]]
"""Does one run, and tells the figures of each of its phases."""


@dataclass(frozen=True)
class Side:
    """One who takes part; `once` where a run takes too long to repeat it."""

    name: str
    work: Work
    once: bool = False


@dataclass(frozen=True)
class Contest:
    """Sides that run in turn, so that all meet the same weather; `by_default` unless it takes very long."""

    name: str
    sides: tuple[Side, ...]
    runs: int = 3
    by_default: bool = True


def hold(contest: Contest, workshop: Workshop) -> dict[tuple[str, str], list[Figures]]:
    """Run the sides in turn, and return the figures by side and phase. Raises ContestError."""
    measured: defaultdict[tuple[str, str], list[Figures]] = defaultdict(list)
    for number in range(contest.runs):
        for side in contest.sides:
            if side.once and number:
                continue
            of = 1 if side.once else contest.runs
            for phase, figures in side.work(workshop).items():
                measured[side.name, phase].append(figures)
                words = [contest.name, f"run {number + 1} of {of}", side.name, phase, _told(figures)]
                say(": ".join(filter(None, words)))
    return dict(measured)


def _told(figures: Figures) -> str:
    """What was measured, in a line."""
    units = [unit for unit in Unit if figures.of(unit)]
    words = {Unit.REQUESTS: " requests", Unit.COMMITS: " commits", Unit.PEAK_BYTES: " at most"}
    return ", ".join(f"{readable(figures.of(unit), unit)}{words.get(unit, '')}" for unit in units)
