"""Two at once: real processes that meet at a chunk. One works; the others touch nothing, ask nothing, and say who does.

Those that meet at different chunks work side by side.
"""

import json
import re
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain

import pytest

from localhub.auth import Identity
from localhub.faults import Fault
from localhub.testing import RunningHub
from tests.helpers.box import REPOS, ROOT, Box, assert_arrived, data_commits, on_the_hub
from tests.helpers.forking import Done, Forks
from tests.helpers.racing import processes_of, uploading
from tests.helpers.stock import NewBox
from wikidata.config import Table, target_repos
from wikidata.state import Step, update_state

LABELS = Table.LABELS
HANGS = Fault("commit", action="hang")
TICK = ("push",)
BY_HAND = ("push", "--chunk", "3")
PIPELINE = """
import sys
from wikidata.errors import PushError
from wikidata.push import push_chunk
try:
    push_chunk(3, "{root}/state", "{root}/results", {{"labels": "permutans/wikidata-labels"}})
except PushError as error:
    print(type(error).__name__, error, sep=": ", file=sys.stderr)
    sys.exit(error.exit_code)
"""


@dataclass(frozen=True)
class Start:
    """A way to start a push: the command, the CLIs that it runs at once, its exit code and words when turned away."""

    command: tuple[str, ...]
    uploads: int = 1
    code: int = 75
    says: str = "wikidata: {who}\n"


def wikidata(*words: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "wikidata", *words)


def make(*words: str) -> tuple[str, ...]:
    return ("make", "--no-print-directory", *words)


_MAKE_SAYS = "make: *** [Makefile: push] Error 75\n"
STARTS = {
    "tick": Start(wikidata("push"), uploads=5, says=""),
    "make-tick": Start(make("push"), uploads=5, code=2, says=_MAKE_SAYS),
    "one-table": Start(wikidata("push", "--chunk", "3", "--table", "labels")),
    "make-one-table": Start(make("push", "CHUNK=3", "TABLE=labels"), code=2, says="wikidata: {who}\n" + _MAKE_SAYS),
    "pipeline": Start((sys.executable, "-c", PIPELINE), says="LockedError: {who}\n"),
    "prune": Start(wikidata("prune", "--chunk", "3", "--yes")),
}


@pytest.fixture
def box(new_box: NewBox) -> Box:
    """Chunk 3 is to be pushed; chunk 30 no tick will push, but whoever names it may."""
    box = new_box(chunks={3: 1, 30: 1}, keys=1, rows=1)
    update_state(box.root / "state" / "chunk_30-00000-of-00001.jsonl", Step.PUSH)
    return box


def words_of(start: Start, box: Box) -> list[str]:
    return [word.format(root=box.root) if word == PIPELINE else word for word in start.command]


def photograph(box: Box) -> dict[str, object]:
    """All that a second push could touch, with its times; of the logs, which the first still writes, the names.

    A tick takes the lock of its host first.
    """
    seen: dict[str, object] = {}
    for path in box.root.rglob("*"):
        name = str(path.relative_to(box.root))
        if name == "manifests/.locks" or path.name.startswith("host-"):
            continue
        is_log = name.startswith("logs/") and path.is_file()
        seen[name] = None if is_log else (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else None)
    return seen


def holder_of(box: Box) -> tuple[int, str]:
    """The process that holds the lock, and the words for it."""
    holder = json.loads((box.root / "manifests" / ".locks" / "chunk_3").read_bytes())
    since = datetime.fromtimestamp(holder["since"], UTC)
    assert 0 <= (datetime.now(UTC) - since).total_seconds() < 60
    who = f"process {holder['pid']} on {holder['host']} ({holder['purpose']})"
    return holder["pid"], f"{who} holds the lock since {since:%Y-%m-%d %H:%M:%S} UTC: try again when it is done"


def run(start: Start, box: Box) -> "Done | subprocess.CompletedProcess[str]":
    if start.command[:3] == wikidata():
        return box.wikidata(*start.command[3:])
    return subprocess.run(words_of(start, box), cwd=ROOT, env=box.environment, capture_output=True, text=True)


def assert_turned_away(start: Start, box: Box, who: str) -> None:
    done = run(start, box)
    said = re.sub(r"Makefile:[0-9]+", "Makefile", done.stderr)
    assert (done.returncode, done.stdout, said) == (start.code, "", start.says.format(who=who))


@pytest.mark.slow
@pytest.mark.parametrize("first", [name for name in STARTS if name not in {"make-tick", "prune"}])
def test_whoever_comes_while_a_push_is_at_work_touches_nothing(box: Box, hub: RunningHub, first: str) -> None:
    start = STARTS[first]
    with uploading(box, hub, HANGS, *words_of(start, box), uploads=start.uploads) as family:
        pid, who = holder_of(box)
        assert pid in chain(*family.roles.values())
        assert "(chunk 3)" in who
        before, asked = photograph(box), hub.counts().total
        for second in STARTS.values():
            assert_turned_away(second, box, who)
        assert (photograph(box), hub.counts().total) == (before, asked)
        family.let_go()
        assert family.process.wait(60) == 0, family.process.communicate()
    tables = list(Table)[: start.uploads]
    assert_arrived(box, hub, 3, tables)
    assert all(len(data_commits(hub, REPOS[table])) == 1 for table in tables)


