"""Counts the rows of datasets with the programs that people read them with.

Run by the Python of .venv-readers, since the newest `datasets` needs another huggingface_hub than the push. The Hub and
the folder for caches are named by HF_ENDPOINT and HF_HOME; the folder has to be a fresh one, because `datasets` falls
back to what it has loaded before if loading fails. The argument says what to count, as JSON:
{repo: {"column": …, "keys": [all of them], "few": [those to load one at a time]}}. Standard output answers, as JSON:
{"rows": {repo: {reader: {key: rows}}}, "foreign_hosts": [hosts other than the Hub that a reader asked for]}.

Rows are counted by the value of the partition column inside the files, so that a row in the wrong file shows.
"""

import json
import os
import socket
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

ENDPOINT = os.environ["HF_ENDPOINT"]
HUB = urlsplit(ENDPOINT).hostname or ""
VIEWER = f"datasets-server.{HUB}"
STREAMED_AT_ONCE = 1_000

Rows = dict[str, int]


def main() -> None:
    """Answer the question that is the argument."""
    foreign_hosts = stay_on_loopback()
    rows = {repo: count_rows(repo, **question) for repo, question in json.loads(sys.argv[1]).items()}
    json.dump({"rows": rows, "foreign_hosts": sorted(set(foreign_hosts))}, sys.stdout)


def stay_on_loopback() -> list[str]:
    """Let Python reach the Hub and its viewer alone; the list that is returned gets all other hosts asked for."""
    foreign_hosts: list[str] = []
    look_up = socket.getaddrinfo

    def look_up_ours(host: Any, *arguments: Any, **more: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else str(host)
        if name not in (HUB, VIEWER):
            foreign_hosts.append(name)
            raise socket.gaierror(socket.EAI_NONAME, f"{name} is not on this machine")
        return look_up(HUB, *arguments, **more)

    socket.getaddrinfo = look_up_ours
    return foreign_hosts


def count_rows(repo: str, column: str, keys: list[str], few: list[str]) -> Mapping[str, Rows]:
    """What each reader finds in a repo."""
    return {
        "datasets": with_datasets(repo, column, few),
        "polars over HfFileSystem": with_polars_over_filesystem(repo, column),
        "polars over http": with_polars_over_http(repo, column),
        "duckdb": with_duckdb(repo, column),
        "pandas": with_pandas(repo, column, keys),
        "snapshot_download": with_snapshots(repo, column, few),
    }


def with_datasets(repo: str, column: str, few: Iterable[str]) -> Rows:
    """Everything, as `all/key` and `stream/key`; a few keys alone; the default of those as `default/key`."""
    import datasets  # type: ignore[import-not-found]

    datasets.disable_progress_bars()

    everything = f"{column}=*/*.parquet"

    def load(kind: str, *config: str, **more: str) -> Rows:
        table = datasets.load_dataset(repo, *config, split="train", **more).with_format("arrow")[:]
        return {f"{kind}{key}": number for key, number in counted(table[column]).items()}

    rows = load("all/", data_files=everything)
    stream = datasets.load_dataset(repo, data_files=everything, split="train", streaming=True).with_format("arrow")
    for batch in stream.iter(STREAMED_AT_ONCE):
        add(rows, {f"stream/{key}": number for key, number in counted(batch[column]).items()})
    for key in few:
        rows |= load("", key)
    return rows | load("default/") if few else rows


def with_polars_over_filesystem(repo: str, column: str) -> Rows:
    """Every file through huggingface_hub's file system."""
    import polars as pl
    from huggingface_hub import HfFileSystem

    filesystem = HfFileSystem(endpoint=ENDPOINT)
    rows: Rows = {}
    for path in files_of(repo, column):
        with filesystem.open(path) as file:
            add(rows, dict(pl.read_parquet(file, columns=[column]).group_by(column).len().iter_rows()))
    return rows


def with_polars_over_http(repo: str, column: str) -> Rows:
    """All files in one scan, by their addresses: polars asks for byte ranges."""
    import polars as pl

    folder = f"{ENDPOINT}/datasets/{repo}/resolve/main"
    addresses = [f"{folder}/{quote(path.removeprefix(f'datasets/{repo}/'))}" for path in files_of(repo, column)]
    return dict(pl.scan_parquet(addresses, hive_partitioning=False).group_by(column).len().collect().iter_rows())


def with_duckdb(repo: str, column: str) -> Rows:
    """All files by one glob, through huggingface_hub's file system."""
    import duckdb  # type: ignore[import-not-found]
    from huggingface_hub import HfFileSystem

    home = os.environ["HF_HOME"]
    with duckdb.connect(config={"autoinstall_known_extensions": False, "home_directory": home}) as connection:
        connection.register_filesystem(HfFileSystem(endpoint=ENDPOINT))
        # by itself DuckDB takes the value from the path, whatever the file says
        files = f"read_parquet('hf://datasets/{repo}/{column}=*/*.parquet', hive_partitioning = false)"
        found = connection.execute(f"SELECT {column}, count(*) FROM {files} GROUP BY ALL").fetchall()  # noqa: S608
    return dict(found)


def with_pandas(repo: str, column: str, keys: Iterable[str]) -> Rows:
    """The folder of every key, by its `hf://` address."""
    import pandas as pd  # type: ignore[import-untyped]

    rows: Rows = {}
    for key in keys:
        frame = pd.read_parquet(f"hf://datasets/{repo}/{column}={key}", columns=[column], partitioning=None)
        add(rows, {str(name): int(number) for name, number in frame[column].value_counts().items()})
    return rows


def with_snapshots(repo: str, column: str, few: Iterable[str]) -> Rows:
    """The files of one key at a time, downloaded into a folder of its own."""
    import pyarrow.parquet as pq
    from huggingface_hub import snapshot_download

    rows: Rows = {}
    for key in few:
        cache = Path(os.environ["HF_HOME"], "snapshots", key)
        folder = snapshot_download(repo, repo_type="dataset", cache_dir=cache, allow_patterns=f"{column}={key}/*")
        for path in Path(folder).rglob("*.parquet"):
            add(rows, counted(pq.ParquetFile(path).read([column])[column]))
    return rows


def files_of(repo: str, column: str) -> list[str]:
    """The data files of a repo, as paths of huggingface_hub's file system."""
    from huggingface_hub import HfFileSystem

    return [str(path) for path in HfFileSystem(endpoint=ENDPOINT).glob(f"datasets/{repo}/{column}=*/*.parquet")]


def counted(column: Any) -> Rows:
    """How often each value stands in a pyarrow column."""
    return {pair["values"]: pair["counts"] for pair in column.value_counts().to_pylist()}


def add(rows: Rows, more: Rows) -> None:
    """Add rows of keys to those counted already."""
    for key, number in more.items():
        rows[key] = rows.get(key, 0) + number


if __name__ == "__main__":
    main()
