"""Crash anywhere: whatever is killed between any two effects, a plain rerun ends where an undisturbed push ends.

And no CLI outlives the push that started it.
"""

import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import pytest
from box import REPOS, ROOT, Box, assert_arrived
from dying import Death, Mortal, mortal
from make_sample import write_sample

from localhub.auth import Identity
from localhub.faults import Fault
from localhub.testing import RunningHub, running_hub
from wikidata.config import Table, target_repos

SHARDS = range(4)
PUSH = ("push", "--chunk", "3")
ONE_TABLE = (*PUSH, "--table", "labels")
LABELS = Table.LABELS


@dataclass(frozen=True)
class World:
    """A Hub, a process whose forks push and die, and a box with a Hub user of its own for each of them."""

    hub: RunningHub
    mortal: Mortal
    root: Path

    def new_box(self, name: str, keys: int) -> Box:
        """A box whose chunk 3 is complete; `name` is the user that owns its repos."""
        sample = self.root / f"sample-{keys}"
        if not sample.exists():
            write_sample(sample, chunks={3: 1}, keys=keys, rows=1, process_files=False)
        shutil.copytree(sample, self.root / name)
        self.hub.add_token(f"token-of-{name}", Identity(name))
        settings = {"HF_USER": name, "JOBS": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
        return Box(self.root / name, self.hub.endpoint, f"token-of-{name}", settings)

    def run(self, box: Box, words: tuple[str, ...], die_at: int | None = None, torn: bool = False) -> Death:
        """Run a command in a fork that dies before the effect with the index `die_at`."""
        return self.mortal.run(box.environment, *words, die_at=die_at, torn=torn)

    def remains(self, box: Box) -> dict[str, object]:
        """Everything a push leaves, but for what may differ between two that are equally good: times, owners, logs."""
        left: dict[str, object] = {}
        for path in sorted(box.root.rglob("*")):
            name = str(path.relative_to(box.root))
            if not name.startswith("logs/"):
                left[name] = (path.stat().st_mode, path.read_bytes() if path.is_file() else None)
            if name.endswith(".receipt.json"):
                left[name] = self._receipt(path)
        counts = self.hub.counts()
        for table, repo in target_repos(box.settings["HF_USER"]).items():
            if counts.of(repo).commits:
                left[f"{table} on the Hub"] = self.hub.files(repo)
                left[f"{table} asked"] = (counts.of(repo).commits, counts.of(repo).uploaded_bytes)
        return left

    def _receipt(self, path: Path) -> dict[str, object]:
        receipt: dict[str, object] = json.loads(path.read_bytes())
        assert receipt.pop("confirmed_at")
        assert receipt.pop("commit") == self.hub.commits(str(receipt["repo"]))[0].oid
        receipt["repo"] = str(receipt["repo"]).partition("/")[2]
        return receipt


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One Hub and one forking process for all deaths."""
    root = tmp_path_factory.mktemp("world")
    with running_hub(root / "hub") as hub, mortal(root) as process:
        yield World(hub, process, root)


def undisturbed(world: World, name: str, words: tuple[str, ...], keys: int) -> tuple[Death, dict[str, object]]:
    """A push that nothing happens to: its effects, and what it leaves."""
    box = world.new_box(name, keys)
    done = world.run(box, words)
    assert done.code == 0, done.output
    left = world.remains(box)
    sizes = sum(file.stat().st_size for file in box.files(LABELS, 3))
    assert left["labels asked"] == (1, sizes)
    assert "manifests/chunk_3/labels.receipt.json" in left
    return done, left


def is_torn_apart(effect: str) -> bool:
    """Whether a power cut before this effect can leave half a file."""
    return effect.startswith("dying.sync file")


@pytest.mark.parametrize("shard", SHARDS)
def test_a_table_survives_death_at_every_effect(world: World, shard: int) -> None:
    whole, left = undisturbed(world, f"table{shard}", ONE_TABLE, keys=2)
    assert len(whole.effects) > 40
    deaths = [(number, False) for number in range(len(whole.effects))]
    deaths += [(number, True) for number, effect in enumerate(whole.effects) if is_torn_apart(effect)]
    for number, torn in deaths[shard :: len(SHARDS)]:
        box = world.new_box(f"table{shard}-{number}{'-torn' if torn else ''}", keys=2)
        died = world.run(box, ONE_TABLE, number, torn)
        where = f"died before effect {number}, {died.effects[-1]}"
        assert died.code == -signal.SIGKILL, where
        assert len(died.effects) == number + 1
        if number % 3 == 0:  # and once more, while it heals
            assert world.run(box, ONE_TABLE, die_at=number // 2).code in {0, -signal.SIGKILL}
        healed = world.run(box, ONE_TABLE)
        assert healed.code == 0, f"{where}: {healed.output}"
        assert world.remains(box) == left, where


@pytest.mark.slow
@pytest.mark.parametrize("shard", SHARDS)
def test_a_chunk_survives_death_between_its_tables_and_at_its_state(world: World, shard: int) -> None:
    whole, left = undisturbed(world, f"chunk{shard}", PUSH, keys=1)
    numbers = range(len(whole.effects))
    last = len(numbers) - 20  # the end of the last table, its receipt, and the state
    assert any("claims/commit" in effect for effect in whole.effects[last - 10 :])
    for number in [*numbers[:last:8], *numbers[last:]][shard :: len(SHARDS)]:
        box = world.new_box(f"chunk{shard}-{number}", keys=1)
        died = world.run(box, PUSH, number)
        where = f"died before effect {number}, {died.effects[-1]}"
        assert died.code == -signal.SIGKILL, where
        is_renamed = any(re.match(r"os.rename .*\.jsonl$", effect) for effect in died.effects[:-1])
        assert box.steps(3) == {4 if is_renamed else 3}, where
        healed = world.run(box, ("push",))  # a tick of cron: the chunk is still due, unless all of it was done
        assert healed.code == 0, f"{where}: {healed.output}"
        if is_renamed:
            assert (healed.effects, healed.output) == ((), "")
            healed = world.run(box, PUSH)
        assert world.remains(box) == left, where


def test_what_is_renamed_was_synced_before_and_its_folder_after(world: World) -> None:
    whole, _ = undisturbed(world, "synced", PUSH, keys=1)
    renames = [number for number, effect in enumerate(whole.effects) if effect.startswith("os.rename")]
    assert len(renames) == 11  # five manifests, five receipts, one state file
    for number in renames:
        _, temporary, final = whole.effects[number].split()
        assert whole.effects[number - 1] == f"dying.sync file {temporary}"
        assert whole.effects[number + 1] == f"dying.sync folder {Path(final).parent}"
    order = [Path(whole.effects[number]).name for number in renames]
    tables = [name for table in Table for name in (f"{table}.csv", f"{table}.receipt.json")]
    assert order == [*tables, "chunk_3-00000-of-00001.jsonl"]


@pytest.fixture
def box(tmp_path: Path, hub: RunningHub) -> Box:
    """A chunk of one part and three keys, for pushes with the real CLI."""
    write_sample(tmp_path / "box", chunks={3: 1}, keys=3, rows=2)
    return Box(tmp_path / "box", hub.endpoint, hub.token)


@pytest.fixture(autouse=True)
def attended() -> Iterator[None]:
    """SIGINT ends what tests start, as at a shell; pytest-xdist has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@dataclass(frozen=True)
class Family:
    """A push in the middle of an upload: the process that a user started, and all that came of it."""

    process: "subprocess.Popen[str]"
    roles: dict[str, list[int]]

    def wait_for_end(self, seconds: float) -> None:
        """Wait until every process of the family is gone."""
        deadline = time.monotonic() + seconds
        self.process.wait(seconds)
        for pid in chain(*self.roles.values()):
            wait_for_death(pid, deadline - time.monotonic())


ROLES = {
    "make": r"make --no-print-directory push",
    "shells": r"/bin/sh -c",
    "push": r"\S+ -m wikidata push",
    "inner make": r"make .* upload$",
    "watcher": r"\S+ -m wikidata watch",
    "cli": r"\S+ \S*/huggingface-cli upload-large-folder",
}


@contextmanager
def uploading(box: Box, hub: RunningHub, fault: Fault, *command: str, uploads: int = 1) -> Iterator[Family]:
    """Run a command until `uploads` of its CLIs hang in a fault; afterwards nothing of it is left."""
    hub.set_faults(replace(fault, times=uploads))
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=box.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    ) as process:
        try:
            wait_for_fault(hub, fault, process, uploads)
            yield Family(process, family_of(process.pid))
        finally:
            for pid in [process.pid, *processes_of(box)]:
                if is_alive(pid):
                    os.kill(pid, signal.SIGKILL)


