"""Reading from the local Hub with the real clients, and by plain http with ranges."""

import os
from pathlib import Path

import pytest
from huggingface_hub import HfApi, HfFileSystem, hf_hub_download
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, RevisionNotFoundError
from huggingface_hub.hf_api import RepoFile, RepoFolder

from localhub.auth import Identity
from localhub.errors import RefusedError
from localhub.faults import Endpoint
from localhub.testing import RunningHub, running_hub
from localhub.xet.reading import parse_range
from tests.localhub import asking
from tests.localhub.asking import SMALL, SMALL_SHA256, add, ask, commit_lines, tree

MANY = 2_100


def test_info(api: HfApi, repo: str) -> None:
    commit = add(api, repo, **{"a.parquet": SMALL, "b.txt": b"b"})
    info = api.dataset_info(repo, files_metadata=True)
    assert (info.id, info.sha, info.private) == (repo, commit, False)
    hashes = {file.rfilename: file.lfs and file.lfs.sha256 for file in info.siblings or []}
    assert hashes == {".gitattributes": None, "a.parquet": SMALL_SHA256, "b.txt": None}
    small = api.dataset_info(repo, expand=["sha", "xetEnabled"], revision=commit)
    assert (small.sha, small.xet_enabled, small.siblings) == (commit, False, None)
    assert api.list_repo_refs(repo, repo_type="dataset").branches[0].target_commit == commit


def test_a_long_tree_comes_in_pages(api: HfApi, hub: RunningHub, repo: str) -> None:
    add(api, repo, **{"a.parquet": SMALL})
    paths = [f"language=l{number % 7}/chunk_{number:05d}.parquet" for number in range(MANY)]
    folders = [f"language=l{number}" for number in range(7)]
    assert commit_lines(hub, repo, *asking.pointers(*paths)).status_code == 200
    hub.reset_counts()
    assert tree(api, repo, recursive=True) == sorted([".gitattributes", "a.parquet", *paths, *folders])
    assert hub.counts().of(repo).requests[Endpoint.TREE] == 3
    hub.reset_counts()
    folder = list(api.list_repo_tree(repo, "language=l3", repo_type="dataset", expand=True))
    assert [entry.path for entry in folder] == sorted(path for path in paths if path.startswith("language=l3/"))
    assert {entry.last_commit.title for entry in folder if entry.last_commit} == {"by hand"}
    assert hub.counts().of(repo).requests[Endpoint.TREE] == 300 // 50
    assert tree(api, repo) == sorted([".gitattributes", "a.parquet", *folders])


def test_paths_info(api: HfApi, repo: str) -> None:
    add(api, repo, **{"a/b.parquet": SMALL, "c.txt": b"hello\n"})
    file, folder, text = api.get_paths_info(repo, ["a/b.parquet", "a", "no", "c.txt"], repo_type="dataset", expand=True)
    assert isinstance(file, RepoFile)
    assert file.lfs
    assert (file.size, file.lfs.sha256) == (len(SMALL), SMALL_SHA256)
    assert isinstance(folder, RepoFolder)
    assert isinstance(text, RepoFile)
    assert text.last_commit
    assert (text.lfs, text.blob_id, text.last_commit.title) == (None, asking.HELLO_BLOB_ID, "Add")
    assert api.get_paths_info(repo, ["no"] * 1_000, repo_type="dataset") == []
    with pytest.raises(HfHubHTTPError, match="too many parameters"):
        api.get_paths_info(repo, ["no"] * 1_001, repo_type="dataset")


def test_ranges() -> None:
    asked = ("0-3", "4-", "-4", "-40", "8-40", "0-1,4-5")
    assert [parse_range(f"bytes={one}", 10) for one in asked] == [(0, 3), (4, 9), (6, 9), (0, 9), (8, 9), None]
    with pytest.raises(RefusedError, match="Range Not Satisfiable"):
        parse_range("bytes=10-", 10)


def test_parts_of_a_file_are_read(api: HfApi, hub: RunningHub, repo: str) -> None:
    content = os.urandom(3_000_000)
    commit = add(api, repo, **{"a.parquet": SMALL, "large.parquet": content})
    address = f"/datasets/{repo}/resolve/main/a.parquet"
    part = ask(hub, "GET", address, headers={"Range": "bytes=5-8"})
    assert (part.status_code, part.content) == (206, SMALL[5:9])
    assert part.headers["content-range"] == f"bytes 5-8/{len(SMALL)}"
    head = ask(hub, "HEAD", address)
    assert head.headers["content-length"] == head.headers["x-linked-size"] == str(len(SMALL))
    assert head.headers["etag"] == head.headers["x-linked-etag"] == f'"{SMALL_SHA256}"'
    assert head.headers["x-repo-commit"] == commit
    large = f"/datasets/{repo}/resolve/main/large.parquet"
    assert ask(hub, "GET", large).content == content
    assert ask(hub, "GET", large, headers={"Range": "bytes=10-2500000"}).content == content[10:2_500_001]
    filesystem = HfFileSystem(endpoint=hub.endpoint, token=hub.token)
    with filesystem.open(f"datasets/{repo}/a.parquet") as file:
        file.seek(5)
        assert file.read(4) == SMALL[5:9]


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
        hub.add_token("hf_other", Identity("other", orgs={"permutans": "write"}))
        hub.kill()
    (log,) = tmp_path.glob("hub/repos/*/*.jsonl")
    log.write_bytes(log.read_bytes() + b'["commit", ["half a line')
    with running_hub(tmp_path / "hub") as hub:
        api = HfApi(endpoint=hub.endpoint, token="hf_other")
        assert tree(api, "permutans/a", recursive=True) == [".gitattributes", "a.parquet"]
        assert tree(api, "permutans/a", recursive=True, revision=old) == [".gitattributes", "a.parquet", "b", "b/c"]
        assert tree(api, "permutans/a", path_in_repo="b", revision=old) == ["b/c"]
        assert ask(hub, "GET", f"/datasets/permutans/a/resolve/{old}/a.parquet").content == SMALL
        assert hub.read("permutans/a", "a.parquet") == b"new"
        assert api.dataset_info("permutans/a").private
        assert not asking.upload_actions(hub, "permutans/a", SMALL)
        assert add(api, "permutans/a", **{"b/e": b"3"}) == hub.commits("permutans/a")[0].oid
