"""A Slurm cluster for the tests of this folder, and what is waited for on it."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from scripts.cluster import Cluster, running_cluster, why_not
from tests.helpers.box import Box
from tests.helpers.stock import NewBox

SECONDS = 120.0


@dataclass(frozen=True)
class Site:
    """A box whose folders two nodes share, and the cluster that they belong to."""

    cluster: Cluster
    box: Box

    def submit(self, **settings: str) -> str:
        """Type `make submit`; returns what it prints."""
        done = self.box.make("submit", **settings)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def tasks(self, *columns: str) -> list[list[str]]:
        """A list of columns, in squeue's words for them, for each task that is queued or running."""
        listed = self.cluster.ask("squeue", "--array", "--noheader", f"--format={'|'.join(columns)}")
        return [line.split("|") for line in listed.splitlines()]

    def facts(self, job: str) -> dict[str, str]:
        """What Slurm knows of a task."""
        words = self.cluster.ask("scontrol", "--oneliner", "show", "job", job).splitlines()[0].split()
        return dict(word.split("=", 1) for word in words if "=" in word)

    def start_soon(self, *jobs: str) -> None:
        """Do not wait as long as requeued tasks are to wait; in the same second, Slurm could not start them again."""
        for job in jobs:
            self.cluster.ask("scontrol", "update", f"JobId={job}", "StartTime=now+2")

    def wait_for_end(self) -> None:
        """Wait until nothing is queued or running."""
        wait_until(lambda: not self.tasks("%i"), lambda: f"{self.tasks('%i', '%T', '%r')} {self.said()}")

    def said(self) -> str:
        """What all tasks have printed."""
        return "".join(log.read_text() for log in sorted((self.box.root / "logs" / "tasks").glob("*.log")))


def wait_until(condition: Callable[[], bool], otherwise: Callable[[], object] = str) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, otherwise()
        time.sleep(0.1)


@pytest.fixture(scope="session")
def shared_cluster() -> Iterator[Cluster]:
    if reason := why_not():
        pytest.skip(f"no Slurm cluster can be started here: {reason}")
    with running_cluster() as running:
        yield running


@pytest.fixture
def cluster(shared_cluster: Cluster) -> Iterator[Cluster]:
    """Two nodes, n1 and n2, on which nothing runs."""
    yield shared_cluster
    shared_cluster.ask("scancel", "--user=root")
    wait_until(lambda: not shared_cluster.ask("squeue", "--noheader"))


@pytest.fixture
def site(cluster: Cluster, new_box: NewBox) -> Site:
    """Chunks 3, 4 and 5 are due."""
    return site_of(cluster, new_box(chunks={3: 1, 4: 1, 5: 1}, keys=2, rows=2))


def site_of(cluster: Cluster, box: Box) -> Site:
    box.settings |= cluster.environment | {"FOLD": "0"}
    return Site(cluster, box)
