"""Uploading: preupload, commit, validate-yaml (huggingface_hub's `_commit_api.py` and `hf_api.py`)."""

import asyncio
import base64

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from localhub import errors
from localhub.answers import read_json
from localhub.cards import check_card
from localhub.commits import MAIN, commit, parse_commit
from localhub.errors import RefusedError
from localhub.gitattributes import is_ignored, is_lfs
from localhub.state import Hub
from localhub.storage import Revision
from localhub.trees import Kind

ADDRESS_IN_COMMITS = "https://huggingface.co"
"""Clients take a commit's address apart, and insist on the endpoint that they know: `HF_ENDPOINT`, or, up to 0.36 where
only `HfApi(endpoint=…)` was given, this one. In the place of this one, which the Hub's own answers have, each puts its
endpoint (`fix_hf_endpoint_in_url`)."""


async def preupload(hub: Hub, request: Request, name: str, revision: str) -> Response:
    """POST /api/datasets/{repo}/preupload/{revision}: how each file is to be sent, and what is there already."""
    hub.writer(request, name, errors.FORBIDDEN_COMMIT)
    asked = await read_json(request)
    files = asked["files"]
    with hub.seeing(request, name, revision) as seen:
        paths = [file["path"] for file in files]
        there = {entry.path: entry for entry in seen.queries.entries(seen.repo, seen.revision.number, paths)}
    answers = []
    for file in files:
        path, sample = file["path"], base64.b64decode(file["sample"])
        answer = {
            "path": path,
            "uploadMode": "lfs" if is_lfs(path, file["size"], sample) else "regular",
            "shouldIgnore": is_ignored(path, asked.get("gitIgnore") or ""),
        }
        if (entry := there.get(path)) and entry.kind != Kind.FOLDER:
            answer["oid"] = entry.sha256 if entry.kind == Kind.LFS else entry.oid
        answers.append(answer)
    return JSONResponse({"files": answers})


async def make_commit(hub: Hub, request: Request, name: str, revision: str) -> Response:
    """POST /api/datasets/{repo}/commit/{revision}."""
    identity, _ = hub.writer(request, name, errors.FORBIDDEN_COMMIT)
    if revision.removeprefix("refs/heads/") != MAIN:
        raise errors.revision_not_found(revision)
    if "create_pr" in request.query_params:
        raise RefusedError(403, "this local Hub has no pull requests")
    body = await request.body()
    made = await asyncio.to_thread(_commit, hub, name, identity.user, body)
    return JSONResponse(
        {
            "success": True,
            "commitUrl": f"{ADDRESS_IN_COMMITS}/datasets/{name}/commit/{made.oid}",
            "commitOid": made.oid,
            "hookOutput": "",
        }
    )


def _commit(hub: Hub, name: str, author: str, body: bytes) -> Revision:
    return commit(hub.storage, name, author, parse_commit(body, hub.content))


async def validate_yaml(request: Request) -> Response:
    """POST /api/validate-yaml: what is wrong with a README.md, with 400 where that is more than warnings."""
    content = (await read_json(request)).get("content")
    if not isinstance(content, str):
        raise RefusedError(400, '"content" must be a string')
    verdict = await asyncio.to_thread(check_card, content)
    if verdict.errors:
        raise errors.invalid_card(verdict)
    return JSONResponse(errors.card_messages(verdict))
