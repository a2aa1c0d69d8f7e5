"""A fold among faults: whatever is refused, lost, raced or killed, no revision has a row twice or lacks one."""

import shutil
import signal
from dataclasses import replace

import polars as pl
import pytest

from localhub.faults import Fault
from tests.helpers.forking import Done, Forks
from tests.helpers.instant import LABELS, Account, InstantBox, push
from tests.helpers.revisions import assert_whole_at_every_revision, rows_here
from wikidata.errors import Exit
from wikidata.hub.client import Hub

FOLD = ("fold", "--table", "labels")
SHARDS = range(3)


@pytest.fixture
def box(account: Account) -> InstantBox:
    """A box with two pushed chunks that are due to be folded."""
    return pushed_box(account, "box")


def pushed_box(account: Account, name: str, **settings: str) -> InstantBox:
    box = account.new_box(name, {0: 1, 1: 1}, keys=2, STALL_MINUTES="0.005", **settings)
    for chunk in (0, 1):
        push(box, chunk)
        (box.root / "state" / f"chunk_{chunk}-00000-of-00001.jsonl").write_text('{"step": 4}')
    return box


def assert_folded(account: Account, box: InstantBox) -> None:
    """Everything is folded, once, and every revision that a reader could have met is whole."""
    paths = account.hub.files(account.repo())
    assert {path.partition("/")[2] for path in paths if "=" in path} == {"chunk_0-1.parquet"}
    assert [path for path in paths if path.startswith(("folding/", "manifests/chunk"))] == ["manifests/chunk_0-1.csv"]
    assert account.titles().count("Fold chunks 0 to 1 of labels") == 1
    assert_whole_at_every_revision(account, LABELS, [rows_here(box, LABELS, chunk) for chunk in (0, 1)])
    assert box.wikidata("verify", "--table", "labels", DEEP="all").returncode == 0
    account.hub.reset_counts()
    again = box.wikidata(*FOLD)
    assert (again.returncode, again.output, account.hub.counts().total) == (0, "", 0)


@pytest.mark.parametrize(
    "fault",
    [
        Fault("commit", status=503),
        Fault("commit", status=504, lands=True),
        Fault("commit", action="close"),
        Fault("commit", action="close", lands=True),
        Fault("commit", action="hang", lands=True),
        Fault("commit", status=412),
    ],
    ids=lambda fault: f"{fault.action}-{fault.status}{'-landed' if fault.lands else ''}",
)
def test_an_exchange_that_fails_or_whose_answer_is_lost_is_there_once(
    account: Account, box: InstantBox, fault: Fault
) -> None:
    account.hub.set_faults(replace(fault, skip=1))
    done = box.wikidata(*FOLD)
    assert (done.returncode, done.stderr) == (0, "")
    assert account.hub.struck() == [1]
    assert_folded(account, box)


def test_an_exchange_that_is_refused_leaves_all_as_it_was_and_the_next_fold_completes_it(
    account: Account, box: InstantBox
) -> None:
    account.hub.set_faults(Fault("commit", skip=1, times=None, status=403, message="No folds here."))
    refused = box.wikidata(*FOLD)
    assert (refused.returncode, "No folds here." in refused.stderr) == (Exit.FAILED, True)
    paths = account.hub.files(account.repo())
    assert {path.partition("/")[2] for path in paths if "=" in path and "folding/" not in path} == {
        "chunk_0.parquet",
        "chunk_1.parquet",
    }
    verified = box.wikidata("verify", "--table", "labels")
    assert (verified.returncode, "2 files of a fold under way" in verified.stdout) == (0, True)
    account.hub.clear_faults()
    sent = account.hub.counts().uploaded_bytes
    assert box.wikidata(*FOLD).returncode == 0
    assert account.hub.counts().uploaded_bytes == sent  # what was sent is not sent again
    assert_folded(account, box)


def test_a_quota_ends_a_fold_and_later_ticks_ask_nothing(account: Account, box: InstantBox) -> None:
    account.hub.set_faults(Fault("commit", skip=1, times=None, status=429, retry_after=3600))
    ended = box.wikidata(*FOLD)
    assert ended.returncode == Exit.TRY_LATER
    account.hub.clear_faults()
    account.hub.reset_counts()
    assert box.wikidata(*FOLD).returncode == Exit.TRY_LATER
    assert account.hub.counts().total == 0
    (box.root / "manifests" / ".not-before.json").unlink()
    assert box.wikidata(*FOLD).returncode == 0
    assert_folded(account, box)


def test_a_chunk_that_another_box_pushes_meanwhile_is_not_lost(
    account: Account, box: InstantBox, forks: Forks, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = account.empty_box("other")
    for folder in ("state", "results", "manifests"):
        shutil.copytree(box.root / folder, other.root / folder)
    rows = [rows_here(box, LABELS, chunk) for chunk in (0, 1)]
    path = other.files(LABELS, 1)[0]
    pl.read_parquet(path, hive_partitioning=False).with_columns(label=pl.lit("another")).write_parquet(path)
    commit, done = Hub.commit, list[Done]()

    def commit_late(hub: Hub, *rest: object) -> None:
        if not done:
            words = ("push", "--chunk", "1", "--table", "labels")
            done.append(forks.run(other.environment, words, instant=True))
        commit(hub, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Hub, "commit", commit_late)
    folded = box.wikidata(*FOLD)
    assert (done[0].returncode, folded.returncode) == (0, Exit.FAILED)
    assert "somebody else has pushed" in folded.stderr
    monkeypatch.undo()
    assert other.wikidata(*FOLD).returncode == 0
    assert_whole_at_every_revision(account, LABELS, [rows_here(other, LABELS, chunk) for chunk in (0, 1)], rows)


def run(forks: Forks, box: InstantBox, die_at: int | None = None) -> Done:
    return forks.run(box.environment, FOLD, instant=True, mortal=True, die_at=die_at)


@pytest.mark.slow
@pytest.mark.parametrize("shard", SHARDS)
def test_death_at_every_effect_is_completed_by_the_next_fold(account: Account, forks: Forks, shard: int) -> None:
    """Each death has a table's repo of its own, which is recreated."""
    box = pushed_box(account, "box")
    kept = account.root / "kept"
    shutil.copytree(box.root, kept)
    whole = run(forks, box)
    assert (whole.returncode, len(whole.effects) > 40) == (0, True), whole
    left = remains(account, box)
    for number in range(len(whole.effects))[shard :: len(SHARDS)]:
        account.api.delete_repo(account.repo(), repo_type="dataset")
        shutil.rmtree(box.root)
        shutil.copytree(kept, box.root)
        for chunk in (0, 1):
            push(box, chunk)
        died = run(forks, box, die_at=number)
        if died.returncode == 0 and number >= len(died.effects):
            continue  # two threads may both try to make a folder, or one
        assert (died.returncode, len(died.effects)) == (-signal.SIGKILL, number + 1), died
        rerun = run(forks, box)
        assert rerun.returncode == 0, f"{died.last}: {rerun.output}"
        assert_whole_at_every_revision(account, LABELS, [rows_here(box, LABELS, chunk) for chunk in (0, 1)])
        if not rerun.effects:  # it died when all was done but the cleaning up, which any next run does
            push(box, 0)
        assert remains(account, box) == left, died.last


def remains(account: Account, box: InstantBox) -> tuple[list[str], dict[str, object]]:
    """What a fold leaves here, but for logs and what was said, and in the repo."""
    here = sorted(str(path.relative_to(box.root)) for path in box.root.rglob("*"))
    return [path for path in here if not path.startswith(("logs", "manifests/.notices"))], dict(
        account.hub.files(account.repo())
    )
