"""Every misbehaviour of the local Hub, as a client meets it."""

import json
import socket
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from time import monotonic

import pytest
import requests
from huggingface_hub import CommitOperationAdd, HfApi
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

from localhub.errors import STORAGE_QUOTA
from localhub.faults import Action, Endpoint, Fault, Quota
from localhub.server import LAST_ANSWERS_SECONDS
from localhub.testing import RunningHub, running_hub

NAMES = (f"permutans/dataset-{number}" for number in count())
LONG_SECONDS = 0.3


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    with running_hub(tmp_path_factory.mktemp("hub")) as running:
        yield running


@pytest.fixture
def hub(server: RunningHub) -> RunningHub:
    server.clear_faults()
    server.reset_counts()
    return server


def commit(api: HfApi, repo: str, path: str, content: bytes = b"PAR1") -> str:
    operations = [CommitOperationAdd(path, content)]
    return str(api.create_commit(repo, operations, commit_message=f"Add {path}", repo_type="dataset").oid)


def ask(hub: RunningHub, endpoint: Endpoint, repo: str, timeout: float = 30) -> requests.Response:
    """One request of a class, whatever it leads to."""
    namespace, name = repo.split("/")
    api, lfs = f"/api/datasets/{repo}", f"/datasets/{repo}.git/info/lfs/objects"
    about = json.dumps({"type": "dataset", "organization": namespace, "name": name})
    method, address, body = {
        Endpoint.WHOAMI: ("GET", "/api/whoami-v2", None),
        Endpoint.CREATE: ("POST", "/api/repos/create", about),
        Endpoint.DELETE: ("DELETE", "/api/repos/delete", about),
        Endpoint.INFO: ("GET", api, None),
        Endpoint.REFS: ("GET", f"{api}/refs", None),
        Endpoint.COMMITS: ("GET", f"{api}/commits/main", None),
        Endpoint.PREUPLOAD: ("POST", f"{api}/preupload/main", '{"files": []}'),
        Endpoint.LFS_BATCH: ("POST", f"{lfs}/batch", '{"operation": "upload", "objects": []}'),
        Endpoint.LFS_PUT: ("PUT", f"{lfs}/{'0' * 64}", "content"),
        Endpoint.LFS_VERIFY: ("POST", f"{lfs}/verify", '{"oid": "", "size": 0}'),
        Endpoint.XET_TOKEN: ("GET", f"{api}/xet-write-token/main", None),
        Endpoint.XET_GRANT: ("POST", f"/_xet/x/v1/xorb-grants/default/{'0' * 64}", "{}"),
        Endpoint.XET_XORB: ("POST", f"/_xet/x/v1/xorbs/default/{'0' * 64}", "content"),
        Endpoint.XET_SETTLE: ("POST", f"/_xet/x/v1/xorb-commits/default/{'0' * 64}/grant/x", ""),
        Endpoint.XET_SHARD: ("POST", "/_xet/x/v2/shards", "content"),
        Endpoint.XET_CHUNK: ("GET", f"/_xet/x/v1/chunks/default/{'0' * 64}", None),
        Endpoint.XET_FILE: ("GET", f"/_xet/x/v2/reconstructions/{'0' * 64}", None),
        Endpoint.XET_BYTES: ("GET", f"/_xet/x/xorbs/{'0' * 64}", None),
        Endpoint.XET_TELEMETRY: ("POST", "/v1/telemetry", "{}"),
        Endpoint.COMMIT: ("POST", f"{api}/commit/main", '{"key": "header", "value": {"summary": "x"}}'),
        Endpoint.TREE: ("GET", f"{api}/tree/main", None),
        Endpoint.PATHS_INFO: ("POST", f"{api}/paths-info/main", "paths=a"),
        Endpoint.RESOLVE: ("GET", f"/datasets/{repo}/resolve/main/.gitattributes", None),
        Endpoint.VALIDATE_YAML: ("POST", "/api/validate-yaml", '{"content": ""}'),
        Endpoint.VIEWER: ("GET", f"/info?dataset={repo}", None),
        Endpoint.AGENTS: ("GET", "/api/agent-harnesses", None),
        Endpoint.OTHER: ("GET", "/nowhere", None),
    }[endpoint]
    headers = {"Authorization": f"Bearer {hub.token}"}
    return requests.request(method, hub.endpoint + address, data=body, headers=headers, timeout=timeout)


