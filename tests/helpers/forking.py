"""Commands without the start of a program: one process imports everything once, and forks for each of them.

A fork is as good as a program that was started: it has an environment, a folder, an output and an exit code of its own,
and dies alone. It only costs a tenth. None of the threads of the process that forks is at work yet. As a program, this
module is that process: it is told what to do through a socket, with the descriptors that the fork is to have, and it
tells the process id of each fork and, later, its exit code through a pipe of their own.
"""

import ctypes
import gc
import io
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from huggingface_hub import CommitOperationAdd, HfApi, constants
from huggingface_hub.utils.tqdm import tqdm

import localhub.__main__
from localhub.testing import RunningHub, running_hub
from tests.helpers.effects import Fate, tell_of_sync
from wikidata import main, push
from wikidata.commands import card, prune, status, verify
from wikidata.commands import push as push_command
from wikidata.report import terminal
from wikidata.upload import run
from wikidata.upload.watcher import Outcome

__all__ = ["INSTANT", "Done", "Forks", "forking"]

PRELOADED = (push, push_command, card, prune, status, verify, terminal)
PROGRAMS: dict[str, Callable[[Sequence[str]], int]] = {"wikidata": main.main, "localhub": localhub.__main__.main}
SECONDS = 120.0
_INT_BYTES = 4
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_ROOT = Path(__file__).resolve().parents[2]
_OURS = {name: value for name, value in os.environ.items() if name not in {"PATH", "HOME"}}
"""What forks do without: each request looks for proxies in all of the environment."""


@dataclass(frozen=True)
class Done:
    """How a command ended: its exit code (-9 if it was killed), what it printed, and its effects in their order."""

    returncode: int
    stdout: str
    stderr: str
    effects: tuple[str, ...] = ()

    @property
    def output(self) -> str:
        """All that it printed."""
        return self.stdout + self.stderr

    @property
    def last(self) -> str:
        """Where it died, for messages."""
        return f"died before effect {len(self.effects) - 1}, {self.effects[-1]}"


class Fork:
    """A command at work: what RunningHub needs of a `subprocess.Popen`."""

    def __init__(self, report: int, stdin: Any = None, stdout: Any = None) -> None:
        self.report, self.stdin, self.stdout = report, stdin, stdout
        self.pid = self._read()
        self.returncode: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; returns its exit code. Raises subprocess.TimeoutExpired."""
        if self.returncode is None:
            ready, _, _ = select.select([self.report], [], [], timeout)
            if not ready:
                raise subprocess.TimeoutExpired(f"fork {self.pid}", timeout or 0)
            self.returncode = self._read()
            os.close(self.report)
        return self.returncode

    def kill(self) -> None:
        """Kill it."""
        if self.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def _read(self) -> int:
        told = os.read(self.report, _INT_BYTES)
        assert told, "the process that forks is gone"
        return int.from_bytes(told, sys.byteorder, signed=True)


class Forks:
    """Runs commands in forks; also several at once."""

    def __init__(self, control: socket.socket) -> None:
        self.control = control

    def run(
        self,
        environment: Mapping[str, str],
        words: Sequence[str],
        folder: Path = _ROOT,
        *,
        instant: bool = False,
        mortal: bool = False,
        die_at: int | None = None,
        torn: bool = False,
    ) -> Done:
        """Run `wikidata` with `words`.

        `instant`: with INSTANT in the place of make, the watcher and the CLI. `mortal`: its effects are counted, and
        with `die_at` it is killed before the effect with that index; if it is `torn` too, that is the sync of a file
        of which half is lost, as in a power cut.
        """
        its = {name: value for name, value in environment.items() if _OURS.get(name) != value}
        fate = {"instant": instant, "mortal": mortal, "die_at": die_at, "torn": torn}
        job = {"environment": its, "folder": str(folder), **fate}
        said = [os.memfd_create(name) for name in ("stdout", "stderr", "effects")]
        with open(os.devnull) as nothing:
            fork = Fork(self._start("wikidata", words, job, nothing.fileno(), *said))
        try:
            code = fork.wait(SECONDS)
        finally:
            fork.kill()
        stdout, stderr, effects = map(_content, said)
        return Done(code, stdout, stderr, tuple(effects.splitlines()))

    @contextmanager
    def running_hub(self, root: Path, **options: Any) -> Iterator[RunningHub]:
        """As localhub.testing has it, in a fork."""
        started = SimpleNamespace(Popen=self._popen, PIPE=subprocess.PIPE, TimeoutExpired=subprocess.TimeoutExpired)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("localhub.testing.subprocess", started)
            with running_hub(root, **options) as hub:
                patch.undo()
                yield hub

    def _popen(self, command: Sequence[str], **_: object) -> Fork:
        """Stands for the subprocess.Popen that starts `python -m localhub` with pipes."""
        program, words = command[2], command[3:]
        (its_stdin, stdin), (stdout, its_stdout) = os.pipe(), os.pipe()
        job = {"environment": dict(os.environ), "folder": str(_ROOT)}
        report = self._start(program, words, job, its_stdin, its_stdout, 2)
        os.close(its_stdin)
        os.close(its_stdout)
        return Fork(report, open(stdin, "w"), open(stdout))

    def _start(self, program: str, words: Sequence[str], job: Mapping[str, object], *descriptors: int) -> int:
        report, its_report = os.pipe()
        message = json.dumps({"program": program, "words": words, **job}).encode()
        socket.send_fds(self.control, [message], [its_report, *descriptors])
        os.close(its_report)
        return report


def _content(descriptor: int) -> str:
    with open(descriptor, encoding="utf-8", errors="replace") as file:
        file.seek(0)
        return file.read()


@contextmanager
def forking(home: Path) -> Iterator[Forks]:
    """The process that forks, for the length of a `with`; it and all forks end with this process however that ends."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1"}
    environment |= {"TMPDIR": str(home / "temporary"), "PYTHONDONTWRITEBYTECODE": "1"}
    (home / "temporary").mkdir()
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = [sys.executable, "-m", "tests.helpers.forking", str(its.fileno())]
    with ours, subprocess.Popen(command, env=environment, cwd=_ROOT, pass_fds=[its.fileno()]) as process:
        its.close()
        yield Forks(ours)
        ours.close()
        process.wait(SECONDS)


