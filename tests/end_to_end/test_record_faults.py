"""Faults at the commit of manifest and card: what is not there is not believed, and the next push completes it."""

import json
from collections.abc import Callable
from itertools import count

import polars as pl
import pytest

from localhub.faults import Fault
from tests.helpers.box import Box
from tests.helpers.forking import Done, Forks
from tests.helpers.instant import LABELS, Account, InstantBox, push
from wikidata.config import Table
from wikidata.hub.client import Hub
from wikidata.names import one
from wikidata.records.manifest import manifest_path
from wikidata.records.receipt import is_recorded

CARD, MANIFEST, EN_FILE = "README.md", "manifests/chunk_3.csv", "language=en/chunk_3.parquet"
LINKS_FILE = "site=enwiki/chunk_3.parquet"
PUSH_3 = ("push", "--chunk", "3", "--table", "labels")


@pytest.fixture
def box(account: Account) -> InstantBox:
    """A box with two chunks to push, which waits for an answer for 0.3 seconds."""
    return account.new_box("box", {3: 1, 30: 1}, STALL_MINUTES="0.005")


def fork(forks: Forks, box: Box, *words: str, die_at: int | None = None) -> Done:
    """Run a command that may die before an effect."""
    return forks.run(box.environment, words, instant=True, mortal=True, die_at=die_at)


def is_believed(account: Account, box: Box, chunk: int = 3, table: Table = LABELS) -> bool:
    return is_recorded(box.root / "manifests", chunk, table, account.repo(table))


def records(account: Account, chunk: int = 3) -> int:
    """How often a chunk was recorded."""
    return account.titles().count(f"Record chunk {chunk} of labels")


@pytest.mark.parametrize(
    "fault",
    [
        Fault("commit", skip=1, status=503),
        Fault("commit", skip=1, status=504, lands=True),
        Fault("commit", skip=1, action="close"),
        Fault("commit", skip=1, action="close", lands=True),
        Fault("commit", skip=1, action="hang"),
        Fault("commit", skip=1, action="hang", lands=True),
        Fault("commit", skip=1, status=412),
    ],
    ids=lambda fault: f"{fault.action}-{fault.status}{'-landed' if fault.lands else ''}",
)
def test_a_record_that_fails_or_whose_answer_is_lost_is_there_once(
    account: Account, box: InstantBox, fault: Fault
) -> None:
    account.hub.set_faults(fault)
    assert push(box, 3).stderr == ""
    assert account.hub.struck() == [1]
    assert records(account) == 1
    assert "1 of 2 chunks" in account.read(CARD).decode()
    assert is_believed(account, box)


def test_a_record_that_is_refused_leaves_nothing_believed_and_the_next_push_completes_it(
    account: Account, box: InstantBox
) -> None:
    account.hub.set_faults(Fault("commit", skip=1, times=None, status=403, message="No records here."))
    refused = box.wikidata(*PUSH_3)
    assert (refused.returncode, "No records here." in refused.stderr) == (1, True)
    assert not is_believed(account, box)
    assert account.titles() == ["Add chunk 3 of labels", "initial commit"]
    account.hub.clear_faults()
    assert "0 of them uploaded now" in push(box, 3).stdout
    assert records(account) == 1
    assert is_believed(account, box)


def test_death_before_and_after_the_record_is_completed_by_the_next_push(account: Account, forks: Forks) -> None:
    whole = fork(forks, account.new_box("labels", {3: 1}), *PUSH_3)
    commits = [number for number, effect in enumerate(whole.effects) if "/commit/" in effect]
    assert len(commits) == 2  # of data, and of the record
    for table, number, is_there in ((Table.ALIASES, commits[1], 0), (Table.CLAIMS, commits[1] + 2, 1)):  # head and body
        box, words = account.new_box(table, {3: 1}), ("push", "--chunk", "3", "--table", table.value)
        assert fork(forks, box, *words, die_at=number).returncode == -9
        record = f"Record chunk 3 of {table}"
        assert account.titles(table).count(record) == is_there
        assert (MANIFEST in account.hub.files(account.repo(table))) == is_there
        assert not is_believed(account, box, table=table)
        assert fork(forks, box, *words).returncode == 0
        assert account.titles(table).count(record) == 1
        assert is_believed(account, box, table=table)


