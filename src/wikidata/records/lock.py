"""One push at a time: a kernel lock on `manifests/.lock`, which a dead holder leaves behind unlocked."""

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from wikidata.errors import DiskError, LockedError
from wikidata.system.files import PRIVATE_MODE, make_private_folder


@contextmanager
def hold(folder: Path, purpose: str) -> Iterator[None]:
    """Hold the lock of `folder` while the block runs.

    Raises LockedError, which says who holds it since when and for what, if another process does.
    """
    path = make_private_folder(folder) / ".lock"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_MODE)
    except OSError as error:
        raise DiskError(f"cannot lock {path}: {error.strerror}: mend its permissions") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _locked(os.read(descriptor, 4096)) from None
        except OSError as error:
            raise DiskError(f"cannot lock {path}: {error.strerror}: use a file system with locks") from error
        holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": time.time(), "purpose": purpose}
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(holder).encode() + b"\n", 0)
        except OSError as error:
            raise DiskError(f"cannot write {path}: {error.strerror}: make room, or mend its permissions") from error
        yield
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


class Holder(NamedTuple):
    """Who is at work on what, and since when (seconds since 1970)."""

    pid: int
    purpose: str
    since: float


def holder_of(folder: Path) -> Holder | None:
    """Who holds the lock now; None if nobody does, or it cannot be told. A shared lock is taken for an instant."""
    try:
        with (folder / ".lock").open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                facts = json.loads(file.read())
                return Holder(int(facts["pid"]), str(facts["purpose"]), float(facts["since"]))
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None


def _locked(content: bytes) -> LockedError:
    try:
        holder = json.loads(content)
        since = float(holder["since"])
        who = f"process {holder['pid']} on {holder['host']} ({holder['purpose']})"
    except (ValueError, KeyError, TypeError):
        return LockedError("another push is just starting: try again when it is done", 0.0)
    started = datetime.fromtimestamp(since, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return LockedError(f"{who} holds the lock since {started}: try again when it is done", time.time() - since)
