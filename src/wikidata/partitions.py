"""The partition files of a table of a chunk on the local disk: finding, checking, counting and hashing them.

They lie in `results/{table}/{column}={key}/chunk_{chunk}-{part}-of-{parts}[_{split}].parquet`, beside the files of
other chunks and the unpartitioned files of PROCESS. A sidecar `audit/{table}/chunk_….parquet` tells which keys a part
has, and how many rows of each; older runs left none.
"""

import hashlib
import os
import re
import stat
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import polars as pl

from wikidata.config import Table
from wikidata.errors import ManifestError
from wikidata.manifest import SCHEMA, Manifest

MAGIC = b"PAR1"
"""Both ends of a Parquet file (parquet.apache.org, File Format)."""

HASH_THREADS = min(4, os.cpu_count() or 1)
_BLOCK_BYTES = 1 << 20
_KEY = re.compile(r"[a-z0-9]+(?:[_-][a-z0-9]+)*")


class Found(NamedTuple):
    """A partition file; `path` is relative to the table's folder."""

    path: str
    key: str
    part: int


class Fingerprint(NamedTuple):
    """What tells whether a file is still the one that was hashed, and its content's sha256 as hex."""

    size_bytes: int
    modified_ns: int
    inode: int
    sha256: str


class Partitions(NamedTuple):
    """The manifest of a table of a chunk, and the fingerprints of its files in the same order."""

    manifest: Manifest
    fingerprints: list[Fingerprint]


def survey(chunk: int, parts: int, table: Table, output_dir: Path, audit_dir: Path) -> Partitions:
    """Find, check, count and hash the partition files of a table of a chunk.

    Raises ManifestError, with the file and the reason, where a part or a key is missing, a file is no whole Parquet
    file, or a row count disagrees with the sidecar.
    """
    folder = output_dir / table
    try:
        found = find(folder, chunk, parts, table)
        fingerprints = _hash_all(folder, found, table)
        rows = _count_rows(folder, [file.path for file in found], table)
    except OSError as error:
        raise ManifestError(f"{table}: cannot read {error.filename or folder}: {error.strerror}") from error
    _check_parts(chunk, parts, table, found, rows, audit_dir / table)
    columns = {
        "path": [file.path for file in found],
        "size_bytes": [fingerprint.size_bytes for fingerprint in fingerprints],
        "sha256": [fingerprint.sha256 for fingerprint in fingerprints],
        "rows": rows,
    }
    return Partitions(Manifest(chunk, table, folder, pl.DataFrame(columns, schema=SCHEMA)), fingerprints)


def changed_files(partitions: Partitions) -> list[str]:
    """The files that are no longer the ones that were hashed, each with what happened to it."""
    changes = []
    for path, known in zip(partitions.manifest.files["path"], partitions.fingerprints, strict=True):
        try:
            now = os.stat(partitions.manifest.folder / path, follow_symlinks=False)
        except OSError as error:
            changes.append(f"{path}: {error.strerror}")
            continue
        if (now.st_size, now.st_mtime_ns, now.st_ino) != known[:3]:
            changes.append(f"{path}: was rewritten ({known.size_bytes} bytes before, {now.st_size} now)")
    return changes


def find(folder: Path, chunk: int, parts: int, table: Table) -> list[Found]:
    """The partition files of `chunk` below `folder`, sorted by path.

    Files of other chunks, unpartitioned files, hidden and temporary files are not among them. Raises ManifestError
    where a file of this chunk lies in a folder that is no key's, is no regular file, or has another number of parts.
    """
    if not folder.is_dir():
        raise ManifestError(f"{table}: {folder} is no folder: is OUTPUT_DIR right?")
    pattern = re.compile(rf"chunk_{chunk}-([0-9]{{5,}})-of-([0-9]{{5,}})(?:_[0-9]+)?\.parquet")
    found = []
    for key_folder in _scan(folder):
        if key_folder.name.startswith((".", f"chunk_{chunk}-")) or not key_folder.is_dir():
            continue
        for file in _scan(key_folder):
            if match := pattern.fullmatch(file.name):
                path = f"{key_folder.name}/{file.name}"
                key = _checked_key(key_folder, path, table)
                part = _checked_part(file, path, match, parts, table)
                found.append(Found(path, key, part))
    return sorted(found)


def _scan(folder: "Path | os.DirEntry[str]") -> Iterator["os.DirEntry[str]"]:
    with os.scandir(folder) as entries:
        yield from entries


def _checked_key(folder: "os.DirEntry[str]", path: str, table: Table) -> str:
    column, _, key = folder.name.partition("=")
    if column != table.partition_column or not _KEY.fullmatch(key):
        expected = f"{table.partition_column}=KEY with KEY in lower case, digits, '-' and '_'"
        raise ManifestError(f"{table}: {path!a}: the folder must be named {expected}")
    if folder.is_symlink():
        raise ManifestError(f"{table}: {path}: its folder is a link: put the files themselves there")
    return key


