"""What is there: tree, paths-info, resolve (huggingface_hub's `hf_api.py` and `file_download.py`)."""

import asyncio
import base64
import binascii
import mimetypes
import re
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from urllib.parse import parse_qs, quote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from localhub import errors
from localhub.answers import base_url, flag, next_page, read_json
from localhub.errors import RefusedError
from localhub.state import Hub, Seen
from localhub.trees import Entry, Kind, lfs_pointer_size

ENTRIES_A_PAGE = 1_000
EXPANDED_ENTRIES_A_PAGE = 50
PATHS_A_REQUEST = 1_000
"""More is a 413 (huggingface_hub issue 1503)."""
READ_AT_ONCE_BYTES = 1 << 20
RANGE = re.compile(r"bytes=(\d*)-(\d*)")


async def tree(hub: Hub, request: Request, name: str, revision: str, folder: str) -> Response:
    """GET /api/datasets/{repo}/tree/{revision}[/{folder}], in pages."""
    query = request.query_params
    is_expanded = flag(query.get("expand"))
    largest = EXPANDED_ENTRIES_A_PAGE if is_expanded else ENTRIES_A_PAGE
    limit = min(int(query.get("limit", largest)), largest)
    after = _decode_cursor(query.get("cursor", ""))
    with hub.seeing(request, name, revision) as seen:
        number = seen.revision.number
        if folder and not any(one.kind == Kind.FOLDER for one in seen.queries.entries(seen.repo, number, [folder])):
            raise errors.entry_not_found(f'{folder} does not exist on "{revision}"')
        find = seen.queries.below if flag(query.get("recursive")) else seen.queries.inside
        found = find(seen.repo, number, folder, after, limit + 1)
        page = found[:limit]
        answer = _describe(seen, page, is_expanded)
    headers = next_page(request, cursor=_encode_cursor(page[-1].path)) if len(found) > limit else {}
    return JSONResponse(answer, headers=headers)


def _encode_cursor(path: str) -> str:
    return base64.urlsafe_b64encode(path.encode()).decode()


def _decode_cursor(cursor: str) -> str:
    try:
        return base64.urlsafe_b64decode(cursor).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise RefusedError(400, "Invalid cursor") from error


async def paths_info(hub: Hub, request: Request, name: str, revision: str) -> Response:
    """POST /api/datasets/{repo}/paths-info/{revision}; paths that are not there are left out."""
    paths, is_expanded = await _asked_paths(request)
    if len(paths) > PATHS_A_REQUEST:
        raise RefusedError(413, errors.TOO_MANY_PARAMETERS)
    with hub.seeing(request, name, revision) as seen:
        wanted = dict.fromkeys(path.strip("/") for path in paths)
        found = seen.queries.entries(seen.repo, seen.revision.number, [path for path in wanted if path])
        return JSONResponse(_describe(seen, found, is_expanded))


async def _asked_paths(request: Request) -> tuple[list[str], bool]:
    if request.headers.get("content-type", "").startswith("application/json"):
        asked = await read_json(request)
        paths = asked.get("paths", [])
        return ([paths] if isinstance(paths, str) else paths), flag(asked.get("expand"))
    form = parse_qs((await request.body()).decode())
    return form.get("paths", []), flag(form.get("expand", [""])[0])


def _describe(seen: Seen, entries: Iterable[Entry], is_expanded: bool) -> list[dict[str, object]]:
    answers = [_entry(entry) for entry in entries]
    if is_expanded:
        revisions = seen.queries.revisions_by_number(seen.repo, (entry.born for entry in entries))
        for answer, entry in zip(answers, entries, strict=True):
            last = revisions[entry.born]
            answer["lastCommit"] = {"id": last.oid, "title": last.title, "date": last.date}
            if entry.kind != Kind.FOLDER:
                answer["securityFileStatus"] = {"status": "unscanned", "avScan": None, "pickleImportScan": None}
    return answers


def _entry(entry: Entry) -> dict[str, object]:
    answer: dict[str, object] = {
        "type": Kind.FOLDER if entry.kind == Kind.FOLDER else Kind.FILE,
        "oid": entry.oid,
        "size": entry.size,
        "path": entry.path,
    }
    if entry.kind == Kind.LFS:
        pointer_size = lfs_pointer_size(entry.size)
        answer["lfs"] = {"oid": entry.sha256, "size": entry.size, "pointerSize": pointer_size}
    return answer


async def resolve(hub: Hub, request: Request, name: str, revision: str, path: str) -> Response:
    """GET or HEAD /datasets/{repo}/resolve/{revision}/{path}, whole or a range."""
    with hub.seeing(request, name, revision) as seen:
        found = seen.queries.entries(seen.repo, seen.revision.number, [path])
        commit = seen.revision.oid
    if not found or found[0].kind == Kind.FOLDER:
        refusal = errors.entry_not_found()
        refusal.headers = {"X-Repo-Commit": commit}
        raise refusal
    entry = found[0]
    span = parse_range(request.headers.get("range"), entry.size)
    first, last = span or (0, entry.size - 1)
    headers = {**_file_headers(entry, commit), **_xet_headers(hub, request, name, entry, commit)}
    headers |= {"Content-Length": str(last - first + 1)}
    if span:
        headers["Content-Range"] = f"bytes {first}-{last}/{entry.size}"
    status = 206 if span else 200
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers)
    content = hub.content.path(entry.sha256)
    if last - first < READ_AT_ONCE_BYTES:
        return Response(read_span(content, first, last - first + 1), status, headers)
    return StreamingResponse(_stream(content, first, last), status, headers)


def _file_headers(entry: Entry, commit: str) -> dict[str, str]:
    etag = f'"{entry.sha256 if entry.kind == Kind.LFS else entry.oid}"'
    headers = {
        "Accept-Ranges": "bytes",
        "Content-Disposition": f"inline; filename*=UTF-8''{quote(entry.path.rpartition('/')[2])}",
        "Content-Type": mimetypes.guess_type(entry.path)[0] or "application/octet-stream",
        "ETag": etag,
        "X-Repo-Commit": commit,
    }
    if entry.kind == Kind.LFS:
        headers |= {"X-Linked-Size": str(entry.size), "X-Linked-Etag": etag}
    return headers


def _xet_headers(hub: Hub, request: Request, name: str, entry: Entry, commit: str) -> dict[str, str]:
    """Where content that came by Xet can be read by Xet (`parse_xet_file_data_from_response` of huggingface_hub)."""
    xet_hash = hub.cas.xet_hash(entry.sha256) if hub.cas and entry.kind == Kind.LFS else None
    if xet_hash is None:
        return {}
    tokens = f"{base_url(request)}/api/datasets/{name}/xet-read-token/{commit}"
    return {"X-Xet-Hash": xet_hash, "Link": f'<{tokens}>; rel="xet-auth"'}


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


def read_span(path: Path, first: int, length: int) -> bytes:
    """Some bytes of a file."""
    with path.open("rb", buffering=0) as file:
        file.seek(first)
        return file.read(length)


async def _stream(path: Path, first: int, last: int) -> AsyncIterator[bytes]:
    while first <= last:
        chunk = await asyncio.to_thread(read_span, path, first, min(READ_AT_ONCE_BYTES, last - first + 1))
        first += len(chunk)
        yield chunk
