"""What a reader could have met: the files of every revision of a repo, and the rows of some."""

from collections.abc import Iterator

import polars as pl

from localhub.testing import RunningHub
from scripts.rehearsal.checks import check_names, check_rows
from scripts.rehearsal.remote import list_repo, read_rows
from wikidata.config import Layout, Table

READ_EVERY = 16
"""The rows of one in so many revisions are read; the names of the files of all."""


def check_history(hub: RunningHub, repo: str, table: Table, expected: pl.DataFrame) -> Iterator[str]:
    """At every revision each chunk of a key is in one file, if files are packed, and it has all of its rows."""
    for number, commit in enumerate(reversed(hub.commits(repo))):
        where = f"{repo} at {commit.oid[:8]} ({commit.title})"
        listing = list_repo(hub, repo, table, commit.oid)
        if Layout.FILES in listing.layouts:
            return
        yield from check_names(where, listing)
        if number % READ_EVERY == 0:
            files = [file for block in listing.blocks.values() for file in block]
            chunks = [
                (key, chunk)
                for (first, last), block in listing.blocks.items()
                for _, key in block
                for chunk in range(first, last + 1)
            ]
            there = pl.DataFrame(chunks, schema={"key": pl.String, "chunk": pl.Int64}, orient="row")
            rows = read_rows(hub, repo, table, files, commit.oid)
            yield from check_rows(where, expected.join(there, on=["key", "chunk"], how="semi"), rows)
