"""Files on the Hub, and whether they are the same as local ones."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import polars as pl

from wikidata.names import is_key_folder
from wikidata.records.manifest import Manifest


class RemoteFile(NamedTuple):
    """A file on the Hub: `sha256` of its content if it is stored as LFS or Xet, else its git `blob_id` (sha1)."""

    size_bytes: int
    sha256: str | None
    blob_id: str

    def is_content(self, content: bytes) -> bool:
        """Whether this is the file's content."""
        if self.size_bytes != len(content):
            return False
        if self.sha256 is not None:
            return self.sha256 == hashlib.sha256(content).hexdigest()
        return self.blob_id == _git_blob_id(content)

    def is_file(self, local: Path, size_bytes: int, sha256: str) -> bool:
        """Whether its content is that of a local file, of which size and sha256 are known."""
        if self.size_bytes != size_bytes or self.sha256 is not None:
            return self.size_bytes == size_bytes and self.sha256 == sha256
        try:
            return self.blob_id == _git_blob_id(local.read_bytes())
        except OSError:
            return False


class Overview(NamedTuple):
    """The head of a repo and its folders; `revision` is None if there is no repo."""

    revision: str | None
    folders: Sequence[str] = ()

    @property
    def key_folders(self) -> list[str]:
        """The folders of keys, `language=en`."""
        return [folder for folder in self.folders if is_key_folder(folder)]


@dataclass(frozen=True)
class Snapshot:
    """What one revision of a repo has of the paths asked for; `revision` is None if there is no repo."""

    revision: str | None
    files: Mapping[str, RemoteFile] = field(default_factory=dict)


def lacking(manifest: Manifest, remote: Mapping[str, RemoteFile]) -> pl.DataFrame:
    """The rows of `manifest.files` that the Hub lacks, or has with another size or content."""
    there = [
        path in remote and remote[path].is_file(manifest.folder / path, size_bytes, sha256)
        for path, size_bytes, sha256 in manifest.files.select("path", "size_bytes", "sha256").iter_rows()
    ]
    return manifest.files.filter(~pl.Series(there, dtype=pl.Boolean))


def _git_blob_id(content: bytes) -> str:
    """The name that git gives to a file's content; the Hub stores small files of some kinds as plain git blobs."""
    digest = hashlib.sha1(b"blob %d\0" % len(content), usedforsecurity=False)
    digest.update(content)
    return digest.hexdigest()