@pytest.mark.parametrize("endpoint", Endpoint)
def test_every_class_is_counted_and_can_fail(hub: RunningHub, repo: str, endpoint: Endpoint) -> None:
    hub.set_faults(Fault(endpoint, status=500))
    assert ask(hub, endpoint, repo).status_code == 500
    assert ask(hub, endpoint, repo).status_code < 500
    assert hub.struck() == [1]
    hub.reset_counts()
    ask(hub, endpoint, repo)
    assert hub.counts().requests == {endpoint: 1}


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 412, 413, 429, 500, 502, 503, 504])
def test_every_status_for_ever(hub: RunningHub, repo: str, status: int) -> None:
    hub.set_faults(Fault("commit", status=status, times=None))
    answers = [ask(hub, Endpoint.COMMIT, repo) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [status] * 3
    assert answers[0].headers["content-type"].startswith("text/html") == (status in (502, 503, 504))
    assert len(hub.commits(repo)) == 1
    hub.clear_faults()
    assert ask(hub, Endpoint.COMMIT, repo).status_code == 200


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault("commit", status=429), r"rate limit for repository commits \(128 per hour\)"),
        (Fault("commit", status=412), "A commit has happened since"),
        (Fault("commit", status=403, message=STORAGE_QUOTA), "Private repository storage limit reached"),
        (Fault("preupload", status=500), "Internal Error"),
        (Fault("commit", status=504), "504 Server Error"),
    ],
)
def test_an_error_comes_in_the_hubs_words(hub: RunningHub, api: HfApi, repo: str, fault: Fault, words: str) -> None:
    hub.set_faults(fault)
    with pytest.raises(HfHubHTTPError, match=words):
        commit(api, repo, "a.parquet")


def test_errors_with_a_code_raise_what_clients_expect(hub: RunningHub, api: HfApi, repo: str) -> None:
    hub.set_faults(Fault("info", status=404), Fault("info", status=403, code="GatedRepo"))
    with pytest.raises(RepositoryNotFoundError):
        api.dataset_info(repo)
    with pytest.raises(GatedRepoError):
        api.dataset_info(repo)


def test_retry_after(hub: RunningHub, repo: str) -> None:
    hub.set_faults(Fault("tree", status=429, retry_after=7), Fault("tree", status=429))
    headers = [ask(hub, Endpoint.TREE, repo).headers for _ in range(2)]  # first the one, then the other
    assert [header.get("retry-after") for header in headers] == ["7", None]
    assert headers[0]["ratelimit"] == '"api";r=0;t=7'


def test_a_fault_of_one_repo_leaves_the_others_alone(hub: RunningHub, api: HfApi, repo: str) -> None:
    api.create_repo(other := next(NAMES), repo_type="dataset")
    hub.set_faults(*(Fault(endpoint, times=None, repo=repo) for endpoint in Endpoint))
    for endpoint in (Endpoint.CREATE, Endpoint.TREE, Endpoint.COMMIT, Endpoint.LFS_BATCH):
        assert ask(hub, endpoint, repo).status_code == 500
        assert ask(hub, endpoint, other).status_code < 500


def test_a_fault_can_begin_late_and_come_again(hub: RunningHub, repo: str) -> None:
    hub.set_faults(Fault("tree", skip=1, every=2, times=2))
    statuses = [ask(hub, Endpoint.TREE, repo).status_code for _ in range(7)]
    assert statuses == [200, 200, 500, 200, 500, 200, 200]


