"""What is measured, and what is made of it: medians, ratios, and whether a goal holds. No effects."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from wikidata.report.terminal import readable_bytes


class Unit(StrEnum):
    """The figures of a run, by the names of the fields of Figures."""

    SECONDS = "seconds"
    REQUESTS = "requests"
    COMMITS = "commits"
    DATA_COMMITS = "data_commits"
    PEAK_BYTES = "peak_bytes"


@dataclass(frozen=True)
class Figures:
    """One run: wall seconds, requests that the Hub counted, commits that landed, peak memory; 0 where not measured.

    `data_commits` are the commits without those of dataset cards, which no peer publishes.
    """

    seconds: float = 0.0
    requests: int = 0
    commits: int = 0
    data_commits: int = 0
    peak_bytes: int = 0

    def of(self, unit: Unit) -> float:
        """One of the figures."""
        return float(getattr(self, unit))


Measured = Mapping[tuple[str, str], Sequence[Figures]]
"""The runs of a contest, by side and phase."""


@dataclass(frozen=True)
class Row:
    """A row of the table: the side `ours` of a contest against the side `peer`, or against a limit, in one phase."""

    contest: str
    what: str
    against: str
    goal: float | None = None
    ours: str = "ours"
    peer: str | float = "peer"
    phase: str = ""
    unit: Unit = Unit.SECONDS


@dataclass(frozen=True)
class Result:
    """A row with its medians, None where they could not be measured; goals count only where it `is_judged`."""

    row: Row
    ours: float | None
    peer: float | None
    is_judged: bool

    @property
    def ratio(self) -> float | None:
        """Ours in units of the peer's; None where there is no peer's."""
        return None if self.ours is None or not self.peer else self.ours / self.peer

    @property
    def holds(self) -> bool | None:
        """Whether the goal holds; None where there is none, or it is not judged."""
        if self.row.goal is None or not self.is_judged:
            return None
        return self.ratio is not None and self.ratio <= self.row.goal


def result_of(row: Row, measured: Measured, is_judged: bool) -> Result:
    """Put the medians of a contest into a row."""
    peer = median(measured, row.peer, row) if isinstance(row.peer, str) else row.peer
    return Result(row, median(measured, row.ours, row), peer, is_judged)


def median(measured: Measured, side: str, row: Row) -> float | None:
    """The median of the row's figure over the runs of a side; None where it has none."""
    runs = measured.get((side, row.phase), ())
    return statistics.median(run.of(row.unit) for run in runs) if runs else None


def readable(value: float | None, unit: Unit) -> str:
    """A figure as people write it."""
    if value is None:
        return "failed"
    if unit is Unit.PEAK_BYTES:
        return readable_bytes(value)
    return f"{value:,.2f} s" if unit is Unit.SECONDS else f"{value:,.0f}"


def readable_ratio(ratio: float | None) -> str:
    """A ratio in three digits."""
    return "" if ratio is None else f"{ratio:.3g}" if ratio >= 1 else f"{ratio:.3f}"
