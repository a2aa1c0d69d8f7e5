"""Which program uploads, and what each version of it is taken for."""

import json
import os
import tempfile
from pathlib import Path

import pytest

from localhub.faults import Fault
from localhub.testing import RunningHub
from tests.helpers.box import REPOS, Box, assert_arrived, data_commits
from wikidata.config import Table
from wikidata.errors import ProgramError
from wikidata.upload import finder as uploader
from wikidata.upload.finder import ask_ahead, find_uploader
from wikidata.upload.generations import (
    GENERATIONS,
    any_of,
    generation_of,
    hf_large_folder,
    hf_upload,
    huggingface_cli,
    parse_version,
)
from wikidata.upload.generations.protocol import Generation
from wikidata.upload.run import TARGETS

ROOT = Path(__file__).resolve().parents[2]
ONE_TABLE = ("push", "--chunk", "3", "--table", "labels")
STUB = "Warning: `huggingface-cli` is deprecated and no longer works. Use `hf` instead."


@pytest.mark.parametrize(
    ("output", "version"),
    [
        ("huggingface_hub version: 0.36.2\n", (0, 36, 2)),
        ("✓ hf version\n  version: 2.4.0\n", (2, 4, 0)),
        ("1.33.0\n", (1, 33, 0)),
        ("2.5.0.rc1", (2, 5, 0)),
        ("no version 3 here", None),
        ("", None),
    ],
)
def test_a_version_is_read_from_what_a_cli_prints(output: str, version: tuple[int, ...] | None) -> None:
    assert parse_version(output) == version


@pytest.mark.parametrize(
    ("version", "generation"),
    [
        ((0, 33, 5), None),
        ((0, 34), huggingface_cli),
        ((0, 36, 2), huggingface_cli),
        ((1, 0, 0), hf_large_folder),
        ((1, 33, 0), hf_large_folder),
        ((2, 0, 0), hf_upload),
        ((2, 4, 0), hf_upload),
        ((3, 0, 0), None),
    ],
)
def test_a_version_belongs_to_one_generation(version: tuple[int, ...], generation: Generation | None) -> None:
    assert generation_of(version) is generation


def test_every_generation_names_a_target() -> None:
    lines = TARGETS.read_text().splitlines()
    for generation in GENERATIONS:
        assert f"{generation.TARGET}:" in lines


@pytest.mark.parametrize(
    ("line", "is_repeated"),
    [
        ("Failed to commit: 403 Client Error", True),
        ("HTTP Error 429 thrown while requesting POST http://hub/api/datasets/a/b/preupload/main", True),
        ("HTTP Error 503 thrown while requesting POST http://hub/api/datasets/a/b/commit/main", True),
        ("'timed out' thrown while requesting POST http://hub/api/datasets/a/b/commit/main", True),
        ("HTTP Error 503 thrown while requesting POST http://hub/api/datasets/a/b/preupload/main", False),
        ("HTTP Error 500 thrown while requesting PUT http://hub/a/b.git/info/lfs/objects/0", False),
        ("Error: 403 Forbidden: no.", False),
        ("Uploaded commit 429", False),
    ],
)
def test_a_cli_is_killed_if_it_repeats_what_costs_or_may_have_worked(line: str, is_repeated: bool) -> None:
    assert bool(any_of([generation.REPEATS for generation in GENERATIONS]).search(line)) is is_repeated


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that all programs are looked for in."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setattr(uploader, "search_path", lambda _name="": str(folder))
    install(folder, "make", "")
    return folder


def install(folder: Path, name: str, script: str) -> Path:
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o700)
    return program


def test_a_program_is_asked_for_its_version_once_and_again_when_it_changes(programs: Path, tmp_path: Path) -> None:
    program = install(programs, "hf", f"echo asked >>{tmp_path}/asked; echo version: 1.33.0")
    for _ in range(2):
        assert find_uploader("hf", tmp_path / "manifests").generation is hf_large_folder
    assert (tmp_path / "asked").read_text() == "asked\n"
    install(programs, "hf", "echo version: 2.4.0")
    os.utime(program, ns=(1, 1))
    found = find_uploader("hf", tmp_path / "manifests")
    assert (found.program, found.generation, found.target) == (str(program), hf_upload, "upload-folder")


def test_a_program_that_was_asked_ahead_is_not_asked_again(programs: Path, tmp_path: Path) -> None:
    install(programs, "hf", f"echo asked >>{tmp_path}/asked; echo version: 2.4.0")
    ask_ahead("hf", tmp_path / "manifests").join()
    assert find_uploader("hf", tmp_path / "manifests").generation is hf_upload
    assert (tmp_path / "asked").read_text() == "asked\n"


