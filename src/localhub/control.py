"""The control endpoint `/_localhub/…`: faults, counts, tokens, and a look into repos. It asks for no token.

GET, DELETE  counts                  what was asked since the start or the last DELETE
GET, PUT     faults                  how often each fault has struck; a list of faults in place of all others
PUT          latency, quota          an object with the fields of Latency or Quota (null: no quota)
POST         tokens                  {"token": …, "identity": {…the fields of Identity…}}
GET          repos/NS/NAME/files     [path, size, sha256] of every file of the head
GET          repos/NS/NAME/commits   oid, title, author and date of every commit, the newest first
GET, PUT, DELETE  repos/NS/NAME/file?path=…   one file's content; changing it makes a commit
"""

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from localhub import errors
from localhub.auth import parse_identity
from localhub.counts import Counts
from localhub.faults import Fault, Latency, Mischief, Quota
from localhub.meddling import ALL, delete_file, find_repo, list_files, replace_file
from localhub.routes import split_path
from localhub.state import Hub
from localhub.trees import Entry, Kind

PREFIX = "/_localhub/"


async def answer(hub: Hub, mischief: Mischief, request: Request) -> Response:
    """Answer a request to the control endpoint. Raises RefusedError (404) where there is nothing."""
    match request.method, split_path(request)[1:]:
        case "GET", ["counts"]:
            return JSONResponse(mischief.counts.to_json())
        case "DELETE", ["counts"]:
            mischief.counts = Counts()
        case "GET", ["faults"]:
            return JSONResponse(mischief.struck())
        case "PUT", ["faults"]:
            mischief.arm([Fault(**fault) for fault in await request.json()])
        case "PUT", ["latency"]:
            mischief.latency = Latency(**await request.json())
        case "PUT", ["quota"]:
            quota = await request.json()
            mischief.set_quota(Quota(**quota) if quota else None)
        case "POST", ["tokens"]:
            asked = await request.json()
            hub.add_token(asked["token"], parse_identity(asked["identity"]))
        case _, ["repos", namespace, name, thing]:
            return await _answer_about_repo(hub, request, f"{namespace}/{name}", thing)
        case _:
            raise errors.RefusedError(404, "no such control")
    return JSONResponse({})


async def _answer_about_repo(hub: Hub, request: Request, name: str, thing: str) -> Response:
    path = request.query_params.get("path", "")
    match request.method, thing:
        case "GET", "files":
            return JSONResponse([[file.path, file.size, file.sha256] for file in _files(hub, name)])
        case "GET", "commits":
            return JSONResponse(_commits(hub, name))
        case "GET", "file":
            return Response(hub.content.read(_file(hub, name, path).sha256))
        case "PUT", "file":
            made = await asyncio.to_thread(replace_file, hub, name, path, await request.body())
            return JSONResponse(made.oid)
        case "DELETE", "file":
            made = await asyncio.to_thread(delete_file, hub, name, path)
            return JSONResponse(made.oid)
    raise errors.RefusedError(404, "no such control")


def _files(hub: Hub, name: str) -> list[Entry]:
    with hub.storage.reading() as queries:
        return list_files(queries, name)


def _file(hub: Hub, name: str, path: str) -> Entry:
    with hub.storage.reading() as queries:
        repo = find_repo(queries, name)
        found = queries.entries(repo, repo.head, [path])
    if not found or found[0].kind == Kind.FOLDER:
        raise errors.entry_not_found()
    return found[0]


def _commits(hub: Hub, name: str) -> list[dict[str, str]]:
    with hub.storage.reading() as queries:
        repo = find_repo(queries, name)
        found = queries.revisions(repo, repo.head, ALL)
    return [{"oid": one.oid, "title": one.title, "author": one.author, "date": one.date} for one in found]
