"""Who asks and what they may do.

A token belongs to a user and has a role: `read`, `write`, or `fineGrained` with a list of scopes. Users own the
namespace of their name and have a role in each of their organisations: admin, write, contributor or read. The answer
of whoami has the shape that `HfApi.whoami` documents.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from localhub import DEFAULT_USER, READ_TOKEN, WRITE_TOKEN

WRITING_ROLES = frozenset({"admin", "write"})
CREATING_ROLES = WRITING_ROLES | {"contributor"}
REPO_WRITE = "repo.write"


@dataclass(frozen=True)
class Scope:
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
    display_name: str = "localhub"

    def may_read(self, repo: str) -> bool:
        """Whether a private repo is visible."""
        namespace = repo.partition("/")[0]
        return namespace == self.user or namespace in self.orgs

    def may_write(self, repo: str, creator: str | None = None) -> bool:
        """Whether the token may commit to `repo`; contributors only to what they created."""
        namespace = repo.partition("/")[0]
        role = self._role_in(namespace)
        is_member = role in WRITING_ROLES or (role == "contributor" and creator == self.user)
        return is_member and self._is_granted({("dataset", repo), ("user", namespace), ("org", namespace)})

    def may_create(self, namespace: str) -> bool:
        """Whether the token may create repos in `namespace`."""
        is_member = self._role_in(namespace) in CREATING_ROLES
        return is_member and self._is_granted({("user", namespace), ("org", namespace)})

    def _role_in(self, namespace: str) -> str | None:
        return "admin" if namespace == self.user else self.orgs.get(namespace)

    def _is_granted(self, entities: set[tuple[str, str]]) -> bool:
        if self.role != "fineGrained":
            return self.role == "write"
        return any((scope.type, scope.name) in entities and REPO_WRITE in scope.permissions for scope in self.scoped)

    def to_json(self) -> str:
        """The form in which identities are stored."""
        return json.dumps(asdict(self))


def parse_identity(value: Mapping[str, Any]) -> Identity:
    """The identity in a JSON object with the fields of Identity."""
    scopes = tuple(
        Scope(scope["type"], scope["name"], tuple(scope["permissions"])) for scope in value.get("scoped", ())
    )
    return Identity(**{**value, "scoped": scopes})


def default_tokens(user: str = DEFAULT_USER, orgs: Mapping[str, str] | None = None) -> dict[str, Identity]:
    """The two tokens that every local Hub knows, one that may write and one that may only read."""
    return {
        WRITE_TOKEN: Identity(user, "write", orgs or {}, display_name="localhub write"),
        READ_TOKEN: Identity(user, "read", orgs or {}, display_name="localhub read"),
    }


def whoami(identity: Identity) -> dict[str, object]:
    """The answer of /api/whoami-v2."""
    token: dict[str, object] = {
        "displayName": identity.display_name,
        "role": identity.role,
        "createdAt": "2026-01-01T00:00:00.000Z",
    }
    if identity.role == "fineGrained":
        scoped = [
            {
                "entity": {"_id": object_id(scope.name), "type": scope.type, "name": scope.name},
                "permissions": list(scope.permissions),
            }
            for scope in identity.scoped
        ]
        token["fineGrained"] = {"canReadGatedRepos": False, "global": [], "scoped": scoped}
    return {
        "type": "user",
        "id": object_id(identity.user),
        "name": identity.user,
        "fullname": identity.user,
        "isPro": False,
        "orgs": [
            {"type": "org", "id": object_id(name), "name": name, "fullname": name, "roleInOrg": role}
            for name, role in identity.orgs.items()
        ],
        "auth": {"type": "access_token", "accessToken": token},
    }


def object_id(name: str) -> str:
    """An id of the Hub's shape (24 hexadecimal digits)."""
    return hashlib.sha256(name.encode()).hexdigest()[:24]
