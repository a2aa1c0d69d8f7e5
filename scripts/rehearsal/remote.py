"""The Hub of a rehearsal: how it misbehaves, and what is on it."""

import io
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import polars as pl
from huggingface_hub import HfApi, get_session, hf_hub_url
from huggingface_hub.hf_api import RepoFile

from localhub.faults import Action, Fault, Quota
from localhub.testing import RunningHub
from scripts.rehearsal.contents import digests
from wikidata.config import Layout, Table
from wikidata.names import RECORDS_FOLDER

FAULTS = (
    Fault("commit", action=Action.CLOSE, lands=True, every=31, times=None),
    Fault("commit", status=412, every=43, times=None),
    Fault("commit", status=500, every=89, times=None),
    Fault("preupload", status=503, every=61, times=None),
    Fault("preupload", status=429, every=97, times=None),
    Fault("lfs_batch", status=503, every=997, times=None),
    Fault("lfs_put", status=503, every=1009, times=None),
    Fault("lfs_put", action=Action.RESET, every=701, times=None),
    Fault("info", status=429, retry_after=1, every=67, times=None),
    Fault("paths_info", action=Action.CLOSE, every=71, times=None),
    Fault("tree", status=504, every=83, times=None),
    Fault("whoami", status=503, every=37, times=None),
)
"""Each strikes every so many requests of its class; the numbers are prime, so that they do not strike in step."""

QUOTA = Quota(commits=16, window_seconds=10.0)
"""The Hub allows 128 commits an hour, and a rehearsal of 113 chunks makes up to 1,200 in less. With a window so short
the quota strikes now and then, and is filled again soon."""

NO_DATA = frozenset({".gitattributes", "README.md"})
"""Files of a repo that hold no rows."""


class Listing(NamedTuple):
    """A revision of a repo: the size of every file; paths and keys of those with rows, by the first and the last of
    their chunks; its records; the others.
    """

    sizes: Mapping[str, int]
    blocks: Mapping[tuple[int, int], Sequence[tuple[str, str]]]
    records: Sequence[str]
    unknown: Sequence[str]
    layouts: frozenset[Layout]


def list_repo(hub: RunningHub, repo: str, table: Table, revision: str = "main") -> Listing:
    tree = HfApi(hub.endpoint, hub.token).list_repo_tree(repo, recursive=True, revision=revision, repo_type="dataset")
    return sort_out(table, {entry.path: entry.size for entry in tree if isinstance(entry, RepoFile)})


def sort_out(table: Table, sizes: Mapping[str, int]) -> Listing:
    """Tell which files have rows, of which chunks and key: one file for each part, for a chunk, or for several."""
    pattern = re.compile(
        rf"{table.partition_column}=([^/]+)/chunk_([0-9]+)(?:-([0-9]+)|(-[0-9]+-of-[0-9]+(?:_[0-9]+)?))?\.parquet"
    )
    blocks: dict[tuple[int, int], list[tuple[str, str]]] = {}
    records, unknown, layouts = [], [], set()
    for path in sizes:
        if match := pattern.fullmatch(path):
            blocks.setdefault((int(match[2]), int(match[3] or match[2])), []).append((path, match[1]))
            layouts.add(Layout.FILES if match[4] else Layout.PACKED)
        elif path.startswith(f"{RECORDS_FOLDER}/"):
            records.append(path)
        elif path not in NO_DATA:
            unknown.append(path)
    return Listing(sizes, blocks, records, unknown, frozenset(layouts))


def read_rows(
    hub: RunningHub, repo: str, table: Table, files: Sequence[tuple[str, str]], revision: str = "main"
) -> pl.DataFrame:
    """All rows of these files: the `key` of the file's folder, `id`, and `digest`."""
    headers = {"Authorization": f"Bearer {hub.token}"}
    nothing = pl.DataFrame(schema={"key": pl.String, "id": pl.String, "digest": pl.UInt64})

    def read(file: tuple[str, str]) -> pl.DataFrame:
        path, key = file
        address = hf_hub_url(repo, path, repo_type="dataset", revision=revision, endpoint=hub.endpoint)
        answer = get_session().get(address, headers=headers)
        answer.raise_for_status()
        return digests(table, pl.read_parquet(io.BytesIO(answer.content)), pl.lit(key))

    with ThreadPoolExecutor(4) as pool:
        return pl.concat([nothing, *pool.map(read, files)])
