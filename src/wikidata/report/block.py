"""The progress of all tables as one block on a terminal: redrawn in place, and taken away when they are done.

    chunk 3 (2 of 7 due)  ━━━━━━━━━━━━━━━━━━━  42 %  3 min left, 25 min for all 7
    labels        312 of 500 files  12.3 of 40.1 MB  1.2 MB/s  uploading
    descriptions                                               waiting 40 s for the quota (2 of 6)

Whatever is drawn or printed holds one lock: rich forgets how many lines to take back if two threads write at once.
"""

import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from threading import Lock, Thread

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table as Grid
from rich.text import Text

from wikidata.config import Table
from wikidata.report.words import readable_bytes, readable_seconds
from wikidata.upload.progress import Progress

UPLOADING, DONE, FAILED, QUEUED = "uploading", "done", "failed", "queued"
_SHARES = {"packing": 0.1, UPLOADING: 0.2, "confirming": 0.95, "recording": 0.97, DONE: 1.0, FAILED: 1.0}
"""How much of a table's work is done when it begins to do that: enough to guess the time that is left."""
_TOO_EARLY_SECONDS, _TOO_EARLY_SHARE = 3.0, 0.05
"""Before that no guess is worth its line."""
_ROOM = ((96, [0, 1, 2, 3]), (72, [0, 1, 3]), (48, [0, 3]), (0, [3]))
"""The cells of a row that there is room for, by the columns of the terminal."""
_REDRAW_SECONDS = 0.25


@dataclass(frozen=True)
class Row:
    """What a table does, since when, with how many files and bytes, and how many of them are done.

    Until a time it may be `waiting` for something instead.
    """

    what: str = QUEUED
    files: int = 0
    size_bytes: int = 0
    files_done: int = 0
    bytes_done: int = 0
    since: float = field(default_factory=lambda: time.monotonic())
    waiting: str = ""
    until: float = 0.0

    @property
    def share(self) -> float:
        """How much of the table's work is done, from 0 to 1."""
        share = _SHARES.get(self.what, 0.0)
        if self.what == UPLOADING and self.files:
            done = max(self.files_done / self.files, self.bytes_done / max(self.size_bytes, 1))
            share += min(done, 1.0) * (_SHARES["confirming"] - share)
        return share

    def cells(self) -> tuple[str, str, str, str]:
        """Files, bytes, rate, and what it does."""
        now = time.monotonic()
        seconds = now - self.since
        files = f"{self.files:,} files" if self.files else ""
        size = readable_bytes(self.size_bytes) if self.size_bytes else ""
        if now < self.until:
            return files, size, "", f"waiting {self.until - now:.0f} s {self.waiting}"
        if self.what != UPLOADING:
            is_long = seconds > 10 and self.what not in (QUEUED, DONE, FAILED)
            return files, size, "", f"{self.what} for {readable_seconds(seconds)}" if is_long else self.what
        rate = f"{readable_bytes(self.bytes_done / seconds)}/s" if self.bytes_done and seconds > 1 else ""
        return f"{self.files_done:,} of {files}", f"{readable_bytes(self.bytes_done)} of {size}", rate, self.what


