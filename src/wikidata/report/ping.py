"""Telling a monitoring service how a push went, by the convention of healthchecks.io.

`PING_URL/start` when it starts, `PING_URL` when it went well, `PING_URL/fail` with the last lines as body when it did
not (source: healthchecks.io/docs/http_api). A push that leaves the work to another one tells nothing.
"""

import urllib.request
from collections.abc import Callable, Sequence
from http.client import HTTPException

from wikidata.errors import UsageError
from wikidata.system.secrets import Redactor

PING_SECONDS = 10.0
"""A monitoring service that does not answer holds up nobody for longer."""
BODY_LIMIT_BYTES = 10_000


class Ping:
    """Pings `url`, or nobody if it is empty. A ping that fails is only worth a `warn`ing."""

    def __init__(self, url: str, warn: Callable[[str], None]) -> None:
        if url and not url.startswith(("http://", "https://")):
            raise UsageError("PING_URL: must start with http:// or https://")
        self.url, self.warn = url.rstrip("/"), warn

    def start(self) -> None:
        """A push starts."""
        self._send("/start", b"")

    def success(self, lines: Sequence[str] = ()) -> None:
        """It went well; `lines` are warnings, if there are any."""
        self._send("", self._body(lines))

    def fail(self, lines: Sequence[str]) -> None:
        """It did not; `lines` say why."""
        self._send("/fail", self._body(lines))

    @staticmethod
    def _body(lines: Sequence[str]) -> bytes:
        return Redactor()("\n".join(lines).encode())[-BODY_LIMIT_BYTES:]

    def _send(self, suffix: str, body: bytes) -> None:
        if not self.url:
            return
        try:
            request = urllib.request.Request(self.url + suffix, data=body, method="POST")  # noqa: S310 - checked above
            with urllib.request.urlopen(request, timeout=PING_SECONDS):  # noqa: S310
                pass
        except (OSError, ValueError, HTTPException) as error:
            self.warn(f"wikidata: warning: PING_URL{suffix} could not be pinged: {type(error).__name__}")
