"""Who is at work on what: kernel locks on files in `manifests/.locks/`, which a dead holder leaves behind unlocked.

    chunk_3      a chunk: held by its push or prune, and by the fold of a block that it is part of
    host-NAME    whatever is due: a tick of cron on that host, or a person who names no chunk
    labels       a commit of records to a table's repo; waited for
    submit       what is due, to Slurm; waited for
    records      the small files that everybody writes: quota, notices, failures; waited for

Whoever works on chunks writes the name into the file, and who finds a name there is turned away. Locks without a name
are held for an instant. Several are tried in ascending order, and none is waited for while others are held, but those
without a name. Only the holder of a chunk's lock writes what is recorded or staged of it here.

They are locks of a byte range (fcntl) that belong to the open file, as those of flock do, not to the process. Byte
ranges are what shared file systems lock across hosts; flock is local to a host on some (docs/cluster.md).
"""

import fcntl
import json
import os
import re
import socket
import struct
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from wikidata.config import Table
from wikidata.errors import DiskError, LockedError
from wikidata.names import ANY_CHUNK, one
from wikidata.system.files import PRIVATE_MODE, make_private_folder

FOLDER = ".locks"
INSTANT_SECONDS = 10.0
"""How long a lock without a name is waited for: its holder writes a few files."""
TURN_SECONDS = 60.0
"""The same for the lock of a repo: its holders ask the Hub some questions, one after the other."""
_PAUSE_SECONDS = 0.02
_FLOCK = "hhqqi4x"
"""The C structure `flock` of 64-bit Linux: type, whence, start, length (0: to the end), and the process."""
_SUBMISSION = "submit"


@contextmanager
def hold(manifest_dir: Path, chunks: Iterable[int], purpose: str = "") -> Iterator[None]:
    """Hold the locks of chunks, given in ascending order.

    Without a `purpose`, such as `chunk 3`, it is to be for an instant. Raises LockedError, which says who holds one of
    them since when and for what, if somebody does.
    """
    with ExitStack() as stack:
        for chunk in chunks:
            stack.enter_context(_held(manifest_dir, one(chunk).name, purpose))
        yield


@contextmanager
def hold_this_host(manifest_dir: Path) -> Iterator[Callable[[str], None]]:
    """Hold the lock of this host; call what it yields with each purpose that is taken up, such as `chunk 3`.

    Raises LockedError if another process holds it, which says since when it is at its present purpose.
    """
    host = re.sub(r"[^A-Za-z0-9.-]", "_", socket.gethostname())
    with _held(manifest_dir, f"host-{host}", "all that is due") as (descriptor, path):
        yield lambda purpose: _write_name(descriptor, path, purpose)


@contextmanager
def hold_repo(manifest_dir: Path, table: Table) -> Iterator[None]:
    """Take one's turn to commit records to the repo of a table.

    That only spares conflicts, so who has waited for long goes on without it.
    """
    with ExitStack() as stack:
        with suppress(LockedError):
            stack.enter_context(_held(manifest_dir, str(table), seconds=TURN_SECONDS))
        yield


@contextmanager
def hold_records(manifest_dir: Path) -> Iterator[None]:
    """Hold the lock of the files that everybody writes, to read and write one of them. Raises LockedError."""
    with _held(manifest_dir, "records"):
        yield


@contextmanager
def hold_submission(manifest_dir: Path) -> Iterator[None]:
    """Take one's turn to submit jobs to Slurm. Raises LockedError if that takes too long."""
    with _held(manifest_dir, _SUBMISSION, seconds=TURN_SECONDS):
        yield


def has_submitted(manifest_dir: Path) -> bool:
    """Whether anybody has ever submitted jobs to Slurm."""
    return (manifest_dir / FOLDER / _SUBMISSION).exists()


class Holder(NamedTuple):
    """Who is at work on what, and since when (seconds since 1970)."""

    since: float
    host: str
    pid: int
    purpose: str

    def __str__(self) -> str:
        """As one says it."""
        return f"process {self.pid} on {self.host} ({self.purpose})"


def holders(manifest_dir: Path) -> list[Holder]:
    """Who is at work on chunks now, in the order in which they began; changes nothing, and takes no lock."""
    found: dict[str, Holder] = {}
    for path in (manifest_dir / FOLDER).glob(ANY_CHUNK):
        with suppress(OSError), path.open("rb") as file:
            holder = _parse(file.read())
            if holder and _fcntl(file.fileno(), fcntl.F_OFD_GETLK) != fcntl.F_UNLCK:
                found[str(holder)] = min(holder, found.get(str(holder), holder))
    return sorted(found.values())


@contextmanager
def _held(
    manifest_dir: Path, name: str, purpose: str = "", seconds: float = INSTANT_SECONDS
) -> Iterator[tuple[int, Path]]:
    path = make_private_folder(manifest_dir / FOLDER) / name
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_MODE)
    except OSError as error:
        raise DiskError(f"cannot lock {path}: {error.strerror}: mend its permissions") from error
    try:
        _lock(descriptor, path, seconds)
        _write_name(descriptor, path, purpose)
        yield descriptor, path
        _write_name(descriptor, path, "")
    finally:
        os.close(descriptor)


def _lock(descriptor: int, path: Path, seconds: float) -> None:
    """Lock a file, unless its holder has written a name into it, or it takes longer than so many seconds."""
    deadline, content = time.monotonic() + seconds, b""
    while True:
        try:
            _fcntl(descriptor, fcntl.F_OFD_SETLK)
            return
        except (BlockingIOError, PermissionError):  # POSIX allows either
            before, content = content, _read(path)
        except OSError as error:
            raise DiskError(f"cannot lock {path}: {error.strerror}: use a file system with locks") from error
        if (content and content == before) or time.monotonic() > deadline:
            raise _locked(content)
        time.sleep(_PAUSE_SECONDS)


def _fcntl(descriptor: int, command: int) -> int:
    """Lock all of a file, or ask whether that could be done; returns the kind of lock that is in the way."""
    wanted = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    return int(struct.unpack(_FLOCK, fcntl.fcntl(descriptor, command, wanted))[0])


def _read(path: Path) -> bytes:
    """The content of a lock's file, opened again, as NFS shows others' writes then; `?` if it cannot be read (SMB)."""
    try:
        return path.read_bytes()
    except OSError:
        return b"?"


def _write_name(descriptor: int, path: Path, purpose: str) -> None:
    """Write who holds a lock into its file, where those on other hosts see it, or nothing without a `purpose`."""
    try:
        if os.fstat(descriptor).st_size:
            os.ftruncate(descriptor, 0)
        if purpose:
            holder = Holder(time.time(), socket.gethostname(), os.getpid(), purpose)
            os.pwrite(descriptor, json.dumps(holder._asdict()).encode() + b"\n", 0)
            os.fsync(descriptor)
    except OSError as error:
        raise DiskError(f"cannot write {path}: {error.strerror}: make room, or mend its permissions") from error


def _parse(content: bytes) -> Holder | None:
    try:
        facts = json.loads(content)
        return Holder(float(facts["since"]), str(facts["host"]), int(facts["pid"]), str(facts["purpose"]))
    except (ValueError, KeyError, TypeError):
        return None


def _locked(content: bytes) -> LockedError:
    holder = _parse(content)
    if holder is None:
        return LockedError("another push is just starting: try again when it is done", 0.0)
    started = datetime.fromtimestamp(holder.since, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    held_seconds = time.time() - holder.since
    return LockedError(f"{holder} holds the lock since {started}: try again when it is done", held_seconds)
