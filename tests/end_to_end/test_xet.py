"""Pushes by Xet, as to the Hub: every generation of the CLI sends content through hf_xet, which fails in its way."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex

import polars as pl
import pytest

from localhub.faults import Endpoint, Fault, Quota
from localhub.testing import RunningHub
from tests.helpers.box import REPOS, Box, assert_arrived, data_commits
from tests.helpers.forking import Forks
from tests.helpers.racing import processes_of, uploading
from tests.helpers.stock import NewBox
from wikidata.config import Table

pytestmark = pytest.mark.matrix

LABELS = Table.LABELS
REPO = REPOS[LABELS]
ONE_TABLE = ("push", "--chunk", "3", "--table", "labels")
TRIES = 3  # ATTEMPTS of the box


@pytest.fixture
def hub(tmp_path: Path, forks: Forks) -> Iterator[RunningHub]:
    with forks.running_hub(tmp_path / "hub", arguments=["--xet"]) as running:
        yield running


@pytest.fixture
def box(tmp_path: Path, new_box: NewBox) -> Box:
    """A chunk small enough for many pushes; hf_xet waits milliseconds, not seconds, before it repeats a request."""
    box = new_box(chunks={3: 1}, keys=4, rows=2)
    box.settings |= {"HF_XET_CLIENT_RETRY_BASE_DELAY": "10ms", "HF_XET_CLIENT_RETRY_MAX_DURATION": "50ms"}
    box.settings |= {"HF_HUB_DISABLE_XET": "", "HF_HOME": str(tmp_path / "home")}
    return box


def test_a_chunk_arrives_by_xet_and_its_cache_goes_away(box: Box, hub: RunningHub, tmp_path: Path) -> None:
    done = box.wikidata("push")
    assert (done.returncode, done.stderr) == (0, "")
    assert_arrived(box, hub, 3)
    assert box.steps(3) == {4}
    counts = hub.counts().requests
    assert (counts[Endpoint.LFS_PUT], counts[Endpoint.XET_XORB]) == (0, len(Table))
    assert list((box.root / "staging").iterdir()) == []
    assert not (tmp_path / "home" / "xet").exists()
    again = box.wikidata("push", "--chunk", "3")
    assert again.returncode == 0
    assert again.stdout.count("0 of them uploaded now") == len(Table)
    assert len(box.logs()) == len(Table)


@pytest.mark.parametrize("fault", [Fault("xet_shard", action="hang"), Fault("commit", action="hang", lands=True)])
def test_a_rerun_completes_a_push_that_was_killed(box: Box, hub: RunningHub, fault: Fault) -> None:
    with uploading(box, hub, fault, sys.executable, "-m", "wikidata", *ONE_TABLE) as family:
        family.process.kill()
        family.wait_for_end(5)
        assert processes_of(box) == []
        hub.clear_faults()
        assert box.wikidata(*ONE_TABLE).returncode == 0
    assert_arrived(box, hub, 3, [LABELS])
    assert len(data_commits(hub, REPO)) == 1


def test_a_store_that_is_away_for_three_retries_ends_no_run(box: Box, hub: RunningHub) -> None:
    """hf_xet retries after 3, 9 and 27 s, so this is an outage of 30 s; here the waits are a hundredth of that."""
    box.settings |= {"HF_XET_CLIENT_RETRY_BASE_DELAY": "30ms", "HF_XET_CLIENT_RETRY_MAX_DURATION": "60s"}
    hub.set_faults(Fault("xet_grant", action="close", times=3))
    done = box.wikidata(*ONE_TABLE)
    assert done.returncode == 0, done.stderr
    assert hub.struck() == [3]
    assert len(box.logs()) == 1
    assert_arrived(box, hub, 3, [LABELS])


@pytest.mark.parametrize("endpoint", ["xet_token", "xet_xorb", "xet_settle", "xet_shard", "commit"])
def test_a_transient_error_is_retried(box: Box, hub: RunningHub, endpoint: str) -> None:
    hub.set_faults(Fault(endpoint, status=503))
    done = box.wikidata(*ONE_TABLE)
    assert done.returncode == 0, done.stderr
    assert hub.struck() == [1]
    assert_arrived(box, hub, 3, [LABELS])
    assert len(data_commits(hub, REPO)) == 1


@pytest.mark.parametrize(
    ("endpoint", "status"),
    [("xet_token", 401), ("xet_token", 403), ("xet_xorb", 400), ("xet_xorb", 403), ("xet_shard", 403), ("commit", 403)],
)
def test_a_permanent_error_ends_the_push_at_once(box: Box, hub: RunningHub, endpoint: str, status: int) -> None:
    hub.set_faults(Fault(endpoint, status=status, times=None))
    started = time.monotonic()
    done = box.wikidata(*ONE_TABLE)
    assert time.monotonic() - started < 20
    assert done.returncode == 1, done.stderr
    assert str(status) in done.stderr or "You are unauthorized to upload to xet storage" in done.stderr
    assert len(box.logs()) == 1
    assert hub.struck()[0] <= 40
    assert box.receipt(LABELS, 3) is None


@pytest.mark.parametrize("endpoint", ["xet_xorb", "xet_shard", "commit"])
def test_a_hub_that_always_fails_is_asked_tens_of_times_not_thousands(box: Box, hub: RunningHub, endpoint: str) -> None:
    hub.set_faults(Fault(endpoint, status=500, times=None))
    done = box.wikidata(*ONE_TABLE)
    assert done.returncode == 75
    assert "500" in done.stderr
    assert TRIES <= hub.struck()[0] <= 20 * TRIES
    assert len(box.logs()) == TRIES
    hub.clear_faults()
    assert box.wikidata(*ONE_TABLE).returncode == 0
    assert_arrived(box, hub, 3, [LABELS])


def test_a_commit_quota_ends_the_push_and_spends_nothing(box: Box, hub: RunningHub) -> None:
    hub.set_quota(Quota(commits=0))
    done = box.wikidata(*ONE_TABLE)
    assert done.returncode == 75
    assert "429" in done.stderr
    assert hub.counts().requests[Endpoint.COMMIT] <= 2 * TRIES
    assert (box.root / "manifests" / ".not-before.json").exists()


def test_a_commit_whose_answer_was_lost_is_found_and_not_repeated(box: Box, hub: RunningHub) -> None:
    hub.set_faults(Fault("commit", status=504, lands=True))
    done = box.wikidata(*ONE_TABLE)
    assert done.returncode == 0, done.stderr
    assert_arrived(box, hub, 3, [LABELS])
    assert len(data_commits(hub, REPO)) == 1


def test_a_store_that_never_answers_is_given_up(box: Box, hub: RunningHub) -> None:
    hub.set_faults(Fault("xet_xorb", action="hang", times=None))
    done = box.wikidata(*ONE_TABLE, STALL_MINUTES="0.04", ATTEMPTS="1")
    assert done.returncode == 75
    assert "nothing has advanced for 0.04 minutes" in done.stderr
    hub.clear_faults()
    assert box.wikidata(*ONE_TABLE).returncode == 0
    assert_arrived(box, hub, 3, [LABELS])


@pytest.fixture
def pushed(new_box: NewBox, hub: RunningHub, tmp_path: Path) -> Box:
    """Four chunks with one key, whose row groups are large enough to be kept by a fold."""
    box = new_box("large", chunks=dict.fromkeys(range(4), 1), keys=1, rows=8000)
    box.settings |= {"HF_HUB_DISABLE_XET": "", "HF_HOME": str(tmp_path / "home"), "FOLD": "4", "LAYOUT": "packed"}
    for path in (path for chunk in range(4) for path in box.files(LABELS, chunk)):
        frame = pl.read_parquet(path)
        frame.with_columns(label=pl.Series([token_hex(300) for _ in range(frame.height)])).write_parquet(path)
    assert box.wikidata("push").returncode == 0
    hub.reset_counts()
    return box


def test_a_fold_sends_little_of_what_the_store_has(pushed: Box, hub: RunningHub) -> None:
    folded = pushed.wikidata("fold", "--table", "labels")
    assert (folded.returncode, folded.stderr) == (0, "")
    counts = hub.counts()
    (size_bytes,) = [file.size for path, file in hub.files(REPO).items() if path.endswith(".parquet")]
    assert counts.requests[Endpoint.XET_CHUNK] == 4  # whether it has the first piece of each source
    assert counts.uploaded_bytes < 0.2 * size_bytes
    assert pushed.wikidata("verify", "--table", "labels", DEEP="1").returncode == 0


def test_a_fold_that_cannot_tell_what_the_store_has_sends_all(pushed: Box, hub: RunningHub) -> None:
    hub.set_faults(Fault("lfs_batch", status=403))
    folded = pushed.wikidata("fold", "--table", "labels")
    assert (folded.returncode, folded.stderr) == (0, "")
    assert hub.struck() == [1]
    assert hub.counts().uploaded_bytes > 2_000_000
    assert pushed.wikidata("verify", "--table", "labels", DEEP="1").returncode == 0
