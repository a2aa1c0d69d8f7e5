"""Stand-ins for Slurm's commands, which remember what they were asked."""

import shlex
from dataclasses import dataclass
from pathlib import Path

_PROGRAMS = {
    "sbatch": 'printf "%s\\n" "$*" >>submitted; grep -c . submitted',
    "squeue": """names=$(echo "$*" | sed "s/.*--name=//; s/ .*//" | tr , "|"); grep -E "^($names)[|]" queue || true""",
    "scontrol": 'printf "%s\\n" "$*" >>controlled',
}


@dataclass(frozen=True)
class StandIns:
    """`bin` has the commands; `fail` lets one fail, with a line on stderr."""

    root: Path

    def __post_init__(self) -> None:
        self.bin.mkdir(parents=True)
        (self.root / "queue").touch()
        for name, body in _PROGRAMS.items():
            self.become(name, body)

    @property
    def bin(self) -> Path:
        return self.root / "bin"

    def become(self, name: str, body: str) -> None:
        """Let a command do something else."""
        (self.bin / name).write_text(f"#!/bin/bash\ncd {shlex.quote(str(self.root))}\n{body}\n")
        (self.bin / name).chmod(0o700)

    def queue(self, *tasks: str) -> None:
        """What is queued and running: `name|job|state|node` each."""
        (self.root / "queue").write_text("".join(f"{task}\n" for task in tasks))

    @property
    def submitted(self) -> list[list[str]]:
        """The words of each sbatch so far."""
        return [line.split() for line in self._lines("submitted")]

    @property
    def controlled(self) -> list[str]:
        """What scontrol was told."""
        return self._lines("controlled")

    def _lines(self, name: str) -> list[str]:
        path = self.root / name
        return path.read_text().splitlines() if path.exists() else []
