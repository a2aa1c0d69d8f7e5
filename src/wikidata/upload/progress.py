"""How far a running upload CLI has come, read from the outside.

The 0.36 CLI keeps two small files for every file below `FOLDER/.cache/huggingface/upload/`; the `.metadata` one has a
line each for time, size, should_ignore, sha256, upload_mode, remote_oid, is_uploaded, is_committed (source:
huggingface_hub 0.36, `_local_folder.py`). `hf upload` keeps none, but with Xet it prints a summary every 30 s
(`_upload_pipeline.py` of 2.4). Both are good enough to show progress, never to prove arrival.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from wikidata.upload.generations import GENERATIONS, any_of

_MEANINGFUL_BYTES = 1 << 16
"""Bytes that a CLI which only waits does not read or send between two measurements."""
_SUMMARY = any_of([generation.SUMMARY for generation in GENERATIONS])


@dataclass(frozen=True)
class Progress:
    """Files staged, uploaded and committed so far, bytes staged and uploaded; whether anything has `advanced`."""

    files: int
    uploaded: int
    committed: int
    size_bytes: int
    uploaded_bytes: int
    advanced: bool


class ProgressMeter:
    """Looks at the cache of the CLI with process id `pid` that uploads `folder`."""

    def __init__(self, folder: Path, pid: int) -> None:
        self.folder = folder / ".cache" / "huggingface" / "upload"
        self.pid = pid
        self.files, self.size_bytes = _count(folder)
        self.seen: dict[str, tuple[int, int, bool, bool]] = {}
        self.traffic = 0
        self.heard = (0, 0)

    def hear(self, line: str) -> None:
        """Note what a line of the CLI's output tells: how many files it has uploaded, and committed."""
        if match := _SUMMARY.search(line):
            uploaded, committed = (int(number.replace(",", "")) for number in match.groups() if number)
            self.heard = (uploaded, committed)

    def measure(self) -> Progress:
        """Read what changed since the last look."""
        advanced = self._update()
        traffic = _traffic(self.pid)
        if traffic - self.traffic >= _MEANINGFUL_BYTES:
            self.traffic, advanced = traffic, True
        uploaded = [size for _, size, is_uploaded, _ in self.seen.values() if is_uploaded]
        committed = sum(is_committed for *_, is_committed in self.seen.values())
        counts = max(len(uploaded), self.heard[0]), max(committed, self.heard[1])
        return Progress(self.files, *counts, self.size_bytes, sum(uploaded), advanced)

    def _update(self) -> bool:
        advanced = False
        for parent, _, names in os.walk(self.folder):
            for name in names:
                if not name.endswith(".metadata"):
                    continue
                path = f"{parent}/{name}"
                modified = _modified_ns(path)
                if modified and self.seen.get(path, (0,))[0] != modified:
                    size, is_uploaded, is_committed = _parse(path)
                    self.seen[path] = (modified, size, is_uploaded, is_committed)
                    advanced = True
        return advanced


def _count(folder: Path) -> tuple[int, int]:
    files = size_bytes = 0
    for parent, folders, names in os.walk(folder):
        if ".cache" in folders:
            folders.remove(".cache")
        files += len(names)
        size_bytes += sum(os.stat(f"{parent}/{name}").st_size for name in names)
    return files, size_bytes


def _modified_ns(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0


def _parse(path: str) -> tuple[int, bool, bool]:
    """Size, is_uploaded, is_committed; nothing done if the file is half-written or gone."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
        return int(lines[1]), lines[6] == "1", lines[7] == "1"
    except (OSError, ValueError, IndexError):
        return 0, False, False


def _traffic(pid: int) -> int:
    """Bytes that a process has read and written so far, from files and sockets; 0 if the system does not tell."""
    try:
        facts = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text(encoding="utf-8").splitlines())
        return int(facts["rchar"]) + int(facts["wchar"])
    except (OSError, ValueError, KeyError):
        return 0
