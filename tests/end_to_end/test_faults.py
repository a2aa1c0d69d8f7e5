"""A Hub that misbehaves: transient errors are retried, permanent ones end the push, and nothing is asked endlessly."""

import json
import os
import re
import time
from dataclasses import replace
from typing import Any

import pytest
from huggingface_hub import HfApi

from localhub.faults import Fault, Quota
from localhub.testing import RunningHub
from scripts.sample.build import write_sample
from tests.helpers.box import REPOS, Box, assert_arrived, data_commits, on_the_hub
from tests.helpers.stock import NewBox
from wikidata.config import Table

LABELS = Table.LABELS
REPO = REPOS[LABELS]
ONE_TABLE = ("push", "--chunk", "3", "--table", "labels")
TRIES = 3  # ATTEMPTS of the box


@pytest.fixture
def box(new_box: NewBox) -> Box:
    """A chunk small enough for many pushes: one part, four keys."""
    return new_box(chunks={3: 1}, keys=4, rows=2)


def create_repo(hub: RunningHub) -> None:
    """The repo, with nothing in it: only then is there anything to list."""
    HfApi(endpoint=hub.endpoint, token=hub.token).create_repo(REPO, repo_type="dataset")


OURS = ("whoami", "info", "tree", "paths_info", "resolve", "create")
"""What the push itself asks, whatever uploads."""
THE_CLIS = ("preupload", "lfs_batch", "lfs_put", "lfs_verify", "commit")


def by_the_cli(*values: object) -> Any:
    """A case that is another with each generation of the CLI."""
    return pytest.param(*values, marks=pytest.mark.matrix)


def without_it(*values: object) -> Any:
    """A case that the CLI has no part in."""
    return pytest.param(*values, marks=pytest.mark.instant)


@pytest.mark.parametrize("endpoint", [*map(without_it, OURS), *map(by_the_cli, THE_CLIS)])
def test_a_transient_error_is_retried(box: Box, hub: RunningHub, endpoint: str) -> None:
    if endpoint == "tree":
        create_repo(hub)
    hub.set_faults(Fault(endpoint, status=503))
    done = box.wikidata(*ONE_TABLE)
    assert done.returncode == 0, done.stderr
    assert hub.struck() == [1]
    assert_arrived(box, hub, 3, [LABELS])
    assert len(data_commits(hub, REPO)) == 1


@pytest.mark.parametrize(
    "fault",
    [
        by_the_cli(Fault("commit", status=412)),
        by_the_cli(Fault("commit", status=500)),
        by_the_cli(Fault("commit", status=504)),
        by_the_cli(Fault("commit", status=504, lands=True)),
        by_the_cli(Fault("commit", action="close", lands=True)),
        by_the_cli(Fault("commit", action="reset")),
        by_the_cli(Fault("lfs_put", action="reset")),
        by_the_cli(Fault("preupload", action="close")),
        by_the_cli(Fault("preupload", status=429)),
        without_it(Fault("paths_info", action="close")),
        without_it(Fault("paths_info", status=429, retry_after=1)),
    ],
    ids=lambda fault: f"{fault.endpoint}-{fault.action}-{fault.status}{'-lands' if fault.lands else ''}",
)
def test_a_transient_error_is_retried_and_no_commit_repeated(box: Box, hub: RunningHub, fault: Fault) -> None:
    hub.set_faults(fault)
    done = box.wikidata(*ONE_TABLE)
    assert done.returncode == 0, done.stderr
    assert hub.struck() == [1]
    assert_arrived(box, hub, 3, [LABELS])
    assert len(data_commits(hub, REPO)) == 1  # a commit whose answer was lost is found, not sent again


@pytest.mark.parametrize(
    ("endpoint", "status"),
    [by_the_cli(endpoint, 403) for endpoint in ("preupload", "lfs_batch")]
    + [by_the_cli("commit", status) for status in (400, 401, 403, 404, 413)]
    + [by_the_cli("lfs_put", status) for status in (403, 413)]  # it does not tell these: the Hub is asked again
    + [without_it(endpoint, 403) for endpoint in ("whoami", "create", "tree", "paths_info")]
    + [without_it("paths_info", 413), without_it("whoami", 401), without_it("create", 400)],
)
def test_a_permanent_error_ends_the_push_at_once(box: Box, hub: RunningHub, endpoint: str, status: int) -> None:
    if endpoint == "tree":
        create_repo(hub)
    hub.set_faults(Fault(endpoint, status=status, times=None, message="No, says the Hub."))
    started = time.monotonic()
    done = box.wikidata(*ONE_TABLE)
    assert time.monotonic() - started < 20
    assert done.returncode == 1
    if "not found" not in done.stderr:  # 2.x says this of a 404, in its own words
        assert str(status) in done.stderr or "Bad request" in done.stderr
        assert "No, says the Hub." in done.stderr
    assert "Traceback" not in done.stderr.splitlines()[0]
    assert hub.struck()[0] <= 40
    assert box.steps(3) == {3}
    assert box.receipt(LABELS, 3) is None


