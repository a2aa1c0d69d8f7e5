"""What a table of a chunk consists of on the Hub, written down.

A manifest is a CSV file, `manifests/chunk_3/labels.csv`, with one row per published file, sorted by path: `path` (in
the repo, `language=en/chunk_3-00001-of-00064.parquet`), `size_bytes`, `sha256` (of the content, as hex), `rows`.
Everything that a push uploads, looks for and proves is read from it.

If the files are packed, a fifth column `sources_sha256` tells what each was made from, in one digest; the partition
files themselves stand beside it, in `labels.sources.csv`: `path` (the packed file), `source`, `size_bytes`, `sha256`,
`rows`.

The manifest of several chunks, `manifests/chunk_0-15/labels.csv`, which a fold makes, has a row for each file and
chunk, sorted by both: `path`, `size_bytes`, `sha256` of the file; `chunk`, and of its rows in that file the place of
the first, `first_row`, the number, `rows`, and the digest of what they were made from, `sources_sha256`.
"""

import hashlib
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import polars as pl

from wikidata.config import Table
from wikidata.errors import DiskError, ManifestError, first_line
from wikidata.names import Block, data_files_of, key_of, one, parse_data_file
from wikidata.system.files import make_private_folder, write_atomically

SCHEMA = {"path": pl.String, "size_bytes": pl.Int64, "sha256": pl.String, "rows": pl.Int64}
PACKED_SCHEMA = SCHEMA | {"sources_sha256": pl.String}
SOURCES_SCHEMA = {
    "path": pl.String,
    "source": pl.String,
    "size_bytes": pl.Int64,
    "sha256": pl.String,
    "rows": pl.Int64,
}
FOLDED_SCHEMA = {
    "path": pl.String,
    "size_bytes": pl.Int64,
    "sha256": pl.String,
    "chunk": pl.Int64,
    "first_row": pl.Int64,
    "rows": pl.Int64,
    "sources_sha256": pl.String,
}


_SOURCES_AT_ONCE_BYTES = 1 << 20


@dataclass(frozen=True)
class Manifest:
    """The files that a chunk, or a block of chunks, of one table consists of.

    `files` has the columns of SCHEMA or PACKED_SCHEMA, sorted by path. `folder` is the local folder that the paths are
    relative to. `folded` is the frame of FOLDED_SCHEMA that a manifest of several chunks is; None if it is of one.
    `sources` is the frame of SOURCES_SCHEMA that `labels.sources.csv` is; None if the files are not packed, or it was
    not read. `written` is the content of the file that this was read from, if it was.
    """

    block: Block
    table: Table
    folder: Path
    files: pl.DataFrame
    folded: pl.DataFrame | None = None
    sources: pl.DataFrame | None = None
    written: bytes | None = field(default=None, repr=False)

    @property
    def size_bytes(self) -> int:
        """The bytes of all files together."""
        return int(self.files["size_bytes"].sum())

    @property
    def rows(self) -> int:
        """The rows of all files together."""
        return int(self.files["rows"].sum())

    @cached_property
    def content(self) -> bytes:
        """The manifest file's content; equal files give equal bytes."""
        frame = self.files if self.folded is None else self.folded
        return _encode(frame) if self.written is None else self.written

    @cached_property
    def digest(self) -> str:
        """The sha256 of the manifest file, as hex: what a receipt vouches for."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def segments(self) -> pl.DataFrame | None:
        """Which rows of which file are whose: a frame of FOLDED_SCHEMA; None if the files are not packed."""
        if self.folded is not None or "sources_sha256" not in self.files.columns:
            return self.folded
        whole = self.files.with_columns(chunk=pl.lit(self.block.first, pl.Int64), first_row=pl.lit(0, pl.Int64))
        return whole.select(list(FOLDED_SCHEMA))


def folded_manifest(block: Block, table: Table, folder: Path, segments: pl.DataFrame) -> Manifest:
    """The manifest of several chunks, from a frame of FOLDED_SCHEMA in any order."""
    folded = segments.sort("path", "chunk")
    return Manifest(block, table, folder, files_of(folded), folded)


def files_of(folded: pl.DataFrame) -> pl.DataFrame:
    """The files of a sorted frame of FOLDED_SCHEMA: a frame of SCHEMA."""
    facts = pl.col("size_bytes", "sha256").first()
    return folded.group_by("path", maintain_order=True).agg(facts, pl.col("rows").sum()).select(list(SCHEMA))


def manifest_path(manifest_dir: Path, block: Block, table: Table) -> Path:
    """Where the manifest of a table of some chunks lies."""
    return manifest_dir / block.name / f"{table}.csv"


def sources_path(manifest_dir: Path, block: Block, table: Table) -> Path:
    """Where the list of what the packed files were made from lies."""
    return manifest_dir / block.name / f"{table}.sources.csv"


def is_packed(manifest_dir: Path, block: Block, table: Table) -> bool:
    """Whether the recorded manifest of a table of some chunks is one of packed files, by its header line."""
    try:
        with manifest_path(manifest_dir, block, table).open() as file:
            return "sources_sha256" in file.readline()
    except (OSError, ValueError):
        return False


def file_digest(path: Path) -> str | None:
    """The sha256 of a written manifest, as hex; None if there is none."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DiskError(f"cannot read {path}: {error.strerror}: mend its permissions") from error


def write_manifest(manifest_dir: Path, manifest: Manifest) -> None:
    """Write the manifest atomically, unless it is there already as it is; its sources before. Raises DiskError."""
    sources = sources_path(manifest_dir, manifest.block, manifest.table)
    if manifest.sources is not None:
        _write_changed(sources, _encode(manifest.sources))
    _write_changed(manifest_path(manifest_dir, manifest.block, manifest.table), manifest.content)
    if manifest.sources is None:
        try:
            sources.unlink(missing_ok=True)
        except OSError as error:
            raise DiskError(f"cannot remove {sources}: {error.strerror}: mend its permissions") from error


