"""The files and folders of one revision, in memory, and the ids by which git and LFS know a file."""

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

ROOT = ""


class File(NamedTuple):
    """A file of a revision; `born` is the number of the commit that made it what it is.

    `oid` is git's blob id, of the pointer for LFS files; `sha256` that of the content.
    """

    oid: str
    size: int
    sha256: str
    is_lfs: bool
    born: int = 0


@dataclass
class Folder:
    """The names directly in a folder, and the number of the last commit that changed anything below it."""

    names: set[str] = field(default_factory=set)
    born: int = 0


class Tree:
    """All files by their paths, and all folders; folders are there as long as something is in them."""

    def __init__(self) -> None:
        self.files: dict[str, File] = {}
        self.folders: dict[str, Folder] = {ROOT: Folder()}
        self._sorted: list[str] | None = None

    def apply(self, changes: Mapping[str, File | None], number: int) -> None:
        """Make these files what commit `number` says; None: gone."""
        self._sorted = None
        for path, file in changes.items():
            if file:
                self.files[path] = file._replace(born=number)
            else:
                del self.files[path]
            for folder, name in _places_above(path):
                self._note(folder, name, number)

    def _note(self, path: str, name: str, number: int) -> None:
        folder, child = self.folders.setdefault(path, Folder()), f"{path}/{name}" if path else name
        folder.born = number
        if child in self.files or child in self.folders:
            folder.names.add(name)
        else:
            folder.names.discard(name)
        if not folder.names and path != ROOT:
            del self.folders[path]

    def conflicts(self, path: str) -> bool:
        """Whether a file's path is also a folder, or goes through a file."""
        return path in self.folders or any(folder in self.files for folder, _ in _places_above(path))

    def inside(self, folder: str, after: str, limit: int) -> list[str]:
        """Up to `limit` paths directly in a folder, sorted, behind `after`."""
        names = self.folders[folder].names if folder in self.folders else ()
        paths = sorted(f"{folder}/{name}" if folder else name for name in names)
        first = bisect_right(paths, after)
        return paths[first : first + limit]

    def below(self, folder: str, after: str = "", limit: int | None = None) -> list[str]:
        """Up to `limit` paths at any depth below a folder, sorted, behind `after`."""
        if self._sorted is None:
            self._sorted = sorted([*self.files, *self.folders])
        first, last = (f"{folder}/", f"{folder}0") if folder else ("", "\U0010ffff")
        start = bisect_right(self._sorted, max(first, after))
        end = bisect_left(self._sorted, last)
        return self._sorted[start : end if limit is None else min(end, start + limit)]


def _places_above(path: str) -> Iterator[tuple[str, str]]:
    while path:
        folder, _, name = path.rpartition("/")
        yield folder, name
        path = folder


def git_blob_id(content: bytes) -> str:
    """git's id of a blob (git-scm.com/book, Git Objects)."""
    return hashlib.sha1(b"blob %d\0%b" % (len(content), content), usedforsecurity=False).hexdigest()


def lfs_pointer(sha256: str, size: int) -> bytes:
    """The pointer file that stands in git for an LFS file (the Git LFS specification)."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()


def new_lfs_file(sha256: str, size: int) -> File:
    return File(git_blob_id(lfs_pointer(sha256, size)), size, sha256, is_lfs=True)
