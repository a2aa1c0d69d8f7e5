"""Folding: files of consecutive chunks become one for each key; at every revision each row is there once."""

import io
import re
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from localhub.counts import Counts
from localhub.faults import Fault
from tests.helpers.instant import LABELS, Account, InstantBox, push
from tests.helpers.revisions import assert_whole_at_every_revision, rows_here, rows_there
from wikidata import exchange, rewrite
from wikidata.config import Table
from wikidata.dataset import folding
from wikidata.errors import NotArrivedError
from wikidata.records.receipt import is_recorded

CHUNKS = range(5)


@pytest.fixture
def box(account: Account) -> InstantBox:
    """A box that folds two chunks at a time; 0 to 3 are pushed, and 4 is not complete."""
    box = account.new_box("box", dict.fromkeys(CHUNKS, 2), keys=3, FOLD="2")
    set_step(box, 4, 1)
    assert box.wikidata("push").returncode == 0
    return box


@pytest.fixture
def folded(box: InstantBox) -> InstantBox:
    """The same, when labels are folded."""
    fold(box)
    return box


def set_step(box: InstantBox, chunk: int, step: int) -> None:
    (box.root / "state" / f"chunk_{chunk}-00001-of-00002.jsonl").write_text(f'{{"step": {step}}}')


def fold(box: InstantBox, **settings: str) -> str:
    done = box.wikidata("fold", "--table", "labels", **settings)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def files_of(account: Account, table: Table = LABELS) -> dict[str, set[str]]:
    """The names of the data files of each key."""
    files: dict[str, set[str]] = {}
    for path in account.hub.files(account.repo(table)):
        folder, _, name = path.partition("/")
        if "=" in folder:
            files.setdefault(folder.partition("=")[2], set()).add(name.removesuffix(".parquet"))
    return files


def records_of(account: Account, table: Table = LABELS) -> list[str]:
    paths = account.hub.files(account.repo(table))
    return sorted(path.partition("/")[2] for path in paths if path.startswith("manifests/chunk"))


def edit(box: InstantBox, chunk: int, key: str, text: str | None) -> None:
    """Change the label of every row of a key of a chunk, or remove the key."""
    for sidecar in (box.root / "audit" / "labels").glob(f"chunk_{chunk}-*"):
        sidecar.unlink()
    for path in (box.root / "results" / "labels" / f"language={key}").glob(f"chunk_{chunk}-*.parquet"):
        frame = pl.read_parquet(path, hive_partitioning=False)
        path.unlink()
        if text is not None:
            frame.with_columns(label=pl.lit(text)).write_parquet(path)


def asked(account: Account, box: InstantBox, *words: str) -> Counts:
    account.hub.reset_counts()
    done = box.wikidata(*words)
    assert done.returncode == 0, done.stderr
    return account.hub.counts()


def assert_sound(account: Account, box: InstantBox, *before: object) -> None:
    """Every revision is whole, each chunk is recorded, and what is recorded is there."""
    assert_whole_at_every_revision(account, LABELS, [rows_here(box, LABELS, chunk) for chunk in range(4)], *before)  # type: ignore[arg-type]
    for chunk in range(4):
        assert is_recorded(box.root / "manifests", chunk, LABELS, account.repo())
    verified = box.wikidata("verify", "--table", "labels", DEEP="all")
    assert verified.returncode == 0, verified.stdout


def test_blocks_of_pushed_chunks_are_folded(account: Account, box: InstantBox) -> None:
    done = box.wikidata("fold")
    assert (done.returncode, done.stderr) == (0, "")
    assert "chunks 0 to 1 labels: 3 files" in done.stdout
    assert f"are in {account.repo()} in place of 6\n" in done.stdout
    for table in Table:
        assert set(map(frozenset, files_of(account, table).values())) == {frozenset({"chunk_0-1", "chunk_2-3"})}
        assert len(files_of(account, table)) == 3
        assert records_of(account, table) == ["chunk_0-1.csv", "chunk_2-3.csv"]
        assert_whole_at_every_revision(account, table, [rows_here(box, table, chunk) for chunk in range(4)])
    assert_sound(account, box)
    assert not any(path.startswith("folding/") for path in account.hub.files(account.repo()))
    card = account.read("README.md").decode()
    assert ("4 of 5 chunks are published" in card, "viewer: false" in card) == (True, True)
    assert account.titles()[:4] == [
        "Fold chunks 2 to 3 of labels",
        "Send: Fold chunks 2 to 3 of labels",
        "Fold chunks 0 to 1 of labels",
        "Send: Fold chunks 0 to 1 of labels",
    ]