@pytest.mark.parametrize(
    "fault", [Fault("commit", action="close", lands=True), Fault("commit", status=504, lands=True)]
)
def test_a_commit_that_lands_but_whose_answer_is_lost(hub: RunningHub, api: HfApi, repo: str, fault: Fault) -> None:
    hub.set_faults(fault)
    with pytest.raises((requests.ConnectionError, HfHubHTTPError)):
        commit(api, repo, "a.parquet")
    assert hub.read(repo, "a.parquet") == b"PAR1"
    assert hub.counts().of(repo).commits == 1


@pytest.mark.parametrize("action", ["close", "reset"])
def test_a_connection_that_breaks_before_the_commit_lands(hub: RunningHub, api: HfApi, repo: str, action: str) -> None:
    hub.set_faults(Fault("commit", action=action))
    with pytest.raises(requests.ConnectionError):
        commit(api, repo, "a.parquet")
    assert len(hub.commits(repo)) == 1
    commit(api, repo, "a.parquet")
    assert hub.struck() == [1]


@pytest.mark.parametrize("endpoint", [Endpoint.CREATE, Endpoint.LFS_PUT, Endpoint.LFS_BATCH, Endpoint.PATHS_INFO])
def test_a_reset_while_the_body_of_a_request_is_sent(hub: RunningHub, repo: str, endpoint: Endpoint) -> None:
    hub.set_faults(Fault(endpoint, action="reset"))
    with pytest.raises(requests.ConnectionError):
        ask(hub, endpoint, repo)


def test_a_reset_in_the_middle_of_an_upload(hub: RunningHub, repo: str) -> None:
    hub.set_faults(Fault("lfs_put", action="reset"))
    with pytest.raises(requests.ConnectionError):
        requests.put(f"{hub.endpoint}/datasets/{repo}.git/info/lfs/objects/x", data=bytes(20_000_000), timeout=30)


@pytest.mark.parametrize("path", ["small.txt", "large.parquet"])
def test_a_reset_in_the_middle_of_an_answer(hub: RunningHub, repo: str, path: str) -> None:
    hub.replace_file(repo, path, bytes(3_000_000 if path.startswith("large") else 100))
    hub.set_faults(Fault("resolve", action="reset"))
    address = f"{hub.endpoint}/datasets/{repo}/resolve/main/{path}"
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        requests.get(address, timeout=30)
    assert requests.get(address, timeout=30).status_code == 200


@pytest.mark.parametrize("lands", [False, True])
def test_an_answer_that_never_comes(hub: RunningHub, repo: str, lands: bool) -> None:
    hub.set_faults(Fault("commit", action=Action.HANG, lands=lands))
    with pytest.raises(requests.ReadTimeout):
        ask(hub, Endpoint.COMMIT, repo, timeout=LONG_SECONDS)
    assert len(hub.commits(repo)) == 1 + lands


def test_a_hanging_request_does_not_keep_the_server(tmp_path: Path) -> None:
    with running_hub(tmp_path) as hub:
        hub.set_faults(Fault("whoami", action="hang"))
        address = ("127.0.0.1", int(hub.endpoint.rpartition(":")[2]))
        with socket.create_connection(address, timeout=30) as client:
            client.sendall(b"GET /api/whoami-v2 HTTP/1.1\r\nHost: localhub\r\n\r\n")
            while hub.struck() == [0]:
                pass
            started = monotonic()
            assert hub.end() == 0
            assert monotonic() - started < LAST_ANSWERS_SECONDS
            assert client.recv(100) == b""


def test_latency(hub: RunningHub, repo: str) -> None:
    hub.set_latency(request_seconds=0.1, commit_seconds=0.2)
    started = monotonic()
    ask(hub, Endpoint.TREE, repo)
    after_tree = monotonic()
    ask(hub, Endpoint.COMMIT, repo)
    assert (after_tree - started) >= 0.1
    assert (monotonic() - after_tree) >= 0.3


