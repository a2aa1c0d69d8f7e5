"""What every handler works with: the stores, the accounts, the settings, and the checks that come first."""

import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

from starlette.requests import Request

from localhub import READ_TOKEN, WRITE_TOKEN, errors
from localhub.answers import base_url, bearer
from localhub.auth import Identity, parse_identity
from localhub.errors import RefusedError
from localhub.repos.content import Content
from localhub.repos.store import Commit, Repo, Repos
from localhub.repos.tree import Tree
from localhub.xet.store import XetStore

MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Settings:
    """LFS files above `multipart_above_bytes` are sent in parts of `part_bytes`; with `has_xet`, by Xet if possible."""

    multipart_above_bytes: int = 64 * MEBIBYTE
    part_bytes: int = 16 * MEBIBYTE
    has_xet: bool = False


class Seen(NamedTuple):
    """What a reading request is about: one revision of a repo that the asker may see."""

    repo: Repo
    number: int

    @property
    def tree(self) -> Tree:
        return self.repo.tree(self.number)

    @property
    def commit(self) -> Commit:
        return self.repo.commits[self.number - 1]


class Hub:
    """One local Hub, whose files are below `root`; the default tokens belong to `user`, a member of `orgs`."""

    def __init__(self, root: Path, user: str, orgs: Mapping[str, str], settings: Settings) -> None:
        self.settings = settings
        self.repos = Repos(root)
        self.content = Content(root)
        self.xet = XetStore(root / "xet", self.content) if settings.has_xet else None
        self.tokens = {WRITE_TOKEN: Identity(user, "write", orgs), READ_TOKEN: Identity(user, "read", orgs)}
        self._secret = secrets.token_bytes(32)
        self._added = root / "tokens.json"
        if self._added.exists():
            added = json.loads(self._added.read_bytes())
            self.tokens |= {token: parse_identity(identity) for token, identity in added.items()}

    def add_token(self, token: str, identity: Identity) -> None:
        """Make a token known, also after a restart."""
        self.tokens[token] = identity
        added = {token: asdict(one) for token, one in self.tokens.items() if token not in (WRITE_TOKEN, READ_TOKEN)}
        self._added.write_text(json.dumps(added))

    def identify(self, request: Request) -> Identity | None:
        """Who asks; None for a stranger. Raises RefusedError (401) for a token that nobody has."""
        token = bearer(request)
        if token and token not in self.tokens:
            raise RefusedError(401, errors.INVALID_TOKEN)
        return self.tokens.get(token)

    def user(self, request: Request) -> Identity:
        """Who asks. Raises RefusedError (401) for strangers."""
        identity = self.identify(request)
        if identity is None:
            raise RefusedError(
                401, errors.NO_TOKEN, headers={"WWW-Authenticate": 'Bearer realm="Authentication required"'}
            )
        return identity

    def find(self, name: str, identity: Identity | None = None) -> Repo:
        """The repo if the asker may see it. Raises RefusedError (401, 404)."""
        repo = self.repos.find(name)
        if repo is None or (repo.facts.is_private and not (identity and identity.may_read(name))):
            raise errors.repo_not_found(is_anonymous=identity is None)
        return repo

    def see(self, request: Request, name: str, revision: str = "main") -> Seen:
        """A revision of a repo. Raises RefusedError (401, 404)."""
        repo = self.find(name, self.identify(request))
        number = repo.number(revision)
        if number is None:
            raise errors.revision_not_found(revision)
        return Seen(repo, number)

    def change(self, request: Request, name: str, refusal: str) -> tuple[Identity, Repo]:
        """Who asks to change a repo, and the repo. Raises RefusedError (401, 403, 404)."""
        repo = self.find(name, self.identify(request))
        identity = self.user(request)
        if not identity.may_write(name, repo.facts.creator):
            raise RefusedError(403, refusal)
        return identity, repo

    def sign(self, text: str) -> str:
        """A signature that only this server can make."""
        return hashlib.blake2b(text.encode(), key=self._secret, digest_size=16).hexdigest()

    def is_signed(self, text: str, signature: str) -> bool:
        return hmac.compare_digest(self.sign(text).encode(), signature.encode())

    def signed(self, request: Request, path: str, **query: object) -> str:
        """An address of this server to which clients need send no token."""
        target = f"{path}?{urlencode(query)}"
        return f"{base_url(request)}{target}&signature={self.sign(target)}"

    def check_signature(self, request: Request) -> None:
        """Raises RefusedError (403) if the address is not a signed one."""
        target, _, signature = f"{request.url.path}?{request.url.query}".partition("&signature=")
        if not self.is_signed(target, signature):
            raise RefusedError(403, "SignatureDoesNotMatch: ask for a new address")
