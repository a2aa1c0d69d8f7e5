"""Repos, revisions and trees in sqlite.

A repo's history is a line of numbered commits. An entry (file or folder) is one row from the commit in which it was
`born` to the one in which it `died`, so a commit costs what it changes, any revision can be read without replaying
anything, and the folders of the head, where `died` is null, have an index of their own.

One connection reads, on the event loop and never across an await; one writes, in a thread and under a lock. Nothing
is synced: what was committed survives the death of the server, not a power cut.
"""

import asyncio
import json
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from localhub.trees import Change, Entry

SCHEMA = """
CREATE TABLE IF NOT EXISTS repo (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE NOT NULL, is_private INTEGER NOT NULL,
    creator TEXT NOT NULL, created TEXT NOT NULL, head INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS revision (
    repo INTEGER NOT NULL, number INTEGER NOT NULL, oid TEXT NOT NULL, title TEXT NOT NULL, message TEXT NOT NULL,
    author TEXT NOT NULL, date TEXT NOT NULL, PRIMARY KEY (repo, number)
) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS revision_by_oid ON revision (repo, oid);
CREATE TABLE IF NOT EXISTS entry (
    repo INTEGER NOT NULL, path TEXT NOT NULL, born INTEGER NOT NULL, died INTEGER, parent TEXT, kind TEXT NOT NULL,
    oid TEXT NOT NULL, size INTEGER NOT NULL, sha256 TEXT NOT NULL, children INTEGER NOT NULL,
    PRIMARY KEY (repo, path, born)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS entry_of_head_by_parent ON entry (repo, parent, path) WHERE died IS NULL;
CREATE TABLE IF NOT EXISTS received (
    repo INTEGER NOT NULL, sha256 TEXT NOT NULL, size INTEGER NOT NULL, PRIMARY KEY (repo, sha256)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS token (token TEXT PRIMARY KEY, identity TEXT NOT NULL) WITHOUT ROWID;
"""
COLUMNS = "entry.path, kind, oid, size, sha256, children, born"
OF_HEAD = "died IS NULL"
OF_REVISION = "born <= :number AND (died IS NULL OR died > :number)"
LAST_PATH = "\U0010ffff"


class Repo(NamedTuple):
    """A dataset repo; `head` is the number of its latest commit."""

    id: int
    name: str
    is_private: bool
    creator: str
    created: str
    head: int


class Revision(NamedTuple):
    """A commit of a repo."""

    repo: int
    number: int
    oid: str
    title: str
    message: str
    author: str
    date: str


class Queries:
    """Questions to the database through one connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def repo(self, name: str) -> Repo | None:
        """The repo of this name, `namespace/name`."""
        row = self.connection.execute(
            "SELECT id, name, is_private, creator, created, head FROM repo WHERE name = ?", (name,)
        ).fetchone()
        return Repo(*row) if row else None

    def head(self, repo: Repo) -> Revision:
        """The latest commit."""
        row = self.connection.execute(
            "SELECT * FROM revision WHERE repo = ? AND number = ?", (repo.id, repo.head)
        ).fetchone()
        return Revision(*row)

    def revision(self, repo: Repo, name: str) -> Revision | None:
        """The commit that a branch name or a commit's oid stands for; there is one branch, main."""
        if name.removeprefix("refs/heads/") == "main":
            return self.head(repo)
        row = self.connection.execute("SELECT * FROM revision WHERE repo = ? AND oid = ?", (repo.id, name)).fetchone()
        return Revision(*row) if row else None

    def revisions(self, repo: Repo, newest: int, limit: int) -> list[Revision]:
        """Up to `limit` commits from number `newest` down."""
        rows = self.connection.execute(
            "SELECT * FROM revision WHERE repo = ? AND number <= ? ORDER BY number DESC LIMIT ?",
            (repo.id, newest, limit),
        )
        return [Revision(*row) for row in rows]

    def revisions_by_number(self, repo: Repo, numbers: Iterable[int]) -> dict[int, Revision]:
        """The commits with these numbers."""
        rows = self.connection.execute(
            "SELECT revision.* FROM json_each(?) AS wanted CROSS JOIN revision ON repo = ? AND number = wanted.value",
            (json.dumps(sorted(set(numbers))), repo.id),
        )
        return {row[1]: Revision(*row) for row in rows}

    def entries(self, repo: Repo, number: int, paths: Iterable[str]) -> list[Entry]:
        """The entries at these paths in commit `number`; paths that are not there are left out."""
        rows = self.connection.execute(
            f"SELECT {COLUMNS} FROM json_each(:paths) AS wanted CROSS JOIN entry "  # noqa: S608
            f"ON repo = :repo AND entry.path = wanted.value AND {_alive(repo, number)}",
            {"paths": json.dumps(list(paths)), "repo": repo.id, "number": number},
        )
        return [Entry(*row) for row in rows]

    def below(self, repo: Repo, number: int, folder: str, after: str, limit: int) -> list[Entry]:
        """Up to `limit` entries at any depth below `folder`, in the order of their paths, from `after` on."""
        first, last = (f"{folder}/", f"{folder}0") if folder else ("", LAST_PATH)
        rows = self.connection.execute(
            f"SELECT {COLUMNS} FROM entry WHERE repo = :repo AND path > :first AND path < :last "  # noqa: S608
            f"AND {_alive(repo, number)} ORDER BY path LIMIT :limit",
            {"repo": repo.id, "first": max(first, after), "last": last, "number": number, "limit": limit},
        )
        return [Entry(*row) for row in rows]

    def inside(self, repo: Repo, number: int, folder: str, after: str, limit: int) -> list[Entry]:
        """Up to `limit` entries directly in `folder`, in the order of their paths, from `after` on."""
        rows = self.connection.execute(
            f"SELECT {COLUMNS} FROM entry WHERE repo = :repo AND parent = :parent AND path > :after "  # noqa: S608
            f"AND {_alive(repo, number)} ORDER BY path LIMIT :limit",
            {"repo": repo.id, "parent": folder, "after": after, "number": number, "limit": limit},
        )
        return [Entry(*row) for row in rows]

    def received(self, repo: Repo, hashes: Iterable[str]) -> dict[str, int]:
        """Which of these sha256 the repo has content for, with the sizes."""
        rows = self.connection.execute(
            "SELECT sha256, size FROM json_each(?) AS wanted CROSS JOIN received ON repo = ? AND sha256 = wanted.value",
            (json.dumps(list(hashes)), repo.id),
        )
        return dict(rows)

    def tokens(self) -> dict[str, str]:
        """All tokens that were added, with their identities as JSON."""
        return dict(self.connection.execute("SELECT token, identity FROM token"))


