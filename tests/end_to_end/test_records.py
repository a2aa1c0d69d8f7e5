"""Manifests live in the repos: what is there is the record, `MANIFEST_DIR` is a copy, and files decide between them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from tests.helpers.instant import LABELS, Account, InstantBox, push
from wikidata.config import Table
from wikidata.names import one, packed_path
from wikidata.records.manifest import PACKED_SCHEMA, Manifest, manifest_path
from wikidata.records.receipt import is_recorded, receipt_path

COLUMNS = "manifests/columns.json"
KEY = "language=en"
VERIFY = ("verify", "--table", "labels")
SYNC = ("sync", "--table", "labels")


@pytest.fixture
def box(account: Account) -> InstantBox:
    """A box that has pushed labels of chunk 3, and could push chunk 30."""
    box = account.new_box("box", {3: 1, 30: 1})
    push(box, 3)
    account.hub.reset_counts()
    return box


def copy_of(box: InstantBox, chunk: int) -> Path:
    return manifest_path(box.root / "manifests", one(chunk), LABELS)


def is_believed(account: Account, box: InstantBox, chunk: int) -> bool:
    return is_recorded(box.root / "manifests", chunk, LABELS, account.repo())


def requests(account: Account) -> dict[str, int]:
    return {kind: number for kind, number in account.hub.counts().of(account.repo()).requests.items() if number}


def resize(box: InstantBox, chunk: int, label: str = "another") -> None:
    """Let a chunk have other content than it was pushed with."""
    for path in box.files(LABELS, chunk):
        pl.read_parquet(path, hive_partitioning=False).with_columns(label=pl.lit(label)).write_parquet(path)


def test_each_repo_has_the_manifest_as_plain_sorted_lines_and_no_more_commits_than_before(account: Account) -> None:
    box = account.new_box("box", {3: 1})
    assert box.wikidata("push", "--chunk", "3").returncode == 0
    for table in Table:
        content = account.read("manifests/chunk_3.csv", table)
        assert content == manifest_path(box.root / "manifests", one(3), table).read_bytes()
        head, *lines = content.decode().split("\n")[:-1]
        assert head == "path,size_bytes,sha256,rows,sources_sha256"
        assert lines == sorted(lines)
        assert len(lines) == 2
        assert not set(content) & set(b'\r"')
        files = account.hub.files(account.repo(table))
        for path, size, sha256, _ in (line.split(",", 3) for line in lines):
            assert files[path] == (int(size), sha256)
        assert account.titles(table) == [f"Record chunk 3 of {table}", f"Add chunk 3 of {table}", "initial commit"]


def test_the_manifest_of_a_median_table_of_500_keys_is_small() -> None:
    rows = [
        (packed_path(LABELS, f"be-x-old{number}", one(112)), 350_000, "0" * 64, 50_000, "0" * 64)
        for number in range(500)
    ]
    manifest = Manifest(one(112), LABELS, Path(), pl.DataFrame(rows, schema=PACKED_SCHEMA, orient="row"))
    assert len(manifest.content) < 150_000


def lose(box: InstantBox) -> None:
    shutil.rmtree(box.root / "manifests")


def empty(box: InstantBox) -> None:
    shutil.rmtree(box.root / "manifests" / "chunk_3")


def damage(box: InstantBox) -> None:
    copy_of(box, 3).write_bytes(copy_of(box, 3).read_bytes()[:-20])


def blank(box: InstantBox) -> None:
    copy_of(box, 3).write_bytes(b"")


def garble_receipt(box: InstantBox) -> None:
    receipt_path(box.root / "manifests", one(3), LABELS).write_text('{"repo": ')


def rename_receipt(box: InstantBox) -> None:
    path = receipt_path(box.root / "manifests", one(3), LABELS)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"repo": "somebody/wikidata-labels"}))


def age(box: InstantBox, *, with_receipt: bool = True) -> None:
    """As if a backup had been played back, from before the chunk was pushed again."""
    before = {path: path.read_bytes() for path in copy_of(box, 3).parent.iterdir()}
    resize(box, 3)
    push(box, 3)
    for path, content in before.items():
        path.write_bytes(content)
    if not with_receipt:
        receipt_path(box.root / "manifests", one(3), LABELS).unlink()


def age_without_receipt(box: InstantBox) -> None:
    age(box, with_receipt=False)


RUINS = (lose, empty, damage, blank, age, age_without_receipt)


@pytest.mark.parametrize("ruin", RUINS)
def test_copies_that_are_lost_damaged_or_old_are_restored_by_a_push_of_anything(
    account: Account, box: InstantBox, ruin: Callable[[InstantBox], None]
) -> None:
    ruin(box)
    done = push(box, 30)
    assert "labels: the manifest of chunk 3 was fetched from the Hub\n" in done.stdout
    assert copy_of(box, 3).read_bytes() == account.read("manifests/chunk_3.csv")
    assert is_believed(account, box, 3)
    assert "2 of 2 chunks are published so far" in account.read("README.md").decode()


@pytest.mark.parametrize("ruin", [*RUINS, garble_receipt, rename_receipt])
def test_sync_makes_the_copies_what_the_repo_has(
    account: Account, box: InstantBox, ruin: Callable[[InstantBox], None]
) -> None:
    content, commits = account.read("manifests/chunk_3.csv"), len(account.titles())
    ruin(box)
    if ruin in (age, age_without_receipt):
        content, commits = account.read("manifests/chunk_3.csv"), len(account.titles())
    done = box.wikidata(*SYNC)
    assert done.returncode == 0
    fetched = "" if ruin in (garble_receipt, rename_receipt) else "; 1 manifests fetched"
    assert done.stdout == f"labels: 1 chunks are recorded in {account.repo()}{fetched}\n"
    assert copy_of(box, 3).read_bytes() == content
    assert is_believed(account, box, 3)
    assert len(account.titles()) == commits


def test_nothing_is_fetched_if_nothing_changed_and_one_file_if_one_did(account: Account, box: InstantBox) -> None:
    assert box.wikidata(*SYNC).returncode == 0
    assert requests(account) == {"info": 1, "tree": 1}
    other = account.new_box("other", {30: 1})
    push(other, 30)
    account.hub.reset_counts()
    assert "1 manifests fetched" in box.wikidata(*SYNC).stdout
    assert requests(account) == {"info": 1, "tree": 1, "resolve": 1}


def forget_repo(account: Account) -> None:
    account.api.delete_repo(account.repo(), repo_type="dataset")


def recreate_repo(account: Account) -> None:
    forget_repo(account)
    account.api.create_repo(account.repo(), repo_type="dataset")


def empty_repo(account: Account) -> None:
    for path in account.hub.files(account.repo()):
        if path != ".gitattributes":
            account.hub.delete_file(account.repo(), path)


def take_manifest_and_a_file(account: Account) -> None:
    account.hub.delete_file(account.repo(), "manifests/chunk_3.csv")
    account.hub.replace_file(account.repo(), f"{KEY}/chunk_3.parquet", b"PAR1 something else PAR1")


UNDONE = (forget_repo, recreate_repo, empty_repo, take_manifest_and_a_file)


@pytest.mark.parametrize("undo", UNDONE)
def test_receipts_that_the_hub_does_not_bear_out_are_withdrawn(
    account: Account, box: InstantBox, undo: Callable[[Account], None]
) -> None:
    undo(account)
    seen = box.wikidata(*VERIFY)
    assert seen.returncode == 1
    assert "chunk 3 labels: " in seen.stdout
    assert is_believed(account, box, 3)
    done = push(box, 30)
    assert not is_believed(account, box, 3)
    warning = f"{account.repo()} does not have chunk 3 as it was recorded here: make push CHUNK=3 TABLE=labels"
    assert f"labels: warning: {warning}\n" in done.stderr
    assert "manifests/chunk_3.csv" not in account.hub.files(account.repo())
    assert "1 of 2 chunks" in account.read("README.md").decode()
    push(box, 3)
    assert box.wikidata(*VERIFY).returncode == 0


@pytest.mark.parametrize("undo", UNDONE)
def test_sync_says_what_the_hub_does_not_bear_out(
    account: Account, box: InstantBox, undo: Callable[[Account], None]
) -> None:
    undo(account)
    assert "0 chunks are recorded" in (said := box.wikidata(*SYNC).stdout)
    assert "1 receipts withdrawn" in said
    assert not is_believed(account, box, 3)


def test_a_manifest_that_is_gone_from_the_hub_is_published_again_with_anything(
    account: Account, box: InstantBox
) -> None:
    content = account.read("manifests/chunk_3.csv")
    account.hub.delete_file(account.repo(), "manifests/chunk_3.csv")
    seen = box.wikidata(*VERIFY)
    assert (seen.returncode, "no manifest but the one here" in seen.stdout) == (1, True)
    assert "1 manifests are here alone" in box.wikidata(*SYNC).stdout
    push(box, 30)
    assert account.read("manifests/chunk_3.csv") == content
    assert account.titles()[:2] == ["Record chunk 30 of labels", "Add chunk 30 of labels"]
    assert box.wikidata(*VERIFY).returncode == 0


def test_receipts_of_another_users_repos_are_left_alone(box: InstantBox) -> None:
    before = receipt_path(box.root / "manifests", one(3), LABELS).read_bytes()
    assert "0 chunks are recorded" in box.wikidata(*SYNC, HF_USER="somebody").stdout
    assert receipt_path(box.root / "manifests", one(3), LABELS).read_bytes() == before


@pytest.fixture
def old_box(account: Account) -> InstantBox:
    """A box that had pushed three chunks before the repos recorded anything; chunk 4 has lost a file there."""
    box = account.new_box("box", {3: 1, 4: 1, 5: 1, 30: 1})
    for chunk in (3, 4, 5):
        push(box, chunk)
    account.api.delete_folder("manifests", account.repo(), repo_type="dataset")
    account.hub.delete_file(account.repo(), f"{KEY}/chunk_4.parquet")
    return box


def test_a_repo_from_before_gets_the_manifests_of_all_chunks_that_hold(account: Account, old_box: InstantBox) -> None:
    seen = account.empty_box("new").wikidata(*VERIFY)
    assert seen.returncode == 1
    for chunk, files in ((3, 2), (4, 1), (5, 2)):
        assert f"{files} files, such as " in seen.stdout
        assert f"chunk_{chunk}.parquet, and no manifest: make push CHUNK={chunk} TABLE=labels" in seen.stdout
    done = push(old_box, 30)
    assert "does not have chunk 4 as it was recorded here" in done.stderr
    assert not is_believed(account, old_box, 4)
    paths = [path for path in account.hub.files(account.repo()) if path.startswith("manifests/")]
    assert paths == ["manifests/chunk_3.csv", "manifests/chunk_30.csv", "manifests/chunk_5.csv", COLUMNS]
    assert account.titles()[0] == "Record chunk 30 of labels"
    assert "3 of 4 chunks are published so far" in account.read("README.md").decode()
    seen = account.empty_box("new").wikidata(*VERIFY)
    (line,) = [line for line in seen.stdout.splitlines() if not line.endswith("all there")]
    assert line.startswith(
        f"chunk 4 labels: 0 files in {account.repo()}: 1 files, such as language=mul/chunk_4.parquet"
    )


def test_the_columns_of_a_repo_from_before_still_bind(old_box: InstantBox) -> None:
    for path in old_box.files(LABELS, 30):
        pl.read_parquet(path, hive_partitioning=False).with_columns(unit=pl.lit("m")).write_parquet(path)
    refused = old_box.wikidata("push", "--chunk", "30", "--table", "labels")
    assert refused.returncode == 1
    assert "has the column unit, unlike the published files of chunk 3" in refused.stderr


def test_damaged_columns_are_named_and_rewritten_from_the_copy(account: Account, box: InstantBox) -> None:
    content = account.read(COLUMNS)
    account.hub.replace_file(account.repo(), COLUMNS, content[:-9])
    for words in (VERIFY, SYNC):
        seen = box.wikidata(*words)
        assert (seen.returncode, f"{COLUMNS} is damaged: any push rewrites it" in seen.stdout) == (1, True)
    assert f"labels: warning: {account.repo()}: {COLUMNS} is damaged: any push rewrites it\n" in push(box, 30).stderr
    assert account.read(COLUMNS) == content
    assert box.wikidata(*VERIFY).returncode == 0


def test_a_chunk_that_lost_files_in_a_repo_from_before_is_pushed_without_a_warning(old_box: InstantBox) -> None:
    assert push(old_box, 4).stderr == ""
    assert old_box.wikidata(*VERIFY).returncode == 0
