"""What a table of a chunk consists of on the Hub, written down.

A manifest is a CSV file, `manifests/chunk_3/labels.csv`, with one row per published file, sorted by path: `path` (in
the repo, `language=en/chunk_3-00001-of-00064.parquet`), `size_bytes`, `sha256` (of the content, as hex), `rows`.
Everything that a push uploads, looks for and proves is read from it.

If the files are packed, a fifth column `sources_sha256` tells what each was made from, in one digest; the partition
files themselves stand beside it, in `labels.sources.csv`: `path` (the packed file), `source`, `size_bytes`, `sha256`,
`rows`.
"""

import hashlib
import io
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import polars as pl

from wikidata.config import Table
from wikidata.errors import DiskError, ManifestError, first_line
from wikidata.names import chunk_folder, data_files_of
from wikidata.system.files import make_private_folder, write_atomically

SCHEMA = {"path": pl.String, "size_bytes": pl.Int64, "sha256": pl.String, "rows": pl.Int64}
PACKED_SCHEMA = SCHEMA | {"sources_sha256": pl.String}


@dataclass(frozen=True)
class Manifest:
    """The files that one table of one chunk consists of.

    `files` has the columns of SCHEMA or PACKED_SCHEMA, sorted by path. `folder` is the local folder that the paths are
    relative to. `sources` is the frame of `labels.sources.csv`; None if the files are not packed, or it was not read.
    `written` is the content of the file that this was read from, if it was.
    """

    chunk: int
    table: Table
    folder: Path
    files: pl.DataFrame
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
        return _encode(self.files) if self.written is None else self.written

    @cached_property
    def digest(self) -> str:
        """The sha256 of the manifest file, as hex: what a receipt vouches for."""
        return hashlib.sha256(self.content).hexdigest()


def manifest_path(manifest_dir: Path, chunk: int, table: Table) -> Path:
    """Where the manifest of a table of a chunk lies."""
    return manifest_dir / chunk_folder(chunk) / f"{table}.csv"


def sources_path(manifest_dir: Path, chunk: int, table: Table) -> Path:
    """Where the list of what the packed files were made from lies."""
    return manifest_dir / chunk_folder(chunk) / f"{table}.sources.csv"


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
    sources = sources_path(manifest_dir, manifest.chunk, manifest.table)
    if manifest.sources is not None:
        _write_changed(sources, _encode(manifest.sources))
    _write_changed(manifest_path(manifest_dir, manifest.chunk, manifest.table), manifest.content)
    if manifest.sources is None:
        try:
            sources.unlink(missing_ok=True)
        except OSError as error:
            raise DiskError(f"cannot remove {sources}: {error.strerror}: mend its permissions") from error


def read_manifest(manifest_dir: Path, chunk: int, table: Table, folder: Path) -> Manifest:
    """Read a manifest back, without its sources; `folder` is what its paths are relative to.

    Raises ManifestError if there is none or if it is damaged.
    """
    path = manifest_path(manifest_dir, chunk, table)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise ManifestError(f"{table}: chunk {chunk} has no manifest: run make push CHUNK={chunk}") from None
    except OSError as error:
        raise ManifestError(f"{table}: {path} cannot be read: {error.strerror}: mend its permissions") from error
    try:
        return parse_manifest(content, chunk, table, folder)
    except ManifestError as error:
        raise ManifestError(f"{table}: {path} is damaged: run make push CHUNK={chunk} ({error})") from error


def find_manifest(manifest_dir: Path, chunk: int, table: Table) -> Manifest | None:
    """The recorded manifest of a table of a chunk; None if there is none that can be read."""
    try:
        return read_manifest(manifest_dir, chunk, table, manifest_dir)
    except ManifestError:
        return None


def parse_manifest(content: bytes, chunk: int, table: Table, folder: Path) -> Manifest:
    """The content of a manifest file as a manifest of a chunk. Raises ManifestError with the reason if it is not one.

    Its rows must be sorted, and name data files of that table and chunk.
    """
    try:
        files = pl.read_csv(content, schema_overrides=PACKED_SCHEMA)
    except pl.exceptions.PolarsError as error:
        raise ManifestError(first_line(error)) from error
    if dict(files.schema) not in (SCHEMA, PACKED_SCHEMA) or any(files.null_count().row(0)):
        raise ManifestError("other columns, or empty cells")
    paths = files["path"].to_list()
    if paths != sorted(set(paths)):
        raise ManifestError("its paths are not sorted")
    others = files.filter(~pl.col("path").str.contains(data_files_of(table, chunk)))
    if others.height:
        raise ManifestError(f"{others['path'][0]!a} is not a file of chunk {chunk}")
    digests = files.select(pl.col("^.*sha256$").str.contains(r"^[0-9a-f]{64}$").all())
    if not all(digests.row(0)) or (files["rows"] < 0).any():
        raise ManifestError("a digest or a number of rows is not one")
    return Manifest(chunk, table, folder, files, written=content)


def _encode(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_csv(buffer)
    return buffer.getvalue()


def _write_changed(path: Path, content: bytes) -> None:
    if file_digest(path) != hashlib.sha256(content).hexdigest():
        make_private_folder(path.parent)
        write_atomically(path, content)
