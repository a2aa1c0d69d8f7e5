"""Crash anywhere: whatever is killed between any two effects, a plain rerun ends where an undisturbed push ends.

Every effect of a table is died at, every third one of a chunk, and every second one when its tables work at once: 300
deaths, with a stand-in for the CLI. A few are died with the real one, of which no process outlives its push.
"""

import os
import re
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import pytest

from localhub.faults import Fault
from localhub.testing import RunningHub
from tests.helpers.box import REPOS, Box, assert_arrived, data_commits
from tests.helpers.forking import Done, Forks
from tests.helpers.racing import ROLES, processes_of, uploading
from tests.helpers.stock import NewBox, Stock
from tests.helpers.world import World
from wikidata.config import Table

SHARDS = range(6)
PUSH = ("push", "--chunk", "3")
ONE_TABLE = (*PUSH, "--table", "labels")
LABELS = Table.LABELS


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, forks: Forks, stock: Stock) -> Iterator[World]:
    """One Hub for all deaths."""
    root = tmp_path_factory.mktemp("world")
    with forks.running_hub(root / "hub") as hub:
        yield World(hub, forks, stock, root)


@dataclass(frozen=True)
class Whole:
    """A push that nothing happened to: its effects, what it left, and what the Hub took in for it."""

    effects: tuple[str, ...]
    left: dict[str, object]
    taken_in: dict[Table, tuple[int, int, int]]

    def deaths(self) -> list[tuple[int, bool]]:
        """Every way to die of it: before each effect, and with a torn file where a power cut can leave one."""
        torn = [number for number, effect in enumerate(self.effects) if effect.startswith("tests.sync file")]
        return [(number, False) for number in range(len(self.effects))] + [(number, True) for number in torn]


def undisturbed(world: World, name: str, words: tuple[str, ...], keys: int) -> Whole:
    """Run a command that nothing happens to."""
    box = world.new_box(name, keys)
    done = world.run(box, words)
    assert (done.returncode, len(done.effects) > 40) == (0, True), done
    whole = Whole(done.effects, world.remains(box), world.taken_in(box))
    assert whole.taken_in[LABELS][::2] == (1, sum(file.stat().st_size for file in box.files(LABELS, 3)))
    assert "manifests/chunk_3/labels.receipt.json" in whole.left
    return whole