@pytest.mark.slow
def test_a_push_of_another_chunk_works_beside_it(box: Box, hub: RunningHub) -> None:
    with uploading(box, hub, HANGS, *wikidata(*BY_HAND, "--table", "labels")) as family:
        staged = sorted((box.root / "staging").rglob("*"))
        assert any(path.suffix == ".parquet" for path in staged)
        beside = box.wikidata("push", "--chunk", "30", "--table", "labels")
        assert (beside.returncode, beside.stderr) == (0, "")
        assert sorted((box.root / "staging").rglob("*")) == staged
        assert f"at work: chunk 3, by process {holder_of(box)[0]} on " in box.wikidata("status").stdout
        family.let_go()
        assert family.process.wait(60) == 0, family.process.communicate()
    assert on_the_hub(hub, LABELS) == box.expected(LABELS, 3) | box.expected(LABELS, 30)
    assert len(data_commits(hub, REPOS[LABELS])) == 2
    assert "2 of 2 chunks are published so far" in hub.read(REPOS[LABELS], "README.md").decode()


@pytest.mark.slow
def test_a_quota_that_one_meets_stops_the_others_before_their_next_question(box: Box, hub: RunningHub) -> None:
    with uploading(box, hub, HANGS, *wikidata(*BY_HAND, "--table", "labels")) as family:
        hub.set_faults(Fault("commit", status=429, times=None, retry_after=600, repo=REPOS[LABELS]))
        refused = box.wikidata("push", "--chunk", "30", "--table", "labels")
        assert (refused.returncode, "429" in refused.stderr) == (75, True)
        hub.reset_counts()
        family.let_go()
        _, said = family.process.communicate(timeout=60)
        assert family.process.returncode == 75
        assert "a quota is used up, not before " in said
        assert hub.counts().total == 0


@pytest.mark.slow
def test_a_killed_push_leaves_no_lock_behind(box: Box, hub: RunningHub) -> None:
    with uploading(box, hub, HANGS, *wikidata(*TICK), uploads=5) as family:
        family.process.kill()
        family.process.wait()
        rerun = box.wikidata(*TICK)  # its CLIs may still be dying
        assert rerun.returncode == 0, rerun.stderr
        family.wait_for_end(5)
    assert_pushed_once(box, hub, REPOS)
    assert processes_of(box) == []
    assert not any(path.read_bytes() for path in (box.root / "manifests" / ".locks").iterdir())


@pytest.mark.slow
@pytest.mark.parametrize(("words", "runs"), [(TICK, 2), (BY_HAND, 4)], ids=["two-ticks", "four-by-hand"])
def test_of_pushes_that_start_at_the_same_moment_one_works(
    box: Box, hub: RunningHub, words: tuple[str, ...], runs: int
) -> None:
    with ThreadPoolExecutor(runs) as pool:
        ended = list(pool.map(lambda _: box.wikidata(*words), range(runs)))
    codes = Counter(each.returncode for each in ended)
    assert set(codes) <= {0, 75}, ended
    assert codes[0] >= 1, ended
    for each in ended:
        if each.returncode == 75:
            assert_is_about_the_lock(each.stdout + each.stderr, words)
    assert_pushed_once(box, hub, REPOS)
    assert len(box.logs()) == len(Table), "a CLI ran where there was nothing to upload"


def assert_is_about_the_lock(said: str, words: tuple[str, ...]) -> None:
    """A tick that is turned away says nothing; who pushes by hand reads one line."""
    assert (said == "") == (words == TICK)
    assert said.count("\n") <= 1
    assert words == TICK or "holds the lock since 2" in said or "another push is just starting" in said


def assert_pushed_once(box: Box, hub: RunningHub, repos: dict[Table, str]) -> None:
    """Every file of chunk 3 is there, by one commit in each repo, and the chunk is at PUSH."""
    for table, repo in repos.items():
        there = {path: (file.size, file.sha256) for path, file in hub.files(repo).items() if path.endswith(".parquet")}
        assert there == box.expected(table, 3)
        assert len(data_commits(hub, repo)) == 1
        assert box.receipt(table, 3) is not None
    assert box.steps(3) == {4}
    assert list((box.root / "staging").glob("chunk_*")) == []


@pytest.mark.slow
def test_twenty_races_of_four(new_box: NewBox, hub: RunningHub, forks: Forks) -> None:
    """Twice each: for an upload of five tables, and once more, when nothing is left to do, for the lock alone."""
    for number in range(20):
        user = f"round{number}"
        hub.add_token(f"token-of-{user}", Identity(user))
        box = replace(new_box(user, chunks={3: 1}, keys=1, rows=1, process_files=False), token=f"token-of-{user}")
        box.settings["HF_USER"] = user
        for uploads in (5, 0):
            ended = race(box, forks)
            started = [effect for each in ended for effect in each.effects if effect.startswith("tests.upload")]
            assert len(started) == uploads, ended
            assert_pushed_once(box, hub, target_repos(user))


def race(box: Box, forks: Forks) -> list[Done]:
    """Let four push at once, every second one by hand; who is turned away had no effect but to try the lock."""
    words = [TICK, BY_HAND] * 2
    with ThreadPoolExecutor(len(words)) as pool:
        ended = list(pool.map(lambda said: forks.run(box.environment, said, instant=True, mortal=True), words))
    assert {each.returncode for each in ended} <= {0, 75}, ended
    assert any(each.returncode == 0 for each in ended), ended
    folder = box.root / "manifests"
    for each, said in zip(ended, words, strict=True):
        if each.returncode == 75:
            others = [effect for effect in each.effects if f" {folder}/.locks" not in effect]
            assert set(others) <= {f"os.mkdir {folder}", "os.truncate "}
            assert_is_about_the_lock(each.output, said)
    return ended
