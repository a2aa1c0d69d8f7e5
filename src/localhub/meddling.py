"""Changing a repo behind everybody's back, as another person at the Hub might."""

from fnmatch import fnmatchcase

from localhub import errors
from localhub.commits import Delete, Draft, Put, commit
from localhub.gitattributes import is_lfs
from localhub.state import Hub
from localhub.storage import Revision, insert_received
from localhub.trees import Entry, Kind, new_file

SOMEBODY = "somebody-else"
ALL = 1_000_000_000


def list_files(hub: Hub, name: str) -> list[Entry]:
    """All files of a repo's head."""
    with hub.storage.reading() as queries:
        repo = queries.repo(name)
        if repo is None:
            raise errors.repo_not_found(is_anonymous=False)
        entries = queries.below(repo, repo.head, "", "", ALL)
    return [entry for entry in entries if entry.kind != Kind.FOLDER]


def find_file(hub: Hub, name: str, pattern: str) -> str | None:
    """The first path of a repo that is `pattern`, or that it matches as of fnmatch."""
    paths = [entry.path for entry in list_files(hub, name)]
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
            repo = queries.repo(name)
            if repo:
                insert_received(queries, repo, [(sha256, len(content))])
    else:
        put = Put(path, new_file(path, sha256, content))
    return commit(hub.storage, name, SOMEBODY, Draft(f"Upload {path}", "", [put]))
