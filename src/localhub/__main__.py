"""Run a local Hub in the foreground: `python -m localhub --root FOLDER`."""

import argparse
import fcntl
import os
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from localhub import DEFAULT_USER
from localhub.app import App
from localhub.faults.mischief import Mischief
from localhub.hub import Hub, Settings
from localhub.server import ADDRESS, Server


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM (exit code 0)."""
    options = _parse(arguments)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(0))  # uvicorn raises it again after it has shut down in good order
    orgs = {name: role or "admin" for name, _, role in (org.partition(":") for org in options.org)}
    settings = Settings(options.multipart_above, options.part_bytes, options.xet)
    try:
        listener = _listen(options.port)
    except OSError as error:
        sys.stderr.write(f"localhub: cannot listen on {ADDRESS}:{options.port}: {error.strerror}\n")
        return 1
    if not _is_alone(options.root):
        sys.stderr.write(f"localhub: another one runs with --root {options.root}\n")
        return 1
    hub = Hub(options.root, options.user, orgs, settings)
    server = Server(App(hub, Mischief()))
    if options.exit_with_stdin:
        threading.Thread(target=_end_with_stdin, args=(server,), daemon=True).start()
    server.run(sockets=[listener])
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m localhub", description="A Hugging Face Hub on 127.0.0.1.")
    add = parser.add_argument
    add("--root", type=Path, required=True, metavar="FOLDER", help="where repos and content are kept")
    add("--port", type=int, default=0, help="0, the default: any free one")
    add("--user", default=DEFAULT_USER, help="who the default tokens belong to (default: %(default)s)")
    add("--org", action="append", default=[], metavar="NAME[:ROLE]", help="an organisation of the user (role: admin)")
    add("--exit-with-stdin", action="store_true", help="end when stdin is closed")
    add("--multipart-above", type=int, default=Settings.multipart_above_bytes, metavar="BYTES")
    add("--part-bytes", type=int, default=Settings.part_bytes, metavar="BYTES")
    add("--xet", action="store_true", help="take in large files by Xet where the client can, as the Hub does")
    return parser.parse_args(arguments)


def _listen(port: int) -> socket.socket:
    listener = socket.create_server((ADDRESS, port), backlog=2048)
    # Connections inherit this; without it every answer waits 40 ms for the acknowledgement of its own header.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _is_alone(root: Path) -> bool:
    root.mkdir(parents=True, exist_ok=True)
    lock = os.open(root / "lock", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True  # the lock is held for as long as the process lives


def _end_with_stdin(server: Server) -> None:
    while os.read(0, 1024):
        pass
    server.should_exit = True


if __name__ == "__main__":
    sys.exit(main())
