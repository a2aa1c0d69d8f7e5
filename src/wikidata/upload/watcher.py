"""The watcher: runs the upload CLI as `timeout` or `nice` would, and kills it when it goes wrong.

    wikidata watch --log LOG --folder FOLDER [--lifeline] [limits] -- huggingface-cli upload-large-folder …

The CLI retries a failed job at once and for ever, ignores SIGINT for many seconds, and prints a report every minute
even when nothing moves. So the watcher

- kills it (SIGKILL to its process group) at the first line that says that a job failed: what to do then is decided by
  the caller, who looks at the Hub first;
- kills it when nothing has advanced for a while, or when it has run too long. An advance is a file in another state in
  the CLI's meter, or bytes that it read or sent, never a line of output;
- kills it when the watcher itself is terminated by a signal, dies (PR_SET_PDEATHSIG), or loses its lifeline: with
  `--lifeline`, standard input is a pipe that the caller holds open as long as it lives.

The whole output goes to LOG, without the token; progress and the outcome go to standard output, as JSON lines, or as
one steady line on a terminal. This module imports only the standard library: five of them start at once.
"""

import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import BinaryIO

from wikidata.errors import Kind
from wikidata.hub.meaning import Failure
from wikidata.system.secrets import Redactor
from wikidata.upload.diagnosis import diagnose, holds_failure, starts_failure
from wikidata.upload.progress import Progress, ProgressMeter

TAIL_LINES = 25
LOG_LIMIT_BYTES = 8 << 20
_TICK_SECONDS = 1.0
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


@dataclass(frozen=True)
class Limits:
    """When to kill a CLI that says nothing; in seconds."""

    stall_seconds: float
    timeout_seconds: float


@dataclass(frozen=True)
class Outcome:
    """How a run of the CLI ended.

    `kind` is None if it ended by itself with exit code 0; `message` is one line; `tail` has its last lines of output;
    `died` tells that it ended by itself without naming an error. Whether the files have arrived is for the Hub to say.
    """

    kind: Kind | None
    message: str
    exit_code: int | None
    retry_after_seconds: float | None = None
    tail: tuple[str, ...] = ()
    died: bool = False


class EndedError(Exception):
    """The watcher was told to stop."""


def watch(
    command: Sequence[str], log: Path, folder: Path, limits: Limits, show: Callable[[Progress], None], lifeline: bool
) -> Outcome:
    """Run `command` until it ends or has to be killed; `folder` is the staging folder that it uploads."""
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as sink:
        try:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                process_group=0,
                preexec_fn=_die_with_parent(),  # safe: this process has one thread
            )
        except OSError as error:
            return Outcome(Kind.PERMANENT, f"cannot start {command[0]}: {error.strerror}: run make setup", None)
        with child:
            try:
                meter = ProgressMeter(folder, child.pid)
                run = _Run(child, _Log(sink, meter.hear), meter, limits, show, lifeline)
                return run.outcome()
            finally:
                end(child)