def test_a_fold_with_nothing_to_do_asks_nothing_and_says_nothing(account: Account, folded: InstantBox) -> None:
    account.hub.reset_counts()
    assert fold(folded) == ""
    assert fold(folded, FOLD="0") == ""
    assert account.hub.counts().total == 0


def test_when_all_chunks_are_pushed_they_are_folded_once_more(account: Account, folded: InstantBox) -> None:
    set_step(folded, 4, 3)
    push(folded, 4)
    for part in range(2):
        (folded.root / "state" / f"chunk_4-0000{part}-of-00002.jsonl").write_text('{"step": 4}')
    assert "chunks 0 to 4 labels: 3 files" in fold(folded)
    assert set(map(frozenset, files_of(account).values())) == {frozenset({"chunk_0-4"})}
    assert records_of(account) == ["chunk_0-4.csv"]
    card = account.read("README.md").decode()
    assert ("5 of 5 chunks are published" in card, "viewer: false" in card) == (True, False)
    assert_whole_at_every_revision(account, LABELS, [rows_here(folded, LABELS, chunk) for chunk in CHUNKS])
    account.hub.reset_counts()
    assert fold(folded) == ""
    assert account.hub.counts().total == 0


def test_a_folded_file_is_no_larger_than_asked_for_and_ends_with_a_chunk(account: Account, box: InstantBox) -> None:
    sizes = {path: file.size for path, file in account.hub.files(account.repo()).items() if "=" in path}
    size_bytes = sum(size for path, size in sizes.items() if path.startswith("language=en/")) * 3 // 4
    fold(box, FOLD="4", FOLD_BYTES=str(size_bytes))
    assert files_of(account)["en"] == {"chunk_0-2", "chunk_3"}
    assert records_of(account) == ["chunk_0-3.csv"]
    assert_sound(account, box)


def test_rows_come_from_the_hub_if_the_partition_files_are_gone_or_changed(account: Account, box: InstantBox) -> None:
    rows = [rows_here(box, LABELS, chunk) for chunk in range(4)]
    edit(box, 0, "en", "another")
    for path in box.files(LABELS, 1):
        path.unlink()
    fold(box)
    assert_whole_at_every_revision(account, LABELS, rows)
    assert files_of(account)["en"] == {"chunk_0-1", "chunk_2-3"}


