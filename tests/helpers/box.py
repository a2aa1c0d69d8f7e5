"""A box like the processing box, in a temporary folder: what the pipeline wrote, and the commands that users type."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import polars as pl

from localhub.testing import HubCommit, RunningHub
from tests.helpers.forking import Done, Forks
from wikidata.config import FOLDERS, Table, target_repos
from wikidata.names import one
from wikidata.records.receipt import Receipt, read_receipt
from wikidata.state import get_all_state

ROOT = Path(__file__).resolve().parents[2]
REPOS = target_repos("permutans")


@dataclass
class Box:
    """The folders of one pipeline below `root`, and how to push them to the Hub at `endpoint`.

    With `forks`, `wikidata` is run in a fork; if it is `instant` too, with a stand-in for the upload CLI: for tests in
    which neither the start of Python nor that of the CLI is what is tested.
    """

    root: Path
    endpoint: str
    token: str
    settings: dict[str, str] = field(default_factory=dict)
    forks: Forks | None = None
    instant: bool = False

    @property
    def environment(self) -> dict[str, str]:
        """What a user would have exported."""
        ours = {name: str(self.root / folder) for name, folder in FOLDERS.items()}
        ours |= {"HF_ENDPOINT": self.endpoint, "HF_TOKEN": self.token, "WIKIDATA": sys.executable}
        ours |= {"HF_HUB_DISABLE_XET": "1"}  # the Hub on localhost has none, but with --xet
        return {**os.environ, "RETRY_SECONDS": "0.05", "ATTEMPTS": "3", **ours, **self.settings}

    def make(self, *words: str, **settings: str) -> "subprocess.CompletedProcess[str]":
        """Type `make …` in the project's folder."""
        return subprocess.run(
            ["make", "--no-print-directory", *words],
            cwd=ROOT,
            env=self.environment | settings,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def wikidata(self, *words: str, **settings: str) -> "Done | subprocess.CompletedProcess[str]":
        """Type `wikidata …`: the command behind make, with its real exit code."""
        if self.forks:
            return self.forks.run(self.environment | settings, words, self.root, instant=self.instant)
        return subprocess.run(
            [sys.executable, "-m", "wikidata", *words],
            cwd=self.root,
            env=self.environment | settings,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def steps(self, chunk: int) -> set[int]:
        """The steps that the source files of a chunk are at."""
        return set(get_all_state(self.root / "state").filter(pl.col("chunk") == chunk)["step"])

    def files(self, table: Table, chunk: int) -> list[Path]:
        """The local partition files of a table of a chunk."""
        return sorted((self.root / "results" / table).glob(f"{table.partition_column}=*/chunk_{chunk}-*.parquet"))

    def expected(self, table: Table, chunk: int) -> dict[str, tuple[int, str]]:
        """What the Hub must have of a table of a chunk: path → (size, sha256), worked out by other means."""
        folder = self.root / "results" / table
        return {path.relative_to(folder).as_posix(): fingerprint(path) for path in self.files(table, chunk)}

    def receipt(self, table: Table, chunk: int) -> Receipt | None:
        """The receipt of a table of a chunk."""
        return read_receipt(self.root / "manifests", one(chunk), table)

    def logs(self) -> list[Path]:
        """One log for each run of the upload CLI."""
        return sorted((self.root / "logs").rglob("*.log"))

    def snapshot(self) -> dict[str, bytes]:
        """Every file below the root, to see that nothing was written."""
        return {str(path.relative_to(self.root)): path.read_bytes() for path in self.root.rglob("*") if path.is_file()}


def wrapped(folder: Path, body: str) -> str:
    """A program that stands for the CLI: says the CLI's version, else does `body`, in which `"$@"` are the words."""
    program = folder / "wrapper"
    program.write_text(f'#!/bin/sh\n[ "$1" = version ] && exec echo {version("huggingface_hub")}\n{body}\n')
    program.chmod(0o700)
    return str(program)


def fingerprint(path: Path) -> tuple[int, str]:
    """Size and sha256 of a file."""
    content = path.read_bytes()
    return len(content), hashlib.sha256(content).hexdigest()


def on_the_hub(hub: RunningHub, table: Table) -> dict[str, tuple[int, str]]:
    """What the Hub has of a table's data: path → (size, sha256)."""
    files = hub.files(REPOS[table]).items()
    return {path: (file.size, file.sha256) for path, file in files if "=" in path}


def data_commits(hub: RunningHub, repo: str) -> list[HubCommit]:
    """The commits of a repo's data, newest first: not those that made the repo, and its card and manifests."""
    return [commit for commit in hub.commits(repo)[:-1] if not commit.title.startswith(("Update the card", "Record"))]


def assert_arrived(box: Box, hub: RunningHub, chunk: int, tables: Iterable[Table] = Table) -> None:
    """The Hub has exactly the chunk's partition files, each with its size and content, and nothing else."""
    for table in tables:
        expected = box.expected(table, chunk)
        assert expected
        assert on_the_hub(hub, table) == expected
