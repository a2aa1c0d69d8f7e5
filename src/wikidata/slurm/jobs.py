"""The jobs of `make submit`: which of them are queued or running, and the command lines of new ones.

A job's name says what it does and for which dataset: `wikidata-push-1f0c9a3e`, or `wikidata-push-1f0c9a3e-labels` if
it is about one table; the digits stand for the path of MANIFEST_DIR, where the locks are. What a job runs is
`wikidata-push.sbatch`, beside this module. Command lines as of Slurm 22.05.
"""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from wikidata.config import Settings, Table
from wikidata.errors import ProgramError
from wikidata.names import TASK_LOGS, Block, runs

SCRIPT = Path(__file__).with_name("wikidata-push.sbatch")
ANSWER_SECONDS = 60.0
"""How long Slurm's commands may take."""
_FORMAT = "%j|%i|%T|%N"


class Task(NamedTuple):
    """A task that is queued or running.

    `job` is Slurm's number of it, such as `12_3`; `chunk` is what it pushes, None for a fold; `table` None for all;
    `state` Slurm's word, such as `PENDING`; `node` where it runs, or nothing.
    """

    job: str
    chunk: int | None
    table: Table | None
    state: str
    node: str


def tasks_of(settings: Settings, answer_seconds: float = ANSWER_SECONDS) -> list[Task]:
    """This user's tasks for this dataset. Raises ProgramError if Slurm does not tell within so many seconds."""
    pushes = {_name("push", settings, table): table for table in (None, *Table)}
    names = ",".join([*pushes, _name("fold", settings)])
    words = ["squeue", "--array", "--noheader", f"--user={os.getuid()}", f"--name={names}", f"--format={_FORMAT}"]
    tasks = []
    for line in _ask(words, answer_seconds).splitlines():
        name, job, state, node = line.split("|")
        chunk = int(job.partition("_")[2]) if name in pushes else None
        tasks.append(Task(job, chunk, pushes.get(name), state, node))
    return tasks


def push_line(settings: Settings, chunks: Iterable[int], table: Table | None) -> list[str]:
    """The command that submits an array job, in which each task pushes a chunk, at most `TASKS_AT_ONCE` at a time."""
    array = f"--array={','.join(map(_indices, runs(chunks)))}%{settings.tasks_at_once}"
    name = _name("push", settings, table)
    return _line(settings, name, "push-%A_%a", [array], ["push", *_only(table)])


def fold_line(settings: Settings, after: str | None, table: Table | None) -> list[str]:
    """The command that submits a fold, for when the job `after` has ended, however it did, and every other fold."""
    dependency = f"--dependency={f'afterany:{after},' if after else ''}singleton"
    return _line(settings, _name("fold", settings), "fold-%j", [dependency], ["fold", *_only(table)])


def submit(line: Sequence[str]) -> str:
    """Submit a job; returns its number. Raises ProgramError with what Slurm says if it refuses."""
    return _ask(line, ANSWER_SECONDS, {"WIKIDATA": sys.executable}).strip().partition(";")[0]


def _name(what: str, settings: Settings, table: Table | None = None) -> str:
    dataset = hashlib.sha256(os.fsencode(settings.manifest_dir.resolve())).hexdigest()[:8]
    return "-".join(["wikidata", what, dataset, *([table.value] if table else [])])


def _indices(block: Block) -> str:
    return str(block.first) if block.is_one else f"{block.first}-{block.last}"


def _only(table: Table | None) -> list[str]:
    return ["--table", table.value] if table else []


def _line(settings: Settings, name: str, log: str, options: Sequence[str], words: Sequence[str]) -> list[str]:
    output = f"--output={settings.log_dir / TASK_LOGS / log}.log"
    return ["sbatch", "--parsable", "--export=ALL", f"--job-name={name}", output, *options, str(SCRIPT), *words]


def _ask(words: Sequence[str], seconds: float, environment: dict[str, str] | None = None) -> str:
    """What one of Slurm's commands prints."""
    try:
        asked = subprocess.run(
            words,
            env=os.environ | (environment or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
        )
    except FileNotFoundError:
        raise ProgramError(f"there is no {words[0]} on the PATH: run this where Slurm's commands are") from None
    except subprocess.TimeoutExpired as error:
        raise ProgramError(f"{words[0]} has not answered within {seconds:g} s: is Slurm well?") from error
    except OSError as error:
        raise ProgramError(f"cannot start {words[0]}: {error.strerror}: mend its permissions") from error
    if asked.returncode:
        said = (asked.stderr.strip() or f"{words[0]} ended with exit code {asked.returncode}").splitlines()[-1]
        raise ProgramError(f"Slurm refused: {said}")
    return asked.stdout
