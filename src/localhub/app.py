"""The ASGI application: counts a request, lets it suffer its fault if there is one for it, and answers it."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from functools import partial

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from localhub import errors
from localhub.answers import bearer, refuse, refuse_storage
from localhub.api.repos import named_repo
from localhub.errors import RefusedError
from localhub.faults import Endpoint, RateLimit, control
from localhub.faults.effects import Drop, Victim, suffer
from localhub.faults.mischief import Mischief
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
        if scope["path"].startswith(control.PREFIX):
            response = await self._refusing(partial(control.answer, self.hub, self.mischief, request))
            await response(scope, receive, send)
            return
        call = find_call(self.hub, request)
        try:
            if call.endpoint in (Endpoint.CREATE, Endpoint.DELETE):
                call = call._replace(repo=await named_repo(self.hub, request))
            body = await request.body() if self.mischief.needs_body(call.endpoint) else b""
        except ClientDisconnect:
            return  # nobody is left to answer
        self.mischief.counts.add(call.repo, request=call.endpoint)
        limit = self.mischief.take_request(bearer(request), call.endpoint)
        send = self._dressed(send, call.endpoint, limit)
        if limit and limit.left < 0:
            words = errors.request_quota(limit.requests, limit.window_seconds)
            await refuse(RefusedError(429, words))(scope, receive, send)
            return
        fault = self.mischief.next_fault(call.endpoint, call.repo, body)
        latency = self.mischief.latency
        await asyncio.sleep(latency.request_seconds + latency.commit_seconds * (call.endpoint == Endpoint.COMMIT))
        if fault:
            victim = Victim(self.hub, call.repo, request, send, partial(self._answer, call, request))
            await suffer(fault, victim, self.drop, self.closing)
        else:
            response = await self._answer(call, request)
            await response(scope, receive, send)

    def _dressed(self, send: Send, endpoint: Endpoint, limit: RateLimit | None) -> Send:
        """Send with the headers that every answer of the Hub has, but for S3, which takes in LFS content."""
        style = self.mischief.style
        more = [] if limit is None else limit._replace(left=max(limit.left, 0)).headers().items()

        async def send_dressed(message: Message) -> None:
            if message["type"] == "http.response.start" and endpoint != Endpoint.LFS_PUT:
                headers = MutableHeaders(scope=message)
                if style.request_ids:
                    headers["X-Request-Id"] = f"Root=1-{next(self._numbers):08x}"
                if not style.error_codes:
                    del headers["X-Error-Code"], headers["X-Error-Message"]
                for name, value in more:
                    headers.setdefault(name, value)
            await send(message)

        return send_dressed

    async def _answer(self, call: Call, request: Request) -> Response:
        is_commit = call.endpoint == Endpoint.COMMIT
        answer = partial(self._commit, call, request) if is_commit else call.answer
        response = await self._refusing(answer, refuse_storage if call.endpoint == Endpoint.LFS_PUT else refuse)
        if (call.endpoint, request.method) in CONTENT and response.status_code == 200:
            self.mischief.counts.add(call.repo, uploaded_bytes=int(request.headers.get("content-length", "0")))
        return response

    async def _refusing(
        self, answer: Callable[[], Awaitable[Response]], say: Callable[[RefusedError], Response] = refuse
    ) -> Response:
        try:
            return await answer()
        except RefusedError as refusal:
            return say(refusal)
        except ClientDisconnect:
            return Response(status_code=400)

    async def _commit(self, call: Call, request: Request) -> Response:
        await request.body()  # from here on nothing is waited for, so no other commit comes between
        identity = self.hub.identify(request)
        user, quota = identity.user if identity else "", self.mischief.quota
        if quota and not self.mischief.may_commit(user):
            raise RefusedError(429, errors.commit_quota(quota.commits))
        response = await call.answer()
        self.mischief.note_commit(user, call.repo or "")
        return response