@pytest.mark.parametrize("name", ["hf", "none"])
def test_what_is_wrong_with_a_program_is_not_told_when_it_is_asked_ahead(
    programs: Path, tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    install(programs, "hf", "exit 2")
    ask_ahead(name, tmp_path / "manifests").join()
    assert capfd.readouterr() == ("", "")
    with pytest.raises(ProgramError):
        find_uploader(name, tmp_path / "manifests")


def test_a_path_may_be_relative(programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = install(programs, "hf", "echo version: 2.4.0")
    monkeypatch.chdir(tmp_path)
    assert find_uploader("bin/hf", tmp_path).program == str(program)


@pytest.mark.parametrize(
    "content", ["", "[]", "{", '{"a": 1}', '{"PROGRAM": []}', '{"PROGRAM": [1]}', '{"PROGRAM": null}']
)
def test_a_damaged_file_of_versions_is_replaced(programs: Path, tmp_path: Path, content: str) -> None:
    program = install(programs, "hf", "echo version: 2.4.0")
    (tmp_path / ".uploaders.json").write_text(content.replace("PROGRAM", str(program)))
    assert find_uploader("hf", tmp_path).generation is hf_upload
    versions = json.loads((tmp_path / ".uploaders.json").read_text())
    assert versions[str(program)] == [program.stat().st_mtime_ns, "2.4.0"]


@pytest.mark.parametrize(
    ("name", "script", "message"),
    [
        (
            "huggingface-cli",
            None,
            "there is no huggingface-cli: huggingface_hub 0.36.2 is installed, and only 0.34 to 0.36",
        ),
        ("hf", None, "there is no hf: run make setup UPLOADER=hf"),
        ("/no/such/cli", None, "there is no /no/such/cli: set UPLOADER to huggingface-cli, hf, library, or the path"),
        ("huggingface-cli", f"echo '{STUB}'; exit 1", "huggingface-cli is a stub that no longer works: run make setup"),
        ("hf", "echo huggingface_hub version: 0.30.1", "is of huggingface_hub 0.30.1, and only 0.34 to 2.x can upload"),
        ("hf", "echo version: 3.0.0", "is of huggingface_hub 3.0.0, and only 0.34 to 2.x can upload"),
        ("hf", "echo no such command >&2; exit 2", "hf version: no such command: is it an upload CLI?"),
        ("hf", "exit 2", "hf version: it says nothing (exit code 2): is it an upload CLI?"),
        ("hf", "echo 2.4.0; exit 2", "hf version: 2.4.0: is it an upload CLI?"),
    ],
)
def test_a_program_that_cannot_upload_is_refused_in_one_line(
    programs: Path, tmp_path: Path, name: str, script: str | None, message: str
) -> None:
    if script is not None:
        install(programs, name, script)
    with pytest.raises(ProgramError) as raised:
        find_uploader(name, tmp_path)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_real_stub_is_refused(tmp_path: Path) -> None:
    stub = ROOT / ".venv-hf1" / "bin" / "huggingface-cli"
    if not stub.exists():
        pytest.skip("there is no .venv-hf1: make test-matrix makes it")
    with pytest.raises(ProgramError, match="is a stub that no longer works"):
        find_uploader(str(stub), tmp_path)


def test_what_is_wrong_with_the_uploader_is_said_once_for_all_tables(box: Box, hub: RunningHub) -> None:
    stub = install(box.root, "stub", f"echo '{STUB}'; exit 1")
    done = box.wikidata("push", UPLOADER=str(stub))
    assert done.returncode == 1
    assert done.stderr == f"wikidata: {stub} is a stub that no longer works: run make setup, or set UPLOADER=hf\n"
    assert box.logs() == []
    with pytest.raises(LookupError):
        hub.files(REPOS[Table.LABELS])  # not even a repo was created


@pytest.mark.matrix
def test_what_is_uploaded_with_is_quiet_and_names_what_it_adds(box: Box, hub: RunningHub) -> None:
    done = box.wikidata(*ONE_TABLE)
    assert (done.returncode, done.stderr) == (0, "")
    assert_arrived(box, hub, 3, [Table.LABELS])
    (commit,) = data_commits(hub, REPOS[Table.LABELS])
    (log,) = box.logs()
    if box.settings["UPLOADER"] == "hf":
        assert "\x1b" not in log.read_text()
        assert commit.title == "Add chunk 3 of labels"


def test_the_library_uploads_in_a_process_of_its_own_under_the_watcher(box: Box, hub: RunningHub) -> None:
    box.settings["UPLOADER"] = "library"
    hub.set_faults(Fault("commit", status=500))
    done = box.wikidata(*ONE_TABLE)
    assert (done.returncode, done.stderr) == (0, "")
    assert_arrived(box, hub, 3, [Table.LABELS])
    hub.set_faults(Fault("commit", status=403, times=None, message="No, says the Hub."))
    hub.delete_file(REPOS[Table.LABELS], next(iter(box.expected(Table.LABELS, 3))))
    refused = box.wikidata(*ONE_TABLE)
    assert refused.returncode == 1
    assert "403 Forbidden: No, says the Hub." in refused.stderr
    assert hub.struck()[0] <= 40  # it repeats itself within a millisecond, and is killed at the first line


@pytest.mark.matrix
def test_staged_links_across_file_systems_are_followed_and_removed(box: Box, hub: RunningHub) -> None:
    """Hard links are impossible there, so the staging folder has symbolic ones."""
    if not os.path.isdir("/dev/shm") or os.stat("/dev/shm").st_dev == os.stat(box.root).st_dev:
        pytest.skip("there is no second file system at /dev/shm")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as elsewhere:
        done = box.wikidata(*ONE_TABLE, STAGING_DIR=f"{elsewhere}/staging")
        assert not [path for path in Path(elsewhere).rglob("*") if not path.is_dir()]
    assert (done.returncode, done.stderr) == (0, "")
    assert_arrived(box, hub, 3, [Table.LABELS])


def test_without_make_a_push_says_so_in_one_line_before_it_reads_anything(box: Box, programs: Path) -> None:
    (programs / "make").unlink()
    with pytest.raises(ProgramError, match="no make on the PATH: install GNU make"):
        find_uploader("hf", programs)
    done = box.wikidata("push", "--chunk", "3", PATH=str(programs), UPLOADER="library")
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "there is no make on the PATH: install GNU make" in done.stderr
