"""LFS storage: batch, upload in one piece or in parts, verify.

The batch API is that of Git LFS; the parts follow the Hub's own extension, where the upload action's header holds
`chunk_size` and one address per part number (huggingface_hub's `lfs.py`). Clients send no token to the addresses of
an upload, so these are signed, as the Hub's are. With --xet, clients that can are sent to `localhub.xet`.
"""

import hmac
from math import ceil
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from localhub import errors
from localhub.answers import base_url, read_json
from localhub.content import SHA256
from localhub.errors import RefusedError
from localhub.state import Hub
from localhub.storage import Queries, insert_received

MEDIA_TYPE = "application/vnd.git-lfs+json"
XET = "xet"


async def batch(hub: Hub, request: Request, name: str) -> Response:
    """POST /datasets/{repo}.git/info/lfs/objects/batch: no actions for what the repo has."""
    _, repo = hub.writer(request, name, errors.FORBIDDEN_LFS)
    asked = await read_json(request)
    if asked.get("operation") != "upload":
        raise RefusedError(422, "only uploads go through this local Hub's batch API")
    objects = asked["objects"]
    if hub.cas and XET in asked.get("transfers", []):
        answers = [{"oid": one["oid"], "size": one["size"], "authenticated": True} for one in objects]
        return JSONResponse({"transfer": XET, "objects": answers}, media_type=MEDIA_TYPE)
    with hub.storage.reading() as queries:
        there = queries.received(repo, [one["oid"] for one in objects])
    base = f"{base_url(request)}/datasets/{name}.git/info/lfs/objects"
    answers = [_answer(hub, base, one, one["oid"] in there) for one in objects]
    has_parts = any("chunk_size" in answer.get("actions", {}).get("upload", {}).get("header", {}) for answer in answers)
    body = {"transfer": "multipart" if has_parts else "basic", "objects": answers}
    return JSONResponse(body, media_type=MEDIA_TYPE)


def _answer(hub: Hub, base: str, asked: dict[str, Any], is_there: bool) -> dict[str, Any]:
    oid, size = asked["oid"], asked["size"]
    answer: dict[str, Any] = {"oid": oid, "size": size, "authenticated": True}
    if not SHA256.fullmatch(oid) or size < 0:
        return {**answer, "error": {"code": 422, "message": f"Invalid object: {oid}"}}
    if is_there:
        return answer
    settings = hub.settings
    is_multipart = size > settings.multipart_above_bytes
    upload: dict[str, Any] = {"href": _address(hub, base, oid, size, "complete" if is_multipart else "")}
    if is_multipart:
        numbers = range(1, ceil(size / settings.part_bytes) + 1)
        parts = {f"{number:05d}": _address(hub, base, oid, size, f"part/{number}") for number in numbers}
        upload["header"] = {"chunk_size": str(settings.part_bytes), **parts}
    return {**answer, "actions": {"upload": upload, "verify": {"href": f"{base}/verify"}}}


def _address(hub: Hub, base: str, oid: str, size: int, step: str) -> str:
    query = urlencode({"size": size, "signature": hub.sign(base, oid, str(size), step)})
    return f"{base}/{oid}/{step}?{query}" if step else f"{base}/{oid}?{query}"


def _check_signature(hub: Hub, request: Request, name: str, oid: str, step: str) -> int:
    size = request.query_params.get("size", "")
    base = f"{base_url(request)}/datasets/{name}.git/info/lfs/objects"
    if not hmac.compare_digest(hub.sign(base, oid, size, step), request.query_params.get("signature", "")):
        raise RefusedError(403, "SignatureDoesNotMatch: ask for a new address")
    return int(size)


async def put(hub: Hub, request: Request, name: str, oid: str) -> Response:
    """PUT of a file in one piece."""
    size = _check_signature(hub, request, name, oid, "")
    await hub.content.receive(request.stream(), oid, size)
    await _note(hub, name, oid, size)
    return Response(headers={"ETag": f'"{oid}"'})


async def put_part(hub: Hub, request: Request, name: str, oid: str, number: str) -> Response:
    """PUT of one part; the answer's ETag is what the completion has to name."""
    _check_signature(hub, request, name, oid, f"part/{number}")
    etag = await hub.content.receive_part(request.stream(), _upload(name, oid), int(number))
    return Response(headers={"ETag": f'"{etag}"'})


async def complete(hub: Hub, request: Request, name: str, oid: str) -> Response:
    """POST that joins the parts."""
    size = _check_signature(hub, request, name, oid, "complete")
    parts = sorted((await read_json(request))["parts"], key=lambda part: part["partNumber"])
    etags = [part["etag"].strip('"') for part in parts]
    if not all(etag.isalnum() for etag in etags):
        raise RefusedError(400, "InvalidPart")
    await hub.content.assemble(_upload(name, oid), etags, oid, size)
    await _note(hub, name, oid, size)
    return JSONResponse({"success": True})


async def verify(hub: Hub, request: Request, name: str) -> Response:
    """POST by which the client asks whether the content has arrived."""
    _, repo = hub.writer(request, name, errors.FORBIDDEN_LFS)
    asked = await read_json(request)
    with hub.storage.reading() as queries:
        there = queries.received(repo, [asked["oid"]])
    if there.get(asked["oid"]) != asked["size"]:
        raise RefusedError(404, "Object not found, or its size differs")
    return JSONResponse({})


def _upload(name: str, oid: str) -> str:
    return f"{name.replace('/', '--')}--{oid}"


async def _note(hub: Hub, name: str, oid: str, size: int) -> None:
    def note(queries: Queries) -> None:
        repo = queries.repo(name)
        if repo is None:
            raise errors.repo_not_found(is_anonymous=False)
        insert_received(queries, repo, [(oid, size)])

    await hub.storage.write(note)
