"""Packing: the partition files of a chunk and key, in the order of their parts, as one: `language=en/chunk_3.parquet`.

The same rows, columns and types, in row groups that the Hub's viewer can read. Equal sources give equal bytes, however
many processors there are, so a packed file is found again on the Hub. Memory holds row groups, never a whole key.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from wikidata.config import Table
from wikidata.dataset.bundles import Bundle
from wikidata.dataset.reading import read_now_if_small, row_groups_of
from wikidata.dataset.writing import PROCESSORS, Encoders, write_parquet
from wikidata.errors import ManifestError, StagingError

PACK_THREADS = PROCESSORS + 1


class Packed(NamedTuple):
    """A packed file as a row of a manifest."""

    path: str
    size_bytes: int
    sha256: str
    rows: int
    sources_sha256: str


def pack(
    bundles: Sequence[Bundle],
    source: Path,
    table: Table,
    schema: pa.Schema,
    folder: Path,
    is_stopped: Callable[[], bool],
) -> list[Packed]:
    """Write the packed files below `folder`, several keys at a time, from the partition files below `source`.

    Each appears whole or not at all. Raises ManifestError if a partition file cannot be read or has other rows than
    before, StagingError if there is no room or if it `is_stopped`.
    """

    def pack_one(each: Bundle) -> Packed:
        if is_stopped():
            raise StagingError("packing was stopped")
        return _pack(each, source, table, schema, folder, encoders)

    _make_folders(folder, bundles)
    largest_first = sorted(bundles, key=lambda each: -each.size_bytes)
    with Encoders() as encoders, ThreadPoolExecutor(PACK_THREADS) as pool:
        try:
            return sorted(pool.map(pack_one, largest_first))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _make_folders(folder: Path, bundles: Iterable[Bundle]) -> None:
    """Make the folders of all packed files, before threads that would race to make them."""
    for each in bundles:
        parent = (folder / each.path).parent
        try:
            parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StagingError(f"staging: cannot make {parent}: {error.strerror or error}: make room") from error


def _pack(each: Bundle, source: Path, table: Table, schema: pa.Schema, folder: Path, encoders: Encoders) -> Packed:
    target = folder / each.path
    temporary = target.with_name(f".{target.name}.tmp")
    try:
        row_groups = read_now_if_small(row_groups_of([each], source, table, schema), each.size_bytes)
        size_bytes, digest, rows = write_parquet(temporary, row_groups, schema, encoders)
        if rows != each.rows:
            raise ManifestError(f"{table}: {each.path} would have {rows} rows, its parts had {each.rows}: push again")
        temporary.replace(target)
    except OSError as error:
        raise StagingError(f"staging: cannot write {target}: {error.strerror or error}: make room") from error
    return Packed(each.path, size_bytes, digest, rows, each.sources_sha256)
