"""The local Hub as the real clients of huggingface_hub see it: creating, uploading, committing."""

import os
from pathlib import Path

import pytest
import requests
from huggingface_hub import CommitOperationAdd, CommitOperationCopy, CommitOperationDelete, HfApi, hf_hub_download
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError

from localhub.faults import Endpoint
from localhub.testing import RunningHub
from tests.localhub import asking
from tests.localhub.asking import SMALL, SMALL_SHA256, add, ask, commit_lines, tree

ARGUMENTS = ("--multipart-above", "100000", "--part-bytes", "30000")
BROKEN = (b"", b"{", b"[]", b'{"key": "header"}', b'{"key": "header", "value": {"summary": ""}}')


def test_a_repo_is_created_once_with_an_initial_commit(api: HfApi, repo: str) -> None:
    assert [commit.title for commit in api.list_repo_commits(repo, repo_type="dataset")] == ["initial commit"]
    assert tree(api, repo) == [".gitattributes"]
    with pytest.raises(HfHubHTTPError, match="You already created this dataset repo") as refused:
        api.create_repo(repo, repo_type="dataset")
    assert refused.value.response.status_code == 409
    assert api.create_repo(repo, repo_type="dataset", exist_ok=True).repo_id == repo


@pytest.mark.parametrize("name", ["a--b", ".a", "a b", "", "a.git"])
def test_a_repo_needs_a_proper_name(hub: RunningHub, name: str) -> None:
    assert ask(hub, "POST", "/api/repos/create", json={"type": "dataset", "name": name}).status_code == 400


def test_an_uploaded_folder_is_all_there(api: HfApi, hub: RunningHub, repo: str, tmp_path: Path) -> None:
    contents = {"a.md": b"# A\n", "l=en/chunk_3.parquet": SMALL, "odd/\u00e4 b+c%20&=.txt": b"text", "empty": b""}
    for path, content in contents.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(content)
    api.upload_folder(repo_id=repo, folder_path=tmp_path, repo_type="dataset")
    assert hub.files(repo)["l=en/chunk_3.parquet"] == (len(SMALL), SMALL_SHA256)
    assert set(tree(api, repo, recursive=True)) == {".gitattributes", "l=en", "odd", *contents}
    for path, content in contents.items():
        assert hub.read(repo, path) == content
        downloaded = hf_hub_download(
            repo, path, repo_type="dataset", endpoint=hub.endpoint, cache_dir=tmp_path / "cache", token=False
        )
        assert Path(downloaded).read_bytes() == content


def test_a_commit_onto_an_old_parent_is_refused(api: HfApi, repo: str) -> None:
    old = add(api, repo, a=b"1")
    new = add(api, repo, a=b"2")
    operations = [CommitOperationAdd("a", b"3")]
    with pytest.raises(HfHubHTTPError, match="A commit has happened since") as refused:
        api.create_commit(repo, operations, commit_message="3", repo_type="dataset", parent_commit=old)
    assert refused.value.response.status_code == 412
    api.create_commit(repo, operations, commit_message="3", repo_type="dataset", parent_commit=new[:7])


def test_a_commit_that_changes_nothing_is_made_if_it_is_sent(
    api: HfApi, hub: RunningHub, repo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.endpoint)
    add(api, repo, **{"a.parquet": SMALL, "b.txt": b"b"})
    before = hub.commits(repo)
    add(api, repo, **{"a.parquet": SMALL, "b.txt": b"b"})  # which the client does not send
    assert hub.commits(repo) == before
    assert commit_lines(hub, repo).json()["commitOid"] == hub.commits(repo)[0].oid
    assert hub.commits(repo)[1:] == before


