"""Sides that push several chunks to a far Hub: by Slurm, on so many nodes, or by one box."""

import time
from collections.abc import Callable, Mapping

from localhub.faults import Latency
from localhub.testing import running_hub
from scripts.bench.data import ROWS, Size
from scripts.bench.measure import Measured, Side
from scripts.bench.workspace import SideError, Workspace, environment_of, run
from scripts.cluster import running_cluster, why_not
from scripts.sample.build import write_sample
from wikidata.config import HF_USER, Layout, target_repos
from wikidata.names import one, remote_manifest

CHUNKS = 12


def on_nodes(nodes: int, size: Size, latency: Latency) -> Side:
    """Type `make submit` on a cluster of so many nodes, and wait until nothing is queued or running."""

    def side(workspace: Workspace) -> Measured:
        if reason := why_not():
            raise SideError(f"no Slurm cluster can be started: {reason}")
        with running_cluster([f"n{number + 1}" for number in range(nodes)]) as cluster:

            def push(environment: Mapping[str, str]) -> None:
                run(["make", "submit"], {**environment, **cluster.environment})
                while cluster.ask("squeue", "--noheader"):
                    time.sleep(0.1)

            return _timed(push, workspace, size, latency)

    return side


def on_one_box(size: Size, latency: Latency) -> Side:
    """Type `make push`."""
    return lambda workspace: _timed(lambda environment: run(["make", "push"], environment), workspace, size, latency)


def _timed(push: Callable[[Mapping[str, str]], object], workspace: Workspace, size: Size, latency: Latency) -> Measured:
    with workspace.folder() as root, running_hub(root / "hub") as hub:
        box = root / "box"
        write_sample(
            box, chunks=dict.fromkeys(range(CHUNKS), size.parts), keys=size.keys, rows=ROWS, process_files=False
        )
        environment = environment_of(box, hub.environment | {"LAYOUT": Layout.PACKED, "FOLD": "0"})
        hub.set_latency(latency.request_seconds, latency.commit_seconds)
        started = time.perf_counter()
        push(environment)
        seconds, counts = time.perf_counter() - started, hub.counts()
        for repo in target_repos(HF_USER).values():
            missing = {remote_manifest(one(chunk)) for chunk in range(CHUNKS)} - hub.files(repo).keys()
            card = hub.read(repo, "README.md").decode()
            if missing or f"{CHUNKS} of {CHUNKS} chunks are published" not in card:
                raise SideError(f"{repo} lacks {missing}, or its card does not count all")
    return {"seconds": seconds, "requests": counts.total, "commits": counts.commits}
