"""What must hold at the end. Every check gives one line for each thing that does not."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import PurePosixPath

import polars as pl

from localhub.faults import Quota
from scripts.rehearsal.remote import Listing
from wikidata.config import Layout
from wikidata.names import REMOTE_COLUMNS, block_of_remote_manifest, one, remote_manifest
from wikidata.state import Step

FILES_A_REPO = 100_000
ENTRIES_A_FOLDER = 10_000
BYTES_A_FILE = 200 * 1000**3
"""The Hub's limits (huggingface.co/docs/hub/storage-limits): the first and the last are advice, the second is hard."""


def check_steps(state: pl.DataFrame, sizes: dict[int, int]) -> Iterator[str]:
    """Every part of every chunk is at PUSH."""
    at_push = Counter(state.filter(pl.col("step") == Step.PUSH)["chunk"].to_list())
    if late := [chunk for chunk, parts in sizes.items() if at_push[chunk] != parts]:
        yield f"state: {len(late)} of {len(sizes)} chunks are not at PUSH, such as chunk {late[0]}"
    if state.height != sum(sizes.values()):
        yield f"state: {state.height} state files, not {sum(sizes.values())}"


def check_listing(repo: str, listing: Listing, chunks: Collection[int]) -> Iterator[str]:
    """A repo stays within the Hub's limits, and has nothing but these chunks, in one layout."""
    if len(listing.sizes) > FILES_A_REPO:
        yield f"{repo}: {len(listing.sizes):,} files, and the Hub advises at most {FILES_A_REPO:,}"
    folders = {str(folder) for path in listing.sizes for folder in PurePosixPath(path).parents} - {"."}
    inside = Counter(path.rpartition("/")[0] for path in folders.union(listing.sizes))
    for folder, entries in inside.items():
        if entries > ENTRIES_A_FOLDER:
            yield f"{repo}/{folder}: {entries:,} entries, and the Hub takes at most {ENTRIES_A_FOLDER:,}"
    for path, size_bytes in listing.sizes.items():
        if size_bytes > BYTES_A_FILE:
            yield f"{repo}/{path}: {size_bytes:,} bytes, and the Hub advises at most {BYTES_A_FILE:,}"
    if len(listing.layouts) > 1:
        yield f"{repo}: has both layouts, {' and '.join(sorted(listing.layouts))}"
    foreign = (files[0][0] for block, files in listing.blocks.items() if not set(_chunks(block)) <= set(chunks))
    if unknown := [*listing.unknown, *foreign]:
        yield f"{repo}: {len(unknown)} files or chunks that nobody made, such as {unknown[0]}"
    yield from check_names(repo, listing)
    yield from check_folded(repo, listing)
    recorded = Counter(chunk for path in listing.records for chunk in _recorded(path))
    wrong = {remote_manifest(one(chunk)) for chunk in {*chunks, *recorded} if recorded[chunk] != (chunk in chunks)}
    if lacking := wrong | ({REMOTE_COLUMNS} - set(listing.records)):
        yield f"{repo}: {len(lacking)} records are missing or too many, such as {min(lacking)}"


def _chunks(block: tuple[int, int]) -> range:
    return range(block[0], block[1] + 1)


def _recorded(path: str) -> range:
    block = block_of_remote_manifest(path)
    return block.chunks if block else range(0)


def check_names(where: str, listing: Listing) -> Iterator[str]:
    """If files are packed, each chunk of a key is in one of them."""
    for key, block, (first, _) in _neighbours(listing):
        if first <= block[1]:
            yield f"{where}: chunk {first} of {key} is in two files"


def check_folded(repo: str, listing: Listing) -> Iterator[str]:
    """Nothing is left to be folded."""
    for key, block, (first, _) in _neighbours(listing):
        if first == block[1] + 1:
            yield f"{repo}: chunks {block[1]} and {first} of {key} are not folded"


def _neighbours(listing: Listing) -> Iterator[tuple[str, tuple[int, int], tuple[int, int]]]:
    """The packed or folded files of each key that follow each other, by their first and last chunks."""
    blocks_of_key: dict[str, list[tuple[int, int]]] = {}
    if Layout.PACKED in listing.layouts:
        for block, files in sorted(listing.blocks.items()):
            for _, key in files:
                blocks_of_key.setdefault(key, []).append(block)
    for key, blocks in blocks_of_key.items():
        for block, following in pairwise(blocks):
            yield key, block, following


def check_rows(where: str, expected: pl.DataFrame, found: pl.DataFrame) -> Iterator[str]:
    """Every expected row, by `key` and `id`, was found exactly once, with the same `digest`, and no other was."""
    row = ["key", "id"]
    faults = {
        "are missing": expected.join(found, on=row, how="anti"),
        "are there that nobody made": found.join(expected, on=row, how="anti"),
        "are there more than once": found.filter(pl.struct(row).is_duplicated()),
        "have other columns or values": found.join(expected, on=row).filter(pl.col("digest") != pl.col("digest_right")),
    }
    for fault, rows in faults.items():
        if rows.height:
            key, id_ = rows.select(row).row(0)
            yield f"{where}: {rows.height:,} rows {fault}, such as {id_} of {key}"


def check_commits(dates: Sequence[str], quota: Quota) -> Iterator[str]:
    """The commits that landed, by their dates, never exceeded the quota."""
    most = most_within(dates, quota.window_seconds)
    if most > quota.commits:
        yield f"{most} commits landed within {quota.window_seconds:g} seconds, and the quota is {quota.commits}"


def most_within(dates: Sequence[str], window_seconds: float) -> int:
    """The most of these dates in any window; one second shorter, as the server's own clock is another."""
    times = sorted(datetime.fromisoformat(date) for date in dates)
    window = timedelta(seconds=window_seconds - 1)
    first = most = 0
    for last, time in enumerate(times):
        while time - times[first] >= window:
            first += 1
        most = max(most, last - first + 1)
    return most
