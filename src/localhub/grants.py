"""Xorbs that are sent to a grant: ask for an address, send the xorb there, and say that it is done.

This is what hf_xet 1.8 tries first (README.md of xet-client in github.com/huggingface/xet-core). Grants are signed
addresses, as those of LFS are: no token is sent to them. Where no grant is given (404), clients send the xorb to the
store itself.
"""

import hmac
import secrets
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from localhub import xet
from localhub.answers import base_url, read_json
from localhub.errors import RefusedError
from localhub.state import Hub
from localhub.xorbs import LARGEST_BYTES


async def give(hub: Hub, request: Request, place: str, prefix: str, name: str) -> Response:
    """POST that asks for a grant: 201 with the address to send to, or 200 where the xorb is there."""
    cas = xet.enter(hub, request, place, xet.WRITE)
    xet.check_name(xet.XORB_PREFIXES, prefix, name)
    size = (await read_json(request)).get("length")
    if not isinstance(size, int) or not 0 < size <= LARGEST_BYTES:
        raise RefusedError(400, f"Invalid length: {size}")
    if cas.has_xorb(name):
        return JSONResponse({})
    grant, repo = secrets.token_hex(8), xet.repo_of(hub, request) or ""
    query = urlencode({"repo": repo, "signature": hub.sign(place, name, grant, repo)})
    url = f"{base_url(request)}/{xet.PREFIX}/{place}/uploads/{name}/{grant}?{query}"
    return JSONResponse({"id": grant, "method": "PUT", "url": url, "headers": {}}, 201)


async def put(hub: Hub, request: Request, place: str, name: str, grant: str) -> Response:
    """PUT of a xorb to the address of its grant; 412 where that was done before."""
    cas, query = xet.find_cas(hub, place), request.query_params
    expected = hub.sign(place, name, grant, query.get("repo", ""))
    if not hmac.compare_digest(expected.encode(), query.get("signature", "").encode()):
        raise RefusedError(403, "SignatureDoesNotMatch: ask for a new grant")
    if not await cas.receive(name, grant, request.stream()):
        raise RefusedError(412, "PreconditionFailed")
    return Response()


async def settle(hub: Hub, request: Request, place: str, prefix: str, name: str, grant: str) -> Response:
    """POST that says that the xorb was sent; 404 where nothing has come."""
    cas = xet.enter(hub, request, place, xet.WRITE)
    xet.check_name(xet.XORB_PREFIXES, prefix, name)
    return JSONResponse({"was_inserted": await cas.settle(name, grant)})
