"""What was asked of a local Hub, so that tests can say how much it may be."""

from collections import Counter
from collections.abc import Mapping
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
        return self.requests.total()

    def of(self, repo: str) -> "Counts":
        return self.repos.get(repo, Counts())

    def add(self, repo: str | None, request: str = "", commits: int = 0, uploaded_bytes: int = 0) -> None:
        for counts in [self, self.repos.setdefault(repo, Counts())] if repo else [self]:
            counts.requests.update([request] if request else [])
            counts.commits += commits
            counts.uploaded_bytes += uploaded_bytes

    def to_json(self) -> dict[str, Any]:
        return vars(self) | {"repos": {repo: counts.to_json() for repo, counts in self.repos.items()}}


def parse_counts(value: Mapping[str, Any]) -> Counts:
    repos = {repo: parse_counts(counts) for repo, counts in value["repos"].items()}
    return Counts(Counter(value["requests"]), value["commits"], value["uploaded_bytes"], repos)