class InstantUpload:
    """Stands for make, the watcher and the CLI: uploads the folder in one commit, with the CLI's own library."""

    def __init__(self, command: object, *, env: Mapping[str, str], **_: object) -> None:
        sys.audit("tests.upload", env["REPO"])
        Path(env["LOG"]).write_text("Uploaded by the stand-in of the tests.\n")
        folder = Path(env["FOLDER"])
        additions = [CommitOperationAdd(str(file.relative_to(folder)), file) for file in sorted(folder.rglob("*.*"))]
        HfApi(endpoint=env["HF_ENDPOINT"], token=env["HF_TOKEN"]).create_commit(
            env["REPO"], additions, commit_message=env["MESSAGE"], repo_type="dataset", num_threads=1
        )
        self.args, self.returncode = command, 0
        self.stdin, self.stderr = io.StringIO(), io.StringIO()
        self.stdout = io.StringIO(json.dumps({"outcome": asdict(Outcome(None, "", 0))}) + "\n")

    def wait(self, timeout: float | None = None) -> int:
        del timeout
        return self.returncode


INSTANT = SimpleNamespace(Popen=InstantUpload, PIPE=subprocess.PIPE, TimeoutExpired=subprocess.TimeoutExpired)
"""What takes the place of `subprocess` in `wikidata.upload.run`."""


def _live(job: Mapping[str, Any], stdin: int, stdout: int, stderr: int, effects: int | None = None) -> int:
    """What a fork does."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    for number, descriptor in enumerate((stdin, stdout, stderr)):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(job["environment"])
    constants.HF_HUB_DISABLE_XET = bool(os.environ.get("HF_HUB_DISABLE_XET"))  # read when it was imported
    os.chdir(job["folder"])
    if job.get("instant"):
        setattr(run, "subprocess", INSTANT)  # noqa: B010 - which is not a module
        tqdm.set_lock(threading.RLock())  # a real CLI has its own; without, one thread's upload deletes that of another
        os.fsync = tell_of_sync  # type: ignore[assignment]
    if job.get("mortal") and effects is not None:
        os.set_inheritable(effects, False)
        sys.addaudithook(Fate(effects, job["die_at"], job["torn"]).hear)
    return PROGRAMS[job["program"]](job["words"])


def _fork(control: socket.socket, others: Iterator[int], message: bytes, descriptors: Sequence[int]) -> int:
    """Returns the process id of the fork; in the fork, it does not return."""
    report, *its = descriptors
    if pid := os.fork():
        return pid
    code = 1
    try:
        control.close()
        for descriptor in (report, *others):
            os.close(descriptor)
        code = _live(json.loads(message), *its)
    except SystemExit as end:  # of argparse
        code = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def serve(control: socket.socket) -> None:
    """Fork whenever a job comes, report each end, and return when nobody is left to send a job."""
    at_work: dict[int, tuple[int, int]] = {}  # for each fork: what is readable at its end, its process id, its report
    while True:
        ready, _, _ = select.select([control.fileno(), *at_work], [], [])
        for end in at_work.keys() & ready:
            pid, report = at_work.pop(end)
            _tell(report, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
            os.close(report)
            os.close(end)
        if control.fileno() in ready:
            message, descriptors, _, _ = socket.recv_fds(control, 1 << 20, 8)
            if not message:
                return
            others = (each for end, (_, report) in at_work.items() for each in (end, report))
            pid = _fork(control, others, message, descriptors)
            _tell(descriptors[0], pid)
            for descriptor in descriptors[1:]:
                os.close(descriptor)
            at_work[os.pidfd_open(pid)] = (pid, descriptors[0])


def _tell(report: int, number: int) -> None:
    with suppress(BrokenPipeError):
        os.write(report, number.to_bytes(_INT_BYTES, sys.byteorder, signed=True))


if __name__ == "__main__":
    tempfile.tempdir = os.environ["TMPDIR"]  # for good: the environment is another in each fork
    gc.freeze()  # so that forks leave the memory of what was imported alone
    serve(socket.socket(fileno=int(sys.argv[1])))
