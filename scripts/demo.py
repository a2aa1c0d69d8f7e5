"""The demo: two chunks as the pipeline leaves them, a Hub on localhost, `make push` against it, and what arrived.

Chunk 3 is complete, chunk 30 is not. Everything lies in `demo/`; a second run finds nothing left to do.
"""

import os
import subprocess
import sys
from pathlib import Path

import polars as pl
from huggingface_hub import HfFileSystem

from localhub.testing import RunningHub, running_hub
from scripts.sample.build import write_sample
from wikidata.config import FOLDERS, HF_USER, target_repos
from wikidata.report.words import table_of
from wikidata.state import due_chunks, get_all_state

DEMO = Path("demo").absolute()
CHUNK, PARTS = 3, 4


def main() -> int:
    """Run the demo; returns the exit code of the push, or 1 if the Hub has other rows than the sample."""
    data = DEMO / "pipeline"
    if not (data / "state").exists():
        write_sample(data, chunks={CHUNK: PARTS, 30: PARTS}, keys=10, rows=5, incomplete={30})
    say(f"The pipeline's output is in {os.path.relpath(data)}: chunk {CHUNK} is complete, chunk 30 is not.")
    with running_hub(DEMO / "hub") as hub:
        say(f"A Hub on localhost: {hub.endpoint}")
        environment = {**os.environ, **hub.environment, "HF_USER": HF_USER, "HF_HOME": str(DEMO / "hf-home")}
        environment |= {name: str(data / folder) for name, folder in FOLDERS.items()}
        environment["PAGE"] = str(DEMO / "wikidata.html")
        due = due_chunks(get_all_state(data / "state"))
        if code := make("push", environment):
            return code
        if not due:
            print("Nothing is left to do: all that is complete is published. Remove demo/ to start over.")
        make("verify", environment)
        equal = read_back(hub, data / "results")
        make("status", environment)
        make("page", environment)
    say("The Hub is stopped, the page stays: open it in a browser. Run make demo again: nothing is left to push.")
    return 0 if equal else 1


def make(target: str, environment: dict[str, str]) -> int:
    """Type `make TARGET` as a user would."""
    say(f"$ make {target}")
    return subprocess.run(["make", "--no-print-directory", target], env=environment, check=False).returncode


def read_back(hub: RunningHub, results: Path) -> bool:
    """Read every row of every table from the Hub, and compare with the local partition files of the chunk."""
    say("Read back from the Hub, and compared with the local files of the chunk, row by row:")
    hub_files = HfFileSystem(endpoint=hub.endpoint, token=hub.token)
    rows = []
    for table, repo_id in target_repos(HF_USER).items():
        paths = sorted(hub_files.glob(f"datasets/{repo_id}/**/*.parquet"))
        remote = pl.concat(pl.read_parquet(hub_files.read_bytes(path)) for path in paths)
        local = pl.read_parquet(results / table / f"*/chunk_{CHUNK}-*.parquet", hive_partitioning=False)
        there, here = (frame.sort("id", maintain_order=True) for frame in (remote, local))
        rows.append((table, repo_id, len(paths), there.height, "equal" if there.equals(here) else "DIFFERENT"))
    print(table_of(rows, ("table", "repo", "files", "rows", "compared")))
    return all(row[-1] == "equal" for row in rows)


def say(line: str) -> None:
    print(f"\n{line}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
