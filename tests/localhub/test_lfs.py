"""LFS storage of the local Hub: in one piece, in parts, and what is refused."""

import os
from collections.abc import Iterator

import pytest
import requests
from huggingface_hub import HfApi

from localhub.faults import Endpoint
from localhub.testing import RunningHub, running_hub
from tests.localhub.test_clients import SMALL, SMALL_SHA256, add, ask, commit_lines, pointers, upload_address


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    parts = ("--multipart-above", "100000", "--part-bytes", "30000")
    with running_hub(tmp_path_factory.mktemp("hub"), arguments=parts) as running:
        yield running


def test_large_content_goes_in_parts(api: HfApi, hub: RunningHub, repo: str) -> None:
    content = os.urandom(100_001)
    hub.reset_counts()
    add(api, repo, **{"large.parquet": content})
    assert hub.read(repo, "large.parquet") == content
    counts = hub.counts().of(repo)
    assert counts.requests[Endpoint.LFS_PUT] == 4 + 1
    assert counts.uploaded_bytes == len(content)


def test_a_part_that_did_not_arrive_is_missed(hub: RunningHub, repo: str) -> None:
    content = os.urandom(100_001)
    upload = upload_address(hub, repo, content)["upload"]
    assert upload["header"]["chunk_size"] == "30000"
    etag = requests.put(upload["header"]["00001"], data=content[:30_000], timeout=30).headers["etag"]
    parts = [{"partNumber": number, "etag": etag} for number in range(1, 5)]
    answer = requests.post(upload["href"], json={"oid": "", "parts": parts}, timeout=30)
    assert (answer.status_code, "InvalidPart" in answer.text) == (400, True)


def test_content_that_is_there_is_not_asked_for_again(api: HfApi, hub: RunningHub, repo: str) -> None:
    assert set(upload_address(hub, repo, SMALL)) == {"upload", "verify"}
    add(api, repo, **{"a.parquet": SMALL})
    assert not upload_address(hub, repo, SMALL)


def test_content_that_is_not_what_it_should_be_is_refused(hub: RunningHub, repo: str) -> None:
    actions = upload_address(hub, repo, SMALL)
    assert requests.put(actions["upload"]["href"], data=SMALL[:-1], timeout=30).status_code == 400
    asked = {"oid": SMALL_SHA256, "size": len(SMALL)}
    verify = f"/datasets/{repo}.git/info/lfs/objects/verify"
    assert ask(hub, "POST", verify, json=asked).status_code == 404
    assert requests.put(actions["upload"]["href"], data=SMALL, timeout=30).status_code == 200
    assert ask(hub, "POST", verify, json=asked).status_code == 200


def test_an_upload_address_cannot_be_made_up(hub: RunningHub, repo: str) -> None:
    address = upload_address(hub, repo, SMALL)["upload"]["href"]
    assert requests.put(address[:-1] + "?", data=SMALL, timeout=30).status_code == 403
    assert requests.put(address.replace(f"size={len(SMALL)}", "size=1"), data=b"1", timeout=30).status_code == 403


def test_a_commit_of_content_that_never_arrived_is_refused(hub: RunningHub, repo: str) -> None:
    answer = commit_lines(hub, repo, *pointers("a.parquet"))
    assert answer.status_code == 400
    assert "LFS pointer pointed to a file that does not exist" in answer.json()["error"]
    assert "a.parquet" in answer.json()["error"]
