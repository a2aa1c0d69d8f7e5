"""Who is let into the store (huggingface.co/docs/xet/auth): tokens that the Hub signs, each for one repo and a time.

Grants and the addresses of xorbs are signed addresses, as those of LFS are: no token is sent to them.
"""

import time

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from localhub import errors
from localhub.answers import base_url, bearer
from localhub.errors import RefusedError
from localhub.hub import Hub
from localhub.repos.content import SHA256
from localhub.xet.store import XetStore

READ, WRITE = "read", "write"
VALID_SECONDS = 900


async def give_token(hub: Hub, request: Request, repo: str, scope: str, revision: str) -> Response:
    """GET /api/datasets/{repo}/xet-{scope}-token/{revision}: the address of the store and a token for it."""
    if scope == WRITE:
        hub.change(request, repo, "Forbidden")
    hub.see(request, repo, revision)
    if hub.xet is None:
        raise RefusedError(404, "this local Hub has no Xet")
    url = f"{base_url(request)}/_xet/{hub.xet.place}"
    expires = int(time.time()) + VALID_SECONDS
    said = f"xet:{scope}:{expires}:{repo}"
    token = f"{said}:{hub.sign(said)}"
    headers = {"X-Xet-Cas-Url": url, "X-Xet-Access-Token": token, "X-Xet-Token-Expiration": str(expires)}
    return JSONResponse({"casUrl": url, "accessToken": token, "exp": expires}, headers=headers)


def repo_of(request: Request) -> str | None:
    """The repo that a request to the store is for, whether or not it is let in."""
    return request.query_params.get("repo") or (found[2] if (found := _parse(request)) else None)


def _parse(request: Request) -> tuple[str, int, str] | None:
    mark, *words = bearer(request).split(":")
    return (words[0], int(words[1]), words[2]) if mark == "xet" and len(words) == 4 else None


def enter(hub: Hub, request: Request, place: str, scope: str) -> XetStore:
    """The store, for who has a token of this scope. Raises RefusedError (401, 403, 404)."""
    found = _parse(request)
    said, _, signature = bearer(request).rpartition(":")
    if found is None or not hub.is_signed(said, signature) or found[1] <= time.time():
        raise RefusedError(401, errors.INVALID_TOKEN)
    if scope == WRITE and found[0] != WRITE:
        raise RefusedError(403, "a token of scope write is needed")
    return find_store(hub, place)


def find_store(hub: Hub, place: str) -> XetStore:
    if hub.xet is None or hub.xet.place != place:
        raise RefusedError(404, "the store of another local Hub was here")
    return hub.xet


def check_hash(name: str) -> None:
    if not SHA256.fullmatch(name):
        raise RefusedError(400, f"Invalid hash: {name}")