class ProgressBlock:
    """The rows of all tables, on the terminal as long as any of them is at work."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.lock = Lock()
        self.live: Live | None = None
        self.at_work: set[Table] = set()
        self.rows: dict[Table, Row] = {}
        self.works: dict[str, float] = {}
        self.tables: tuple[Table, ...] = ()
        self.at_hand = ""
        self.started = self.taken_up = time.monotonic()

    def set_agenda(self, works: Mapping[str, float], tables: Collection[Table]) -> None:
        """What is to be done, in order, with relative sizes."""
        self.works, self.tables, self.started = dict(works), tuple(tables), time.monotonic()

    def take_up(self, work: str) -> None:
        """One of the works begins."""
        self.at_hand, self.taken_up = work, time.monotonic()
        self.rows = dict.fromkeys(self.tables, Row())

    def begin(self, table: Table) -> None:
        """A table is at work."""
        with self.lock:
            self.at_work.add(table)
            self.rows = {**self.rows, table: Row("starting")}
            if self.live is None:
                self.live = Live(
                    console=self.console,
                    get_renderable=lambda: Group(*self._lines()),
                    auto_refresh=False,
                    transient=True,
                    redirect_stdout=False,
                    redirect_stderr=False,
                )
                self.live.start(refresh=True)
                Thread(target=self._redraw, args=(self.live,), daemon=True).start()

    def change(self, table: Table, what: str, files: int, size_bytes: int) -> None:
        """A table does something else; with as many files and bytes as before unless they are given."""
        before = self.rows.get(table, Row())
        self._replace(table, Row(what, files or before.files, size_bytes or before.size_bytes))

    def wait(self, table: Table, seconds: float, why: str) -> None:
        """A table waits, and then goes on with what it did."""
        row = self.rows.get(table, Row())
        self._replace(table, replace(row, waiting=why, until=time.monotonic() + seconds))

    def advance(self, table: Table, progress: Progress) -> None:
        """An upload has come further."""
        row = self.rows.get(table, Row(UPLOADING))
        self._replace(table, replace(row, files_done=progress.uploaded, bytes_done=progress.uploaded_bytes))

    def end(self, table: Table, what: str) -> None:
        """A table is done for now; with the last one the block goes."""
        row = self.rows.get(table, Row())
        self._replace(table, replace(row, what=what))
        with self.lock:
            self.at_work.discard(table)
            if not self.at_work:
                self._take_away()

    def say(self, message: str) -> None:
        """Print a line above the block."""
        with self.lock:
            self.console.print(message, soft_wrap=True, markup=False, highlight=False, emoji=False)

    def close(self) -> None:
        """Take the block away, whoever is still at work."""
        with self.lock:
            self._take_away()

    def _replace(self, table: Table, row: Row) -> None:
        with self.lock:
            self.rows = {**self.rows, table: row}

    def _redraw(self, live: Live) -> None:
        while self.live is live:
            with self.lock:
                if self.live is live:
                    live.refresh()
            time.sleep(_REDRAW_SECONDS)

    def _take_away(self) -> None:
        if self.live is not None:
            self.live.stop()
            self.live = None

    def _lines(self) -> Iterator[RenderableType]:
        width, rows = self.console.width, self.rows
        if self.at_hand:
            share = sum(row.share for row in rows.values()) / max(len(rows), 1)
            heading = Grid.grid(padding=(0, 2))
            bar = [ProgressBar(100, share * 100, width=width // 6)] if width >= 72 else []
            title, done = _whole(self._title()), _whole(f"{share * 100:.0f} %")
            heading.add_row(title, *bar, done, _whole(self._left(share)))
            yield heading
        shown = next(cells for columns, cells in _ROOM if width >= columns)
        grid = Grid.grid(padding=(0, 2))
        grid.add_column(no_wrap=True, min_width=max(map(len, Table)))
        for index in shown:  # the last one gives way if there is not enough room
            grid.add_column(no_wrap=index != 3, justify="left" if index == 3 else "right")
        for table in Table:
            if table in rows:
                cells = rows[table].cells()
                grid.add_row(table.value, *(_whole(cells[index]) for index in shown))
        yield grid

    def _title(self) -> str:
        if len(self.works) < 2:
            return self.at_hand
        return f"{self.at_hand} ({list(self.works).index(self.at_hand) + 1} of {len(self.works)} due)"

    def _left(self, share: float) -> str:
        """The time that is left for the work at hand, of which that share is done, and for all."""
        now, sizes = time.monotonic(), list(self.works.values())
        if now - self.taken_up < _TOO_EARLY_SECONDS or share < _TOO_EARLY_SHARE:
            return ""
        words = f"{readable_seconds((now - self.taken_up) * (1 - share) / share)} left"
        position = list(self.works).index(self.at_hand)
        done = sum(sizes[:position]) + share * sizes[position]
        if position + 1 < len(sizes):
            words += f", {readable_seconds((now - self.started) * (sum(sizes) - done) / done)} for all {len(sizes)}"
        return words


def _whole(words: str) -> Text:
    """Words on one line, cut off if there is no room."""
    return Text(words, no_wrap=True, overflow="ellipsis")