def end(child: "subprocess.Popen[bytes]") -> None:
    """Kill the CLI and everything that it started, at once: it ignores gentler signals while it works."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


class _Run:
    """One run of the CLI: reads its output, measures its progress, decides when it is over."""

    def __init__(
        self,
        child: "subprocess.Popen[bytes]",
        log: "_Log",
        meter: ProgressMeter,
        limits: Limits,
        show: Callable[[Progress], None],
        lifeline: bool,
    ) -> None:
        assert child.stdout is not None  # noqa: S101 - it was opened as a pipe
        self.child, self.log, self.meter, self.limits, self.show = child, log, meter, limits, show
        self.output = child.stdout.fileno()
        self.lifeline = lifeline
        self.started = self.advanced = time.monotonic()
        self.next_measurement = self.started

    def outcome(self) -> Outcome:
        ended = self._follow()
        end(self.child)
        exit_code = self.child.wait()
        self.log.close()
        tail = tuple(self.log.tail)
        failure = ended or diagnose(list(tail))
        if failure is None and exit_code == 0:
            self.show(self.meter.measure())
            return Outcome(None, "", 0, tail=tail)
        if failure is None:
            message = f"the upload CLI ended with exit code {exit_code}: {_last(tail)}"
            return Outcome(Kind.TRANSIENT, message, exit_code, tail=tail, died=True)
        return Outcome(failure.kind, failure.message, exit_code, failure.retry_after_seconds, tail)

    def _follow(self) -> Failure | None:
        """Read until the CLI ends (None) or has to be killed (why)."""
        while self._read(_TICK_SECONDS):
            if self.log.failed:
                return diagnose(self._last_words())
            if overdue := self._overdue():
                return overdue
        return None

    def _read(self, seconds: float) -> bool:
        """Wait for output for a while; False at its end."""
        watched = [self.output, *([0] if self.lifeline else [])]
        ready, _, _ = select.select(watched, [], [], seconds)
        if 0 in ready and not os.read(0, 1):
            raise EndedError
        if self.output not in ready:
            return True
        block = os.read(self.output, 1 << 16)
        if holds_failure(block):
            end(self.child)  # before anything else: it repeats the job within a millisecond
        self.log.write(block)
        return bool(block)

    def _last_words(self) -> list[str]:
        """What the killed CLI had still said: the Hub's own words stand below the failed job."""
        end(self.child)
        while self._read(_TICK_SECONDS):
            pass
        self.log.close()
        return self.log.failed

    def _overdue(self) -> Failure | None:
        now = time.monotonic()
        if now < self.next_measurement:
            return None
        progress = self.meter.measure()
        if progress.advanced:
            self.advanced = now
        self.show(progress)
        cost = time.monotonic() - now
        self.next_measurement = now + max(_TICK_SECONDS, 20 * cost)
        if now - self.advanced > self.limits.stall_seconds:
            return Failure(Kind.TRANSIENT, f"nothing has advanced for {self.limits.stall_seconds / 60:g} minutes")
        if now - self.started > self.limits.timeout_seconds:
            return Failure(Kind.TRANSIENT, f"still not done after {self.limits.timeout_seconds / 3600:g} hours")
        return None


class _Log:
    """The CLI's output on its way to the log file: without tokens, bounded, with the last lines at hand."""

    def __init__(self, sink: BinaryIO, hear: Callable[[str], None]) -> None:
        self.sink, self.hear, self.partial, self.written = sink, hear, b"", 0
        self.tail: deque[str] = deque(maxlen=TAIL_LINES)
        self.failed: list[str] = []
        self.redact = Redactor()

    def write(self, block: bytes) -> None:
        *lines, self.partial = (self.partial + block).split(b"\n")
        if len(self.partial) > 1 << 16:
            lines.append(self.partial)
            self.partial = b""
        for line in lines:
            self._line(line)
        self.sink.flush()

    def close(self) -> None:
        if self.partial:
            self._line(self.partial)
        self.partial = b""

    def _line(self, line: bytes) -> None:
        line = self.redact(line)
        if self.written < LOG_LIMIT_BYTES:
            self.written += self.sink.write(line + b"\n")
        text = line.decode("utf-8", "replace").rstrip().rsplit("\r", 1)[-1]
        self.tail.append(text)
        self.hear(text)
        if self.failed or starts_failure(text):
            self.failed = [*self.failed, text][:TAIL_LINES]


def _last(tail: Iterable[str]) -> str:
    return next((line.strip() for line in reversed(tuple(tail)) if line.strip()), "it printed nothing")


def _die_with_parent() -> Callable[[], None] | None:
    """What a child has to call before exec so that it is killed when this process dies, even by SIGKILL."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    return lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _end_by_signal(_number: int, _frame: FrameType | None) -> None:
    raise EndedError


def run(command: Sequence[str], log: Path, folder: Path, limits: Limits, lifeline: bool) -> int:
    """The `watch` command: watch, report, and return the exit code."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end_by_signal)
    on_terminal = sys.stdout.isatty()
    try:
        outcome = watch(command, log, folder, limits, _show_line if on_terminal else _show_json, lifeline)
    except EndedError:
        return 128 + signal.SIGTERM
    except OSError as error:
        outcome = Outcome(Kind.PERMANENT, f"cannot write {error.filename or log}: {error.strerror}", None)
    if on_terminal:
        sys.stdout.write(f"\n{outcome.message or 'the upload CLI is done'}\n")
    else:
        print(json.dumps({"outcome": asdict(outcome)}), flush=True)  # noqa: T201 - standard output is the report
    return 0 if outcome.kind is None else 1


def _show_json(progress: Progress) -> None:
    print(json.dumps({"progress": asdict(progress)}), flush=True)  # noqa: T201


def _show_line(progress: Progress) -> None:
    sys.stdout.write(f"\r\x1b[K{progress.uploaded} uploaded, {progress.committed} of {progress.files} files committed")
    sys.stdout.flush()
