"""Several at work on one folder: each chunk is pushed once, all is recorded and counted, and nothing is overwritten."""

import json
import os
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from localhub.faults import Fault
from tests.end_to_end.test_fold import edit, files_of, fold, records_of, set_step
from tests.helpers.forking import Done, Forks
from tests.helpers.instant import LABELS, Account, InstantBox, push
from wikidata import push as pushing
from wikidata.config import Settings, Table
from wikidata.errors import ManifestError
from wikidata.names import one
from wikidata.records.failures import last_failures, record_failure
from wikidata.records.lock import hold
from wikidata.records.notices import is_news
from wikidata.records.receipt import is_recorded
from wikidata.report.listener import Listener
from wikidata.session import Session
from wikidata.sync import sync
from wikidata.system.files import write_atomically

PROCESSES = 4


@pytest.fixture
def box(account: Account) -> InstantBox:
    """A box on which chunks 0 to 4 are due."""
    return account.new_box("box", dict.fromkeys(range(5), 2), FOLD="2")


def tick(box: InstantBox, **settings: str) -> tuple[int, str, str]:
    done = box.wikidata("push", QUIET="1", **settings)
    return done.returncode, done.stdout, done.stderr


def steps(box: InstantBox) -> list[set[int]]:
    return [box.steps(chunk) for chunk in range(5)]


def test_twelve_chunks_by_four_processes_are_all_there_recorded_and_counted(account: Account, forks: Forks) -> None:
    box = account.new_box("box", dict.fromkeys(range(12), 1), ATTEMPTS="8")

    def work(first: int) -> list[Done]:
        words = [("push", "--chunk", str(chunk)) for chunk in range(first, 12, PROCESSES)]
        return [forks.run(box.environment, each, instant=True) for each in words]

    with ThreadPoolExecutor(PROCESSES) as pool:
        for done in [each for ended in pool.map(work, range(PROCESSES)) for each in ended]:
            assert (done.returncode, done.stderr) == (0, "")
    for table in Table:
        assert records_of(account, table) == sorted(f"chunk_{chunk}.csv" for chunk in range(12))
        assert "12 of 12 chunks are published so far" in account.read("README.md", table).decode()
        for chunk in range(12):
            assert is_recorded(box.root / "manifests", chunk, table, account.repo(table))
            assert account.titles(table).count(f"Record chunk {chunk} of {table}") == 1
    assert all(box.steps(chunk) == {4} for chunk in range(12))
    assert box.wikidata("verify").stdout.count("all there") == 12 * 5
    assert list((box.root / "staging").iterdir()) == []
    assert [path for path in box.root.rglob("*") if path.name.endswith(".tmp")] == []


def test_a_tick_leaves_the_chunks_that_others_push_to_them(box: InstantBox) -> None:
    with hold(box.root / "manifests", [1], "chunk 1"), hold(box.root / "manifests", [3], "chunk 3"):
        assert tick(box) == (0, "", "")
        assert steps(box) == [{4}, {3}, {4}, {3}, {4}]
        assert tick(box) == (75, "", "")  # there is nothing else to do
        code, _, said = tick(box, LOCK_STALE_HOURS="0.0000001")
        assert (code, f"process {os.getpid()} on " in said) == (75, True)
        set_step(box, 4, 3)
        by_a_person = box.wikidata("push", "--table", "labels")
        assert by_a_person.returncode == 0
        assert by_a_person.stdout.count("holds the lock since") == 2
    assert tick(box) == (0, "", "")
    assert steps(box) == [{4}] * 5


def test_a_fold_and_a_push_of_one_of_its_chunks_exclude_each_other(account: Account, box: InstantBox) -> None:
    set_step(box, 4, 1)
    assert tick(box)[0] == 0
    set_step(box, 4, 3)
    with hold(box.root / "manifests", [1], "chunk 1"):
        done = box.wikidata("fold", "--table", "labels")
        assert (done.returncode, done.stderr) == (75, "")
        assert records_of(account) == ["chunk_0.csv", "chunk_1.csv", "chunk_2-3.csv"]
    with hold(box.root / "manifests", range(2), "fold of chunks 0 to 1"):
        turned_away = box.wikidata("push", "--chunk", "1")
        assert turned_away.returncode == 75
        assert f"process {os.getpid()} on " in turned_away.stderr
        assert "(fold of chunks 0 to 1) holds the lock since" in turned_away.stderr
        push(box, 4)
    fold(box)
    assert files_of(account)["en"] == {"chunk_0-1", "chunk_2-3", "chunk_4"}


