"""Pushes that die: each job is a fork that runs one command and is killed at its N-th effect.

An effect is what others can see afterwards: a file opened for writing, synced, renamed, linked or removed, a folder
made, a request that is no question, the start of the CLI; but nothing in the folder for temporary files. Python's
audit events tell of each before it happens, whichever function and thread it comes from, so the product needs no
hooks; where tables work at once, their effects are counted in the order in which they were begun. As a program, this
is the process that forks: it imports everything once, and none of its threads is at work yet.
"""

import io
import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import CommitOperationAdd, HfApi
from huggingface_hub.utils.tqdm import tqdm

from wikidata import push
from wikidata.commands import push as push_command
from wikidata.main import main
from wikidata.report import terminal
from wikidata.upload.watcher import Outcome

__all__ = ["Death", "InstantUpload", "Mortal", "mortal", "push", "push_command", "terminal"]

_CHANGES = {"os.rename", "os.link", "os.symlink", "os.mkdir", "os.rmdir", "os.remove", "os.truncate", "os.chmod"}
_OURS = {"dying.sync", "dying.upload"}
_KEPT = {"PATH", "HOME"}  # no more of our own environment, in which each request looks for proxies
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


@dataclass(frozen=True)
class Death:
    """How a run ended: its exit code (-9 where it was killed), its effects in order, and what it printed."""

    code: int
    effects: tuple[str, ...]
    output: str

    @property
    def last(self) -> str:
        """Where it died, for messages."""
        return f"died before effect {len(self.effects) - 1}, {self.effects[-1]}"


