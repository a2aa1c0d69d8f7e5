"""The push with the newest huggingface_hub as its library, next to datasets 5: the environment of people who read."""

import subprocess

import pytest

from localhub.faults import Fault, Quota
from localhub.testing import RunningHub
from tests.helpers.box import REPOS, ROOT, Box, assert_arrived, data_commits
from wikidata.config import Table

LABELS = Table.LABELS
PYTHON = ROOT / ".venv-readers" / "bin" / "python"
ONE_TABLE = ("push", "--chunk", "3", "--table", "labels")


@pytest.fixture
def newest(box: Box) -> Box:
    """The box, with everything of the environment that the newest huggingface_hub is in."""
    if not PYTHON.exists():
        pytest.skip("there is no .venv-readers: make test makes it")
    box.settings |= {"UPLOADER": str(PYTHON.with_name("hf")), "PYTHONPATH": str(ROOT / "src"), "WIKIDATA": str(PYTHON)}
    return box


def wikidata(box: Box, *words: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    command = [str(PYTHON), "-m", "wikidata", *words]
    environment = box.environment | settings
    return subprocess.run(command, env=environment, cwd=box.root, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("way", ["hf", "library"])
def test_a_chunk_is_pushed_verified_and_found_again(newest: Box, hub: RunningHub, way: str) -> None:
    settings = {"UPLOADER": "library"} if way == "library" else {}
    done = wikidata(newest, "push", **settings)
    assert (done.returncode, done.stderr) == (0, "")
    assert_arrived(newest, hub, 3)
    assert newest.steps(3) == {4}
    assert [commit.title for commit in data_commits(hub, REPOS[LABELS])] == ["Add chunk 3 of labels"]
    assert hub.files(REPOS[LABELS])["README.md"].size > 0
    assert wikidata(newest, "verify", "--chunk", "3").stdout.count("all there") == 5
    hub.delete_file(REPOS[LABELS], next(iter(newest.expected(LABELS, 3))))
    again = wikidata(newest, *ONE_TABLE, **settings)
    assert "1 of them uploaded now" in again.stdout
    assert_arrived(newest, hub, 3)


def test_files_that_are_no_longer_made_are_pruned(newest: Box, hub: RunningHub) -> None:
    assert wikidata(newest, *ONE_TABLE).returncode == 0
    newest.files(LABELS, 3)[0].unlink()
    for sidecar in (newest.root / "audit" / "labels").glob("chunk_3-*"):
        sidecar.unlink()
    assert "make prune CHUNK=3 TABLE=labels" in wikidata(newest, *ONE_TABLE).stderr
    assert wikidata(newest, "prune", "--chunk", "3", "--table", "labels", "--yes").returncode == 0
    assert_arrived(newest, hub, 3, [LABELS])


@pytest.mark.parametrize(
    "endpoint", ["whoami", "info", "tree", "paths_info", "create", "preupload", "lfs_put", "commit"]
)
def test_an_error_that_heals_is_waited_out(newest: Box, hub: RunningHub, endpoint: str) -> None:
    assert wikidata(newest, *ONE_TABLE).returncode == 0
    hub.delete_file(REPOS[LABELS], next(iter(newest.expected(LABELS, 3))))
    hub.set_faults(Fault(endpoint, status=503))
    done = wikidata(newest, *ONE_TABLE)
    assert done.returncode == 0, done.stderr
    assert_arrived(newest, hub, 3, [LABELS])


@pytest.mark.parametrize(
    ("endpoint", "status"), [("whoami", 401), ("paths_info", 403), ("lfs_put", 403), ("commit", 400)]
)
def test_an_error_that_never_heals_ends_at_once_with_the_hubs_words(
    newest: Box, hub: RunningHub, endpoint: str, status: int
) -> None:
    hub.set_faults(Fault(endpoint, status=status, times=None, message="No, says the Hub."))
    done = wikidata(newest, *ONE_TABLE)
    assert done.returncode == 1
    assert "No, says the Hub." in done.stderr
    assert "Traceback" not in done.stderr.splitlines()[0]


def test_a_quota_and_a_hub_that_is_away_are_for_later(newest: Box, hub: RunningHub) -> None:
    hub.set_quota(Quota(commits=0))
    done = wikidata(newest, *ONE_TABLE)
    assert done.returncode == 75
    assert "429" in done.stderr
    (newest.root / "manifests" / ".not-before.json").unlink()
    hub.kill()
    away = wikidata(newest, *ONE_TABLE)
    assert away.returncode == 75
    assert f"cannot reach {hub.endpoint}" in away.stderr
    assert len(away.stderr.splitlines()) == 1


def test_a_hub_that_never_answers_is_given_up(newest: Box, hub: RunningHub) -> None:
    assert wikidata(newest, *ONE_TABLE).returncode == 0
    hub.set_faults(Fault("paths_info", action="hang", times=None))
    hang = wikidata(newest, *ONE_TABLE, STALL_MINUTES="0.04", ATTEMPTS="1")
    assert hang.returncode == 75
    assert "timed out" in hang.stderr
