"""Sides that push: the same files, a fresh Hub on localhost for each run, and what the Hub counted."""

import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from localhub.faults import Latency
from localhub.testing import RunningHub, running_hub
from scripts.bench.data import CHUNK, CHUNKS_TO_FOLD, Size, chunks_of_a_key, hub_with_files, write_chunk
from scripts.bench.measure import Measured, Side
from scripts.bench.workspace import Data, SideError, Workspace, environment_of, run
from scripts.sample.source_files import STATE
from wikidata.config import HF_USER, ROOT, Layout, Table, target_repos
from wikidata.names import parse_data_file
from wikidata.state import raise_to_push

NO_LATENCY = Latency()

CLI = ("huggingface-cli", "upload-large-folder", "REPO", "FOLDER", "--repo-type", "dataset")
"""The specification's command, word for word."""
HF = (str(ROOT / ".venv-hf" / "bin" / "hf"), "upload", "REPO", "FOLDER", ".", "--repo-type", "dataset")
"""That of the newest huggingface_hub, which `make bench` installs."""
_UPLOAD = "HfApi().upload_large_folder(repo_id=sys.argv[1], folder_path=sys.argv[2], repo_type='dataset')"
LIBRARY = (sys.executable, "-c", f"import sys; from huggingface_hub import HfApi; {_UPLOAD}", "REPO", "FOLDER")
"""The function that the specification's command calls."""


class Task(NamedTuple):
    """What there is to push: the folder and the repo id of each table."""

    folders: Mapping[Table, Path]
    repos: Mapping[Table, str]
    environment: Mapping[str, str]


Pusher = Callable[[Task], object]


def ours(layout: Layout | None = None, uploader: str | None = None) -> Pusher:
    """What a user types."""
    words = [f"{name}={value}" for name, value in (("LAYOUT", layout), ("UPLOADER", uploader)) if value]

    def push(task: Task) -> None:
        table = [f"TABLE={table}" for table in task.repos if len(task.repos) == 1]
        run(["make", "push", f"CHUNK={CHUNK}", *words, *table], task.environment)

    return push


def each(command: Sequence[str], *, at_once: bool = False) -> Pusher:
    """A command for each table, one after the other or all at the same time."""

    def push(task: Task) -> None:
        def upload(table: Table) -> None:
            given = {"REPO": task.repos[table], "FOLDER": str(task.folders[table])}
            run([given.get(word, word) for word in command], task.environment)

        with ThreadPoolExecutor(len(task.repos) if at_once else 1) as pool:
            list(pool.map(upload, task.repos))

    return push


def pushing(
    size: Size,
    pusher: Pusher,
    latency: Latency = NO_LATENCY,
    *,
    twice: bool = False,
    data: Data | None = None,
    by_xet: bool = False,
) -> Side:
    """Push a chunk, that of `data` if it is given, to a new Hub by LFS or Xet, and, if `twice`, once more.

    What the second push measures is named `second_…`.
    """

    def side(workspace: Workspace) -> Measured:
        arguments = ["--xet"] if by_xet else []
        with workspace.folder() as root, running_hub(root / "hub", arguments=arguments) as hub:
            task = _task(workspace, root / "box", size, hub, data)
            hub.set_latency(latency.request_seconds, latency.commit_seconds)
            measured = _timed(hub, pusher, task, size)
            if twice:
                measured |= {f"second_{name}": value for name, value in _timed(hub, pusher, task, size).items()}
            return measured

    return side


def pushing_to_repo(size: Size, layout: Layout, *, has_files: bool) -> Side:
    """Push a chunk to repos that are there already and have many files of other chunks, or none; from a synced box."""

    def side(workspace: Workspace) -> Measured:
        made = workspace.shared(
            lambda root, scale: hub_with_files(root, scale, layout if has_files else None),
            f"a Hub with files, {layout}" if has_files else "an empty Hub",
        )
        with workspace.folder() as root:
            shutil.copytree(made, root / "hub")
            with running_hub(root / "hub") as hub:
                task = _task(workspace, root / "box", size, hub)
                run(["make", "sync"], task.environment)
                return _timed(hub, ours(layout), task, size)

    return side


def folding_by_xet(workspace: Workspace) -> Measured:
    """Push chunks of one key, fold them, and measure the fold: the bytes sent, and those of the folded files."""
    with workspace.folder() as root, running_hub(root / "hub", arguments=["--xet"]) as hub:
        chunks_of_a_key(root, workspace.scale)
        environment = environment_of(root, hub.environment | {"LAYOUT": "packed"})
        run(["make", "push", f"TABLE={Table.LABELS}"], environment)
        for chunk in range(CHUNKS_TO_FOLD):
            raise_to_push(root / STATE, chunk)
        hub.reset_counts()
        started = time.perf_counter()
        run(["make", "fold", f"TABLE={Table.LABELS}"], environment)
        seconds, sent = time.perf_counter() - started, hub.counts().uploaded_bytes
        files = hub.files(target_repos(HF_USER)[Table.LABELS])
        folded = [file.size for path, file in files.items() if parse_data_file(path)]
    if len(folded) != 1:
        raise SideError(f"{len(folded)} files are left of one key")
    return {"seconds": seconds, "sent_bytes": sent, "folded_bytes": folded[0]}


def _task(workspace: Workspace, box: Path, size: Size, hub: RunningHub, data: Data | None = None) -> Task:
    if data:
        shutil.copytree(workspace.shared(data), box, copy_function=os.link)
    else:
        write_chunk(box, size)
    repos = {table: target_repos(HF_USER)[table] for table in workspace.scale.tables}
    return Task({table: box / "results" / table for table in repos}, repos, environment_of(box, hub.environment))


def _timed(hub: RunningHub, pusher: Pusher, task: Task, size: Size) -> Measured:
    """Push, and measure; `data_commits` are the commits without those of dataset cards, which no peer publishes."""
    hub.reset_counts()
    started = time.perf_counter()
    pusher(task)
    seconds = time.perf_counter() - started
    counts = hub.counts()
    cards = 0
    for repo in task.repos.values():
        newest = hub.commits(repo)[: counts.of(repo).commits]
        cards += sum(commit.title.startswith("Record") for commit in newest)
        # What is not done is soon done.
        files = map(parse_data_file, hub.files(repo))
        keys = {file.folder for file in files if file and file.block.first == CHUNK}
        if len(keys) != size.keys:
            raise SideError(f"{repo} has {len(keys)} keys of chunk {CHUNK}, not {size.keys}")
    facts = {"requests": counts.total, "commits": counts.commits, "data_commits": counts.commits - cards}
    return {"seconds": seconds, **facts}
