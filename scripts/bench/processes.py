"""Contests of single processes, without a Hub or with an empty one."""

import sys
import time
from collections.abc import Mapping, Sequence

from localhub.testing import running_hub
from scripts.bench.figures import Figures
from scripts.bench.workshop import Workshop, environment_of, run, run_timed

ALONE = ""
"""The one phase of these."""

Run = Mapping[str, Figures]


def tick(workshop: Workshop) -> Run:
    """`make push` with nothing to do."""
    return _command(workshop, ["make", "push"])


def importing(workshop: Workshop) -> Run:
    """What loading polars costs in the environment of a tick."""
    return _command(workshop, [sys.executable, "-c", "import polars"])


def _command(workshop: Workshop, command: Sequence[str]) -> Run:
    environment = environment_of(workshop.states(), {})
    started = time.perf_counter()
    run(command, environment)
    return {ALONE: Figures(seconds=time.perf_counter() - started)}


def state(workshop: Workshop) -> Run:
    """get_all_state."""
    return {ALONE: run_timed("scripts.bench.probe", "state", workshop.states())}


def state_by_polars(workshop: Workshop) -> Run:
    """polars reading the state files by a glob."""
    return {ALONE: run_timed("scripts.bench.bare", "state", workshop.states())}


def plan(workshop: Workshop) -> Run:
    """Planning the huge chunk for repos that do not exist."""
    huge = workshop.huge_chunk()
    with workshop.folder() as root, running_hub(root / "hub") as hub:
        return {ALONE: run_timed("scripts.bench.probe", "plan", huge, root, LAYOUT="files", **hub.environment)}


def bare_facts(workshop: Workshop) -> Run:
    """Sizes, hashes and row counts of the huge chunk."""
    return {ALONE: run_timed("scripts.bench.bare", "facts", workshop.huge_chunk())}


def pack(workshop: Workshop) -> Run:
    """Packing one table of the huge chunk."""
    huge = workshop.huge_chunk()
    with workshop.folder() as root:
        return {ALONE: run_timed("scripts.bench.probe", "pack", huge, root)}


def bare_keys(workshop: Workshop) -> Run:
    """Reading one table of the huge chunk, key by key."""
    return {ALONE: run_timed("scripts.bench.bare", "keys", workshop.huge_chunk())}


def pack_large_key(workshop: Workshop) -> Run:
    """Packing one large key."""
    large = workshop.large_key()
    with workshop.folder() as root:
        return {ALONE: run_timed("scripts.bench.probe", "pack", large, root)}
