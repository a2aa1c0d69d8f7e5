"""The rehearsal itself: what it makes is known, what is lost or doubled on the Hub shows, and it comes to an end."""

import json
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from localhub.faults import Quota
from localhub.testing import running_hub
from scripts.rehearsal import __main__ as rehearsal
from scripts.rehearsal import chunks, history, pipeline
from scripts.rehearsal.checks import check_commits, check_listing, check_rows, check_steps, most_within
from scripts.rehearsal.contents import Contents, digests
from scripts.rehearsal.cron import Cron, Tick
from scripts.rehearsal.pipeline import CHUNKS_AHEAD, Pipeline
from scripts.rehearsal.remote import sort_out
from wikidata.config import Layout, Table
from wikidata.names import Source
from wikidata.state import Step, due_chunks, get_all_state, raise_to_push

LABELS = Table.LABELS
SIZES = {3: 2, 30: 1}
CONTENTS = Contents(seed=0, keys=4, rows=2)


def test_the_chunks_are_the_113_real_ones_and_the_quick_ones_are_those_that_matter() -> None:
    sizes = chunks.read_sizes()
    assert (len(sizes), sum(sizes.values()), sizes[0], sizes[112]) == (113, 9687, 546, 4)
    quick = chunks.read_sizes(is_quick=True)
    assert (len(quick), min(quick.values()), max(quick.values())) == (10, 4, 140)
    assert sum(f"{other}".startswith(f"{one}") for one in quick for other in quick) > 10 + 3


def test_every_part_comes_once_and_chunks_are_completed_out_of_order() -> None:
    sizes = chunks.read_sizes()
    order = list(chunks.in_random_order(sizes, 1))
    assert sorted(order) == [Source(chunk, part, parts) for chunk, parts in sizes.items() for part in range(parts)]
    assert order == list(chunks.in_random_order(sizes, 1)) != list(chunks.in_random_order(sizes, 2))
    missing, begun, completed = Counter(sizes), set[int](), list[int]()
    for source in order:
        missing[source.chunk] -= 1
        begun.add(source.chunk)
        if not missing[source.chunk]:
            begun.remove(source.chunk)
            completed.append(source.chunk)
        assert len(begun) <= chunks.OPEN_CHUNKS
    assert completed != sorted(completed)


@pytest.mark.parametrize("table", Table)
def test_no_two_rows_are_the_same_and_parts_have_some_of_the_keys(table: Table) -> None:
    expected = pl.concat(CONTENTS.expected(table, chunk, 3) for chunk in (3, 30))
    assert not expected.select("key", "id").is_duplicated().any()
    assert expected["digest"].is_unique().all()
    assert CONTENTS.rows(table, Source(3, 0, 3))[table.partition_column].n_unique() == 2
    assert expected["key"].n_unique() > 2


def complaints_about(found: pl.DataFrame) -> list[str]:
    return [line.partition(", ")[0] for line in check_rows("labels", CONTENTS.expected(LABELS, 3, 1), found)]


def test_every_row_must_be_there_exactly_once_as_it_was_made() -> None:
    rows = CONTENTS.rows(LABELS, Source(3, 0, 1)).filter(language="en")
    other = CONTENTS.expected(LABELS, 3, 1).filter(pl.col("key") != "en")

    def found(rows: pl.DataFrame) -> pl.DataFrame:
        return pl.concat([other, digests(LABELS, rows, pl.lit("en"))])

    assert complaints_about(found(rows)) == []
    assert complaints_about(found(rows.head(1))) == ["labels: 1 rows are missing"]
    assert complaints_about(other.clear()) == ["labels: 4 rows are missing"]
    assert complaints_about(found(pl.concat([rows, rows.tail(1)]))) == ["labels: 2 rows are there more than once"]
    more = pl.concat([rows, rows.tail(1).with_columns(id=pl.lit("Q0"))])
    assert complaints_about(found(more)) == ["labels: 1 rows are there that nobody made"]
    for changed in (rows.with_columns(label=pl.lit("?")), rows.with_columns(language=pl.lit("de")), rows.drop("label")):
        assert complaints_about(found(changed)) == ["labels: 2 rows have other columns or values"]


def test_files_of_both_layouts_are_told_apart_by_chunk() -> None:
    parts = ["language=en/chunk_3-00000-of-00002.parquet", "language=en/chunk_3-00001-of-00002_1.parquet"]
    packed = ["language=no/chunk_3.parquet", "language=zh-hant/chunk_30.parquet", "language=no/chunk_4-6.parquet"]
    other = ["README.md", ".gitattributes", "chunk_3.parquet", "site=enwiki/chunk_3.parquet"]
    listing = sort_out(LABELS, dict.fromkeys([*parts, *packed, *other], 1))
    of_chunk_3 = [(parts[0], "en"), (parts[1], "en"), (packed[0], "no")]
    assert listing.blocks == {(3, 3): of_chunk_3, (30, 30): [(packed[1], "zh-hant")], (4, 6): [(packed[2], "no")]}
    assert listing.unknown == other[2:]
    assert listing.layouts == {Layout.FILES, Layout.PACKED}


