"""Laying out a folder that holds exactly the files to upload: `staging/chunk_3/labels/language=en/chunk_3-….parquet`.

Always created from scratch: the upload CLI leaves its cache in the folder, and that cache is not the truth.
"""

import errno
import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from wikidata.config import Table
from wikidata.errors import LockedError, StagingError
from wikidata.names import ANY_CHUNK, Block, block_of_folder
from wikidata.records.lock import hold
from wikidata.system.files import make_private_folder

# Hard links do not cross file systems, are forbidden to those who may not write the file, and are limited in number.
_NO_HARD_LINK = {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EACCES, errno.ENOTSUP}


def staging_folder(staging_dir: Path, block: Block, table: Table) -> Path:
    """Where the files of a table of some chunks are staged."""
    return staging_dir / block.name / table


def packed_folder(staging_dir: Path, block: Block, table: Table) -> Path:
    """Where the packed or folded files of a table of some chunks are made."""
    return staging_dir / block.name / f"{table}.packed"


def heads_folder(staging_dir: Path, block: Block, table: Table) -> Path:
    """Where the heads of the files that folded ones were made from are written."""
    return staging_dir / block.name / f"{table}.heads"


def lay_out(folder: Path, source: Path, paths: Iterable[str]) -> None:
    """Recreate `folder` so that it holds the `paths`, relative to `source`, and nothing else.

    Files are hard links, or symbolic links if those are impossible. Raises StagingError if the folder cannot
    be made, a file is gone, or a path leads out of the folder.
    """
    source = source.absolute()
    try:
        clear(folder)
        make_private_folder(folder)
        made: set[str] = set()
        for path in paths:
            parent, _, name = path.rpartition("/")
            if name in {"", ".", ".."} or ".." in parent.split("/") or path.startswith("/"):
                raise StagingError(f"staging: {path!a} leads out of the staging folder")
            if parent not in made:
                os.makedirs(f"{folder}/{parent}", exist_ok=True)
                made.add(parent)
            _link(f"{source}/{path}", f"{folder}/{path}")
    except OSError as error:
        raise StagingError(f"staging: {error.filename or folder}: {error.strerror}") from error


def clear(folder: Path) -> None:
    """Remove the staging folder of one table; its chunk's folder stays, other tables may be about to use it.

    Raises StagingError.
    """
    try:
        if folder.is_symlink():
            folder.unlink()
        elif folder.exists():
            shutil.rmtree(folder)
    except OSError as error:
        raise StagingError(f"staging: cannot remove {error.filename or folder}: {error.strerror}") from error


def clear_all(staging_dir: Path, manifest_dir: Path, held: Block) -> None:
    """Remove what is staged of the chunks that we hold, and of those that nobody holds: what runs left that died.

    Raises StagingError.
    """
    for folder in sorted(staging_dir.glob(ANY_CHUNK)):
        block = block_of_folder(folder.name)
        others = [chunk for chunk in block.chunks if chunk not in held.chunks] if block else []
        with suppress(LockedError), hold(manifest_dir, others):
            clear(folder)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_HARD_LINK:
            raise
        os.symlink(source, target)
