"""How a table lies in its repo: the partition files as they are, or packed, one file per chunk and key.

Decisions only. What the Hub bears is in `limits.py`; what a repo has is looked up
there (`hub/client.py`), so the repo itself remembers its layout.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import ceil
from typing import NamedTuple

import polars as pl

from wikidata.config import Layout
from wikidata.dataset.survey import Partitions
from wikidata.errors import LayoutError
from wikidata.limits import (
    COMMITS_AN_HOUR,
    ENTRIES_A_FOLDER,
    FILE_BYTES,
    FILES_A_COMMIT,
    FILES_A_REPO,
    LARGEST_FILE_BYTES,
    VIEWER_ROW_GROUP_BYTES,
)
from wikidata.names import Source, one, packed_file, packed_path, parse_data_file, partition_file
from wikidata.state import summarize


@dataclass(frozen=True)
class Scale:
    """The finished dataset: how many parts each of its chunks has."""

    parts_of_chunk: Mapping[int, int]

    @property
    def chunks(self) -> int:
        """How many chunks there are."""
        return len(self.parts_of_chunk)

    @property
    def parts(self) -> int:
        """How many parts all chunks have."""
        return sum(self.parts_of_chunk.values())


def scale_of(state: pl.DataFrame) -> Scale:
    """How large the dataset is whose state files these are."""
    return Scale(dict(summarize(state).select("chunk", pl.max_horizontal("parts", "files")).iter_rows()))


class Extent(NamedTuple):
    """What a layout comes to when every chunk is published: files in the repo, entries in its fullest folder.

    The root is a folder too: it has one entry for each key.
    """

    files: int
    entries: int


def extents(partitions: Partitions, scale: Scale) -> dict[Layout, Extent]:
    """What each layout comes to, if the other chunks are like this one."""
    keys = partitions.files["key"].n_unique()
    fullest = int(partitions.files["key"].value_counts()["count"].max() or 0)  # type: ignore[arg-type]
    share = scale.parts / partitions.parts
    return {
        Layout.FILES: Extent(ceil(partitions.files.height * share), max(keys, ceil(fullest * share))),
        Layout.PACKED: Extent(keys * scale.chunks, max(keys, scale.chunks)),
    }


def choose(sizes: dict[Layout, Extent], scale: Scale) -> tuple[Layout, str]:
    """The layout of a repo that has none yet, and why: files, if the finished dataset stays within the limits."""
    files, packed = sizes[Layout.FILES], sizes[Layout.PACKED]
    fits = files.files <= FILES_A_REPO and files.entries <= ENTRIES_A_FOLDER
    layout = Layout.FILES if fits else Layout.PACKED
    size, other, how = (files, packed, "packed") if fits else (packed, files, "as they are")
    why = (
        f"layout {layout}: all {scale.chunks} chunks come to about {size.files:,} files a repo, {size.entries:,} in a "
        f"folder ({how}: {other.files:,} and {other.entries:,}); the Hub recommends {FILES_A_REPO:,} and allows "
        f"{ENTRIES_A_FOLDER:,}"
    )
    return layout, why


def settle(
    wish: Layout, there: Layout | None, sizes: dict[Layout, Extent], scale: Scale, repo_id: str
) -> tuple[Layout, str]:
    """The layout to push with, and why if that is news.

    Raises LayoutError if the repo has the other: a repo never has both.
    """
    if there is None:
        return choose(sizes, scale) if wish is Layout.AUTO else (wish, "")
    if wish not in (Layout.AUTO, there):
        raise LayoutError(
            f"{repo_id} has the layout {there}, and LAYOUT={wish} would mix the two: leave LAYOUT unset; or, for every "
            f"pushed chunk, make prune CHUNK=… LAYOUT={wish} YES=1, then push it again"
        )
    return there, ""


def check_limits(layout: Layout, size: Extent, partitions: Partitions, repo_id: str) -> dict[str, str]:
    """Warnings about recommendations of the Hub that would not be kept: what each is about, and a line.

    Raises LayoutError if a hard limit would be broken.
    """
    if size.entries > ENTRIES_A_FOLDER:
        raise LayoutError(
            f"{repo_id} would have {size.entries:,} files in a folder, the Hub allows {ENTRIES_A_FOLDER:,}: "
            "use LAYOUT=packed"
        )
    warnings = {}
    if size.files > FILES_A_REPO:
        warnings["files"] = f"{repo_id} would have {size.files:,} files, the Hub recommends {FILES_A_REPO:,} at most"
    row_group_bytes, path = partitions.row_group
    if layout is Layout.FILES and row_group_bytes > VIEWER_ROW_GROUP_BYTES:
        warnings["row groups"] = (
            f"{path} has a row group of {row_group_bytes >> 20:,} MiB, the Hub's viewer reads "
            f"{VIEWER_ROW_GROUP_BYTES >> 20} at most: LAYOUT=packed makes smaller ones"
        )
    return warnings


def check_upload(missing: pl.DataFrame, repo_id: str) -> dict[str, str]:
    """The same for the rows of a manifest that are about to be sent."""
    warnings = {}
    if missing.height:
        path, size_bytes = missing.sort("size_bytes").select("path", "size_bytes").row(-1)
        if size_bytes > LARGEST_FILE_BYTES:
            raise LayoutError(
                f"{path} has {size_bytes / 1e9:,.0f} GB, the Hub allows {LARGEST_FILE_BYTES / 1e9:.0f} a file"
            )
        if size_bytes > FILE_BYTES:
            warnings["large files"] = (
                f"{path} has {size_bytes / 1e9:,.0f} GB, the Hub recommends {FILE_BYTES / 1e9:.0f} at most"
            )
    commits = ceil(missing.height / FILES_A_COMMIT)
    if commits > COMMITS_AN_HOUR:
        warnings["commits"] = (
            f"{repo_id} needs about {commits:,} commits for {missing.height:,} files, the Hub allows about "
            f"{COMMITS_AN_HOUR} an hour: this will take several runs"
        )
    return warnings


def paths_of(layout: Layout, partitions: Partitions) -> list[str]:
    """The paths that a chunk's files have in a repo with this layout, sorted."""
    if layout is Layout.FILES:
        return partitions.files["path"].to_list()
    keys = partitions.files["key"].unique()
    return sorted(packed_path(partitions.table, key, one(partitions.chunk)) for key in keys)


def possible_orphans(
    layout: Layout, chunk: int, parts: int, produced: Iterable[str], folders: Iterable[str]
) -> list[str]:
    """Paths that files of the chunk would have on the Hub if they were produced once and are no longer.

    `folders` are those of the repo, `language=en`. So orphans are found without listing the whole repo: those of a key
    that is gone, and of a part that was split into more files.
    """
    if layout is Layout.PACKED:
        return sorted({f"{folder}/{packed_file(one(chunk))}" for folder in folders} - set(produced))
    splits: defaultdict[tuple[str, int], set[int]] = defaultdict(set)
    for path in produced:
        if (file := parse_data_file(path)) and file.source:
            splits[file.folder, file.source.part].add(file.split or 0)
    orphans = []
    for folder in sorted({*folders, *(folder for folder, _ in splits)}):
        for part in range(parts):
            there = splits[folder, part]
            orphans += [
                f"{folder}/{partition_file(Source(chunk, part, parts), split)}"
                for split in range(max(there, default=-1) + 2)
                if split not in there
            ]
    return orphans
