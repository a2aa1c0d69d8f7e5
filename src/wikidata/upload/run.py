"""Starting the upload CLI: one run of a target of `upload.mk`, once per repo.

The target, which the CLI's generation names, puts it under the watcher, which reports on standard output.
The command lines stand there alone, so that `make push` and `push_chunk` cannot differ.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

from wikidata.config import Settings, Table
from wikidata.errors import Kind
from wikidata.names import ANY_CHUNK, TASK_LOGS, Block
from wikidata.system.files import make_private_folder
from wikidata.upload.finder import Uploader, search_path
from wikidata.upload.progress import Progress
from wikidata.upload.watcher import Outcome

TARGETS = Path(__file__).with_name("upload.mk")
FILES_OF_ONE_WORKER = 100
# What an outer make passes on to the makes it starts: ours is not one of them, and stands on its own.
_MAKE_VARIABLES = ("MAKEFLAGS", "MAKEOVERRIDES", "MFLAGS", "MAKELEVEL", "MAKEFILES", "GNUMAKEFLAGS")
_HARMFUL = ("HF_HUB_ENABLE_HF_TRANSFER", "HF_HUB_DISABLE_IMPLICIT_TOKEN")
"""Variables of the Hub's tools that are not passed on: the first makes a CLI fail if a package is missing, the second
keeps it from sending the token that we give it."""
_XET = {"HF_XET_CLIENT_RETRY_MAX_ATTEMPTS": "3"}
"""What hf_xet is told unless the user says otherwise. By itself it repeats a request 5 times, after 3, 9, 27, 81 and
243 s, in silence: longer than a stall may take. With 3 it survives an outage of 30 s, and gives up after 41 s."""
_running: set["subprocess.Popen[str]"] = set()
_running_lock = threading.Lock()


@dataclass(frozen=True)
class Upload:
    """A staging folder with so many `files` and the repo that it goes to.

    `message` is that of its commits, if the CLI takes one; `log` is the file for the CLI's output.
    """

    uploader: Uploader
    block: Block
    table: Table
    repo_id: str
    folder: Path
    files: int
    message: str
    log: Path


def workers_for(files: int) -> int:
    """How many workers upload so many files fastest, unless `WORKERS` says.

    One never idles, but several sleep 10 s at the end; each waits for every answer. 500 files at 150 ms a request
    took 269 s with one and 94 s with four, 50 files 31 s and 22 s; without latency one was 8 s faster.
    """
    return 1 if files <= FILES_OF_ONE_WORKER else 4


def log_file(settings: Settings, block: Block, table: Table) -> Path:
    """A log file of its own for each run."""
    return settings.log_dir / block.name / f"{table}-{datetime.now(UTC):%Y%m%dT%H%M%S.%f}.log"


def remove_old_logs(settings: Settings) -> None:
    """Remove logs that are older than `LOG_KEEP_DAYS`, and than any upload that may still be at work."""
    oldest = time.time() - max(settings.log_keep_days * 86400, settings.upload_timeout_hours * 3600)
    for log in chain.from_iterable(settings.log_dir.glob(f"{folder}/*.log") for folder in (ANY_CHUNK, TASK_LOGS)):
        with suppress(OSError):
            if log.stat().st_mtime < oldest:
                log.unlink()


def run(upload: Upload, settings: Settings, token: str | None, show: Callable[[Table, Progress], None]) -> Outcome:
    """Run the CLI for one repo and wait for its end; `show` is called with its table about once a second.

    The outcome tells how the CLI ended, not what has arrived.
    """
    make_private_folder(upload.log.parent)
    command = ["make", "--silent", "--no-print-directory", "--file", str(TARGETS), upload.uploader.target]
    process = subprocess.Popen(
        command,
        env=_environment(upload, settings, token),
        stdin=subprocess.PIPE,  # the watcher's lifeline: it closes when this process ends, however it ends
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        process_group=0,
    )
    with _running_lock:
        _running.add(process)
    errors: deque[str] = deque(maxlen=25)
    reader = threading.Thread(target=_collect, args=(process, errors), daemon=True)
    reader.start()
    try:
        outcome = _follow(process, lambda progress: show(upload.table, progress))
        process.wait()
        reader.join()
    finally:
        _end(process)
        with _running_lock:
            _running.discard(process)
    if outcome is None:
        said = next((line for line in errors if "***" not in line), "the watcher was killed")
        return Outcome(Kind.TRANSIENT, f"the upload ended without an outcome: {said}", process.returncode, died=True)
    return outcome


def kill_all() -> None:
    """Terminate every upload of this process at once: each watcher sees its lifeline close and kills its CLI."""
    with _running_lock:
        for process in _running:
            _cut(process)


def _cut(process: "subprocess.Popen[str]") -> None:
    if process.stdin is not None:
        with suppress(OSError):
            process.stdin.close()


def _end(process: "subprocess.Popen[str]") -> None:
    _cut(process)
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def _follow(process: "subprocess.Popen[str]", show: Callable[[Progress], None]) -> Outcome | None:
    """Read the watcher's report; None if it ended without one."""
    outcome = None
    assert process.stdout is not None  # noqa: S101 - it was opened as a pipe
    for line in process.stdout:
        try:
            report = json.loads(line)
        except ValueError:
            continue
        if "progress" in report:
            show(Progress(**report["progress"]))
        elif "outcome" in report:
            facts = report["outcome"]
            kind = Kind(facts["kind"]) if facts["kind"] else None
            outcome = Outcome(**(facts | {"kind": kind, "tail": tuple(facts["tail"])}))
    return outcome


def _collect(process: "subprocess.Popen[str]", lines: deque[str]) -> None:
    assert process.stderr is not None  # noqa: S101 - it was opened as a pipe
    for line in process.stderr:
        lines.append(line.strip())


def _environment(upload: Upload, settings: Settings, token: str | None) -> dict[str, str]:
    environment = {name: value for name, value in os.environ.items() if name not in (*_MAKE_VARIABLES, *_HARMFUL)}
    environment = {**_XET, **environment, **upload.uploader.generation.ENVIRONMENT}
    environment |= {
        "UPLOADER": upload.uploader.program,
        "MESSAGE": upload.message,
        "CHUNK": "",  # make would check it, and a fold is of several
        "TABLE": upload.table.value,
        "REPO": upload.repo_id,
        "FOLDER": str(upload.folder),
        "HF_XET_CACHE": str(
            upload.folder.with_name("xet")
        ),  # its cache is not trusted, its log goes where all is staged
        "LOG": str(upload.log),
        "WORKERS": str(settings.workers or workers_for(upload.files)),
        "STALL_MINUTES": str(settings.stall_minutes),
        "UPLOAD_TIMEOUT": str(settings.upload_timeout_hours),
        "WIKIDATA": sys.executable,
        "PATH": search_path(),
        "PYTHONUNBUFFERED": "1",
        "PYTHONUTF8": "1",  # 0.36 prints signs that other encodings lack, and dies of it
        "PYTHONIOENCODING": "utf-8",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    if token:
        environment["HF_TOKEN"] = token
    if settings.hf_endpoint:
        environment["HF_ENDPOINT"] = settings.hf_endpoint
    return environment
