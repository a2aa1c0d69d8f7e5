"""Uploading: preupload, commit, validate-yaml (huggingface_hub's `_commit_api.py` and `hf_api.py`)."""

import base64

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from localhub import errors
from localhub.answers import read_json
from localhub.errors import RefusedError
from localhub.hub import Hub
from localhub.repos.attributes import is_lfs
from localhub.repos.cards import check_card
from localhub.repos.commits import commit, parse_commit

ADDRESS_IN_COMMITS = "https://huggingface.co"
"""Clients take a commit's address apart, and insist on the endpoint that they know: `HF_ENDPOINT`, or, up to 0.36 if
only `HfApi(endpoint=…)` was given, this one. They put their endpoint in the place of this one, which the Hub's own
answers have (`fix_hf_endpoint_in_url`)."""


async def preupload(hub: Hub, request: Request, repo: str, revision: str) -> Response:
    """POST /api/datasets/{repo}/preupload/{revision}: how each file is to be sent, and what is there already."""
    hub.change(request, repo, errors.FORBIDDEN_COMMIT)
    asked = await read_json(request)
    there = hub.see(request, repo, revision).tree.files
    answers = []
    for file in asked["files"]:
        path, sample = file["path"], base64.b64decode(file["sample"])
        answer = {
            "path": path,
            "uploadMode": "lfs" if is_lfs(path, file["size"], sample) else "regular",
            "shouldIgnore": False,  # no .gitignore is looked at
        }
        if old := there.get(path):
            answer["oid"] = old.sha256 if old.is_lfs else old.oid
        answers.append(answer)
    return JSONResponse({"files": answers})


async def make_commit(hub: Hub, request: Request, repo: str, revision: str) -> Response:
    identity, _ = hub.change(request, repo, errors.FORBIDDEN_COMMIT)
    if revision.removeprefix("refs/heads/") != "main":
        raise errors.revision_not_found(revision)
    if "create_pr" in request.query_params:
        raise RefusedError(403, "this local Hub has no pull requests")
    draft = parse_commit(await request.body(), hub.content)
    made = commit(hub.repos.get(repo), identity.user, draft)
    url = f"{ADDRESS_IN_COMMITS}/datasets/{repo}/commit/{made.oid}"
    return JSONResponse({"success": True, "commitUrl": url, "commitOid": made.oid, "hookOutput": ""})


async def validate_yaml(hub: Hub, request: Request) -> Response:  # noqa: ARG001
    """POST /api/validate-yaml: what is wrong with a README.md, with 400 if that is more than warnings."""
    content = (await read_json(request)).get("content")
    if not isinstance(content, str):
        raise RefusedError(400, '"content" must be a string')
    return JSONResponse(check_card(content).answer())
