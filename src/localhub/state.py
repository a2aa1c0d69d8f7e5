"""What every handler works with: the stores, the accounts, the settings, and the checks that come first."""

import hashlib
import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from starlette.requests import Request

from localhub import errors
from localhub.auth import Identity, default_tokens, parse_identity
from localhub.cas import Cas
from localhub.content import Content
from localhub.storage import Queries, Repo, Revision, Storage, insert_token

MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Settings:
    """LFS files above `multipart_above_bytes` are sent in parts of `part_bytes`; with `has_xet`, by Xet if possible."""

    multipart_above_bytes: int = 64 * MEBIBYTE
    part_bytes: int = 16 * MEBIBYTE
    has_xet: bool = False


@dataclass(frozen=True)
class Seen:
    """What a reading request is about: one revision of a repo that the asker may see."""

    queries: Queries
    repo: Repo
    revision: Revision


@dataclass
class Hub:
    """One local Hub."""

    storage: Storage
    content: Content
    tokens: dict[str, Identity]
    settings: Settings = field(default_factory=Settings)
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    cas: Cas | None = None

    def identify(self, request: Request) -> Identity | None:
        """Who asks; None for a stranger. Raises RefusedError (401) for a token that nobody has."""
        authorization = request.headers.get("authorization")
        if not authorization:
            return None
        identity = self.tokens.get(authorization.removeprefix("Bearer "))
        if identity is None:
            raise errors.unknown_token()
        return identity

    def find(self, queries: Queries, name: str, identity: Identity | None) -> Repo:
        """The repo if the asker may see it. Raises RefusedError (401, 404)."""
        repo = queries.repo(name)
        if repo is None or (repo.is_private and not (identity and identity.may_read(name))):
            raise errors.repo_not_found(is_anonymous=identity is None)
        return repo

    @contextmanager
    def seeing(self, request: Request, name: str, revision: str = "main") -> Iterator[Seen]:
        """One state of a revision, for as long as a handler needs to put its answer together."""
        identity = self.identify(request)
        with self.storage.reading() as queries:
            repo = self.find(queries, name, identity)
            found = queries.revision(repo, revision)
            if found is None:
                raise errors.revision_not_found(revision)
            yield Seen(queries, repo, found)

    def writer(self, request: Request, name: str, refusal: str) -> tuple[Identity, Repo]:
        """Who asks to change a repo. Raises RefusedError (401, 403, 404)."""
        identity = self.identify(request)
        with self.storage.reading() as queries:
            repo = self.find(queries, name, identity)
        if identity is None:
            raise errors.no_token()
        if not identity.may_write(name, repo.creator):
            raise errors.RefusedError(403, refusal)
        return identity, repo

    def add_token(self, token: str, identity: Identity) -> None:
        """Make a token known, also after a restart."""
        with self.storage.writing() as queries:
            insert_token(queries, token, identity.to_json())
        self.tokens[token] = identity

    def sign(self, *words: str) -> str:
        """A signature that only this server can make, for addresses that need no token."""
        return hashlib.blake2b("\n".join(words).encode(), key=self.secret, digest_size=16).hexdigest()


def open_hub(root: Path, user: str, orgs: Mapping[str, str], settings: Settings) -> Hub:
    """Open or create the Hub whose files are below `root`."""
    storage = Storage(root)
    tokens = default_tokens(user, orgs)
    with storage.reading() as queries:
        stored = queries.tokens()
    tokens |= {token: parse_identity(json.loads(identity)) for token, identity in stored.items()}
    content = Content(root)
    return Hub(storage, content, tokens, settings, cas=Cas(root, content) if settings.has_xet else None)
