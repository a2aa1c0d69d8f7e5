"""Real processes: a push that is held in the middle of its uploads, and all that came of it."""

import os
import re
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from localhub.faults import Fault
from localhub.testing import RunningHub
from tests.helpers.box import ROOT, Box


@dataclass(frozen=True)
class Family:
    """A push in the middle of an upload: the process that a user started, and all that came of it."""

    process: "subprocess.Popen[str]"
    roles: dict[str, list[int]]

    def let_go(self) -> None:
        """Kill the CLIs that hang: the push then looks at the Hub, and goes on."""
        for pid in self.roles["cli"]:
            os.kill(pid, signal.SIGKILL)

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
    "inner make": r"make .* upload-\S+$",
    "watcher": r"\S+ -P -m wikidata watch",
    "cli": r"\S+ \S*/(huggingface-cli|hf) upload|\S+ -P -m wikidata\.upload\.library",
}


@contextmanager
def uploading(box: Box, hub: RunningHub, fault: Fault, *command: str, uploads: int = 1) -> Iterator[Family]:
    """Run a command until `uploads` of its CLIs hang in a fault; afterwards nothing of it is left."""
    hub.set_faults(replace(fault, times=uploads))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # as at a shell; pytest-xdist has it ignored
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
            signal.signal(signal.SIGINT, before)
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
