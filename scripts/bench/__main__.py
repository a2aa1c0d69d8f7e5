"""Times `make push` and its parts against what a user would run or write instead, on this machine.

Everything is made for the occasion: data, folders, a Hub on localhost. Each comparison runs its sides in turn; ratios
are those of medians. Prints a table, and writes it with every run to bench/bench.json. QUICK=1 makes everything tiny
and judges nothing: it shows that the benchmark works.
"""

import argparse
import json
import os
import platform
import re
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from scripts.bench.comparisons import COMPARISONS
from scripts.bench.data import FULL, QUICK
from scripts.bench.measure import Comparison, Runs, result_of, run_sides, table
from scripts.bench.workspace import SideError, Workspace, say
from wikidata.config import ROOT
from wikidata.report.words import readable_bytes

FOLDER = ROOT / "bench"


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the chosen comparisons; returns 1 if one could not be made or a goal does not hold, 2 for bad arguments."""
    is_quick = os.environ.get("QUICK", "0") not in ("", "0")
    scale = QUICK if is_quick else FULL
    known = {comparison.name: comparison for comparison in (make(scale) for make in COMPARISONS)}
    parser = argparse.ArgumentParser(
        "python -m scripts.bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--only", metavar="NAME,…", help=f"these alone, also those that take very long, of {', '.join(known)}")
    add("--all", action="store_true", help="also the comparisons that take very long: latency, nodes: 40 minutes")
    add("--runs", metavar="N", type=int, default=1 if is_quick else None, help="so many runs of each side")
    given = parser.parse_args(arguments)
    names = given.only.split(",") if given.only else [name for name in known if given.all or known[name].by_default]
    if unknown := [name for name in names if name not in known]:
        parser.error(f"--only {unknown[0]}: must be of {', '.join(known)}")
    if given.runs is not None and given.runs < 1:
        parser.error(f"--runs {given.runs}: must be 1 or more")
    chosen = [replace(each, runs=given.runs or each.runs) for each in known.values() if each.name in names]
    FOLDER.mkdir(exist_ok=True)
    runs: dict[str, Runs] = {}
    # On the disk of the checkout, where hard links and the disk are what they are for users.
    with tempfile.TemporaryDirectory(prefix="work-", dir=FOLDER, ignore_cleanup_errors=True) as root:
        workspace = Workspace(scale, Path(root))
        for comparison in chosen:
            try:
                runs[comparison.name] = run_sides(comparison, workspace)
            except SideError as error:
                say(f"bench: {comparison.name} failed: {error}")
    return report(chosen, runs, is_quick)


def report(chosen: Sequence[Comparison], runs: Mapping[str, Runs], is_quick: bool) -> int:
    """Print the table, write the file, and return the exit code. Goals are not for tiny numbers."""
    facts = machine()
    results = [
        {"comparison": each.name, **result_of(row, runs.get(each.name, {}), is_judged=not is_quick)}
        for each in chosen
        for row in each.rows
    ]
    print(table(results))
    print(", ".join(f"{name} {value}" for name, value in facts.items()))
    document = {"machine": facts, "quick": is_quick, "rows": results, "runs": runs}
    (FOLDER / "bench.json").write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    say(f"written to {os.path.relpath(FOLDER / 'bench.json')}")
    return 1 if len(runs) < len(chosen) or any(result["holds"] is False for result in results) else 0


def machine() -> dict[str, object]:
    """On what the numbers were made, and when."""
    known = Path("/proc/cpuinfo")
    models = re.findall(r"model name\s*: (.*)", known.read_text()) if known.exists() else []
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "processor": models[0] if models else platform.machine(),
        "memory": readable_bytes(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        **{name: version(name) for name in ("polars", "pyarrow", "huggingface_hub")},
    }


if __name__ == "__main__":
    # An exit in good order, so that what was made goes away.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    sys.exit(main())
