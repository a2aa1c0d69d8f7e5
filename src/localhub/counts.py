"""What was asked of a local Hub, so that tests can say how much it may be."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Counts:
    """Requests by class, the commits that landed, and the bytes of LFS content and xorbs taken in; in all, and by repo.

    `requests` has the names of `localhub.faults.Endpoint` as keys and 0 for what was not asked.
    """

    requests: Counter[str] = field(default_factory=Counter)
    commits: int = 0
    uploaded_bytes: int = 0
    repos: dict[str, "Counts"] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """All requests."""
        return self.requests.total()

    def of(self, repo: str) -> "Counts":
        """The counts of one repo."""
        return self.repos.get(repo, Counts())

    def add_request(self, endpoint: str, repo: str | None) -> None:
        """Count a request."""
        for counts in self._all_and(repo):
            counts.requests[endpoint] += 1

    def add_commit(self, repo: str | None) -> None:
        """Count a commit that landed."""
        for counts in self._all_and(repo):
            counts.commits += 1

    def add_upload(self, size_bytes: int, repo: str | None) -> None:
        """Count content that was taken in."""
        for counts in self._all_and(repo):
            counts.uploaded_bytes += size_bytes

    def _all_and(self, repo: str | None) -> Iterator["Counts"]:
        yield self
        if repo:
            yield self.repos.setdefault(repo, Counts())

    def to_json(self) -> dict[str, Any]:
        """The form in which counts are sent to clients."""
        return {
            "requests": self.requests,
            "commits": self.commits,
            "uploaded_bytes": self.uploaded_bytes,
            "repos": {repo: counts.to_json() for repo, counts in self.repos.items()},
        }


def parse_counts(value: Mapping[str, Any]) -> Counts:
    """The counts in the answer of the control endpoint."""
    repos = {repo: parse_counts(counts) for repo, counts in value["repos"].items()}
    return Counts(Counter(value["requests"]), value["commits"], value["uploaded_bytes"], repos)
