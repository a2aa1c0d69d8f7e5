"""Changing a repo behind everybody's back, as another person at the Hub might."""

from fnmatch import fnmatchcase

from localhub import errors
from localhub.commits import Delete, Draft, Put, commit
from localhub.gitattributes import is_lfs
from localhub.state import Hub
from localhub.storage import Queries, Repo, Revision, insert_received
from localhub.trees import Entry, Kind, new_file

SOMEBODY = "somebody-else"
ALL = 1_000_000_000


def find_repo(queries: Queries, name: str) -> Repo:
    """The repo of this name. Raises RefusedError (404)."""
    repo = queries.repo(name)
    if repo is None:
        raise errors.repo_not_found(is_anonymous=False)
    return repo


def list_files(queries: Queries, name: str) -> list[Entry]:
    """All files of a repo's head. Raises RefusedError (404) where there is no such repo."""
    repo = find_repo(queries, name)
    return [entry for entry in queries.below(repo, repo.head, "", "", ALL) if entry.kind != Kind.FOLDER]


def find_file(queries: Queries, name: str, pattern: str) -> str | None:
    """The first path of a repo that is `pattern`, or that it matches as of fnmatch."""
    paths = [entry.path for entry in list_files(queries, name)]
    return pattern if pattern in paths else next((path for path in paths if fnmatchcase(path, pattern)), None)


def delete_file(hub: Hub, name: str, path: str) -> Revision:
    """Delete a file in a commit of its own."""
    return commit(hub.storage, name, SOMEBODY, Draft(f"Delete {path}", "", [Delete(path)]))


def replace_file(hub: Hub, name: str, path: str, content: bytes) -> Revision:
    """Add or replace a file in a commit of its own."""
    sha256 = hub.content.store(content)
    put = Put(path, sha256=sha256)
    if is_lfs(path, len(content), content[:512]):
        with hub.storage.writing() as queries:
            insert_received(queries, find_repo(queries, name), [(sha256, len(content))])
    else:
        put = Put(path, new_file(path, sha256, content))
    return commit(hub.storage, name, SOMEBODY, Draft(f"Upload {path}", "", [put]))
