"""Which handler answers which request.

Addresses are taken apart before they are decoded, because clients send a slash within a revision or a path as %2F.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import NamedTuple
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import Response

from localhub import grants, lfs, reading, reconstruction, repos, viewer, writing, xet
from localhub.errors import RefusedError
from localhub.faults import Endpoint
from localhub.state import Hub


class Call(NamedTuple):
    """A request's class, the repo it is about, and what answers it."""

    endpoint: Endpoint
    repo: str | None
    answer: Callable[[], Awaitable[Response]]


def split_path(request: Request) -> list[str]:
    """The decoded segments of the address's path."""
    raw: bytes = request.scope["raw_path"]
    return [unquote(segment) for segment in raw.decode("latin-1").strip("/").split("/")]


def find_call(hub: Hub, request: Request) -> Call:
    """The call that a request makes."""
    match request.method, split_path(request):
        case "GET", ["api", "whoami-v2"]:
            return Call(Endpoint.WHOAMI, None, partial(repos.whoami, hub, request))
        case "POST", ["api", "repos", "create"]:
            return Call(Endpoint.CREATE, None, partial(repos.create, hub, request))
        case "DELETE", ["api", "repos", "delete"]:
            return Call(Endpoint.DELETE, None, partial(repos.delete, hub, request))
        case "POST", ["api", "validate-yaml"]:
            return Call(Endpoint.VALIDATE_YAML, None, partial(writing.validate_yaml, request))
        case "GET", ["api", "agent-harnesses"]:
            return Call(Endpoint.AGENTS, None, viewer.agents)
        case "GET", ["info" | "parquet"]:
            return Call(Endpoint.VIEWER, request.query_params.get("dataset"), partial(viewer.not_yet, request))
        case method, ["api", "datasets", namespace, name, *rest]:
            return _find_api_call(hub, request, method, f"{namespace}/{name}", rest)
        case "GET" | "HEAD", ["datasets", namespace, name, "resolve", revision, *path]:
            repo = f"{namespace}/{name}"
            return Call(Endpoint.RESOLVE, repo, partial(reading.resolve, hub, request, repo, revision, "/".join(path)))
        case method, ["datasets", namespace, name, "info", "lfs", "objects", *rest] if name.endswith(".git"):
            return _find_lfs_call(hub, request, method, f"{namespace}/{name.removesuffix('.git')}", rest)
        case "POST", ["v1", "telemetry"]:
            return Call(Endpoint.XET_TELEMETRY, xet.repo_of(hub, request), xet.take_telemetry)
        case method, [xet.PREFIX, place, *rest]:
            return _find_xet_call(hub, request, method, place, rest)
    return Call(Endpoint.OTHER, None, _not_found)


def _find_api_call(hub: Hub, request: Request, method: str, repo: str, rest: list[str]) -> Call:
    match method, rest:
        case "GET", [] | ["revision", _]:
            return Call(Endpoint.INFO, repo, partial(repos.info, hub, request, repo, *rest[1:]))
        case "GET", ["refs"]:
            return Call(Endpoint.REFS, repo, partial(repos.refs, hub, request, repo))
        case "GET", ["commits", revision]:
            return Call(Endpoint.COMMITS, repo, partial(repos.commits, hub, request, repo, revision))
        case "GET", ["tree", revision, *path]:
            folder = "/".join(path).strip("/")
            return Call(Endpoint.TREE, repo, partial(reading.tree, hub, request, repo, revision, folder))
        case "POST", ["paths-info", revision]:
            return Call(Endpoint.PATHS_INFO, repo, partial(reading.paths_info, hub, request, repo, revision))
        case "POST", ["preupload", revision]:
            return Call(Endpoint.PREUPLOAD, repo, partial(writing.preupload, hub, request, repo, revision))
        case "POST", ["commit", revision]:
            return Call(Endpoint.COMMIT, repo, partial(writing.make_commit, hub, request, repo, revision))
        case "GET", ["xet-read-token" | "xet-write-token" as kind, revision]:
            scope = kind.split("-")[1]
            return Call(Endpoint.XET_TOKEN, repo, partial(xet.token, hub, request, repo, scope, revision))
    return Call(Endpoint.OTHER, repo, _not_found)


def _find_lfs_call(hub: Hub, request: Request, method: str, repo: str, rest: list[str]) -> Call:
    match method, rest:
        case "POST", ["batch"]:
            return Call(Endpoint.LFS_BATCH, repo, partial(lfs.batch, hub, request, repo))
        case "POST", ["verify"]:
            return Call(Endpoint.LFS_VERIFY, repo, partial(lfs.verify, hub, request, repo))
        case "PUT", [oid]:
            return Call(Endpoint.LFS_PUT, repo, partial(lfs.put, hub, request, repo, oid))
        case "PUT", [oid, "part", number]:
            return Call(Endpoint.LFS_PUT, repo, partial(lfs.put_part, hub, request, repo, oid, number))
        case "POST", [oid, "complete"]:
            return Call(Endpoint.LFS_PUT, repo, partial(lfs.complete, hub, request, repo, oid))
    return Call(Endpoint.OTHER, repo, _not_found)


def _find_xet_call(hub: Hub, request: Request, method: str, place: str, rest: list[str]) -> Call:
    repo = xet.repo_of(hub, request)
    match method, rest:
        case "POST", ["v1", "xorb-grants", prefix, name]:
            return Call(Endpoint.XET_GRANT, repo, partial(grants.give, hub, request, place, prefix, name))
        case "PUT", ["uploads", name, grant]:
            repo = request.query_params.get("repo")
            return Call(Endpoint.XET_XORB, repo, partial(grants.put, hub, request, place, name, grant))
        case "POST", ["v1", "xorb-commits", prefix, name, "grant", grant]:
            return Call(Endpoint.XET_SETTLE, repo, partial(grants.settle, hub, request, place, prefix, name, grant))
        case "POST", ["v1", "xorbs", prefix, name]:
            return Call(Endpoint.XET_XORB, repo, partial(xet.post_xorb, hub, request, place, prefix, name))
        case "POST", ["v1" | "v2" as version, "shards"]:
            return Call(Endpoint.XET_SHARD, repo, partial(xet.post_shard, hub, request, place, version))
        case "GET", ["v2", "reconstructions", name]:
            return Call(Endpoint.XET_FILE, repo, partial(reconstruction.describe, hub, request, place, name))
        case "GET", ["xorbs", name]:
            repo = request.query_params.get("repo")
            return Call(Endpoint.XET_BYTES, repo, partial(reconstruction.get_bytes, hub, request, place, name))
        case "GET", ["v1", "chunks", prefix, name]:
            return Call(Endpoint.XET_CHUNK, repo, partial(xet.get_chunk, hub, request, place, prefix, name))
    return Call(Endpoint.OTHER, repo, _not_found)


async def _not_found() -> Response:
    raise RefusedError(404, "Sorry, we can't find the page you are looking for.")
