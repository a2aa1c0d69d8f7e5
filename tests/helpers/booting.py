"""A systemd for tests, in namespaces of its own: it sees only our units, and can change nothing of the machine."""

import os
import select
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

PLACE = "/srv/wikidata-push"
"""The folder of the systemd service."""


@dataclass(frozen=True)
class Manager:
    """A systemd that was booted for a test: its PID here, and the control group with all that it starts."""

    pid: int
    group: Path
    process: "subprocess.Popen[str]"

    def control(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Type `systemctl …`."""
        command = ["nsenter", f"--target={self.pid}", "--mount", "--pid", "systemctl", *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    def result(self) -> str:
        """How the service ended last, in systemd's words."""
        return self.control("show", "--property=Result", "--value", "wikidata-push.service").stdout.strip()


@contextmanager
def own_group() -> Iterator[Path]:
    """A control group; afterwards all that was in it is dead, and it is gone."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    root = next((Path(mount[1]) for mount in mounts if mount[2] == "cgroup2"), None)
    ours = [line[3:] for line in Path("/proc/self/cgroup").read_text().splitlines() if line.startswith("0::")]
    if os.geteuid() != 0 or root is None or not os.access(root, os.W_OK):
        pytest.skip("systemd cannot be booted here: not root, or no writable cgroup2")
    group = Path(f"{root}{ours[0]}") / f"wikidata-push-test-{os.getpid()}"
    group.mkdir()
    if not (group / "cgroup.kill").exists():
        group.rmdir()
        pytest.skip("systemd cannot be booted here: the kernel is older than 5.14")
    try:
        yield group
    finally:
        (group / "cgroup.kill").write_text("1")
        with (group / "cgroup.events").open() as events:
            poll = select.poll()
            poll.register(events, select.POLLPRI)
            while "populated 1" in events.read():
                assert poll.poll(10_000)
                events.seek(0)
        for folder, _, _ in os.walk(group, topdown=False):
            os.rmdir(folder)


# It sees its own processes, control groups and units alone, and can change neither the kernel's settings nor the clock.
BOOT = f"""
echo $$ >"$1/cgroup.procs"
exec setpriv --bounding-set=-sys_time,-sys_boot,-sys_module,-syslog \
    unshare --mount --pid --fork --kill-child --mount-proc --uts --ipc --cgroup sh -euc '
mount --make-rprivate /
for kept in /etc /proc/sys; do mount --bind $kept $kept; mount -o remount,ro,bind $kept; done
for console in /dev/console /dev/tty0; do [ ! -e $console ] || mount --bind /dev/null $console; done
umount -R /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /srv
mkdir {PLACE}
mount --bind "$0" {PLACE}
mount --make-rshared /
exec env -i PATH=/usr/bin:/bin container=test NOTIFY_SOCKET="$2" SYSTEMD_UNIT_PATH="$1" \
    SYSTEMD_GENERATOR_PATH=/nowhere SYSTEMD_ENVIRONMENT_GENERATOR_PATH=/nowhere \
    /lib/systemd/systemd --system --unit=basic.target --log-target=console --show-status=no
' "$0" "$2" "$3"
"""


@contextmanager
def booted(root: Path, units: Path) -> Iterator[Manager]:
    """Boot a systemd that knows `units` alone, with `root` as the service's folder; skips if that cannot be."""
    with own_group() as group, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
        ready.bind(f"\0{group.name}")
        command = ["sh", "-euc", BOOT, str(root), str(group), str(units), f"@{group.name}"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            try:
                with open(os.pidfd_open(process.pid)) as end:
                    heard, _, _ = select.select([ready.fileno(), end.fileno()], [], [], 30)
                if ready.fileno() not in heard:
                    process.kill()
                    pytest.skip(f"systemd cannot be booted here: {process.communicate()[0]}")
                (pid,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
                yield Manager(int(pid), group, process)
            finally:
                process.kill()
