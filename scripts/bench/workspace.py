"""Where sides run: folders on the disk of the checkout, data that several of them share, commands."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from scripts.bench.data import Scale
from wikidata.config import FOLDERS, ROOT

KEPT = ("HOME", "LANG", "LC_ALL", "TMPDIR", "TZ")
"""What a side keeps of the user's environment: no setting, no login, no job server of make."""

NOBODY = "http://127.0.0.1:9"
"""The Hub of sides that need none (the discard port), so that the real one is never asked."""

LONGEST_SECONDS = 3600
TAIL_CHARACTERS = 1000


Data = Callable[[Path, Scale], object]
"""Fills a folder."""


class SideError(Exception):
    """A side did not do its work, so its time means nothing."""


@dataclass
class Workspace:
    """Works below `root` at a scale."""

    scale: Scale
    root: Path
    _shared: set[Path] = field(default_factory=set)

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """A fresh folder, which goes away."""
        with tempfile.TemporaryDirectory(dir=self.root) as folder:
            yield Path(folder)

    def shared(self, make: Data, name: str = "") -> Path:
        """A folder that `make` fills when it is asked for first, and that is only read from then on."""
        folder = self.root / (name or make.__name__)
        if folder not in self._shared:
            say(f"making {folder.name} …")
            make(folder, self.scale)
            self._shared.add(folder)
        return folder


def environment_of(box: Path, settings: Mapping[str, str]) -> dict[str, str]:
    """What a command gets that works in the pipeline folders below `box`."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    folders = {name: str(box / folder) for name, folder in FOLDERS.items()}
    python = Path(sys.executable)
    path = f"{python.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    ours = {"PATH": path, "WIKIDATA": str(python), "QUIET": "1", "HF_ENDPOINT": NOBODY, "HF_HOME": str(box / "hf")}
    return {**kept, **folders, **ours, **settings}


def run(command: Sequence[str], environment: Mapping[str, str]) -> str:
    """Run a command in the project's folder and return its output. Raises SideError if it fails."""
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=LONGEST_SECONDS, check=True
        )
    except subprocess.CalledProcessError as error:
        said = f"{error.stdout}{error.stderr}".strip()[-TAIL_CHARACTERS:]
        raise SideError(f"{' '.join(command)} ended with exit code {error.returncode}:\n{said}") from error
    except (subprocess.TimeoutExpired, OSError) as error:
        raise SideError(f"{' '.join(command)}: {error}") from error
    return done.stdout


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