@pytest.mark.parametrize("shard", SHARDS)
def test_a_table_survives_death_at_every_effect(world: World, shard: int) -> None:
    whole = undisturbed(world, f"table{shard}", ONE_TABLE, keys=2)
    for number, torn in whole.deaths()[shard :: len(SHARDS)]:
        box = world.new_box(f"table{shard}-{number}{'-torn' if torn else ''}", keys=2)
        died = world.die(box, ONE_TABLE, number, torn)
        if number % 3 == 0:  # and once more, in the rerun
            assert world.run(box, ONE_TABLE, die_at=number // 2).returncode in {0, -signal.SIGKILL}
        rerun = world.run(box, ONE_TABLE)
        assert rerun.returncode == 0, f"{died.last}: {rerun.output}"
        assert world.remains(box) == whole.left, died.last
        assert world.taken_in(box) == whole.taken_in, died.last


def test_a_table_survives_death_while_it_is_packed(world: World) -> None:
    box = world.new_box("packed", keys=3)
    box.settings["LAYOUT"] = "packed"
    whole = world.run(box, ONE_TABLE)
    assert whole.returncode == 0, whole.output
    left = world.remains(box)
    numbers = [number for number, effect in enumerate(whole.effects) if "labels.packed" in effect]
    assert sum("os.rename" in whole.effects[number] for number in numbers) == 3
    for number in numbers:
        box = world.new_box(f"packed-{number}", keys=3)
        box.settings["LAYOUT"] = "packed"
        died = world.die(box, ONE_TABLE, number)
        rerun = world.run(box, ONE_TABLE)
        assert rerun.returncode == 0, f"{died.last}: {rerun.output}"
        assert world.remains(box) == left, died.last


@pytest.mark.slow
@pytest.mark.parametrize("shard", SHARDS)
def test_a_chunk_survives_death_between_and_after_its_tables(world: World, shard: int) -> None:
    """Its five tables one after the other, with about 220 effects, and 16 files that can be torn.

    What a table does, and dies at above, is the same in each; here it dies when some are done and others not: at every
    third effect, which is another one from table to table, and at every one from the last receipt on.
    """
    whole = undisturbed(world, f"chunk{shard}", PUSH, keys=1)
    (last,) = (n for n, effect in enumerate(whole.effects) if re.match(r"os.rename .*claims.receipt.json$", effect))
    deaths = [(number, torn) for number, torn in whole.deaths() if number % 3 == 0 or number >= last]
    for number, torn in deaths[shard :: len(SHARDS)]:
        box = world.new_box(f"chunk{shard}-{number}{'-torn' if torn else ''}", keys=1)
        died = world.die(box, PUSH, number, torn)
        rerun_as_cron(world, box, died)
        assert world.remains(box) == whole.left, died.last
        assert world.taken_in(box) == whole.taken_in, died.last


@pytest.mark.slow
@pytest.mark.parametrize("shard", SHARDS)
def test_a_chunk_survives_death_while_five_tables_are_at_work(world: World, shard: int) -> None:
    """The same effects, counted over all threads; every second number, about 110, as no two runs share an order.

    What a dead push had sent may reach the Hub while the rerun is at work, which then sends it again; what the Hub
    had when the push died is never sent again.
    """
    whole = undisturbed(world, f"at-once{shard}", PUSH, keys=1)
    for number in range(0, len(whole.effects), 2)[shard :: len(SHARDS)]:
        box = world.new_box(f"at-once{shard}-{number}", keys=1)
        box.settings["JOBS"] = "5"
        died = world.die(box, PUSH, number)
        before = world.taken_in(box)
        rerun_as_cron(world, box, died)
        assert world.remains(box) == whole.left, died.effects
        after = world.taken_in(box)
        for table, once in whole.taken_in.items():
            for early, late, one in zip(before[table], after[table], once, strict=True):
                assert one <= late <= 2 * one - early, (table, died.effects)


def rerun_as_cron(world: World, box: Box, died: Done) -> None:
    """Rerun as a tick of cron does: the chunk is still due, unless all of it was done; then rerun by hand as well."""
    is_raised = any(re.match(r"os.rename .*\.jsonl$", effect) for effect in died.effects[:-1])
    assert box.steps(3) == {4 if is_raised else 3}, died.last
    rerun = world.run(box, ("push",))
    assert rerun.returncode == 0, f"{died.last}: {rerun.output}"
    if is_raised:
        assert (rerun.effects, rerun.output) == ((), "")
        rerun = world.run(box, PUSH)
        assert rerun.returncode == 0, f"{died.last}: {rerun.output}"


def test_what_is_renamed_was_synced_before_and_its_folder_after(world: World) -> None:
    whole = undisturbed(world, "synced", PUSH, keys=1)
    renames = [number for number, effect in enumerate(whole.effects) if effect.startswith("os.rename")]
    for number in renames:
        _, temporary, final = whole.effects[number].split()
        assert whole.effects[number - 1] == f"tests.sync file {temporary}"
        assert whole.effects[number + 1] == f"tests.sync folder {Path(final).parent}"
    order = [Path(whole.effects[number]).name for number in renames]
    tables = [name for table in Table for name in (f"{table}.csv", f"{table}.receipt.json")]
    assert [name for name in order if not name.endswith(".columns.json")] == [*tables, "chunk_3-00000-of-00001.jsonl"]


@pytest.fixture
def box(new_box: NewBox) -> Box:
    """A chunk of one part and three keys, for pushes with the real CLI."""
    return new_box(chunks={3: 1}, keys=3, rows=2)


def assert_completed(box: Box, hub: RunningHub) -> None:
    """A plain rerun ends as an undisturbed push does, and nothing that had arrived was sent again."""
    hub.clear_faults()
    rerun = box.wikidata(*ONE_TABLE)
    assert rerun.returncode == 0, rerun.stderr
    assert_arrived(box, hub, 3, [LABELS])
    assert hub.counts().uploaded_bytes == sum(size for size, _ in box.expected(LABELS, 3).values())
    (commit,) = data_commits(hub, REPOS[LABELS])
    receipt = box.receipt(LABELS, 3)
    assert receipt is not None
    assert receipt.commit == commit.oid
    assert list((box.root / "staging").iterdir()) == []
    assert processes_of(box) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("roles", "lands"),
    [
        pytest.param(["make"], False, id="make"),
        pytest.param(["push"], False, id="push", marks=pytest.mark.matrix),
        pytest.param(["push"], True, id="push-when-the-commit-has-landed", marks=pytest.mark.matrix),
        pytest.param(["inner make", "shells"], False, id="inner-make"),
        pytest.param(["watcher"], False, id="watcher", marks=pytest.mark.matrix),
        pytest.param(["cli"], False, id="cli", marks=pytest.mark.matrix),
        pytest.param(["cli"], True, id="cli-when-the-commit-has-landed", marks=pytest.mark.matrix),
    ],
)
def test_a_rerun_completes_a_push_of_which_a_process_was_killed(
    box: Box, hub: RunningHub, roles: list[str], lands: bool
) -> None:
    box.settings["STALL_MINUTES"] = "0.04"  # whoever has lost its maker works on, and meets a Hub that hangs
    fault = Fault("commit", action="hang", lands=lands)
    with uploading(box, hub, fault, "make", "--no-print-directory", "push", "CHUNK=3", "TABLE=labels") as family:
        assert sorted(family.roles) == sorted(ROLES)
        for victim in chain(*(family.roles[role] for role in roles)):
            os.kill(victim, signal.SIGKILL)
        family.wait_for_end(30)
        if roles == ["push"]:
            assert box.receipt(LABELS, 3) is None
        assert_completed(box, hub)


