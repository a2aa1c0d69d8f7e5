"""Misbehaviour on command: plain values and the decision which request is struck, no HTTP.

A Fault says which requests it strikes and what happens to them. Faults stand in a list; the first one that is due
strikes. This module needs nothing outside the standard library, so tests can import it anywhere.
"""

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from localhub.counts import Counts

HOUR_SECONDS = 3600.0


class Endpoint(StrEnum):
    """The classes of requests; faults name one, counts are kept for each."""

    WHOAMI = "whoami"
    CREATE = "create"
    DELETE = "delete"
    INFO = "info"
    REFS = "refs"
    COMMITS = "commits"
    PREUPLOAD = "preupload"
    LFS_BATCH = "lfs_batch"
    LFS_PUT = "lfs_put"
    LFS_VERIFY = "lfs_verify"
    XET_TOKEN = "xet_token"  # noqa: S105
    XET_GRANT = "xet_grant"
    XET_XORB = "xet_xorb"
    XET_SETTLE = "xet_settle"
    XET_SHARD = "xet_shard"
    XET_CHUNK = "xet_chunk"
    XET_FILE = "xet_file"
    XET_BYTES = "xet_bytes"
    XET_TELEMETRY = "xet_telemetry"
    COMMIT = "commit"
    TREE = "tree"
    PATHS_INFO = "paths_info"
    RESOLVE = "resolve"
    VALIDATE_YAML = "validate_yaml"
    VIEWER = "viewer"
    AGENTS = "agents"
    OTHER = "other"


class Action(StrEnum):
    """What a fault does: answer `status`; close the connection; reset it in the middle of a body; never answer;
    or, after the request was answered as usual, delete or replace a file of the repo behind the client's back."""

    STATUS = "status"
    CLOSE = "close"
    RESET = "reset"
    HANG = "hang"
    DELETE_FILE = "delete_file"
    REPLACE_FILE = "replace_file"


@dataclass(frozen=True)
class Fault:
    """One misbehaviour.

    It strikes requests to `endpoint` (to `repo` only, where given): not the first `skip` ones, then every `every`th,
    and `times` times in all (None: for ever). With `lands` the request is carried out first and only its answer is
    replaced, so `Fault("commit", action="close", lands=True)` is the commit that lands but whose answer is lost.
    STATUS answers `status` in the Hub's words, or with `message` and `code` (X-Error-Code; "" for none), with
    `retry_after` seconds where given, and repeats the Authorization header in the text if `echo_token`. DELETE_FILE and
    REPLACE_FILE are for commits: `path` is a pattern as of fnmatch, and the first file it matches is meant.
    """

    endpoint: str
    status: int = 500
    action: str = Action.STATUS
    times: int | None = 1
    skip: int = 0
    every: int = 1
    repo: str | None = None
    lands: bool = False
    retry_after: int | None = None
    message: str | None = None
    code: str | None = None
    echo_token: bool = False
    path: str = "*.parquet"
    content: str = "replaced on the Hub"

    def __post_init__(self) -> None:
        Endpoint(self.endpoint)
        Action(self.action)
        if self.every < 1 or self.skip < 0 or (self.times is not None and self.times < 1):
            raise ValueError(f"a fault that never strikes: {self}")

    def to_json(self) -> dict[str, Any]:
        """The form in which faults are sent to the server."""
        return asdict(self)


@dataclass(frozen=True)
class Quota:
    """At most `commits` commits in `window_seconds`, for each user or (`per_repo`) for each repo."""

    commits: int
    window_seconds: float = HOUR_SECONDS
    per_repo: bool = False
    retry_after: int | None = None


@dataclass(frozen=True)
class Latency:
    """Seconds by which every request, and on top of that every commit, takes longer."""

    request_seconds: float = 0.0
    commit_seconds: float = 0.0


@dataclass
class _Armed:
    fault: Fault
    seen: int = 0
    struck: int = 0

    def is_due(self, endpoint: str, repo: str | None) -> bool:
        fault = self.fault
        if fault.endpoint != endpoint or (fault.repo and fault.repo != repo):
            return False
        if fault.times is not None and self.struck >= fault.times:
            return False
        self.seen += 1
        if self.seen <= fault.skip or (self.seen - fault.skip) % fault.every:
            return False
        self.struck += 1
        return True


class Mischief:
    """The state of all this in a running server."""

    def __init__(self, latency: Latency | None = None, quota: Quota | None = None) -> None:
        self.counts = Counts()
        self.latency = latency or Latency()
        self.quota = quota
        self._armed: list[_Armed] = []
        self._landed: dict[str, deque[float]] = {}

    def arm(self, faults: Sequence[Fault]) -> None:
        """Put these faults in the place of all others."""
        self._armed = [_Armed(fault) for fault in faults]

    def struck(self) -> list[int]:
        """How often each fault has struck, in their order."""
        return [armed.struck for armed in self._armed]

    def next_fault(self, endpoint: str, repo: str | None) -> Fault | None:
        """What is to happen to a request; asking counts as one."""
        return next((armed.fault for armed in self._armed if armed.is_due(endpoint, repo)), None)

    def set_quota(self, quota: Quota | None) -> None:
        """Begin a new quota with nothing spent, or end it."""
        self.quota = quota
        self._landed.clear()

    def spend(self, user: str, repo: str) -> bool:
        """Take one commit from the quota; False where nothing is left of it."""
        if self.quota is None:
            return True
        landed = self._landed_of(user, repo)
        while landed and landed[0] <= time.monotonic() - self.quota.window_seconds:
            landed.popleft()
        if len(landed) >= self.quota.commits:
            return False
        landed.append(time.monotonic())
        return True

    def refund(self, user: str, repo: str) -> None:
        """Give back what a commit took that was refused."""
        if landed := self._landed_of(user, repo):
            landed.pop()

    def _landed_of(self, user: str, repo: str) -> deque[float]:
        return self._landed.setdefault(repo if self.quota and self.quota.per_repo else user, deque())
