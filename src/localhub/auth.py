"""Who asks and what they may do.

A token belongs to a user and has a role: `read`, `write`, or `fineGrained` with a list of scopes. Users own the
namespace of their name and have a role in each of their organisations: admin, write, contributor or read. The answer
of whoami has the shape that `HfApi.whoami` documents.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

WRITING_ROLES = frozenset({"admin", "write"})
CREATING_ROLES = WRITING_ROLES | {"contributor"}
REPO_WRITE = "repo.write"


class Scope(NamedTuple):
    """What a fine-grained token may do with a `user`, an `org` or a `dataset`."""

    type: str
    name: str
    permissions: tuple[str, ...]


@dataclass(frozen=True)
class Identity:
    """A token's owner and rights; `orgs` maps organisations to the owner's role there."""

    user: str
    role: str = "write"
    orgs: Mapping[str, str] = field(default_factory=dict)
    scoped: tuple[Scope, ...] = ()

    def may_read(self, repo: str) -> bool:
        return self._role_in(repo.partition("/")[0]) is not None

    def may_write(self, repo: str, creator: str | None = None) -> bool:
        """Whether the token may commit to `repo`; contributors only to what they created."""
        namespace = repo.partition("/")[0]
        role = self._role_in(namespace)
        is_member = role in WRITING_ROLES or (role == "contributor" and creator == self.user)
        return is_member and self._is_granted({("dataset", repo), ("user", namespace), ("org", namespace)})

    def may_create(self, namespace: str) -> bool:
        is_member = self._role_in(namespace) in CREATING_ROLES
        return is_member and self._is_granted({("user", namespace), ("org", namespace)})

    def _role_in(self, namespace: str) -> str | None:
        return "admin" if namespace == self.user else self.orgs.get(namespace)

    def _is_granted(self, entities: set[tuple[str, str]]) -> bool:
        if self.role != "fineGrained":
            return self.role == "write"
        return any((scope.type, scope.name) in entities and REPO_WRITE in scope.permissions for scope in self.scoped)


def parse_identity(value: Mapping[str, Any]) -> Identity:
    return Identity(**{**value, "scoped": tuple(Scope(*scope) for scope in value.get("scoped", ()))})


def whoami(identity: Identity) -> dict[str, object]:
    token: dict[str, object] = {"displayName": "localhub", "role": identity.role}
    if identity.role == "fineGrained":
        scoped = [
            {"entity": {"_id": object_id(name), "type": kind, "name": name}, "permissions": list(permissions)}
            for kind, name, permissions in identity.scoped
        ]
        token["fineGrained"] = {"canReadGatedRepos": False, "global": [], "scoped": scoped}
    return {
        **_account("user", identity.user),
        "isPro": False,
        "orgs": [{**_account("org", name), "roleInOrg": role} for name, role in identity.orgs.items()],
        "auth": {"type": "access_token", "accessToken": {**token, "createdAt": "2026-01-01T00:00:00.000Z"}},
    }


def _account(kind: str, name: str) -> dict[str, object]:
    return {"type": kind, "id": object_id(name), "name": name, "fullname": name}


def object_id(name: str) -> str:
    """An id of the Hub's shape (24 hexadecimal digits)."""
    return hashlib.sha256(name.encode()).hexdigest()[:24]
