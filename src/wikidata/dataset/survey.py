"""The partition files of a table of a chunk on the local disk: finding, checking, counting and hashing them.

They lie in `results/{table}/`, beside the files of other chunks and the unpartitioned files of PROCESS; `names.py` has
their grammar.
"""

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pyarrow as pa

from wikidata.config import Table
from wikidata.dataset.footers import MAGIC, Footer, FooterReader
from wikidata.dataset.sidecars import check_parts
from wikidata.errors import ManifestError, first_line
from wikidata.names import is_unpartitioned, key_of, partition_files_of

HASH_THREADS = min(4, os.cpu_count() or 1)
_LARGE_BYTES = 1 << 20


class Found(NamedTuple):
    """A partition file; `path` is relative to the table's folder, `split` is 0 for the first file of a part."""

    path: str
    key: str
    part: int
    split: int


class Fingerprint(NamedTuple):
    """What tells whether a file is still the one that was hashed, and its content's sha256 as hex."""

    size_bytes: int
    modified_ns: int
    inode: int
    sha256: str


@dataclass(frozen=True)
class Partitions:
    """The partition files of one table of a chunk of `parts` parts.

    `files` is sorted by path, with the columns `path` (relative to `folder`), `key`, `part`, `split`, `size_bytes`,
    `modified_ns`, `inode`, `sha256`, `rows`. `schemas` are the different ones among them, each with its first file;
    `row_group` is the largest row group of all in uncompressed bytes, and the file that has it.
    """

    chunk: int
    parts: int
    table: Table
    folder: Path
    files: pl.DataFrame
    schemas: tuple[tuple[pa.Schema, str], ...]
    row_group: tuple[int, str]


def survey(chunk: int, parts: int, table: Table, output_dir: Path, audit_dir: Path) -> Partitions:
    """Find, check, count and hash the partition files of a table of a chunk, reading each file once.

    Raises ManifestError, with the file and the reason, if a part or a key is missing, a file is not a whole Parquet
    file, or a row count disagrees with the sidecar.
    """
    folder = output_dir / table
    try:
        found = find(folder, chunk, parts, table)
        read = _read_all(folder, found, table)
    except OSError as error:
        raise ManifestError(f"{table}: cannot read {error.filename or folder}: {error.strerror}") from error
    schemas: dict[pa.Schema, str] = {}
    row_group = (0, "")
    for file, (_, footer) in zip(found, read, strict=True):
        schemas.setdefault(footer.schema, file.path)
        row_group = max(row_group, (footer.row_group_bytes, file.path))
    files = pl.DataFrame(found, schema=_FOUND, orient="row").hstack(
        pl.DataFrame([fingerprint for fingerprint, _ in read], schema=_FINGERPRINT, orient="row")
    )
    files = files.with_columns(pl.Series("rows", [footer.rows for _, footer in read], pl.Int64))
    check_parts(chunk, parts, table, files, audit_dir / table)
    return Partitions(chunk, parts, table, folder, files, tuple(schemas.items()), row_group)


_FOUND = {"path": pl.String, "key": pl.String, "part": pl.Int64, "split": pl.Int64}
_FINGERPRINT = {"size_bytes": pl.Int64, "modified_ns": pl.Int64, "inode": pl.UInt64, "sha256": pl.String}


def changed_files(partitions: Partitions) -> list[str]:
    """The files that are no longer the ones that were hashed, each with what happened to it."""
    changes = []
    known = partitions.files.select("path", "size_bytes", "modified_ns", "inode")
    for path, *facts in known.iter_rows():
        try:
            now = os.stat(f"{partitions.folder}/{path}", follow_symlinks=False)
        except OSError as error:
            changes.append(f"{path}: {error.strerror}")
            continue
        if [now.st_size, now.st_mtime_ns, now.st_ino] != facts:
            changes.append(f"{path}: was rewritten ({facts[0]} bytes before, {now.st_size} now)")
    return changes


def find(folder: Path, chunk: int, parts: int, table: Table) -> list[Found]:
    """The partition files of `chunk` below `folder`, sorted by path.

    Files of other chunks, unpartitioned files, hidden and temporary files are not among them. Raises ManifestError
    if a file of this chunk lies in a folder that is not a key's, is not a regular file, or has another number of parts.
    """
    if not folder.is_dir():
        raise ManifestError(f"{table}: {folder} is not a folder: is OUTPUT_DIR right?")
    pattern = partition_files_of(chunk)
    found = []
    for key_folder in _scan(folder):
        if key_folder.name.startswith(".") or is_unpartitioned(key_folder.name, chunk) or not key_folder.is_dir():
            continue
        for file in _scan(key_folder):
            if match := pattern.fullmatch(file.name):
                path = f"{key_folder.name}/{file.name}"
                key = _checked_key(key_folder, path, table)
                part = _checked_part(file, path, match, parts, table)
                found.append(Found(path, key, part, int(match[3] or 0)))
    return sorted(found)


