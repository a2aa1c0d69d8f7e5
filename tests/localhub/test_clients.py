"""The local Hub as the real clients of huggingface_hub see it: creating, uploading, committing."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import requests
from huggingface_hub import CommitOperationAdd, CommitOperationCopy, CommitOperationDelete, HfApi, hf_hub_download
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, RepositoryNotFoundError

from localhub.testing import RunningHub, running_hub

NAMES = (f"permutans/dataset-{number}" for number in count())
SMALL = b"PAR1 some content PAR1"
SMALL_SHA256 = hashlib.sha256(SMALL).hexdigest()
HELLO_BLOB_ID = "ce013625030ba8dba906f756967f9e9ca394464a"
"""What `git hash-object` says of b"hello\\n"."""
BROKEN_COMMITS = (b"", b"{", b"[]", b'{"key": "header"}', b'{"key": "header", "value": {"summary": ""}}')


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    with running_hub(tmp_path_factory.mktemp("hub")) as running:
        yield running


def add(api: HfApi, repo: str, **files: bytes) -> str:
    operations = [CommitOperationAdd(path, content) for path, content in files.items()]
    return str(api.create_commit(repo, operations, commit_message="Add", repo_type="dataset").oid)


def ask(hub: RunningHub, method: str, address: str, token: str | None = None, **options: Any) -> requests.Response:
    headers = {"Authorization": f"Bearer {token or hub.token}", **options.pop("headers", {})}
    return requests.request(method, f"{hub.endpoint}{address}", headers=headers, timeout=30, **options)


def commit_lines(hub: RunningHub, repo: str, *lines: tuple[str, dict[str, Any]]) -> requests.Response:
    everything = [("header", {"summary": "by hand"}), *lines]
    body = "\n".join(json.dumps({"key": key, "value": value}) for key, value in everything)
    return ask(hub, "POST", f"/api/datasets/{repo}/commit/main", data=body)


def upload_address(hub: RunningHub, repo: str, content: bytes) -> dict[str, Any]:
    asked = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content)}
    answer = ask(
        hub,
        "POST",
        f"/datasets/{repo}.git/info/lfs/objects/batch",
        json={"operation": "upload", "transfers": ["basic", "multipart"], "objects": [asked]},
    )
    return dict(answer.json()["objects"][0].get("actions", {}))


def pointers(*paths: str) -> list[tuple[str, dict[str, Any]]]:
    return [("lfsFile", {"path": path, "algo": "sha256", "oid": SMALL_SHA256, "size": len(SMALL)}) for path in paths]


def tree(api: HfApi, repo: str, **options: Any) -> list[str]:
    return [entry.path for entry in api.list_repo_tree(repo, repo_type="dataset", **options)]


def test_a_new_repo_has_an_initial_commit(api: HfApi, hub: RunningHub) -> None:
    name = next(NAMES)
    url = api.create_repo(name, repo_type="dataset")
    assert (url.repo_id, str(url)) == (name, f"{hub.endpoint}/datasets/{name}")
    assert [commit.title for commit in api.list_repo_commits(name, repo_type="dataset")] == ["initial commit"]
    assert tree(api, name) == [".gitattributes"]


def test_a_repo_is_created_once(api: HfApi, repo: str) -> None:
    with pytest.raises(HfHubHTTPError, match="You already created this dataset repo") as refused:
        api.create_repo(repo, repo_type="dataset")
    assert refused.value.response.status_code == 409
    assert api.create_repo(repo, repo_type="dataset", exist_ok=True).repo_id == repo


@pytest.mark.parametrize("name", ["a--b", ".a", "a b", "", "a.git"])
def test_a_repo_needs_a_proper_name(hub: RunningHub, name: str) -> None:
    assert ask(hub, "POST", "/api/repos/create", json={"type": "dataset", "name": name}).status_code == 400


def test_a_deleted_and_recreated_repo_has_nothing_of_the_old_one(api: HfApi, hub: RunningHub, repo: str) -> None:
    add(api, repo, **{"a.parquet": SMALL})
    api.delete_repo(repo, repo_type="dataset")
    with pytest.raises(RepositoryNotFoundError):
        api.dataset_info(repo)
    api.create_repo(repo, repo_type="dataset")
    assert tree(api, repo) == [".gitattributes"]
    assert upload_address(hub, repo, SMALL)


def test_an_uploaded_folder_is_all_there(api: HfApi, hub: RunningHub, repo: str, tmp_path: Path) -> None:
    contents = {
        "a.md": b"# A\n",
        "language=en/chunk_3.parquet": SMALL,
        "odd/\u00e4 b+c%20&=.txt": b"text",
        "empty": b"",
    }
    for path, content in contents.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(content)
    api.upload_folder(repo_id=repo, folder_path=tmp_path, repo_type="dataset")
    assert {path: hub.read(repo, path) for path in contents} == contents
    files = hub.files(repo)
    assert files["language=en/chunk_3.parquet"] == (len(SMALL), SMALL_SHA256)
    assert set(tree(api, repo, recursive=True)) == {".gitattributes", "language=en", "odd", *contents}
    for path, content in contents.items():
        downloaded = hf_hub_download(
            repo, path, repo_type="dataset", endpoint=hub.endpoint, cache_dir=tmp_path / "cache", token=False
        )
        assert Path(downloaded).read_bytes() == content


def test_preupload_says_what_is_there(api: HfApi, hub: RunningHub, repo: str) -> None:
    add(api, repo, **{"a.parquet": SMALL, "b.txt": b"hello\n"})
    files = [{"path": path, "sample": "", "size": 6} for path in ("a.parquet", "b.txt", "c.tmp")]
    answer = ask(hub, "POST", f"/api/datasets/{repo}/preupload/main", json={"files": files, "gitIgnore": "*.tmp"})
    assert answer.json()["files"] == [
        {"path": "a.parquet", "uploadMode": "lfs", "shouldIgnore": False, "oid": SMALL_SHA256},
        {
            "path": "b.txt",
            "uploadMode": "regular",
            "shouldIgnore": False,
            "oid": HELLO_BLOB_ID,
        },
        {"path": "c.tmp", "uploadMode": "regular", "shouldIgnore": True},
    ]


def test_a_commit_onto_an_old_parent_is_refused(api: HfApi, repo: str) -> None:
    old = add(api, repo, a=b"1")
    new = add(api, repo, a=b"2")
    operations = [CommitOperationAdd("a", b"3")]
    with pytest.raises(HfHubHTTPError, match="A commit has happened since") as refused:
        api.create_commit(repo, operations, commit_message="3", repo_type="dataset", parent_commit=old)
    assert refused.value.response.status_code == 412
    api.create_commit(repo, operations, commit_message="3", repo_type="dataset", parent_commit=new[:7])


def test_clients_do_not_send_a_commit_that_changes_nothing(
    api: HfApi, hub: RunningHub, repo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.endpoint)
    add(api, repo, **{"a.parquet": SMALL, "b.txt": b"b"})
    commits = len(hub.commits(repo))
    add(api, repo, **{"a.parquet": SMALL, "b.txt": b"b"})
    assert len(hub.commits(repo)) == commits


def test_a_commit_that_changes_nothing_is_made_where_it_is_sent(hub: RunningHub, repo: str) -> None:
    before = hub.commits(repo)
    answer = commit_lines(hub, repo)
    assert answer.json()["commitOid"] == hub.commits(repo)[0].oid
    assert hub.commits(repo)[1:] == before


def test_files_and_folders_are_deleted_and_copied(api: HfApi, hub: RunningHub, repo: str) -> None:
    add(api, repo, **{"a/1.parquet": SMALL, "a/2.txt": b"2", "b/1.txt": b"1"})
    api.delete_file("b/1.txt", repo, repo_type="dataset")
    copies = [CommitOperationCopy("a/1.parquet", "c/1.parquet"), CommitOperationCopy("a/2.txt", "c/2.txt")]
    api.create_commit(repo, copies, commit_message="Copy", repo_type="dataset")
    api.delete_folder("a", repo, repo_type="dataset")
    assert tree(api, repo, recursive=True) == [".gitattributes", "c", "c/1.parquet", "c/2.txt"]
    assert hub.read(repo, "c/1.parquet") == SMALL


@pytest.mark.parametrize("path", ["missing", "missing/", "a"])
def test_what_is_not_there_cannot_be_deleted(api: HfApi, repo: str, path: str) -> None:
    add(api, repo, **{"a/b": b""})
    with pytest.raises(EntryNotFoundError, match="with this name doesn't exist"):
        api.create_commit(repo, [CommitOperationDelete(path)], commit_message="Delete", repo_type="dataset")


def test_a_path_is_a_file_or_a_folder(api: HfApi, hub: RunningHub, repo: str) -> None:
    add(api, repo, **{"a": b"", "b/c": b""})
    for path in ("a/b", "b", "../x", "x/.git/config"):
        answer = commit_lines(hub, repo, ("file", {"path": path, "content": ""}))
        assert (path, answer.status_code, "Invalid file path" in answer.text) == (path, 400, True)


def test_a_folder_cannot_hold_too_many_entries(api: HfApi, hub: RunningHub, repo: str) -> None:
    add(api, repo, **{"a.parquet": SMALL})
    paths = [f"language=en/{number}.parquet" for number in range(10_000)]
    assert commit_lines(hub, repo, *pointers(*paths)).status_code == 200
    answer = commit_lines(hub, repo, *pointers("language=en/one-more.parquet"))
    assert answer.status_code == 400
    assert "too many files per directory" in answer.json()["error"]
    assert "/language=en/" in answer.json()["error"]


def test_a_readme_whose_yaml_is_broken_is_refused(api: HfApi, hub: RunningHub, repo: str) -> None:
    with pytest.raises(ValueError, match="Invalid metadata in README"):
        add(api, repo, **{"README.md": b"---\nconfigs: [\n---\n"})
    with pytest.raises(ValueError, match="must be a mapping"):
        add(api, repo, **{"README.md": b"---\n- a\n---\n"})
    with pytest.warns(UserWarning, match="empty or missing yaml metadata"):
        add(api, repo, **{"README.md": b"# No metadata"})
    add(api, repo, **{"README.md": b"---\nlicense: cc0-1.0\n---\n# A"})
    assert hub.read(repo, "README.md").endswith(b"# A")


def test_every_commit_of_many_at_once_lands(api: HfApi, hub: RunningHub, repo: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: add(api, repo, **{f"a/{number}": b"%d" % number}), range(16)))
    assert len(hub.commits(repo)) == 1 + 16
    assert {f"a/{number}" for number in range(16)} < set(hub.files(repo))


@pytest.mark.parametrize("body", BROKEN_COMMITS)
def test_a_broken_commit_is_refused(hub: RunningHub, repo: str, body: bytes) -> None:
    assert ask(hub, "POST", f"/api/datasets/{repo}/commit/main", data=body).status_code == 400


def test_commits_to_other_branches_are_refused(hub: RunningHub, repo: str) -> None:
    answer = ask(hub, "POST", f"/api/datasets/{repo}/commit/dev", data=b"")
    assert (answer.status_code, answer.headers["x-error-code"]) == (404, "RevisionNotFound")


def test_upload_large_folder_of_the_real_cli(hub: RunningHub, tmp_path: Path) -> None:
    repo = next(NAMES)
    contents = {f"language=l{number}/chunk_3.parquet": os.urandom(500) for number in range(20)}
    contents["README.md"] = b"---\nlicense: cc0-1.0\n---\n"
    for path, content in contents.items():
        (tmp_path / "folder" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "folder" / path).write_bytes(content)
    cli = Path(sys.executable).with_name("huggingface-cli")
    words = ["upload-large-folder", repo, str(tmp_path / "folder"), "--repo-type", "dataset", "--num-workers", "1"]
    subprocess.run(
        [cli, *words, "--no-bars", "--no-report"], env={**os.environ, **hub.environment}, check=True, timeout=60
    )
    expected = {path: (len(content), hashlib.sha256(content).hexdigest()) for path, content in contents.items()}
    files = hub.files(repo)
    assert {path: files[path] for path in files if path != ".gitattributes"} == expected
    assert hub.counts().of(repo).commits == 1
