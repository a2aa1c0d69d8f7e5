"""The push with the newest huggingface_hub as its library, next to datasets 5: the environment of people who read."""

import subprocess

import pytest

from localhub.faults import Fault, Quota
from localhub.testing import RunningHub
from tests.helpers.box import REPOS, ROOT, Box, assert_arrived, data_commits
from tests.helpers.stock import Stock
from wikidata.config import Table

LABELS = Table.LABELS
PYTHON = ROOT / ".venv-readers" / "bin" / "python"
ONE_TABLE = ("push", "--chunk", "3", "--table", "labels")


HF = str(PYTHON.with_name("hf"))
pytestmark = [
    pytest.mark.instant,  # what our own environment pushes is only there to be found
    pytest.mark.skipif(not PYTHON.exists(), reason="there is no .venv-readers: make test makes it"),
]


@pytest.fixture
def box(box: Box, stock: Stock) -> Box:
    """The box, in which the version of the newest CLI is known."""
    stock.copy_versions(box.root / "manifests", HF)
    return box


def newest(box: Box, *words: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    """Type `wikidata …` with everything of the environment that the newest huggingface_hub is in."""
    command = [str(PYTHON), "-m", "wikidata", *words]
    its = {"UPLOADER": HF, "PYTHONPATH": str(ROOT / "src"), "WIKIDATA": str(PYTHON)}
    environment = box.environment | its | settings
    return subprocess.run(command, env=environment, cwd=box.root, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("way", ["hf", "library"])
def test_a_chunk_is_pushed_verified_and_found_again(box: Box, hub: RunningHub, way: str) -> None:
    settings = {"UPLOADER": "library"} if way == "library" else {}
    if way == "library":  # one table shows what it has of its own
        for table in set(Table) - {LABELS}:
            assert box.wikidata("push", "--chunk", "3", "--table", table).returncode == 0
    done = newest(box, "push", **settings)
    assert (done.returncode, done.stderr) == (0, "")
    assert_arrived(box, hub, 3)
    assert box.steps(3) == {4}
    assert [commit.title for commit in data_commits(hub, REPOS[LABELS])] == ["Add chunk 3 of labels"]
    assert hub.files(REPOS[LABELS])["README.md"].size > 0
    assert newest(box, "verify", "--chunk", "3").stdout.count("all there") == len(Table)
    hub.delete_file(REPOS[LABELS], next(iter(box.expected(LABELS, 3))))
    again = newest(box, *ONE_TABLE, **settings)
    assert "1 of them uploaded now" in again.stdout
    assert_arrived(box, hub, 3)


def test_orphaned_files_are_pruned(box: Box, hub: RunningHub) -> None:
    assert box.wikidata(*ONE_TABLE).returncode == 0
    box.files(LABELS, 3)[0].unlink()
    for sidecar in (box.root / "audit" / "labels").glob("chunk_3-*"):
        sidecar.unlink()
    assert "make prune CHUNK=3 TABLE=labels" in newest(box, *ONE_TABLE).stderr
    assert newest(box, "prune", "--chunk", "3", "--table", "labels", "--yes").returncode == 0
    assert_arrived(box, hub, 3, [LABELS])


@pytest.mark.parametrize(
    "endpoint", ["whoami", "info", "tree", "paths_info", "create", "preupload", "lfs_put", "commit"]
)
def test_a_transient_error_is_retried(box: Box, hub: RunningHub, endpoint: str) -> None:
    assert box.wikidata(*ONE_TABLE).returncode == 0
    hub.delete_file(REPOS[LABELS], next(iter(box.expected(LABELS, 3))))
    hub.set_faults(Fault(endpoint, status=503))
    done = newest(box, *ONE_TABLE)
    assert done.returncode == 0, done.stderr
    assert_arrived(box, hub, 3, [LABELS])


@pytest.mark.parametrize(
    ("endpoint", "status"), [("whoami", 401), ("paths_info", 403), ("lfs_put", 403), ("commit", 400)]
)
def test_a_permanent_error_ends_the_push_with_the_hubs_words(
    box: Box, hub: RunningHub, endpoint: str, status: int
) -> None:
    hub.set_faults(Fault(endpoint, status=status, times=None, message="No, says the Hub."))
    done = newest(box, *ONE_TABLE)
    assert done.returncode == 1
    assert "No, says the Hub." in done.stderr
    assert "Traceback" not in done.stderr.splitlines()[0]


def test_a_quota_and_a_hub_that_is_away_are_for_later(box: Box, hub: RunningHub) -> None:
    hub.set_quota(Quota(commits=0))
    done = newest(box, *ONE_TABLE)
    assert done.returncode == 75
    assert "429" in done.stderr
    (box.root / "manifests" / ".not-before.json").unlink()
    hub.kill()
    away = newest(box, *ONE_TABLE)
    assert away.returncode == 75
    assert f"cannot reach {hub.endpoint}" in away.stderr
    assert len(away.stderr.splitlines()) == 1


def test_a_hub_that_never_answers_is_given_up(box: Box, hub: RunningHub) -> None:
    assert box.wikidata(*ONE_TABLE).returncode == 0
    hub.set_faults(Fault("paths_info", action="hang", times=None))
    hang = newest(box, *ONE_TABLE, STALL_MINUTES="0.04", ATTEMPTS="1")
    assert hang.returncode == 75
    assert "timed out" in hang.stderr
