"""Names: source files, and the files below the root that are made of them."""

import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

STATE, RESULTS, AUDIT = "state", "results", "audit"

_OF_CHUNK = re.compile(r"chunk_([0-9]+)-.*\.(?:jsonl|parquet)")
_DEEPEST = 3
"""Folders that a file may lie in: results/{table}/{column}={key}."""


class SourceFile(NamedTuple):
    """A file of the dump; `parts` is the number of parts of its chunk."""

    chunk: int
    part: int
    parts: int

    @property
    def stem(self) -> str:
        """The name of its files without their extension."""
        return f"chunk_{self.chunk}-{self.part:05d}-of-{self.parts:05d}"


def find_files(root: Path, chunks: Collection[int]) -> Iterator[str]:
    """The paths, relative to `root`, of all state, result and audit files of `chunks`."""
    for folder in (STATE, RESULTS, AUDIT):
        if (root / folder).is_dir():
            yield from _walk(f"{root}/{folder}", folder, frozenset(chunks), 1)


def chunk_of(path: str) -> int | None:
    """The chunk that a file belongs to by its name; None where that is no name of a chunk's file."""
    match = _OF_CHUNK.fullmatch(path.rpartition("/")[2])
    return int(match[1]) if match else None


def _walk(folder: str, path: str, chunks: frozenset[int], depth: int) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if chunk_of(entry.name) in chunks:
                yield f"{path}/{entry.name}"
            elif depth < _DEEPEST and entry.is_dir():
                yield from _walk(entry.path, f"{path}/{entry.name}", chunks, depth + 1)
