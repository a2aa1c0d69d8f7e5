"""The real chunks, which of them a rehearsal has, and the order in which their parts are ready."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random

from scripts.sample.source_files import SourceFile

CHUNK_SIZES = Path(__file__).with_name("chunk_sizes.csv")
"""The number of parts of every chunk of the dataset philippesaade/wikidata on the Hugging Face Hub."""

QUICK_CHUNKS = (16, 112, 10, 106, 7, 78, 8, 80, 9, 92)
"""One of 140 parts, the smallest, and pairs of which one's number begins with the other's."""

OPEN_CHUNKS = 5
"""Chunks that the pipeline works on at the same time, so that files of unfinished ones always lie about."""


def read_sizes() -> dict[int, int]:
    """The number of parts of each of the 113 chunks."""
    with CHUNK_SIZES.open(newline="") as file:
        return {int(row["chunk"]): int(row["parts"]) for row in csv.DictReader(file)}


def choose(sizes: Mapping[int, int], count: int | None, is_quick: bool, seed: int) -> dict[int, int]:
    """The chunks of a rehearsal: `count` random ones, else those of QUICK_CHUNKS, else all."""
    chosen: Sequence[int] = QUICK_CHUNKS if is_quick else list(sizes)
    if count is not None:
        chosen = seeded(seed, "chunks").sample(sorted(sizes), count)
    return {chunk: sizes[chunk] for chunk in sorted(chosen)}


def in_random_order(sizes: Mapping[int, int], seed: int) -> Iterator[SourceFile]:
    """Every part of every chunk once; OPEN_CHUNKS chunks at any time are begun and not finished, if there are any."""
    chance = seeded(seed, "order")
    waiting = chance.sample(sorted(sizes), len(sizes))
    begun: list[list[SourceFile]] = []
    while waiting or begun:
        while waiting and len(begun) < OPEN_CHUNKS:
            chunk = waiting.pop()
            parts = [SourceFile(chunk, part, sizes[chunk]) for part in range(sizes[chunk])]
            begun.append(chance.sample(parts, len(parts)))
        parts = chance.choice(begun)
        yield parts.pop()
        if not parts:
            begun.remove(parts)


def seeded(seed: int, *purpose: object) -> Random:
    """Random numbers that are the same for the same seed and purpose."""
    return Random(f"{seed} {purpose}")  # noqa: S311 - nothing here is a secret
