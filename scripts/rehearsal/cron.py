"""What cron does meanwhile: one `wikidata push` after the other, and sometimes two at once."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from scripts.rehearsal.chunks import dice
from scripts.rehearsal.pipeline import Pipeline
from wikidata.errors import Exit
from wikidata.system.files import write_atomically

FINE = (Exit.OK, Exit.TRY_LATER)
"""Exit codes of a tick that does what it should: done, or not now."""

OVERLAPPING = 0.3
"""The share of ticks that another one is started beside."""
LATEST_OVERLAP_SECONDS = 2.0
PAUSE_SECONDS = 0.5
_LOOK_SECONDS = 0.2

_PUSH = (sys.executable, "-m", "wikidata", "push")


@dataclass(frozen=True)
class Tick:
    """One `wikidata push`: how it ended, what it said on stderr, and how much memory it took.

    `peak_bytes` is that of the Python process, as far as a look every 0.2 s tells; `largest_bytes` that of the largest
    process among it and those that it started and waited for (make, the watcher, the upload CLI).
    """

    exit_code: int
    seconds: float
    stderr: str
    peak_bytes: int
    largest_bytes: int


@dataclass
class _Running:
    process: "subprocess.Popen[bytes]"
    stderr: Path
    started: float = field(default_factory=time.monotonic)
    peak_bytes: int = 0

    def look(self) -> Tick | None:
        """The tick, once it has ended."""
        with suppress(OSError, StopIteration, ValueError):
            status = Path(f"/proc/{self.process.pid}/status").read_text()
            peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
            self.peak_bytes = max(self.peak_bytes, int(peak.split()[1]) * 1024)
        pid, status_word, usage = os.wait4(self.process.pid, os.WNOHANG)
        if not pid:
            return None
        exit_code = self.process.returncode = os.waitstatus_to_exitcode(status_word)
        seconds = time.monotonic() - self.started
        unit = 1 if sys.platform == "darwin" else 1024
        return Tick(exit_code, seconds, self.stderr.read_text(), self.peak_bytes, usage.ru_maxrss * unit)


class Cron:
    """Runs ticks in `environment`, and keeps each one's output in `folder`."""

    def __init__(self, folder: Path, environment: Mapping[str, str], seed: int) -> None:
        folder.mkdir()
        self.folder, self.environment = folder, environment
        self.ticks: list[Tick] = []
        self._chance = dice(seed, "cron")
        self._started = 0

    @property
    def failed(self) -> list[Tick]:
        """Ticks that ended with another exit code than they may."""
        return [tick for tick in self.ticks if tick.exit_code not in FINE]

    def tick(self, meanwhile: Callable[[], None]) -> None:
        """Run a tick to its end, perhaps with another one beside it."""
        running = [self._start()]
        delay = self._chance.uniform(0, LATEST_OVERLAP_SECONDS) if self._chance.random() < OVERLAPPING else None
        try:
            while running:
                if delay is not None and time.monotonic() - running[0].started >= delay:
                    running.append(self._start())
                    delay = None
                time.sleep(_LOOK_SECONDS)
                ended = {id(one): tick for one in running if (tick := one.look())}
                running = [one for one in running if id(one) not in ended]
                self.ticks += ended.values()
                meanwhile()
        finally:
            for one in running:
                one.process.terminate()
                one.process.wait()

    def _start(self) -> _Running:
        self._started += 1
        stderr = self.folder / f"{self._started:04d}.stderr"
        with stderr.open("wb") as errors, stderr.with_suffix(".stdout").open("wb") as output:
            process = subprocess.Popen(
                _PUSH, env=self.environment, stdin=subprocess.DEVNULL, stdout=output, stderr=errors
            )
        return _Running(process, stderr)


def run(cron: Cron, pipeline: Pipeline, not_before: "NotBefore", minutes: float, show: Callable[[], None]) -> bool:
    """Tick until all chunks are pushed; False where a tick failed or the time was up before."""
    deadline = time.monotonic() + minutes * 60

    def meanwhile() -> None:
        pipeline.note_pushed()
        show()

    while pipeline.pushed < len(pipeline.sizes):
        if cron.failed or pipeline.error or time.monotonic() > deadline:
            return False
        cron.tick(meanwhile)
        pipeline.clear_pushed()
        time.sleep(PAUSE_SECONDS)
        if not_before.shorten():
            cron.tick(meanwhile)
            not_before.wait(meanwhile)
    return not cron.failed


@dataclass
class NotBefore:
    """What pushes remember of a used-up quota in the file at `path`.

    The Hub says "about 1 hour" and means the window of its quota. Here the window is shorter, and so is the hour.
    """

    path: Path
    window_seconds: float
    waits: int = 0

    def shorten(self) -> bool:
        """Put the time forward where a push has remembered one; whether it has."""
        latest = time.time() + self.window_seconds
        remembered = self._remembered()
        if remembered <= time.time():
            return False
        if remembered > latest:
            write_atomically(self.path, json.dumps({"not_before": latest, "why": "shortened"}).encode())
        self.waits += 1
        return True

    def wait(self, meanwhile: Callable[[], None]) -> None:
        """Wait until it is time."""
        while self._remembered() > time.time():
            time.sleep(_LOOK_SECONDS)
            meanwhile()

    def _remembered(self) -> float:
        try:
            return float(json.loads(self.path.read_bytes())["not_before"])
        except FileNotFoundError:
            return 0.0


def complaints(ticks: Sequence[Tick]) -> list[str]:
    """A paragraph for each tick that failed."""
    return [
        f"tick {number} ended with exit code {tick.exit_code}:\n{tick.stderr.rstrip()}"
        for number, tick in enumerate(ticks, start=1)
        if tick.exit_code not in FINE
    ]
