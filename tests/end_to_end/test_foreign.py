"""A Hub that is not ours: it may lack paths-info, and is looked at by the Hub's own library alone.

`make test` runs this against the Hub on localhost with that question taken away, `make test-hfd` against hfd, a server
of the Hub's API that others wrote (git-backed, in Go), whose program the environment variable HFD names.
"""

import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from huggingface_hub import HfApi, constants
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.hf_api import RepoFile

from localhub.faults import Fault
from tests.helpers.box import Box, wrapped
from tests.helpers.forking import Forks
from tests.helpers.stock import Stock
from wikidata.config import Table, target_repos

pytestmark = pytest.mark.foreign

LABELS = Table.LABELS
USER = "admin"
TOKEN = "hf_of_a_hub_that_is_not_ours"
REPOS = target_repos(USER)
ONE_TABLE = ("push", "--chunk", "3", "--table", "labels")
START_SECONDS = 30.0


@dataclass(frozen=True)
class ForeignHub:
    """A Hub of which nothing is known but its address and a token that may do anything."""

    endpoint: str
    token: str

    @property
    def api(self) -> HfApi:
        return HfApi(endpoint=self.endpoint, token=self.token)

    def has(self, table: Table) -> bool:
        """Whether there is a repo; `repo_exists` takes no 404 for a no that does not say what was not found."""
        try:
            self.api.dataset_info(REPOS[table])
        except HfHubHTTPError as error:
            assert error.response.status_code == 404
            return False
        return True

    def files(self, table: Table) -> dict[str, tuple[int, str]]:
        """What a repo has of a table's data: path → (size, sha256)."""
        tree = self.api.list_repo_tree(REPOS[table], recursive=True, repo_type="dataset")
        return {
            file.path: (file.size, file.lfs.sha256 if file.lfs else "no LFS file")
            for file in tree
            if isinstance(file, RepoFile) and "=" in file.path
        }

    def commits(self, table: Table) -> int:
        return len(self.api.list_repo_commits(REPOS[table], repo_type="dataset"))


@pytest.fixture
def foreign(tmp_path: Path, forks: Forks, pytestconfig: pytest.Config) -> Iterator[ForeignHub]:
    if pytestconfig.getoption("hub") == "hfd":
        with running_hfd(tmp_path / "hfd") as hub:
            yield hub
    else:
        with forks.running_hub(tmp_path / "hub", user=USER) as local:
            local.set_faults(Fault("paths_info", status=404, times=None, code="", message="404 page not found"))
            yield ForeignHub(local.endpoint, local.token)


