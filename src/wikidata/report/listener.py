"""What a push tells while it works. The push itself prints nothing; the terminal listens on behalf of the user."""

from collections.abc import Collection, Mapping, Sequence

import polars as pl

from wikidata.config import Table
from wikidata.names import Block
from wikidata.records.manifest import Manifest
from wikidata.records.receipt import Receipt
from wikidata.retry import Wait
from wikidata.upload.progress import Progress


class Listener:
    """Hears everything and does nothing; called from the threads of the tables."""

    def agenda(self, works: Mapping[str, float], tables: Collection[Table]) -> None:
        """What is to be done with these tables, in order: `chunk 3`, or `chunks 0 to 15`, with relative sizes."""

    def takes_up(self, work: str) -> "Listener":
        """One of the works of the agenda begins; returns who is to be told how that goes."""
        del work
        return self

    def puts_down(self) -> None:
        """The work that was taken up is done, or has failed."""

    def left(self, chunk: int, why: str) -> None:
        """A chunk is left to those who are at work on it."""

    def begins(self, table: Table) -> None:
        """A table is at work from now on, in this thread."""

    def doing(self, table: Table, what: str, files: int = 0, size_bytes: int = 0) -> None:
        """A table is `hashing`, `packing`, `confirming`: with so many files and bytes, if that is known."""

    def ends(self, table: Table, *, failed: bool) -> None:
        """A table is done for now."""

    def waiting(self, wait: Wait) -> None:
        """Something went wrong, and the table of this thread waits until it tries again."""

    def settled(self, table: Table, why: str) -> None:
        """A repo is given its layout; `why` is `layout packed: …`."""

    def warn(self, table: Table, warning: str, *, is_news: bool) -> None:
        """Something is not as it should be, and the push goes on; `is_news` if it was not said before, or long ago."""

    def fetched(self, table: Table, blocks: Sequence[Block]) -> None:
        """The manifests of these chunks were fetched from the Hub: ours were missing, or not the same."""

    def listed(self, table: Table, files: int) -> None:
        """So many files of a repo are listed so far."""

    def finish(self) -> None:
        """Nothing more is told of what is under way."""

    def uploading(self, manifest: Manifest, missing: pl.DataFrame, repo_id: str) -> None:
        """The upload CLI is started for the `missing` rows of a manifest."""

    def progress(self, table: Table, progress: Progress) -> None:
        """The upload of a table has come this far."""

    def confirmed(self, manifest: Manifest, receipt: Receipt, sent: pl.DataFrame) -> None:
        """The Hub has every file of a manifest; `sent` are the rows that it lacked before."""

    def folded(self, manifest: Manifest, before: int, repo_id: str) -> None:
        """The files of a manifest have taken the place of so many."""

    def pushed(self, chunk: int) -> None:
        """All five tables of a chunk are on the Hub, and its source files at PUSH."""
