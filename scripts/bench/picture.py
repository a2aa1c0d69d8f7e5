"""The picture: a bar for each ratio on a logarithmic axis, its goal as a tick. SVG by hand: it takes no library."""

import math
from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape, quoteattr

from scripts.bench.figures import Result, readable_ratio

TITLE = "Ours ÷ what it is compared with, logarithmic: less is better. Tick: the goal. Grey: no goal, shown only"
WIDTH = 1030
LABEL_WIDTH = 570
VALUE_WIDTH = 60
LINE_HEIGHT = 32
BAR_HEIGHT = 14
TOP = 58
BOTTOM = 34

# Chosen to be told apart on white and on GitHub's dark background, by people who cannot tell red from green too.
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.small { font-size: 11px; fill: #59636e }
.bar { fill: #2f7fd1 } .plain { fill: #8c959f } .missed { fill: #d1602f }
.tick { stroke: #1f2328; stroke-width: 2.5 } .grid { stroke: #8c959f; stroke-opacity: .35 }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc } .small { fill: #9198a1 } .tick { stroke: #f0f6fc }
}
"""


class Axis:
    """A logarithmic axis, from a power of ten below the least of `values` to the greatest."""

    def __init__(self, values: Sequence[float]) -> None:
        self.low = math.floor(math.log10(min(values)) - 0.1)
        self.high = math.log10(max(values))

    def position(self, value: float) -> float:
        """Where a value is, in pixels from the left of the picture."""
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return LABEL_WIDTH + share * (WIDTH - LABEL_WIDTH - VALUE_WIDTH)

    @property
    def decades(self) -> list[float]:
        """The values that get a line."""
        return [10.0**power for power in range(self.low, math.floor(self.high) + 1)]


def draw(results: Sequence[Result], caption: str) -> str:
    """The picture of all results that have a ratio, as SVG; `caption` says on what machine."""
    shown = [(result, ratio) for result in results if (ratio := result.ratio)]
    goals = [result.row.goal for result, _ in shown if result.row.goal]
    axis = Axis([1.0, *(ratio for _, ratio in shown), *goals])
    height = TOP + LINE_HEIGHT * len(shown) + BOTTOM
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}">',
        f"<style>{STYLE}</style>",
        _text(10, 22, TITLE),
        _text(10, height - 12, caption, "small"),
        *_grid(axis, height),
    ]
    for number, (result, ratio) in enumerate(shown):
        lines += _bar(axis, TOP + LINE_HEIGHT * number, result, ratio)
    return "\n".join([*lines, "</svg>", ""])


def _grid(axis: Axis, height: int) -> Iterator[str]:
    for value in axis.decades:
        x = axis.position(value)
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 8}" y2="{height - BOTTOM}"/>'
        yield _text(x, TOP - 13, f"{value:g}" if value != 1 else "1 (equal)", "small", "middle")


def _bar(axis: Axis, top: int, result: Result, ratio: float) -> Iterator[str]:
    row, end = result.row, axis.position(ratio)
    middle = top + LINE_HEIGHT / 2
    kind = "plain" if row.goal is None else "missed" if result.holds is False else "bar"
    yield f"<g><title>{escape(f'{row.what}, against {row.against}: {readable_ratio(ratio)}')}</title>"
    yield (
        f'<rect class="{kind}" x="{LABEL_WIDTH}" y="{middle - BAR_HEIGHT / 2:.1f}" '
        f'width="{end - LABEL_WIDTH:.1f}" height="{BAR_HEIGHT}"/>'
    )
    yield _text(LABEL_WIDTH - 10, middle - 1, row.what, anchor="end")
    yield _text(LABEL_WIDTH - 10, middle + 10, f"against {row.against}", "small", "end")
    value_at = end
    if row.goal is not None:
        tick = axis.position(row.goal)
        value_at = max(end, tick)
        yield (
            f'<line class="tick" x1="{tick:.1f}" x2="{tick:.1f}" '
            f'y1="{middle - BAR_HEIGHT / 2 - 4:.1f}" y2="{middle + BAR_HEIGHT / 2 + 4:.1f}"/>'
        )
    yield _text(value_at + 6, middle + 4, readable_ratio(ratio))
    yield "</g>"


def _text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    style = f" class={quoteattr(kind)}" if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{style}>{escape(words)}</text>'
