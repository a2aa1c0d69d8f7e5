"""Uploading by Xet (huggingface.co/docs/xet/api): xorbs, then the shards that make files of them.

hf_xet 1.8 first asks for a grant to send a xorb to, sends it there, and says that it is done (README.md of xet-client
in github.com/huggingface/xet-core). If no grant is given (404), it sends the xorb to the store itself.
"""

import secrets

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from localhub.answers import read_json
from localhub.errors import RefusedError
from localhub.hub import Hub
from localhub.xet.access import READ, WRITE, check_hash, enter, find_store, repo_of
from localhub.xet.xorbs import LARGEST_BYTES


async def give_grant(hub: Hub, request: Request, place: str, name: str) -> Response:
    """POST that asks for a grant: 201 with the address to send to, or 200 if the xorb is there."""
    store = enter(hub, request, place, WRITE)
    check_hash(name)
    size = (await read_json(request)).get("length")
    if not isinstance(size, int) or not 0 < size <= LARGEST_BYTES:
        raise RefusedError(400, f"Invalid length: {size}")
    if store.has_xorb(name):
        return JSONResponse({})
    grant = secrets.token_hex(8)
    url = hub.signed(request, f"/_xet/{place}/uploads/{name}/{grant}", repo=repo_of(request))
    return JSONResponse({"id": grant, "method": "PUT", "url": url, "headers": {}}, 201)


async def put_xorb(hub: Hub, request: Request, place: str, name: str, grant: str) -> Response:
    """PUT of a xorb to the address of its grant; 412 if that was done before."""
    hub.check_signature(request)
    if not await find_store(hub, place).receive(name, grant, request.stream()):
        raise RefusedError(412, "PreconditionFailed")
    return Response()


async def settle_grant(hub: Hub, request: Request, place: str, name: str, grant: str) -> Response:
    """POST that says that the xorb was sent; 404 if nothing has come."""
    store = enter(hub, request, place, WRITE)
    return JSONResponse({"was_inserted": await store.settle(name, grant)})


async def post_xorb(hub: Hub, request: Request, place: str, name: str) -> Response:
    store = enter(hub, request, place, WRITE)
    check_hash(name)
    upload = secrets.token_hex(8)
    await store.receive(name, upload, request.stream())
    return JSONResponse({"was_inserted": await store.settle(name, upload)})


async def post_shard(hub: Hub, request: Request, place: str, version: str) -> Response:
    """POST of a shard: from here on its files are there, and can be committed to the repo."""
    received = await enter(hub, request, place, WRITE).register(await request.body())
    hub.repos.get(repo_of(request) or "").receive(received)
    if version == "v2":
        return Response(b'{"type":"result"}\n', media_type="application/x-ndjson")
    return JSONResponse({"result": 1})


async def get_chunk(hub: Hub, request: Request, place: str, name: str) -> Response:
    """GET whether a chunk is there already: a shard about the xorb that has it, or 404."""
    store = enter(hub, request, place, READ)
    check_hash(name)
    answer = store.about_chunk(name)
    if answer is None:
        raise RefusedError(404, "Chunk not found")
    return Response(answer, media_type="application/octet-stream")


async def take_telemetry(hub: Hub, request: Request) -> Response:  # noqa: ARG001
    """POST /v1/telemetry: what hf_xet 1.8 tells of an upload when it ends, at the root of the store's host."""
    return Response(status_code=204)