def test_nothing_is_downloaded_if_the_partition_files_are_as_they_were(
    account: Account, box: InstantBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetch(*_: object) -> None:
        raise NotArrivedError("a file is fetched")

    monkeypatch.setattr(exchange, "fetch_file", fetch)
    fold(box)
    assert_sound(account, box)
    assert "a file is fetched" in box.wikidata("fold", "--table", "labels", FOLD="4").stderr  # of folded ones


def fetched(box: InstantBox, monkeypatch: pytest.MonkeyPatch, log: Path) -> tuple[list[str], str]:
    """Fold; the names of the files of English that were downloaded, and what was said on stderr."""
    fetch = exchange.fetch_file

    def logged(*arguments: Any) -> Path:
        with log.open("a") as file:
            file.write(f"{arguments[3].path}\n")
        return fetch(*arguments)

    log.touch()
    monkeypatch.setattr(exchange, "fetch_file", logged)
    done = box.wikidata("fold", "--table", "labels")
    assert done.returncode == 0, done.stderr
    paths = sorted(path for path in log.read_text().split() if path.startswith("language=en/"))
    return [path.rpartition("/")[2] for path in paths], done.stderr


def test_rows_come_from_the_hub_if_partition_files_only_look_as_they_were(
    account: Account, box: InstantBox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rows = [rows_here(box, LABELS, chunk) for chunk in range(4)]
    for chunk in (0, 1):
        path = next(path for path in box.files(LABELS, chunk) if "language=en" in str(path))
        path.write_bytes(path.read_bytes().replace(b"PAR1", b"PAR2"))
    paths, said = fetched(box, monkeypatch, tmp_path / "log")
    assert paths == ["chunk_0.parquet", "chunk_1.parquet"]
    changed = "labels: warning: language=en/chunk_[01]-.* is no longer what it was when it was pushed"
    assert re.search(f"{changed}: all rows of chunks 0 and 1 are taken from {account.repo()}", said)
    assert_whole_at_every_revision(account, LABELS, rows)
    assert files_of(account)["en"] == {"chunk_0-1", "chunk_2-3"}


def test_rows_come_from_the_hub_if_it_is_not_known_what_they_were_packed_from(
    account: Account, box: InstantBox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    manifests = box.root / "manifests"
    (manifests / "chunk_0" / "labels.sources.csv").write_text("path\n")
    (manifests / "chunk_2" / "labels.sources.csv").unlink()
    paths, said = fetched(box, monkeypatch, tmp_path / "log")
    assert (paths, said) == (["chunk_0.parquet", "chunk_2.parquet"], "")
    assert_sound(account, box)


def test_the_same_bytes_come_of_rows_here_and_of_rows_on_the_hub(account: Account, box: InstantBox) -> None:
    other = account.empty_box("other", FOLD="2")
    shutil.copytree(box.root / "state", other.root / "state")
    assert "chunks 0 to 1" in fold(other)  # a box that has nothing but the state: from the Hub
    files = account.hub.files(account.repo())
    account.api.delete_repo(account.repo(), repo_type="dataset")
    for chunk in range(4):
        push(box, chunk)
    fold(box)
    assert account.hub.files(account.repo()) == files
    assert_sound(account, box)


def test_order_columns_and_types_stay(account: Account, box: InstantBox) -> None:
    paths = [f"language=en/chunk_{chunk}.parquet" for chunk in (0, 1)]
    before = pl.concat([pl.read_parquet(io.BytesIO(account.read(path)), hive_partitioning=False) for path in paths])
    fold(box)
    after = pl.read_parquet(io.BytesIO(account.read("language=en/chunk_0-1.parquet")), hive_partitioning=False)
    assert after.equals(before)
    assert after.schema == before.schema
    lines = account.read("manifests/chunk_0-1.csv").decode().splitlines()
    assert lines[0] == "path,size_bytes,sha256,chunk,first_row,rows,sources_sha256"
    places = [line.split(",")[3:6] for line in lines if line.startswith("language=en/")]
    assert places == [["0", "0", "4"], ["1", "4", "4"]]


def test_an_unchanged_chunk_pushed_again_uploads_nothing(account: Account, folded: InstantBox) -> None:
    before = account.titles()
    assert "0 of them uploaded now" in push(folded, 1).stdout
    assert account.titles() == before
    assert_sound(account, folded)


@pytest.mark.parametrize("text", ["another", None], ids=["changed", "removed"])
def test_of_a_folded_chunk_just_its_rows_are_replaced(account: Account, folded: InstantBox, text: str | None) -> None:
    rows = [rows_here(folded, LABELS, chunk) for chunk in range(4)]
    before = account.hub.files(account.repo())
    edit(folded, 1, "en", text)
    counts = asked(account, folded, "push", "--chunk", "1", "--table", "labels").of(account.repo())
    assert counts.commits == 2
    after = account.hub.files(account.repo())
    changed = {path for path in {*before, *after} if before.get(path) != after.get(path)}
    assert changed == {"language=en/chunk_0-1.parquet", "manifests/chunk_0-1.csv", "README.md"}
    assert_sound(account, folded, rows)
    assert "0 of them uploaded now" in push(folded, 1).stdout


def test_a_folded_chunk_that_loses_all_of_a_key_loses_its_file(account: Account, folded: InstantBox) -> None:
    rows = [rows_here(folded, LABELS, chunk) for chunk in range(4)]
    edit(folded, 0, "en", None)
    push(folded, 0)
    assert files_of(account)["en"] == {"chunk_0-1", "chunk_2-3"}
    edit(folded, 1, "en", None)
    between = [rows_here(folded, LABELS, 0), *rows[1:]]
    push(folded, 1)
    assert files_of(account)["en"] == {"chunk_2-3"}
    assert_sound(account, folded, rows, between)


def test_a_folded_chunk_that_gains_a_key_has_a_file_of_its_own_for_it(account: Account, folded: InstantBox) -> None:
    rows = [rows_here(folded, LABELS, chunk) for chunk in range(4)]
    folder = folded.root / "results" / "labels"
    for sidecar in (folded.root / "audit" / "labels").glob("chunk_1-*"):
        sidecar.unlink()
    shutil.copytree(folder / "language=en", folder / "language=zxx")
    for path in (folder / "language=zxx").iterdir():
        if path.name.startswith("chunk_1-"):
            pl.read_parquet(path, hive_partitioning=False).with_columns(language=pl.lit("zxx")).write_parquet(path)
        else:
            path.unlink()
    push(folded, 1)
    assert files_of(account)["zxx"] == {"chunk_1"}
    assert records_of(account) == ["chunk_0-1.csv", "chunk_2-3.csv"]
    assert_sound(account, folded, rows)


@pytest.mark.parametrize("is_deleted", [True, False], ids=["deleted", "edited"])
def test_a_folded_file_that_somebody_deleted_or_edited_is_restored_by_a_push(
    account: Account, folded: InstantBox, *, is_deleted: bool
) -> None:
    path = "language=en/chunk_0-1.parquet"
    before = account.hub.files(account.repo())
    if is_deleted:
        account.api.delete_file(path, account.repo(), repo_type="dataset")
    else:
        account.hub.replace_file(account.repo(), path, b"PAR1 edited PAR1")
    verified = folded.wikidata("verify", "--table", "labels")
    assert verified.returncode == 1
    assert f"1 are {'missing' if is_deleted else 'different'}, such as {path}: make push CHUNK=0" in verified.stdout
    for chunk in (4, 5, 6):
        account.hub.replace_file(account.repo(), f"note-{chunk}.txt", b"commits in between")
    assert "1 of them uploaded now" in push(folded, 0).stdout
    after = account.hub.files(account.repo())
    assert {each for each in before if before[each] != after[each]} <= {"README.md"}
    assert folded.wikidata("verify", "--table", "labels", DEEP="all").returncode == 0


def test_many_keys_are_folded_in_several_commits(
    account: Account, box: InstantBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rewrite.folding, "__defaults__", (6,))
    fold(box)
    assert account.titles()[:12].count("Fold chunks 0 to 1 of labels") == 3
    assert records_of(account) == ["chunk_0-1.csv", "chunk_2-3.csv"]
    assert_sound(account, box)


def test_a_chunk_of_which_some_keys_are_folded_and_others_not_yet_can_be_pushed(
    account: Account, box: InstantBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [rows_here(box, LABELS, chunk) for chunk in range(4)]
    monkeypatch.setattr(rewrite.folding, "__defaults__", (6,))
    account.hub.set_faults(Fault("commit", skip=3, status=403))  # send, exchange, send
    assert box.wikidata("fold", "--table", "labels").returncode == 1
    account.hub.clear_faults()
    assert records_of(account)[:3] == ["chunk_0-1.csv", "chunk_0.csv", "chunk_1.csv"]
    assert box.wikidata("verify", "--table", "labels").returncode == 0
    assert "0 of them uploaded now" in push(box, 0).stdout
    for key in files_of(account):
        edit(box, 0, key, "another")
    assert "3 of them uploaded now" in push(box, 0).stdout
    assert box.wikidata("verify", "--table", "labels", DEEP="all").returncode == 0
    fold(box)
    assert records_of(account) == ["chunk_0-1.csv", "chunk_2-3.csv"]
    assert_sound(account, box, rows)


def test_another_box_learns_of_a_fold(account: Account, box: InstantBox) -> None:
    other = account.empty_box("other", FOLD="2")
    shutil.copytree(box.root / "manifests", other.root / "manifests")
    fold(box)
    synced = other.wikidata("sync", "--table", "labels")
    assert (synced.returncode, "4 chunks are recorded" in synced.stdout) == (0, True)
    assert "withdrawn" not in synced.stdout
    for chunk in range(4):
        assert is_recorded(other.root / "manifests", chunk, LABELS, account.repo())
    assert not (other.root / "manifests" / "chunk_0" / "labels.csv").exists()


def test_a_dry_run_changes_nothing(account: Account, box: InstantBox) -> None:
    before, files = box.snapshot(), account.hub.files(account.repo())
    done = box.wikidata("fold", "--table", "labels", "--dry-run")
    assert done.returncode == 0
    assert [line.split()[:6] for line in done.stdout.splitlines()[1:]] == [
        ["chunks", "0", "to", "1", "labels", "6"],
        ["chunks", "2", "to", "3", "labels", "6"],
    ]
    assert account.hub.files(account.repo()) == files
    assert box.snapshot() == before


def test_a_dataset_of_partition_files_is_never_folded(account: Account) -> None:
    box = account.new_box("files", {0: 1, 1: 1}, LAYOUT="files")
    assert box.wikidata("push", "--table", "labels").returncode == 0
    for chunk in (0, 1):
        (box.root / "state" / f"chunk_{chunk}-00000-of-00001.jsonl").write_text('{"step": 4}')
    account.hub.reset_counts()
    assert fold(box, LAYOUT="auto") == ""
    assert account.hub.counts().total == 0


def test_rows_of_small_row_groups_are_put_together_and_large_ones_kept(
    account: Account, box: InstantBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyarrow.parquet as pq

    fold(box)
    groups = pq.ParquetFile(io.BytesIO(account.read("language=en/chunk_0-1.parquet"))).num_row_groups
    monkeypatch.setattr(folding, "KEPT_ROW_GROUP_BYTES", 1)
    set_step(box, 4, 3)
    push(box, 4)
    account.api.delete_repo(account.repo(), repo_type="dataset")
    for chunk in range(4):
        push(box, chunk)
    fold(box)
    kept = pq.ParquetFile(io.BytesIO(account.read("language=en/chunk_0-1.parquet"))).num_row_groups
    assert (groups, kept) == (1, 2)
    assert rows_there(account, LABELS) >= rows_here(box, LABELS, 0)
