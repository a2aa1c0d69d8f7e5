"""Timing one piece of work in a process of its own: without imports, and with a peak memory that is its own."""

import json
import resource
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

from scripts.bench.figures import Figures

Prepare = Callable[..., Callable[[], object]]
"""Takes folders, does what is not to be timed, and returns the work."""


def main(works: Mapping[str, Prepare]) -> None:
    """Do the work that is named on the command line, with the folders that follow, and print its figures as JSON."""
    name, *folders = sys.argv[1:]
    work = works[name](*map(Path, folders))
    started = time.perf_counter()
    work()
    seconds = time.perf_counter() - started
    print(json.dumps(asdict(Figures(seconds=seconds, peak_bytes=peak_bytes()))))


def peak_bytes() -> int:
    """The most memory that this process has held so far."""
    try:
        status = Path("/proc/self/status").read_text()
    except FileNotFoundError:
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    # Not ru_maxrss: on Linux a process starts with that of the one that started it.
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:"))
