"""What a fault does to a request."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import Send

from localhub import errors
from localhub.answers import refuse, refuse_storage
from localhub.faults import Action, Endpoint, Fault, RateLimit
from localhub.hub import Hub
from localhub.repos.attributes import is_lfs
from localhub.repos.commits import Delete, Draft, Put, commit, put_regular

Drop = Callable[[Any, bool], None]
"""Ends the connection to a client's address: closes it, or resets it."""
GATEWAY_ERRORS = {502: "Bad Gateway", 503: "Service Temporarily Unavailable", 504: "Gateway Time-out"}
"""These come from what stands before the Hub, as pages of HTML (huggingface_hub issue 3071 shows some)."""
SOMEBODY = "somebody-else"
"""Who changes a repo behind everybody's back, as another person at the Hub might."""


@dataclass(frozen=True)
class Victim:
    """A request that a fault strikes, and how it would be answered and sent without."""

    hub: Hub
    repo: str | None
    request: Request
    send: Send
    answer: Callable[[], Awaitable[Response]]


async def suffer(fault: Fault, victim: Victim, drop: Drop, closing: asyncio.Event) -> None:
    """Do what the fault says; a request that hangs does so until the client gives up or the server ends."""
    client, request = victim.request.scope["client"], victim.request
    is_carried_out = fault.lands or fault.action in (Action.DELETE_FILE, Action.REPLACE_FILE)
    response = await victim.answer() if is_carried_out else None
    if fault.action == Action.STATUS:
        response = _faulty_response(fault, request)
    elif fault.action == Action.HANG:
        waits = [asyncio.ensure_future(wait) for wait in (_client_is_gone(request), closing.wait())]
        _, rest = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in rest:
            wait.cancel()
        drop(client, False)
        return
    elif response is None or fault.action in (Action.CLOSE, Action.RESET):
        if fault.action == Action.RESET and not fault.lands and request.method in ("POST", "PUT", "DELETE"):
            await anext(request.stream())
        drop(client, fault.action == Action.RESET)
        await _client_is_gone(request)
        return
    elif response.status_code < 400 and victim.repo:
        _meddle(fault, victim.hub, victim.repo)
    await response(request.scope, request.receive, victim.send)


async def _client_is_gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _faulty_response(fault: Fault, request: Request) -> Response:
    words = errors.in_the_hubs_words(fault.endpoint, fault.status)
    message = words.message if fault.message is None else fault.message
    if fault.echo_token:
        message += f" (Authorization: {request.headers.get('authorization')})"
    if fault.endpoint == Endpoint.VALIDATE_YAML and fault.status == 400:
        words.body = {"errors": [{"message": message}], "warnings": []}
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    headers |= RateLimit(*fault.rate_limit).headers() if fault.rate_limit else {}
    words.message, words.headers = message, headers
    words.code = words.code if fault.code is None else fault.code
    if fault.endpoint == Endpoint.LFS_PUT:
        return refuse_storage(words)
    if fault.status in GATEWAY_ERRORS:
        title = f"{fault.status} {GATEWAY_ERRORS[fault.status]}"
        page = f"<head><title>{title}</title></head>\n<body><center><h1>{title}</h1></center></body>"
        return HTMLResponse(f"<html>\n{page}\n</html>\n", fault.status, words.headers)
    return refuse(words)


def _meddle(fault: Fault, hub: Hub, name: str) -> None:
    paths = sorted(hub.repos.get(name).head.files)
    path = next((one for one in paths if one == fault.path), None)
    path = path or next((one for one in paths if fnmatchcase(one, fault.path)), None)
    if path and fault.action == Action.DELETE_FILE:
        delete_file(hub, name, path)
    elif path:
        replace_file(hub, name, path, fault.content.encode())


def delete_file(hub: Hub, name: str, path: str) -> str:
    """Delete a file in a commit of its own, and return its oid. Raises RefusedError (404)."""
    return commit(hub.repos.get(name), SOMEBODY, Draft(f"Delete {path}", "", [Delete(path)])).oid


def replace_file(hub: Hub, name: str, path: str, content: bytes) -> str:
    """Add or replace a file in a commit of its own, and return its oid. Raises RefusedError (404)."""
    repo, put = hub.repos.get(name), put_regular(path, content, hub.content)
    if is_lfs(path, len(content), content[:512]):
        repo.receive([(put.sha256, len(content))])
        put = Put(path, put.sha256)
    return commit(repo, SOMEBODY, Draft(f"Upload {path}", "", [put])).oid
