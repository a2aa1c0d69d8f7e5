"""A receipt is believed only for the manifest and the repo that it was written for."""

from dataclasses import replace
from pathlib import Path

import pytest

from wikidata.config import Table
from wikidata.names import one
from wikidata.records.manifest import file_digest, manifest_path
from wikidata.records.receipt import Receipt, is_recorded, read_receipt, receipt_path, remove_receipt, write_receipt

LABELS = Table.LABELS
REPO = "permutans/wikidata-labels"


@pytest.fixture
def receipt(tmp_path: Path) -> Receipt:
    path = manifest_path(tmp_path, one(3), LABELS)
    path.parent.mkdir()
    path.write_text("path,size_bytes,sha256,rows\n")
    written = Receipt(REPO, "abc", 0, 0, 0, file_digest(path) or "", "2026-01-01T00:00:00+00:00")
    write_receipt(tmp_path, one(3), LABELS, written)
    return written


def test_a_receipt_is_read_back(tmp_path: Path, receipt: Receipt) -> None:
    assert read_receipt(tmp_path, one(3), LABELS) == receipt
    assert is_recorded(tmp_path, 3, LABELS, REPO)
    assert receipt_path(tmp_path, one(3), LABELS).stat().st_mode & 0o077 == 0


def test_another_repo_another_manifest_or_none_is_not_recorded(tmp_path: Path, receipt: Receipt) -> None:
    assert not is_recorded(tmp_path, 3, LABELS, "somebody/wikidata-labels")
    assert not is_recorded(tmp_path, 30, LABELS, REPO)
    write_receipt(tmp_path, one(3), LABELS, replace(receipt, manifest_sha256="0" * 64))
    assert not is_recorded(tmp_path, 3, LABELS, REPO)
    write_receipt(tmp_path, one(3), LABELS, receipt)
    manifest_path(tmp_path, one(3), LABELS).unlink()
    assert not is_recorded(tmp_path, 3, LABELS, REPO)


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"repo": "a/b"}', '{"repo": "a/b", "more": 1}'])
def test_a_damaged_receipt_is_none(tmp_path: Path, receipt: Receipt, content: str) -> None:
    assert receipt.repo == REPO
    receipt_path(tmp_path, one(3), LABELS).write_text(content)
    assert read_receipt(tmp_path, one(3), LABELS) is None


def test_a_withdrawn_receipt_is_gone(tmp_path: Path, receipt: Receipt) -> None:
    assert receipt.files == 0
    remove_receipt(tmp_path, one(3), LABELS)
    remove_receipt(tmp_path, one(3), LABELS)
    assert read_receipt(tmp_path, one(3), LABELS) is None
