"""The rehearsal itself: what it makes is known, what is lost or doubled on the Hub shows, and it comes to an end."""

import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from localhub.faults import Quota
from localhub.testing import RunningHub
from scripts.rehearsal import __main__ as rehearsal
from scripts.rehearsal import chunks, pipeline
from scripts.rehearsal.arrived import entries_by_folder, sort_out
from scripts.rehearsal.checks import check_commits, check_limits, check_rows, check_steps, most_within
from scripts.rehearsal.contents import Contents, is_intact
from scripts.rehearsal.cron import Cron, NotBefore, complaints, run
from scripts.rehearsal.figures import count_runs, figures
from scripts.rehearsal.pipeline import CHUNKS_AHEAD, Pipeline
from scripts.rehearsal.trouble import FAULTS
from scripts.sample.source_files import SourceFile
from wikidata.config import Layout, Table
from wikidata.state import Step, due_chunks, get_all_state, raise_to_push

LABELS = Table.LABELS
SIZES = {3: 2, 30: 1}
CONTENTS = Contents(seed=1, keys=4, rows=2)
ENVIRONMENT = rehearsal.environment


def test_the_chunks_are_the_113_real_ones() -> None:
    sizes = chunks.read_sizes()
    assert (len(sizes), sum(sizes.values())) == (113, 9687)
    assert (sizes[0], sizes[112]) == (546, 4)


def test_quick_has_ten_chunks_that_matter() -> None:
    sizes = chunks.read_sizes()
    quick = chunks.choose(sizes, None, True, 0)
    assert len(quick) == 10
    assert max(quick.values()) >= 140
    assert min(quick.values()) == min(sizes.values())
    assert (
        len([(one, other) for one in quick for other in quick if f"{other}".startswith(f"{one}") and one != other]) > 3
    )
    assert quick == {chunk: sizes[chunk] for chunk in quick}


def test_a_number_of_chunks_is_a_random_choice() -> None:
    sizes = chunks.read_sizes()
    assert chunks.choose(sizes, 5, True, 1) == chunks.choose(sizes, 5, False, 1) != chunks.choose(sizes, 5, False, 2)
    assert chunks.choose(sizes, None, False, 1) == chunks.choose(sizes, 113, False, 1) == sizes
    with pytest.raises(ValueError, match="113"):
        chunks.choose(sizes, 114, False, 1)


def test_every_part_comes_once_and_chunks_are_completed_out_of_order() -> None:
    sizes = chunks.read_sizes()
    order = list(chunks.in_random_order(sizes, 1))
    assert sorted(order) == [SourceFile(chunk, part, parts) for chunk, parts in sizes.items() for part in range(parts)]
    assert order == list(chunks.in_random_order(sizes, 1)) != list(chunks.in_random_order(sizes, 2))
    missing, completed = Counter(sizes), []
    for source in order:
        missing[source.chunk] -= 1
        if not missing[source.chunk]:
            completed.append(source.chunk)
        begun = sum(0 < missing[chunk] < parts for chunk, parts in sizes.items())
        assert begun <= chunks.OPEN_CHUNKS
    assert completed != sorted(completed)


@pytest.mark.parametrize("table", Table)
def test_what_is_made_is_what_is_expected(table: Table) -> None:
    made = []
    for part in range(3):
        source = SourceFile(3, part, 3)
        rows = CONTENTS.rows(table, source)
        for key, count in rows.items():
            frame = pl.read_parquet(CONTENTS.file(table, key, count, source))
            assert is_intact(table, frame, key).all()
            assert frame.height == count
            made.append(frame.select(pl.lit(key).alias("key"), "id", pl.lit(True).alias("intact")))
        sidecar = CONTENTS.sidecar(table, source)
        assert dict(sidecar.select(table.partition_column, "rows").iter_rows()) == rows
    expected = CONTENTS.expected(table, 3, 3)
    assert not expected.is_duplicated().any()
    assert list(check_rows("", expected, pl.concat(made))) == []
    other = CONTENTS.expected(table, 30, 3)
    assert other.join(expected, on="id", how="inner").is_empty()


