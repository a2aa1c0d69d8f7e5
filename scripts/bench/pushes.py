"""Contests of pushes: the same files, a fresh Hub on localhost for each run, and what the Hub counted."""

import shutil
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from localhub.faults import Latency
from localhub.testing import RunningHub, running_hub
from scripts.bench.contest import Work
from scripts.bench.figures import Figures
from scripts.bench.grown import grown_hub
from scripts.bench.scale import CHUNK, Scale, Size
from scripts.bench.workshop import ContestError, Workshop, environment_of, run, write_chunk
from wikidata.config import HF_USER, ROOT, Layout, Table, target_repos

FIRST, SECOND = "first push", "second push"
NO_LATENCY = Latency()
HF = str(ROOT / ".venv-hf" / "bin" / "hf")
"""The newest upload CLI, which `make bench` installs."""

_LIBRARY = """
import sys
from huggingface_hub import HfApi
HfApi().upload_large_folder(repo_id=sys.argv[1], folder_path=sys.argv[2], repo_type="dataset")
"""


@dataclass(frozen=True)
class Task:
    """What there is to push, from the pipeline's folders below `box`."""

    box: Path
    tables: tuple[Table, ...]
    environment: Mapping[str, str]

    @property
    def uploads(self) -> list[tuple[str, str]]:
        """Repo id and folder of each table."""
        repos = target_repos(HF_USER)
        return [(repos[table], str(self.box / "results" / table)) for table in self.tables]


Pusher = Callable[[Task], object]


def ours(layout: Layout | None = None, uploader: str | None = None) -> Pusher:
    """What a user types."""
    words = [f"LAYOUT={layout}"] if layout else []
    words += [f"UPLOADER={uploader}"] if uploader else []

    def push(task: Task) -> None:
        table = [f"TABLE={task.tables[0]}"] if len(task.tables) == 1 else []
        run(["make", "push", f"CHUNK={CHUNK}", *words, *table], task.environment)

    return push


def loop(task: Task) -> None:
    """The specification's loop, word for word."""
    for upload in task.uploads:
        _upload_by_cli(task, upload)


def parallel(task: Task) -> None:
    """The same commands, all at the same time."""
    _at_once(_upload_by_cli, task)


def hf_loop(task: Task) -> None:
    """The same with the command of huggingface_hub 2.x."""
    for upload in task.uploads:
        _upload_by_hf(task, upload)


def hf_parallel(task: Task) -> None:
    """Those commands, all at the same time."""
    _at_once(_upload_by_hf, task)


def _at_once(upload: Callable[[Task, tuple[str, str]], object], task: Task) -> None:
    with ThreadPoolExecutor(len(task.uploads)) as pool:
        list(pool.map(lambda each: upload(task, each), task.uploads))


def library(task: Task) -> None:
    """The function that the command calls, one repo after the other."""
    for upload in task.uploads:
        run([sys.executable, "-c", _LIBRARY, *upload], task.environment)


def _upload_by_cli(task: Task, upload: tuple[str, str]) -> None:
    run(["huggingface-cli", "upload-large-folder", *upload, "--repo-type", "dataset"], task.environment)


def _upload_by_hf(task: Task, upload: tuple[str, str]) -> None:
    run([HF, "upload", *upload, ".", "--repo-type", "dataset"], task.environment)


def pushing(size: Size, pusher: Pusher, latency: Latency = NO_LATENCY, *, twice: bool = False) -> Work:
    """Push a chunk to a new Hub, and, where `twice`, once more."""

    def work(workshop: Workshop) -> dict[str, Figures]:
        with workshop.folder() as root, running_hub(root / "hub") as hub:
            write_chunk(root / "box", size)
            task = _task(workshop.scale, root / "box", hub)
            hub.set_latency(latency.request_seconds, latency.commit_seconds)
            figures = {FIRST: _timed(hub, pusher, task, size)}
            if twice:
                figures[SECOND] = _timed(hub, pusher, task, size)
            return figures

    return work


def pushing_to_grown(size: Size, layout: Layout, *, is_grown: bool) -> Work:
    """Push a chunk to repos that are there already and have many files of other chunks, or none."""

    def work(workshop: Workshop) -> dict[str, Figures]:
        made = grown_hub(workshop, layout, is_grown=is_grown)
        with workshop.folder() as root:
            shutil.copytree(made, root / "hub")
            write_chunk(root / "box", size)
            with running_hub(root / "hub") as hub:
                return {FIRST: _timed(hub, ours(layout), _task(workshop.scale, root / "box", hub), size)}

    return work


def _task(scale: Scale, box: Path, hub: RunningHub) -> Task:
    return Task(box, scale.tables, environment_of(box, hub.environment))


def _timed(hub: RunningHub, pusher: Pusher, task: Task, size: Size) -> Figures:
    cards = _cards(hub, task)
    hub.reset_counts()
    started = time.perf_counter()
    pusher(task)
    seconds = time.perf_counter() - started
    counts = hub.counts()
    _check_arrival(hub, task, size)
    data_commits = counts.commits - (_cards(hub, task) - cards)
    return Figures(seconds=seconds, requests=counts.total, commits=counts.commits, data_commits=data_commits)


def _cards(hub: RunningHub, task: Task) -> int:
    """The commits of dataset cards so far."""
    cards = 0
    for repo_id, _ in task.uploads:
        with suppress(LookupError):  # there is no repo yet
            cards += sum(commit.title.startswith("Update the card") for commit in hub.commits(repo_id))
    return cards


def _check_arrival(hub: RunningHub, task: Task, size: Size) -> None:
    """Raise ContestError where the Hub lacks a key of the chunk: what is not done is soon done."""
    for repo_id, _ in task.uploads:
        split = (path.rpartition("/") for path in hub.files(repo_id))
        keys = {folder for folder, _, name in split if name.startswith((f"chunk_{CHUNK}-", f"chunk_{CHUNK}."))}
        if len(keys) != size.keys:
            raise ContestError(f"{repo_id} has {len(keys)} keys of chunk {CHUNK}, not {size.keys}")
