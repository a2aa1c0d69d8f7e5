"""uvicorn around the application: where it listens, how it says that it does, and how it ends."""

import socket
import struct
import sys
from typing import Any

import uvicorn

from localhub import WRITE_TOKEN
from localhub.app import App

ADDRESS = "127.0.0.1"
KEEP_ALIVE_SECONDS = 300
"""Longer than clients sleep between two requests, so that they never meet a connection that has just been closed."""
LAST_ANSWERS_SECONDS = 2
"""How long requests may go on once the server is told to end."""
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Server(uvicorn.Server):
    """Serves an App on 127.0.0.1 and announces it once connections are accepted."""

    def __init__(self, app: App) -> None:
        config = uvicorn.Config(
            app,
            lifespan="off",
            ws="none",
            log_level="error",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=LAST_ANSWERS_SECONDS,
        )
        super().__init__(config)
        self._app = app
        app.drop = self.drop

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        port = self.servers[0].sockets[0].getsockname()[1]
        xet = "" if self._app.hub.xet else "export HF_HUB_DISABLE_XET=1\n"
        sys.stdout.write(f"export HF_ENDPOINT=http://{ADDRESS}:{port}\nexport HF_TOKEN={WRITE_TOKEN}\n{xet}")
        sys.stdout.flush()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let hanging requests go, then end."""
        self._app.closing.set()
        await super().shutdown(sockets)

    def drop(self, client: Any, is_reset: bool) -> None:
        """End the connection to a client without another word."""
        for connection in list(self.server_state.connections):
            if getattr(connection, "client", None) == client:
                if is_reset:
                    connection.transport.get_extra_info("socket").setsockopt(
                        socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE
                    )
                connection.transport.abort()