def test_a_row_with_a_changed_value_is_not_intact() -> None:
    frame = pl.read_parquet(CONTENTS.file(LABELS, "en", 2, SourceFile(3, 0, 1)))
    assert is_intact(LABELS, frame.with_columns(label=pl.col("label").reverse()), "en").to_list() == [False, False]
    assert not is_intact(LABELS, frame, "de").any()
    assert not is_intact(LABELS, frame.drop("language"), "en").any()


EXPECTED = pl.DataFrame({"key": ["en", "en", "no"], "id": ["Q1", "Q2", "Q1"]})
FOUND = EXPECTED.with_columns(intact=True)


@pytest.mark.parametrize(
    ("found", "complaint"),
    [
        (FOUND, []),
        (FOUND.head(2), ["labels: 1 rows are missing, such as Q1 of no"]),
        (FOUND.clear(), ["labels: 3 rows are missing, such as Q1 of en"]),
        (pl.concat([FOUND, FOUND.tail(1)]), ["labels: 2 rows are there more than once, such as Q1 of no"]),
        (
            pl.concat([FOUND, pl.DataFrame({"key": ["no"], "id": ["Q2"], "intact": [True]})]),
            ["labels: 1 rows are there that nobody made, such as Q2 of no"],
        ),
        (
            FOUND.with_columns(intact=pl.Series([True, False, True])),
            ["labels: 1 rows have other columns or values, such as Q2 of en"],
        ),
    ],
    ids=["all", "missing", "nothing", "double", "strange", "spoiled"],
)
def test_every_row_must_be_there_exactly_once(found: pl.DataFrame, complaint: list[str]) -> None:
    assert list(check_rows("labels", EXPECTED, found)) == complaint


def test_files_of_both_layouts_are_told_apart_by_chunk() -> None:
    parts = ["language=en/chunk_3-00000-of-00002.parquet", "language=en/chunk_3-00001-of-00002_1.parquet"]
    packed = ["language=no/chunk_3.parquet", "language=zh-hant/chunk_30.parquet"]
    other = ["README.md", ".gitattributes", "chunk_3.parquet", "site=enwiki/chunk_3.parquet"]
    listing = sort_out(LABELS, dict.fromkeys([*parts, *packed, *other], 1))
    assert {chunk: [file.path for file in files] for chunk, files in listing.chunks.items()} == {
        3: [*parts, packed[0]],
        30: [packed[1]],
    }
    assert {file.key for files in listing.chunks.values() for file in files} == {"en", "no", "zh-hant"}
    assert listing.strangers == other[2:]
    assert listing.layouts == {Layout.FILES, Layout.PACKED}
    assert sort_out(LABELS, dict.fromkeys(packed, 1)).layouts == {Layout.PACKED}


def limits(paths: Sequence[str], size_bytes: int = 1, chunk_numbers: Sequence[int] = (3,)) -> list[str]:
    return list(check_limits("repo", sort_out(LABELS, dict.fromkeys(paths, size_bytes)), chunk_numbers))


def test_the_limits_of_the_hub() -> None:
    files = [f"language=en/chunk_3-{part:05d}-of-10000.parquet" for part in range(10_000)]
    assert limits(files) == []
    assert "10,001 entries" in "".join(limits([*files, "language=en/chunk_3-00000-of-10000_1.parquet"]))
    assert "both layouts" in "".join(limits([files[0], "language=en/chunk_3.parquet"]))
    many = [f"language=k{number}/chunk_3-{part:05d}-of-10000.parquet" for number in range(11) for part in range(9_999)]
    assert "109,989 files" in "".join(limits(many))
    assert "200,000,000,001 bytes" in "".join(limits(files[:1], 200_000_000_001))
    assert "that nobody made, such as language=en/chunk_30.parquet" in "".join(limits(["language=en/chunk_30.parquet"]))
    assert "that nobody made, such as notes.txt" in "".join(limits(["notes.txt"]))


