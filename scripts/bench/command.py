"""Times `make push` and its parts against what a user would run or write instead, on this machine.

Everything is made for the occasion: data, folders, a Hub on localhost. Each contest runs its sides in turn; ratios are
those of medians. Prints a table, and writes it to bench/ as bench.json (with every run) and bench.svg. QUICK=1 makes
everything tiny and judges nothing: it shows that the benchmark works.
"""

import argparse
import os
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from scripts.bench import picture, report
from scripts.bench.contest import Contest, hold
from scripts.bench.figures import Measured, Result, Row, result_of
from scripts.bench.programme import contests, rows
from scripts.bench.scale import FULL, QUICK, Scale
from scripts.bench.workshop import ContestError, Workshop, say
from wikidata.config import ROOT
from wikidata.report.terminal import table_of

FOLDER = ROOT / "bench"


def main(arguments: Sequence[str] | None = None) -> int:
    """Hold the chosen contests; returns 1 where one could not be held or a goal does not hold, 2 for bad arguments."""
    scale = QUICK if os.environ.get("QUICK", "0") not in ("", "0") else FULL
    parser = _parser()
    options = parser.parse_args(arguments)
    runs = 1 if options.runs is None and scale.is_quick else options.runs
    try:
        chosen = choose(contests(scale), options.only, options.all, runs)
    except ValueError as error:
        parser.error(str(error))
    if options.list:
        print(overview(chosen, rows(scale)))
        return 0
    measured = run(chosen, scale)
    results = judge(rows(scale), chosen, measured, scale)
    write(results, measured, scale)
    return 1 if len(measured) < len(chosen) or any(result.holds is False for result in results) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m scripts.bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--only", metavar="NAME,…", help="these contests alone; also those that take very long")
    add("--all", action="store_true", help="also the contests that take very long: latency, 20 minutes")
    add("--runs", metavar="N", type=int, help="so many runs of each side, but of those that run only once")
    add("--list", action="store_true", help="list the contests that would be held, and run nothing")
    return parser


def choose(known: Iterable[Contest], only: str | None, is_all: bool, runs: int | None) -> list[Contest]:
    """The contests to hold, with so many runs. Raises ValueError for a name that is none's, or for no runs."""
    if runs is not None and runs < 1:
        raise ValueError(f"--runs {runs}: must be 1 or more")
    by_name = {contest.name: contest for contest in known}
    names = only.split(",") if only else [name for name in by_name if is_all or by_name[name].by_default]
    if unknown := [name for name in names if name not in by_name]:
        raise ValueError(f"--only {unknown[0]}: must be of {', '.join(by_name)}")
    return [
        contest if runs is None else replace(contest, runs=runs)
        for contest in by_name.values()
        if contest.name in names
    ]


def overview(chosen: Sequence[Contest], known: Sequence[Row]) -> str:
    """The rows that the contests are for, as a table."""
    lines = [
        (contest.name, row.what, row.against, "" if row.goal is None else f"≤ {row.goal:g}", contest.runs)
        for contest in chosen
        for row in known
        if row.contest == contest.name
    ]
    return table_of(lines, ("contest", "what", "against", "goal", "runs"))


def run(chosen: Sequence[Contest], scale: Scale) -> dict[str, Measured]:
    """Hold the contests; one that fails is told about and left out."""
    FOLDER.mkdir(exist_ok=True)
    measured: dict[str, Measured] = {}
    # On the disk of the checkout, where hard links and the disk are what they are for users.
    with tempfile.TemporaryDirectory(prefix="work-", dir=FOLDER, ignore_cleanup_errors=True) as root:
        workshop = Workshop(scale, Path(root))
        for contest in chosen:
            try:
                measured[contest.name] = hold(contest, workshop)
            except ContestError as error:
                say(f"bench: {contest.name} failed: {error}")
        say("clearing up …")
    return measured


def judge(known: Sequence[Row], chosen: Sequence[Contest], runs: dict[str, Measured], scale: Scale) -> list[Result]:
    """The results of the chosen contests; goals are not for tiny numbers."""
    names = {contest.name for contest in chosen}
    return [result_of(row, runs.get(row.contest, {}), not scale.is_quick) for row in known if row.contest in names]


def write(results: Sequence[Result], runs: dict[str, Measured], scale: Scale) -> None:
    """Print the table, and write the files."""
    facts = report.machine()
    caption = report.describe(facts)
    print(report.table(results))
    print(caption)
    report.write(FOLDER / "bench.json", report.document(facts, results, runs, scale.is_quick))
    (FOLDER / "bench.svg").write_text(picture.draw(results, caption))
    say(f"written to {os.path.relpath(FOLDER)}: bench.json, bench.svg")
