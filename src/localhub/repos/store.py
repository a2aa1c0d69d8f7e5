"""Repos, kept in memory, and in one log for each: a line of JSON for everything that happened to it.

A log is appended to before anybody hears of what happened, and is read from its beginning when the server starts. So a
commit costs what it changes, and survives the death of the server (not a power cut: nothing is synced). The heads are
in memory; another revision is made again from its commits.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from localhub import errors
from localhub.repos.tree import File, Tree


class Commit(NamedTuple):
    """A commit of a repo, and the files that it made what they are (None: gone)."""

    oid: str
    title: str
    message: str
    author: str
    date: str
    changes: Mapping[str, File | None]


class Facts(NamedTuple):
    """What a repo is from the beginning; its name is `namespace/name`."""

    name: str
    is_private: bool
    creator: str
    created: str


class Repo:
    """A dataset repo; commits count from 1. `received` has the size of all LFS content that it was sent, by sha256."""

    def __init__(self, log: Path, facts: Facts) -> None:
        self.log = log
        self.facts = facts
        self.commits: list[Commit] = []
        self.received: dict[str, int] = {}
        self.head = Tree()
        self._old = (0, Tree())

    def number(self, revision: str) -> int | None:
        """The number of the commit that a branch or a commit's oid stands for; there is one branch, main."""
        if revision.removeprefix("refs/heads/") == "main":
            return len(self.commits)
        return next((number for number, one in enumerate(self.commits, 1) if one.oid == revision), None)

    def tree(self, number: int) -> Tree:
        if number == len(self.commits):
            return self.head
        if self._old[0] != number:
            self._old = number, self._rebuilt(number)
        return self._old[1]

    def _rebuilt(self, number: int) -> Tree:
        tree = Tree()
        for each, commit in enumerate(self.commits[:number], 1):
            tree.apply(commit.changes, each)
        return tree

    def rebuild(self) -> None:
        """Make the head what its commits say, after a draft of another was thrown away."""
        self.head = self._rebuilt(len(self.commits))

    def add_commit(self, commit: Commit) -> None:
        """Add a commit that `head` has already been changed by."""
        self.write("commit", commit)
        self.commits.append(commit)

    def receive(self, contents: Iterable[tuple[str, int]]) -> None:
        """Note that LFS content has come, as pairs of sha256 and size."""
        if new := {sha256: size for sha256, size in contents if sha256 not in self.received}:
            self.write("received", new)
            self.received |= new

    def write(self, key: str, value: object) -> None:
        with self.log.open("ab", buffering=0) as log:
            log.write(json.dumps([key, value]).encode() + b"\n")


class Repos:
    def __init__(self, root: Path) -> None:
        self._root = root / "repos"
        self._repos = {repo.facts.name: repo for repo in map(_read, self._root.glob("*/*.jsonl"))}

    def find(self, name: str) -> Repo | None:
        return self._repos.get(name)

    def get(self, name: str) -> Repo:
        """The same. Raises RefusedError (404) if there is none."""
        if name not in self._repos:
            raise errors.repo_not_found(is_anonymous=False)
        return self._repos[name]

    def add(self, facts: Facts) -> Repo:
        log = self._root / f"{facts.name}.jsonl"
        log.parent.mkdir(parents=True, exist_ok=True)
        repo = self._repos[facts.name] = Repo(log, facts)
        repo.write("facts", facts)
        return repo

    def delete(self, repo: Repo) -> None:
        """Remove a repo with all its history; content stays."""
        del self._repos[repo.facts.name]
        repo.log.unlink()


def _read(log: Path) -> Repo:
    content = log.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]  # a line that was being written when the server was killed is dropped
    if whole != content:
        log.write_bytes(whole)
    (_, facts), *lines = map(json.loads, whole.splitlines())
    repo = Repo(log, Facts(*facts))
    for key, value in lines:
        if key == "received":
            repo.received |= value
        else:
            changes = {path: File(*file) if file else None for path, file in value[-1].items()}
            repo.commits.append(Commit(*value)._replace(changes=changes))
    repo.rebuild()
    return repo
