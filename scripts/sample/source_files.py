"""The folders below the root, and which files there belong to which chunk."""

import os
import re
from collections.abc import Collection
from pathlib import Path

STATE, RESULTS, AUDIT = "state", "results", "audit"

_OF_CHUNK = re.compile(r"chunk_([0-9]+)-.*\.(?:jsonl|parquet)")


class SampleError(ValueError):
    """The sample that was asked for cannot be made; the message is one line."""


def chunk_of(path: str) -> int | None:
    """The chunk that a file belongs to by its name; None if that is not the name of a chunk's file."""
    match = _OF_CHUNK.fullmatch(path.rpartition("/")[2])
    return int(match[1]) if match else None


def find_files(root: Path, chunks: Collection[int]) -> set[str]:
    """The paths, relative to `root`, of all state, result and audit files of `chunks`."""
    found: set[str] = set()
    for folder in (STATE, RESULTS, AUDIT):
        for parent, _, names in os.walk(root / folder):
            below = parent.removeprefix(f"{root}/")
            found.update(f"{below}/{name}" for name in names if chunk_of(name) in chunks)
    return found
