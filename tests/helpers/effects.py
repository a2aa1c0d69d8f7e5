"""The effects of a push, told one by one, and its death before one of them.

An effect is what others can see afterwards: a file opened for writing, synced, renamed, linked or removed, a folder
made, a request that is not a question, the start of the CLI; but nothing in the folder for temporary files, and no log.
Python's audit events tell of each before it happens, whichever function and thread it comes from, so the product needs
no hooks; where tables work at once, their effects are counted in the order in which they were begun.
"""

import os
import signal
import stat
import sys
import tempfile
import threading
from typing import Any

_CHANGES = {"os.rename", "os.link", "os.symlink", "os.mkdir", "os.rmdir", "os.remove", "os.truncate", "os.chmod"}
_OURS = {"tests.sync", "tests.upload"}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


class Fate:
    """Counts the effects of this process, writes a line of each to `telling`, and kills it before one of them."""

    def __init__(self, telling: int, die_at: int | None, torn: bool) -> None:
        self.telling, self.die_at, self.torn = telling, die_at, torn
        self.count, self.is_dying = 0, False
        self.turn = threading.Lock()

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        """The audit hook."""
        if not self.is_dying and _is_effect(event, arguments):
            with self.turn:  # an effect of another thread waits until this one was counted, and for ever once we die
                self._count(event, arguments)

    def _count(self, event: str, arguments: tuple[Any, ...]) -> None:
        os.write(self.telling, _describe(event, arguments).encode(errors="replace") + b"\n")
        if self.count == self.die_at:
            self.is_dying = True
            if self.torn:
                os.ftruncate(arguments[0], os.fstat(arguments[0]).st_size // 2)
            os.kill(os.getpid(), signal.SIGKILL)
        self.count += 1


def tell_of_sync(descriptor: int) -> None:
    """Stands for os.fsync: a kill takes nothing from the page cache, and syncing takes half the time of a push."""
    sys.audit("tests.sync", descriptor)


def _is_effect(event: str, arguments: tuple[Any, ...]) -> bool:
    if event == "http.client.send":
        return not (isinstance(arguments[1], bytes) and arguments[1].startswith((b"GET ", b"HEAD ")))
    if event == "open" and not (arguments[2] & _WRITING and not isinstance(arguments[0], int)):
        return False
    if event == "open" or event in _CHANGES:
        place = _place(event, arguments)
        return not (place.startswith(tempfile.gettempdir()) or place.endswith(".log"))
    return event in _OURS


def _place(event: str, arguments: tuple[Any, ...]) -> str:
    """Where a file or folder is opened, made or removed, also where its folder is given as a descriptor."""
    path = os.fsdecode(arguments[0]) if isinstance(arguments[0], str | bytes | os.PathLike) else ""
    folder = arguments[-1] if event in {"os.mkdir", "os.rmdir", "os.remove"} else -1
    return path if folder == -1 else os.path.join(os.readlink(f"/proc/self/fd/{folder}"), path)


def _describe(event: str, arguments: tuple[Any, ...]) -> str:
    if event == "http.client.send":
        data = arguments[1]
        is_head = isinstance(data, bytes) and data.startswith((b"POST ", b"PUT ", b"DELETE "))
        return f"{event} {data.splitlines()[0].decode().partition('?')[0] if is_head else 'the body'}"
    if event == "tests.sync":
        place = os.readlink(f"/proc/self/fd/{arguments[0]}")
        return f"{event} {'folder' if stat.S_ISDIR(os.fstat(arguments[0]).st_mode) else 'file'} {place}"
    named = [_place(event, arguments), *(str(each) for each in arguments[1:2] if isinstance(each, str | os.PathLike))]
    return f"{event} {' '.join(named)}"
