"""Reading by Xet: what a file is made of, and the bytes of the xorbs (huggingface.co/docs/xet/download-protocol).

Clients that can are led here by the headers of a file that came by Xet; all others read the file itself.
"""

import asyncio
import itertools
import re

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from localhub.errors import RefusedError
from localhub.hub import Hub
from localhub.xet.access import READ, enter, find_store, repo_of
from localhub.xet.shards import Term
from localhub.xet.store import XetStore
from localhub.xet.xorbs import HEADER_BYTES

RANGE = re.compile(r"bytes=(\d*)-(\d*)")


async def describe(hub: Hub, request: Request, place: str, name: str) -> Response:
    """GET of what a file, or the range that the header asks for, is made of (version 2), in whole terms."""
    store = enter(hub, request, place, READ)
    file = store.files.get(name)
    if file is None:
        raise RefusedError(404, "File not found")
    first, last = parse_range(request.headers.get("range"), file.size) or (0, file.size - 1)
    ends = itertools.accumulate(term.size for term in file.terms)
    placed = [(end - term.size, term) for end, term in zip(ends, file.terms, strict=True)]
    wanted = [(start, term) for start, term in placed if start <= last and start + term.size > first]
    fetches = {term: await asyncio.to_thread(_span, store, term) for _, term in wanted}
    xorbs: dict[str, list[dict[str, object]]] = {}
    for term, span in sorted(fetches.items()):
        url = hub.signed(request, f"/_xet/{place}/xorbs/{term.xorb}", repo=repo_of(request))
        xorbs.setdefault(term.xorb, []).append({"url": url, "ranges": [{"chunks": _chunks(term), "bytes": span}]})
    terms = [{"hash": term.xorb, "unpacked_length": term.size, "range": _chunks(term)} for _, term in wanted]
    offset = first - wanted[0][0] if wanted else 0
    return JSONResponse({"offset_into_first_range": offset, "terms": terms, "xorbs": xorbs})


def _chunks(term: Term) -> dict[str, int]:
    return {"start": term.first, "end": term.end}


def _span(store: XetStore, term: Term) -> dict[str, int]:
    chunks = store.chunks(term.xorb)[term.first : term.end]
    return {"start": chunks[0].start - HEADER_BYTES, "end": chunks[-1].start + chunks[-1].packed_bytes - 1}


def parse_range(header: str | None, size: int) -> tuple[int, int] | None:
    """First and last byte of a Range header; None for the whole file. Raises RefusedError (416)."""
    match = RANGE.fullmatch(header.replace(" ", "")) if header else None
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    span = (int(first), min(int(last or size), size - 1)) if first else (max(size - int(last), 0), size - 1)
    if span[0] > span[1]:
        raise RefusedError(416, "Range Not Satisfiable", headers={"Content-Range": f"bytes */{size}"})
    return span


async def get_bytes(hub: Hub, request: Request, place: str, name: str) -> Response:
    """GET of a range of a xorb, at an address that `describe` told."""
    hub.check_signature(request)
    return FileResponse(find_store(hub, place).xorb_path(name), media_type="application/octet-stream")
