"""The page: right in a real browser, in both colour schemes, on a phone and on a desk; it needs nothing else."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.helpers.browser import browsing
from tests.helpers.records import write_receipts, write_state
from wikidata.config import Settings, Table
from wikidata.errors import ManifestError, TablesFailedError
from wikidata.records.failures import record_failure
from wikidata.records.lock import hold
from wikidata.report.page import write_page

CELLS = "[...document.querySelectorAll('.grids tbody td')].map(cell => cell.className)"
FITS = """[document.documentElement, ...document.querySelectorAll('.grids td')]
    .every(each => each.scrollWidth <= each.clientWidth)"""
"""Nothing is wider than the window, and no state than its cell."""


def settings_of(root: Path, **given: str) -> Settings:
    return Settings.from_environment(
        {
            "STATE_DIR": str(root / "state"),
            "MANIFEST_DIR": str(root / "manifests"),
            "PAGE": str(root / "p.html"),
            **given,
        }
    )


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """113 chunks: 16 folded, 31 pushed, one that failed, one at work, three due; the others incomplete."""
    now = datetime.now(UTC)
    for chunk in range(113):
        write_state(tmp_path, chunk, 1, 4 if chunk < 47 else 3 if chunk < 52 else 2)
        if 16 <= chunk < 47:
            write_receipts(tmp_path, f"chunk_{chunk}", now - timedelta(hours=47 - chunk))
    write_receipts(tmp_path, "chunk_0-15", now - timedelta(days=3))
    error = ManifestError("links: <script>alert(1)</script> is empty")
    error.table = "links"
    record_failure(tmp_path / "manifests", 47, TablesFailedError([error]))
    return tmp_path


@pytest.mark.slow
def test_it_has_a_cell_for_each_table_of_each_chunk_and_asks_for_nothing(published: Path) -> None:
    with hold(published / "manifests", [48], "chunk 48"):
        page = write_page(settings_of(published))
    with browsing(published / "profile") as browser:
        for width, scheme in ((1440, "light"), (360, "light"), (1440, "dark"), (360, "dark")):
            browser.open(page, width, scheme)
            classes = browser.run(CELLS)
            assert Counter(classes) == {
                "folded": 80, "pushed": 155, "failed": 1, "uploading": 5, "due": 19, "incomplete": 305,
            }  # fmt: skip
            assert classes[47 * 5 : 49 * 5] == ["due", "due", "due", "failed", "due", *["uploading"] * 5]
            assert browser.run(FITS)
            background = browser.run("getComputedStyle(document.body).backgroundColor")
            assert background == {"light": "rgb(255, 255, 255)", "dark": "rgb(13, 17, 23)"}[scheme]
            assert browser.run("document.getElementById('age').textContent") == ", just now"
            requested = {each["request"]["url"] for each in browser.told("Network.requestWillBeSent")}
            assert {url for url in requested if not url.startswith("data:")} == {page.as_uri()}
            assert browser.told("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled") == []
        assert browser.run("document.querySelector('.failures li').textContent").endswith("alert(1)</script> is empty")
        assert browser.run("[...document.querySelectorAll('svg')].every(each => each.ariaLabel)")
        assert browser.run("[...document.querySelectorAll('.grids th')].every(each => each.scope)")


def test_it_is_replaced_at_once_and_readable_by_others(published: Path) -> None:
    settings = settings_of(published)
    first = write_page(settings)
    (published / "manifests" / "chunk_46" / "labels.receipt.json").unlink()
    inode = first.stat().st_ino
    assert write_page(settings).stat().st_ino != inode  # a new file in its place, never half of one
    assert first.stat().st_mode & 0o044
    assert not list(published.glob(".*")) + list(published.glob("*.tmp"))


def test_a_box_with_nothing_published_has_a_page_too(tmp_path: Path) -> None:
    write_state(tmp_path, 3, 2, 1)
    text = write_page(settings_of(tmp_path, HF_ENDPOINT="http://hub:1")).read_text()
    assert text.count('<td class="incomplete">') == len(Table)
    assert "nothing is published yet" in text
    assert 'href="http://hub:1/datasets/permutans/wikidata-labels"' in text