def content_of(file: Path) -> tuple[str, int]:
    """The sha256 of a Parquet file as hex, and its rows. Raises ManifestError if it is not one."""
    try:
        with file.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
        return digest, FooterReader()(str(file)).rows
    except (pa.ArrowException, OSError) as error:
        raise ManifestError(f"it cannot be read as Parquet: {first_line(error)}") from error


def _scan(folder: "Path | os.DirEntry[str]") -> Iterator["os.DirEntry[str]"]:
    with os.scandir(folder) as entries:
        yield from entries


def _checked_key(folder: "os.DirEntry[str]", path: str, table: Table) -> str:
    key = key_of(table, folder.name)
    if key is None:
        expected = f"{table.partition_column}=KEY with KEY in lower case, digits, '-' and '_'"
        raise ManifestError(f"{table}: {path!a}: the folder must be named {expected}")
    if folder.is_symlink():
        raise ManifestError(f"{table}: {path}: its folder is a link: put the files themselves there")
    return key


def _checked_part(file: "os.DirEntry[str]", path: str, match: re.Match[str], parts: int, table: Table) -> int:
    if not file.is_file(follow_symlinks=False):
        raise ManifestError(f"{table}: {path} is not a regular file: put the file itself there")
    part, promised = int(match[1]), int(match[2])
    if promised != parts or part >= parts:
        raise ManifestError(f"{table}: {path} does not belong to a chunk of {parts} parts: remove it")
    return part


def _read_all(folder: Path, found: list[Found], table: Table) -> list[tuple[Fingerprint, Footer]]:
    """Read every file. Large ones are hashed in threads; small ones would only wait for each other's Python."""
    footer = FooterReader()
    with ThreadPoolExecutor(HASH_THREADS) as pool:
        try:
            reading = [_read(f"{folder}/{file.path}", file.path, table, footer, pool) for file in found]
            return [each.result() if isinstance(each, Future) else each for each in reading]
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _read(
    local: str, path: str, table: Table, footer: FooterReader, pool: ThreadPoolExecutor
) -> "tuple[Fingerprint, Footer] | Future[tuple[Fingerprint, Footer]]":
    descriptor = _open_regular(local)
    with open(descriptor, "rb", buffering=0) as file:
        facts = os.fstat(descriptor)
        if facts.st_size > _LARGE_BYTES:
            return pool.submit(_read_large, local, path, table, footer)
        content = file.read(facts.st_size + 1)
    _check_ends(path, table, len(content), content[:4], content[-4:])
    digest = hashlib.sha256(content).hexdigest()
    return Fingerprint(len(content), facts.st_mtime_ns, facts.st_ino, digest), _checked_footer(
        footer, content, path, table
    )


def _read_large(local: str, path: str, table: Table, footer: FooterReader) -> tuple[Fingerprint, Footer]:
    with open(_open_regular(local), "rb", buffering=0) as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        facts = os.fstat(file.fileno())
        first, last = os.pread(file.fileno(), 4, 0), os.pread(file.fileno(), 4, max(0, facts.st_size - 4))
    _check_ends(path, table, facts.st_size, first, last)
    fingerprint = Fingerprint(facts.st_size, facts.st_mtime_ns, facts.st_ino, digest)
    return fingerprint, _checked_footer(footer, local, path, table)


def _check_ends(path: str, table: Table, size_bytes: int, first: bytes, last: bytes) -> None:
    if size_bytes == 0:
        raise ManifestError(f"{table}: {path} is empty: recreate it")
    if size_bytes < 3 * len(MAGIC) or first != MAGIC or last != MAGIC:
        raise ManifestError(f"{table}: {path} is not a whole Parquet file (truncated?): recreate it")


def _checked_footer(footer: FooterReader, source: str | bytes, path: str, table: Table) -> Footer:
    try:
        return footer(source)
    except (pa.ArrowException, OSError) as error:
        raise ManifestError(f"{table}: {path} cannot be read as Parquet: {first_line(error)}") from error


def _open_regular(path: str) -> int:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(None, "is not a regular file", path)
    return descriptor
