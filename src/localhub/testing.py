"""A local Hub for the length of a `with`: a server in a process of its own, and a handle to steer and inspect it.

with running_hub(tmp_path / "hub") as hub:
    api = HfApi(endpoint=hub.endpoint, token=hub.token)
    hub.set_faults(Fault("commit", status=503, times=2))
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from localhub import DEFAULT_USER, READ_TOKEN, WRITE_TOKEN
from localhub.auth import Identity
from localhub.counts import Counts, parse_counts
from localhub.faults import Fault, Latency, Quota, RequestQuota, Style

END_SECONDS = 10.0


class HubFile(NamedTuple):
    size: int
    sha256: str


class HubCommit(NamedTuple):
    oid: str
    title: str
    author: str
    date: str


@dataclass(frozen=True)
class RunningHub:
    """A handle to a running local Hub; repos are named `namespace/name`, and LookupError tells of what is not there."""

    endpoint: str
    process: "subprocess.Popen[str]"
    user: str = DEFAULT_USER
    token: str = WRITE_TOKEN
    read_token: str = READ_TOKEN
    has_xet: bool = False

    @property
    def environment(self) -> dict[str, str]:
        """What a client's environment needs to talk to this Hub."""
        xet = {} if self.has_xet else {"HF_HUB_DISABLE_XET": "1"}
        return {"HF_ENDPOINT": self.endpoint, "HF_TOKEN": self.token} | xet

    def counts(self) -> Counts:
        """What was asked since the start or the last `reset_counts`."""
        return parse_counts(self._control("GET", "counts"))

    def reset_counts(self) -> None:
        self._control("DELETE", "counts")

    def set_faults(self, *faults: Fault) -> None:
        """Let these faults strike from now on, in the place of all others."""
        self._control("PUT", "faults", [asdict(fault) for fault in faults])

    def clear_faults(self) -> None:
        """Behave again: no faults, no latency, no quotas."""
        self._control("DELETE", "faults")

    def struck(self) -> list[int]:
        return [int(times) for times in self._control("GET", "faults")]

    def set_latency(self, request_seconds: float = 0.0, commit_seconds: float = 0.0) -> None:
        """Make every request, and on top of that every commit, take longer."""
        self._control("PUT", "latency", asdict(Latency(request_seconds, commit_seconds)))

    def set_quota(self, quota: Quota | None) -> None:
        """Begin a commit quota with nothing spent, or end it."""
        self._control("PUT", "quota", asdict(quota) if quota else None)

    def set_request_quota(self, quota: RequestQuota | None) -> None:
        """Begin a quota of API requests with nothing spent, or end it."""
        self._control("PUT", "request_quota", asdict(quota) if quota else None)

    def set_style(self, *, request_ids: bool = True, error_codes: bool = True) -> None:
        """Answer as the Hub does, or as proxies and other servers do: see Style."""
        self._control("PUT", "style", asdict(Style(request_ids, error_codes)))

    def add_token(self, token: str, identity: Identity) -> None:
        self._control("POST", "tokens", {"token": token, "identity": asdict(identity)})

    def files(self, repo: str) -> dict[str, HubFile]:
        """Every file of the head by its path."""
        return {path: HubFile(*facts) for path, *facts in self._control("GET", f"repos/{repo}/files")}

    def read(self, repo: str, path: str) -> bytes:
        return self._ask("GET", _file_address(repo, path))

    def commits(self, repo: str) -> list[HubCommit]:
        """All commits, the newest first."""
        return [HubCommit(*commit) for commit in self._control("GET", f"repos/{repo}/commits")]

    def delete_file(self, repo: str, path: str) -> str:
        """Delete a file as somebody else; returns the commit."""
        return str(json.loads(self._ask("DELETE", _file_address(repo, path))))

    def replace_file(self, repo: str, path: str, content: bytes) -> str:
        """Add or replace a file as somebody else; returns the commit."""
        return str(json.loads(self._ask("PUT", _file_address(repo, path), content)))

    def end(self) -> int:
        """End the server in good order and return its exit code."""
        if self.process.stdin:
            self.process.stdin.close()
        try:
            return self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            return self.process.wait()

    def kill(self) -> None:
        """End the server at once (SIGKILL)."""
        self.process.kill()
        self.process.wait()

    def _control(self, method: str, address: str, value: object = None) -> Any:
        return json.loads(self._ask(method, address, json.dumps(value).encode()))

    def _ask(self, method: str, address: str, body: bytes | None = None) -> bytes:
        connection = HTTPConnection(urlsplit(self.endpoint).netloc)
        try:
            connection.request(method, f"/_localhub/{address}", body)
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        if response.status != 200:
            kind = LookupError if response.status == 404 else RuntimeError
            raise kind(f"{method} {address}: {response.status} {content.decode()}")
        return content


def _file_address(repo: str, path: str) -> str:
    return f"repos/{repo}/file?path={quote(path, safe='')}"


@contextmanager
def running_hub(
    root: Path, *, port: int = 0, user: str = DEFAULT_USER, arguments: Sequence[str] = ()
) -> Iterator[RunningHub]:
    """Run a local Hub with its files below `root`; `arguments` are further flags of `python -m localhub`.

    The server ends with the `with`, and with this process however that ends.
    """
    command = [sys.executable, "-m", "localhub", "--root", str(root), "--port", str(port), "--user", user]
    command += ["--exit-with-stdin", *arguments]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    line = process.stdout.readline() if process.stdout else ""
    if not line:
        raise RuntimeError(f"the local Hub did not start: exit code {process.wait()}")
    hub = RunningHub(line.strip().partition("=")[2], process, user, has_xet="--xet" in arguments)
    try:
        yield hub
    finally:
        hub.end()
        if process.stdout:
            process.stdout.close()
