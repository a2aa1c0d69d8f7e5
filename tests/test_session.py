"""What a run tells of itself: in quiet runs a warning is told once, and then seldom."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from wikidata.config import Settings, Table, target_repos
from wikidata.records.notices import DAY_SECONDS, forget
from wikidata.report.terminal import Terminal
from wikidata.session import Session

REPOS = target_repos("permutans")


def session(folder: Path, **given: str) -> tuple[Session, Terminal]:
    settings: Mapping[str, str] = {"MANIFEST_DIR": str(folder), **given}
    terminal = Terminal(quiet="QUIET" in given)
    return Session(Settings.from_environment(settings), REPOS, terminal), terminal


def test_a_recommendation_that_is_not_kept_is_told_once_a_repo_also_to_cron(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(3):  # each is a tick of its own
        tick, terminal = session(tmp_path, QUIET="1")
        tick.warn(Table.LINKS, "a/links would have 101,700 files", "a/links: files")
    assert terminal.news == []
    tick.warn(Table.LABELS, "a/labels would have 101,700 files", "a/labels: files")
    assert capsys.readouterr().err == (
        "links: warning: a/links would have 101,700 files\nlabels: warning: a/labels would have 101,700 files\n"
    )
    assert terminal.news == ["labels: warning: a/labels would have 101,700 files"]


def test_a_person_is_told_every_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        session(tmp_path)[0].warn(Table.LINKS, "many files", "a/links: files")
    assert capsys.readouterr().err.count("many files") == 2


def test_what_is_repaired_is_news_when_it_happens_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        session(tmp_path, QUIET="1")[0].warn(Table.LINKS, "no card", "card of links", DAY_SECONDS)
    forget(tmp_path, "card of links")
    session(tmp_path, QUIET="1")[0].warn(Table.LINKS, "no card", "card of links", DAY_SECONDS)
    assert capsys.readouterr().err.count("no card") == 2


def test_a_dry_run_records_nothing(tmp_path: Path) -> None:
    session(tmp_path, DRY_RUN="1")[0].warn(Table.LINKS, "many files", "a/links: files")
    assert list(tmp_path.iterdir()) == []
