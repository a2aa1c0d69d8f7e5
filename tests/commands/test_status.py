"""What a person asks of a publication that takes weeks: how far, how fast, until when, what needs attention."""

import json
import os
import socket
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.helpers.records import write_receipts, write_state
from wikidata.commands import status
from wikidata.config import Selection, Settings, Table
from wikidata.errors import ManifestError, QuotaError
from wikidata.names import one
from wikidata.records.failures import forget_failures, last_failures, record_failure
from wikidata.records.lock import hold
from wikidata.records.not_before import record_refusal
from wikidata.report.overview import State, look
from wikidata.sync import forget


def settings_of(root: Path, **given: str) -> Settings:
    folders = {"STATE_DIR": str(root / "state"), "MANIFEST_DIR": str(root / "manifests")}
    return Settings.from_environment(folders | given)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """20 chunks: 0 to 9 pushed in the last five days, 10 and 11 due, the others incomplete."""
    now = datetime.now(UTC)
    for chunk in range(20):
        write_state(tmp_path, chunk, 2, 4 if chunk < 10 else 3 if chunk < 12 else 1)
        if chunk < 10:
            write_receipts(tmp_path, f"chunk_{chunk}", now - timedelta(days=(10 - chunk) / 2))
    return tmp_path


def shown(root: Path, capsys: pytest.CaptureFixture[str], chunk: int | None = None, **given: str) -> list[str]:
    assert status.run(settings_of(root, **given), Selection(chunk)) == 0
    return capsys.readouterr().out.splitlines()


def test_a_summary_comes_first_and_chunks_as_they_should_be_are_not_listed(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = shown(root, capsys)
    assert lines[0].endswith("  10 of 20 chunks are published")
    assert lines[1] == "8 incomplete, 2 due, 10 pushed"
    assert lines[2] == "on the Hub: 500 rows, 500.0 kB, 150 files in 5 repos"
    assert lines[3] == "rate of the last 7 days: 2.0 chunks (100.0 kB) a day"
    end = datetime.now(UTC) + timedelta(days=5)
    assert lines[4].startswith(f"expected end: {end:%Y-%m-%d} at this rate, ")
    assert lines[4].endswith(" at the Hub's quota of commits")
    assert lines[5:] == ["waiting for the push: chunks 10 to 11", "waiting for the pipeline: chunks 12 to 19"]
    assert len(shown(root, capsys, ALL="1")) == 7 + 2 + 20


def test_what_failed_is_half_pushed_or_damaged_is_listed(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    error = ManifestError("links: the file x is empty")
    error.table = "links"
    record_failure(root / "manifests", 10, error)
    write_receipts(root, "chunk_11", datetime.now(UTC), {Table.LABELS: 3})
    (root / "state" / "chunk_15-00000-of-00002.jsonl").write_text("")
    lines = shown(root, capsys)
    assert any(line.startswith("failed: chunk 10, ") and line.endswith("the file x is empty") for line in lines)
    listed = [line.split() for line in lines[lines.index("") + 2 :]]
    assert [row[0] for row in listed] == ["10", "11", "15"]
    assert " ".join(listed[0]).endswith("failed due: labels, descriptions, aliases, claims; failed: links")
    assert "unreadable" in listed[2]
    forget_failures(root / "manifests", 10)
    assert last_failures(root / "manifests") == []


def test_what_waits_for_whom_is_told(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record_refusal(root / "manifests", QuotaError("links: 429", 600))
    with hold(root / "manifests", [10], "chunk 10"), hold(root / "manifests", range(4), "fold of chunks 0 to 3"):
        lines = shown(root, capsys)
        told = json.loads("\n".join(shown(root, capsys, JSON="1")))
        assert look(settings_of(root)).chunks[10].state is State.UPLOADING
    me = f"by process {os.getpid()} on {socket.gethostname()}, for "
    at_work = [line.partition(me)[0] for line in lines if line.startswith("at work: ")]
    assert at_work == ["at work: chunk 10, ", "at work: fold of chunks 0 to 3, "]
    assert told["at_work"] == told["all_at_work"][0]
    assert [(each["purpose"], each["pid"], each["host"]) for each in told["all_at_work"]] == [
        ("chunk 10", os.getpid(), socket.gethostname()), ("fold of chunks 0 to 3", os.getpid(), socket.gethostname()),
    ]  # fmt: skip
    until = datetime.fromtimestamp(time.time() + 600, UTC)
    assert f"the push waits until {until:%Y-%m-%d %H:%M} UTC for the Hub's quota: links: 429" in lines
    assert look(settings_of(root)).chunks[10].state is State.DUE


def test_a_block_that_was_folded_is_known_by_its_folder(root: Path) -> None:
    write_receipts(root, "chunk_0-3", datetime.now(UTC), {Table.LABELS: 40})
    for chunk in range(4):
        forget(root / "manifests", one(chunk), Table.LABELS)
    overview = look(settings_of(root))
    assert [chunk.tables[Table.LABELS] for chunk in overview.chunks[:5]] == [State.FOLDED] * 4 + [State.PUSHED]
    assert overview.chunks[0].tables[Table.LINKS] is State.PUSHED


def test_json_is_what_scripts_may_rely_on(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record_failure(root / "manifests", 10, ManifestError("damaged"))
    told = json.loads("\n".join(shown(root, capsys, JSON="1")))
    assert list(told) == [
        "at", "chunks", "published", "tables_a_day", "end_at_this_rate", "end_at_the_quota", "at_work",
        "all_at_work", "tasks", "waits", "failures",
    ]  # fmt: skip
    assert told["published"] == {"files": 150, "size_bytes": 500_000, "rows": 500}
    assert told["chunks"][0] == {
        "chunk": 0, "state": "pushed", "parts": 2, "files": 2, "min_step": 4, "max_step": 4,
        "needs_attention": False, "tables": dict.fromkeys(Table, "pushed"),
    }  # fmt: skip
    assert told["failures"][0]["table"] is None
    assert told["chunks"][10]["state"] == "failed"
    assert (told["at_work"], told["all_at_work"], told["waits"]) == (None, [], None)
    assert datetime.fromisoformat(told["end_at_this_rate"]) > datetime.fromisoformat(told["at"])
    only = json.loads("\n".join(shown(root, capsys, 3, JSON="1")))
    assert [chunk["chunk"] for chunk in only["chunks"]] == [3]


def test_an_empty_box_has_no_rate_and_a_damaged_record_is_passed_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_state(tmp_path, 3, 1, 1)
    for name in ("chunk_3", ".locks"):
        (tmp_path / "manifests" / name).mkdir(parents=True)
    for name in ("chunk_3/labels.receipt.json", ".locks/chunk_3", ".failures.json", ".not-before.json"):
        (tmp_path / "manifests" / name).write_text("{")
    lines = shown(tmp_path, capsys)
    assert lines[1:] == [
        "1 incomplete",
        "on the Hub: 0 rows, 0 B, 0 files in 5 repos",
        "waiting for the pipeline: chunk 3",
    ]
