"""Which handler answers which request.

Addresses are matched before they are decoded, because clients send a slash within a revision or a path as %2F.
"""

import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import NamedTuple
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import Response

from localhub.api import lfs, reading, repos, writing
from localhub.errors import RefusedError
from localhub.faults import Endpoint
from localhub.hub import Hub
from localhub.xet import access
from localhub.xet import reading as xet_reading
from localhub.xet import writing as xet_writing


class Call(NamedTuple):
    """A request's class, the repo it is about, and what answers it."""

    endpoint: Endpoint
    repo: str | None
    answer: Callable[[], Awaitable[Response]]


_SEGMENTS = {"repo": "[^/]+/[^/]+", "path": ".+", "scope": "read|write", "version": "v1|v2"}
_API, _LFS, _XET = "/api/datasets/{repo}", "/datasets/{repo}.git/info/lfs/objects", "/_xet/{place}"
_ROUTES: list[tuple[Endpoint, str, str, Callable[..., Awaitable[Response]]]] = [
    (Endpoint.WHOAMI, "GET", "/api/whoami-v2", repos.whoami),
    (Endpoint.CREATE, "POST", "/api/repos/create", repos.create),
    (Endpoint.DELETE, "DELETE", "/api/repos/delete", repos.delete),
    (Endpoint.VALIDATE_YAML, "POST", "/api/validate-yaml", writing.validate_yaml),
    (Endpoint.AGENTS, "GET", "/api/agent-harnesses", repos.agents),
    (Endpoint.VIEWER, "GET", "/info /parquet", repos.viewer),
    (Endpoint.INFO, "GET", f"{_API} {_API}/revision/{{revision}}", repos.info),
    (Endpoint.REFS, "GET", f"{_API}/refs", repos.refs),
    (Endpoint.COMMITS, "GET", f"{_API}/commits/{{revision}}", repos.commits),
    (Endpoint.TREE, "GET", f"{_API}/tree/{{revision}} {_API}/tree/{{revision}}/{{path}}", reading.tree),
    (Endpoint.PATHS_INFO, "POST", f"{_API}/paths-info/{{revision}}", reading.paths_info),
    (Endpoint.PREUPLOAD, "POST", f"{_API}/preupload/{{revision}}", writing.preupload),
    (Endpoint.COMMIT, "POST", f"{_API}/commit/{{revision}}", writing.make_commit),
    (Endpoint.XET_TOKEN, "GET", f"{_API}/xet-{{scope}}-token/{{revision}}", access.give_token),
    (Endpoint.RESOLVE, "GET HEAD", "/datasets/{repo}/resolve/{revision}/{path}", reading.resolve),
    (Endpoint.LFS_BATCH, "POST", f"{_LFS}/batch", lfs.batch),
    (Endpoint.LFS_VERIFY, "POST", f"{_LFS}/verify", lfs.verify),
    (Endpoint.LFS_PUT, "PUT", f"{_LFS}/{{oid}}", lfs.put),
    (Endpoint.LFS_PUT, "PUT", f"{_LFS}/{{oid}}/part/{{number}}", lfs.put_part),
    (Endpoint.LFS_PUT, "POST", f"{_LFS}/{{oid}}/complete", lfs.complete),
    (Endpoint.XET_GRANT, "POST", f"{_XET}/v1/xorb-grants/default/{{name}}", xet_writing.give_grant),
    (Endpoint.XET_XORB, "PUT", f"{_XET}/uploads/{{name}}/{{grant}}", xet_writing.put_xorb),
    (Endpoint.XET_SETTLE, "POST", f"{_XET}/v1/xorb-commits/default/{{name}}/grant/{{grant}}", xet_writing.settle_grant),
    (Endpoint.XET_XORB, "POST", f"{_XET}/v1/xorbs/default/{{name}}", xet_writing.post_xorb),
    (Endpoint.XET_SHARD, "POST", f"{_XET}/{{version}}/shards", xet_writing.post_shard),
    # The specification has the prefix default-merkledb alone; hf_xet 1.8 asks with default.
    (Endpoint.XET_CHUNK, "GET", f"{_XET}/v1/chunks/default(?:-merkledb)?/{{name}}", xet_writing.get_chunk),
    (Endpoint.XET_FILE, "GET", f"{_XET}/v2/reconstructions/{{name}}", xet_reading.describe),
    (Endpoint.XET_BYTES, "GET", f"{_XET}/xorbs/{{name}}", xet_reading.get_bytes),
    (Endpoint.XET_TELEMETRY, "POST", "/v1/telemetry", xet_writing.take_telemetry),
]


def _compiled(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"{(\w+)}", lambda found: f"(?P<{found[1]}>{_SEGMENTS.get(found[1], '[^/]+')})", template))


_COMPILED = [
    (endpoint, methods.split(), _compiled(template), handler)
    for endpoint, methods, templates, handler in _ROUTES
    for template in templates.split()
]


def find_call(hub: Hub, request: Request) -> Call:
    address = request.scope["raw_path"].decode("latin-1").rstrip("/")
    for endpoint, methods, pattern, handler in _COMPILED:
        if request.method in methods and (found := pattern.fullmatch(address)):
            words = {name: unquote(word) for name, word in found.groupdict().items()}
            repo = words.get("repo") or access.repo_of(request) or request.query_params.get("dataset")
            return Call(endpoint, repo, partial(handler, hub, request, **words))
    return Call(Endpoint.OTHER, None, _not_found)


async def _not_found() -> Response:
    raise RefusedError(404, "Sorry, we can't find the page you are looking for.")
