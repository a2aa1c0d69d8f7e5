"""Accounts and repos: whoami, create, delete, info, refs, commits."""

import asyncio
import re
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from localhub import auth, errors
from localhub.answers import base_url, flag, next_page, read_json
from localhub.commits import Draft, Put, commit_onto
from localhub.errors import RefusedError
from localhub.gitattributes import DEFAULT_CONTENT
from localhub.state import Hub, Seen
from localhub.storage import delete_repo, insert_repo
from localhub.trees import Entry, Kind, lfs_pointer_size, new_file

NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?")
"""The rules of `validate_repo_id` in huggingface_hub's `utils/_validators.py`, for one half of a repo id."""
COMMITS_A_PAGE = 100
ALL = 1_000_000_000


async def whoami(hub: Hub, request: Request) -> Response:
    """GET /api/whoami-v2."""
    identity = hub.identify(request)
    if identity is None:
        raise errors.no_token()
    return JSONResponse(auth.whoami(identity))


async def named_repo(hub: Hub, request: Request) -> str | None:
    """The repo that a request to create or delete one is about; None where it does not say."""
    try:
        asked = await read_json(request)
    except RefusedError:
        return None
    identity = hub.tokens.get(request.headers.get("authorization", "").removeprefix("Bearer "))
    namespace = asked.get("organization") or (identity.user if identity else None)
    return f"{namespace}/{asked.get('name')}" if namespace else None


async def create(hub: Hub, request: Request) -> Response:
    """POST /api/repos/create."""
    identity = hub.identify(request)
    if identity is None:
        raise errors.no_token()
    asked = await read_json(request)
    name, namespace = asked.get("name", ""), asked.get("organization") or identity.user
    if asked.get("type") != "dataset":
        raise RefusedError(400, "this local Hub has datasets only: type must be dataset")
    if not NAME.fullmatch(name) or "--" in name or ".." in name or name.endswith(".git"):
        raise RefusedError(400, f"Invalid repo name: {name}")
    if not identity.may_create(namespace):
        raise errors.may_not_create(namespace)
    repo = f"{namespace}/{name}"
    url = f"{base_url(request)}/datasets/{repo}"
    if not await asyncio.to_thread(_create, hub, repo, bool(asked.get("private")), identity.user):
        raise errors.already_exists(url)
    return JSONResponse({"url": url, "name": repo, "id": auth.object_id(repo)})


def _create(hub: Hub, name: str, is_private: bool, creator: str) -> bool:
    sha256 = hub.content.store(DEFAULT_CONTENT)
    created = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    with hub.storage.writing() as queries:
        if queries.repo(name):
            return False
        repo = insert_repo(queries, name, is_private, creator, created)
        attributes = Put(".gitattributes", new_file(".gitattributes", sha256, DEFAULT_CONTENT))
        commit_onto(queries, repo, None, creator, Draft("initial commit", "", [attributes]))
    return True


async def delete(hub: Hub, request: Request) -> Response:
    """DELETE /api/repos/delete."""
    identity = hub.identify(request)
    if identity is None:
        raise errors.no_token()
    asked = await read_json(request)
    name = f"{asked.get('organization') or identity.user}/{asked.get('name', '')}"
    _, repo = hub.writer(request, name, "You don't have the rights to delete this repo")
    await asyncio.to_thread(_delete, hub, repo.name)
    return Response("OK")


def _delete(hub: Hub, name: str) -> None:
    with hub.storage.writing() as queries:
        repo = queries.repo(name)
        if repo:
            delete_repo(queries, repo)


async def info(hub: Hub, request: Request, name: str, revision: str = "main") -> Response:
    """GET /api/datasets/{repo}[/revision/{revision}]; with `expand`, only what is asked for."""
    asked = [key for name in ("expand", "expand[]") for key in request.query_params.getlist(name)]
    with hub.seeing(request, name, revision) as seen:
        facts = {**_facts(seen), "xetEnabled": hub.cas is not None}
        if unknown := [key for key in asked if key not in {*facts, "siblings"}]:
            raise RefusedError(400, f"Invalid expand: {', '.join(unknown)}")
        if asked:
            facts = {key: facts[key] for key in ("_id", "id", *asked) if key in facts}
        if not asked or "siblings" in asked:
            facts["siblings"] = _siblings(seen, flag(request.query_params.get("blobs")))
    return JSONResponse(facts)


def _facts(seen: Seen) -> dict[str, object]:
    repo = seen.repo
    return {
        "_id": auth.object_id(repo.name),
        "id": repo.name,
        "author": repo.name.partition("/")[0],
        "sha": seen.revision.oid,
        "lastModified": seen.revision.date,
        "createdAt": repo.created,
        "private": bool(repo.is_private),
        "gated": False,
        "disabled": False,
        "downloads": 0,
        "downloadsAllTime": 0,
        "likes": 0,
        "tags": [],
    }


def _siblings(seen: Seen, with_blobs: bool) -> list[dict[str, object]]:
    entries = seen.queries.below(seen.repo, seen.revision.number, "", "", ALL)
    files = [entry for entry in entries if entry.kind != Kind.FOLDER]
    return [_sibling(entry) if with_blobs else {"rfilename": entry.path} for entry in files]


def _sibling(entry: Entry) -> dict[str, object]:
    sibling: dict[str, object] = {"rfilename": entry.path, "size": entry.size, "blobId": entry.oid}
    if entry.kind == Kind.LFS:
        pointer_size = lfs_pointer_size(entry.size)
        sibling["lfs"] = {"sha256": entry.sha256, "size": entry.size, "pointerSize": pointer_size}
    return sibling


async def refs(hub: Hub, request: Request, name: str) -> Response:
    """GET /api/datasets/{repo}/refs: one branch, main."""
    with hub.seeing(request, name) as seen:
        main = {"name": "main", "ref": "refs/heads/main", "targetCommit": seen.revision.oid}
    return JSONResponse({"branches": [main], "converts": [], "tags": [], "pullRequests": []})


async def commits(hub: Hub, request: Request, name: str, revision: str) -> Response:
    """GET /api/datasets/{repo}/commits/{revision}, the newest first."""
    with hub.seeing(request, name, revision) as seen:
        newest = int(request.query_params.get("p", seen.revision.number))
        found = seen.queries.revisions(seen.repo, newest, COMMITS_A_PAGE)
    answer = [
        {"id": one.oid, "title": one.title, "message": one.message, "authors": [{"user": one.author}], "date": one.date}
        for one in found
    ]
    is_last = not found or found[-1].number == 1
    headers = {} if is_last else next_page(request, p=str(found[-1].number - 1))
    return JSONResponse(answer, headers={"X-Total-Count": str(seen.revision.number), **headers})
