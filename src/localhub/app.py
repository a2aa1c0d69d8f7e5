"""The ASGI application: counts a request, lets it suffer its fault if there is one for it, and answers it."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from functools import partial

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from localhub import errors
from localhub.answers import refuse, retry_after
from localhub.api.repos import named_repo
from localhub.errors import RefusedError
from localhub.faults import Endpoint, Mischief, control
from localhub.faults.effects import Drop, Victim, suffer
from localhub.hub import Hub
from localhub.routes import Call, find_call

CONTENT = {(Endpoint.LFS_PUT, "PUT"), (Endpoint.XET_XORB, "POST"), (Endpoint.XET_XORB, "PUT")}
"""The requests whose bodies are content."""


class App:
    """One local Hub as an ASGI application; `drop` is set by the server that it runs in."""

    def __init__(self, hub: Hub, mischief: Mischief) -> None:
        self.hub = hub
        self.mischief = mischief
        self.closing = asyncio.Event()
        self.drop: Drop = lambda _client, _is_reset: None
        self._numbers = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        send = self._numbered(send)
        if scope["path"].startswith(control.PREFIX):
            response = await self._refusing(partial(control.answer, self.hub, self.mischief, request))
            await response(scope, receive, send)
            return
        call = find_call(self.hub, request)
        if call.endpoint in (Endpoint.CREATE, Endpoint.DELETE):
            try:
                call = call._replace(repo=await named_repo(self.hub, request))
            except ClientDisconnect:
                return  # nobody is left to answer
        self.mischief.counts.add(call.repo, request=call.endpoint)
        fault = self.mischief.next_fault(call.endpoint, call.repo)
        latency = self.mischief.latency
        await asyncio.sleep(latency.request_seconds + latency.commit_seconds * (call.endpoint == Endpoint.COMMIT))
        if fault:
            victim = Victim(self.hub, call.repo, request, send, partial(self._answer, call, request))
            await suffer(fault, victim, self.drop, self.closing)
        else:
            response = await self._answer(call, request)
            await response(scope, receive, send)

    def _numbered(self, send: Send) -> Send:
        async def send_numbered(message: Message) -> None:
            if message["type"] == "http.response.start":
                number = b"Root=1-%08x" % next(self._numbers)
                message["headers"] = [*message["headers"], (b"x-request-id", number)]
            await send(message)

        return send_numbered

    async def _answer(self, call: Call, request: Request) -> Response:
        is_commit = call.endpoint == Endpoint.COMMIT
        response = await self._refusing(partial(self._commit, call, request) if is_commit else call.answer)
        if (call.endpoint, request.method) in CONTENT and response.status_code == 200:
            self.mischief.counts.add(call.repo, uploaded_bytes=int(request.headers.get("content-length", "0")))
        return response

    async def _refusing(self, answer: Callable[[], Awaitable[Response]]) -> Response:
        try:
            return await answer()
        except RefusedError as refusal:
            return refuse(refusal)
        except ClientDisconnect:
            return Response(status_code=400)

    async def _commit(self, call: Call, request: Request) -> Response:
        await request.body()  # from here on nothing is waited for, so no other commit comes between
        identity = self.hub.identify(request)
        user, quota = identity.user if identity else "", self.mischief.quota
        if quota and not self.mischief.may_commit(user):
            raise RefusedError(429, errors.commit_quota(quota.commits), headers=retry_after(quota.retry_after))
        response = await call.answer()
        self.mischief.note_commit(user, call.repo or "")
        return response
