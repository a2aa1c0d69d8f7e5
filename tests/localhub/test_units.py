"""The local Hub's pure functions."""

import json
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localhub.auth import Identity, Scope, parse_identity
from localhub.commits import is_valid_path
from localhub.errors import RefusedError
from localhub.faults import Fault, Mischief, Quota
from localhub.gitattributes import is_ignored, is_lfs
from localhub.reading import parse_range
from localhub.trees import (
    ROOT,
    Change,
    Entry,
    Kind,
    change_folders,
    git_blob_id,
    lfs_pointer,
    lfs_pointer_size,
    new_lfs_file,
)

NAMES = st.sampled_from("abc")
TREES = st.dictionaries(st.lists(NAMES, min_size=1, max_size=4).map("/".join), st.sampled_from("012"), max_size=12)


def entries_of(tree: Mapping[str, str]) -> dict[str, Entry]:
    return {f"{path}.parquet": new_lfs_file(f"{path}.parquet", digit * 64, 1) for path, digit in tree.items()}


def folders_after(
    before: Mapping[str, Entry], after: Mapping[str, Entry], folders: Mapping[str, Entry]
) -> dict[str, Entry]:
    changes = {path: Change(before.get(path), after.get(path)) for path in {*before, *after}}
    changes = {path: change for path, change in changes.items() if change.old != change.new}
    changed = {path: change.new for path, change in change_folders(changes, folders.get).items()}
    return {path: entry for path, entry in {**folders, **changed}.items() if entry and (entry.children or path == ROOT)}


@settings(max_examples=50, deadline=None)
@given(TREES, TREES)
def test_folders_are_the_same_however_the_tree_came_about(first: dict[str, str], last: dict[str, str]) -> None:
    by_detour = folders_after(entries_of(first), entries_of(last), folders_after({}, entries_of(first), {}))
    directly = folders_after({}, entries_of(last), {})
    empty_root = {ROOT: Entry(ROOT, Kind.FOLDER, "0" * 40)}
    assert (empty_root | by_detour) == (empty_root | directly)


@settings(max_examples=50, deadline=None)
@given(TREES, TREES)
def test_different_trees_have_different_roots(first: dict[str, str], last: dict[str, str]) -> None:
    roots = [folders_after({}, entries_of(tree), {}).get(ROOT) for tree in (first, last)]
    assert (roots[0] == roots[1]) == (first == last)


def test_git_ids_are_those_of_git() -> None:
    assert git_blob_id(b"hello\n") == "ce013625030ba8dba906f756967f9e9ca394464a"


@pytest.mark.parametrize("size", [0, 9, 10, 123_456_789])
def test_pointer_size_is_the_length_of_the_pointer(size: int) -> None:
    assert lfs_pointer_size(size) == len(lfs_pointer("f" * 64, size))


@pytest.mark.parametrize(
    ("header", "span"),
    [
        (None, None),
        ("bytes=0-3", (0, 3)),
        ("bytes=4-", (4, 9)),
        ("bytes=-4", (6, 9)),
        ("bytes=-40", (0, 9)),
        ("bytes=8-40", (8, 9)),
        ("bytes=0-1,4-5", None),
        ("bytes=-", None),
        ("lines=1-2", None),
    ],
)
def test_ranges(header: str | None, span: tuple[int, int] | None) -> None:
    assert parse_range(header, 10) == span


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=5-4"])
def test_a_range_outside_the_file_is_refused(header: str) -> None:
    with pytest.raises(RefusedError) as refused:
        parse_range(header, 10)
    assert (refused.value.status, refused.value.headers) == (416, {"Content-Range": "bytes */10"})


@pytest.mark.parametrize(
    ("path", "size", "sample", "expected"),
    [
        ("language=en/chunk_3.parquet", 10, b"text", True),
        ("README.md", 10, b"# text", False),
        ("README.md", 11 << 20, b"# text", True),
        ("data.unknown", 10, b"\0\1", True),
        ("data.unknown", 10, b"\xff\xfe", True),
        ("names.txt", 3, "ä".encode()[:1], False),
        ("", 0, b"", False),
    ],
)
def test_what_goes_to_lfs(path: str, size: int, sample: bytes, expected: bool) -> None:
    assert is_lfs(path, size, sample) is expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [("a/b.tmp", True), ("logs/x", True), ("a/logs/x", True), ("docs/private/x", True), ("a.parquet", False)],
)
def test_gitignore(path: str, expected: bool) -> None:
    assert is_ignored(path, "# comment\n*.tmp\nlogs/\n/docs/private\n!kept\n\n") is expected


