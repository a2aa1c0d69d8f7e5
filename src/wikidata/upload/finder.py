"""Which program uploads: what `UPLOADER` names, found, and asked for its version once."""

import json
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock, Thread

from wikidata.config import ROOT
from wikidata.errors import ProgramError, PushError
from wikidata.hub.versions import SUPPORTED, installed_version
from wikidata.records.lock import hold_records
from wikidata.system.files import write_atomically
from wikidata.upload.generations import generation_of, parse_version
from wikidata.upload.generations.protocol import Generation

HUGGINGFACE_CLI = "huggingface-cli"
HF = "hf"
LIBRARY = "library"
_ANSWER_SECONDS = 60.0
_STUB = "no longer works"
"""What `huggingface-cli` of 1.11 and above prints, whatever it is asked."""

_asking = Lock()
"""Held while a program is asked, so that of five tables one asks and the others remember."""


@dataclass(frozen=True)
class Uploader:
    """A program that uploads; `target` is that of `upload.mk` that runs it."""

    program: str
    generation: Generation
    target: str


def find_program(name: str) -> str:
    """The program that `UPLOADER` names: `huggingface-cli`, `hf`, `library` (our own Python), or another or its path.

    Raises ProgramError saying what to do if it is absent, or make, which runs it.
    """
    if shutil.which("make", path=search_path()) is None:
        raise ProgramError("there is no make on the PATH: install GNU make, 4.2 or newer (apt install make)")
    if name == LIBRARY:
        return sys.executable
    program = shutil.which(name, path=search_path(name))
    if program is None:
        raise ProgramError(f"there is no {name}: {_advice(name)}")
    return os.path.abspath(program)


def find_uploader(name: str, manifest_dir: Path) -> Uploader:
    """That program, with its generation by the version that it says it has.

    The answer is cached in `manifest_dir` by the program's path and modification time. Raises ProgramError
    saying what to do if the program is absent, a stub, or of a version that cannot upload.
    """
    program = find_program(name)
    if name == LIBRARY:
        return Uploader(program, _generation("huggingface_hub", installed_version()), "upload-by-library")
    with _asking:
        generation = _generation(program, _known_version(program, manifest_dir))
    return Uploader(program, generation, generation.TARGET)


def ask_ahead(name: str, manifest_dir: Path) -> Thread:
    """Ask the program for its version in a thread, so that the answer is there when it is needed.

    What is wrong with it is told only then.
    """

    def ask() -> None:
        with suppress(PushError, OSError):
            find_uploader(name, manifest_dir)

    thread = Thread(target=ask, daemon=True)
    thread.start()
    return thread


def search_path(name: str = "") -> str:
    """Where programs are looked for: first in our own environments, in that of the newest CLI for `hf` alone."""
    newest = [str(ROOT / ".venv-hf" / "bin")] if name == HF else []
    ours = [str(ROOT / ".venv" / "bin"), str(Path(sys.executable).parent)]
    return os.pathsep.join([*newest, *ours, os.environ.get("PATH", "")])


def _advice(name: str) -> str:
    if name == HUGGINGFACE_CLI:
        return (
            f"huggingface_hub {installed_version() or '(none)'} is installed, and only 0.34 to 0.36 bring it: "
            "run make setup, or set UPLOADER=hf"
        )
    if name == HF:
        return "run make setup UPLOADER=hf"
    return f"set UPLOADER to {HUGGINGFACE_CLI}, {HF}, {LIBRARY}, or the path of a program"


def _generation(program: str, found: str) -> Generation:
    parsed = parse_version(found)
    if generation := generation_of(parsed) if parsed else None:
        return generation
    raise ProgramError(
        f"{program} is of huggingface_hub {found}, and only {SUPPORTED} can upload: set UPLOADER to another"
    )


def _known_version(program: str, manifest_dir: Path) -> str:
    """The version of a program, as remembered if the file is the same as when it was asked."""
    cache = manifest_dir / ".uploaders.json"
    modified_ns = os.stat(program).st_mtime_ns
    known = _read(cache).get(program)
    if known and known[0] == modified_ns:
        return str(known[1])
    found = _ask(program)
    with hold_records(manifest_dir):
        write_atomically(cache, json.dumps(_read(cache) | {program: [modified_ns, found]}).encode() + b"\n")
    return found


def _read(cache: Path) -> dict[str, list[object]]:
    try:
        content = json.loads(cache.read_bytes())
    except (OSError, ValueError):
        return {}
    if not isinstance(content, dict):
        return {}
    return {path: facts for path, facts in content.items() if isinstance(facts, list) and len(facts) == 2}


def _ask(program: str) -> str:
    """The version that a program says it has. Raises ProgramError if it says none."""
    given = {"HF_HUB_DISABLE_UPDATE_CHECK": "1", "NO_COLOR": "1", "PATH": search_path()}
    try:
        asked = subprocess.run(
            [program, "version"],
            env=os.environ | given,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_ANSWER_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ProgramError(f"{program} version: {error}: set UPLOADER to another") from error
    if _STUB in asked.stdout + asked.stderr:
        raise ProgramError(f"{program} is a stub that no longer works: run make setup, or set UPLOADER=hf")
    parsed = parse_version(asked.stdout) if asked.returncode == 0 else None
    if parsed is None:
        lines = (asked.stdout + asked.stderr).strip().splitlines()
        said = lines[-1] if lines else f"it says nothing (exit code {asked.returncode})"
        raise ProgramError(f"{program} version: {said}: is it an upload CLI? Set UPLOADER to another")
    return ".".join(map(str, parsed))
