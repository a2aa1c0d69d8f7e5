"""The progress of all tables as one block on a terminal: redrawn in place, and taken away when they are done.

A heading and a row for each table; of each chunk, if several are pushed at once.

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


At = tuple[str, Table]
"""A table of one of the works, such as that of `chunk 3`."""


@dataclass
class _Work:
    """One of the works that are at hand, and what its tables do."""

    rows: dict[Table, Row]
    since: float = field(default_factory=lambda: time.monotonic())

    @property
    def share(self) -> float:
        """How much of it is done, from 0 to 1."""
        return sum(row.share for row in self.rows.values()) / max(len(self.rows), 1)


class ProgressBlock:
    """The rows of all tables, on the terminal as long as any of them is at work."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.lock = Lock()
        self.live: Live | None = None
        self.at_work: set[At] = set()
        self.at_hand: dict[str, _Work] = {}
        self.done: set[str] = set()
        self.works: dict[str, float] = {}
        self.tables: tuple[Table, ...] = ()
        self.started = time.monotonic()

    def set_agenda(self, works: Mapping[str, float], tables: Collection[Table]) -> None:
        """What is to be done, in order, with relative sizes."""
        self.works, self.tables, self.started = dict(works), tuple(tables), time.monotonic()

    def take_up(self, work: str) -> None:
        """One of the works begins."""
        with self.lock:
            self.at_hand[work] = _Work(dict.fromkeys(self.tables, Row()))

    def put_down(self, work: str) -> None:
        """One of the works is done, or has failed."""
        with self.lock:
            self.at_hand.pop(work, None)
            self.done.add(work)

    def begin(self, at: At) -> None:
        """A table is at work."""
        self._replace(at, Row("starting"))
        with self.lock:
            self.at_work.add(at)
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

    def change(self, at: At, what: str, files: int, size_bytes: int) -> None:
        """A table does something else; with as many files and bytes as before unless they are given."""
        before = self._row(at)
        self._replace(at, Row(what, files or before.files, size_bytes or before.size_bytes))

    def wait(self, at: At, seconds: float, why: str) -> None:
        """A table waits, and then goes on with what it did."""
        self._replace(at, replace(self._row(at), waiting=why, until=time.monotonic() + seconds))

    def advance(self, at: At, progress: Progress) -> None:
        """An upload has come further."""
        row = self._row(at)
        self._replace(at, replace(row, files_done=progress.uploaded, bytes_done=progress.uploaded_bytes))

    def end(self, at: At, what: str) -> None:
        """A table is done for now; with the last one the block goes."""
        self._replace(at, replace(self._row(at), what=what))
        with self.lock:
            self.at_work.discard(at)
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

    def _row(self, at: At) -> Row:
        work = self.at_hand.get(at[0])
        return work.rows.get(at[1], Row()) if work else Row()

    def _replace(self, at: At, row: Row) -> None:
        with self.lock:
            self.at_hand.setdefault(at[0], _Work({})).rows[at[1]] = row

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
        width = self.console.width
        shown = next(cells for columns, cells in _ROOM if width >= columns)
        for name, work in self.at_hand.items():
            if name:
                heading = Grid.grid(padding=(0, 2))
                bar = [ProgressBar(100, work.share * 100, width=width // 6)] if width >= 72 else []
                done = _whole(f"{work.share * 100:.0f} %")
                heading.add_row(_whole(self._title(name)), *bar, done, _whole(self._left(work)))
                yield heading
            grid = Grid.grid(padding=(0, 2))
            grid.add_column(no_wrap=True, min_width=max(map(len, Table)))
            for index in shown:  # the last one gives way if there is not enough room
                grid.add_column(no_wrap=index != 3, justify="left" if index == 3 else "right")
            for table in Table:
                if table in work.rows:
                    cells = work.rows[table].cells()
                    grid.add_row(table.value, *(_whole(cells[index]) for index in shown))
            yield grid

    def _title(self, name: str) -> str:
        if len(self.works) < 2:
            return name
        return f"{name} ({list(self.works).index(name) + 1} of {len(self.works)} due)"

    def _left(self, work: _Work) -> str:
        """The time that is left for a work at hand, and for all."""
        now = time.monotonic()
        if now - work.since < _TOO_EARLY_SECONDS or work.share < _TOO_EARLY_SHARE:
            return ""
        words = f"{readable_seconds((now - work.since) * (1 - work.share) / work.share)} left"
        if self.works.keys() <= self.done | self.at_hand.keys():
            return words
        done = sum(size for name, size in self.works.items() if name in self.done)
        done += sum(each.share * self.works.get(name, 0) for name, each in self.at_hand.items())
        seconds = (now - self.started) * (sum(self.works.values()) - done) / done
        return f"{words}, {readable_seconds(seconds)} for all {len(self.works)}"


def _whole(words: str) -> Text:
    """Words on one line, cut off if there is no room."""
    return Text(words, no_wrap=True, overflow="ellipsis")
