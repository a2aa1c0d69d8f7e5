"""Xet: the tokens that the Hub hands out, and the store that they open (huggingface.co/docs/xet/api, …/auth).

The store is below /_xet/ of this same server. Its tokens are signed, and name one repo, what may be done, and until
when; so the store asks nobody who the sender is.
"""

import asyncio
import base64
import hmac
import json
import secrets
import time
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from localhub import errors
from localhub.answers import base_url
from localhub.cas import Cas
from localhub.errors import RefusedError
from localhub.shards import parse_shard
from localhub.state import Hub
from localhub.storage import Queries, insert_received
from localhub.xorbs import NAME

PREFIX = "_xet"
READ = "read"
WRITE = "write"
VALID_SECONDS = 900
MARK = "xet_"
XORB_PREFIXES = frozenset({"default"})
CHUNK_PREFIXES = XORB_PREFIXES | {"default-merkledb"}
"""The specification allows the second alone; hf_xet 1.8 asks with the first."""


class Pass(NamedTuple):
    """What a token of the store says."""

    repo: str
    scope: str
    expires: int


async def token(hub: Hub, request: Request, name: str, scope: str, revision: str) -> Response:
    """GET /api/datasets/{repo}/xet-{scope}-token/{revision}: the address of the store and a token for it."""
    if scope == WRITE:
        hub.writer(request, name, errors.FORBIDDEN_XET)
    with hub.seeing(request, name, revision):
        if hub.cas is None:
            raise RefusedError(404, "this local Hub has no Xet")
        address = f"{base_url(request)}/{PREFIX}/{hub.cas.place}"
    expires = int(time.time()) + VALID_SECONDS
    access_token = _seal(hub, Pass(name, scope, expires))
    headers = {"X-Xet-Cas-Url": address, "X-Xet-Access-Token": access_token, "X-Xet-Token-Expiration": str(expires)}
    return JSONResponse({"casUrl": address, "accessToken": access_token, "exp": expires}, headers=headers)


def repo_of(hub: Hub, request: Request) -> str | None:
    """The repo that the token of a request is for, whether or not it is still good for anything."""
    found = _open(hub, request)
    return found.repo if found else None


async def post_xorb(hub: Hub, request: Request, place: str, prefix: str, name: str) -> Response:
    """POST of a xorb under its hash, where no grant was given for it."""
    cas = enter(hub, request, place, WRITE)
    check_name(XORB_PREFIXES, prefix, name)
    upload = secrets.token_hex(8)
    await cas.receive(name, upload, request.stream())
    return JSONResponse({"was_inserted": await cas.settle(name, upload)})


async def post_shard(hub: Hub, request: Request, place: str, version: str) -> Response:
    """POST of a shard: from here on its files are there, and can be committed to the repo."""
    cas = enter(hub, request, place, WRITE)
    name = repo_of(hub, request) or ""
    shard = parse_shard(await request.body())
    received = await asyncio.to_thread(cas.register, shard)

    def note(queries: Queries) -> None:
        repo = queries.repo(name)
        if repo is None:
            raise errors.repo_not_found(is_anonymous=False)
        insert_received(queries, repo, received)

    await hub.storage.write(note)
    if version == "v2":
        return Response(b'{"type":"result"}\n', media_type="application/x-ndjson")
    return JSONResponse({"result": 1})


async def get_chunk(hub: Hub, request: Request, place: str, prefix: str, name: str) -> Response:
    """GET whether a chunk is there already: a shard about the xorb that has it, or 404."""
    cas = enter(hub, request, place, READ)
    check_name(CHUNK_PREFIXES, prefix, name)
    answer = cas.about_chunk(name)
    if answer is None:
        raise RefusedError(404, "Chunk not found")
    return Response(answer, media_type="application/octet-stream")


async def take_telemetry() -> Response:
    """POST /v1/telemetry: what hf_xet 1.8 tells of an upload when it ends, at the root of the store's host."""
    return Response(status_code=204)


def find_cas(hub: Hub, place: str) -> Cas:
    """The store that is at a place. Raises RefusedError (404)."""
    if hub.cas is None or hub.cas.place != place:
        raise RefusedError(404, "the store of another local Hub was here")
    return hub.cas


def enter(hub: Hub, request: Request, place: str, scope: str) -> Cas:
    """The store, for who has a token of this scope. Raises RefusedError (401, 403, 404)."""
    found = _open(hub, request)
    if found is None or found.expires <= time.time():
        raise errors.unknown_token()
    if scope == WRITE and found.scope != WRITE:
        raise RefusedError(403, "a token of scope write is needed")
    return find_cas(hub, place)


def check_name(prefixes: frozenset[str], prefix: str, name: str) -> None:
    """Raises RefusedError (400) for what is no hash, or has another prefix."""
    if prefix not in prefixes or not NAME.fullmatch(name):
        raise RefusedError(400, f"Invalid hash: {prefix}/{name}")


def _seal(hub: Hub, content: Pass) -> str:
    text = base64.urlsafe_b64encode(json.dumps(content).encode()).decode()
    return f"{MARK}{text}.{hub.sign(MARK, text)}"


def _open(hub: Hub, request: Request) -> Pass | None:
    sealed = request.headers.get("authorization", "").removeprefix("Bearer ").removeprefix(MARK)
    text, _, signature = sealed.partition(".")
    if not hmac.compare_digest(hub.sign(MARK, text).encode(), signature.encode()):
        return None
    return Pass(*json.loads(base64.urlsafe_b64decode(text)))
