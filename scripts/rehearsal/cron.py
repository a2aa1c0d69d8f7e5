"""What cron does meanwhile: one `wikidata push` after the other, sometimes two at once, and a fold after each.

Now and then one is killed at any moment, as if the machine had lost its power.
"""

import json
import math
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from scripts.bench.workspace import say
from scripts.peak_memory import peak_bytes
from scripts.rehearsal.chunks import seeded
from scripts.rehearsal.pipeline import Pipeline
from wikidata.errors import Exit
from wikidata.system.files import write_atomically

FINE = (Exit.OK, Exit.TRY_LATER)
"""Exit codes of a tick that does what it should: done, or not now."""

OVERLAPPING = 0.3
"""The share of ticks that another one is started beside."""
KILLED = 0.1
"""The share of ticks that are killed (SIGKILL), if they have not ended until then."""
LATEST_SECONDS = 2.0
PAUSE_SECONDS = 0.5
_LOOK_SECONDS = 0.2


@dataclass
class Tick:
    """One `wikidata push` or `wikidata fold`.

    `peak_bytes` is the most memory of its process, as far as a look every 0.2 s tells.
    """

    process: "subprocess.Popen[bytes]"
    stderr: Path
    started: float = field(default_factory=time.monotonic)
    peak_bytes: int = 0
    was_killed: bool = False

    def kill(self) -> None:
        self.process.kill()
        self.was_killed = True

    def has_ended(self) -> bool:
        self.peak_bytes = max(self.peak_bytes, peak_bytes(self.process.pid))
        return self.process.poll() is not None


@dataclass
class Cron:
    """Pushes in `environment` what the pipeline completes, and keeps the output of each tick in `folder`.

    A push that a quota was refused to remembers in the file `not_before` that it must wait. The Hub says "about 1
    hour" and means the window of its quota; here that is `window_seconds`, and so is the hour.
    """

    pipeline: Pipeline
    folder: Path
    environment: Mapping[str, str]
    not_before: Path
    window_seconds: float
    ticks: list[Tick] = field(default_factory=list)
    quota_waits: int = 0

    def __post_init__(self) -> None:
        self.folder.mkdir()
        self._chance = seeded(self.pipeline.seed, "cron")

    @property
    def complaints(self) -> list[str]:
        """A paragraph for each tick that ended with another exit code than it may."""
        return [
            f"tick {number} ended with exit code {tick.process.returncode}:\n{tick.stderr.read_text().rstrip()}"
            for number, tick in enumerate(self.ticks, start=1)
            if tick.process.returncode not in FINE and not tick.was_killed
        ]

    def push_all(self, minutes: float) -> bool:
        """Tick until all chunks are pushed; False if a tick failed or the time was up before."""
        pipeline, started = self.pipeline, time.monotonic()
        while len(pipeline.pushed) < len(pipeline.sizes):
            if self.complaints or pipeline.error or time.monotonic() > started + minutes * 60:
                return False
            self.tick()
            pipeline.clear_pushed()
            self.tick("fold")
            say(
                f"{time.monotonic() - started:5.0f} s: {len(pipeline.pushed)} of {len(pipeline.sizes)} chunks pushed, "
                f"{len(pipeline.complete)} complete, {pipeline.files:,} files made, {len(self.ticks)} ticks"
            )
            time.sleep(PAUSE_SECONDS)
            self.wait_for_quota()
        return self._fold_all(started + minutes * 60)

    def _fold_all(self, deadline: float) -> bool:
        """Clear away what the last ticks have pushed, and tick until the fold ends with nothing left for later."""
        self.pipeline.clear_pushed()
        while not self.complaints and time.monotonic() < deadline:
            self.tick("fold")
            if self.ticks[-1].process.returncode == Exit.OK:
                return not self.complaints
            time.sleep(PAUSE_SECONDS)
            self.wait_for_quota()
        return False

    def tick(self, word: str = "push") -> None:
        """Run a tick to its end, perhaps with a push beside it, unless it is killed before."""
        running = [self._start(word)]
        started = running[0].started
        delay, death = self._sometimes(OVERLAPPING), self._sometimes(KILLED)
        try:
            while running:
                now = time.monotonic() - started
                if now >= death:
                    running[0].kill()
                    death = math.inf
                if now >= delay:
                    running.append(self._start("push"))
                    delay = math.inf
                time.sleep(_LOOK_SECONDS)
                running = [tick for tick in running if not tick.has_ended()]
                self.pipeline.note_pushed()
        finally:
            for tick in running:
                tick.process.terminate()
                tick.process.wait()

    def _sometimes(self, share: float) -> float:
        """After how many seconds something happens that happens to this share of ticks."""
        return self._chance.uniform(0, LATEST_SECONDS) if self._chance.random() < share else math.inf

    def wait_for_quota(self) -> None:
        """Wait as long as a push has remembered, but no longer than a window, with one tick that is too early."""
        with suppress(FileNotFoundError):
            remembered = json.loads(self.not_before.read_bytes())["not_before"]
            if remembered > time.time():
                not_before = min(remembered, time.time() + self.window_seconds)
                content = json.dumps({"not_before": not_before, "why": "shortened"})
                write_atomically(self.not_before, content.encode())
                self.quota_waits += 1
                self.tick()
                time.sleep(max(0.0, not_before - time.time()))

    def _start(self, word: str) -> Tick:
        stderr = self.folder / f"{len(self.ticks) + 1:04d}.stderr"
        with stderr.open("wb") as errors, stderr.with_suffix(".stdout").open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "wikidata", word], env=self.environment, stdout=output, stderr=errors
            )
        self.ticks.append(Tick(process, stderr))
        return self.ticks[-1]