@pytest.mark.parametrize("path", ["", "/a", "a/", "a//b", "../a", "a/./b", "a/.git/x", ".GIT", "a\0b"])
def test_paths_that_git_cannot_hold(path: str) -> None:
    assert not is_valid_path(path)


def test_a_fault_skips_then_strikes_every_nth_time_and_so_often() -> None:
    mischief = Mischief()
    mischief.arm([Fault("commit", skip=1, every=2, times=2, repo="a/b")])
    struck = [mischief.next_fault("commit", "a/b") is not None for _ in range(8)]
    assert struck == [False, False, True, False, True, False, False, False]
    assert mischief.struck() == [2]


def test_a_fault_leaves_other_repos_and_endpoints_alone() -> None:
    mischief = Mischief()
    mischief.arm([Fault("commit", times=None, repo="a/b")])
    assert mischief.next_fault("commit", "a/c") is None
    assert mischief.next_fault("tree", "a/b") is None
    assert mischief.next_fault("commit", "a/b")


@pytest.mark.parametrize("fault", [{"endpoint": "comit"}, {"action": "explode"}, {"times": 0}, {"every": 0}])
def test_a_fault_that_makes_no_sense_is_refused(fault: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        Fault(**{"endpoint": "commit", **fault})  # type: ignore[arg-type]


@pytest.mark.parametrize(("per_repo", "expected"), [(False, [True, True, False]), (True, [True, True, True])])
def test_quota_of_a_user_or_of_a_repo(per_repo: bool, expected: list[bool]) -> None:
    mischief = Mischief(quota=Quota(2, per_repo=per_repo))
    assert [mischief.spend("me", repo) for repo in ("a/b", "a/b", "a/c")] == expected


def test_a_refused_commit_spends_no_quota_and_old_ones_are_forgotten() -> None:
    mischief = Mischief(quota=Quota(1))
    assert mischief.spend("me", "a/b")
    mischief.refund("me", "a/b")
    assert mischief.spend("me", "a/b")
    mischief.set_quota(Quota(1, window_seconds=0))
    assert mischief.spend("me", "a/b")
    assert mischief.spend("me", "a/b")


def test_identities_survive_being_stored() -> None:
    identity = Identity("me", "fineGrained", {"wiki": "write"}, (Scope("dataset", "wiki/x", ("repo.write",)),))
    assert parse_identity(json.loads(identity.to_json())) == identity


@pytest.mark.parametrize(
    ("identity", "may_write", "may_create"),
    [
        (Identity("wiki"), True, True),
        (Identity("wiki", "read"), False, False),
        (Identity("other"), False, False),
        (Identity("me", orgs={"wiki": "admin"}), True, True),
        (Identity("me", orgs={"wiki": "write"}), True, True),
        (Identity("me", orgs={"wiki": "contributor"}), False, True),
        (Identity("me", orgs={"wiki": "read"}), False, False),
        (Identity("wiki", "fineGrained"), False, False),
        (Identity("wiki", "fineGrained", scoped=(Scope("user", "wiki", ("repo.write",)),)), True, True),
        (Identity("wiki", "fineGrained", scoped=(Scope("user", "wiki", ("repo.content.read",)),)), False, False),
        (Identity("wiki", "fineGrained", scoped=(Scope("dataset", "wiki/x", ("repo.write",)),)), True, False),
        (Identity("wiki", "fineGrained", scoped=(Scope("dataset", "wiki/y", ("repo.write",)),)), False, False),
        (Identity("me", "fineGrained", scoped=(Scope("org", "wiki", ("repo.write",)),)), False, False),
    ],
)
def test_who_may_write_and_create(identity: Identity, may_write: bool, may_create: bool) -> None:
    assert (identity.may_write("wiki/x"), identity.may_create("wiki")) == (may_write, may_create)


def test_contributors_may_write_to_what_they_created() -> None:
    assert Identity("me", orgs={"wiki": "contributor"}).may_write("wiki/x", creator="me")
