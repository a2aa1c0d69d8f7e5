"""A wheel in an environment that knows no checkout: the command and `push_chunk` push from wherever they run."""

import json
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from localhub.testing import RunningHub
from tests.helpers.box import ROOT, Box, assert_arrived
from tests.helpers.slurm import StandIns
from wikidata.config import FOLDERS, Table

PUSH_CHUNK = """
import json, wikidata
from wikidata.config import Table, target_repos
from wikidata.push import push_chunk

repos = {Table.LINKS: target_repos("permutans")[Table.LINKS]}
(receipt,) = push_chunk(3, "state", "results", repos).values()
print(json.dumps([wikidata.__file__, receipt.files]))
"""


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a new environment: the built wheel, and of this environment the packages that it needs."""
    source = tmp_path_factory.mktemp("source")
    shutil.copytree(ROOT / "src", source / "src", ignore=shutil.ignore_patterns("*.egg-info", "__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    alone = ["--no-deps", "--no-index"]
    subprocess.run([*pip, "wheel", *alone, "--no-build-isolation", "--wheel-dir", source, source], check=True)
    place = tmp_path_factory.mktemp("fresh")
    venv.create(place)
    (wheel,) = source.glob("*.whl")
    subprocess.run([*pip, "--python", place / "bin" / "python", "install", *alone, wheel], check=True)
    (packages,) = place.glob("lib/python*/site-packages")
    (packages / "others.pth").write_text(sysconfig.get_path("purelib"))  # whose own .pth files are not read
    return place / "bin"


@pytest.mark.slow
def test_a_wheel_pushes_from_any_folder(box: Box, hub: RunningHub, programs: Path, tmp_path: Path) -> None:
    environment = {name: value for name, value in box.environment.items() if name not in (*FOLDERS, "WIKIDATA")}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"  # where huggingface-cli is

    def run(*command: str | Path) -> str:
        done = subprocess.run(command, cwd=box.root, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    (box.root / "polars.py").write_text("raise SystemExit('a module of the folder was imported')")
    said = run(programs / "wikidata", "push", "--chunk", "3", "--table", "labels")
    assert "chunk 3 labels" in said
    (box.root / "polars.py").unlink()
    where, files = json.loads(run(programs / "python", "-c", PUSH_CHUNK))
    assert Path(where).is_relative_to(programs.parent)
    assert files == len(box.files(Table.LINKS, 3))
    assert_arrived(box, hub, 3, [Table.LABELS, Table.LINKS])
    assert len(list((box.root / "logs").rglob("*.log"))) == 2
    environment["PATH"] = f"{StandIns(tmp_path / 'slurm').bin}:{environment['PATH']}"
    submitted = run(programs / "wikidata", "submit", "--chunk", "3", "--dry-run").splitlines()
    assert all(Path(line.split()[-2]).is_relative_to(programs.parent) for line in submitted)
    assert all(Path(line.split()[-2]).is_file() for line in submitted)
