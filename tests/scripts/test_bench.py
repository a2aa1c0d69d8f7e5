"""The benchmark decides rightly and tells it rightly. No contest is held here: `make bench QUICK=1` does that."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from xml.etree import ElementTree

import pytest

from scripts.bench import command, picture, report
from scripts.bench.contest import Contest, Side, hold
from scripts.bench.data import write_large_key, write_states
from scripts.bench.figures import Figures, Measured, Result, Row, Unit, readable, readable_ratio, result_of
from scripts.bench.grown import paths_of
from scripts.bench.programme import contests, rows
from scripts.bench.scale import FULL, QUICK, Scale
from scripts.bench.stopwatch import peak_bytes
from scripts.bench.workshop import NOBODY, ContestError, Workshop, environment_of, run
from wikidata.config import ROOT, Layout, Table
from wikidata.dataset.layout import ENTRIES_A_FOLDER
from wikidata.dataset.survey import survey
from wikidata.names import parse_data_file
from wikidata.state import Step, due_chunks, get_all_state, summarize

ROW = Row("push", "a push", "the loop", goal=0.15)
MACHINE = {"cores": 2, "processor": "Z80", "memory_bytes": 4e9, "python": "3", "polars": "1", "huggingface_hub": "0"}


def measured(ours: list[float], peer: list[float]) -> Measured:
    sides = {("ours", ""): ours, ("peer", ""): peer}
    return {key: [Figures(seconds=seconds) for seconds in values] for key, values in sides.items()}


def fixed(seconds: float, log: list[str] | None = None, name: str = "") -> Callable[[Workshop], Mapping[str, Figures]]:
    def work(_: Workshop) -> Mapping[str, Figures]:
        if log is not None:
            log.append(name)
        return {"": Figures(seconds=seconds)}

    return work


def failing(_: Workshop) -> Mapping[str, Figures]:
    raise ContestError("the loop ended with exit code 1")


@pytest.mark.parametrize(
    ("ours", "peer", "holds"),
    [([1.0], [10.0], True), ([1.5], [10.0], True), ([1.51], [10.0], False), ([9.0, 1.0, 1.2], [0.1, 10.0, 99.0], True)],
)
def test_a_goal_holds_where_the_ratio_of_the_medians_is_at_most_that(
    ours: list[float], peer: list[float], holds: bool
) -> None:
    result = result_of(ROW, measured(ours, peer), is_judged=True)
    assert result.holds is holds
    assert result_of(ROW, measured(ours, peer), is_judged=False).holds is None


def test_what_was_not_measured_does_not_hold() -> None:
    result = result_of(ROW, {}, is_judged=True)
    assert (result.ratio, result.holds) == (None, False)
    assert "failed" in report.table([result])
    nothing = result_of(ROW, measured([1.0], [0.0]), is_judged=True)
    assert (nothing.ratio, nothing.holds) == (None, False)


def test_a_limit_takes_the_place_of_a_peer() -> None:
    row = Row("plan", "memory", "a limit", 1, peer=350e6, unit=Unit.PEAK_BYTES)
    result = result_of(row, {("ours", ""): [Figures(peak_bytes=400_000_000)]}, is_judged=True)
    assert result.ratio == pytest.approx(400 / 350)
    assert result.holds is False


def test_figures_are_told_as_people_write_them() -> None:
    assert readable(1234.567, Unit.SECONDS) == "1,234.57 s"
    assert readable(16123.0, Unit.REQUESTS) == "16,123"
    assert readable(3.5e8, Unit.PEAK_BYTES) == "350.0 MB"
    assert [readable_ratio(ratio) for ratio in (0.04567, 1.2345, 12.3456, None)] == ["0.046", "1.23", "12.3", ""]


def test_the_table_tells_what_against_what_and_whether_it_holds() -> None:
    results = [
        Result(ROW, 1.0, 10.0, True),
        Result(ROW, 2.0, 10.0, True),
        Result(ROW, 2.0, 10.0, False),
        Result(Row("push", "a push", "the library"), 2.0, 10.0, True),
    ]
    heading, *lines = [line.split() for line in report.table(results).splitlines()]
    assert tuple(heading) == report.COLUMNS
    assert lines[0] == "a push 1.00 s the loop 10.00 s 0.100 ≤ 0.15 yes".split()
    assert [line[-1] for line in lines[1:3]] == ["NO", "judged"]
    assert lines[3] == "a push 2.00 s the library 10.00 s 0.200".split()


def test_the_document_has_every_run_and_says_on_what_machine() -> None:
    runs = {"push": measured([1.0, 2.0, 3.0], [10.0])}
    document = report.document(report.machine(), [result_of(ROW, runs["push"], True)], runs, is_quick=False)
    read = json.loads(json.dumps(document))
    assert read["rows"][0] | {"ours": 2.0, "peer": 10.0, "ratio": 0.2, "goal": 0.15, "holds": False} == read["rows"][0]
    ours, peer = read["runs"]["push"]
    assert (ours["side"], [figures["seconds"] for figures in ours["runs"]]) == ("ours", [1.0, 2.0, 3.0])
    assert len(peer["runs"]) == 1
    assert {"date", "cores", "processor", "memory_bytes", "python", "polars", "huggingface_hub"} <= read[
        "machine"
    ].keys()
    assert "cores" in report.describe(read["machine"])


def test_the_picture_is_well_formed_whatever_the_words() -> None:
    row = Row("push", 'a <push> & "more"\'s', "<b>&amp;", goal=0.15)
    root = ElementTree.fromstring(picture.draw([Result(row, 1.0, 10.0, True)], "2 cores & <more>"))  # noqa: S314 - ours
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert row.what in texts
    assert "against <b>&amp;" in texts
    assert "2 cores & <more>" in texts


def test_a_bar_that_ends_before_its_tick_is_a_goal_that_holds() -> None:
    results = [Result(ROW, ours, 10.0, True) for ours in (0.2, 1.0, 1.6, 30.0)]
    results += [Result(Row("push", "shown", "only"), 1.0, 10.0, True), Result(ROW, None, 10.0, True)]
    root = ElementTree.fromstring(picture.draw(results, ""))  # noqa: S314 - ours
    bars = list(root.iter("{http://www.w3.org/2000/svg}rect"))
    ends = [float(bar.attrib["x"]) + float(bar.attrib["width"]) for bar in bars]
    ticks = [float(line.attrib["x1"]) for line in root.iter() if line.get("class") == "tick"]
    assert [bar.attrib["class"] for bar in bars] == ["bar", "bar", "missed", "missed", "plain"]
    assert [end <= tick for end, tick in zip(ends, ticks, strict=False)] == [True, True, False, False]
    assert all(picture.LABEL_WIDTH < end <= picture.WIDTH - picture.VALUE_WIDTH for end in ends)


def test_a_picture_of_nothing_is_a_picture() -> None:
    ElementTree.fromstring(picture.draw([], "nothing"))  # noqa: S314 - ours


def test_sides_run_in_turn_and_slow_ones_once(tmp_path: Path) -> None:
    log: list[str] = []
    sides = Side("ours", fixed(1.0, log, "ours")), Side("peer", fixed(2.0, log, "peer"), once=True)
    found = hold(Contest("push", sides), Workshop(QUICK, tmp_path))
    assert log == ["ours", "peer", "ours", "ours"]
    assert {key: len(runs) for key, runs in found.items()} == {("ours", ""): 3, ("peer", ""): 1}


@pytest.mark.parametrize("scale", [FULL, QUICK])
def test_every_row_is_about_sides_that_there_are(scale: Scale) -> None:
    sides = {contest.name: {side.name for side in contest.sides} for contest in contests(scale)}
    for row in rows(scale):
        assert row.ours in sides[row.contest]
        assert not isinstance(row.peer, str) or row.peer in sides[row.contest]
    assert {row.contest for row in rows(scale)} == set(sides)


def test_what_takes_very_long_is_only_held_where_asked_for() -> None:
    known = contests(FULL)
    every = [contest.name for contest in known]
    assert [contest.name for contest in command.choose(known, None, False, None)] == [
        n for n in every if n != "latency"
    ]
    assert [contest.name for contest in command.choose(known, None, True, None)] == every
    assert [contest.name for contest in command.choose(known, "latency,cron", False, None)] == ["cron", "latency"]
    assert {contest.runs for contest in command.choose(known, None, True, 5)} == {5}
    assert all(contest.runs >= 3 for contest in known if contest.name != "latency")


@pytest.mark.parametrize("arguments", [["--only", "nothing"], ["--runs", "0"], ["--runs", "x"], ["--what"]])
def test_senseless_arguments_are_refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "run", lambda *_: pytest.fail("this would run for minutes"))
    with pytest.raises(SystemExit) as ended:
        command.main(arguments)
    assert ended.value.code == 2
    assert arguments[0] in capsys.readouterr().err


def test_a_list_runs_nothing(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QUICK", raising=False)
    assert command.main(["--list", "--only", "latency,small"]) == 0
    listed = capsys.readouterr().out
    assert "push of 5 × 1,000 files, packed, 150 ms a request, 1.5 s a commit" in listed
    assert "push of 5 × 40 files" in listed
    assert "get_all_state" not in listed


@pytest.mark.parametrize(
    ("ours", "quick", "code"),
    [
        (fixed(1.0), "0", 0),
        (fixed(9.0), "0", 1),
        (fixed(9.0), "1", 0),
        (failing, "0", 1),
        (failing, "1", 1),
    ],
)
def test_the_exit_code_says_whether_goals_hold_and_contests_could_be_held(
    ours: Callable[[Workshop], Mapping[str, Figures]],
    quick: str,
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("QUICK", quick)
    monkeypatch.setattr(command, "FOLDER", tmp_path / "bench")
    monkeypatch.setattr(command, "rows", lambda _: [ROW])
    monkeypatch.setattr(
        command, "contests", lambda _: [Contest("push", (Side("ours", ours), Side("peer", fixed(10.0))))]
    )
    assert command.main([]) == code
    shown = capsys.readouterr()
    assert "a push" in shown.out
    assert ours is not failing or "push failed: the loop ended with exit code 1" in shown.err
    document = json.loads((tmp_path / "bench" / "bench.json").read_text())
    assert document["quick"] is (quick == "1")
    assert sorted(os.listdir(tmp_path / "bench")) == ["bench.json", "bench.svg"]


def test_nothing_of_the_user_s_own_settings_reaches_a_contest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_TOKEN", "HF_ENDPOINT", "LAYOUT", "DRY_RUN", "MAKEFLAGS", "CHUNK"):
        monkeypatch.setenv(name, "the user's")
    environment = environment_of(tmp_path, {"HF_TOKEN": "ours"})
    assert "the user's" not in environment.values()
    assert (environment["HF_ENDPOINT"], environment["HF_TOKEN"]) == (NOBODY, "ours")
    assert environment["PATH"].startswith(str(Path(sys.executable).parent))
    assert environment["OUTPUT_DIR"] == str(tmp_path / "results")


def test_a_command_that_fails_is_told_with_its_words() -> None:
    with pytest.raises(ContestError, match=r"ended with exit code 3:\nno room$"):
        run([sys.executable, "-c", "import sys; print('no room', file=sys.stderr); sys.exit(3)"], os.environ)
    with pytest.raises(ContestError, match="no-such-program"):
        run(["no-such-program"], os.environ)


def test_shared_data_is_made_once(tmp_path: Path) -> None:
    workshop, made = Workshop(QUICK, tmp_path), list[Path]()
    assert workshop.shared("data", made.append) == workshop.shared("data", made.append) == tmp_path / "data"
    assert made == [tmp_path / "data"]


def test_the_peak_of_memory_is_a_process_s_own() -> None:
    before = peak_bytes()
    large = b"x" * (256 << 20)
    assert peak_bytes() - before > len(large) / 2
    told = subprocess.run(
        [sys.executable, "-c", "from scripts.bench.stopwatch import peak_bytes; print(peak_bytes())"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=True,
    )
    assert 0 < int(told.stdout) < len(large)


def test_state_files_are_those_of_pushed_chunks(tmp_path: Path) -> None:
    write_states(tmp_path, 200, Step.PUSH)
    state = get_all_state(tmp_path / "state")
    assert state.height == 200
    assert summarize(state)["complete"].all()
    assert due_chunks(state) == []


def test_a_large_key_is_as_large_compressed_as_was_asked_for(tmp_path: Path) -> None:
    write_large_key(tmp_path, chunk=3, parts=2, size_bytes=2_000_000)
    files = survey(3, 2, Table.LABELS, tmp_path / "results", tmp_path / "audit").files
    assert files["key"].to_list() == ["en", "en"]
    assert 2_000_000 <= files["size_bytes"].sum() < 2_100_000


@pytest.mark.parametrize("layout", [Layout.FILES, Layout.PACKED])
def test_a_grown_repo_has_as_many_files_of_other_chunks_as_was_asked_for(layout: Layout) -> None:
    paths = paths_of(Table.LINKS, layout, FULL.grown_chunks, FULL.grown_keys)
    assert len(set(paths)) == len(paths) == 50_000
    files = [parse_data_file(path) for path in paths]
    assert {file and file.layout for file in files} == {layout}
    assert 3 not in {file and file.chunk for file in files}
    assert FULL.grown_chunks <= ENTRIES_A_FOLDER
