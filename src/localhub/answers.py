"""What handlers have in common: reading bodies and flags, addresses, pages, refusals."""

import json
from typing import Any
from urllib.parse import quote, urlencode
from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from localhub.errors import RefusedError


def base_url(request: Request) -> str:
    return f"http://{request.headers.get('host', '127.0.0.1')}"


def bearer(request: Request) -> str:
    """The token that a request came with; "" for none."""
    return request.headers.get("authorization", "").removeprefix("Bearer ")


def flag(value: object) -> bool:
    """A yes or no as clients write it (`True`, `true`, `1`)."""
    return str(value).lower() in ("true", "1")


def next_page(request: Request, **parameters: str) -> dict[str, str]:
    """The header that leads to the next page (huggingface_hub's `utils/_pagination.py`)."""
    path = quote(request.scope["raw_path"], safe="/%")
    query = urlencode({**request.query_params, **parameters})
    return {"Link": f'<{base_url(request)}{path}?{query}>; rel="next"'}


async def read_json(request: Request) -> dict[str, Any]:
    """The object in a request's body. Raises RefusedError (400)."""
    try:
        value = json.loads(await request.body())
    except ValueError as error:
        raise RefusedError(400, f"Invalid JSON: {error}") from error
    if not isinstance(value, dict):
        raise RefusedError(400, "Invalid JSON: an object is expected")
    return value


def refuse(refusal: RefusedError) -> Response:
    headers = {"X-Error-Message": " ".join(refusal.message.split()).encode("ascii", "replace").decode()}
    if refusal.code:
        headers["X-Error-Code"] = refusal.code
    return JSONResponse({"error": refusal.message, **refusal.body}, refusal.status, {**headers, **refusal.headers})


def refuse_storage(refusal: RefusedError) -> Response:
    """The same in the way of S3, which takes in LFS content: a page of XML, and none of the Hub's headers."""
    code, _, message = refusal.message.partition(": ") if ": " in refusal.message else ("Error", "", refusal.message)
    error = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    page = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{error}</Error>'
    return Response(page, refusal.status, dict(refusal.headers), "application/xml")
