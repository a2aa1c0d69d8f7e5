"""Making a commit: operations in order onto the head, all or nothing.

The request is ndjson as `_prepare_commit_payload` in huggingface_hub's `_commit_api.py` writes it: a header, then
one line per operation. A commit that changes nothing is made all the same, as on the Hub, where only the clients
take care not to send one.
"""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from localhub import errors
from localhub.errors import RefusedError
from localhub.repos.cards import CARD, check_card
from localhub.repos.content import SHA256, Content
from localhub.repos.store import Commit, Repo
from localhub.repos.tree import File, git_blob_id, new_lfs_file

ENTRIES_A_FOLDER = 10_000


class Put(NamedTuple):
    """A file to be there; `file` is None for one in LFS, whose size is looked up, not believed."""

    path: str
    sha256: str
    file: File | None = None


class Delete(NamedTuple):
    path: str
    is_folder: bool = False


class Draft(NamedTuple):
    title: str
    message: str
    operations: Sequence[Put | Delete]
    parent: str | None = None


def parse_commit(body: bytes, content: Content) -> Draft:
    """The commit in an ndjson body; content that comes with it is stored. Raises RefusedError (400)."""
    try:
        lines = [(line["key"], line["value"]) for line in map(json.loads, body.splitlines())]
        headers = [value for key, value in lines if key == "header"]
        operations = [_parse_operation(key, value, content) for key, value in lines if key != "header"]
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
        if path == CARD:
            check_card(data.decode(errors="replace")).answer()
        return put_regular(path, data, content)
    if key == "lfsFile" and SHA256.fullmatch(value["oid"]):
        return Put(path, value["oid"])
    raise RefusedError(400, f"Invalid operation: {key} {path}")


def is_valid_path(path: str) -> bool:
    segments = path.split("/")
    return "\0" not in path and not any(segment in ("", ".", "..") or segment.lower() == ".git" for segment in segments)


def put_regular(path: str, data: bytes, content: Content) -> Put:
    """A file that is kept in git itself; its content is stored."""
    sha256 = content.store(data)
    return Put(path, sha256, File(git_blob_id(data), len(data), sha256, is_lfs=False))


def commit(repo: Repo, author: str, draft: Draft) -> Commit:
    """Apply a draft to the head of a repo. Raises RefusedError (400, 404, 412) and then changes nothing."""
    parent = repo.commits[-1].oid if repo.commits else ""
    if draft.parent and not parent.startswith(draft.parent):
        raise RefusedError(412, errors.COMMIT_HAPPENED)
    changes = _changes(repo, draft.operations)
    date = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    text = json.dumps([parent, author, date, draft.title, draft.message, *changes.items()])
    oid = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
    made = Commit(oid, draft.title, draft.message, author, date, changes)
    try:
        repo.head.apply(changes, len(repo.commits) + 1)
        _check(repo, changes)
        repo.add_commit(made)
    except BaseException:
        repo.rebuild()
        raise
    return made


def _changes(repo: Repo, operations: Sequence[Put | Delete]) -> dict[str, File | None]:
    before = repo.head.files
    after: dict[str, File | None] = {}
    dangling = []
    for one in operations:
        if isinstance(one, Put):
            if one.file is None and one.sha256 not in repo.received:
                dangling.append(one.path)
            else:
                after[one.path] = one.file or new_lfs_file(one.sha256, repo.received[one.sha256])
            continue
        kind, paths = "file", [one.path]
        if one.is_folder:
            kind, paths = "folder", [path for path in {*before, *after} if path.startswith(f"{one.path}/")]
        paths = [path for path in paths if (after[path] if path in after else before.get(path))]
        if not paths:
            raise errors.entry_not_found(f"A {kind} with this name doesn't exist: {one.path}")
        after |= dict.fromkeys(paths)
    if dangling:
        raise RefusedError(400, errors.DANGLING_POINTERS.format(" ".join(f"- {path}" for path in dangling)))
    return {path: file for path, file in after.items() if not _is_same(before.get(path), file)}


def _is_same(old: File | None, new: File | None) -> bool:
    return old is new or (old is not None and new is not None and (old.is_lfs, old.oid) == (new.is_lfs, new.oid))


def _check(repo: Repo, changes: Mapping[str, File | None]) -> None:
    added = [path for path, file in changes.items() if file]
    for path in added:
        if repo.head.conflicts(path):
            raise RefusedError(400, f"Invalid file path: {path} is both a file and a folder")
    folders = {folder: repo.head.folders[folder] for folder in {path.rpartition("/")[0] for path in added}}
    if full := [path for path, folder in folders.items() if len(folder.names) > ENTRIES_A_FOLDER]:
        offending = "".join(f" /{folder}/" if folder else " /" for folder in sorted(full))
        raise RefusedError(400, errors.FULL_FOLDER.format(ENTRIES_A_FOLDER, offending))