def test_content_that_is_not_verified_ends_the_push_with_the_hubs_words(box: Box, hub: RunningHub) -> None:
    hub.set_faults(Fault("lfs_verify", status=403, times=None, message="No, says the Hub."))
    done = box.wikidata(*ONE_TABLE)
    assert done.returncode == 1
    assert "403" in done.stderr
    assert "No, says the Hub." in done.stderr
    assert "0it" not in done.stderr  # no progress bars of the library


@pytest.mark.matrix
def test_a_hub_that_always_fails_is_asked_tens_of_times_not_thousands(box: Box, hub: RunningHub) -> None:
    hub.set_faults(Fault("commit", status=500, times=None))
    done = box.wikidata(*ONE_TABLE)
    assert done.returncode == 75
    assert re.search(r"500 Server Error|Server error '500", done.stderr)
    assert TRIES <= hub.struck()[0] <= 20 * TRIES
    assert len(box.logs()) == TRIES
    assert sum(log.stat().st_size for log in box.logs()) < 200_000
    hub.clear_faults()
    assert box.wikidata("push").returncode == 0
    assert box.steps(3) == {4}


@pytest.mark.matrix
def test_a_commit_quota_ends_the_push_and_later_ticks_ask_nothing(box: Box, hub: RunningHub) -> None:
    hub.set_quota(Quota(commits=0))
    done = box.wikidata("push")
    assert done.returncode == 75
    assert "429" in done.stderr
    hub.reset_counts()
    tick = box.wikidata("push")
    assert (tick.returncode, tick.stdout, tick.stderr) == (75, "", "")
    assert hub.counts().total == 0
    by_hand = box.wikidata(*ONE_TABLE)
    assert by_hand.returncode == 75
    assert "a quota is used up, not before" in by_hand.stderr
    hub.clear_faults()
    not_before = box.root / "manifests" / ".not-before.json"
    content = json.loads(not_before.read_text())
    assert content["not_before"] > time.time() + 60
    not_before.write_text(json.dumps(content | {"not_before": time.time() - 1}))
    assert box.wikidata("push").returncode == 0
    assert box.steps(3) == {4}
    assert not not_before.exists()


@pytest.mark.instant
def test_a_long_retry_after_ends_the_push_at_once(box: Box, hub: RunningHub) -> None:
    assert box.wikidata(*ONE_TABLE).returncode == 0
    hub.set_faults(Fault("paths_info", status=429, times=None, retry_after=600))
    done = box.wikidata(*ONE_TABLE)
    assert done.returncode == 75
    assert "permutans/wikidata-labels: the Hub answered 429" in done.stderr
    assert hub.struck() == [1]
    content = json.loads((box.root / "manifests" / ".not-before.json").read_text())
    assert 500 < content["not_before"] - time.time() <= 600


@pytest.mark.parametrize("endpoint", [*map(by_the_cli, ("commit", "lfs_put", "preupload")), without_it("paths_info")])
def test_a_hub_that_never_answers_is_given_up(box: Box, hub: RunningHub, endpoint: str) -> None:
    hub.set_faults(Fault(endpoint, action="hang", times=None))
    done = box.wikidata(*ONE_TABLE, STALL_MINUTES="0.04", ATTEMPTS="1")
    assert done.returncode == 75
    reason = "timed out" if endpoint == "paths_info" else "nothing has advanced for 0.04 minutes"
    assert reason in done.stderr
    hub.clear_faults()
    assert box.wikidata(*ONE_TABLE).returncode == 0
    assert_arrived(box, hub, 3, [LABELS])


