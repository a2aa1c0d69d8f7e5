"""What a repo's tree consists of, as pure functions over plain values.

A folder's oid is not git's tree id but does its work: the sum, modulo 2**160, of the hashes of its children's names
and oids. So it is the same exactly where everything below is the same, and one changed file costs one addition per
level, however large the folder is.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import NamedTuple

ROOT = ""
MODULUS = 1 << 160


class Kind(StrEnum):
    """What an entry is: a file in git, a file in LFS storage, or a folder."""

    FILE = "file"
    LFS = "lfs"
    FOLDER = "directory"


class Entry(NamedTuple):
    """A file or folder of a revision; `born` is the number of the commit that made it what it is.

    `oid` is git's blob id (of the LFS pointer for LFS files), `sha256` that of the content (empty for folders),
    `children` the number of entries directly in a folder.
    """

    path: str
    kind: str
    oid: str
    size: int = 0
    sha256: str = ""
    children: int = 0
    born: int = 0


class Change(NamedTuple):
    """An entry before and after a commit; None where it does not exist."""

    old: Entry | None
    new: Entry | None


def git_blob_id(content: bytes) -> str:
    """git's id of a blob (git-scm.com/book, Git Objects)."""
    return hashlib.sha1(b"blob %d\0%b" % (len(content), content), usedforsecurity=False).hexdigest()


def lfs_pointer(sha256: str, size: int) -> bytes:
    """The pointer file that stands in git for an LFS file (the Git LFS specification)."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()


def lfs_pointer_size(size: int) -> int:
    """The length of the pointer of an LFS file with `size` bytes."""
    return _POINTER_BYTES + len(str(size))


def new_file(path: str, content_sha256: str, content: bytes) -> Entry:
    """The entry of a file that is stored in git."""
    return Entry(path, Kind.FILE, git_blob_id(content), len(content), content_sha256)


def new_lfs_file(path: str, sha256: str, size: int) -> Entry:
    """The entry of a file that is stored in LFS."""
    return Entry(path, Kind.LFS, git_blob_id(lfs_pointer(sha256, size)), size, sha256)


def parent_of(path: str) -> str:
    """The folder that `path` is in."""
    return path.rpartition("/")[0]


def ancestors_of(path: str) -> Iterator[str]:
    """All folders above `path`, the nearest first and the root last."""
    while path:
        path = parent_of(path)
        yield path


def change_folders(files: Mapping[str, Change], folder_at: Callable[[str], Entry | None]) -> dict[str, Change]:
    """What the changes of `files` do to the folders above them; a folder that has no entries left ends."""
    pending: defaultdict[int, defaultdict[str, list[Change]]] = defaultdict(lambda: defaultdict(list))
    for path, change in files.items():
        pending[_depth(path)][parent_of(path)].append(change)
    changed: dict[str, Change] = {}
    for depth in range(max(pending, default=0), 0, -1):
        for folder, changes in pending[depth].items():
            old = folder_at(folder)
            change = Change(old, _changed_folder(folder, old, changes))
            if change.old == change.new:
                continue
            changed[folder] = change
            if folder != ROOT:
                pending[depth - 1][parent_of(folder)].append(change)
    return changed


def _depth(path: str) -> int:
    return path.count("/") + 1


def _changed_folder(path: str, old: Entry | None, changes: list[Change]) -> Entry | None:
    oid, children = (int(old.oid, 16), old.children) if old else (0, 0)
    for before, after in changes:
        if before:
            oid -= _hash_of_child(before)
            children -= 1
        if after:
            oid += _hash_of_child(after)
            children += 1
    if not children and path != ROOT:
        return None
    new = Entry(path, Kind.FOLDER, f"{oid % MODULUS:040x}", children=children)
    return old if old and (old.oid, old.children) == (new.oid, new.children) else new


def _hash_of_child(entry: Entry) -> int:
    name = entry.path.rpartition("/")[2]
    text = f"{entry.kind} {entry.oid} {name}"
    return int.from_bytes(hashlib.sha1(text.encode(), usedforsecurity=False).digest())


_POINTER_BYTES = len(lfs_pointer("0" * 64, 0)) - 1