def read_manifest(manifest_dir: Path, block: Block, table: Table, folder: Path) -> Manifest:
    """Read a manifest back, without its sources; `folder` is what its paths are relative to.

    Raises ManifestError if there is none or if it is damaged.
    """
    path = manifest_path(manifest_dir, block, table)
    push = f"run make push CHUNK={block.first}"
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise ManifestError(f"{table}: {block} has no manifest: {push}") from None
    except OSError as error:
        raise ManifestError(f"{table}: {path} cannot be read: {error.strerror}: mend its permissions") from error
    try:
        return parse_manifest(content, block, table, folder)
    except ManifestError as error:
        raise ManifestError(f"{table}: {path} is damaged: {push} ({error})") from error


def read_sources(manifest_dir: Path, chunks: Iterable[int], table: Table) -> Iterator[pl.DataFrame]:
    """What the packed files of chunks were made from, as far as it is known, in frames of SOURCES_SCHEMA.

    Small files are read together, since each read takes a millisecond; of large ones, one is in memory at a time.
    """
    held: list[Path] = []
    size_bytes = 0
    for path in (sources_path(manifest_dir, one(chunk), table) for chunk in chunks):
        try:
            size_bytes += path.stat().st_size
        except OSError:
            continue
        held.append(path)
        if size_bytes > _SOURCES_AT_ONCE_BYTES:
            yield from _read_sources(held)
            held, size_bytes = [], 0
    yield from _read_sources(held)


def _read_sources(paths: list[Path]) -> Iterator[pl.DataFrame]:
    """The files that can be read, all in one frame if that is all of them."""
    try:
        frame = pl.read_csv(paths, schema_overrides=SOURCES_SCHEMA, glob=False) if paths else None
    except (OSError, pl.exceptions.PolarsError):
        frame = None
    if frame is not None and frame.schema == SOURCES_SCHEMA:
        yield frame
    elif len(paths) > 1:
        for path in paths:
            yield from _read_sources([path])


def find_manifest(manifest_dir: Path, block: Block, table: Table) -> Manifest | None:
    """The recorded manifest of a table of some chunks; None if there is none that can be read."""
    try:
        return read_manifest(manifest_dir, block, table, manifest_dir)
    except ManifestError:
        return None


def remove_manifest(manifest_dir: Path, block: Block, table: Table) -> None:
    """Remove the manifest of a table of some chunks, with its sources. Raises DiskError."""
    for path in (sources_path(manifest_dir, block, table), manifest_path(manifest_dir, block, table)):
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise DiskError(f"cannot remove {path}: {error.strerror}: mend its permissions") from error


def parse_manifest(content: bytes, block: Block, table: Table, folder: Path) -> Manifest:
    """The content of a manifest file as a manifest. Raises ManifestError with the reason if it is not one.

    Its rows must be sorted, and name data files of that table and those chunks.
    """
    try:
        frame = pl.read_csv(content, schema_overrides=FOLDED_SCHEMA)
    except pl.exceptions.PolarsError as error:
        raise ManifestError(first_line(error)) from error
    schemas = [SCHEMA, PACKED_SCHEMA] if block.is_one else [FOLDED_SCHEMA]
    if not any(frame.schema == schema for schema in schemas) or any(frame.null_count().row(0)):
        raise ManifestError("other columns, or empty cells")
    if block.is_one:
        _check_paths(frame, block, table)
    else:
        _check_folded(frame, block, table)
    digests = frame.select(pl.col("^.*sha256$").str.contains(r"^[0-9a-f]{64}$").all())
    if not all(digests.row(0)) or any((frame[name] < 0).any() for name in ("size_bytes", "rows")):
        raise ManifestError("a digest or a number of rows is not one")
    if block.is_one:
        return Manifest(block, table, folder, frame, written=content)
    return Manifest(block, table, folder, files_of(frame), frame, written=content)


def _check_paths(frame: pl.DataFrame, block: Block, table: Table) -> None:
    paths = frame["path"].to_list()
    if paths != sorted(set(paths)):
        raise ManifestError("its paths are not sorted")
    others = frame.filter(~pl.col("path").str.contains(data_files_of(table, block.first)))
    if others.height:
        raise ManifestError(f"{others['path'][0]!a} is not a file of {block}")


def _check_folded(frame: pl.DataFrame, block: Block, table: Table) -> None:
    """Raise ManifestError unless each chunk of a key is in one file, whose name says so, behind the chunk before it."""
    if not frame.select("path", "chunk").equals(frame.select("path", "chunk").unique().sort("path", "chunk")):
        raise ManifestError("its paths are not sorted")
    place, seen = dict[str, int](), set[tuple[str, int]]()
    for path, chunk, first_row, rows in frame.select("path", "chunk", "first_row", "rows").iter_rows():
        file = parse_data_file(path)
        if file is None or file.source or key_of(table, file.folder) is None or not block.covers(file.block):
            raise ManifestError(f"{path!a} is not a file of {block}")
        if chunk not in file.block.chunks or first_row != place.get(path, 0) or (file.folder, chunk) in seen:
            raise ManifestError(f"{path!a} has the rows of chunk {chunk} elsewhere")
        place[path] = first_row + rows
        seen.add((file.folder, chunk))


def _encode(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_csv(buffer)
    return buffer.getvalue()


def _write_changed(path: Path, content: bytes) -> None:
    if file_digest(path) != hashlib.sha256(content).hexdigest():
        make_private_folder(path.parent)
        write_atomically(path, content)
