"""Which files a table of a chunk consists of: found, checked, hashed, and written down.

A manifest is a CSV file, `manifests/chunk_3/labels.csv`, with one row per partition file, sorted by path:
`path` (in the repo, `language=en/chunk_3-00001-of-00064.parquet`), `size_bytes`, `sha256` (of the content, as hex),
`rows`. Everything that a push uploads, looks for and proves is read from it.
"""

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from wikidata.config import Table
from wikidata.errors import ManifestError
from wikidata.files import make_private_folder, write_atomically

SCHEMA = {"path": pl.String, "size_bytes": pl.Int64, "sha256": pl.String, "rows": pl.Int64}


@dataclass(frozen=True)
class Manifest:
    """The files that one table of one chunk consists of.

    `files` has the columns of SCHEMA, sorted by path. `folder` is the local folder that the paths are relative to.
    """

    chunk: int
    table: Table
    folder: Path
    files: pl.DataFrame

    @property
    def size_bytes(self) -> int:
        """The bytes of all files together."""
        return int(self.files["size_bytes"].sum())

    @property
    def rows(self) -> int:
        """The rows of all files together."""
        return int(self.files["rows"].sum())

    def encode(self) -> bytes:
        """The manifest file's content; equal files give equal bytes."""
        buffer = io.BytesIO()
        self.files.write_csv(buffer)
        return buffer.getvalue()

    @property
    def digest(self) -> str:
        """The sha256 of the manifest file, as hex: what a receipt vouches for."""
        return hashlib.sha256(self.encode()).hexdigest()


def manifest_path(manifest_dir: Path, chunk: int, table: Table) -> Path:
    """Where the manifest of a table of a chunk lies."""
    return manifest_dir / f"chunk_{chunk}" / f"{table}.csv"


def file_digest(path: Path) -> str | None:
    """The sha256 of a written manifest, as hex; None where there is none."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return None


def write_manifest(manifest_dir: Path, manifest: Manifest) -> None:
    """Write the manifest atomically, unless it is there already as it is."""
    path = manifest_path(manifest_dir, manifest.chunk, manifest.table)
    content = manifest.encode()
    if not path.is_file() or path.read_bytes() != content:
        make_private_folder(path.parent)
        write_atomically(path, content)


def read_manifest(manifest_dir: Path, chunk: int, table: Table, folder: Path) -> Manifest:
    """Read a manifest back; `folder` is what its paths are relative to.

    Raises ManifestError where there is none or where it is damaged.
    """
    path = manifest_path(manifest_dir, chunk, table)
    try:
        files = pl.read_csv(path, schema=SCHEMA)
    except FileNotFoundError:
        raise ManifestError(f"{table}: chunk {chunk} has no manifest: run make push CHUNK={chunk}") from None
    except pl.exceptions.PolarsError as error:
        raise ManifestError(
            f"{table}: {path} is damaged: run make push CHUNK={chunk} ({_first_line(error)})"
        ) from error
    if any(files.null_count().row(0)):
        raise ManifestError(f"{table}: {path} is damaged: run make push CHUNK={chunk}")
    return Manifest(chunk, table, folder, files)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