def test_files_and_folders_are_deleted_and_copied(api: HfApi, hub: RunningHub, repo: str) -> None:
    add(api, repo, **{"a/1.parquet": SMALL, "a/2.txt": b"2", "b/1.txt": b"1"})
    api.delete_file("b/1.txt", repo, repo_type="dataset")
    copies = [CommitOperationCopy("a/1.parquet", "c/1.parquet"), CommitOperationCopy("a/2.txt", "c/2.txt")]
    api.create_commit(repo, copies, commit_message="Copy", repo_type="dataset")
    api.delete_folder("a", repo, repo_type="dataset")
    assert tree(api, repo, recursive=True) == [".gitattributes", "c", "c/1.parquet", "c/2.txt"]
    assert hub.read(repo, "c/1.parquet") == SMALL
    for path in ("missing", "missing/", "c"):
        with pytest.raises(EntryNotFoundError, match="with this name doesn't exist"):
            api.create_commit(repo, [CommitOperationDelete(path)], commit_message="Delete", repo_type="dataset")


def test_what_git_could_not_hold_is_refused_and_changes_nothing(api: HfApi, hub: RunningHub, repo: str) -> None:
    add(api, repo, **{"a": b"", "b/c": b""})
    before = tree(api, repo, recursive=True, expand=True)
    for path in ("a/b", "b", "", "/x", "x//y", "../x", "x/.git/config"):
        answer = commit_lines(
            hub, repo, ("file", {"path": "new", "content": ""}), ("file", {"path": path, "content": ""})
        )
        assert (path, answer.status_code, "Invalid file path" in answer.text) == (path, 400, True)
    assert tree(api, repo, recursive=True, expand=True) == before


def test_a_folder_cannot_hold_too_many_entries(api: HfApi, hub: RunningHub, repo: str) -> None:
    add(api, repo, **{"a.parquet": SMALL})
    paths = [f"language=en/{number}.parquet" for number in range(10_000)]
    assert commit_lines(hub, repo, *asking.pointers(*paths)).status_code == 200
    answer = commit_lines(hub, repo, *asking.pointers("language=en/one-more.parquet"))
    assert answer.status_code == 400
    assert "too many files per directory" in answer.json()["error"]
    assert "/language=en/" in answer.json()["error"]


@pytest.mark.parametrize("body", BROKEN)
def test_a_broken_commit_is_refused(hub: RunningHub, repo: str, body: bytes) -> None:
    assert ask(hub, "POST", f"/api/datasets/{repo}/commit/main", data=body).status_code == 400
    answer = ask(hub, "POST", f"/api/datasets/{repo}/commit/dev", data=body)
    assert (answer.status_code, answer.headers["x-error-code"]) == (404, "RevisionNotFound")


def test_large_content_goes_in_parts(api: HfApi, hub: RunningHub, repo: str) -> None:
    content = os.urandom(100_001)
    add(api, repo, **{"large.parquet": content})
    assert hub.read(repo, "large.parquet") == content
    counts = hub.counts().of(repo)
    assert counts.requests[Endpoint.LFS_PUT] == 4 + 1
    assert counts.uploaded_bytes == len(content)


def test_only_the_right_content_is_taken_in_and_then_not_asked_for_again(hub: RunningHub, repo: str) -> None:
    address = asking.upload_actions(hub, repo, SMALL)["upload"]["href"]
    asked = {"oid": SMALL_SHA256, "size": len(SMALL)}
    verify = f"/datasets/{repo}.git/info/lfs/objects/verify"
    assert requests.put(address, data=SMALL[:-1], timeout=30).status_code == 400
    assert requests.put(address[:-1] + "?", data=SMALL, timeout=30).status_code == 403
    assert requests.put(address.replace(f"size={len(SMALL)}", "size=1"), data=b"1", timeout=30).status_code == 403
    assert ask(hub, "POST", verify, json=asked).status_code == 404
    refused = commit_lines(hub, repo, *asking.pointers("a.parquet"))
    assert (refused.status_code, refused.json()["error"].endswith("Offending file: - a.parquet")) == (400, True)
    assert requests.put(address, data=SMALL, timeout=30).status_code == 200
    assert ask(hub, "POST", verify, json=asked).status_code == 200
    assert not asking.upload_actions(hub, repo, SMALL)
