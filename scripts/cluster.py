"""A Slurm cluster on this machine: `python -m scripts.cluster` runs one until Ctrl-C, and says what to export for it.

Each node is a slurmd in namespaces of its own, with a host name and its own processes: if it is killed, so is all that
it has started, as if the machine had lost power. Everything lies in one folder. Only root can start it.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "unshare", "setpriv")
SPACES = ("--pid", "--fork", "--kill-child", "--mount-proc", "--uts")
START_SECONDS = 60.0
CONFIGURATION = """\
ClusterName=test
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={port}
SlurmUser={user}
AuthType=auth/munge
AuthInfo=socket={root}/munge.socket
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/%n
SlurmctldPidFile={root}/slurmctld.pid
SlurmdPidFile={root}/%n.pid
SlurmctldLogFile={root}/slurmctld.log
SlurmdLogFile={root}/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=1,bf_interval=1,sched_min_interval=100000
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
MailProg=/bin/true
MpiDefault=none
ReturnToService=2
KillWait=5
PartitionName=main Nodes=ALL Default=YES PriorityTier=1
PartitionName=urgent Nodes=ALL PriorityTier=2
"""
NODE = "NodeName={name} NodeHostname=localhost NodeAddr=127.0.0.1 Port={port} CPUs=2 RealMemory=100000\n"
START_NODE = 'hostname "$0" && exec slurmd -D -N "$0"'


def why_not() -> str:
    """Why there can be no cluster here; nothing if there can."""
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        return f"no {', '.join(missing)} (apt install slurm-wlm munge)"
    if os.geteuid():
        return "not root"
    tried = subprocess.run(["unshare", *SPACES, "hostname", "n1"], capture_output=True, text=True)
    return tried.stderr.strip()  # a container may forbid it


@dataclass
class Cluster:
    """A running cluster; `environment` is what Slurm's commands need to find it."""

    root: Path
    nodes: "dict[str, subprocess.Popen[bytes]]"

    @property
    def environment(self) -> dict[str, str]:
        return {"SLURM_CONF": str(self.root / "slurm.conf")}

    def ask(self, *words: str) -> str:
        """Type one of Slurm's commands; returns what it prints."""
        command = subprocess.run(words, env=os.environ | self.environment, capture_output=True, text=True, timeout=60)
        if command.returncode:
            raise RuntimeError(f"{' '.join(words)}: {command.stderr}")
        return command.stdout

    def kill_node(self, name: str) -> None:
        """Let a node lose power, and Slurm know at once."""
        self.nodes[name].kill()
        self.nodes[name].wait()
        self.ask("scontrol", "update", f"nodename={name}", "state=down", "reason=it lost power")


@contextmanager
def running_cluster(names: Sequence[str] = ("n1", "n2")) -> Iterator[Cluster]:
    """Run a cluster with these nodes; nothing of it is left afterwards, nor if this process is killed."""
    with tempfile.TemporaryDirectory(prefix="slurm-", ignore_cleanup_errors=True) as folder, ExitStack() as stack:
        root = Path(folder)
        _configure(root, names)

        def start(*command: str) -> "subprocess.Popen[bytes]":
            with (root / "output").open("ab") as output:
                words = ["setpriv", "--pdeathsig", "KILL", *command]
                environment = os.environ | {"SLURM_CONF": str(root / "slurm.conf")}
                process = subprocess.Popen(
                    words, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
                )
            stack.callback(process.wait)
            stack.callback(process.kill)
            return process

        files = {"socket": "munge.socket", "key-file": "munge.key", "pid-file": "munge.pid", "seed-file": "munge.seed"}
        start(
            "munged",
            "--foreground",
            "--log-file=/dev/stderr",
            *(f"--{name}={root / file}" for name, file in files.items()),
        )
        start("slurmctld", "-D")
        nodes = {name: start("unshare", *SPACES, "sh", "-c", START_NODE, name) for name in names}
        cluster = Cluster(root, nodes)
        _wait_until_idle(cluster)
        yield cluster


def _configure(root: Path, names: Sequence[str]) -> None:
    root.chmod(0o755)
    for folder in ("state", *names):
        (root / folder).mkdir()
    (root / "munge.key").write_bytes(os.urandom(1024))
    (root / "munge.key").chmod(0o400)
    port, *ports = _free_ports(1 + len(names))
    nodes = [NODE.format(name=name, port=each) for name, each in zip(names, ports, strict=True)]
    configuration = CONFIGURATION.format(root=root, port=port, user="root")
    (root / "slurm.conf").write_text("".join([configuration, *nodes]))


def _free_ports(number: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(closing(socket.create_server(("127.0.0.1", 0)))) for _ in range(number)]
        return [each.getsockname()[1] for each in sockets]


def _wait_until_idle(cluster: Cluster) -> None:
    deadline, said = time.monotonic() + START_SECONDS, ""
    while time.monotonic() < deadline:
        try:
            said = cluster.ask("sinfo", "--noheader", "--Node", "--format=%T", "--partition=main")
        except RuntimeError as error:
            said = str(error)
        if said.split() == ["idle"] * len(cluster.nodes):
            return
        time.sleep(0.1)
    raise RuntimeError(f"the cluster did not start: {said}\n{(cluster.root / 'output').read_text()}")


if __name__ == "__main__":
    if reason := why_not():
        sys.exit(f"cluster: {reason}")
    with running_cluster() as running:
        print("\n".join(f"export {name}={value}" for name, value in running.environment.items()), flush=True)
        with suppress(KeyboardInterrupt):
            sys.stdin.read()
