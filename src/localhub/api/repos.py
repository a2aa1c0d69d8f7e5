"""Accounts and repos: whoami, create, delete, info, refs, commits; and what readers ask for besides repos."""

import re
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from localhub import auth, errors
from localhub.answers import base_url, bearer, flag, next_page, read_json
from localhub.errors import RefusedError
from localhub.hub import Hub
from localhub.repos.attributes import DEFAULT_CONTENT
from localhub.repos.commits import Draft, commit, put_regular
from localhub.repos.store import Facts
from localhub.repos.tree import File, lfs_pointer

NAME = re.compile(r"(?!.*(--|\.\.|\.git$))[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?")
"""The rules of `validate_repo_id` in huggingface_hub's `utils/_validators.py`, for one half of a repo id."""
COMMITS_A_PAGE = 100


async def whoami(hub: Hub, request: Request) -> Response:
    return JSONResponse(auth.whoami(hub.user(request)))


async def named_repo(hub: Hub, request: Request) -> str | None:
    """The repo that a request to create or delete one is about; None if it does not say."""
    try:
        asked = await read_json(request)
    except RefusedError:
        return None
    identity = hub.tokens.get(bearer(request))
    namespace = asked.get("organization") or (identity.user if identity else None)
    return f"{namespace}/{asked.get('name')}" if namespace else None


async def create(hub: Hub, request: Request) -> Response:
    identity = hub.user(request)
    asked = await read_json(request)
    name, namespace = asked.get("name", ""), asked.get("organization") or identity.user
    if asked.get("type") != "dataset":
        raise RefusedError(400, "this local Hub has datasets only: type must be dataset")
    if not NAME.fullmatch(name):
        raise RefusedError(400, f"Invalid repo name: {name}")
    if not identity.may_create(namespace):
        raise RefusedError(403, errors.FORBIDDEN_CREATE.format(namespace))
    repo_id = f"{namespace}/{name}"
    url = f"{base_url(request)}/datasets/{repo_id}"
    if hub.repos.find(repo_id):
        raise RefusedError(409, errors.CREATED, body={"url": url})
    created = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    repo = hub.repos.add(Facts(repo_id, bool(asked.get("private")), identity.user, created))
    attributes = put_regular(".gitattributes", DEFAULT_CONTENT, hub.content)
    commit(repo, identity.user, Draft("initial commit", "", [attributes]))
    return JSONResponse({"url": url, "name": repo_id, "id": auth.object_id(repo_id)})


async def delete(hub: Hub, request: Request) -> Response:
    hub.user(request)
    name = await named_repo(hub, request)
    _, repo = hub.change(request, name or "", "You don't have the rights to delete this repo")
    hub.repos.delete(repo)
    return Response("OK")


async def info(hub: Hub, request: Request, repo: str, revision: str = "main") -> Response:
    """GET /api/datasets/{repo}[/revision/{revision}]; with `expand`, only what is asked for."""
    asked = [key for name in ("expand", "expand[]") for key in request.query_params.getlist(name)]
    seen = hub.see(request, repo, revision)
    facts: dict[str, object] = {
        "_id": auth.object_id(repo),
        "id": repo,
        "author": repo.partition("/")[0],
        "sha": seen.commit.oid,
        "lastModified": seen.commit.date,
        "createdAt": seen.repo.facts.created,
        "private": seen.repo.facts.is_private,
        "gated": False,
        "disabled": False,
        "downloads": 0,
        "downloadsAllTime": 0,
        "likes": 0,
        "tags": [],
        "xetEnabled": hub.xet is not None,
    }
    if unknown := [key for key in asked if key not in {*facts, "siblings"}]:
        raise RefusedError(400, f"Invalid expand: {', '.join(unknown)}")
    if asked:
        facts = {key: facts[key] for key in ("_id", "id", *asked) if key in facts}
    if not asked or "siblings" in asked:
        has_blobs = flag(request.query_params.get("blobs"))
        files = sorted(seen.tree.files.items())
        facts["siblings"] = [_sibling(path, file) if has_blobs else {"rfilename": path} for path, file in files]
    return JSONResponse(facts)


def _sibling(path: str, file: File) -> dict[str, object]:
    sibling: dict[str, object] = {"rfilename": path, "size": file.size, "blobId": file.oid}
    return sibling | ({"lfs": {"sha256": file.sha256, **lfs_sizes(file)}} if file.is_lfs else {})


def lfs_sizes(file: File) -> dict[str, int]:
    return {"size": file.size, "pointerSize": len(lfs_pointer(file.sha256, file.size))}


async def refs(hub: Hub, request: Request, repo: str) -> Response:
    """GET /api/datasets/{repo}/refs: one branch, main."""
    main = {"name": "main", "ref": "refs/heads/main", "targetCommit": hub.see(request, repo).commit.oid}
    return JSONResponse({"branches": [main], "converts": [], "tags": [], "pullRequests": []})


async def commits(hub: Hub, request: Request, repo: str, revision: str) -> Response:
    """GET /api/datasets/{repo}/commits/{revision}, the newest first."""
    seen = hub.see(request, repo, revision)
    newest = int(request.query_params.get("p", seen.number))
    oldest = max(newest - COMMITS_A_PAGE, 0)
    answer = [
        {"id": one.oid, "title": one.title, "message": one.message, "authors": [{"user": one.author}], "date": one.date}
        for one in reversed(seen.repo.commits[oldest:newest])
    ]
    headers = next_page(request, p=str(oldest)) if oldest else {}
    return JSONResponse(answer, headers={"X-Total-Count": str(seen.number), **headers})


async def viewer(hub: Hub, request: Request) -> Response:  # noqa: ARG001
    """GET /info and /parquet of the dataset viewer (huggingface.co/docs/dataset-viewer).

    On the Hub it is a server of its own, that works on a commit some time after it was made. This one never comes to
    it, and `datasets` goes on without (its `utils/_dataset_viewer.py`).
    """
    pending = [{"kind": "dataset-info", "dataset": request.query_params.get("dataset", "")}]
    return JSONResponse({"dataset_info": {}, "parquet_files": [], "pending": pending, "failed": [], "partial": False})


async def agents(hub: Hub, request: Request) -> Response:  # noqa: ARG001
    """GET /api/agent-harnesses: which environment variables tell of which agent (huggingface_hub 2.x); of none."""
    return JSONResponse({"standardEnvVars": [], "harnesses": {}})