def edit_card(account: Account) -> None:
    account.hub.replace_file(account.repo(), CARD, b"---\ngated: false\n---\nEdited meanwhile.\n")


def record_another(account: Account) -> None:
    line = f"language=en/chunk_30.parquet,1000,{'0' * 64},5"
    content = f"path,size_bytes,sha256,rows\n{line}\n".encode()
    account.hub.replace_file(account.repo(), "manifests/chunk_30.csv", content)


def damage_another(account: Account) -> None:
    account.hub.replace_file(account.repo(), "manifests/chunk_9.csv", b"path\n")


@pytest.mark.parametrize(
    ("meddle", "said"),
    [
        (edit_card, ("Edited meanwhile.", "gated: false", "1 of 2 chunks")),
        (record_another, ("2 of 2 chunks are published so far, 2 of 2 parts: 9 rows",)),
        (damage_another, ("1 of 2 chunks",)),
    ],
)
def test_what_somebody_commits_in_between_is_read_and_kept(
    account: Account,
    box: InstantBox,
    monkeypatch: pytest.MonkeyPatch,
    meddle: Callable[[Account], None],
    said: tuple[str, ...],
) -> None:
    commit, parents = Hub.commit, []

    def commit_late(hub: Hub, repo_id: str, parent: str | None, *rest: object) -> None:
        parents.append(parent)
        if len(parents) == 1:
            meddle(account)
        commit(hub, repo_id, parent, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Hub, "commit", commit_late)
    assert push(box, 3).stderr == ""
    assert len(set(parents)) == len(parents) == 2
    assert records(account) == 1
    card = account.read(CARD).decode()
    assert all(each in card for each in said), card
    assert is_believed(account, box)