@pytest.mark.parametrize("retry_after", [None, 60])
def test_a_quota_of_commits(hub: RunningHub, api: HfApi, repo: str, retry_after: int | None) -> None:
    hub.set_quota(Quota(2, retry_after=retry_after))
    commit(api, repo, "a.parquet")
    hub.set_faults(Fault("commit", status=500))
    with pytest.raises(HfHubHTTPError, match="500"):
        commit(api, repo, "b.parquet")
    commit(api, repo, "b.parquet")
    with pytest.raises(HfHubHTTPError, match=r"rate limit for repository commits \(2 per hour\)") as refused:
        commit(api, repo, "c.parquet")
    assert refused.value.response.status_code == 429
    assert refused.value.response.headers.get("retry-after") == (retry_after and str(retry_after))
    assert hub.counts().commits == 2
    hub.set_quota(None)
    commit(api, repo, "c.parquet")


def test_latency_and_quota_from_the_command_line(tmp_path: Path) -> None:
    flags = ["--latency", "0.05", "--commit-latency", "0.2", "--commits-per-hour", "1"]
    with running_hub(tmp_path, arguments=flags) as hub:
        api = HfApi(endpoint=hub.endpoint, token=hub.token)
        api.create_repo("permutans/a", repo_type="dataset")
        started = monotonic()
        assert ask(hub, Endpoint.COMMIT, "permutans/a").status_code == 200
        assert monotonic() - started >= 0.25
        assert ask(hub, Endpoint.COMMIT, "permutans/a").status_code == 429


def test_a_file_deleted_after_the_second_commit(hub: RunningHub, api: HfApi, repo: str) -> None:
    hub.set_faults(Fault("commit", action="delete_file", path="a.parquet", skip=1, repo=repo))
    commit(api, repo, "a.parquet")
    assert "a.parquet" in hub.files(repo)
    answered = commit(api, repo, "b.parquet")
    assert set(hub.files(repo)) == {".gitattributes", "b.parquet"}
    titles = [(one.title, one.author) for one in hub.commits(repo)]
    assert titles[0] == ("Delete a.parquet", "somebody-else")
    assert hub.commits(repo)[1].oid == answered
    assert hub.counts().of(repo).commits == 2


@pytest.mark.parametrize("pattern", ["*.parquet", "language=en/a.parquet"])
def test_a_file_replaced_after_the_next_commit(hub: RunningHub, api: HfApi, repo: str, pattern: str) -> None:
    hub.set_faults(Fault("commit", action="replace_file", path=pattern, content="other"))
    commit(api, repo, "language=en/a.parquet")
    assert hub.read(repo, "language=en/a.parquet") == b"other"
    (file,) = api.get_paths_info(repo, "language=en/a.parquet", repo_type="dataset")
    assert file.lfs  # type: ignore[union-attr]


def test_files_can_be_changed_at_any_time(hub: RunningHub, repo: str) -> None:
    hub.replace_file(repo, "a b/\u00e4&.txt", b"1")
    assert hub.read(repo, "a b/\u00e4&.txt") == b"1"
    assert hub.delete_file(repo, "a b/\u00e4&.txt") == hub.commits(repo)[0].oid
    with pytest.raises(LookupError):
        hub.read(repo, "a b/\u00e4&.txt")
    with pytest.raises(LookupError):
        hub.files("permutans/missing")


def test_an_error_that_repeats_the_token(hub: RunningHub, api: HfApi, repo: str) -> None:
    hub.set_faults(Fault("preupload", status=403, echo_token=True))
    with pytest.raises(HfHubHTTPError, match=f"Bearer {hub.token}"):
        commit(api, repo, "a.parquet")


def test_counts_by_repo(hub: RunningHub, api: HfApi, repo: str) -> None:
    hub.reset_counts()
    api.create_repo(other := next(NAMES), repo_type="dataset")
    commit(api, repo, "a.parquet", b"PAR1 1")
    commit(api, other, "a.parquet", b"PAR1 22")
    counts = hub.counts()
    assert (counts.commits, counts.uploaded_bytes) == (2, 13)
    assert (counts.of(repo).uploaded_bytes, counts.of(other).uploaded_bytes) == (6, 7)
    assert (counts.of(repo).requests[Endpoint.CREATE], counts.of(other).requests[Endpoint.CREATE]) == (0, 1)
    assert counts.total == counts.of(repo).total + counts.of(other).total
    assert counts.of("permutans/missing").total == 0
