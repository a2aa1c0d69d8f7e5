"""A manifest on the Hub that somebody edited or damaged: named, not believed, rewritten if the files prove ours."""

import io
from collections.abc import Callable

import polars as pl
import pytest

from tests.helpers.instant import LABELS, Account, InstantBox, push
from wikidata.names import one
from wikidata.records.manifest import manifest_path
from wikidata.records.receipt import is_recorded, receipt_path

CARD, MANIFEST, EN_FILE = "README.md", "manifests/chunk_3.csv", "language=en/chunk_3.parquet"


@pytest.fixture
def box(account: Account) -> InstantBox:
    """A box with two chunks to push."""
    return account.new_box("box", {3: 1, 30: 1})


def edited(content: bytes, change: Callable[[pl.DataFrame], pl.DataFrame]) -> bytes:
    return change(pl.read_csv(io.BytesIO(content))).write_csv().encode()


EDITS: dict[str, Callable[[bytes], bytes]] = {
    "a row is gone": lambda content: edited(content, lambda files: files.head(1)),
    "a digest": lambda content: edited(content, lambda files: files.with_columns(sha256=pl.lit("0" * 64))),
    "rows": lambda content: edited(content, lambda files: files.with_columns(rows=pl.lit(7))),
    "cut off": lambda content: content[:-70],
    "cut off in its last digest": lambda content: content[:-20],
    "empty": lambda _: b"",
    "not text": lambda _: bytes(range(256)),
}


@pytest.mark.parametrize("name", EDITS)
def test_a_manifest_that_was_edited_or_damaged_is_named_and_rewritten_if_the_files_prove_ours(
    account: Account, box: InstantBox, name: str
) -> None:
    push(box, 3)
    content = account.read(MANIFEST)
    account.hub.replace_file(account.repo(), MANIFEST, EDITS[name](content))
    seen = box.wikidata("verify", "--table", "labels")
    what = "its files are still those recorded here: any push from here rewrites it"
    assert (seen.returncode, f" {what}" in seen.stdout) == (1, True)
    assert box.wikidata("sync", "--table", "labels").returncode == 1
    done = push(box, 30)
    assert f"labels: warning: {account.repo()}: {MANIFEST} is " in done.stderr
    assert what in done.stderr
    assert account.read(MANIFEST) == content
    assert manifest_path(box.root / "manifests", one(3), LABELS).read_bytes() == content
    assert "2 of 2 chunks are published so far, 2 of 2 parts: 8 rows" in account.read(CARD).decode()
    assert box.wikidata("verify", "--table", "labels").returncode == 0


@pytest.mark.parametrize("name", EDITS)
def test_it_is_not_believed_and_left_alone_if_they_do_not(account: Account, box: InstantBox, name: str) -> None:
    push(box, 3)
    account.hub.replace_file(account.repo(), MANIFEST, content := EDITS[name](account.read(MANIFEST)))
    for path in (EN_FILE, "language=mul/chunk_3.parquet"):
        account.hub.replace_file(account.repo(), path, b"PAR1 something else PAR1")
    done = push(box, 30)
    assert "does not have chunk 3 as it was recorded here: make push CHUNK=3 TABLE=labels" in done.stderr
    assert not is_recorded(box.root / "manifests", 3, LABELS, account.repo())
    assert account.read(MANIFEST) == content
    push(box, 3)
    assert box.wikidata("verify", "--table", "labels", DEEP="all").returncode == 0


@pytest.mark.parametrize("name", ["cut off", "cut off in its last digest", "empty", "not text"])
def test_a_box_without_a_copy_names_what_is_damaged_and_does_not_count_it(
    account: Account, box: InstantBox, name: str
) -> None:
    push(box, 3)
    account.hub.replace_file(account.repo(), MANIFEST, EDITS[name](account.read(MANIFEST)))
    (box.root / "manifests").rename(box.root / "lost")
    damage = f"{account.repo()}: {MANIFEST} is damaged ("
    remedy = "): make push CHUNK=3 TABLE=labels rewrites it\n"
    said = push(box, 30).stderr
    assert said.startswith(f"labels: warning: {damage}")
    assert said.endswith(remedy)
    assert "1 of 2 chunks are published so far, 1 of 2 parts: 4 rows" in account.read(CARD).decode()
    push(box, 3)
    assert box.wikidata("verify", "--table", "labels").returncode == 0


@pytest.mark.parametrize("name", EDITS)
def test_a_push_of_its_chunk_rewrites_it_in_any_case(account: Account, box: InstantBox, name: str) -> None:
    push(box, 3)
    content = account.read(MANIFEST)
    account.hub.replace_file(account.repo(), MANIFEST, EDITS[name](content))
    (manifest_path(box.root / "manifests", one(3), LABELS)).unlink()
    receipt_path(box.root / "manifests", one(3), LABELS).unlink()
    push(box, 3)
    assert account.read(MANIFEST) == content
    assert "1 of 2 chunks are published so far, 1 of 2 parts: 4 rows" in account.read(CARD).decode()