def test_a_race_that_never_ends_is_given_up_after_all_attempts(
    account: Account, box: InstantBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit, tries = Hub.commit, count()

    def commit_late(hub: Hub, repo_id: str, *rest: object) -> None:
        account.hub.replace_file(repo_id, "notes", str(next(tries)).encode())
        commit(hub, repo_id, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Hub, "commit", commit_late)
    lost = box.wikidata(*PUSH_3, ATTEMPTS="4")
    assert lost.returncode == 75
    assert next(tries) == 4
    assert not is_believed(account, box)


ALWAYS_412 = Fault("commit", status=412, skip=1, times=2)
"""As for a token that meets it at every commit with a parent: the third try has none."""


def a_day_later(box: Box) -> None:
    notices = box.root / "manifests" / ".notices.json"
    notices.write_text(json.dumps(dict.fromkeys(json.loads(notices.read_text()), 0)))


def test_with_a_token_that_always_meets_412_the_manifest_goes_up_and_the_card_is_told(
    account: Account, box: InstantBox
) -> None:
    account.hub.set_faults(ALWAYS_412)
    told = f"labels: warning: the Hub refuses every commit to {account.repo()} that names its parent\n"
    assert push(box, 3).stderr == told
    assert records(account) == 1
    assert MANIFEST in (files := account.hub.files(account.repo()))
    assert CARD not in files
    assert is_believed(account, box)
    a_day_later(box)
    before = account.titles()
    account.hub.set_faults(Fault("commit", status=412, times=None))
    state = box.root / "state"
    state.rename(box.root / "later")  # nothing is due but the card
    state.mkdir()
    assert box.wikidata("push").stderr == told
    assert account.titles() == before
    a_day_later(box)
    account.hub.clear_faults()
    assert box.wikidata("push").returncode == 0
    assert account.titles() == ["Update the card of labels", *before]
    assert "1 of 1 chunks are published so far: 4 rows" in account.read(CARD).decode()


def test_a_card_that_is_tried_again_in_a_repo_from_before_counts_what_it_has(account: Account, box: InstantBox) -> None:
    account.hub.set_faults(ALWAYS_412)
    push(box, 3)
    account.api.delete_folder("manifests", account.repo(), repo_type="dataset")
    a_day_later(box)
    (box.root / "state").rename(box.root / "later")
    (box.root / "state").mkdir()
    assert box.wikidata("push").returncode == 0
    assert "1 of 1 chunks are published so far" in account.read(CARD).decode()
    assert MANIFEST in account.hub.files(account.repo())


def test_a_push_whose_record_was_refused_is_left_to_the_next_push_of_its_chunk(
    account: Account, box: InstantBox
) -> None:
    push(box, 3)
    before = account.read(MANIFEST)
    for path in box.files(LABELS, 3):
        pl.read_parquet(path, hive_partitioning=False).with_columns(label=pl.lit("new")).write_parquet(path)
    account.hub.set_faults(Fault("commit", skip=1, times=None, status=403))
    assert box.wikidata(*PUSH_3).returncode == 1
    account.hub.clear_faults()
    assert push(box, 30).stderr == ""
    assert not is_believed(account, box)
    assert account.read(MANIFEST) == before
    push(box, 3)
    assert account.read(MANIFEST) == manifest_path(box.root / "manifests", one(3), LABELS).read_bytes() != before


def test_a_chunk_with_one_more_key_is_recorded_although_somebody_commits_in_between(
    account: Account, box: InstantBox
) -> None:
    for sidecar in (box.root / "audit" / "labels").iterdir():
        sidecar.unlink()
    more = box.root / "results" / "labels" / "language=mul" / "chunk_3-00000-of-00001.parquet"
    more.rename(box.root / "later")
    push(box, 3)
    (box.root / "later").rename(more)
    without_sources = pl.read_csv(account.read(MANIFEST)).drop("sources_sha256")
    account.hub.set_faults(
        Fault("commit", action="replace_file", path=MANIFEST, content=without_sources.write_csv()),
        Fault("commit", status=412),
    )
    push(box, 3)
    assert account.hub.struck() == [1, 1]
    assert is_believed(account, box)
    assert account.read(MANIFEST) == manifest_path(box.root / "manifests", one(3), LABELS).read_bytes()


def test_a_receipt_is_withdrawn_before_its_files_are_delivered_again(account: Account, forks: Forks) -> None:
    box = account.new_box("box", {3: 1})
    for table in ("labels", "descriptions", "aliases", "links"):
        assert box.wikidata("push", "--chunk", "3", "--table", table).returncode == 0
    account.hub.delete_file(account.repo(), EN_FILE)
    account.hub.delete_file(account.repo(Table.LINKS), LINKS_FILE)
    whole = fork(forks, box, "push", "--chunk", "3", "--table", "links")
    (number,) = [number for number, effect in enumerate(whole.effects) if effect.startswith("tests.upload")]
    assert fork(forks, box, *PUSH_3, die_at=number).effects[-1] == f"tests.upload {account.repo()}"
    assert not is_believed(account, box)
    done = box.wikidata("push", "--chunk", "3", "--table", "claims")
    assert (done.returncode, done.stderr) == (0, "")
    assert not is_believed(account, box)
    assert box.steps(3) == {3}
    assert box.wikidata("push").returncode == 0
    assert box.steps(3) == {4}
    assert EN_FILE in account.hub.files(account.repo())


def test_the_other_tables_must_still_be_there_before_a_chunk_is_pushed(account: Account) -> None:
    box = account.new_box("box", {3: 1})
    for table in ("labels", "descriptions", "aliases", "links"):
        assert box.wikidata("push", "--chunk", "3", "--table", table).returncode == 0
    account.hub.delete_file(account.repo(), EN_FILE)  # the manifest still names it
    assert box.wikidata("push", "--chunk", "3", "--table", "claims").returncode == 0
    assert box.steps(3) == {3}
