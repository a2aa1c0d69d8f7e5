"""The front door: what users type is checked before a shell sees it, and works wherever the clone lies."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from localhub.testing import RunningHub
from tests.helpers.box import Box, assert_arrived
from wikidata.config import Settings, Table

ROOT = Path(__file__).resolve().parents[2]


def make(*words: str, cwd: Path = ROOT, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["make", "--no-print-directory", *words],
        cwd=cwd,
        env=os.environ | {"WIKIDATA": sys.executable} | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    "chunk", ["abc", "3; rm x", "-1", "3 4", "0x3", "$(shell touch x)", "`touch x`", "3\n4", "٣", "'"]
)
@pytest.mark.parametrize("origin", ["command line", "environment"])
def test_a_chunk_that_is_not_a_number_is_refused(tmp_path: Path, chunk: str, origin: str) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    done = (
        make("push", f"CHUNK={chunk}", cwd=tmp_path)
        if origin == "command line"
        else make("push", cwd=tmp_path, CHUNK=chunk)
    )
    assert done.returncode == 2
    assert f"CHUNK={chunk} is not a chunk number: give a whole number, such as CHUNK=3" in done.stderr
    assert os.listdir(tmp_path) == ["Makefile"]


@pytest.mark.parametrize("table", ["labels links", "labels;rm x", "LABELS", "$(shell touch x)", "../labels", "%"])
def test_a_table_that_a_shell_must_not_see_is_refused(tmp_path: Path, table: str) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    done = make("push", "CHUNK=3", f"TABLE={table}", cwd=tmp_path)
    assert done.returncode == 2
    assert f"TABLE={table} is not a table: give one, such as TABLE=labels" in done.stderr
    assert os.listdir(tmp_path) == ["Makefile"]


def test_a_table_that_does_not_exist_is_refused() -> None:
    done = make("push", "CHUNK=3", "TABLE=label")
    assert done.returncode == 2
    assert "'label' is not a table: give one of labels, descriptions, aliases, links, claims" in done.stderr


@pytest.mark.parametrize("name", ["JOBS", "STALL_MINUTES", "DRY_RUN", "HF_USER"])
def test_a_senseless_setting_is_refused_by_name(name: str) -> None:
    done = make("push", f"{name}=a b;c")
    assert done.returncode == 2
    assert done.stderr.startswith(f"wikidata: {name}")


def test_help_lists_every_target_and_variable_in_a_line_each() -> None:
    text = (ROOT / "Makefile").read_text()
    shown = make().stdout
    for target in re.findall(r"^([a-z]+):.*##", text, re.MULTILINE):
        assert re.search(rf"^  make {target} +\w", shown, re.MULTILINE), target
    for variable in re.findall(r"^([A-Z_]+) \?=", text, re.MULTILINE):
        assert re.search(rf"^  {variable} +\S", shown, re.MULTILINE), variable
    assert make("help").stdout == shown
    assert max(map(len, shown.splitlines())) <= 140


def test_readme_and_docs_name_every_target_and_variable() -> None:
    readme = "".join(file.read_text() for file in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")))
    text = (ROOT / "Makefile").read_text()
    for name in re.findall(r"^([A-Z_]+) \?=", text, re.MULTILINE):
        assert f"`{name}`" in readme, name
    for target in ("push", "status", "verify", "sync", "prune", "demo", "hub", "test", "lint", "lock"):
        assert f"make {target}" in readme, target


def test_no_link_between_the_documents_leads_nowhere() -> None:
    for file in (ROOT / "README.md", ROOT / "DESIGN.md", *(ROOT / "docs").glob("*.md")):
        for path, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", file.read_text()):
            target = file.parent / path if path else file
            assert target.is_file(), (file, path)
            headings = re.findall(r"^#+ (.+)$", target.read_text(), re.MULTILINE)
            assert not anchor or anchor in {re.sub(r"[^\w -]", "", each).lower().replace(" ", "-") for each in headings}


def test_the_upload_target_is_the_specified_command() -> None:
    recipe = make("-n", "upload-large-folder", REPO="a/b", FOLDER="f", LOG="l").stdout
    assert '"$UPLOADER" upload-large-folder "$REPO" "$FOLDER" --repo-type dataset' in recipe
    assert Settings.from_environment({}).uploader == "huggingface-cli"
    assert make("upload-large-folder").returncode != 0


def test_a_clone_and_data_in_folders_with_spaces(tmp_path: Path, box: Box, hub: RunningHub) -> None:
    clone = tmp_path / "a clone; with $odd 'characters"
    clone.mkdir()
    for name in ("Makefile", "scripts", "requirements", "pyproject.toml"):
        (clone / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "src", clone / "src")
    moved = Box(clone / "the data", hub.endpoint, hub.token)
    box.root.rename(moved.root)
    environment = moved.environment | {"PYTHONPATH": str(clone / "src")}
    (clone / ".venv").mkdir()
    (clone / ".venv" / "place").write_text(f"{clone}\n")
    for stamp in ("runtime", "dev"):
        (clone / ".venv" / stamp).touch()
    done = make("push", "CHUNK=3", "TABLE=labels", cwd=clone, **environment)
    assert done.returncode == 0, done.stderr
    assert_arrived(moved, hub, 3, [Table.LABELS])


def test_an_environment_that_was_made_elsewhere_is_rebuilt(tmp_path: Path) -> None:
    for name in ("Makefile", "scripts", "requirements", "pyproject.toml", "src"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "place").write_text("/somewhere/else\n")
    (tmp_path / ".venv" / "runtime").touch()
    would = make("-n", "status", cwd=tmp_path).stdout
    assert "setup.sh place" in would
    assert "setup.sh runtime" in would
    (tmp_path / ".venv" / "place").write_text(f"{tmp_path}\n")
    (tmp_path / ".venv" / "runtime").touch()
    assert "setup.sh" not in make("-n", "status", cwd=tmp_path).stdout


def test_an_old_python_is_refused_in_one_line(tmp_path: Path) -> None:
    old = tmp_path / "old-python"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o700)
    done = subprocess.run(
        ["sh", str(ROOT / "scripts" / "setup.sh"), "place"],
        cwd=tmp_path,
        env=os.environ | {"PYTHON": str(old)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "is not there or older than 3.11" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_prune_asks_for_a_chunk_and_no_chunk_is_that_large(box: Box) -> None:
    done = box.make("prune")
    assert done.returncode == 2
    assert "prune: of which chunk? make prune CHUNK=3" in done.stderr
    assert "is not a chunk number" in box.make("push", f"CHUNK={10**20}").stderr


def test_a_parallel_make_does_not_leak_its_job_server(box: Box, hub: RunningHub) -> None:
    done = box.make("-j4", "push", "CHUNK=3", "TABLE=labels")
    assert done.returncode == 0
    assert done.stderr == ""
    assert_arrived(box, hub, 3, [Table.LABELS])