def _checked_part(file: "os.DirEntry[str]", path: str, match: re.Match[str], parts: int, table: Table) -> int:
    if not file.is_file(follow_symlinks=False):
        raise ManifestError(f"{table}: {path} is no regular file: put the file itself there")
    part, promised = int(match[1]), int(match[2])
    if promised != parts or part >= parts:
        raise ManifestError(f"{table}: {path} does not belong to a chunk of {parts} parts: remove it")
    return part


def _hash_all(folder: Path, found: list[Found], table: Table) -> list[Fingerprint]:
    with ThreadPoolExecutor(HASH_THREADS) as pool:
        try:
            return list(pool.map(lambda file: _fingerprint(f"{folder}/{file.path}", file.path, table), found))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _fingerprint(local: str, path: str, table: Table) -> Fingerprint:
    """Read a file once: hash it, and check that both ends are those of a Parquet file."""
    digest, first, last = hashlib.sha256(), b"", b""
    with open(local, "rb", buffering=0, opener=_open_regular) as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
            first = (first + block[:4])[:4]
            last = (last + block[-4:])[-4:]
        facts = os.fstat(file.fileno())
    if facts.st_size == 0:
        raise ManifestError(f"{table}: {path} is empty: make it again")
    if facts.st_size < 3 * len(MAGIC) or first != MAGIC or last != MAGIC:
        raise ManifestError(f"{table}: {path} is no whole Parquet file (truncated?): make it again")
    return Fingerprint(facts.st_size, facts.st_mtime_ns, facts.st_ino, digest.hexdigest())


def _open_regular(path: str, flags: int) -> int:
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(None, "is no regular file", path)
    return descriptor


def _count_rows(folder: Path, paths: list[str], table: Table) -> list[int]:
    """The number of rows that the footer of each file promises, in the order of `paths`."""
    local = [f"{folder}/{path}" for path in paths]
    try:
        counted = _scan_row_counts(local)
    except pl.exceptions.PolarsError:
        counted = {}
        for path, file in zip(paths, local, strict=True):
            try:
                counted |= _scan_row_counts([file])
            except pl.exceptions.PolarsError as error:
                raise ManifestError(f"{table}: {path} cannot be read as Parquet: {_first_line(error)}") from error
    return [counted.get(file, 0) for file in local]


def _scan_row_counts(local: list[str]) -> dict[str, int]:
    if not local:
        return {}
    scan = pl.scan_parquet(
        local,
        glob=False,
        hive_partitioning=False,
        include_file_paths="__file",
        missing_columns="insert",
        extra_columns="ignore",
    )
    return dict(scan.group_by("__file").len().collect().iter_rows())


def _check_parts(chunk: int, parts: int, table: Table, found: list[Found], rows: list[int], audit_dir: Path) -> None:
    """Compare keys and row counts of every part with its sidecar; without one, it must have at least one file."""
    counted: dict[int, dict[str, int]] = {part: {} for part in range(parts)}
    files = [0] * parts
    for file, count in zip(found, rows, strict=True):
        counted[file.part][file.key] = counted[file.part].get(file.key, 0) + count
        files[file.part] += 1
    for part in range(parts):
        source = f"chunk_{chunk}-{part:05d}-of-{parts:05d}.parquet"
        sidecar = audit_dir / source
        if os.path.lexists(sidecar):
            _compare(counted[part], _read_sidecar(sidecar, table), source, table)
        elif not files[part]:
            raise ManifestError(f"{table}: {source} has no partition files and no sidecar: partition it again")


def _read_sidecar(sidecar: Path, table: Table) -> dict[str, int]:
    """Rows per key."""
    try:
        frame = pl.read_parquet(sidecar, columns=[table.partition_column, "rows"], hive_partitioning=False)
        keys, rows = frame[table.partition_column].cast(pl.String), frame["rows"].cast(pl.Int64)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise ManifestError(f"{table}: the sidecar {sidecar} cannot be read: {_first_line(error)}") from error
    if keys.null_count() or rows.null_count() or keys.n_unique() != keys.len():
        raise ManifestError(f"{table}: the sidecar {sidecar} has null or repeated keys: partition its source again")
    return dict(zip(keys, rows, strict=True))


def _compare(counted: dict[str, int], promised: dict[str, int], source: str, table: Table) -> None:
    column = table.partition_column
    for key in _union(counted, promised):
        there, wanted = counted.get(key), promised.get(key, 0)
        if there is None and wanted:
            raise ManifestError(f"{table}: {column}={key}/{source} is missing: the sidecar has {wanted} rows of it")
        if there is not None and there != wanted:
            raise ManifestError(f"{table}: {column}={key}/{source} has {there} rows, the sidecar says {wanted}")


def _union(*mappings: Iterable[str]) -> list[str]:
    return sorted(set().union(*mappings))


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