@contextmanager
def running_hfd(data: Path) -> Iterator[ForeignHub]:
    """Run the program that HFD names on a free port; it ends with the `with`."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = "{}:{}".format(*probe.getsockname())
    data.mkdir()
    command = [os.environ["HFD"], "-addr", address, "-ssh-addr", "", "-data", str(data)]
    command += ["-username", USER, "-token", TOKEN]
    with (data / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            hub = ForeignHub(f"http://{address}", TOKEN)
            wait_until_it_answers(hub, process)
            yield hub
        finally:
            process.kill()


def wait_until_it_answers(hub: ForeignHub, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        assert process.poll() is None, "it ended at once"
        try:
            hub.api.whoami()
        except OSError:
            assert time.monotonic() < deadline, "it does not answer"
            time.sleep(0.05)
        else:
            return


@pytest.fixture
def box(tmp_path: Path, foreign: ForeignHub, forks: Forks, stock: Stock, uploader: str) -> Box:
    root = tmp_path / "box"
    stock.copy_sample(root, chunks={3: 2, 30: 1}, keys=4, rows=3, split_keys={"en"})
    stock.copy_versions(root / "manifests", uploader)
    return Box(root, foreign.endpoint, foreign.token, {"HF_USER": USER, "UPLOADER": uploader}, forks)


def test_a_complete_chunk_arrives(box: Box, foreign: ForeignHub) -> None:
    done = box.make("push", "CHUNK=3")
    assert (done.returncode, done.stderr) == (0, "")
    assert "chunk 3 is pushed" in done.stdout
    assert box.steps(3) == {4}
    for table in Table:
        assert foreign.files(table) == box.expected(table, 3)
    path = next(iter(box.expected(LABELS, 3)))
    read = foreign.api.hf_hub_download(REPOS[LABELS], path, repo_type="dataset", cache_dir=box.root / "cache")
    assert Path(read).read_bytes() == (box.root / "results" / "labels" / path).read_bytes()
    card = foreign.api.hf_hub_download(REPOS[LABELS], "README.md", repo_type="dataset", cache_dir=box.root / "cache")
    assert 'config_name: "en"' in Path(card).read_text()


def test_a_packed_chunk_arrives_and_is_found_again(box: Box, foreign: ForeignHub) -> None:
    box.settings["LAYOUT"] = "packed"
    done = box.wikidata(*ONE_TABLE)
    assert (done.returncode, done.stderr) == (0, "")
    assert {path.rpartition("/")[2] for path in foreign.files(LABELS)} == {"chunk_3.parquet"}
    again = box.wikidata(*ONE_TABLE)
    assert "0 of them uploaded now" in again.stdout


def test_one_table_arrives_alone_and_a_second_push_sends_nothing(box: Box, foreign: ForeignHub) -> None:
    assert box.wikidata(*ONE_TABLE).returncode == 0
    assert foreign.files(LABELS) == box.expected(LABELS, 3)
    assert foreign.has(LABELS)
    assert not foreign.has(Table.CLAIMS)
    commits = foreign.commits(LABELS)
    again = box.wikidata(*ONE_TABLE)
    assert again.returncode == 0
    assert "0 of them uploaded now" in again.stdout
    assert foreign.commits(LABELS) == commits
    assert len(box.logs()) == 1


def test_a_second_chunk_joins_the_first_and_all_is_verified(box: Box, foreign: ForeignHub) -> None:
    assert box.wikidata("push", "--table", "labels").returncode == 0
    assert foreign.files(LABELS) == box.expected(LABELS, 3) | box.expected(LABELS, 30)
    done = box.make("verify", "TABLE=labels")
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("all there") == 2


def test_a_rerun_completes_a_push_that_was_killed_after_the_upload(box: Box, foreign: ForeignHub) -> None:
    killer = wrapped(box.root, 'huggingface-cli "$@"; kill -9 "$PUSH"')
    line = f"export PUSH=$$; exec {shlex.quote(sys.executable)} -m wikidata {' '.join(ONE_TABLE)}"
    killed = subprocess.run(["sh", "-c", line], env=box.environment | {"UPLOADER": killer}, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert box.receipt(LABELS, 3) is None
    commits = foreign.commits(LABELS)
    assert box.wikidata(*ONE_TABLE).returncode == 0
    assert foreign.files(LABELS) == box.expected(LABELS, 3)
    assert foreign.commits(LABELS) == commits + 1  # the card


def test_missing_files_are_uploaded_again_and_orphaned_ones_pruned(
    box: Box, foreign: ForeignHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert box.wikidata(*ONE_TABLE).returncode == 0
    lost, gone = sorted(box.expected(LABELS, 3))[:2]
    monkeypatch.setattr(constants, "ENDPOINT", foreign.endpoint)  # else 0.36 cannot read the address of its own commit
    foreign.api.delete_file(lost, REPOS[LABELS], repo_type="dataset")
    assert "1 are missing" in box.wikidata("verify", "--chunk", "3", "--table", "labels").stdout
    (box.root / "results" / "labels" / gone).unlink()
    for sidecar in (box.root / "audit" / "labels").glob("chunk_3-*"):
        sidecar.unlink()
    refused = box.wikidata(*ONE_TABLE)
    assert refused.returncode == 1
    assert "make prune CHUNK=3 TABLE=labels" in refused.stderr
    assert box.make("prune", "CHUNK=3", "TABLE=labels", "YES=1").returncode == 0
    assert box.wikidata(*ONE_TABLE).returncode == 0
    assert foreign.files(LABELS) == box.expected(LABELS, 3)


def test_a_wrong_token_is_refused_in_one_line(box: Box) -> None:
    done = box.wikidata("push", "--chunk", "3", HF_TOKEN="hf_of_nobody")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "401" in done.stderr
    assert box.logs() == []
