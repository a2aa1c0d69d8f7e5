"""The real chunks, which of them a rehearsal has, and the order in which their parts are ready."""

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random

from wikidata.names import Source

CHUNK_SIZES = Path(__file__).with_name("chunk_sizes.csv")
"""The number of parts of every chunk of the dataset philippesaade/wikidata on the Hugging Face Hub."""

QUICK_CHUNKS = (16, 112, 10, 106, 7, 78, 8, 80, 9, 92)
"""One of 140 parts, the smallest, and pairs of which one's number begins with the other's."""

OPEN_CHUNKS = 5
"""Chunks that the pipeline works on at the same time, so that files of unfinished ones always lie about."""


def read_sizes(is_quick: bool = False) -> dict[int, int]:
    """The number of parts of each of the 113 chunks, or of QUICK_CHUNKS alone."""
    with CHUNK_SIZES.open(newline="") as file:
        sizes = {int(row["chunk"]): int(row["parts"]) for row in csv.DictReader(file)}
    return {chunk: parts for chunk, parts in sizes.items() if not is_quick or chunk in QUICK_CHUNKS}


def in_random_order(sizes: Mapping[int, int], seed: int) -> Iterator[Source]:
    """Every part of every chunk once; OPEN_CHUNKS chunks at any time are begun and not finished, if there are any."""
    chance = seeded(seed, "order")
    waiting = chance.sample(sorted(sizes), len(sizes))
    begun: list[list[Source]] = []
    while waiting or begun:
        while waiting and len(begun) < OPEN_CHUNKS:
            chunk = waiting.pop()
            parts = [Source(chunk, part, sizes[chunk]) for part in range(sizes[chunk])]
            begun.append(chance.sample(parts, len(parts)))
        parts = chance.choice(begun)
        yield parts.pop()
        if not parts:
            begun.remove(parts)


def seeded(seed: int, *purpose: object) -> Random:
    """Random numbers that are the same for the same seed and purpose."""
    return Random(f"{seed} {purpose}")  # noqa: S311 - nothing here is a secret
