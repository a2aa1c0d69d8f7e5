"""The benchmark decides rightly and tells it rightly. Real sides are not run here: `make bench QUICK=1` does that."""

import json
import os
import sys
from itertools import count
from pathlib import Path

import pytest

from scripts.bench import __main__ as bench
from scripts.bench.comparisons import COMPARISONS
from scripts.bench.data import (
    FULL,
    LARGE_KEYS,
    QUICK,
    Scale,
    heavy_chunk,
    large_key,
    large_keys,
    other_paths,
    pushed_states,
)
from scripts.bench.measure import OURS, Comparison, Measured, Row, Runs, Side, readable, result_of, run_sides, table
from scripts.bench.readers import LAYOUTS, file_names
from scripts.bench.workspace import NOBODY, SideError, Workspace, environment_of, run
from wikidata.config import Layout, Table
from wikidata.dataset.survey import survey
from wikidata.limits import ENTRIES_A_FOLDER
from wikidata.names import parse_data_file
from wikidata.state import due_chunks, get_all_state, summarize

USUAL = {comparison.name: comparison.runs for comparison in (make(FULL) for make in COMPARISONS)}
Captured = pytest.CaptureFixture[str]
ROW = Row("a push", "the loop", 0.15)


def fixed(seconds: float) -> Side:
    return lambda _: {"seconds": seconds}


def failing(_: Workspace) -> Measured:
    raise SideError("the loop ended with exit code 1")


def runs_of(ours: list[float], peer: list[float]) -> Runs:
    return {OURS: [{"seconds": each} for each in ours], "the loop": [{"seconds": each} for each in peer]}


@pytest.mark.parametrize(
    ("ours", "peer", "holds"),
    [
        ([1.0], [10.0], True),
        ([1.5], [10.0], True),
        ([1.51], [10.0], False),
        ([9.0, 1.0, 1.2], [0.1, 10.0, 99.0], True),
        ([], [], False),
        ([1.0], [0.0], False),
    ],
)
def test_a_goal_holds_if_the_ratio_of_the_medians_is_at_most_that(
    ours: list[float], peer: list[float], holds: bool
) -> None:
    assert result_of(ROW, runs_of(ours, peer), is_judged=True)["holds"] is holds
    assert result_of(ROW, runs_of(ours, peer), is_judged=False)["holds"] is None


def test_a_limit_takes_the_place_of_a_peer() -> None:
    row = Row("memory", "a limit", 1, "peak_bytes", limit=350e6)
    result = result_of(row, {OURS: [{"peak_bytes": 4e8}]}, is_judged=True)
    assert (result["ratio"], result["holds"]) == (pytest.approx(400 / 350), False)


def test_the_table_tells_what_against_what_and_whether_it_holds() -> None:
    shown = Row("a push", "the library")
    results = [result_of(ROW, runs_of([ours], [10.0]), is_judged=True) for ours in (1.0, 2.0)]
    results += [result_of(ROW, runs_of([2.0], [10.0]), is_judged=False), result_of(shown, runs_of([2.0], []), True)]
    lines = [" ".join(line.split()) for line in table(results).splitlines()]
    assert lines == [
        "what ours against peer ratio goal holds",
        "a push 1.00 s the loop 10.00 s 0.100 ≤ 0.15 yes",
        "a push 2.00 s the loop 10.00 s 0.200 ≤ 0.15 NO",
        "a push 2.00 s the loop 10.00 s 0.200 ≤ 0.15 not judged",
        "a push 2.00 s the library failed",
    ]
    assert [readable("requests", 16123.0), readable("peak_bytes", 3.5e8)] == ["16,123", "350.0 MB"]


def test_sides_run_in_turn_and_slow_ones_once(tmp_path: Path) -> None:
    seconds = count()
    sides: dict[str, Side] = dict.fromkeys((OURS, "peer"), lambda _: {"seconds": next(seconds)})
    found = run_sides(Comparison("push", sides, [], once=("peer",)), Workspace(QUICK, tmp_path))
    assert found == {OURS: [{"seconds": 0}, {"seconds": 2}, {"seconds": 3}], "peer": [{"seconds": 1}]}


@pytest.mark.parametrize("scale", [FULL, QUICK])
def test_every_row_is_about_sides_that_there_are(scale: Scale) -> None:
    for comparison in (make(scale) for make in COMPARISONS):
        against = {row.against for row in comparison.rows if row.limit is None}
        assert comparison.sides.keys() == against | {row.side for row in comparison.rows}
        assert set(comparison.once) <= comparison.sides.keys()


def test_what_takes_very_long_is_only_made_if_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: dict[str, int] = {}
    monkeypatch.setattr(bench, "FOLDER", tmp_path)
    monkeypatch.setattr(bench, "run_sides", lambda comparison, _: made.update({comparison.name: comparison.runs}) or {})
    usual, chosen = USUAL.keys() - {"latency", "nodes"}, ["--only=latency,cron", "--runs=5"]
    for arguments, expected in ([], usual), (["--all"], USUAL.keys()), (chosen, {"cron", "latency"}):
        made.clear()
        bench.main(arguments)
        assert made.keys() == expected
    assert set(made.values()) == {5}


