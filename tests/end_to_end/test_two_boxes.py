"""Two boxes that share nothing but the repos: what either has pushed is there, counted, and known to the other."""

import shutil
from concurrent.futures import ThreadPoolExecutor

import polars as pl
import pytest

from tests.helpers.forking import Forks
from tests.helpers.instant import LABELS, Account, InstantBox, push
from wikidata.config import Table
from wikidata.records.receipt import is_recorded

ROUNDS = range(3)
CHUNKS = {"here": range(5), "there": range(5, 10)}


@pytest.fixture
def here(account: Account) -> InstantBox:
    """A box whose chunk 3 is pushed."""
    box = account.new_box("here", {3: 1})
    assert box.wikidata("push").returncode == 0
    return box


@pytest.fixture
def there(account: Account) -> InstantBox:
    """A box that has the pipeline's output of chunk 30."""
    return account.new_box("there", {30: 1})


def card_of(account: Account, table: Table = LABELS) -> str:
    return account.read("README.md", table).decode()


def test_the_card_counts_the_chunks_of_both(account: Account, here: InstantBox, there: InstantBox) -> None:
    done = there.wikidata("push")
    assert done.returncode == 0, done.stderr
    for table in Table:
        assert "2 of 2 chunks are published so far: 8 rows in 2 keys" in card_of(account, table)
        assert f"{table}: the manifest of chunk 3 was fetched from the Hub\n" in done.stdout
        assert is_recorded(there.root / "manifests", 3, table, account.repo(table))
    assert there.steps(30) == {4}
    assert here.wikidata("verify").stdout.count("all there") == 10


def test_a_card_does_not_forget_the_chunks_of_a_lost_folder_of_manifests(account: Account) -> None:
    box = account.new_box("box", {3: 1, 30: 1})
    push(box, 3)
    shutil.rmtree(box.root / "manifests")
    push(box, 30)
    assert "2 of 2 chunks are published so far, 2 of 2 parts: 8 rows in 2 keys" in card_of(account)


@pytest.mark.parametrize("layout", ["packed", "files"])
def test_a_second_schema_is_refused(account: Account, here: InstantBox, there: InstantBox, layout: str) -> None:
    if layout == "files":
        account.api.delete_repo(account.repo(), repo_type="dataset")
        push(here, 3, LAYOUT="files")
    before = account.titles()
    for path in there.files(LABELS, 30):
        pl.read_parquet(path, hive_partitioning=False).with_columns(unit=pl.lit("m")).write_parquet(path)
    refused = there.wikidata("push", LAYOUT="auto")
    assert refused.returncode == 1
    (line,) = refused.stderr.splitlines()
    difference = "has the column unit, unlike the published files of chunk 3: recreate "
    assert f"labels: language=en/chunk_30-00000-of-00001.parquet {difference}" in line
    assert account.titles() == before
    assert there.steps(30) == {3}


def test_a_chunk_that_the_other_box_has_pushed_is_only_recorded_here(account: Account, here: InstantBox) -> None:
    other = account.empty_box("other")
    for folder in ("state", "results", "audit"):
        shutil.copytree(here.root / folder, other.root / folder)
    before = account.titles()
    done = other.wikidata("push", "--chunk", "3")
    assert done.returncode == 0
    assert done.stdout.count("0 of them uploaded now") == 5
    assert account.titles() == before
    assert other.steps(3) == {4}


def test_what_the_other_box_has_added_to_a_chunk_is_not_taken_for_an_edit(account: Account) -> None:
    here, other = account.new_box("here", {3: 1}), account.new_box("other", {3: 1})
    for sidecar in (here.root / "audit" / "labels").iterdir():
        sidecar.unlink()
    (here.root / "results" / "labels" / "language=mul" / "chunk_3-00000-of-00001.parquet").unlink()
    push(here, 3)
    push(other, 3)
    synced = here.wikidata("sync", "--table", "labels")
    assert (synced.returncode, "; 1 manifests fetched\n" in synced.stdout) == (0, True)
    assert here.wikidata("verify", "--table", "labels").returncode == 0


@pytest.mark.parametrize("number", ROUNDS)
def test_two_boxes_push_five_chunks_each_at_once(account: Account, forks: Forks, number: int) -> None:
    boxes = {
        name: account.new_box(name, dict.fromkeys(chunks, 1), ATTEMPTS="30", RETRY_SECONDS="0.02")
        for name, chunks in CHUNKS.items()
    }
    with ThreadPoolExecutor(len(boxes)) as pool:
        jobs = {name: pool.submit(forks.run, box.environment, ("push",), instant=True) for name, box in boxes.items()}
    for name, job in jobs.items():
        assert job.result().returncode == 0, (number, name, job.result().output)
    for table in Table:
        assert_all_is_there(account, table)
        for name, box in boxes.items():
            for chunk in CHUNKS[name]:
                assert is_recorded(box.root / "manifests", chunk, table, account.repo(table))
                assert box.steps(chunk) == {4}
    for box in boxes.values():
        assert box.wikidata("verify").stdout.count("all there") == 5 * 10


def assert_all_is_there(account: Account, table: Table) -> None:
    """The files of all ten chunks are in a repo and nothing else, recorded once each, and counted by the card."""
    files = account.hub.files(account.repo(table))
    manifests = [pl.read_csv(account.read(f"manifests/chunk_{chunk}.csv", table)) for chunk in range(10)]
    recorded = pl.concat(manifests)
    data = {path: file for path, file in files.items() if "=" in path}
    assert {path: (size, sha256) for path, size, sha256, *_ in recorded.iter_rows()} == data
    assert len(data) == recorded.height == 20
    assert sum(path.startswith("manifests/chunk_") for path in files) == 10
    rows = sum(pl.read_parquet(account.read(path, table)).height for path in data)
    assert rows == recorded["rows"].sum()
    assert f"10 of 10 chunks are published so far: {rows} rows in 2 keys" in card_of(account, table)
