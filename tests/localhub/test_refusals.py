"""The local Hub is not kinder than the Hub: how refusals, quotas and other servers look to the clients."""

import subprocess

import pytest
import requests
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, RepositoryNotFoundError

from localhub.faults import Fault, RateLimit, RequestQuota
from localhub.testing import RunningHub
from tests.helpers.box import ROOT
from tests.localhub.asking import SMALL, add, ask, tree, upload_actions

NEWEST = ROOT / ".venv-readers" / "bin" / "python"


def test_a_quota_of_requests_is_told_by_ratelimit_alone(hub: RunningHub, api: HfApi, repo: str) -> None:
    hub.set_request_quota(RequestQuota(3, window_seconds=60, whoami=1))
    api.whoami()
    with pytest.raises(HfHubHTTPError, match="429"):
        api.whoami()
    answer = ask(hub, "GET", f"/api/datasets/{repo}")
    assert (answer.status_code, answer.headers["RateLimit"].partition("t=")[0]) == (200, '"api";r=1;')
    tree(api, repo)
    with pytest.raises(HfHubHTTPError, match="you hit the quota of 3 api requests per 1 minutes period") as refused:
        api.dataset_info(repo)
    headers = refused.value.response.headers
    assert headers["RateLimit"] in {f'"api";r=0;t={seconds}' for seconds in (58, 59, 60)}
    assert headers["RateLimit-Policy"] == '"fixed window";"api";q=3;w=60'
    assert "Retry-After" not in headers
    assert HfApi(endpoint=hub.endpoint, token=hub.read_token).dataset_info(repo).sha
    assert ask(hub, "GET", f"/datasets/{repo}/resolve/main/.gitattributes").status_code == 200
    hub.set_request_quota(RequestQuota(1, window_seconds=0))
    assert tree(api, repo) == tree(api, repo)


@pytest.mark.skipif(not NEWEST.exists(), reason="there is no .venv-readers: make test makes it")
def test_the_newest_client_reads_when_the_window_ends(hub: RunningHub, repo: str) -> None:
    hub.set_faults(Fault("info", 429, rate_limit=RateLimit(0, 241)), Fault("info", 429, rate_limit=RateLimit(870, 241)))
    code = "import huggingface_hub as h, sys\ntry: h.dataset_info(sys.argv[1])\nexcept OSError as error: print(error)"
    said = [
        subprocess.run(
            [NEWEST, "-c", code, repo], env=hub.environment, capture_output=True, text=True, timeout=60, check=True
        ).stdout
        for _ in range(2)
    ]
    assert "Retry after 241 seconds (0/1000 requests remaining in current 300s window)" in said[0]
    assert "you hit the quota of 1000 api requests per 5 minutes period" in said[0]
    assert "Retry after" not in said[1]


def test_other_servers_send_neither_request_ids_nor_error_codes(hub: RunningHub, api: HfApi, repo: str) -> None:
    hub.set_faults(Fault("commit", 403, message="No.", times=2))
    with pytest.raises(HfHubHTTPError, match=r"^\(Request ID: Root=1-\w+\)\n\n403 Forbidden: No\."):
        add(api, repo, a=b"1")
    hub.set_style(request_ids=False)
    with pytest.raises(HfHubHTTPError, match=r"^403 Forbidden: No\."):
        add(api, repo, a=b"1")
    hub.set_style(error_codes=False)
    with pytest.raises(HfHubHTTPError, match="404 Client Error") as error:
        api.dataset_info("permutans/missing")
    assert not isinstance(error.value, RepositoryNotFoundError)
    with pytest.raises(LocalEntryNotFoundError, match="check your connection"):  # which is not at fault
        api.hf_hub_download(repo, "missing", repo_type="dataset")


def test_storage_refuses_in_its_own_way(hub: RunningHub, repo: str) -> None:
    address = upload_actions(hub, repo, SMALL)["upload"]["href"]
    hub.set_faults(Fault("lfs_put", 403), Fault("lfs_put", 503, message="No."))
    for error in (
        "<Code>AccessDenied</Code><Message>Request has expired</Message>",
        "<Code>Error</Code><Message>No.</Message>",
        "<Code>XAmzContentSHA256Mismatch</Code><Message>expected",
    ):
        refused = requests.put(address, data=b"other", timeout=30)
        assert refused.headers["content-type"] == "application/xml"
        assert error in refused.text
        assert not {"x-request-id", "x-error-message"} & {name.lower() for name in refused.headers}