def test_pushes_of_chunks_that_were_folded_together_exclude_each_other(account: Account, box: InstantBox) -> None:
    push(box, 0)
    push(box, 1)
    for chunk in (2, 3, 4):
        set_step(box, chunk, 1)
    assert tick(box)[0] == 0
    fold(box)
    with hold(box.root / "manifests", [0], "chunk 0"):
        assert box.wikidata("push", "--chunk", "1", "--table", "labels").returncode == 75
    edit(box, 1, "en", "new")
    shutil.rmtree(box.root / "manifests")  # so that only the repo knows of the fold
    with hold(box.root / "manifests", [0], "chunk 0"):
        assert box.wikidata("push", "--chunk", "1", "--table", "labels").returncode == 75
    push(box, 1)
    assert files_of(account)["en"] == {"chunk_0-1"}
    assert box.wikidata("verify", "--table", "labels", DEEP="all").returncode == 0


def test_what_is_recorded_of_a_chunk_at_work_is_left_to_its_push(box: InstantBox) -> None:
    push(box, 0)
    ours = box.root / "manifests" / "chunk_0" / "labels.csv"
    before, receipt = ours.read_bytes(), ours.with_name("labels.receipt.json")
    planned = b"\n".join(before.splitlines()[:-1]) + b"\n"
    receipt.unlink()  # as a push does that is about to deliver other files
    ours.write_bytes(planned)
    with hold(box.root / "manifests", [0], "chunk 0"):
        push(box, 1)
        assert box.wikidata("sync", "--table", "labels").returncode == 0
        assert (ours.read_bytes(), receipt.exists()) == (planned, False)
    push(box, 2)  # it died
    assert (ours.read_bytes(), receipt.exists()) == (before, True)


def test_what_was_pushed_since_the_repo_was_read_is_not_withdrawn(
    account: Account, box: InstantBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(box, 0)
    old = account.hub.commits(account.repo())[0].oid
    push(box, 1)
    for name, value in box.environment.items():
        monkeypatch.setenv(name, value)
    with Session(Settings.from_environment(os.environ), {LABELS: account.repo()}, Listener()) as session:
        assert sync(session, LABELS, account.repo(), old).withdrawn == ()
        assert is_recorded(box.root / "manifests", 1, LABELS, account.repo())
        with hold(box.root / "manifests", [1], "chunk 1"):
            account.api.delete_repo(account.repo(), repo_type="dataset")
            assert sync(session, LABELS, account.repo(), None).withdrawn == (one(0),)
        assert is_recorded(box.root / "manifests", 1, LABELS, account.repo())
        assert sync(session, LABELS, account.repo(), None).withdrawn == (one(1),)


def test_chunks_at_once_of_which_one_fails(account: Account, box: InstantBox, monkeypatch: pytest.MonkeyPatch) -> None:
    met, original = threading.Barrier(2), pushing.push
    box.files(LABELS, 2)[0].write_bytes(b"")
    set_step(box, 4, 1)

    def push_with_another(*words: object, **more: object) -> object:
        met.wait(60)  # so that it only goes on if two are pushed at once
        return original(*words, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(pushing, "push", push_with_another)
    code, _, said = tick(box, CHUNKS_AT_ONCE="2", ATTEMPTS="8")
    assert code == 1
    assert "labels: language=en/chunk_2-" in said
    assert said.count("wikidata: ") == 1
    assert steps(box)[:4] == [{4}, {4}, {3}, {4}]
    assert [each.chunk for each in last_failures(box.root / "manifests")] == [2]
    assert "3 of 5 chunks are published" in account.read("README.md").decode()


def test_a_quota_stops_all_chunks_that_are_pushed_at_once(account: Account, box: InstantBox) -> None:
    account.hub.set_faults(Fault("info", status=429, times=None, retry_after=600))
    code, _, said = tick(box, CHUNKS_AT_ONCE="2")
    assert (code, account.hub.struck()[0] <= 2 * len(Table)) == (75, True)
    assert said.count("the Hub answered 429") == 1
    account.hub.clear_faults()
    assert steps(box) == [{3}] * 5
    account.hub.reset_counts()
    assert tick(box, CHUNKS_AT_ONCE="2") == (75, "", "")
    assert account.hub.counts().total == 0


def test_what_everybody_writes_loses_nothing(tmp_path: Path) -> None:
    def write(number: int) -> bool:
        record_failure(tmp_path, number, ManifestError(f"chunk {number} is damaged"))
        write_atomically(tmp_path / "page.html", b"page", is_locked=False)
        return is_news(tmp_path, f"subject {number % 4}")

    with ThreadPoolExecutor(16) as pool:
        news = list(pool.map(write, range(64)))
    assert sum(news) == 4
    assert {each.chunk for each in last_failures(tmp_path)} == set(range(64))
    assert len(json.loads((tmp_path / ".notices.json").read_bytes())) == 4
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == [".failures.json", ".locks", ".notices.json", "page.html"]
