"""A refusal that concerns the whole account is recorded, and nobody asks before its time."""

import json
import time
from pathlib import Path

import pytest

from wikidata.errors import (
    HubRefusedError,
    PushError,
    QuotaError,
    StorageRefusedError,
    TryLaterError,
)
from wikidata.records.not_before import check_not_before, forget_refusal, record_refusal


def seconds_left(folder: Path) -> float:
    return float(json.loads((folder / ".not-before.json").read_bytes())["not_before"]) - time.time()


def let_pass(folder: Path) -> None:
    path = folder / ".not-before.json"
    path.write_text(json.dumps(json.loads(path.read_bytes()) | {"not_before": 1.0}))


@pytest.mark.parametrize(
    ("errors", "seconds"),
    [
        ([QuotaError("q", 1000.0)], 1000),
        ([QuotaError("q")], 300),
        ([QuotaError("q", 500.0), QuotaError("q", 700.0), QuotaError("q", 600.0)], 700),
        ([QuotaError("q", 500.0), StorageRefusedError("s"), QuotaError("q", 9999.0)], 3600),
        ([StorageRefusedError("s")] * 4, 3600),  # of four who are at work at once
    ],
)
def test_nobody_asks_before_the_time_that_was_said(tmp_path: Path, errors: list[PushError], seconds: float) -> None:
    for error in errors:
        record_refusal(tmp_path, error)
    assert seconds_left(tmp_path) == pytest.approx(seconds, abs=5)
    forget_refusal(tmp_path)  # somebody who was not refused is done
    with pytest.raises(TryLaterError, match=r"not before .*: remove .* to try at once"):
        check_not_before(tmp_path)
    let_pass(tmp_path)
    check_not_before(tmp_path)


def test_other_failures_are_not_recorded(tmp_path: Path) -> None:
    record_refusal(tmp_path, HubRefusedError("no"))
    assert list(tmp_path.iterdir()) == []


def test_storage_is_asked_for_again_after_an_hour_then_ever_later_up_to_a_day(tmp_path: Path) -> None:
    waits = []
    for _ in range(7):
        record_refusal(tmp_path, StorageRefusedError("s"))
        waits.append(round(seconds_left(tmp_path) / 3600))
        let_pass(tmp_path)
        check_not_before(tmp_path)
    assert waits == [1, 2, 4, 8, 16, 24, 24]
    let_pass(tmp_path)
    forget_refusal(tmp_path)
    record_refusal(tmp_path, StorageRefusedError("s"))
    assert round(seconds_left(tmp_path) / 3600) == 1


@pytest.mark.parametrize("content", ["", "[]", "{", '{"not_before": "soon"}', '{"why": "x"}'])
def test_a_damaged_record_stops_nobody(tmp_path: Path, content: str) -> None:
    (tmp_path / ".not-before.json").write_text(content)
    check_not_before(tmp_path)