class Storage:
    """The database of one local Hub."""

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self._path = root / "hub.sqlite"
        self._lock = threading.Lock()
        self._writer = Queries(self._connect())
        self._writer.connection.executescript(SCHEMA)
        self._reader = Queries(self._connect())

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=60, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA cache_size = -32000")
        return connection

    @contextmanager
    def reading(self) -> Iterator[Queries]:
        """One state of the database to look at, while commits go on."""
        connection = self._reader.connection
        connection.execute("BEGIN")
        try:
            yield self._reader
        finally:
            connection.execute("COMMIT")

    @contextmanager
    def writing(self) -> Iterator[Queries]:
        """A transaction: all of it or nothing, one at a time. It may have to wait for another."""
        with self._lock, self._transaction() as queries:
            yield queries

    async def write(self, work: Callable[[Queries], None]) -> None:
        """A short transaction from the event loop: at once where nobody else writes, else in a thread."""
        if not self._lock.acquire(blocking=False):
            await asyncio.to_thread(self._write, work)
            return
        try:
            with self._transaction() as queries:
                work(queries)
        finally:
            self._lock.release()

    def _write(self, work: Callable[[Queries], None]) -> None:
        with self.writing() as queries:
            work(queries)

    @contextmanager
    def _transaction(self) -> Iterator[Queries]:
        connection = self._writer.connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield self._writer
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")

    def close(self) -> None:
        """Close both connections."""
        with self._lock:
            self._reader.connection.close()
            self._writer.connection.close()


def insert_repo(queries: Queries, name: str, is_private: bool, creator: str, created: str) -> Repo:
    """Add a repo without commits."""
    cursor = queries.connection.execute(
        "INSERT INTO repo (name, is_private, creator, created) VALUES (?, ?, ?, ?)",
        (name, is_private, creator, created),
    )
    return Repo(cursor.lastrowid or 0, name, is_private, creator, created, 0)


def insert_revision(queries: Queries, revision: Revision, changes: Mapping[str, Change]) -> None:
    """Add a commit that changes these entries, and make it the head."""
    connection, repo, number = queries.connection, revision.repo, revision.number
    connection.execute("INSERT INTO revision VALUES (?, ?, ?, ?, ?, ?, ?)", revision)
    connection.execute("UPDATE repo SET head = ? WHERE id = ?", (number, repo))
    connection.executemany(
        "UPDATE entry SET died = ? WHERE repo = ? AND path = ? AND died IS NULL",
        [(number, repo, path) for path, change in changes.items() if change.old],
    )
    connection.executemany(
        "INSERT INTO entry VALUES (?, ?, ?, NULL, ?, ?, ?, ?, ?, ?)",
        [_row(repo, number, change.new) for change in changes.values() if change.new],
    )


def insert_received(queries: Queries, repo: Repo, contents: Iterable[tuple[str, int]]) -> None:
    """Note that the repo has received content, as pairs of sha256 and size."""
    queries.connection.executemany(
        "INSERT OR IGNORE INTO received VALUES (?, ?, ?)", [(repo.id, sha256, size) for sha256, size in contents]
    )


def insert_token(queries: Queries, token: str, identity: str) -> None:
    """Add a token, or change whose it is."""
    queries.connection.execute("INSERT OR REPLACE INTO token VALUES (?, ?)", (token, identity))


def delete_repo(queries: Queries, repo: Repo) -> None:
    """Remove a repo with all its history; the content files stay."""
    for statement in (
        "DELETE FROM entry WHERE repo = ?",
        "DELETE FROM received WHERE repo = ?",
        "DELETE FROM revision WHERE repo = ?",
        "DELETE FROM repo WHERE id = ?",
    ):
        queries.connection.execute(statement, (repo.id,))


def _alive(repo: Repo, number: int) -> str:
    return OF_HEAD if number == repo.head else OF_REVISION


def _row(repo: int, number: int, entry: Entry) -> Sequence[object]:
    parent = entry.path.rpartition("/")[0] if entry.path else None
    return (repo, entry.path, number, parent, entry.kind, entry.oid, entry.size, entry.sha256, entry.children)
