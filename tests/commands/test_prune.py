"""prune deletes what is no longer produced, and with it the manifest that says it is there."""

import polars as pl
import pytest

from tests.helpers.box import Box
from tests.helpers.instant import LABELS, Account, InstantBox, push
from wikidata.records.receipt import is_recorded

MANIFEST, MUL_FILE = "manifests/chunk_3.csv", "language=mul/chunk_3.parquet"
PRUNE = ("prune", "--chunk", "3", "--table", "labels")


@pytest.fixture
def box(account: Account) -> InstantBox:
    """A box that has pushed labels of two chunks, and lost a key of one of them."""
    box = account.new_box("box", {3: 1, 30: 1})
    push(box, 3)
    push(box, 30)
    (box.root / "results" / "labels" / "language=mul" / "chunk_3-00000-of-00001.parquet").unlink()
    for sidecar in (box.root / "audit" / "labels").iterdir():
        sidecar.unlink()
    return box


def paths(account: Account) -> set[str]:
    return set(account.hub.files(account.repo())) - {".gitattributes", "README.md", "manifests/columns.json"}


def is_believed(account: Account, box: Box, chunk: int) -> bool:
    return is_recorded(box.root / "manifests", chunk, LABELS, account.repo())


def test_a_manifest_goes_with_the_files_that_it_names_and_comes_back_with_the_next_push(
    account: Account, box: InstantBox
) -> None:
    other = account.empty_box("other")
    assert other.wikidata("sync").returncode == 0
    before = paths(account)
    listed = box.wikidata(*PRUNE)
    assert listed.stdout == (
        f"{account.repo()}/{MUL_FILE}\nchunk 3 labels: 1 orphaned files: set YES=1 to delete them\n"
    )
    assert paths(account) == before
    assert is_believed(account, box, 3)
    assert box.wikidata(*PRUNE, YES="1").returncode == 0
    assert paths(account) == before - {MUL_FILE, MANIFEST}
    assert account.titles()[0] == "Remove 1 orphaned files of chunk 3 of labels"
    assert (is_believed(account, box, 3), is_believed(account, box, 30)) == (False, True)
    assert "1 receipts withdrawn" in other.wikidata("sync", "--table", "labels").stdout
    push(box, 3)
    assert paths(account) == before - {MUL_FILE}
    assert pl.read_csv(account.read(MANIFEST))["path"].to_list() == ["language=en/chunk_3.parquet"]
    assert "2 of 2 chunks are published so far, 2 of 2 parts: 6 rows in 2 keys" in account.read("README.md").decode()
    assert other.wikidata("verify").returncode == 0


def test_a_manifest_that_names_none_of_the_orphans_stays(account: Account, box: InstantBox) -> None:
    orphan = "language=en/chunk_3-00000-of-00001.parquet"
    account.hub.replace_file(account.repo(), orphan, b"PAR1 something else PAR1")
    account.hub.delete_file(account.repo(), MUL_FILE)
    before = paths(account)
    assert box.wikidata(*PRUNE, YES="1").returncode == 0
    assert paths(account) == before - {orphan}
    assert is_believed(account, box, 3)


def test_a_receipt_goes_too_if_only_this_box_has_the_manifest(account: Account, box: InstantBox) -> None:
    account.api.delete_folder("manifests", account.repo(), repo_type="dataset")
    assert box.wikidata(*PRUNE, YES="1").returncode == 0
    assert not is_believed(account, box, 3)


def test_a_layout_is_changed_chunk_by_chunk_without_a_row_twice(account: Account) -> None:
    box = account.new_box("box", {3: 2})
    push(box, 3, LAYOUT="files")
    assert "deleted" in box.wikidata(*PRUNE, YES="1", LAYOUT="packed").stdout
    assert paths(account) == set()
    push(box, 3, LAYOUT="packed")
    assert paths(account) == {MANIFEST, MUL_FILE, "language=en/chunk_3.parquet"}
    assert box.wikidata("verify", "--table", "labels", DEEP="all").returncode == 0


def test_a_dry_run_deletes_nothing(account: Account, box: InstantBox) -> None:
    before = paths(account)
    done = box.wikidata(*PRUNE, "--yes", DRY_RUN="1")
    assert (done.returncode, paths(account)) == (0, before)
    assert "1 orphaned files: set YES=1 to delete them" in done.stdout


def test_a_repo_with_both_layouts_is_not_pruned_by_chance(account: Account, box: InstantBox) -> None:
    account.hub.replace_file(account.repo(), "language=en/chunk_3-00000-of-00001.parquet", b"PAR1PAR1PAR1")
    before = paths(account)
    for seed in ("1", "2", "3"):
        done = box.wikidata(*PRUNE, "--yes", LAYOUT="auto", PYTHONHASHSEED=seed)
        assert done.returncode == 1
        assert "has both layouts: say which one stays, LAYOUT=packed or LAYOUT=files" in done.stderr
    assert paths(account) == before
    assert "language=en/chunk_3-00000-of-00001.parquet" in box.wikidata(*PRUNE, "--yes", LAYOUT="packed").stdout