@pytest.mark.matrix
@pytest.mark.slow
def test_files_that_had_arrived_before_a_kill_are_not_sent_again(box: Box, hub: RunningHub) -> None:
    fault = Fault("lfs_put", action="hang", skip=2)
    with uploading(box, hub, fault, sys.executable, "-m", "wikidata", *ONE_TABLE) as family:
        assert hub.counts().uploaded_bytes > 0
        family.process.kill()
        family.wait_for_end(5)
        assert_completed(box, hub)


@pytest.mark.parametrize(
    ("number", "code"),
    [pytest.param(signal.SIGINT, 130, marks=pytest.mark.matrix), (signal.SIGTERM, 143), (signal.SIGHUP, 143)],
)
def test_a_signal_terminates_everything_within_two_seconds(
    box: Box, hub: RunningHub, number: signal.Signals, code: int
) -> None:
    fault = Fault("commit", action="hang")
    with uploading(box, hub, fault, sys.executable, "-m", "wikidata", *ONE_TABLE) as family:
        family.process.send_signal(number)
        family.wait_for_end(2)
        assert family.process.returncode == code
        _, said = family.process.communicate()
        assert said == "wikidata: interrupted: nothing is lost, push again to go on\n"
        assert processes_of(box) == []


@pytest.mark.slow
def test_ctrl_c_terminates_make_and_five_uploads_within_two_seconds(box: Box, hub: RunningHub) -> None:
    fault = Fault("commit", action="hang")
    with uploading(box, hub, fault, "make", "--no-print-directory", "push", "CHUNK=3", uploads=5) as family:
        assert len(family.roles["cli"]) == len(Table)
        os.killpg(family.process.pid, signal.SIGINT)  # as a terminal does
        family.wait_for_end(2)
        assert family.process.returncode != 0
        _, said = family.process.communicate()
        assert "wikidata: interrupted: nothing is lost, push again to go on" in said
        assert "Traceback" not in said
        assert processes_of(box) == []
    hub.clear_faults()
    assert box.wikidata("push").returncode == 0
    assert_arrived(box, hub, 3)
    assert box.steps(3) == {4}
