"""Files that are either there whole or not at all."""

import os
import secrets
from pathlib import Path

from wikidata.errors import DiskError

PRIVATE_MODE = 0o600
SHARED_MODE = 0o666


def write_atomically(path: Path, content: bytes, mode: int = PRIVATE_MODE, *, is_locked: bool = True) -> None:
    """Write `content` under a temporary name in the same folder, sync it, and rename it to `path`.

    After a crash or a power cut `path` holds the old content or the new, never a part. `mode` is narrowed by the
    user's umask. The temporary name is always the same, so that a rerun takes over what a crash left; unless
    `is_locked` is False, no two may write `path` at once. Raises DiskError if it cannot be written.
    """
    name = path.name if is_locked else f"{path.name}.{secrets.token_hex(4)}"
    try:
        _write(path, path.with_name(f".{name}.tmp"), content, mode)
    except OSError as error:
        raise DiskError(f"cannot write {path}: {error.strerror}: make room, or mend its permissions") from error


def _write(path: Path, temporary: Path, content: bytes, mode: int) -> None:
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames inside `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_private_folder(folder: Path) -> Path:
    """Create `folder` and its parents, readable by the user alone if they are new. Raises DiskError."""
    try:
        missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
        for parent in reversed(missing):
            parent.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise DiskError(f"cannot create {folder}: {error.strerror}: make room, or mend its permissions") from error
    return folder
