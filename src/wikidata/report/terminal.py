"""What a person or cron sees of a push: lines on standard output, progress and trouble on standard error.

rich is imported only if there is a terminal to draw on.
"""

import os
import sys
import threading
from collections.abc import Collection, Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING, TextIO

import polars as pl

from wikidata.config import Table
from wikidata.errors import QuotaError
from wikidata.names import Block
from wikidata.records.manifest import Manifest
from wikidata.records.receipt import Receipt
from wikidata.report.listener import Listener
from wikidata.report.words import readable_bytes
from wikidata.retry import Wait
from wikidata.upload.progress import Progress

if TYPE_CHECKING:
    from wikidata.report.block import ProgressBlock


class Terminal(Listener):
    """Prints a line for each table and chunk, unless `quiet`; progress only if standard error is a terminal.

    `news` are the warnings that were not told before; `work` is what of the agenda it tells of. A dumb terminal gets a
    line for each upload in place of a block.
    """

    def __init__(self, quiet: bool) -> None:
        self.quiet = quiet
        self.attended = sys.stderr.isatty() and not quiet
        self.block = _block() if self.attended and os.environ.get("TERM", "dumb") not in ("dumb", "unknown") else None
        self.news: list[str] = []
        self.said: set[str] = set()
        self.lock = threading.Lock()
        self.thread = threading.local()
        self.work = ""

    def agenda(self, works: Mapping[str, float], tables: Collection[Table]) -> None:
        if self.block:
            self.block.set_agenda(works, tables)

    def takes_up(self, work: str) -> "Terminal":
        other = copy(self)
        other.work = work
        if self.block:
            self.block.take_up(work)
        return other

    def puts_down(self) -> None:
        if self.block:
            self.block.put_down(self.work)

    def left(self, chunk: int, why: str) -> None:
        self._say(f"chunk {chunk}: {why}")

    def begins(self, table: Table) -> None:
        self.thread.at = self.work, table
        if self.block:
            self.block.begin((self.work, table))

    def doing(self, table: Table, what: str, files: int = 0, size_bytes: int = 0) -> None:
        if self.block:
            self.block.change((self.work, table), what, files, size_bytes)

    def ends(self, table: Table, *, failed: bool) -> None:
        if self.block:
            self.block.end((self.work, table), "failed" if failed else "done")

    def waiting(self, wait: Wait) -> None:
        at = getattr(self.thread, "at", None)
        if self.block and at:
            why = "for the quota" if isinstance(wait.error, QuotaError) else "to try again"
            self.block.wait(at, wait.seconds, f"{why} ({wait.attempt} of {wait.attempts})")
        elif self.attended:
            self._write(str(wait), sys.stderr)

    def settled(self, table: Table, why: str) -> None:
        """The same decision is said once, for all tables."""
        decision, _, reason = why.partition(": ")
        if decision not in self.said:
            self.said.add(decision)
            self._say(f"{decision} (figures of {table}): {reason}")

    def warn(self, table: Table, warning: str, *, is_news: bool) -> None:
        line = f"{table}: warning: {warning}"
        if is_news:
            self.news.append(line)
        if is_news or not self.quiet:
            self._write(line, sys.stderr)

    def fetched(self, table: Table, blocks: Sequence[Block]) -> None:
        if blocks:
            several = f"{sum(len(block.chunks) for block in blocks)} chunks" if len(blocks) > 1 else blocks[0]
            self._say(f"{table}: the manifest of {several} was fetched from the Hub")

    def listed(self, table: Table, files: int) -> None:
        self.doing(table, "listing", files)

    def uploading(self, manifest: Manifest, missing: pl.DataFrame, repo_id: str) -> None:
        size_bytes = int(missing["size_bytes"].sum())
        self.doing(manifest.table, "uploading", missing.height, size_bytes)
        if self.attended and not self.block:
            line = f"{manifest.table}: uploading {missing.height} files ({readable_bytes(size_bytes)}) to {repo_id}"
            self._write(line, sys.stderr)

    def progress(self, table: Table, progress: Progress) -> None:
        if self.block:
            self.block.advance((self.work, table), progress)

    def confirmed(self, manifest: Manifest, receipt: Receipt, sent: pl.DataFrame) -> None:
        self.doing(manifest.table, "done", receipt.files, receipt.size_bytes)
        size = readable_bytes(receipt.size_bytes)
        self._say(
            f"{manifest.block} {manifest.table}: {receipt.files} files ({size}, {receipt.rows} rows) "
            f"are in {receipt.repo} at {receipt.commit[:8]}, {sent.height} of them uploaded now"
        )

    def folded(self, manifest: Manifest, before: int, repo_id: str) -> None:
        self.doing(manifest.table, "done", manifest.files.height, manifest.size_bytes)
        size = readable_bytes(manifest.size_bytes)
        self._say(
            f"{manifest.block} {manifest.table}: {manifest.files.height} files ({size}, {manifest.rows} rows) "
            f"are in {repo_id} in place of {before}"
        )

    def pushed(self, chunk: int) -> None:
        self._say(f"chunk {chunk} is pushed")

    def finish(self) -> None:
        """Take the block away."""
        if self.block:
            self.block.close()

    def _say(self, message: str) -> None:
        if not self.quiet:
            self._write(message, sys.stdout)

    def _write(self, message: str, file: TextIO) -> None:
        """Print a line; above the block, if both are on a terminal."""
        if self.block and file.isatty():
            self.block.say(message)
        else:
            with self.lock:
                print(message, file=file, flush=True)


def _block() -> "ProgressBlock":
    from rich.console import Console

    from wikidata.report.block import ProgressBlock

    return ProgressBlock(Console(stderr=True))