def test_entries_of_a_folder_are_files_and_folders() -> None:
    assert dict(entries_by_folder(["a/b/c", "a/b/d", "a/e", "f"])) == {"": 2, "a": 2, "a/b": 2}
    assert dict(entries_by_folder([])) == {"": 0}


def test_commits_are_counted_in_any_window() -> None:
    dates = [f"2026-01-01T00:00:{second:02d}.500Z" for second in (0, 1, 2, 30, 31, 39, 58)]
    assert most_within(dates, 11) == 3
    assert most_within(dates, 3600) == 7
    assert most_within([], 10) == 0
    assert list(check_commits(dates, Quota(3, 11))) == []
    assert list(check_commits(dates, Quota(2, 11))) == ["3 commits landed within 11 seconds, and the quota is 2"]


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """State files are torn for no time."""
    monkeypatch.setattr(pipeline, "_TORN_SECONDS", 0.0)
    monkeypatch.setattr(pipeline, "_TORN_LAST_SECONDS", 0.0)


@pytest.mark.usefixtures("hurried")
def test_the_pipeline_waits_for_the_push_and_clears_away_what_is_pushed(tmp_path: Path) -> None:
    sizes = dict.fromkeys(range(CHUNKS_AHEAD + 1), 2)
    made = Pipeline(tmp_path, CONTENTS, sizes, seed=1)
    made.prepare()
    assert set(get_all_state(tmp_path / "state")["step"]) == {Step.INIT}
    made.start()
    while made.complete < CHUNKS_AHEAD and made.is_alive():
        made.join(0.01)
    waiting = due_chunks(get_all_state(tmp_path / "state"))
    assert len(waiting) == CHUNKS_AHEAD
    for chunk in waiting:
        raise_to_push(tmp_path / "state", chunk)
    made.note_pushed()
    made.join()
    assert (made.error, made.pushed, made.complete) == (None, CHUNKS_AHEAD, len(sizes))
    (late,) = pipeline.behind(get_all_state(tmp_path / "state"), sizes)
    assert list(check_steps(get_all_state(tmp_path / "state"), sizes)) == [
        f"state: 1 of {len(sizes)} chunks are not at PUSH, such as chunk {late}"
    ]
    made.clear_pushed()
    left = {path.name for folder in ("results", "audit") for path in (tmp_path / folder).rglob("*.parquet")}
    assert left == {f"chunk_{late}-{part:05d}-of-00002.parquet" for part in range(2)}


@pytest.mark.usefixtures("hurried")
def test_a_pipeline_that_fails_says_so(tmp_path: Path) -> None:
    made = Pipeline(tmp_path, CONTENTS, SIZES, seed=1)
    with pytest.raises(FileNotFoundError):
        made.run()
    assert isinstance(made.error, FileNotFoundError)


def test_an_hour_of_the_hub_is_a_window_of_the_quota(tmp_path: Path) -> None:
    path = tmp_path / ".not-before.json"
    not_before = NotBefore(path, 30.0)
    assert not not_before.shorten()
    path.write_text(json.dumps({"not_before": time.time() + 3600, "why": "the Hub said so"}))
    assert not_before.shorten()
    assert 20 < json.loads(path.read_text())["not_before"] - time.time() <= 30
    path.write_text(json.dumps({"not_before": time.time() - 1, "why": "the Hub said so"}))
    assert not not_before.shorten()
    not_before.wait(pytest.fail)
    assert not_before.waits == 1


