"""Reading from the local Hub with the real clients: HfApi, HfFileSystem, downloads, plain http with ranges."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import HfApi, HfFileSystem, hf_hub_download, snapshot_download
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, RevisionNotFoundError
from huggingface_hub.hf_api import RepoFile, RepoFolder

from localhub.faults import Endpoint
from localhub.testing import RunningHub, running_hub
from tests.localhub.test_clients import (
    HELLO_BLOB_ID,
    SMALL,
    SMALL_SHA256,
    add,
    ask,
    commit_lines,
    pointers,
    tree,
    upload_address,
)

MANY = 2_100


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    with running_hub(tmp_path_factory.mktemp("hub")) as running:
        yield running


def test_info(api: HfApi, repo: str) -> None:
    commit = add(api, repo, **{"a.parquet": SMALL, "b.txt": b"b"})
    info = api.dataset_info(repo, files_metadata=True)
    assert (info.id, info.sha, info.private) == (repo, commit, False)
    files = {file.rfilename: file for file in info.siblings or []}
    assert set(files) == {".gitattributes", "a.parquet", "b.txt"}
    assert files["a.parquet"].lfs
    assert files["a.parquet"].lfs.sha256 == SMALL_SHA256
    small = api.dataset_info(repo, expand=["sha", "xetEnabled"])
    assert (small.sha, small.xet_enabled, small.siblings) == (commit, False, None)
    assert api.dataset_info(repo, revision=commit).sha == commit
    assert api.list_repo_refs(repo, repo_type="dataset").branches[0].target_commit == commit


def test_a_long_tree_comes_in_pages(api: HfApi, hub: RunningHub, repo: str) -> None:
    add(api, repo, **{"a.parquet": SMALL})
    paths = [f"language=l{number % 7}/chunk_{number:05d}.parquet" for number in range(MANY)]
    assert commit_lines(hub, repo, *pointers(*paths)).status_code == 200
    hub.reset_counts()
    listed = tree(api, repo, recursive=True)
    assert listed == sorted([".gitattributes", "a.parquet", *paths, *(f"language=l{number}" for number in range(7))])
    assert hub.counts().of(repo).requests[Endpoint.TREE] == 3
    hub.reset_counts()
    folder = list(api.list_repo_tree(repo, "language=l3", repo_type="dataset", expand=True))
    assert [entry.path for entry in folder] == sorted(path for path in paths if path.startswith("language=l3/"))
    assert {entry.last_commit.title for entry in folder if entry.last_commit} == {"by hand"}
    assert hub.counts().of(repo).requests[Endpoint.TREE] == 300 // 50
    assert tree(api, repo) == sorted([".gitattributes", "a.parquet", *(f"language=l{number}" for number in range(7))])


def test_paths_info(api: HfApi, repo: str) -> None:
    add(api, repo, **{"a/b.parquet": SMALL, "c.txt": b"hello\n"})
    file, folder, text = api.get_paths_info(repo, ["a/b.parquet", "a", "no", "c.txt"], repo_type="dataset")
    assert isinstance(file, RepoFile)
    assert file.lfs
    assert (file.size, file.lfs.sha256) == (len(SMALL), SMALL_SHA256)
    assert isinstance(folder, RepoFolder)
    assert isinstance(text, RepoFile)
    assert (text.lfs, text.blob_id) == (None, HELLO_BLOB_ID)
    expanded = api.get_paths_info(repo, "c.txt", repo_type="dataset", expand=True)
    assert expanded[0].last_commit
    assert expanded[0].last_commit.title == "Add"


def test_paths_info_takes_json_too(api: HfApi, hub: RunningHub, repo: str) -> None:
    add(api, repo, **{"a.parquet": SMALL})
    asked = {"paths": ["no", "a.parquet"], "expand": True}
    answer = ask(hub, "POST", f"/api/datasets/{repo}/paths-info/main", json=asked).json()
    assert [(entry["path"], entry["lastCommit"]["title"]) for entry in answer] == [("a.parquet", "Add")]


def test_too_many_paths_at_once_are_refused(api: HfApi, repo: str) -> None:
    assert api.get_paths_info(repo, ["no"] * 1_000, repo_type="dataset") == []
    with pytest.raises(HfHubHTTPError, match="too many parameters") as refused:
        api.get_paths_info(repo, ["no"] * 1_001, repo_type="dataset")
    assert refused.value.response.status_code == 413


def test_a_folder_has_another_id_where_something_in_it_differs(api: HfApi, repo: str) -> None:
    def folder_id() -> str:
        (folder,) = api.get_paths_info(repo, "a", repo_type="dataset")
        assert isinstance(folder, RepoFolder)
        return folder.tree_id

    add(api, repo, **{"a/b/c.txt": b"1"})
    first = folder_id()
    add(api, repo, **{"a/b/c.txt": b"2"})
    assert folder_id() != first
    add(api, repo, **{"a/b/c.txt": b"1", "x": b""})
    assert folder_id() == first


def test_parts_of_a_file_are_read(api: HfApi, hub: RunningHub, repo: str) -> None:
    commit = add(api, repo, **{"a.parquet": SMALL})
    address = f"/datasets/{repo}/resolve/main/a.parquet"
    part = ask(hub, "GET", address, headers={"Range": "bytes=5-8"})
    assert (part.status_code, part.content) == (206, SMALL[5:9])
    assert part.headers["content-range"] == f"bytes 5-8/{len(SMALL)}"
    head = ask(hub, "HEAD", address)
    assert head.headers["content-length"] == head.headers["x-linked-size"] == str(len(SMALL))
    assert head.headers["etag"] == head.headers["x-linked-etag"] == f'"{SMALL_SHA256}"'
    assert head.headers["x-repo-commit"] == commit
    assert ask(hub, "GET", address, headers={"Range": "bytes=99-"}).status_code == 416


def test_large_files_are_streamed(api: HfApi, hub: RunningHub, repo: str) -> None:
    content = os.urandom(3_000_000)
    add(api, repo, **{"a.parquet": content})
    address = f"/datasets/{repo}/resolve/main/a.parquet"
    assert ask(hub, "GET", address).content == content
    assert ask(hub, "GET", address, headers={"Range": "bytes=10-2500000"}).content == content[10:2_500_001]


def test_filesystem_and_snapshot_readers(api: HfApi, hub: RunningHub, repo: str, tmp_path: Path) -> None:
    add(api, repo, **{"language=en/1.parquet": SMALL, "language=no/1.parquet": b"no"})
    filesystem = HfFileSystem(endpoint=hub.endpoint, token=hub.token)
    assert len(filesystem.glob(f"datasets/{repo}/**/*.parquet")) == 2
    with filesystem.open(f"datasets/{repo}/language=en/1.parquet") as file:
        file.seek(5)
        assert file.read(4) == SMALL[5:9]
    folder = snapshot_download(
        repo, repo_type="dataset", endpoint=hub.endpoint, cache_dir=tmp_path, allow_patterns="language=no/*"
    )
    assert [path.name for path in Path(folder).rglob("*.parquet")] == ["1.parquet"]


def test_what_is_missing_is_named(api: HfApi, hub: RunningHub, repo: str, tmp_path: Path) -> None:
    with pytest.raises(EntryNotFoundError):
        hf_hub_download(repo, "no", repo_type="dataset", endpoint=hub.endpoint, cache_dir=tmp_path)
    with pytest.raises(EntryNotFoundError):
        tree(api, repo, path_in_repo="no")
    for revision in ("dev", "refs/convert/parquet", "0" * 40):
        with pytest.raises(RevisionNotFoundError):
            tree(api, repo, revision=revision)
    assert not api.file_exists(repo, "no", repo_type="dataset")
    assert not api.repo_exists("permutans/no", repo_type="dataset")


def test_every_revision_survives_the_death_of_the_server(tmp_path: Path) -> None:
    with running_hub(tmp_path / "hub") as hub:
        api = HfApi(endpoint=hub.endpoint, token=hub.token)
        api.create_repo("permutans/a", repo_type="dataset", private=True)
        old = add(api, "permutans/a", **{"a.parquet": SMALL, "b/c": b"1"})
        add(api, "permutans/a", **{"a.parquet": b"new", "b/d": b"2"})
        api.delete_folder("b", "permutans/a", repo_type="dataset")
        hub.kill()
    with running_hub(tmp_path / "hub") as hub:
        api = HfApi(endpoint=hub.endpoint, token=hub.token)
        assert tree(api, "permutans/a", recursive=True) == [".gitattributes", "a.parquet"]
        assert tree(api, "permutans/a", recursive=True, revision=old) == [".gitattributes", "a.parquet", "b", "b/c"]
        assert tree(api, "permutans/a", path_in_repo="b", revision=old) == ["b/c"]
        assert ask(hub, "GET", f"/datasets/permutans/a/resolve/{old}/a.parquet").content == SMALL
        assert hub.read("permutans/a", "a.parquet") == b"new"
        assert api.dataset_info("permutans/a").private
        assert not upload_address(hub, "permutans/a", SMALL)


def test_what_readers_of_today_ask_for_besides(hub: RunningHub, repo: str) -> None:
    viewer = ask(hub, "GET", f"/info?dataset={repo}").json()
    assert (viewer["partial"], viewer["pending"]) == (False, [{"kind": "dataset-info", "dataset": repo}])
    assert ask(hub, "GET", f"/parquet?dataset={repo}").json()["parquet_files"] == []
    assert ask(hub, "GET", "/api/agent-harnesses").json() == {"standardEnvVars": [], "harnesses": {}}