@pytest.mark.parametrize("arguments", [["--only", "nothing"], ["--runs", "0"], ["--runs", "x"], ["--what"]])
def test_senseless_arguments_are_refused(arguments: list[str], capsys: Captured) -> None:
    with pytest.raises(SystemExit) as ended:
        bench.main(arguments)
    assert ended.value.code == 2
    assert arguments[0] in capsys.readouterr().err


@pytest.mark.parametrize(
    ("ours", "quick", "code"),
    [(fixed(1.0), "0", 0), (fixed(9.0), "0", 1), (fixed(9.0), "1", 0), (failing, "0", 1), (failing, "1", 1)],
)
def test_the_exit_code_says_whether_goals_hold_and_comparisons_could_be_made(
    ours: Side, quick: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setenv("QUICK", quick)
    monkeypatch.setattr(bench, "FOLDER", tmp_path)
    sides = {OURS: ours, "the loop": fixed(10.0)}
    monkeypatch.setattr(bench, "COMPARISONS", [lambda _: Comparison("push", sides, [ROW])])
    assert bench.main([]) == code
    shown = capsys.readouterr()
    assert "a push" in shown.out
    assert ours is not failing or "push failed: the loop ended with exit code 1" in shown.err
    document = json.loads((tmp_path / "bench.json").read_text())
    assert document["quick"] is (quick == "1")
    assert {"date", "cores", "processor", "memory", "python", "huggingface_hub"} <= document["machine"].keys()
    assert document["rows"][0]["goal"] == 0.15
    assert ours is failing or document["runs"]["push"]["the loop"][0] == {"seconds": 10.0}
    assert os.listdir(tmp_path) == ["bench.json"]


def test_nothing_of_the_user_s_own_settings_reaches_a_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_TOKEN", "HF_ENDPOINT", "LAYOUT", "DRY_RUN", "MAKEFLAGS", "CHUNK"):
        monkeypatch.setenv(name, "the user's")
    environment = environment_of(tmp_path, {"HF_TOKEN": "ours"})
    assert "the user's" not in environment.values()
    assert (environment["HF_ENDPOINT"], environment["HF_TOKEN"]) == (NOBODY, "ours")
    assert environment["PATH"].startswith(str(Path(sys.executable).parent))
    assert environment["OUTPUT_DIR"] == str(tmp_path / "results")


def test_a_command_that_fails_is_told_with_its_words() -> None:
    with pytest.raises(SideError, match=r"ended with exit code 3:\nno room$"):
        run(["sh", "-c", "echo no room >&2; exit 3"], os.environ)
    with pytest.raises(SideError, match="no-such-program"):
        run(["no-such-program"], os.environ)


def test_the_peak_of_memory_is_what_was_held() -> None:
    """In a process of its own: one that has freed memory before takes that first."""
    code = "from scripts.peak_memory import *; before = peak_bytes(); b'x' * (64 << 20); print(peak_bytes() - before)"
    assert int(run([sys.executable, "-c", code], os.environ)) > 32 << 20


def test_the_data_is_as_large_as_was_asked_for(tmp_path: Path) -> None:
    pushed_states(tmp_path, QUICK)
    state = get_all_state(tmp_path / "state")
    assert (state.height, due_chunks(state)) == (200, [])
    assert summarize(state)["complete"].all()
    for write, keys, share in (large_key, ["en"], 1), (large_keys, LARGE_KEYS, 1), (heavy_chunk, ["en"], 4):
        root = tmp_path / write.__name__
        write(root, QUICK)
        files = survey(3, 2, Table.LABELS, root / "results", root / "audit").files
        assert files["key"].to_list() == [key for key in keys for _ in range(2)]
        assert 1 < files["size_bytes"].sum() / QUICK.key_bytes * share < 1.05


@pytest.mark.parametrize("layout", [Layout.FILES, Layout.PACKED])
def test_a_full_repo_has_as_many_files_of_other_chunks_as_was_asked_for(layout: Layout) -> None:
    paths = other_paths(Table.LINKS, layout, FULL.others)
    assert len(set(paths)) == len(paths) == 56_000
    files = [parse_data_file(path) for path in paths]
    assert {file and file.layout for file in files} == {layout}
    assert 3 not in {file and file.block.first for file in files}
    assert FULL.others.parts <= ENTRIES_A_FOLDER


def test_a_repo_to_read_has_as_many_files_as_its_layout_and_each_chunk_once() -> None:
    keys = range(FULL.huge.keys)
    assert [sum(len(file_names(layout, key)) for key in keys) for layout in LAYOUTS] == [56_500, 10_500, 540]
    for layout, chunks in zip(LAYOUTS, (113, 111, 113), strict=True):
        for key in (0, 499):
            names = [name.removeprefix("chunk_").removesuffix(".parquet") for name in file_names(layout, key)]
            ends = [(int(first), int(last or first)) for first, _, last in (name.partition("-") for name in names)]
            assert [chunk for first, last in ends for chunk in range(first, last + 1)] == list(range(chunks))