def test_a_repo_keeps_to_the_limits_of_the_hub_and_has_nothing_else() -> None:
    def complaints(paths: Sequence[str], size_bytes: int = 1) -> str:
        records = ["manifests/chunk_3.csv", "manifests/columns.json"]
        return "\n".join(check_listing("repo", sort_out(LABELS, dict.fromkeys([*records, *paths], size_bytes)), [3]))

    files = [f"language=en/chunk_3-{part:05d}-of-10000.parquet" for part in range(10_000)]
    assert complaints(files) == ""
    assert "10,001 entries" in complaints([*files, "language=en/chunk_3-00000-of-10000_1.parquet"])
    assert "both layouts" in complaints([files[0], "language=en/chunk_3.parquet"])
    assert "109,991 files" in complaints([path.replace("en", f"k{key}") for path in files[1:] for key in range(11)])
    assert "200,000,000,001 bytes" in complaints(files[:1], 200_000_000_001)
    for path in ("language=en/chunk_30.parquet", "notes.txt"):
        assert f"that nobody made, such as {path}" in complaints([path])
    listing = sort_out(LABELS, {"manifests/chunk_3.csv": 1, "manifests/chunk_4.csv": 1})
    complaint = "repo: 2 records are missing or too many, such as manifests/chunk_4.csv"
    assert list(check_listing("repo", listing, [3])) == [complaint]


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        (["chunk_3-5"], []),
        (["chunk_3", "chunk_5"], []),
        (["chunk_3-4", "chunk_4-5"], ["repo: chunk 4 of en is in two files"]),
        (["chunk_3", "chunk_4-5"], ["repo: chunks 3 and 4 of en are not folded"]),
    ],
)
def test_each_chunk_is_in_one_file_and_nothing_is_left_to_be_folded(names: list[str], complaint: list[str]) -> None:
    records = ["manifests/columns.json", "manifests/chunk_3-5.csv"]
    paths = [*records, *(f"language=en/{name}.parquet" for name in names)]
    assert list(check_listing("repo", sort_out(LABELS, dict.fromkeys(paths, 1)), [3, 4, 5])) == complaint


def test_commits_are_counted_in_any_window() -> None:
    dates = [f"2026-01-01T00:00:{second:02d}.500Z" for second in (0, 1, 2, 30, 31, 39, 58)]
    assert [most_within(dates, 11), most_within(dates, 3600), most_within([], 10)] == [3, 7, 0]
    assert list(check_commits(dates, Quota(3, 11))) == []
    assert list(check_commits(dates, Quota(2, 11))) == ["3 commits landed within 11 seconds, and the quota is 2"]


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every state file is torn, for no time."""
    monkeypatch.setattr(pipeline, "TORN_STATES", (1.0, 0.0))
    monkeypatch.setattr(pipeline, "TORN_LAST_STATES", (1.0, 0.0))


@pytest.mark.usefixtures("hurried")
def test_the_pipeline_waits_for_the_push_and_clears_away_what_is_pushed(tmp_path: Path) -> None:
    sizes = dict.fromkeys(range(CHUNKS_AHEAD + 1), 2)
    made = Pipeline(tmp_path, CONTENTS, sizes, seed=1)
    made.prepare()
    assert set(get_all_state(tmp_path / "state")["step"]) == {Step.INIT}
    made.start()
    while len(made.complete) < CHUNKS_AHEAD and made.is_alive():
        made.join(0.01)
    waiting = due_chunks(get_all_state(tmp_path / "state"))
    assert len(waiting) == CHUNKS_AHEAD
    for chunk in waiting:
        raise_to_push(tmp_path / "state", chunk)
    made.note_pushed()
    made.join()
    assert (made.error, made.pushed, len(made.complete)) == (None, set(waiting), len(sizes))
    (late,) = sizes.keys() - set(waiting)
    complaint = f"state: 1 of {len(sizes)} chunks are not at PUSH, such as chunk {late}"
    assert list(check_steps(get_all_state(tmp_path / "state"), sizes)) == [complaint]
    made.clear_pushed()
    left = {path.name for folder in ("results", "audit") for path in (tmp_path / folder).rglob("*.parquet")}
    assert left == {f"chunk_{late}-{part:05d}-of-00002.parquet" for part in range(2)}


def cron_of(made: Pipeline) -> Cron:
    return Cron(made, made.root / "ticks", {}, made.root / ".not-before.json", window_seconds=30.0)


def test_a_pipeline_that_fails_ends_the_rehearsal(tmp_path: Path) -> None:
    made = Pipeline(tmp_path, CONTENTS, SIZES, seed=1)
    with pytest.raises(FileNotFoundError):
        made.run()
    assert isinstance(made.error, FileNotFoundError)
    assert not cron_of(made).push_all(1.0)


@pytest.mark.parametrize(("seconds", "waits"), [(3600, 30), (5, 5), (-1, None)])
def test_an_hour_of_the_hub_is_a_window_of_the_quota(
    seconds: float, waits: float | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cron = cron_of(Pipeline(tmp_path, CONTENTS, SIZES, seed=1))
    slept: list[float] = []
    monkeypatch.setattr(Cron, "tick", lambda _: None)
    monkeypatch.setattr(time, "sleep", slept.append)
    cron.wait_for_quota()
    cron.not_before.write_text(json.dumps({"not_before": time.time() + seconds, "why": "the Hub said so"}))
    cron.wait_for_quota()
    assert slept == ([] if waits is None else [pytest.approx(waits, abs=1.0)])
    assert cron.quota_waits == len(slept)


@pytest.mark.usefixtures("hurried")
def test_what_is_pushed_beside_a_fold_is_cleared_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Pipeline(tmp_path, CONTENTS, SIZES, seed=1)
    made.prepare()
    made.start()
    made.join()
    cron = cron_of(made)

    def tick(_: Cron, word: str = "push") -> None:
        if word == "fold":
            made.pushed |= made.complete
            cron.ticks.append(Tick(subprocess.Popen(["true"]), tmp_path / "stderr"))
            cron.ticks[-1].process.wait()

    monkeypatch.setattr(Cron, "tick", tick)
    assert cron.push_all(1.0)
    assert not any((tmp_path / "results").rglob("*.parquet"))


def rehearse(root: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Type the command below `root`, for chunks 3 and 30; the exit code, and the report that it wrote."""
    monkeypatch.chdir(root)
    monkeypatch.setattr(rehearsal, "read_sizes", lambda _: SIZES)
    monkeypatch.setattr(sys, "argv", ["rehearsal", "--keys", "4", "--root", "box", "--no-readers", *arguments])
    code = rehearsal.main()
    return code, json.loads((root / "bench" / "rehearsal.json").read_text())


