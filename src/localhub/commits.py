"""Making a commit: operations in order onto the head, all or nothing.

The request is ndjson as `_prepare_commit_payload` in huggingface_hub's `_commit_api.py` writes it: a header, then
one line per operation. A commit that changes nothing is made all the same, as on the Hub, where only the clients
take care not to send one.
"""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from localhub import errors
from localhub.cards import CARD, check_card
from localhub.content import SHA256, Content
from localhub.errors import RefusedError
from localhub.storage import Queries, Repo, Revision, Storage, insert_revision
from localhub.trees import (
    ROOT,
    Change,
    Entry,
    Kind,
    ancestors_of,
    change_folders,
    new_file,
    new_lfs_file,
)

ENTRIES_A_FOLDER = 10_000
ALL = 1_000_000_000
MAIN = "main"


@dataclass(frozen=True)
class Put:
    """A file to be there; the size of an LFS file is looked up, not believed."""

    path: str
    entry: Entry | None = None
    sha256: str = ""


@dataclass(frozen=True)
class Delete:
    """A file or folder to be gone."""

    path: str
    is_folder: bool = False


@dataclass(frozen=True)
class Draft:
    """A commit as it was asked for."""

    title: str
    message: str
    operations: Sequence[Put | Delete]
    parent: str | None = None


def parse_commit(body: bytes, content: Content) -> Draft:
    """The commit in an ndjson body; content that comes with it is stored. Raises RefusedError (400)."""
    try:
        lines = [json.loads(line) for line in body.splitlines() if line.strip()]
        headers = [line["value"] for line in lines if line["key"] == "header"]
        operations = [
            _parse_operation(line["key"], line["value"], content) for line in lines if line["key"] != "header"
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise RefusedError(400, f"Invalid commit payload: {error}") from error
    if len(headers) != 1 or not headers[0].get("summary"):
        raise RefusedError(400, '"value.summary" is not allowed to be empty')
    header = headers[0]
    return Draft(header["summary"], header.get("description") or "", operations, header.get("parentCommit"))


def _parse_operation(key: str, value: Mapping[str, Any], content: Content) -> Put | Delete:
    path = value["path"]
    if key in ("deletedFile", "deletedFolder"):
        return Delete(path.rstrip("/"), key == "deletedFolder")
    if not is_valid_path(path):
        raise RefusedError(400, f"Invalid file path: {path}")
    if key == "file":
        text = value["content"]
        data = base64.b64decode(text) if value.get("encoding") == "base64" else text.encode()
        if path == CARD and (verdict := check_card(data.decode(errors="replace"))).errors:
            raise errors.invalid_card(verdict)
        return Put(path, new_file(path, content.store(data), data))
    if key == "lfsFile" and SHA256.fullmatch(value["oid"]):
        return Put(path, sha256=value["oid"])
    raise RefusedError(400, f"Invalid operation: {key} {path}")


def is_valid_path(path: str) -> bool:
    """Whether git could hold a file of this name."""
    segments = path.split("/")
    return "\0" not in path and not any(segment in ("", ".", "..") or segment.lower() == ".git" for segment in segments)


def commit(storage: Storage, repo_name: str, author: str, draft: Draft) -> Revision:
    """Apply a draft to the head of a repo. Raises RefusedError (400, 404, 412) and then changes nothing."""
    with storage.writing() as queries:
        repo = queries.repo(repo_name)
        if repo is None:
            raise errors.repo_not_found(is_anonymous=False)
        return commit_onto(queries, repo, queries.head(repo), author, draft)


def commit_onto(queries: Queries, repo: Repo, head: Revision | None, author: str, draft: Draft) -> Revision:
    """The same within a transaction; `head` is None for the first commit."""
    if draft.parent and not (head and head.oid.startswith(draft.parent)):
        raise RefusedError(412, errors.COMMIT_HAPPENED)
    files = _changed_files(queries, repo, draft.operations)
    folders = _changed_folders(queries, repo, files)
    root = folders[ROOT].new if ROOT in folders else None
    date = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    number = repo.head + 1
    text = "\n".join((head.oid if head else "", root.oid if root else "", author, date, draft.title, draft.message))
    oid = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
    revision = Revision(repo.id, number, oid, draft.title, draft.message, author, date)
    insert_revision(queries, revision, {**files, **folders})
    return revision


def _changed_files(queries: Queries, repo: Repo, operations: Sequence[Put | Delete]) -> dict[str, Change]:
    wanted = _resolve_lfs(queries, repo, operations)
    before = {entry.path: entry for entry in queries.entries(repo, repo.head, {one.path for one in operations})}
    after: dict[str, Entry | None] = {}
    for operation in operations:
        if isinstance(operation, Put):
            after[operation.path] = wanted[operation.path] if operation.entry is None else operation.entry
        elif operation.is_folder:
            doomed = {entry.path: entry for entry in queries.below(repo, repo.head, operation.path, "", ALL)}
            before |= {path: entry for path, entry in doomed.items() if entry.kind != Kind.FOLDER}
            inside = [path for path in after if path.startswith(f"{operation.path}/")]
            if not doomed and not inside:
                raise errors.entry_not_found(f"A folder with this name doesn't exist: {operation.path}")
            after |= dict.fromkeys([*(path for path in doomed if path in before), *inside])
        elif after.get(operation.path, before.get(operation.path)) is None or _is_folder(before, operation.path):
            raise errors.entry_not_found(f"A file with this name doesn't exist: {operation.path}")
        else:
            after[operation.path] = None
    changes = {path: Change(before.get(path), entry) for path, entry in after.items()}
    return {path: change for path, change in changes.items() if not _is_same(change)}


def _is_folder(entries: Mapping[str, Entry], path: str) -> bool:
    return path in entries and entries[path].kind == Kind.FOLDER


def _is_same(change: Change) -> bool:
    old, new = change
    return old is new or (old is not None and new is not None and (old.kind, old.oid) == (new.kind, new.oid))


def _resolve_lfs(queries: Queries, repo: Repo, operations: Sequence[Put | Delete]) -> dict[str, Entry]:
    pointers = [one for one in operations if isinstance(one, Put) and one.entry is None]
    sizes = queries.received(repo, {one.sha256 for one in pointers})
    if missing := [one.path for one in pointers if one.sha256 not in sizes]:
        raise errors.dangling_pointers(missing)
    return {one.path: new_lfs_file(one.path, one.sha256, sizes[one.sha256]) for one in pointers}


def _changed_folders(queries: Queries, repo: Repo, files: Mapping[str, Change]) -> dict[str, Change]:
    above = {folder for path in files for folder in ancestors_of(path)} | {ROOT}
    known = {entry.path: entry for entry in queries.entries(repo, repo.head, above)}
    for path in _paths_in_the_way(files, known):
        raise RefusedError(400, f"Invalid file path: {path} is both a file and a folder")
    folders = change_folders(files, known.get)
    if full := [path for path, (_, new) in folders.items() if new and new.children > ENTRIES_A_FOLDER]:
        raise errors.full_folders(sorted(full), ENTRIES_A_FOLDER)
    return folders


def _paths_in_the_way(files: Mapping[str, Change], known: Mapping[str, Entry]) -> Iterator[str]:
    added = {path for path, change in files.items() if change.new}
    parents = {folder for path in added for folder in ancestors_of(path)}
    yield from added & parents
    for path in added:
        old = files[path].old
        if old and old.kind == Kind.FOLDER:
            yield path
    for folder in parents:
        is_file = folder in known and known[folder].kind != Kind.FOLDER
        if is_file and (folder not in files or files[folder].new):
            yield folder
