"""The pipeline's own entry: one call does what `make push` does, and names what went wrong."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from huggingface_hub import configure_http_backend, get_session
from huggingface_hub.utils import are_progress_bars_disabled  # type: ignore[attr-defined] # not in its own list

from localhub.faults import Fault
from localhub.testing import RunningHub
from tests.helpers.box import REPOS, Box, assert_arrived, wrapped
from tests.helpers.forking import INSTANT
from wikidata.commands.push import _failures
from wikidata.config import FOLDERS, Selection, Settings, Table
from wikidata.errors import (
    ChunkIncompleteError,
    HubError,
    LockedError,
    ManifestError,
    NotArrivedError,
    ProgramError,
    TablesFailedError,
    UploadFailedError,
)
from wikidata.push import push_chunk
from wikidata.records.lock import hold
from wikidata.report.terminal import Terminal

LABELS = {Table.LABELS: REPOS[Table.LABELS]}


@pytest.fixture
def called(box: Box, monkeypatch: pytest.MonkeyPatch) -> Iterator[Box]:
    """The box, with its settings in the environment of this process, as the pipeline has them."""
    if box.instant:
        monkeypatch.setattr("wikidata.upload.run.subprocess", INSTANT)
    for name, value in box.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("STATE_DIR")
    monkeypatch.delenv("OUTPUT_DIR")
    yield box


def push(box: Box, chunk: int = 3, repos: dict[Table, str] | None = None) -> object:
    return push_chunk(chunk, box.root / "state", box.root / "results", repos or LABELS)


def test_one_call_pushes_a_chunk_and_returns_receipts(called: Box, hub: RunningHub) -> None:
    receipts = push_chunk(3, called.root / "state", called.root / "results", REPOS)
    assert_arrived(called, hub, 3)
    assert called.steps(3) == {4}
    assert receipts == {table: called.receipt(table, 3) for table in Table}


@pytest.mark.instant
def test_folders_may_be_text_and_tables_their_names(called: Box, hub: RunningHub) -> None:
    push_chunk(3, str(called.root / "state"), str(called.root / "results"), {"labels": REPOS[Table.LABELS]})  # type: ignore[dict-item]
    assert_arrived(called, hub, 3, [Table.LABELS])
    assert called.steps(3) == {3}


def test_the_subprocess_is_the_one_of_the_makefile(
    called: Box, hub: RunningHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = wrapped(called.root, f'printf "%s\\n" "$@" >>"{called.root}/called"; exec huggingface-cli "$@"')
    lines = []
    for entry in ("push_chunk", "make"):
        monkeypatch.setenv("UPLOADER", recorder)
        if entry == "make":
            assert called.make("push", "CHUNK=3", "TABLE=labels", UPLOADER=recorder).returncode == 0
        else:
            push(called)
        lines.append((called.root / "called").read_text().splitlines())
        (called.root / "called").unlink()
        hub.delete_file(REPOS[Table.LABELS], next(iter(called.expected(Table.LABELS, 3))))
    assert lines[0] == lines[1]
    folder = str(called.root / "staging" / "chunk_3" / "labels")
    assert lines[0][:5] == ["upload-large-folder", REPOS[Table.LABELS], folder, "--repo-type", "dataset"]
    assert "--token" not in lines[0]


def test_an_incomplete_chunk(called: Box) -> None:
    with pytest.raises(ChunkIncompleteError, match="chunk 30 is not complete"):
        push(called, 30)


def test_an_invalid_manifest(called: Box) -> None:
    called.files(Table.LABELS, 3)[0].write_bytes(b"")
    with pytest.raises(ManifestError, match="is empty"):
        push(called)


@pytest.mark.matrix
def test_a_failed_upload_has_the_table_and_the_tail_of_the_log(called: Box, hub: RunningHub) -> None:
    hub.set_faults(Fault("commit", status=403, times=None, message="Not for you."))
    with pytest.raises(UploadFailedError) as raised:
        push(called)
    assert raised.value.table == "labels"
    assert any("Not for you." in line for line in raised.value.tail)
    assert str(called.root / "logs" / "chunk_3") in str(raised.value)


@pytest.mark.matrix
def test_files_that_did_not_arrive(called: Box, hub: RunningHub) -> None:
    hub.set_faults(Fault("commit", action="delete_file"))
    with pytest.raises(NotArrivedError, match="lacks 1 of"):
        push(called)


def test_a_cli_that_lies_is_not_believed(called: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPLOADER", wrapped(called.root, "exit 0"))
    with pytest.raises(NotArrivedError, match="said that all was done, but permutans/wikidata-labels lacks"):
        push(called)
    assert called.receipt(Table.LABELS, 3) is None


def test_a_cli_that_fails_after_the_work_was_done_is_a_success(
    called: Box, hub: RunningHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UPLOADER", wrapped(called.root, 'huggingface-cli "$@"; exit 1'))
    push(called)
    assert_arrived(called, hub, 3, [Table.LABELS])


def test_a_missing_cli_is_said_before_the_hub_is_asked(
    called: Box, hub: RunningHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UPLOADER", "no-such-cli")
    with pytest.raises(ProgramError, match="there is no no-such-cli: set UPLOADER to huggingface-cli, hf, library"):
        push(called)
    assert hub.counts().total == 0


def test_an_unknown_huggingface_hub_says_which_one_is_needed(box: Box, tmp_path: Path) -> None:
    box.forks = None  # which have imported another one
    newer = tmp_path / "site"
    (newer / "huggingface_hub").mkdir(parents=True)
    (newer / "huggingface_hub" / "__init__.py").touch()
    (newer / "huggingface_hub-9.0.0.dist-info").mkdir()
    (newer / "huggingface_hub-9.0.0.dist-info" / "METADATA").write_text("Name: huggingface_hub\nVersion: 9.0.0\n")
    done = box.wikidata("push", PYTHONPATH=str(newer))
    assert done.returncode == 1
    assert done.stderr.startswith("wikidata: huggingface_hub 9.0.0 is installed, and this needs 0.34 to 2.x")
    assert "run make setup" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_several_failing_tables_are_all_named(called: Box) -> None:
    for table in (Table.LABELS, Table.LINKS):
        called.files(table, 3)[0].write_bytes(b"")
    with pytest.raises(TablesFailedError) as raised:
        push(called, repos={table: REPOS[table] for table in (Table.LABELS, Table.LINKS)})
    assert [str(error).partition(":")[0] for error in raised.value.errors] == ["labels", "links"]


def test_another_push_at_work(called: Box, hub: RunningHub) -> None:
    with hold(called.root / "manifests", [3], "chunk 3"):
        with pytest.raises(LockedError, match=rf"process {os.getpid()} on .* \(chunk 3\) holds the lock since"):
            push(called)
        tick = called.wikidata("push")
        assert (tick.returncode, tick.stdout, tick.stderr) == (75, "", "")
        by_hand = called.wikidata("push", "--chunk", "3")
        assert by_hand.returncode == 75
        assert f"process {os.getpid()}" in by_hand.stderr
        stale = called.wikidata("push", LOCK_STALE_HOURS="0.0000001")
        assert f"process {os.getpid()}" in stale.stderr
    assert hub.counts().total == 0


def test_a_senseless_repo_id(called: Box) -> None:
    with pytest.raises(Exception, match="target_repos: '--help' is not a repo id"):
        push(called, repos={Table.LABELS: "--help"})


def test_a_read_only_token(called: Box, hub: RunningHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", hub.read_token)
    with pytest.raises(HubError, match="read-only"):
        push(called)


def test_a_file_that_changes_while_it_is_pushed_is_not_confirmed(called: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    victim = called.files(Table.LABELS, 3)[0]
    monkeypatch.setenv("UPLOADER", wrapped(called.root, f'huggingface-cli "$@"; code=$?; rm "{victim}"; exit $code'))
    with pytest.raises(NotArrivedError, match=f"{victim.name}: No such file or directory while it was pushed"):
        push(called)
    assert called.receipt(Table.LABELS, 3) is None
    assert called.steps(3) == {3}


@pytest.mark.instant
def test_a_tick_leaves_alone_what_another_push_has_done_meanwhile(
    called: Box, hub: RunningHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert called.wikidata("push").returncode == 0
    shutil.rmtree(called.root / "results")  # as the pipeline does in the end
    monkeypatch.setattr("wikidata.commands.push.due_chunks", lambda _: [3])  # listed before the other one was done
    hub.reset_counts()
    settings = Settings.from_environment({name: str(called.root / folder) for name, folder in FOLDERS.items()})
    assert list(_failures(settings, Selection(), Terminal(quiet=True))) == []
    assert hub.counts().total == 0


def test_a_dry_run_changes_nothing(called: Box, hub: RunningHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRY_RUN", "1")
    before = called.snapshot()
    assert push_chunk(3, called.root / "state", called.root / "results", REPOS) == {}
    assert called.snapshot() == before
    assert hub.counts().commits == 0
    assert called.steps(3) == {3}


@pytest.mark.instant
def test_the_process_of_the_caller_is_left_as_it_was(called: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    class Theirs(requests.Session):
        pass

    configure_http_backend(Theirs)
    try:
        assert not are_progress_bars_disabled()
        push(called)
        assert not are_progress_bars_disabled()
        assert type(get_session()) is Theirs
        monkeypatch.setenv("HF_TOKEN", "wrong")
        with pytest.raises(HubError):
            push(called)
        assert type(get_session()) is Theirs
    finally:
        configure_http_backend()