@pytest.mark.matrix
@pytest.mark.parametrize("action", ["delete_file", "replace_file"])
def test_a_file_that_is_meddled_with_before_confirm_is_not_believed(box: Box, hub: RunningHub, action: str) -> None:
    hub.set_faults(Fault("commit", action=action))
    done = box.wikidata(*ONE_TABLE)
    assert done.returncode == 1
    assert "the upload CLI said that all was done, but permutans/wikidata-labels lacks 1 of 4 files" in done.stderr
    assert box.receipt(LABELS, 3) is None
    assert box.wikidata(*ONE_TABLE).returncode == 0
    assert_arrived(box, hub, 3, [LABELS])


@pytest.mark.instant
def test_a_file_that_changed_under_an_old_time_is_uploaded(box: Box, hub: RunningHub) -> None:
    assert box.wikidata(*ONE_TABLE).returncode == 0
    changed, model = box.files(LABELS, 3)[:2]
    facts = changed.stat()
    changed.write_bytes(model.read_bytes())
    os.utime(changed, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    (box.root / "audit" / "labels" / "chunk_3-00000-of-00001.parquet").unlink()
    assert box.wikidata(*ONE_TABLE).returncode == 0
    assert_arrived(box, hub, 3, [LABELS])
    assert len(data_commits(hub, REPO)) == 2


@pytest.mark.instant
def test_a_repo_that_was_deleted_is_filled_again(box: Box, hub: RunningHub) -> None:
    assert box.wikidata("push").returncode == 0
    HfApi(endpoint=hub.endpoint, token=hub.token).delete_repo(REPO, repo_type="dataset")
    assert box.wikidata("push", "--chunk", "3").returncode == 0
    assert_arrived(box, hub, 3)


def test_the_hub_going_away_is_said_in_one_line(box: Box, hub: RunningHub) -> None:
    hub.kill()
    done = box.wikidata(*ONE_TABLE)
    assert done.returncode == 75
    assert len(done.stderr.splitlines()) == 1
    assert f"cannot reach {hub.endpoint}" in done.stderr


@pytest.mark.matrix
def test_the_token_is_nowhere_even_if_the_hub_repeats_it(box: Box, hub: RunningHub) -> None:
    hub.set_faults(Fault("commit", status=403, times=None, echo_token=True))
    done = box.wikidata(*ONE_TABLE)
    assert done.returncode == 1
    left = b"".join(path.read_bytes() for path in box.root.rglob("*") if path.is_file())
    assert b"403" in left
    for place in (left, done.stdout.encode(), done.stderr.encode()):
        assert hub.token.encode() not in place


@pytest.mark.instant
@pytest.mark.parametrize("fault", [Fault("whoami", 403), Fault("commit", 403, skip=1), Fault("resolve", 503)])
def test_the_token_is_nowhere_if_the_hub_repeats_it_to_the_push_itself(box: Box, hub: RunningHub, fault: Fault) -> None:
    hub.set_faults(replace(fault, times=None, echo_token=True, message="No:"))
    done = box.wikidata(*ONE_TABLE)
    assert done.returncode in {1, 75}
    left = b"".join(path.read_bytes() for path in box.root.rglob("*") if path.is_file())
    for place in (left, done.stdout.encode(), done.stderr.encode()):
        assert hub.token.encode() not in place


@pytest.mark.instant
def test_orphaned_files_are_refused_and_pruned_on_demand(box: Box, hub: RunningHub) -> None:
    write_sample(box.root, chunks={3: 1, 30: 1}, keys=4, rows=2)
    assert box.wikidata("push").returncode == 0
    gone = box.files(LABELS, 3)[0]
    path = gone.relative_to(box.root / "results" / "labels").as_posix()
    gone.unlink()
    (box.root / "audit" / "labels" / "chunk_3-00000-of-00001.parquet").unlink()
    refused = box.wikidata(*ONE_TABLE)
    assert refused.returncode == 1
    assert f"has 1 orphaned files of chunk 3, no longer produced locally, such as {path}" in refused.stderr
    assert "make prune CHUNK=3 TABLE=labels" in refused.stderr
    assert box.receipt(LABELS, 3) is None
    assert path in box.wikidata("prune", "--chunk", "3", "--table", "labels").stdout
    assert path in on_the_hub(hub, LABELS)
    commits = len(data_commits(hub, REPO))
    assert box.make("prune", "CHUNK=3", "TABLE=labels", "YES=1").returncode == 0
    assert len(data_commits(hub, REPO)) == commits + 1
    assert on_the_hub(hub, LABELS) == box.expected(LABELS, 3) | box.expected(LABELS, 30)
    assert box.wikidata(*ONE_TABLE).returncode == 0
