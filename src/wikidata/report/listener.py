"""What a push tells while it works. The push itself prints nothing; the terminal listens on behalf of the user."""

from collections.abc import Sequence

import polars as pl

from wikidata.config import Table
from wikidata.records.manifest import Manifest
from wikidata.records.receipt import Receipt
from wikidata.upload.progress import Progress


class Listener:
    """Hears everything and does nothing; called from the threads of the tables."""

    def note(self, message: str) -> None:
        """Something went wrong that will be tried again."""

    def settled(self, table: Table, why: str) -> None:
        """A repo is given its layout."""

    def warn(self, table: Table, warning: str, *, is_news: bool) -> None:
        """Something is not as it should be, and the push goes on; `is_news` if it was not said before, or long ago."""

    def fetched(self, table: Table, chunks: Sequence[int]) -> None:
        """The manifests of these chunks were fetched from the Hub: ours were missing, or not the same."""

    def listed(self, table: Table, files: int) -> None:
        """So many files of a repo are listed so far."""

    def finish(self) -> None:
        """Nothing more is told of what is under way."""

    def packing(self, table: Table, keys: int) -> None:
        """So many keys of a table are about to be packed."""

    def uploading(self, manifest: Manifest, missing: pl.DataFrame, repo_id: str) -> None:
        """The upload CLI is started for the `missing` rows of a manifest."""

    def progress(self, table: Table, progress: Progress) -> None:
        """The upload of a table has come this far."""

    def confirmed(self, manifest: Manifest, receipt: Receipt, sent: pl.DataFrame) -> None:
        """The Hub has every file of a manifest; `sent` are the rows that it lacked before."""

    def pushed(self, chunk: int) -> None:
        """All five tables of a chunk are on the Hub, and its source files at PUSH."""
