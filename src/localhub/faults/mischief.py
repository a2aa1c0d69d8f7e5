"""Which request is struck by which fault, and what a quota has left: the state of all this in a running server."""

import time
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass

from localhub.counts import Counts
from localhub.faults.values import Fault, Latency, Quota


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
    """Faults stand in a list; the first one that is due strikes."""

    def __init__(self, latency: Latency | None = None, quota: Quota | None = None) -> None:
        self.counts = Counts()
        self.latency = latency or Latency()
        self._armed: list[_Armed] = []
        self.set_quota(quota)

    def arm(self, faults: Sequence[Fault]) -> None:
        """Put these faults in the place of all others."""
        self._armed = [_Armed(fault) for fault in faults]

    def struck(self) -> list[int]:
        return [armed.struck for armed in self._armed]

    def next_fault(self, endpoint: str, repo: str | None) -> Fault | None:
        """What is to happen to a request; asking counts as one."""
        return next((armed.fault for armed in self._armed if armed.is_due(endpoint, repo)), None)

    def set_quota(self, quota: Quota | None) -> None:
        """Begin a new quota with nothing spent, or end it."""
        self.quota = quota
        self._landed: defaultdict[str, deque[float]] = defaultdict(deque)

    def may_commit(self, user: str) -> bool:
        if self.quota is None:
            return True
        landed = self._landed[user]
        while landed and landed[0] <= time.monotonic() - self.quota.window_seconds:
            landed.popleft()
        return len(landed) < self.quota.commits

    def note_commit(self, user: str, repo: str) -> None:
        """Take one commit, which has landed, from the quota, and count it."""
        self._landed[user].append(time.monotonic())
        self.counts.add(repo, commits=1)
