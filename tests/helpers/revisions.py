"""What a reader could have met: the files and rows of every revision of a repo."""

import io
from collections import Counter
from collections.abc import Iterable
from itertools import chain

import polars as pl
from huggingface_hub import get_session, hf_hub_url
from huggingface_hub.hf_api import RepoFile

from tests.helpers.box import Box
from tests.helpers.instant import Account
from wikidata.config import Table
from wikidata.names import parse_data_file

Rows = frozenset[tuple[str, ...]]
"""Rows as text, without their order."""


def rows_of(files: Iterable[bytes]) -> Rows:
    """The rows of some Parquet files, each of which must be there once."""
    frames = [pl.read_parquet(io.BytesIO(file), hive_partitioning=False) for file in files]
    rows = Counter(tuple(map(str, row)) for frame in frames for row in frame.iter_rows())
    assert not rows or max(rows.values()) == 1, rows.most_common(1)
    return frozenset(rows)


def rows_here(box: Box, table: Table, chunk: int) -> Rows:
    """The rows that the partition files of a chunk have now."""
    return rows_of(path.read_bytes() for path in box.files(table, chunk))


def rows_there(account: Account, table: Table, revision: str | None = None) -> Rows:
    """The rows that a reader of a revision meets; by the names, too, no chunk of a key is in two files."""
    repo, address = account.repo(table), account.hub.endpoint
    tree = account.api.list_repo_tree(repo, recursive=True, revision=revision, repo_type="dataset")
    paths = [entry.path for entry in tree if isinstance(entry, RepoFile)]
    files = {path: file for path in paths if (file := parse_data_file(path))}
    named = Counter((file.folder, chunk) for file in files.values() for chunk in file.block.chunks)
    assert not named or max(named.values()) == 1, named.most_common(1)
    headers = {"Authorization": f"Bearer {account.token}"}
    urls = [hf_hub_url(repo, path, repo_type="dataset", revision=revision, endpoint=address) for path in files]
    return rows_of(get_session().get(url, headers=headers).content for url in urls)


def assert_whole_at_every_revision(account: Account, table: Table, *versions: Iterable[Rows]) -> None:
    """At each revision a chunk is there with all rows of one of its versions, or not at all; at the last all are."""
    known = [set(each) for each in zip(*versions, strict=True)]
    for number, commit in enumerate(account.api.list_repo_commits(account.repo(table), repo_type="dataset")):
        rows = rows_there(account, table, commit.commit_id)
        found = [[version for version in each if version <= rows] for each in known]
        assert rows == frozenset[tuple[str, ...]]().union(*chain(*found)), commit.title
        assert number > 0 or all(found), commit.title
