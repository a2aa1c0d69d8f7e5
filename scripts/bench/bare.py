"""The same facts by the shortest means: `python -m scripts.bench.bare facts|keys|state FOLDER`, see `stopwatch.py`."""

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl

from scripts.bench.stopwatch import main
from wikidata.config import Table


def prepare_facts(pipeline: Path) -> Callable[[], object]:
    """Size, sha256 and rows of every partition file of all tables."""
    return lambda: [facts_of(pipeline / "results" / table) for table in Table]


def facts_of(folder: Path) -> tuple[list[tuple[str, int, str]], pl.DataFrame]:
    """Path, size and sha256 of every file, and a frame with the rows of each."""
    facts = [(path, os.stat(path).st_size, sha256_of(path)) for path in walk(folder)]
    paths = [path for path, _, _ in facts]
    # One scan a table: the tables have different columns.
    scan = pl.scan_parquet(paths, glob=False, hive_partitioning=False, include_file_paths="path")
    return facts, scan.group_by("path").len().collect()


def walk(folder: Path) -> Iterator[str]:
    """Every file below a folder."""
    for parent, _, names in os.walk(folder):
        yield from (f"{parent}/{name}" for name in names)


def sha256_of(path: str) -> str:
    """The sha256 of a file."""
    with open(path, "rb", buffering=0) as file:
        return hashlib.sha256(file.read()).hexdigest()


def prepare_keys(pipeline: Path) -> Callable[[], object]:
    """All rows of one table, key by key."""
    folders = sorted((pipeline / "results" / Table.LABELS).iterdir())
    return lambda: [pl.read_parquet(f"{folder}/*.parquet", hive_partitioning=False).height for folder in folders]


def prepare_state(pipeline: Path) -> Callable[[], object]:
    """All state files, as polars reads them by itself."""
    return lambda: pl.read_ndjson(pipeline / "state" / "*.jsonl")


if __name__ == "__main__":
    main({"facts": prepare_facts, "keys": prepare_keys, "state": prepare_state})