def wait_for_fault(hub: RunningHub, fault: Fault, process: "subprocess.Popen[str]", times: int) -> None:
    """Wait until requests hang; the push must still be at work then."""
    deadline = time.monotonic() + 60
    with open(os.pidfd_open(process.pid)) as end:
        while hub.struck() != [times] or (fault.lands and hub.counts().commits < times):
            assert time.monotonic() < deadline
            ended, _, _ = select.select([end], [], [], 0.05)
            assert not ended, process.communicate()


def family_of(pid: int) -> dict[str, list[int]]:
    """All descendants of a process and itself, by what they are."""
    family: dict[str, list[int]] = {}
    pids = [pid]
    for each in pids:
        line = Path(f"/proc/{each}/cmdline").read_text().replace("\0", " ").strip()
        role = next((role for role, pattern in ROLES.items() if re.match(pattern, line)), line)
        family.setdefault(role, []).append(each)
        for task in Path(f"/proc/{each}/task").iterdir():
            pids += map(int, (task / "children").read_text().split())
    return family


def processes_of(box: Box) -> list[int]:
    """The processes whose command line names the staging folder: watchers and CLIs."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                line = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if str(box.root / "staging").encode() in line and is_alive(int(folder.name)):
                found.append(int(folder.name))
    return found


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def wait_for_death(pid: int, seconds: float) -> None:
    if is_alive(pid):
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        with open(descriptor) as end:
            assert select.select([end], [], [], max(seconds, 0))[0], f"process {pid} is still alive"


def assert_healed(box: Box, hub: RunningHub) -> None:
    """A plain rerun ends as an undisturbed push does, and nothing that had arrived was sent again."""
    hub.clear_faults()
    healed = box.wikidata(*ONE_TABLE)
    assert healed.returncode == 0, healed.stderr
    assert_arrived(box, hub, 3, [LABELS])
    counts = hub.counts().of(REPOS[LABELS])
    assert counts.commits == 1
    assert counts.uploaded_bytes == sum(size for size, _ in box.expected(LABELS, 3).values())
    receipt = box.receipt(LABELS, 3)
    assert receipt is not None
    assert receipt.commit == hub.commits(REPOS[LABELS])[0].oid
    assert list((box.root / "staging").iterdir()) == []
    assert processes_of(box) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("roles", "lands"),
    [
        pytest.param(["make"], False, id="make"),
        pytest.param(["push"], False, id="push"),
        pytest.param(["push"], True, id="push-when-the-commit-has-landed"),
        pytest.param(["inner make", "shells"], False, id="inner-make"),
        pytest.param(["watcher"], False, id="watcher"),
        pytest.param(["cli"], False, id="cli"),
        pytest.param(["cli"], True, id="cli-when-the-commit-has-landed"),
    ],
)
def test_whoever_is_killed_during_a_commit_a_rerun_heals(
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
        assert_healed(box, hub)


@pytest.mark.slow
def test_files_that_had_arrived_before_a_kill_are_not_sent_again(box: Box, hub: RunningHub) -> None:
    fault = Fault("lfs_put", action="hang", skip=2)
    with uploading(box, hub, fault, sys.executable, "-m", "wikidata", *ONE_TABLE) as family:
        assert hub.counts().uploaded_bytes > 0
        family.process.kill()
        family.wait_for_end(5)
        assert_healed(box, hub)


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)],
)
def test_a_signal_ends_everything_within_two_seconds(
    box: Box, hub: RunningHub, number: signal.Signals, code: int
) -> None:
    fault = Fault("commit", action="hang")
    with uploading(box, hub, fault, sys.executable, "-m", "wikidata", *ONE_TABLE) as family:
        family.process.send_signal(number)
        family.wait_for_end(2)
        assert family.process.returncode == code
        assert family.process.communicate() == ("", "wikidata: interrupted: nothing is lost, push again to go on\n")
        assert processes_of(box) == []


@pytest.mark.slow
def test_ctrl_c_ends_make_and_five_uploads_within_two_seconds(box: Box, hub: RunningHub) -> None:
    fault = Fault("commit", action="hang")
    with uploading(box, hub, fault, "make", "--no-print-directory", "push", "CHUNK=3", uploads=5) as family:
        assert len(family.roles["cli"]) == 5
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
