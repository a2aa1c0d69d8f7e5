"""LFS storage: batch, upload in one piece or in parts, verify.

The batch API is that of Git LFS; the parts follow the Hub's own extension, where the upload action's header holds
`chunk_size` and one address per part number (huggingface_hub's `lfs.py`). Clients send no token to the addresses of
an upload, so these are signed, as the Hub's are. With --xet, clients that can are sent to `localhub.xet`.
"""

from math import ceil
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from localhub import errors
from localhub.answers import base_url, read_json
from localhub.errors import RefusedError
from localhub.hub import Hub

MEDIA_TYPE = "application/vnd.git-lfs+json"
XET = "xet"


async def batch(hub: Hub, request: Request, repo: str) -> Response:
    """POST /datasets/{repo}.git/info/lfs/objects/batch: no actions for what the repo has."""
    received = hub.change(request, repo, errors.FORBIDDEN_LFS)[1].received
    asked = await read_json(request)
    if asked.get("operation") != "upload":
        raise RefusedError(422, "only uploads go through this local Hub's batch API")
    objects = [{"oid": one["oid"], "size": one["size"], "authenticated": True} for one in asked["objects"]]
    transfer = XET if hub.xet and XET in asked.get("transfers", []) else "basic"
    for one in objects:
        if transfer != XET and one["oid"] not in received:
            one["actions"] = _actions(hub, request, repo, one["oid"], one["size"])
            if "header" in one["actions"]["upload"]:
                transfer = "multipart"
    return JSONResponse({"transfer": transfer, "objects": objects}, media_type=MEDIA_TYPE)


def _actions(hub: Hub, request: Request, repo: str, oid: str, size: int) -> dict[str, Any]:
    path = f"/datasets/{repo}.git/info/lfs/objects"
    actions: dict[str, Any] = {"upload": {}, "verify": {"href": f"{base_url(request)}{path}/verify"}}
    if size <= hub.settings.multipart_above_bytes:
        actions["upload"]["href"] = hub.signed(request, f"{path}/{oid}", size=size)
        return actions
    part_bytes = hub.settings.part_bytes
    parts = {
        f"{number:05d}": hub.signed(request, f"{path}/{oid}/part/{number}", size=size)
        for number in range(1, ceil(size / part_bytes) + 1)
    }
    actions["upload"]["href"] = hub.signed(request, f"{path}/{oid}/complete", size=size)
    actions["upload"]["header"] = {"chunk_size": str(part_bytes), **parts}
    return actions


async def put(hub: Hub, request: Request, repo: str, oid: str) -> Response:
    hub.check_signature(request)
    size = int(request.query_params["size"])
    await hub.content.receive(request.stream(), oid, size)
    hub.repos.get(repo).receive([(oid, size)])
    return Response(headers={"ETag": f'"{oid}"'})


async def put_part(hub: Hub, request: Request, repo: str, oid: str, number: str) -> Response:
    """PUT of one part; the answer's ETag is what the completion has to name."""
    hub.check_signature(request)
    etag = await hub.content.receive_part(request.stream(), f"{repo.replace('/', '--')}--{oid}", int(number))
    return Response(headers={"ETag": f'"{etag}"'})


async def complete(hub: Hub, request: Request, repo: str, oid: str) -> Response:
    hub.check_signature(request)
    size = int(request.query_params["size"])
    parts = sorted((await read_json(request))["parts"], key=lambda part: part["partNumber"])
    etags = [part["etag"].strip('"') for part in parts]
    if not all(etag.isalnum() for etag in etags):
        raise RefusedError(400, "InvalidPart")
    await hub.content.assemble(f"{repo.replace('/', '--')}--{oid}", etags, oid, size)
    hub.repos.get(repo).receive([(oid, size)])
    return JSONResponse({"success": True})


async def verify(hub: Hub, request: Request, repo: str) -> Response:
    """POST by which the client asks whether the content has arrived."""
    received = hub.change(request, repo, errors.FORBIDDEN_LFS)[1].received
    asked = await read_json(request)
    if received.get(asked["oid"]) != asked["size"]:
        raise RefusedError(404, "Object not found, or its size differs")
    return JSONResponse({})
