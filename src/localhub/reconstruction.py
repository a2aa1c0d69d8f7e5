"""Reading by Xet: what a file is made of, and the bytes of the xorbs (huggingface.co/docs/xet/download-protocol).

Clients that can are led here by the headers of a file that came by Xet; all others read the file itself.
"""

import asyncio
import hmac
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from localhub import xet
from localhub.answers import base_url
from localhub.cas import Cas
from localhub.errors import RefusedError
from localhub.reading import parse_range, read_span
from localhub.shards import File, Term
from localhub.state import Hub
from localhub.xorbs import HEADER_BYTES, NAME, Chunk


class Piece(NamedTuple):
    """The chunks of a term that are asked for, the bytes of its xorb that they are in, and what they begin with."""

    term: Term
    start: int
    end: int
    skipped: int


async def describe(hub: Hub, request: Request, place: str, name: str) -> Response:
    """GET of what a file, or the range that the header asks for, is made of (version 2)."""
    cas = xet.enter(hub, request, place, xet.READ)
    file = cas.file(name) if NAME.fullmatch(name) else None
    if file is None:
        raise RefusedError(404, "File not found")
    span = parse_range(request.headers.get("range"), file.size) or (0, file.size - 1)
    pieces = await asyncio.to_thread(lambda: list(_pieces(cas, file, *span)))
    repo = xet.repo_of(hub, request) or ""

    def address(xorb: str) -> str:
        query = urlencode({"repo": repo, "signature": hub.sign(place, xorb, repo)})
        return f"{base_url(request)}/{xet.PREFIX}/{place}/xorbs/{xorb}?{query}"

    return JSONResponse(
        {
            "offset_into_first_range": pieces[0].skipped if pieces else 0,
            "terms": [_term(piece.term) for piece in pieces],
            "xorbs": {xorb: _fetches(address(xorb), xorb, pieces) for xorb in {one.term.xorb for one in pieces}},
        }
    )


def _pieces(cas: Cas, file: File, first: int, last: int) -> Iterator[Piece]:
    position = 0
    for term in file.terms:
        if position <= last and position + term.size > first:
            chunks = cas.chunks(term.xorb)[term.first : term.end]
            yield _narrowed(term, chunks, first - position, last - position)
        position += term.size


def _narrowed(term: Term, chunks: Sequence[Chunk], first: int, last: int) -> Piece:
    """The chunks that have bytes from `first` to `last` of a term."""
    kept: list[tuple[int, Chunk]] = []
    position = skipped = 0
    for number, chunk in enumerate(chunks, term.first):
        if position + chunk.size > first and position <= last:
            if not kept:
                skipped = max(first - position, 0)
            kept.append((number, chunk))
        position += chunk.size
    size = sum(chunk.size for _, chunk in kept)
    end = kept[-1][1].start + kept[-1][1].packed_bytes
    narrowed = Term(term.xorb, size, kept[0][0], kept[-1][0] + 1)
    return Piece(narrowed, kept[0][1].start - HEADER_BYTES, end, skipped)


def _term(term: Term) -> dict[str, object]:
    return {"hash": term.xorb, "unpacked_length": term.size, "range": {"start": term.first, "end": term.end}}


def _fetches(url: str, xorb: str, pieces: Sequence[Piece]) -> list[dict[str, object]]:
    wanted = sorted({(one.term.first, one.term.end, one.start, one.end) for one in pieces if one.term.xorb == xorb})
    ranges = [
        {"chunks": {"start": first, "end": end}, "bytes": {"start": start, "end": stop - 1}}
        for first, end, start, stop in wanted
    ]
    return [{"url": url, "ranges": [one]} for one in ranges]


async def get_bytes(hub: Hub, request: Request, place: str, name: str) -> Response:
    """GET of a range of a xorb, at an address that `describe` told."""
    cas, query = xet.find_cas(hub, place), request.query_params
    expected = hub.sign(place, name, query.get("repo", ""))
    if not hmac.compare_digest(expected.encode(), query.get("signature", "").encode()):
        raise RefusedError(403, "SignatureDoesNotMatch: ask for a new address")
    path = cas.xorb_path(name)
    size = path.stat().st_size
    first, last = parse_range(request.headers.get("range"), size) or (0, size - 1)
    content = await asyncio.to_thread(read_span, path, first, last - first + 1)
    return Response(content, 206, {"Content-Range": f"bytes {first}-{last}/{size}"}, "application/octet-stream")
