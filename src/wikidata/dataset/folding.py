"""Folding: the rows of several chunks of a key as one file, `language=en/chunk_0-15.parquet`, chunk after chunk.

The same rows, in the same order, with the same columns and types as in the packed files. A row group of some size is
kept as it is, so that its bytes are those of the packed file, and a store that deduplicates has them already; smaller
ones are put together, since there is little to save, and readers gain. Memory holds a row group of each key that is
being folded, never a whole key.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from wikidata.config import Table
from wikidata.dataset.bundles import Bundle
from wikidata.dataset.footers import FooterReader, difference
from wikidata.dataset.packing import PACK_THREADS
from wikidata.dataset.reading import compare, read_now_if_small, row_groups_of, taken
from wikidata.dataset.writing import PACKED_ROW_GROUP_BYTES, PACKED_ROW_GROUP_ROWS, Encoders, write_parquet
from wikidata.errors import ChangedError, ManifestError, StagingError, first_line
from wikidata.names import incoming_path

KEPT_ROW_GROUP_BYTES = 4 << 20
"""In memory, about 1 MB compressed: from this size on, Xet can find nine tenths of a row group again (see DESIGN)."""
DOWNLOADS_AT_ONCE = 8


class Segment(NamedTuple):
    """The rows of a chunk in a file, as in a row of the manifest of several chunks."""

    path: str
    size_bytes: int
    sha256: str
    chunk: int
    first_row: int
    rows: int
    sources_sha256: str

    def follows(self, other: "Segment") -> bool:
        """Whether its rows come after those of the other in the same file."""
        return self.path == other.path and self.first_row == other.first_row + other.rows


class Local(NamedTuple):
    """The partition files of a chunk and key, below a folder here."""

    chunk: int
    folder: Path
    bundle: Bundle


@dataclass(frozen=True)
class Folded:
    """A file to be made: its path in the repo, and the rows of each chunk in it, in the order of the chunks.

    They come from partition files here, or are those of a file on the Hub.
    """

    path: str
    parts: tuple[Local | Segment, ...]

    @property
    def rows(self) -> int:
        """The rows that it will have."""
        return sum(_facts(part)[1] for part in self.parts)

    @property
    def size_bytes(self) -> int:
        """About how large it will be: for a part of a file, the size of the whole file."""
        sizes = {_place(part): _size(part) for part in self.parts}
        return sum(sizes.values())


Fetch = Callable[[Segment, Path], Path]
"""Brings the file of a segment into a folder, compares it with its manifest, and returns where it lies."""


def fold(
    files: Sequence[Folded],
    table: Table,
    schema: pa.Schema,
    folder: Path,
    fetch: Fetch,
    is_stopped: Callable[[], bool],
) -> list[Segment]:
    """Write files below `folder`, at the paths that they are sent to; returns what is in them, file after file.

    Raises ManifestError if a source has other columns or another number of rows than it had, ChangedError if partition
    files are no longer what they were, StagingError if there is no room or if it `is_stopped`, and whatever `fetch`
    raises.
    """

    changed: list[ChangedError] = []

    def fold_one(file: Folded) -> list[Segment]:
        if is_stopped():
            raise StagingError("folding was stopped")
        try:
            return _fold(file, table, schema, folder, fetch, downloads, encoders)
        except ChangedError as error:  # told when all are known
            changed.extend([error, *_changes(file, table)])
            return []

    with (
        Encoders() as encoders,
        ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as downloads,
        ThreadPoolExecutor(PACK_THREADS) as pool,
    ):
        try:
            made = list(pool.map(fold_one, files))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    if changed:
        raise ChangedError(str(changed[0]), {chunk for error in changed for chunk in error.chunks})
    return [segment for each in made for segment in each]


def _fold(
    file: Folded,
    table: Table,
    schema: pa.Schema,
    folder: Path,
    fetch: Fetch,
    downloads: ThreadPoolExecutor,
    encoders: Encoders,
) -> list[Segment]:
    target = folder / incoming_path(file.path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder) as place:
            remote = {part.path: part for part in file.parts if isinstance(part, Segment)}
            fetched = downloads.map(lambda each: fetch(each, Path(place)), remote.values())
            copies = dict(zip(remote, fetched, strict=True))
            groups = (group for part in _joined(file.parts) for group in _checked(part, copies, table, schema))
            row_groups = read_now_if_small(_regrouped(groups), file.size_bytes)
            size_bytes, digest, rows = write_parquet(target, row_groups, schema, encoders)
    except OSError as error:
        raise StagingError(f"staging: cannot write {target}: {error.strerror or error}: make room") from error
    found = FooterReader()(str(target))
    if not found.rows == rows == file.rows or not found.schema.equals(schema):
        raise ManifestError(f"{table}: {file.path} has {found.rows} rows, its parts had {file.rows}: fold again")
    return _segments(file, size_bytes, digest)


def _changes(file: Folded, table: Table) -> Iterator[ChangedError]:
    """What is wrong with each chunk of a file whose partition files are no longer what they were."""
    for part in file.parts:
        if isinstance(part, Local):
            try:
                compare(part.bundle, part.folder, table)
            except ChangedError as error:
                yield error


def _segments(file: Folded, size_bytes: int, digest: str) -> list[Segment]:
    segments, first_row = [], 0
    for chunk, rows, sources_sha256 in map(_facts, file.parts):
        segments.append(Segment(file.path, size_bytes, digest, chunk, first_row, rows, sources_sha256))
        first_row += rows
    return segments


def _joined(parts: Iterable[Local | Segment]) -> list[list[Local] | Segment]:
    """The same, with what is read at once as one: partition files here, and segments that follow each other in a file.

    So no row group is read twice.
    """
    joined: list[list[Local] | Segment] = []
    for part in parts:
        last = joined[-1] if joined else None
        if isinstance(part, Segment) and isinstance(last, Segment) and part.follows(last):
            joined[-1] = last._replace(rows=last.rows + part.rows)
        elif isinstance(part, Local) and isinstance(last, list) and part.folder == last[0].folder:
            last.append(part)
        else:
            joined.append([part] if isinstance(part, Local) else part)
    return joined


def _facts(part: Local | Segment) -> tuple[int, int, str]:
    """Chunk, rows, and the digest of what they were made from."""
    if isinstance(part, Local):
        return part.chunk, part.bundle.rows, part.bundle.sources_sha256
    return part.chunk, part.rows, part.sources_sha256


def _place(part: Local | Segment) -> str:
    return f"{part.folder}/{part.bundle.path}" if isinstance(part, Local) else part.path


def _size(part: Local | Segment) -> int:
    return part.bundle.size_bytes if isinstance(part, Local) else part.size_bytes


def _checked(
    part: list[Local] | Segment, copies: dict[str, Path], table: Table, schema: pa.Schema
) -> Iterator[pa.Table]:
    """The row groups of a part, as many rows as it is known to have."""
    if isinstance(part, Segment):
        groups, wanted = _rows_of(copies[part.path], part, table, schema), part.rows
    else:
        bundles = [each.bundle for each in part]
        groups = row_groups_of(bundles, part[0].folder, table, schema)
        wanted = sum(each.rows for each in bundles)
    rows = 0
    for group in groups:
        rows += group.num_rows
        yield group
    if rows != wanted and isinstance(part, Segment):
        what = f"{part.path} has {rows} rows from chunk {part.chunk} on, not {wanted}"
        raise ManifestError(f"{table}: {what}: make verify")
    if rows != wanted:
        what = f"{table}: the partition files from {bundles[0].sources[0]} on have {rows} rows, not {wanted}"
        if bundles[0].joined_sha256:
            raise ChangedError(what, {each.chunk for each in bundles})
        raise ManifestError(f"{what}: push again")


def _rows_of(copy: Path, segment: Segment, table: Table, schema: pa.Schema) -> Iterator[pa.Table]:
    """The rows of a segment, in the row groups of its file."""
    try:
        with pq.ParquetFile(copy, pre_buffer=False) as file:
            if unlike := difference(file.schema_arrow.remove_metadata(), schema):
                raise ManifestError(f"{table}: {segment.path} {unlike} the other files of its repo")
            start = 0
            for index in range(file.metadata.num_row_groups):
                end = start + file.metadata.row_group(index).num_rows
                first, last = max(segment.first_row, start), min(segment.first_row + segment.rows, end)
                if first < last:
                    group = file.read_row_group(index, use_threads=False).replace_schema_metadata(None)
                    yield group.slice(first - start, last - first)
                start = end
    except (pa.ArrowException, OSError) as error:
        raise ManifestError(f"{table}: {segment.path} cannot be read as Parquet: {first_line(error)}") from error


def _regrouped(groups: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Keep row groups of some size; put smaller ones that follow each other together until they make one."""
    held: list[pa.Table] = []
    size_bytes = rows = 0
    for group in groups:
        is_kept = group.nbytes >= KEPT_ROW_GROUP_BYTES
        is_full = size_bytes + group.nbytes > PACKED_ROW_GROUP_BYTES or rows + group.num_rows > PACKED_ROW_GROUP_ROWS
        if held and (is_kept or is_full):
            yield taken(held)
            size_bytes = rows = 0
        if is_kept:
            yield group
        else:
            held.append(group)
            size_bytes, rows = size_bytes + group.nbytes, rows + group.num_rows
    if rows:
        yield taken(held)
