"""What is there: tree, paths-info, resolve (huggingface_hub's `hf_api.py` and `file_download.py`)."""

import base64
import binascii
import mimetypes
from urllib.parse import parse_qs, quote

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from localhub import errors
from localhub.answers import base_url, flag, next_page
from localhub.api.repos import lfs_sizes
from localhub.errors import RefusedError
from localhub.hub import Hub, Seen

ENTRIES_A_PAGE = 1_000
EXPANDED_ENTRIES_A_PAGE = 50
PATHS_A_REQUEST = 1_000
"""More is a 413 (huggingface_hub issue 1503)."""


async def tree(hub: Hub, request: Request, repo: str, revision: str, path: str = "") -> Response:
    """GET /api/datasets/{repo}/tree/{revision}[/{path}], in pages."""
    query = request.query_params
    is_expanded = flag(query.get("expand"))
    largest = EXPANDED_ENTRIES_A_PAGE if is_expanded else ENTRIES_A_PAGE
    limit = min(int(query.get("limit", largest)), largest)
    try:
        after = base64.urlsafe_b64decode(query.get("cursor", "")).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise RefusedError(400, "Invalid cursor") from error
    seen = hub.see(request, repo, revision)
    folder = path.strip("/")
    if folder not in seen.tree.folders:
        raise errors.entry_not_found(f'{folder} does not exist on "{revision}"')
    find = seen.tree.below if flag(query.get("recursive")) else seen.tree.inside
    found = find(folder, after, limit + 1)
    page = found[:limit]
    cursor = base64.urlsafe_b64encode(page[-1].encode()).decode() if len(found) > limit else ""
    answer = [_describe(seen, each, is_expanded) for each in page]
    return JSONResponse(answer, headers=next_page(request, cursor=cursor) if cursor else {})


async def paths_info(hub: Hub, request: Request, repo: str, revision: str) -> Response:
    """POST /api/datasets/{repo}/paths-info/{revision}; paths that are not there are left out."""
    form = parse_qs((await request.body()).decode())
    paths, is_expanded = form.get("paths", []), flag(form.get("expand", [""])[0])
    if len(paths) > PATHS_A_REQUEST:
        raise RefusedError(413, errors.TOO_MANY_PARAMETERS)
    seen = hub.see(request, repo, revision)
    wanted = dict.fromkeys(path.strip("/") for path in paths)
    there = [path for path in wanted if path and (path in seen.tree.files or path in seen.tree.folders)]
    return JSONResponse([_describe(seen, path, is_expanded) for path in there])


def _describe(seen: Seen, path: str, is_expanded: bool) -> dict[str, object]:
    file = seen.tree.files.get(path)
    born = file.born if file else seen.tree.folders[path].born
    last = seen.repo.commits[born - 1]
    answer: dict[str, object] = {"type": "file" if file else "directory", "oid": last.oid, "size": 0, "path": path}
    if file:
        answer |= {"oid": file.oid, "size": file.size}
        if file.is_lfs:
            answer["lfs"] = {"oid": file.sha256, **lfs_sizes(file)}
    if is_expanded:
        answer["lastCommit"] = {"id": last.oid, "title": last.title, "date": last.date}
    return answer


async def resolve(hub: Hub, request: Request, repo: str, revision: str, path: str) -> Response:
    """GET or HEAD /datasets/{repo}/resolve/{revision}/{path}, whole or a range.

    The Hub leads readers of LFS files to a CDN on another host (302), which this one does not have.
    """
    seen = hub.see(request, repo, revision)
    commit, file = seen.commit.oid, seen.tree.files.get(path)
    if file is None:
        raise errors.entry_not_found(**{"X-Repo-Commit": commit})
    etag = f'"{file.sha256 if file.is_lfs else file.oid}"'
    headers = {
        "Content-Disposition": f"inline; filename*=UTF-8''{quote(path.rpartition('/')[2])}",
        "ETag": etag,
        "X-Repo-Commit": commit,
        **({"X-Linked-Size": str(file.size), "X-Linked-Etag": etag} if file.is_lfs else {}),
    }
    if xet_hash := hub.xet and hub.xet.hashes.get(file.sha256):
        # `parse_xet_file_data_from_response` of huggingface_hub
        token = f"{base_url(request)}/api/datasets/{repo}/xet-read-token/{commit}"
        headers |= {"X-Xet-Hash": xet_hash, "Link": f'<{token}>; rel="xet-auth"'}
    media_type = mimetypes.guess_type(path)[0] or "application/octet-stream"
    return FileResponse(hub.content.path(file.sha256), headers=headers, media_type=media_type)
