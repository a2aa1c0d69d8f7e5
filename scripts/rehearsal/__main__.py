"""The rehearsal: the real chunks, small, from INIT to PUSH on one machine, with a Hub on localhost that misbehaves.

A pipeline completes chunks in random order while cron pushes them, sometimes twice at once. The Hub has a commit quota
and fails now and then. At the end every chunk is at PUSH, and every row is on the Hub exactly once: all files are read
back and compared with what was made. Prints a report and writes it to `bench/rehearsal.json`; exit code 1, and a line
for each thing, where something does not hold.

QUICK=1 takes ten chunks and a few minutes. LAYOUT and the other settings of `make` are passed on to the pushes; with
LAYOUT=auto all chunks of 36 keys come to too many files and are packed, and the ten of QUICK=1 are not.
The numbers of parts in `chunk_sizes.csv` are those of the dataset philippesaade/wikidata on the Hugging Face Hub.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import HfApi

from localhub.faults import Quota
from localhub.testing import RunningHub, running_hub
from scripts.rehearsal.arrived import Listing, Reader, list_repo
from scripts.rehearsal.checks import check_commits, check_limits, check_rows, check_steps, most_within
from scripts.rehearsal.chunks import choose, read_sizes
from scripts.rehearsal.contents import Contents
from scripts.rehearsal.cron import Cron, NotBefore, complaints, run
from scripts.rehearsal.figures import Figures, Inspection, Pushes, figures
from scripts.rehearsal.pipeline import Pipeline
from scripts.rehearsal.report import Progress, say, write_report
from scripts.rehearsal.trouble import FAULTS, QUOTA
from wikidata.config import FOLDERS, HF_USER, Table, target_repos
from wikidata.state import get_all_state

REPORT = Path("bench/rehearsal.json")
REPOS = target_repos(HF_USER)
QUICK_KEYS = 12
QUICK_MINUTES = 15.0


@dataclass(frozen=True)
class Options:
    """What is rehearsed: the parts of each chunk, what they hold, the Hub's quota, and for how long at most."""

    sizes: dict[int, int]
    keys: int = 36
    rows: int = 2
    seed: int = 0
    quota: Quota = QUOTA
    minutes: float = 60.0


def main() -> int:
    """Rehearse; returns 1 where something does not hold."""
    is_quick = os.environ.get("QUICK") == "1"
    given = _parser(is_quick).parse_args()
    try:
        sizes = choose(read_sizes(), given.chunks, is_quick, given.seed)
    except ValueError as error:
        raise SystemExit(f"rehearsal: {error}") from None
    if given.layout:
        os.environ["LAYOUT"] = given.layout
    quota = Quota(given.commits, given.window)
    options = Options(sizes, given.keys, given.rows, given.seed, quota, given.minutes)
    root = given.root.absolute() if given.root else Path(tempfile.mkdtemp(prefix="rehearsal-"))
    say(f"{len(sizes)} chunks of {sum(sizes.values()):,} parts in {root}")
    counted, violations = rehearse(options, root)
    choices = {name: getattr(given, name) for name in ("keys", "rows", "seed", "commits", "window")}
    write_report(REPORT, choices | {"layout": os.environ.get("LAYOUT", "")}, counted, violations)
    if violations:
        say(f"rehearsal: state, logs and the output of every push are left in {root}")
    elif not given.root:
        shutil.rmtree(root, ignore_errors=True)
    return 1 if violations else 0


def _parser(is_quick: bool) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    keys, minutes = (QUICK_KEYS, QUICK_MINUTES) if is_quick else (Options.keys, Options.minutes)
    quota = Options.quota
    add("--chunks", type=int, metavar="N", help="so many random chunks (default: all 113, or ten with QUICK=1)")
    add("--keys", type=int, default=keys, metavar="N", help="keys of each table (%(default)s)")
    add("--rows", type=int, default=Options.rows, metavar="N", help="rows of a key in a part, at most (%(default)s)")
    add("--seed", type=int, default=Options.seed, metavar="N", help="another order, other keys and rows")
    add("--commits", type=int, default=quota.commits, metavar="N", help="the Hub's commit quota (%(default)s) …")
    add("--window", type=float, default=quota.window_seconds, metavar="SECONDS", help="… in so long (%(default)s)")
    add("--layout", metavar="LAYOUT", help="LAYOUT of the pushes (default: that of the environment)")
    add("--minutes", type=float, default=minutes, metavar="N", help="give up after so long (%(default)s)")
    add("--root", type=Path, metavar="FOLDER", help="a new folder to work in and to keep")
    return parser


