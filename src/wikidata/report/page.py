"""The page to look at: one HTML file that needs nothing else, filled in from `page.html` beside this module."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from html import escape
from itertools import accumulate
from pathlib import Path
from string import Template

from wikidata.config import Settings, Table
from wikidata.report.overview import Confirmed, Overview, State, look
from wikidata.report.summary import day, numbers, troubles, waits
from wikidata.report.words import readable_bytes
from wikidata.system.files import write_atomically

DEFAULT = "wikidata.html"
_BLOCK = 16
"""Chunks in one table of the grid."""
_WIDTH, _HEIGHT, _MARGIN = 400, 150, 22
_MOST_FAILURES = 20


def write_page(settings: Settings) -> Path:
    """Write it to PAGE, or to wikidata.html where the command runs; returns where. Raises DiskError, StateError."""
    path = settings.page or Path.cwd() / DEFAULT
    endpoint = settings.hf_endpoint or "https://huggingface.co"
    write_atomically(path, page_of(look(settings), endpoint).encode(), 0o644, is_locked=False)
    return path


def page_of(overview: Overview, endpoint: str) -> str:
    """The whole page; `endpoint` is where the links to the repos lead."""
    states = overview.states
    template = Template(Path(__file__).with_name("page.html").read_text(encoding="utf-8"))
    return template.substitute(
        title=f"Wikidata on the Hub: {escape(_owner(overview))}",
        at=overview.at.isoformat(timespec="seconds"),
        at_words=f"{overview.at:%Y-%m-%d %H:%M} UTC",
        chunks=len(overview.chunks),
        published=states[State.PUSHED] + states[State.FOLDED],
        facts="".join(f"<div><dt>{name}</dt><dd>{escape(value)}</dd></div>" for name, value in _facts(overview)),
        waits="".join(f"<p>{escape(line)}</p>" for line in waits(overview)),
        failures=_failures(overview),
        charts=_chart("rows", overview, lambda rows: f"{rows:,.0f}") + _chart("size_bytes", overview, readable_bytes),
        days=_days(overview.confirmed),
        legend="".join(_legend(overview)),
        grids="".join(_grids(overview)),
        repos="".join(
            f'<li><a href="{escape(endpoint)}/datasets/{escape(repo)}">{escape(repo)}</a></li>'
            for repo in overview.repos.values()
        ),
    )


def _owner(overview: Overview) -> str:
    return next(iter(overview.repos.values())).partition("/")[0]


def _facts(overview: Overview) -> Iterator[tuple[str, str]]:
    yield "rows on the Hub", f"{overview.total('rows'):,}"
    yield "bytes", readable_bytes(overview.total("size_bytes"))
    yield "files", f"{overview.total('files'):,}"
    yield "chunks a day", f"{overview.tables_a_day / len(Table):.1f}"
    yield "expected end", day(end) if (end := overview.end_at_this_rate) else "not known"
    yield "end at the Hub's quota", day(end) if (end := overview.end_at_the_quota) else "not known"


def _failures(overview: Overview) -> str:
    lines = list(troubles(overview))[-_MOST_FAILURES:]
    if not lines:
        return ""
    return f'<h2>Last failures</h2><ul class="failures">{"".join(f"<li>{escape(line)}</li>" for line in lines)}</ul>'


def _legend(overview: Overview) -> Iterator[str]:
    tables = Counter(state for chunk in overview.chunks for state in chunk.tables.values())
    return (f'<li class="{state}">{state}: {tables[state]:,}</li>' for state in State)


def _grids(overview: Overview) -> Iterator[str]:
    """Tables of some chunks each, so that they stand side by side where there is room."""
    head = "".join(f'<th scope="col" title="{table}">{table}</th>' for table in Table)
    for start in range(0, len(overview.chunks), _BLOCK):
        chunks = overview.chunks[start : start + _BLOCK]
        rows = "".join(
            f'<tr><th scope="row">{chunk.number}</th>'
            + "".join(f'<td class="{state}">{state}</td>' for state in chunk.tables.values())
            + "</tr>"
            for chunk in chunks
        )
        caption = numbers(chunk.number for chunk in chunks).capitalize()
        yield f'<table><caption>{caption}</caption><thead><tr><th scope="col" title="chunk">#</th>{head}</tr></thead>'
        yield f"<tbody>{rows}</tbody></table>"


def _days(confirmed: Sequence[Confirmed]) -> str:
    """The charts as a table, a row for each day: what those read who do not see them."""
    by_day: dict[date, list[Confirmed]] = {}
    for each in confirmed:
        by_day.setdefault(each.at.date(), []).append(each)
    rows = "".join(
        f'<tr><th scope="row">{of}</th><td>{len(found):,}</td><td>{sum(each.rows for each in found):,}</td>'
        f"<td>{readable_bytes(sum(each.size_bytes for each in found))}</td></tr>"
        for of, found in sorted(by_day.items(), reverse=True)
    )
    head = "".join(f'<th scope="col">{name}</th>' for name in ("day", "tables of chunks", "rows", "bytes"))
    table = f'<table class="plain"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
    return f'<details><summary>Each day in numbers</summary><div class="scroll" tabindex="0">{table}</div></details>'


def _chart(name: str, overview: Overview, readable: Callable[[float], str]) -> str:
    """What of `name` (rows, size_bytes) is on the Hub, over time, as a drawing."""
    what = {"rows": "Rows", "size_bytes": "Bytes"}[name]
    if not overview.confirmed:
        return f"<figure><figcaption>{what}: nothing is published yet</figcaption></figure>"
    first, last, most = overview.confirmed[0].at, overview.at, max(overview.total(name), 1)
    seconds = max((last - first).total_seconds(), 1)
    sums = accumulate(getattr(each, name) for each in overview.confirmed)
    points = [(0.0, 0.0)]
    for each, total in zip(overview.confirmed, sums, strict=True):
        x = (each.at - first).total_seconds() / seconds
        points += [(x, points[-1][1]), (x, total / most)]
    points.append((1.0, points[-1][1]))
    path = " ".join(f"{x * _WIDTH:.1f},{(1 - y) * (_HEIGHT - 2 * _MARGIN) + _MARGIN:.1f}" for x, y in points)
    bottom = _HEIGHT - _MARGIN
    words = f"{what} on the Hub, from {first:%Y-%m-%d} to {last:%Y-%m-%d}: {readable(most)} now"
    return (
        f"<figure><figcaption>{what}: {readable(most)}</figcaption>"
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{words}">'
        f'<polygon class="area" points="0,{bottom} {path} {_WIDTH},{bottom}"/><polyline class="curve" points="{path}"/>'
        f'<line class="axis" x1="0" y1="{bottom}" x2="{_WIDTH}" y2="{bottom}"/>'
        f'<text x="0" y="{_HEIGHT - 5}">{first:%Y-%m-%d}</text>'
        f'<text x="{_WIDTH}" y="{_HEIGHT - 5}" text-anchor="end">{last:%Y-%m-%d}</text></svg></figure>'
    )
