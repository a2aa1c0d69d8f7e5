"""What a fault does to a request: the effects of `localhub.faults`."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import Message, Send

from localhub import errors
from localhub.answers import refuse, retry_after
from localhub.errors import Code
from localhub.faults import Action, Fault
from localhub.meddling import delete_file, find_file, replace_file
from localhub.state import Hub

Drop = Callable[[Any, bool], None]
"""Ends the connection to a client's address: closes it, or resets it."""
GATEWAY_ERRORS = frozenset({502, 503, 504})
"""These come from what stands before the Hub, as pages of HTML."""


@dataclass(frozen=True)
class Victim:
    """A request that a fault strikes, and how it would be answered and sent without."""

    hub: Hub
    repo: str | None
    request: Request
    send: Send
    answer: Callable[[], Awaitable[Response]]

    async def reply(self, response: Response, send: Send | None = None) -> None:
        """Send a response."""
        await response(self.request.scope, self.request.receive, send or self.send)

    async def wait_until_gone(self) -> None:
        """Wait for the client to close the connection."""
        while (await self.request.receive())["type"] != "http.disconnect":
            pass


async def suffer(fault: Fault, victim: Victim, drop: Drop, closing: asyncio.Event) -> None:
    """Do what the fault says; a request that hangs does so until the client gives up or the server ends."""
    client = victim.request.scope["client"]
    is_carried_out = fault.lands or fault.action in (Action.DELETE_FILE, Action.REPLACE_FILE)
    response = await victim.answer() if is_carried_out else None
    match fault.action:
        case Action.STATUS:
            await victim.reply(_faulty_response(fault, victim.request))
        case Action.CLOSE:
            drop(client, False)
            await victim.wait_until_gone()
        case Action.RESET:
            await _begin(victim)
            drop(client, True)
            await victim.wait_until_gone()
        case Action.HANG:
            await _first_of(victim.wait_until_gone(), closing.wait())
            drop(client, False)
        case _ if response:
            if response.status_code < 400 and victim.repo:
                await asyncio.to_thread(_meddle, fault, victim.hub, victim.repo)
            await victim.reply(response)


async def _begin(victim: Victim) -> None:
    if victim.request.method in ("POST", "PUT", "DELETE"):
        async for _ in victim.request.stream():
            return
    response = await victim.answer()
    with suppress(_CutError):
        await victim.reply(response, _send_half(victim.send))


def _send_half(send: Send) -> Send:
    async def send_half(message: Message) -> None:
        if message["type"] != "http.response.body":
            await send(message)
            return
        body = message.get("body", b"")
        await send({**message, "body": body[: len(body) // 2], "more_body": True})
        raise _CutError

    return send_half


class _CutError(Exception):
    pass


async def _first_of(*waits: Awaitable[object]) -> None:
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()


def _meddle(fault: Fault, hub: Hub, repo: str) -> None:
    with hub.storage.writing() as queries:
        path = find_file(queries, repo, fault.path)
    if path and fault.action == Action.DELETE_FILE:
        delete_file(hub, repo, path)
    elif path:
        replace_file(hub, repo, path, fault.content.encode())


def _faulty_response(fault: Fault, request: Request) -> Response:
    words = errors.in_the_hubs_words(fault.endpoint, fault.status)
    message = words.message if fault.message is None else fault.message
    code = words.code if fault.code is None else Code(fault.code) if fault.code else None
    headers = retry_after(fault.retry_after)
    if fault.echo_token:
        message += f" (Authorization: {request.headers.get('authorization')})"
    elif fault.status in GATEWAY_ERRORS and fault.message is None:
        return HTMLResponse(f"<html><body><h1>{fault.status}</h1></body></html>", fault.status, headers)
    return refuse(replace(words, message=message, code=code, headers=headers))
