"""What a person or cron sees of a push: lines on standard output, progress and trouble on standard error."""

import sys
import threading
from collections.abc import Iterable, Sequence
from typing import NoReturn, TextIO

import polars as pl
from tqdm import tqdm

from wikidata.config import Table
from wikidata.records.manifest import Manifest
from wikidata.records.receipt import Receipt
from wikidata.report.listener import Listener
from wikidata.upload.progress import Progress

_UNITS = ("B", "kB", "MB", "GB", "TB")


def readable_bytes(size_bytes: float) -> str:
    """A size as people write it, in powers of 1,000 as the Hub counts."""
    for unit in _UNITS:
        if size_bytes < 1000 or unit == _UNITS[-1]:
            return f"{size_bytes:.0f} {unit}" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1000
    raise AssertionError("unreachable")


class Terminal(Listener):
    """Prints a line for each table and chunk, unless `quiet`; progress only if standard error is a terminal.

    `news` are the warnings that were not told before.
    """

    def __init__(self, quiet: bool) -> None:
        self.quiet = quiet
        self.attended = sys.stderr.isatty()
        self.news: list[str] = []
        self.lock = threading.Lock()
        self.bars: dict[Table, tqdm[NoReturn]] = {}

    def note(self, message: str) -> None:
        if self.attended:
            self._write(message, sys.stderr)

    def settled(self, table: Table, why: str) -> None:
        self._say(f"{table}: {why}")

    def warn(self, table: Table, warning: str, *, is_news: bool) -> None:
        line = f"{table}: warning: {warning}"
        if is_news:
            self.news.append(line)
        if is_news or not self.quiet:
            self._write(line, sys.stderr)

    def fetched(self, table: Table, chunks: Sequence[int]) -> None:
        if chunks:
            several = f"{len(chunks)} chunks" if len(chunks) > 1 else f"chunk {chunks[0]}"
            self._say(f"{table}: the manifest of {several} was fetched from the Hub")

    def packing(self, table: Table, keys: int) -> None:
        if self.attended and keys:
            self._write(f"{table}: packing {keys} keys", sys.stderr)

    def listed(self, table: Table, files: int) -> None:
        if not self.attended:
            return
        with self.lock:
            if table not in self.bars:
                self.bars[table] = self._bar(table, None, f"{table}: listing")
            self.bars[table].update(files - self.bars[table].n)

    def uploading(self, manifest: Manifest, missing: pl.DataFrame, repo_id: str) -> None:
        if not self.attended:
            return
        with self.lock:
            self._close(manifest.table)
            self.bars[manifest.table] = self._bar(manifest.table, missing.height, f"{manifest.table:<12} → {repo_id}")

    def progress(self, table: Table, progress: Progress) -> None:
        with self.lock:
            if bar := self.bars.get(table):
                bar.n = progress.uploaded
                bar.set_postfix_str(f"{progress.committed} committed, {readable_bytes(progress.uploaded_bytes)}")

    def confirmed(self, manifest: Manifest, receipt: Receipt, sent: pl.DataFrame) -> None:
        with self.lock:
            self._close(manifest.table)
        size = readable_bytes(receipt.size_bytes)
        self._say(
            f"chunk {manifest.chunk} {manifest.table}: {receipt.files} files ({size}, {receipt.rows} rows) "
            f"are in {receipt.repo} at {receipt.commit[:8]}, {sent.height} of them uploaded now"
        )

    def pushed(self, chunk: int) -> None:
        self._say(f"chunk {chunk} is pushed")

    def finish(self) -> None:
        """Take the progress lines away."""
        with self.lock:
            for table in list(self.bars):
                self._close(table)

    @staticmethod
    def _bar(table: Table, total: int | None, words: str) -> "tqdm[NoReturn]":
        position = list(Table).index(table)
        return tqdm(
            total=total, desc=words, unit=" files", position=position, leave=False, dynamic_ncols=True, file=sys.stderr
        )  # fmt: skip

    def _close(self, table: Table) -> None:
        if bar := self.bars.pop(table, None):
            bar.close()

    def _say(self, message: str) -> None:
        if not self.quiet:
            self._write(message, sys.stdout)

    def _write(self, message: str, file: TextIO) -> None:
        with self.lock:
            tqdm.write(message, file=file)


def table_of(rows: Iterable[Sequence[object]], columns: Sequence[str]) -> str:
    """Rows as an aligned text table: numbers to the right, words to the left."""
    frame = pl.DataFrame(list(rows), schema=list(columns), orient="row")
    with pl.Config(
        tbl_rows=-1,
        tbl_cols=-1,
        tbl_formatting="NOTHING",
        tbl_hide_column_data_types=True,
        tbl_hide_dataframe_shape=True,
        tbl_width_chars=200,
        fmt_str_lengths=120,
        tbl_cell_numeric_alignment="RIGHT",
        thousands_separator=",",
    ):
        return "\n".join(line.rstrip() for line in str(frame).splitlines() if line.strip())
