"""Every misbehaviour of the local Hub, as a client meets it; what a push makes of it is in tests/end_to_end."""

import os
import socket
from pathlib import Path
from time import monotonic

import pytest
import requests
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError

from localhub.faults import Endpoint, Fault, Quota
from localhub.faults.mischief import Mischief
from localhub.server import LAST_ANSWERS_SECONDS
from localhub.testing import RunningHub, running_hub
from tests.conftest import REPO_NAMES
from tests.localhub.asking import add, ask, commit_lines, tree

XET_AND_READERS = ("xet_", "viewer", "agents", "other")


def do_everything(api: HfApi, repo: str) -> None:
    api.whoami()
    api.create_repo(repo, repo_type="dataset")
    add(api, repo, **{"README.md": b"---\nlicense: mit\n---\n", "a.parquet": os.urandom(20)})
    api.dataset_info(repo)
    api.list_repo_refs(repo, repo_type="dataset")
    api.list_repo_commits(repo, repo_type="dataset")
    tree(api, repo)
    api.get_paths_info(repo, "a.parquet", repo_type="dataset")
    api.file_exists(repo, "a.parquet", repo_type="dataset")
    api.delete_repo(repo, repo_type="dataset")


@pytest.mark.parametrize("endpoint", [one for one in Endpoint if not one.startswith(XET_AND_READERS)])
def test_every_class_is_counted_and_can_fail(hub: RunningHub, api: HfApi, endpoint: Endpoint) -> None:
    hub.set_faults(Fault(endpoint, status=400))
    with pytest.raises((HfHubHTTPError, ValueError, RuntimeError)):
        do_everything(api, next(REPO_NAMES))
    assert hub.struck() == [1]
    hub.reset_counts()
    do_everything(api, next(REPO_NAMES))
    assert hub.counts().requests[endpoint] >= 1
    ask(hub, "GET", "/nowhere")
    assert hub.counts().requests[Endpoint.OTHER] == 1


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault("commit", status=429), r"rate limit for repository commits \(128 per hour\)"),
        (Fault("commit", status=412), "A commit has happened since"),
        (Fault("commit", status=403, message="Not for you"), "Not for you"),
        (Fault("preupload", status=403, echo_token=True), "Bearer hf_localhub_write"),
        (Fault("preupload", status=500), "Internal Error"),
        (Fault("commit", status=504), "504 Server Error"),
    ],
)
def test_an_error_comes_in_the_hubs_words(hub: RunningHub, api: HfApi, repo: str, fault: Fault, words: str) -> None:
    hub.set_faults(fault)
    with pytest.raises(HfHubHTTPError, match=words) as error:
        add(api, repo, **{"a.parquet": b"PAR1"})
    assert error.value.response.headers["content-type"].startswith("text/html") == (fault.status == 504)
    assert len(hub.commits(repo)) == 1


def test_a_fault_skips_then_strikes_every_nth_time_and_so_often_and_leaves_others_alone() -> None:
    mischief = Mischief()
    mischief.arm([Fault("commit", skip=1, every=2, times=2, repo="a/b")])
    assert mischief.next_fault("commit", "a/c") is None
    assert mischief.next_fault("tree", "a/b") is None
    struck = [mischief.next_fault("commit", "a/b") is not None for _ in range(8)]
    assert struck == [False, False, True, False, True, False, False, False]
    assert mischief.struck() == [2]


@pytest.mark.parametrize("fault", [{"endpoint": "comit"}, {"action": "explode"}, {"times": 0}, {"every": 0}])
def test_a_fault_that_makes_no_sense_is_refused(fault: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        Fault(**{"endpoint": "commit", **fault})  # type: ignore[arg-type]


@pytest.mark.parametrize("action", ["close", "reset"])
@pytest.mark.parametrize("lands", [False, True])
def test_a_connection_that_breaks(hub: RunningHub, repo: str, action: str, lands: bool) -> None:
    hub.set_faults(Fault("commit", action=action, lands=lands), Fault("lfs_put", action=action))
    with pytest.raises(requests.ConnectionError):
        commit_lines(hub, repo)
    assert len(hub.commits(repo)) == 1 + lands
    with pytest.raises(requests.ConnectionError):
        ask(hub, "PUT", f"/datasets/{repo}.git/info/lfs/objects/x", data=bytes(20_000_000))
    assert hub.struck() == [1, 1]


def test_a_hanging_request_does_not_keep_the_server(tmp_path: Path) -> None:
    with running_hub(tmp_path) as hub:
        hub.set_faults(Fault("whoami", action="hang"))
        with socket.create_connection(("127.0.0.1", int(hub.endpoint.rpartition(":")[2])), timeout=30) as client:
            client.sendall(b"GET /api/whoami-v2 HTTP/1.1\r\nHost: localhub\r\n\r\n")
            while hub.struck() == [0]:
                pass
            started = monotonic()
            assert hub.end() == 0
            assert monotonic() - started < LAST_ANSWERS_SECONDS
            assert client.recv(100) == b""


def test_a_quota_of_commits(hub: RunningHub, api: HfApi, repo: str) -> None:
    hub.set_quota(Quota(2))
    add(api, repo, a=b"1")
    hub.set_faults(Fault("commit", status=500))
    with pytest.raises(HfHubHTTPError, match="500"):  # it spends nothing
        add(api, repo, b=b"2")
    add(api, repo, b=b"2")
    with pytest.raises(HfHubHTTPError, match=r"rate limit for repository commits \(2 per hour\)") as refused:
        add(api, repo, c=b"3")
    assert refused.value.response.status_code == 429
    assert hub.counts().commits == 2
    hub.set_quota(Quota(1, window_seconds=0))
    add(api, repo, c=b"3")
    add(api, repo, c=b"4")


def test_latency(hub: RunningHub, repo: str) -> None:
    hub.set_latency(request_seconds=0.05, commit_seconds=0.2)
    started = monotonic()
    assert commit_lines(hub, repo).status_code == 200
    assert monotonic() - started >= 0.25


def test_counts_by_repo(hub: RunningHub, api: HfApi, repo: str) -> None:
    hub.reset_counts()
    api.create_repo(other := next(REPO_NAMES), repo_type="dataset")
    add(api, repo, **{"a.parquet": b"PAR1 1"})
    add(api, other, **{"a.parquet": b"PAR1 22"})
    counts = hub.counts()
    assert (counts.commits, counts.uploaded_bytes) == (2, 13)
    assert (counts.of(repo).uploaded_bytes, counts.of(other).uploaded_bytes) == (6, 7)
    assert (counts.of(repo).requests[Endpoint.CREATE], counts.of(other).requests[Endpoint.CREATE]) == (0, 1)
    assert counts.total == counts.of(repo).total + counts.of(other).total
