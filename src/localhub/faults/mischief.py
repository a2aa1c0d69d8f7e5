"""Which request is struck by which fault, and what a quota has left: the state of all this in a running server."""

import time
from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil

from localhub.counts import Counts
from localhub.faults import Endpoint, Fault, Latency, Quota, RateLimit, RequestQuota, Style

UNLIMITED = frozenset(
    {Endpoint.LFS_PUT, Endpoint.RESOLVE, Endpoint.VIEWER, Endpoint.OTHER}
    | {endpoint for endpoint in Endpoint if endpoint.startswith("xet_") and endpoint != Endpoint.XET_TOKEN}
)
"""Content, the stores and the viewer are not the API."""


@dataclass
class _Window:
    end: float
    asked: Counter[Endpoint] = field(default_factory=Counter)


@dataclass
class _Armed:
    fault: Fault
    seen: int = 0
    struck: int = 0

    def is_due(self, endpoint: str, repo: str | None, body: bytes) -> bool:
        fault = self.fault
        if fault.endpoint != endpoint or (fault.repo and fault.repo != repo) or fault.holding.encode() not in body:
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

    def __init__(self) -> None:
        self.counts = Counts()
        self.clear()

    def clear(self) -> None:
        """Behave again."""
        self.latency, self.style = Latency(), Style()
        self.arm([])
        self.set_quota(None)
        self.set_request_quota(None)

    def arm(self, faults: Sequence[Fault]) -> None:
        """Put these faults in the place of all others."""
        self._armed = [_Armed(fault) for fault in faults]

    def struck(self) -> list[int]:
        return [armed.struck for armed in self._armed]

    def needs_body(self, endpoint: str) -> bool:
        """Whether a fault looks into the bodies of these requests."""
        return any(armed.fault.endpoint == endpoint and armed.fault.holding for armed in self._armed)

    def next_fault(self, endpoint: str, repo: str | None, body: bytes = b"") -> Fault | None:
        """What is to happen to a request; asking counts as one."""
        return next((armed.fault for armed in self._armed if armed.is_due(endpoint, repo, body)), None)

    def set_quota(self, quota: Quota | None) -> None:
        """Begin a new quota with nothing spent, or end it."""
        self.quota = quota
        self._landed: defaultdict[str, deque[float]] = defaultdict(deque)

    def set_request_quota(self, quota: RequestQuota | None) -> None:
        """The same for requests to the API."""
        self.request_quota = quota
        self._windows: dict[str, _Window] = {}

    def take_request(self, token: str, endpoint: Endpoint) -> RateLimit | None:
        """Take a request from a token's quota; `left` is -1 if nothing was left of it. None if there is no quota."""
        quota, now = self.request_quota, time.monotonic()
        if quota is None or endpoint in UNLIMITED:
            return None
        window = self._windows.get(token)
        if window is None or window.end <= now:
            window = self._windows[token] = _Window(now + quota.window_seconds)
        is_spent = window.asked.total() >= quota.requests
        if endpoint == Endpoint.WHOAMI and quota.whoami is not None:
            is_spent |= window.asked[endpoint] >= quota.whoami
        window.asked[endpoint] += not is_spent
        left = -1 if is_spent else quota.requests - window.asked.total()
        return RateLimit(left, ceil(window.end - now), quota.requests, quota.window_seconds)

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
