"""`wikidata submit`, with stand-ins for Slurm's commands: what is submitted, what is not, and what is said."""

import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.helpers.box import ROOT
from tests.helpers.records import write_receipts, write_state
from tests.helpers.slurm import StandIns
from wikidata.commands import later, status, submit
from wikidata.config import Selection, Settings, Table
from wikidata.errors import Exit, QuotaError
from wikidata.records.not_before import record_refusal

SCRIPT = ROOT / "scripts" / "wikidata-push.sbatch"


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIns:
    stand_ins = StandIns(tmp_path / "slurm")
    monkeypatch.setenv("PATH", f"{stand_ins.bin}:{os.environ['PATH']}")
    return stand_ins


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Chunks 0, 3, 7 to 9 are due, 1 is incomplete, 2 is pushed."""
    for chunk, step in {0: 3, 1: 2, 2: 4, 3: 3, 7: 3, 8: 3, 9: 3}.items():
        write_state(tmp_path, chunk, 2, step)
    return tmp_path


def settings_of(root: Path, **given: str) -> Settings:
    folders = {name: str(root / name) for name in ("state", "manifests", "logs")}
    return Settings.from_environment(
        {f"{name.upper().removesuffix('S')}_DIR": path for name, path in folders.items()} | given
    )


def ask(root: Path, chunk: int | None = None, table: Table | None = None, **given: str) -> Exit:
    return submit.run(settings_of(root, **given), Selection(chunk, table))


def option(words: list[str], name: str) -> str:
    (value,) = [word.partition("=")[2] for word in words if word.startswith(f"--{name}=")]
    return value


def test_the_due_chunks_are_one_array_job_and_a_fold_follows_it(
    root: Path, slurm: StandIns, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(root, TASKS_AT_ONCE="2") == 0
    push, fold = slurm.submitted
    assert option(push, "array") == "0,3,7-9%2"
    assert option(fold, "dependency") == "afterany:1,singleton"  # also if a task has failed
    assert (push[-1], fold[-1]) == ("push", "fold")
    assert Path(push[-2]).samefile(SCRIPT)
    assert option(push, "output") == f"{root}/logs/tasks/push-%A_%a.log"
    assert (root / "logs" / "tasks").is_dir()  # Slurm makes no folders, and such a job would fail without a word
    assert capsys.readouterr().out.splitlines() == [
        f"job 1: chunks 0, 3, 7 to 9; logs in {root}/logs/tasks",
        f"job 2: fold, after job 1; logs in {root}/logs/tasks",
    ]


def test_what_is_queued_or_running_is_not_submitted_twice(
    root: Path, slurm: StandIns, capsys: pytest.CaptureFixture[str]
) -> None:
    ask(root)
    name, fold = (option(words, "job-name") for words in slurm.submitted)
    slurm.queue(f"{name}|1_0|RUNNING|n1", *(f"{name}|1_{chunk}|PENDING|" for chunk in (3, 7, 8)), f"{fold}|2|PENDING|")
    capsys.readouterr()
    assert ask(root) == 0
    assert option(slurm.submitted[2], "array").startswith("9%")
    assert capsys.readouterr().out.startswith("queued or running already: chunks 0, 3, 7 to 8\njob 3: chunk 9;")
    slurm.queue(*(f"{name}|1_{chunk}|PENDING|" for chunk in (0, 3, 7, 8, 9)))
    assert (ask(root, QUIET="1"), capsys.readouterr()) == (0, ("", ""))
    assert len(slurm.submitted) == 4
    (root / "manifests").rename(root / "others")
    assert ask(root, MANIFEST_DIR=str(root / "others")) == 0  # another dataset, as far as Slurm is concerned
    assert len(slurm.submitted) == 6


def test_a_table_is_submitted_alone_and_queued_alone(root: Path, slurm: StandIns) -> None:
    ask(root, 3, Table.LABELS)
    push, fold = slurm.submitted
    assert (option(push, "array").partition("%")[0], push[-3:]) == ("3", ["push", "--table", "labels"])
    assert fold[-3:] == ["fold", "--table", "labels"]
    slurm.queue(f"{option(push, 'job-name')}|1_3|PENDING|")
    ask(root, 3, Table.LABELS)
    assert len(slurm.submitted) == 2
    for table in (Table.LINKS, None):
        ask(root, 3, table)
    assert [words[-1] for words in slurm.submitted[2:]] == ["links", "links", "push", "fold"]


def test_a_dry_run_prints_the_commands_and_changes_nothing(
    root: Path, slurm: StandIns, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(root.rglob("*"))
    assert ask(root, DRY_RUN="1") == 0
    push, fold = (line.split() for line in capsys.readouterr().out.splitlines())
    assert (push[:2], option(fold, "dependency")) == (["sbatch", "--parsable"], "afterany:JOB,singleton")
    assert (slurm.submitted, sorted(root.rglob("*"))) == ([], before)


@pytest.mark.parametrize(
    ("name", "body", "said"),
    [
        (
            "sbatch",
            "echo sbatch: error: Hm >&2; echo sbatch: error: Invalid partition >&2; exit 1",
            "Invalid partition",
        ),
        ("squeue", "echo slurm_load_jobs error: Unable to contact slurm controller >&2; exit 1", "Unable to contact"),
        ("squeue", "exit 1", "squeue ended with exit code 1"),
    ],
)
def test_what_slurm_refuses_is_one_line_in_its_words(
    root: Path, slurm: StandIns, capsys: pytest.CaptureFixture[str], name: str, body: str, said: str
) -> None:
    slurm.become(name, body)
    assert ask(root) == 1
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines()), slurm.submitted) == ("", 1, [])
    assert err.startswith("wikidata: Slurm refused: ")
    assert said in err


def test_without_slurm_there_is_one_line(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(root))
    assert ask(root) == 1
    assert "there is no squeue on the PATH" in capsys.readouterr().err


def test_an_incomplete_chunk_is_refused_and_a_contradictory_one_told(
    root: Path, slurm: StandIns, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(root, 1) == 1
    assert slurm.submitted == []
    write_state(root, 5, 1, 3)
    write_state(root, 5, 2, 3)
    capsys.readouterr()
    assert ask(root, QUIET="1") == 1
    assert "chunk 5 is contradictory" in capsys.readouterr().err
    assert option(slurm.submitted[0], "array").partition("%")[0] == "0,3,7-9"


def test_a_fold_that_is_due_is_submitted_alone_unless_something_is_queued(tmp_path: Path, slurm: StandIns) -> None:
    for chunk in (0, 1):
        write_state(tmp_path, chunk, 1, 4)
    assert ask(tmp_path, FOLD="0") == 0
    assert slurm.submitted == []
    assert ask(tmp_path, FOLD="2") == 0
    (fold,) = slurm.submitted
    assert (fold[-1], option(fold, "dependency")) == ("fold", "singleton")
    slurm.queue(f"{option(fold, 'job-name')}|1|PENDING|")
    assert ask(tmp_path, FOLD="2") == 0
    assert len(slurm.submitted) == 1


def test_two_do_not_submit_at_once(root: Path, slurm: StandIns) -> None:
    ask(root, 0)
    name = option(slurm.submitted[0], "job-name")
    listed = "".join(f"{name}|3_{chunk}|PENDING|\\n" for chunk in (0, 3, 7, 8, 9))
    slurm.become("sbatch", f"printf '%s\\n' \"$*\" >>submitted; sleep 0.2; printf '{listed}' >queue; echo 3")
    with ThreadPoolExecutor() as pool:
        assert [each.result() for each in [pool.submit(ask, root) for _ in range(4)]] == [0] * 4
    assert [words[-1] for words in slurm.submitted[2:]] == ["push", "fold"]


def test_status_tells_what_slurm_has_and_only_if_there_was_a_submission(
    root: Path, slurm: StandIns, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_receipts(root, "chunk_2", datetime.now(UTC))
    slurm.become("squeue", "touch asked; exit 1")
    assert status.run(settings_of(root), Selection()) == 0
    assert not (slurm.root / "asked").exists()
    slurm.become("squeue", "cat queue")
    ask(root)
    name, fold = (option(words, "job-name") for words in slurm.submitted)
    slurm.queue(f"{name}|1_0|RUNNING|n1", f"{name}|1_3|PENDING|", f"{name}|1_7|PENDING|", f"{fold}|2|PENDING|")
    capsys.readouterr()
    assert status.run(settings_of(root), Selection()) == 0
    told = capsys.readouterr().out.splitlines()
    assert "at Slurm, running: chunk 0, on n1" in told
    assert "at Slurm, pending: chunks 3, 7 and fold" in told
    assert status.run(settings_of(root, JSON="1"), Selection()) == 0
    assert json.loads(capsys.readouterr().out)["tasks"][0] == {
        "job": "1_0", "chunk": 0, "table": None, "state": "RUNNING", "node": "n1",
    }  # fmt: skip
    slurm.become("squeue", "sleep 60")
    monkeypatch.setattr(status, "SLURM_SECONDS", 0.2)
    assert status.run(settings_of(root, JSON="1"), Selection()) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["tasks"] is None
    assert err == "wikidata: warning: squeue has not answered within 0.2 s: is Slurm well?\n"


def test_later_is_when_the_quota_is_filled_again_or_five_minutes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert later.run(settings_of(tmp_path), Selection()) == 0
    record_refusal(tmp_path / "manifests", QuotaError("labels: 429", 1000))
    assert later.run(settings_of(tmp_path), Selection()) == 0
    default, quota = map(int, capsys.readouterr().out.split())
    assert (default, 990 < quota <= 1000) == (300, True)


@pytest.mark.parametrize("code", [0, 1, 75])
def test_a_task_that_ends_with_75_requeues_itself_and_no_other(slurm: StandIns, code: int) -> None:
    python = 'printf "%s\\n" "$*" >>ran; [ "$4" = later ] && echo 240 && exit 0; exit'
    slurm.become("python", f"{python} {code}")
    ours = {"WIKIDATA": str(slurm.bin / "python"), "SLURM_JOB_ID": "12", "PATH": os.environ["PATH"]}
    for array in ({"SLURM_ARRAY_JOB_ID": "12", "SLURM_ARRAY_TASK_ID": "0"}, {}):
        done = subprocess.run(["bash", SCRIPT, "push", "--table", "labels"], env=ours | array, check=False)
        assert done.returncode == code
    ran = (slurm.root / "ran").read_text().splitlines()
    assert [line for line in ran if "later" not in line] == [
        "-P -m wikidata push --table labels --chunk=0",
        "-P -m wikidata push --table labels",
    ]
    jobs = ["12_0", "12"] if code == 75 else []
    assert slurm.controlled == [
        line for job in jobs for line in (f"requeue {job}", f"update JobId={job} StartTime=now+240")
    ]