def test_runs_of_the_cli_beyond_the_first_are_repeated_ones(tmp_path: Path) -> None:
    for name in ("chunk_3/labels-1.log", "chunk_3/labels-2.log", "chunk_30/labels-1.log", "chunk_3/claims-1.log"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert count_runs(tmp_path) == (4, 1)


@pytest.mark.usefixtures("hurried")
def test_a_tick_that_fails_ends_the_rehearsal(tmp_path: Path, hub: RunningHub) -> None:
    made = Pipeline(tmp_path, CONTENTS, {3: 1}, seed=1)
    made.prepare()
    made.run()
    environment = rehearsal.environment(tmp_path, hub) | {"HF_TOKEN": hub.read_token}
    cron = Cron(tmp_path / "ticks", environment, seed=1)
    assert not run(cron, made, NotBefore(tmp_path / "none", 1.0), 1.0, lambda: None)
    (complaint,) = complaints(cron.ticks)
    assert complaint.startswith(f"tick {len(cron.ticks)} ended with exit code 1:\nwikidata: ")
    assert cron.ticks[-1].largest_bytes > 1 << 20


def test_two_chunks_from_init_to_push(tmp_path: Path, hub: RunningHub) -> None:
    root = tmp_path / "box"
    options = rehearsal.Options(SIZES, keys=4, rows=2, seed=1)
    made = Pipeline(root, CONTENTS, SIZES, seed=1)
    made.prepare()
    hub.set_quota(options.quota)
    hub.set_faults(*FAULTS)
    pushes = rehearsal.push_everything(options, root, made, hub)
    assert pushes.is_done, complaints(pushes.ticks)
    assert list(check_steps(get_all_state(root / "state"), SIZES)) == []
    found = rehearsal.inspect(options, CONTENTS, hub)
    assert found.violations == []
    counted = figures(made, pushes, found)
    assert (counted.chunks, counted.source_files, counted.cli_runs - counted.cli_reruns) == (2, 3, 10)
    assert counted.rows == sum(CONTENTS.expected(table, *chunk).height for table in Table for chunk in SIZES.items())
    assert counted.commits >= counted.most_commits_in_window > 0

    repo = rehearsal.REPOS[LABELS]
    doubled, lost, *_ = sorted(path for path in hub.files(repo) if path.startswith("language=en/"))
    hub.replace_file(repo, "language=en/chunk_3-copy.parquet", hub.read(repo, doubled))
    hub.delete_file(repo, lost)
    violations = "\n".join(rehearsal.inspect(options, CONTENTS, hub).violations)
    assert "rows are missing" in violations
    assert "rows are there more than once" in violations


@pytest.fixture
def without_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has asked for a quick rehearsal or for a layout, and nothing is written elsewhere."""
    monkeypatch.chdir(tmp_path)
    for name in ("QUICK", "LAYOUT"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("without_settings")
def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(rehearsal, "read_sizes", lambda: {3: 1})
    monkeypatch.setattr(sys, "argv", ["rehearsal", "--keys", "3", "--layout", "packed", "--root", "rehearsal"])
    assert rehearsal.main() == 0
    printed = capsys.readouterr().out
    assert "pushes by exit code" in printed
    written = json.loads((tmp_path / "bench" / "rehearsal.json").read_text())
    assert written["violations"] == []
    assert (written["chunks"], written["source_files"], written["keys"]) == (1, 1, 3)
    assert written["layouts"] == ["packed"]
    assert not any((tmp_path / "rehearsal" / "results").rglob("*.parquet"))


@pytest.mark.usefixtures("without_settings")
def test_the_command_says_what_does_not_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(rehearsal, "read_sizes", lambda: SIZES)
    monkeypatch.setattr(rehearsal, "environment", lambda _root, hub: ENVIRONMENT(_root, hub) | {"HF_TOKEN": "wrong"})
    monkeypatch.setattr(sys, "argv", ["rehearsal", "--keys", "3", "--root", "rehearsal"])
    assert rehearsal.main() == 1
    printed = capsys.readouterr().err
    assert "ended with exit code 1:\nwikidata: whoami: the Hub answered 401" in printed
    assert "rehearsal: state: 2 of 2 chunks are not at PUSH" in printed
    assert f"are left in {tmp_path}" in printed
