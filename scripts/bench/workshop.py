"""Where contests take place: folders on the disk of the checkout, data that several of them share, commands."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from scripts.bench.data import write_large_key, write_states
from scripts.bench.figures import Figures
from scripts.bench.scale import CHUNK, ROWS, Scale, Size
from scripts.sample.build import write_sample
from wikidata.config import FOLDERS, ROOT
from wikidata.state import Step

KEPT = ("HOME", "LANG", "LC_ALL", "TMPDIR", "TZ")
"""What a contest keeps of the user's environment: no setting, no login, no job server of make."""

NOBODY = "http://127.0.0.1:9"
"""The Hub of contests that need none (the discard port), so that the real one is never asked."""

LONGEST_SECONDS = 3600
TAIL_CHARACTERS = 1000


class ContestError(Exception):
    """A side did not do its work, so its time means nothing."""


@dataclass
class Workshop:
    """Works below `root` at a scale."""

    scale: Scale
    root: Path
    _shared: dict[str, Path] = field(default_factory=dict)

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """A fresh folder, which goes away."""
        with tempfile.TemporaryDirectory(dir=self.root) as folder:
            yield Path(folder)

    def shared(self, name: str, make: Callable[[Path], object]) -> Path:
        """A folder that is filled by `make` where it is asked for first, and only read from then on."""
        if name not in self._shared:
            say(f"making {name} …")
            folder = self.root / name
            make(folder)
            self._shared[name] = folder
        return self._shared[name]

    def huge_chunk(self) -> Path:
        """A chunk with very many small files."""
        return self.shared("the huge chunk", lambda root: write_chunk(root, self.scale.huge))

    def large_key(self) -> Path:
        """A chunk with one large key."""
        scale = self.scale
        return self.shared("the large key", lambda root: write_large_key(root, CHUNK, scale.key_parts, scale.key_bytes))

    def states(self) -> Path:
        """The state files of the whole dataset, all pushed."""
        return self.shared("the state files", lambda root: write_states(root, self.scale.state_files, Step.PUSH))


def write_chunk(root: Path, size: Size) -> None:
    """Write a complete chunk as the pipeline leaves it."""
    write_sample(root, chunks={CHUNK: size.parts}, keys=size.keys, rows=ROWS, process_files=False)


def environment_of(box: Path, settings: Mapping[str, str]) -> dict[str, str]:
    """What a command gets that works in the pipeline folders below `box`."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    folders = {name: str(box / folder) for name, folder in FOLDERS.items()}
    python = Path(sys.executable)
    path = f"{python.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    ours = {"PATH": path, "WIKIDATA": str(python), "QUIET": "1", "HF_ENDPOINT": NOBODY, "HF_HOME": str(box / "hf")}
    return {**kept, **folders, **ours, **settings}


def run(command: Sequence[str], environment: Mapping[str, str]) -> str:
    """Run a command in the project's folder and return its output. Raises ContestError where it fails."""
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=LONGEST_SECONDS, check=True
        )
    except subprocess.CalledProcessError as error:
        said = f"{error.stdout}{error.stderr}".strip()[-TAIL_CHARACTERS:]
        raise ContestError(f"{' '.join(command)} ended with exit code {error.returncode}:\n{said}") from error
    except (subprocess.TimeoutExpired, OSError) as error:
        raise ContestError(f"{' '.join(command)}: {error}") from error
    return done.stdout


def run_timed(module: str, work: str, *folders: Path, **settings: str) -> Figures:
    """Run a module that measures itself, see `stopwatch.py`. Raises ContestError."""
    environment = environment_of(folders[-1], settings) | {"PYTHONPATH": str(ROOT)}
    answer = run([sys.executable, "-m", module, work, *map(str, folders)], environment)
    return Figures(**json.loads(answer))


def say(line: str) -> None:
    """A line of progress."""
    print(line, file=sys.stderr, flush=True)
