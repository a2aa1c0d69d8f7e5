"""Who a token belongs to, and where it may write, from the Hub's answer to `GET /api/whoami-v2`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_WRITING_ROLES = {"admin", "write", "contributor"}
_WRITING_PERMISSIONS = {"repo.write", "repo.content.write"}


@dataclass(frozen=True)
class Identity:
    """The owner of a token and what the token may do.

    `organizations` maps the owner's organizations to the owner's role there; `role` is the token's: `read`, `write` or
    `fineGrained` (None if the Hub does not say); `scopes` are the (type, name) pairs that a fine-grained token may
    write to.
    """

    name: str
    organizations: Mapping[str, str]
    role: str | None
    scopes: frozenset[tuple[str, str]] = frozenset()

    def refusal(self, repo_id: str) -> str | None:
        """Why this token may not write to `repo_id`, and what to do; None if it may, as far as can be known."""
        owner = repo_id.partition("/")[0]
        if self.role == "read":
            return (
                f"the token of {self.name} is read-only: create one with write access at https://hf.co/settings/tokens"
            )
        if self.role == "fineGrained":
            allowed = {("dataset", repo_id), ("user", owner), ("org", owner)}
            if self.scopes & allowed:
                return None
            return f"the fine-grained token of {self.name} may not write to {repo_id}: give it repo.write for {owner}"
        if owner == self.name or self.organizations.get(owner) in _WRITING_ROLES:
            return None
        if owner in self.organizations:
            role = self.organizations[owner]
            return f"{self.name} has only the role {role} in {owner}: ask an admin of {owner} for write access"
        return (
            f"the token is {self.name}'s, who may not write to {repo_id}: "
            f"set HF_USER={self.name}, or use a token of {owner}"
        )


def parse_identity(answer: Mapping[str, Any]) -> Identity:
    """Read the Hub's answer; whatever it leaves out is left open."""
    token = (answer.get("auth") or {}).get("accessToken") or {}
    scoped = (token.get("fineGrained") or {}).get("scoped") or []
    return Identity(
        name=str(answer.get("name", "")),
        organizations={
            org["name"]: org.get("roleInOrg") or "write" for org in answer.get("orgs") or [] if "name" in org
        },
        role=token.get("role"),
        scopes=frozenset(
            (scope["entity"].get("type", ""), scope["entity"].get("name", ""))
            for scope in scoped
            if "entity" in scope and _WRITING_PERMISSIONS & set(scope.get("permissions", []))
        ),
    )
