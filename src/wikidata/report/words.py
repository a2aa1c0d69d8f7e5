"""Sizes, times and tables as people read them. rich is imported by those that print, so that a tick need not."""

import io
import shutil
import sys
from collections.abc import Iterable, Sequence

_UNITS = ("B", "kB", "MB", "GB", "TB")
_PIPE_COLUMNS = 200
"""How wide a table may be that goes to no terminal."""


def readable_bytes(size_bytes: float) -> str:
    """A size as people write it, in powers of 1,000 as the Hub counts."""
    for unit in _UNITS:
        if size_bytes < 1000 or unit == _UNITS[-1]:
            return f"{size_bytes:.0f} {unit}" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1000
    raise AssertionError("unreachable")


def readable_seconds(seconds: float) -> str:
    """A length of time as people say it: `40 s`, `3 min`, `2 h 10 min`, `5 days`."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h"
    return f"{minutes / 1440:.0f} days"


def bar(share: float) -> str:
    """A bar of 32 signs, of which that share is full; of plain ones, if standard output knows no others."""
    full, empty = ("█", "░") if (sys.stdout.encoding or "").lower().startswith("utf") else ("#", "-")
    return full * (done := int(share * 32)) + empty * (32 - done)


def table_of(rows: Iterable[Sequence[object]], columns: Sequence[str]) -> str:
    """Rows as an aligned text table: numbers to the right, words to the left; no wider than the terminal."""
    from rich.console import Console
    from rich.table import Table

    rows = list(rows)
    table = Table(box=None, pad_edge=False, header_style="", padding=(0, 2, 0, 0))
    for index, name in enumerate(columns):
        is_number = bool(rows) and all(isinstance(row[index], int | float) for row in rows)
        table.add_column(name, justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row))
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else _PIPE_COLUMNS
    console = Console(file=io.StringIO(), width=width, color_system=None, markup=False, highlight=False, emoji=False)
    with console.capture() as capture:
        console.print(table)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())
