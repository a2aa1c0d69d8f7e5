"""The control endpoint `/_localhub/…` that `localhub.testing` speaks to; it asks for no token."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from localhub import errors
from localhub.auth import parse_identity
from localhub.counts import Counts
from localhub.faults import Fault, Latency, Quota, RequestQuota, Style
from localhub.faults.effects import delete_file, replace_file
from localhub.faults.mischief import Mischief
from localhub.hub import Hub

PREFIX = "/_localhub/"


async def answer(hub: Hub, mischief: Mischief, request: Request) -> Response:
    """Answer a request to the control endpoint. Raises RefusedError (404) if there is nothing."""
    body = await request.body()
    match request.method, request.url.path.removeprefix(PREFIX).split("/"):
        case "GET", ["counts"]:
            return JSONResponse(mischief.counts.to_json())
        case "DELETE", ["counts"]:
            mischief.counts = Counts()
        case "GET", ["faults"]:
            return JSONResponse(mischief.struck())
        case "DELETE", ["faults"]:
            mischief.clear()
        case "PUT", ["faults"]:
            mischief.arm([Fault(**fault) for fault in await request.json()])
        case "PUT", ["latency"]:
            mischief.latency = Latency(**await request.json())
        case "PUT", ["quota"]:
            quota = await request.json()
            mischief.set_quota(Quota(**quota) if quota else None)
        case "PUT", ["request_quota"]:
            quota = await request.json()
            mischief.set_request_quota(RequestQuota(**quota) if quota else None)
        case "PUT", ["style"]:
            mischief.style = Style(**await request.json())
        case "POST", ["tokens"]:
            asked = await request.json()
            hub.add_token(asked["token"], parse_identity(asked["identity"]))
        case method, ["repos", namespace, name, thing]:
            path = request.query_params.get("path", "")
            return _answer_about_repo(hub, method, f"{namespace}/{name}", thing, path, body)
        case _:
            raise errors.RefusedError(404, "no such control")
    return JSONResponse({})


def _answer_about_repo(hub: Hub, method: str, name: str, thing: str, path: str, body: bytes) -> Response:
    repo = hub.repos.get(name)
    match method, thing:
        case "GET", "files":
            files = sorted(repo.head.files.items())
            return JSONResponse([[path, file.size, file.sha256] for path, file in files])
        case "GET", "commits":
            return JSONResponse([[one.oid, one.title, one.author, one.date] for one in reversed(repo.commits)])
        case "GET", "file" if path in repo.head.files:
            return Response(hub.content.path(repo.head.files[path].sha256).read_bytes())
        case "PUT", "file":
            return JSONResponse(replace_file(hub, name, path, body))
        case "DELETE", "file":
            return JSONResponse(delete_file(hub, name, path))
    raise errors.entry_not_found()