def rehearse(options: Options, root: Path) -> tuple[Figures, list[str]]:
    """Let everything be made, pushed and read back below `root`; returns what was counted and what does not hold."""
    contents = Contents(options.seed, options.keys, options.rows)
    pipeline = Pipeline(root, contents, options.sizes, options.seed)
    pipeline.prepare()
    with running_hub(root / "hub") as hub:
        hub.set_quota(options.quota)
        hub.set_faults(*FAULTS)
        pushes = push_everything(options, root, pipeline, hub)
        hub.clear_faults()
        violations = list(failures(options, pipeline, pushes))
        violations += check_steps(get_all_state(root / FOLDERS["STATE_DIR"]), options.sizes)
        # What an unfinished rehearsal has on the Hub is not wrong, only not all.
        inspection = inspect(options, contents, hub) if pushes.is_done else Inspection([])
    return figures(pipeline, pushes, inspection), violations + inspection.violations


def push_everything(options: Options, root: Path, pipeline: Pipeline, hub: RunningHub) -> Pushes:
    """Let cron push what the pipeline completes, until all is pushed or something fails."""
    started = time.monotonic()
    cron = Cron(root / "ticks", environment(root, hub), options.seed)
    not_before = NotBefore(root / FOLDERS["MANIFEST_DIR"] / ".not-before.json", options.quota.window_seconds)
    pipeline.start()
    try:
        is_done = run(cron, pipeline, not_before, options.minutes, Progress(pipeline, cron.ticks).show)
    finally:
        pipeline.stop()
    seconds = time.monotonic() - started
    logs = root / FOLDERS["LOG_DIR"]
    return Pushes(cron.ticks, not_before.waits, hub.counts(), hub.struck(), logs, seconds, is_done)


def failures(options: Options, pipeline: Pipeline, pushes: Pushes) -> Iterator[str]:
    """What went wrong before anything is checked."""
    yield from complaints(pushes.ticks)
    if pipeline.error:
        yield f"the pipeline failed: {pipeline.error!r}"
    if not pushes.is_done and pushes.seconds > options.minutes * 60:
        yield f"given up after {options.minutes:g} minutes"


def environment(root: Path, hub: RunningHub) -> dict[str, str]:
    """What cron's environment has beside the user's own."""
    ours = {name: str(root / folder) for name, folder in FOLDERS.items()}
    ours |= {"HF_ENDPOINT": hub.endpoint, "HF_TOKEN": hub.token, "HF_HOME": str(root / "hf-home"), "HF_USER": HF_USER}
    return {**os.environ, **ours, "WIKIDATA": sys.executable, "RETRY_SECONDS": "0.2", "PING_URL": ""}


def inspect(options: Options, contents: Contents, hub: RunningHub) -> Inspection:
    """Look at everything on the Hub: limits, commits, rows."""
    started = time.monotonic()
    api = HfApi(endpoint=hub.endpoint, token=hub.token)
    listings = {table: list_repo(api, repo, table) for table, repo in REPOS.items()}
    # The first commit of a repo is its creation, which no quota counts.
    dates = [commit.date for repo in REPOS.values() for commit in hub.commits(repo)[:-1]]
    violations = list(check_commits(dates, options.quota))
    with Reader(hub.endpoint, hub.token) as reader:
        for table, listing in listings.items():
            violations += check_limits(REPOS[table], listing, list(options.sizes))
            violations += compare(table, listing, options.sizes, contents, reader)
    layouts = sorted({layout for listing in listings.values() for layout in listing.layouts})
    files = sum(len(listing.sizes) for listing in listings.values())
    most = most_within(dates, options.quota.window_seconds)
    return Inspection(violations, layouts, files, most, time.monotonic() - started)


def compare(table: Table, listing: Listing, sizes: dict[int, int], contents: Contents, reader: Reader) -> Iterator[str]:
    """Read every file of a table, and compare its rows with those that were made, chunk by chunk."""
    for chunk, parts in sizes.items():
        found = reader.rows(table, REPOS[table], listing.chunks.get(chunk, []))
        yield from check_rows(f"{table} chunk {chunk}", contents.expected(table, chunk, parts), found)
    say(f"{table}: {len(listing.sizes):,} files are read back")


if __name__ == "__main__":
    sys.exit(main())