class Mortal:
    """Runs commands that die on demand."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    def run(self, environment: Mapping[str, str], *words: str, die_at: int | None = None, torn: bool = False) -> Death:
        """Run `wikidata` with `words`, killed before the effect with the index `die_at`.

        `torn`: where that is the sync of a file, half of the file is lost, as in a power cut.
        """
        ours = {name: value for name, value in environment.items() if os.environ.get(name) != value or name in _KEPT}
        job = {"environment": ours, "words": words, "die_at": die_at, "torn": torn}
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        return Death(answer["code"], tuple(answer["effects"]), answer["output"])


@contextmanager
def mortal(home: Path) -> Iterator[Mortal]:
    """The process that forks, for the length of a `with`; it ends with this process however that ends."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "HF_HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
    environment |= {"TMPDIR": str(home / "temporary"), "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    (home / "temporary").mkdir(exist_ok=True)
    with subprocess.Popen(
        [sys.executable, "-m", "tests.helpers.dying"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        yield Mortal(process)


class InstantUpload:
    """Stands for make, the watcher and the CLI: uploads the folder in one commit, with the CLI's own library."""

    def __init__(self, command: object, *, env: Mapping[str, str], **_: object) -> None:
        sys.audit("dying.upload", env["REPO"])
        folder = Path(env["FOLDER"])
        additions = [CommitOperationAdd(str(file.relative_to(folder)), file) for file in sorted(folder.rglob("*.*"))]
        HfApi(endpoint=env["HF_ENDPOINT"], token=env["HF_TOKEN"]).create_commit(
            env["REPO"], additions, commit_message="Add files", repo_type="dataset", num_threads=1
        )
        self.args, self.returncode = command, 0
        self.stdin, self.stderr = io.StringIO(), io.StringIO()
        self.stdout = io.StringIO(json.dumps({"outcome": asdict(Outcome(None, "", 0))}) + "\n")

    def wait(self, timeout: float | None = None) -> int:
        del timeout
        return self.returncode


class _Fate:
    """Counts effects, tells of each through a pipe, and kills this process before one of them."""

    def __init__(self, pipe: int, die_at: int | None, torn: bool) -> None:
        self.pipe, self.die_at, self.torn = pipe, die_at, torn
        self.count, self.is_dying = 0, False
        self.turn = threading.Lock()

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.is_dying and _is_effect(event, arguments):
            with self.turn:  # an effect of another thread waits until this one was counted, and for ever once we die
                self._count(event, arguments)

    def _count(self, event: str, arguments: tuple[Any, ...]) -> None:
        os.write(self.pipe, _describe(event, arguments).encode(errors="replace") + b"\n")
        if self.count == self.die_at:
            self.is_dying = True
            if self.torn:
                os.ftruncate(arguments[0], os.fstat(arguments[0]).st_size // 2)
            os.kill(os.getpid(), signal.SIGKILL)
        self.count += 1


def _is_effect(event: str, arguments: tuple[Any, ...]) -> bool:
    if event == "http.client.send":
        return not (isinstance(arguments[1], bytes) and arguments[1].startswith((b"GET ", b"HEAD ")))
    if event == "open" and not (arguments[2] & _WRITING and not isinstance(arguments[0], int)):
        return False
    if event == "open" or event in _CHANGES:
        return not _place(event, arguments).startswith(tempfile.gettempdir())
    return event in _OURS


def _place(event: str, arguments: tuple[Any, ...]) -> str:
    """Where a file or folder is opened, made or removed, also where its folder is given as a descriptor."""
    path = os.fsdecode(arguments[0]) if isinstance(arguments[0], str | bytes | os.PathLike) else ""
    folder = arguments[-1] if event in {"os.mkdir", "os.rmdir", "os.remove"} else -1
    return path if folder == -1 else os.path.join(os.readlink(f"/proc/self/fd/{folder}"), path)


def _describe(event: str, arguments: tuple[Any, ...]) -> str:
    if event == "http.client.send":
        data = arguments[1]
        is_head = isinstance(data, bytes) and data.startswith((b"POST ", b"PUT ", b"DELETE "))
        return f"{event} {data.splitlines()[0].decode().partition('?')[0] if is_head else 'the body'}"
    if event == "dying.sync":
        place = os.readlink(f"/proc/self/fd/{arguments[0]}")
        return f"{event} {'folder' if stat.S_ISDIR(os.fstat(arguments[0]).st_mode) else 'file'} {place}"
    named = [_place(event, arguments), *(str(each) for each in arguments[1:2] if isinstance(each, str | os.PathLike))]
    return f"{event} {' '.join(named)}"


def _tell_of_sync(descriptor: int) -> None:
    """Stands for os.fsync: a kill takes nothing from the page cache, and syncing takes half the time of a push."""
    sys.audit("dying.sync", descriptor)


def _live(job: Mapping[str, Any], pipe: int) -> int:
    """What the fork does: run the command, and perhaps die of it."""
    os.environ.clear()
    os.environ.update(job["environment"])
    fate = _Fate(pipe, job["die_at"], job["torn"])
    os.fsync = _tell_of_sync  # type: ignore[assignment]
    subprocess.Popen = InstantUpload  # type: ignore[misc, assignment]
    tqdm.set_lock(threading.RLock())  # a real CLI has its own; without, one thread's upload deletes that of another
    sys.addaudithook(fate.hear)
    return main(job["words"])


def _do(job: Mapping[str, Any]) -> dict[str, object]:
    """Fork, and wait for the end of the fork."""
    reading, writing = os.pipe()
    said = os.memfd_create("output")
    pid = os.fork()
    if pid == 0:
        code = 70
        with suppress(SystemExit):
            os.dup2(said, 1)
            os.dup2(said, 2)
            code = _live(job, writing)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    os.close(writing)
    with open(reading, encoding="utf-8", errors="replace") as pipe:
        effects = pipe.read().splitlines()
    _, status = os.waitpid(pid, 0)
    with open(said, "rb") as output:
        output.seek(0)
        text = output.read().decode(errors="replace")
    return {"code": os.waitstatus_to_exitcode(status), "effects": effects, "output": text}


if __name__ == "__main__":
    tempfile.tempdir = os.environ["TMPDIR"]  # for good: the environment is another in each fork
    with os.fdopen(os.dup(1), "w") as answers:
        for line in sys.stdin:
            answers.write(json.dumps(_do(json.loads(line))) + "\n")
            answers.flush()
