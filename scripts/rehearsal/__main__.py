"""The rehearsal: the real chunks, small, from INIT to PUSH on one machine, with a Hub on localhost that misbehaves.

A pipeline completes chunks in random order while cron pushes them, sometimes twice at once, and some pushes are killed.
The Hub has a commit quota and fails now and then. At the end every chunk is at PUSH, and every row is on the Hub once:
all files are read back and compared with what was made, also as they were at earlier revisions, and by the programs of
.venv-readers. Prints a report and writes it to `bench/rehearsal.json`; exit code 1, and a line for each thing, if
something does not hold.

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
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from localhub.faults import Quota
from localhub.testing import RunningHub, running_hub
from scripts.bench.workspace import say
from scripts.rehearsal.checks import check_commits, check_listing, check_rows, check_steps, most_within
from scripts.rehearsal.chunks import read_sizes
from scripts.rehearsal.contents import Contents
from scripts.rehearsal.cron import Cron
from scripts.rehearsal.history import check_history
from scripts.rehearsal.pipeline import Pipeline
from scripts.rehearsal.readers import Question, check_readers
from scripts.rehearsal.remote import FAULTS, QUOTA, list_repo, read_rows
from scripts.rehearsal.report import Figures, count_pushes, write_report
from wikidata.config import FOLDERS, HF_USER, target_repos
from wikidata.state import get_all_state

REPORT = Path("bench/rehearsal.json")
REPOS = target_repos(HF_USER)


def main() -> int:
    """Rehearse; returns 1 if something does not hold."""
    is_quick = os.environ.get("QUICK") == "1"
    given = _parser(is_quick).parse_args()
    sizes = read_sizes(is_quick)
    root = given.root.absolute() if given.root else Path(tempfile.mkdtemp(prefix="rehearsal-"))
    say(f"{len(sizes)} chunks of {sum(sizes.values()):,} parts in {root}")
    contents = Contents(given.seed, given.keys, given.rows)
    pipeline = Pipeline(root, contents, sizes, given.seed)
    quota = Quota(given.commits, given.window)
    figures, violations = rehearse(pipeline, contents, quota, given.minutes, given.readers)
    options = {name: value for name, value in vars(given).items() if name != "root"}
    write_report(REPORT, options | {"layout": os.environ.get("LAYOUT", "")}, figures, violations)
    if violations:
        say(f"rehearsal: state, logs and the output of every push are left in {root}")
    elif not given.root:
        shutil.rmtree(root, ignore_errors=True)
    return 1 if violations else 0


def _parser(is_quick: bool) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    keys, minutes = (12, 15.0) if is_quick else (36, 60.0)
    add("--keys", type=int, default=keys, metavar="N", help="keys of each table (%(default)s)")
    add("--rows", type=int, default=2, metavar="N", help="rows of a key in a part (%(default)s)")
    add("--seed", type=int, default=0, metavar="N", help="another order, other keys and rows")
    add("--commits", type=int, default=QUOTA.commits, metavar="N", help="the Hub's commit quota (%(default)s) …")
    add("--window", type=float, default=QUOTA.window_seconds, metavar="SECONDS", help="… in so long (%(default)s)")
    add("--minutes", type=float, default=minutes, metavar="N", help="give up after so long (%(default)s)")
    add("--no-readers", dest="readers", action="store_false", help="do without .venv-readers")
    add("--root", type=Path, metavar="FOLDER", help="a new folder to work in and to keep")
    return parser


def rehearse(
    pipeline: Pipeline, contents: Contents, quota: Quota, minutes: float, with_readers: bool
) -> tuple[Figures, list[str]]:
    """Let everything be made, pushed and read back; returns what was counted and what does not hold."""
    root, sizes = pipeline.root, pipeline.sizes
    pipeline.prepare()
    with running_hub(root / "hub") as hub:
        hub.set_quota(quota)
        hub.set_faults(*FAULTS)
        not_before = root / FOLDERS["MANIFEST_DIR"] / ".not-before.json"
        cron = Cron(pipeline, root / "ticks", environment(root, hub), not_before, quota.window_seconds)
        started = time.monotonic()
        pipeline.start()
        try:
            is_done = cron.push_all(minutes)
        finally:
            pipeline.stop()
        seconds = time.monotonic() - started
        figures = count_pushes(cron, root / FOLDERS["LOG_DIR"], hub.counts(), hub.struck())
        figures["time_to_push_seconds"] = round(seconds, 1)
        hub.clear_faults()
        violations = cron.complaints
        if pipeline.error:
            violations.append(f"the pipeline failed: {pipeline.error!r}")
        if not is_done and seconds > minutes * 60:
            violations.append(f"given up after {minutes:g} minutes")
        violations += check_steps(get_all_state(root / FOLDERS["STATE_DIR"]), sizes)
        if is_done:  # what an unfinished rehearsal has on the Hub is not wrong, only not all
            violations += inspect(sizes, quota, contents, hub, figures, with_readers)
    return figures, violations


def environment(root: Path, hub: RunningHub) -> dict[str, str]:
    """What cron's environment has beside the user's own."""
    ours = {name: str(root / folder) for name, folder in FOLDERS.items()}
    ours |= hub.environment | {"HF_HOME": str(root / "hf-home"), "HF_USER": HF_USER}
    return {**os.environ, **ours, "WIKIDATA": sys.executable, "RETRY_SECONDS": "0.2", "PING_URL": ""}


def inspect(
    sizes: Mapping[int, int], quota: Quota, contents: Contents, hub: RunningHub, figures: Figures, with_readers: bool
) -> list[str]:
    """Look at everything on the Hub, limits, commits and rows, and add to the figures; returns what does not hold."""
    started = time.monotonic()
    # The first commit of a repo is its creation, which no quota counts.
    dates = [commit.date for repo in REPOS.values() for commit in hub.commits(repo)[:-1]]
    violations = list(check_commits(dates, quota))
    layouts: set[str] = set()
    files = 0
    questions: dict[str, Question] = {}
    for table, repo in REPOS.items():
        listing = list_repo(hub, repo, table)
        violations += check_listing(repo, listing, sizes)
        rows = [contents.expected(table, chunk, parts).with_columns(chunk=chunk) for chunk, parts in sizes.items()]
        expected = pl.concat(rows)
        found = read_rows(hub, repo, table, [file for block in listing.blocks.values() for file in block])
        violations += check_rows(str(table), expected, found)
        violations += check_history(hub, repo, table, expected)
        counts = dict(expected.group_by("key").len().iter_rows())
        questions[repo] = Question(table.partition_column, counts, contents.keys[table][:1])
        say(f"{table}: {len(listing.sizes):,} files are read back")
        layouts |= listing.layouts
        files += len(listing.sizes)
    if with_readers:
        with tempfile.TemporaryDirectory() as scratch:
            violations += check_readers(hub, questions, Path(scratch))
    most = most_within(dates, quota.window_seconds)
    seconds = round(time.monotonic() - started, 1)
    figures |= {
        "layouts": sorted(layouts),
        "hub_files": files,
        "most_commits_in_window": most,
        "time_to_check_seconds": seconds,
    }
    return violations


if __name__ == "__main__":
    sys.exit(main())
