"""Times `make push` against what a user would run instead: the specification's five commands, one after the other.

Both push the same files, 5 tables of PARTS × KEYS, to a fresh Hub on localhost, twice. Prints seconds, requests and
commits of each, and the ratios; writes the same to `bench/push.json`.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from make_sample import write_sample

from localhub.testing import RunningHub, running_hub
from wikidata.config import FOLDERS, Table, target_repos
from wikidata.terminal import table_of

CHUNK = 3


Contestant = Callable[[Path, dict[str, str]], None]


@dataclass(frozen=True)
class Run:
    """One run of one contestant: wall seconds, requests that the Hub counted, commits that landed."""

    seconds: float
    requests: int
    commits: int


def main() -> int:
    """Run both contestants `--runs` times, in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", type=int, default=4)
    parser.add_argument("--keys", type=int, default=10)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    ours: list[list[Run]] = []
    loop: list[list[Run]] = []
    for number in range(options.runs):
        print(f"run {number + 1} of {options.runs} …", file=sys.stderr)
        ours.append(contest(options.parts, options.keys, push))
        loop.append(contest(options.parts, options.keys, specification))
    report(options, ours, loop)
    return 0


def contest(parts: int, keys: int, contestant: Contestant) -> list[Run]:
    """Fresh data, a fresh Hub, and the contestant twice."""
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        write_sample(root / "box", chunks={CHUNK: parts}, keys=keys, rows=5, process_files=False)
        with running_hub(root / "hub") as hub:
            environment = os.environ | {"HF_ENDPOINT": hub.endpoint, "HF_TOKEN": hub.token, "HF_HOME": str(root / "hf")}
            environment |= {name: str(root / "box" / folder) for name, folder in FOLDERS.items()}
            return [timed(hub, contestant, root / "box", environment) for _ in range(2)]


def timed(hub: RunningHub, contestant: Contestant, box: Path, environment: dict[str, str]) -> Run:
    """Run a contestant once, and count what it asked for."""
    hub.reset_counts()
    started = time.perf_counter()
    contestant(box, environment)
    seconds = time.perf_counter() - started
    counts = hub.counts()
    return Run(seconds, counts.total, counts.commits)


def push(_box: Path, environment: dict[str, str]) -> None:
    """Ours: what a user types."""
    subprocess.run(["make", "push", f"CHUNK={CHUNK}", "QUIET=1"], env=environment, check=True)


def specification(box: Path, environment: dict[str, str]) -> None:
    """The specification's loop, word for word."""
    for table, repo_id in target_repos("permutans").items():
        command = ["huggingface-cli", "upload-large-folder", repo_id, str(box / "results" / table)]
        done = subprocess.run([*command, "--repo-type", "dataset"], env=environment, capture_output=True, check=False)
        if done.returncode:
            raise SystemExit(f"the loop failed for {table}: {done.stderr.decode()[-500:]}")


def report(options: argparse.Namespace, ours: list[list[Run]], loop: list[list[Run]]) -> None:
    """Print the medians, and write every run."""
    rows = []
    for index, which in enumerate(("first push", "second push")):
        medians = [median([runs[index] for runs in side]) for side in (ours, loop)]
        ratio = medians[0].seconds / medians[1].seconds
        for name, run in zip(("make push", "the five commands"), medians, strict=True):
            rows.append((which, name, f"{run.seconds:.2f}", run.requests, run.commits, f"{ratio:.3f}"))
    print(f"5 × {options.parts * options.keys} files, medians of {options.runs} runs, {os.cpu_count()} cores")
    print(table_of(rows, ("what", "who", "seconds", "requests", "commits", "ratio")))
    Path("bench").mkdir(exist_ok=True)
    content = {"parts": options.parts, "keys": options.keys, "tables": len(Table), "cores": os.cpu_count()}
    runs = {
        "ours": [[asdict(run) for run in pair] for pair in ours],
        "loop": [[asdict(run) for run in pair] for pair in loop],
    }
    Path("bench/push.json").write_text(json.dumps(content | runs, indent=1) + "\n")


def median(runs: list[Run]) -> Run:
    """The median of each figure."""
    return Run(
        statistics.median(run.seconds for run in runs),
        round(statistics.median(run.requests for run in runs)),
        round(statistics.median(run.commits for run in runs)),
    )


if __name__ == "__main__":
    if shutil.which("huggingface-cli") is None:
        raise SystemExit("bench: huggingface-cli is not on the PATH: type make bench")
    sys.exit(main())