@pytest.mark.usefixtures("hurried")
def test_two_chunks_from_init_to_push(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LAYOUT", "packed")
    monkeypatch.setattr(history, "READ_EVERY", 1)
    code, report = rehearse(tmp_path, monkeypatch, "--commits=12", "--window=3")
    assert (code, report["violations"], report["layouts"]) == (0, [], ["packed"])
    assert (report["options"]["keys"], report["options"]["layout"]) == (4, "packed")
    assert "pushes by exit code" in capsys.readouterr().out
    assert (report["chunks"], report["source_files"]) == (2, 3)
    assert report["cli_runs"] - report["cli_reruns"] == 2 * len(Table)
    assert report["rows"] == sum(CONTENTS.expected(table, *chunk).height for table in Table for chunk in SIZES.items())
    assert report["commits"] >= report["most_commits_in_window"] > 0
    assert not any((tmp_path / "box" / "results").rglob("*.parquet"))

    # What is lost or doubled on that Hub is found.
    with running_hub(tmp_path / "box" / "hub") as hub:
        repo = rehearsal.REPOS[LABELS]
        doubled, lost = sorted(path for path in hub.files(repo) if path.startswith("language=en/"))
        whole = hub.read(repo, doubled)
        hub.replace_file(repo, "language=en/chunk_3-4.parquet", whole)
        hub.delete_file(repo, "language=en/chunk_3-4.parquet")
        hub.replace_file(repo, doubled, hub.read(repo, lost))
        hub.replace_file(repo, doubled, whole)
        hub.replace_file(repo, "language=en/chunk_3-00000-of-00009.parquet", hub.read(repo, doubled))
        hub.delete_file(repo, lost)
        violations = "\n".join(rehearsal.inspect(SIZES, Quota(12, 3.0), CONTENTS, hub, {}, with_readers=False))
    assert "rows are missing" in violations
    assert "rows are there more than once" in violations
    assert re.search(rf"{repo} at [0-9a-f]{{8}} .*: chunk 3 of en is in two files", violations)
    assert re.search(rf"{repo} at [0-9a-f]{{8}} .*: [0-9]+ rows are missing", violations)


@pytest.mark.usefixtures("hurried")
def test_a_tick_that_fails_ends_the_rehearsal_and_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    usual = rehearsal.environment
    monkeypatch.setattr(rehearsal, "environment", lambda root, hub: usual(root, hub) | {"HF_TOKEN": "wrong"})
    code, report = rehearse(tmp_path, monkeypatch)
    printed = capsys.readouterr().err
    assert code == 1
    assert "ended with exit code 1:\nwikidata: whoami: the Hub answered 401" in report["violations"][0]
    assert "rehearsal: state: 2 of 2 chunks are not at PUSH" in printed
    assert f"are left in {tmp_path}" in printed
