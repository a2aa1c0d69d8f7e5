"""What is on the Hub: listed and read back over HTTP, as any reader would."""

import io
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from typing import NamedTuple
from urllib.parse import quote, urlsplit

import polars as pl
from huggingface_hub import HfApi
from huggingface_hub.hf_api import RepoFile

from scripts.rehearsal.contents import is_intact
from wikidata.config import Layout, Table

NO_DATA = frozenset({".gitattributes", "README.md"})
"""Files of a repo that hold no rows."""

READERS = 4

ROWS = {"key": pl.String, "id": pl.String, "intact": pl.Boolean}


class Remote(NamedTuple):
    """A file with rows; `path` is that in the repo."""

    path: str
    key: str


class Listing(NamedTuple):
    """A repo: the size of every file, those with rows by their chunk, what should not be there, how it is laid out."""

    sizes: Mapping[str, int]
    chunks: Mapping[int, Sequence[Remote]]
    strangers: Sequence[str]
    layouts: frozenset[Layout]


def list_repo(api: HfApi, repo: str, table: Table) -> Listing:
    """List the head of a repo."""
    entries = api.list_repo_tree(repo, recursive=True, repo_type="dataset")
    return sort_out(table, {entry.path: entry.size for entry in entries if isinstance(entry, RepoFile)})


def sort_out(table: Table, sizes: Mapping[str, int]) -> Listing:
    """Tell which files have rows, of which chunk and key: one file for each part, or for several."""
    pattern = re.compile(rf"{table.partition_column}=([^/]+)/chunk_([0-9]+)([-_][0-9a-z_-]+)?\.parquet")
    chunks: dict[int, list[Remote]] = {}
    strangers, layouts = [], set()
    for path in sizes:
        if match := pattern.fullmatch(path):
            chunks.setdefault(int(match[2]), []).append(Remote(path, match[1]))
            layouts.add(Layout.FILES if match[3] else Layout.PACKED)
        elif path not in NO_DATA:
            strangers.append(path)
    return Listing(sizes, chunks, strangers, frozenset(layouts))


class Reader:
    """Reads Parquet files of the repos at `endpoint`, several at a time, each thread by a connection of its own."""

    def __init__(self, endpoint: str, token: str) -> None:
        self._host = urlsplit(endpoint).netloc
        self._headers = {"Authorization": f"Bearer {token}"}
        self._threads = threading.local()
        self._pool = ThreadPoolExecutor(READERS)

    def rows(self, table: Table, repo: str, files: Sequence[Remote]) -> pl.DataFrame:
        """All rows of these files: the `key` of the file's folder, `id`, and whether the row is `intact`."""
        frames = self._pool.map(lambda file: self._rows(table, repo, file), files)
        return pl.concat([pl.DataFrame(schema=ROWS), *frames])

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def _rows(self, table: Table, repo: str, file: Remote) -> pl.DataFrame:
        frame = pl.read_parquet(io.BytesIO(self._get(f"/datasets/{repo}/resolve/main/{quote(file.path)}")))
        return frame.select(pl.lit(file.key).alias("key"), "id", is_intact(table, frame, file.key).alias("intact"))

    def _get(self, address: str) -> bytes:
        connection: HTTPConnection | None = getattr(self._threads, "connection", None)
        if connection is None:
            connection = self._threads.connection = HTTPConnection(self._host)
        connection.request("GET", address, headers=self._headers)
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise OSError(f"GET {address}: {answer.status} {content[:200]!r}")
        return content


def entries_by_folder(paths: Sequence[str]) -> Iterator[tuple[str, int]]:
    """The number of files and folders directly in each folder; the uppermost is `""`."""
    inside: dict[str, set[str]] = {"": set()}
    for path in paths:
        folder, _, name = path.rpartition("/")
        inside.setdefault(folder, set()).add(name)
        while folder:
            folder, _, name = folder.rpartition("/")
            inside.setdefault(folder, set()).add(name)
    return ((folder, len(names)) for folder, names in inside.items())
