"""What cron does meanwhile: one `wikidata push` after the other, and sometimes two at once."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from scripts.rehearsal.chunks import seeded
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


@dataclass
class Tick:
    """One `wikidata push`: its exit code, None while it runs, and how much memory it took.

    `peak_bytes` is that of the Python process, as far as a look every 0.2 s tells; `largest_bytes` that of the largest
    process among it and those that it started and waited for (make, the watcher, the upload CLI).
    """

    process: "subprocess.Popen[bytes]"
    stderr: Path
    started: float = field(default_factory=time.monotonic)
    exit_code: int | None = None
    peak_bytes: int = 0
    largest_bytes: int = 0

    def has_ended(self) -> bool:
        """Look at the process."""
        with suppress(OSError, StopIteration):
            status = Path(f"/proc/{self.process.pid}/status").read_text()
            peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
            self.peak_bytes = max(self.peak_bytes, int(peak.split()[1]) * 1024)
        pid, status_word, usage = os.wait4(self.process.pid, os.WNOHANG)
        if pid:
            self.exit_code = self.process.returncode = os.waitstatus_to_exitcode(status_word)
            self.largest_bytes = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        return bool(pid)


@dataclass
class Cron:
    """Runs ticks in `environment`, and keeps each one's output in `folder`.

    A push that a quota was refused to remembers in the file `not_before` that it must wait. The Hub says "about 1
    hour" and means the window of its quota; here that is `window_seconds`, and so is the hour.
    """

    folder: Path
    environment: Mapping[str, str]
    seed: int
    not_before: Path
    window_seconds: float
    ticks: list[Tick] = field(default_factory=list)
    quota_waits: int = 0

    def __post_init__(self) -> None:
        self.folder.mkdir()
        self._chance = seeded(self.seed, "cron")

    @property
    def complaints(self) -> list[str]:
        """A paragraph for each tick that ended with another exit code than it may."""
        return [
            f"tick {number} ended with exit code {tick.exit_code}:\n{tick.stderr.read_text().rstrip()}"
            for number, tick in enumerate(self.ticks, start=1)
            if tick.exit_code not in FINE
        ]

    def push_all(self, pipeline: Pipeline, minutes: float, show: Callable[[], None]) -> bool:
        """Tick until all chunks are pushed; False if a tick failed or the time was up before."""
        deadline = time.monotonic() + minutes * 60

        def meanwhile() -> None:
            pipeline.note_pushed()
            show()

        while len(pipeline.pushed) < len(pipeline.sizes):
            if self.complaints or pipeline.error or time.monotonic() > deadline:
                return False
            self.tick(meanwhile)
            pipeline.clear_pushed()
            time.sleep(PAUSE_SECONDS)
            if self.shorten_wait():
                self.tick(meanwhile)  # too early, so it does nothing
                while self._remembered() > time.time():
                    time.sleep(_LOOK_SECONDS)
        return not self.complaints

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
                running = [tick for tick in running if not tick.has_ended()]
                meanwhile()
        finally:
            for tick in running:
                tick.process.terminate()
                tick.process.wait()

    def shorten_wait(self) -> bool:
        """Put the time forward that a push has remembered for a quota; whether there is one to wait for."""
        latest, remembered = time.time() + self.window_seconds, self._remembered()
        if remembered <= time.time():
            return False
        if remembered > latest:
            write_atomically(self.not_before, json.dumps({"not_before": latest, "why": "shortened"}).encode())
        self.quota_waits += 1
        return True

    def _remembered(self) -> float:
        try:
            return float(json.loads(self.not_before.read_bytes())["not_before"])
        except FileNotFoundError:
            return 0.0

    def _start(self) -> Tick:
        stderr = self.folder / f"{len(self.ticks) + 1:04d}.stderr"
        with stderr.open("wb") as errors, stderr.with_suffix(".stdout").open("wb") as output:
            command = [sys.executable, "-m", "wikidata", "push"]
            process = subprocess.Popen(
                command, env=self.environment, stdin=subprocess.DEVNULL, stdout=output, stderr=errors
            )
        tick = Tick(process, stderr)
        self.ticks.append(tick)
        return tick
