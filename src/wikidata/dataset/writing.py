"""Writing Parquet: row groups are encoded several at a time, each by itself, and joined into one file.

The bytes of a row group depend on its rows alone: not on the file, its place there, the Arrow chunks of its columns, or
the number of processors. Memory holds a row group for each processor, the last one of each file that is being written,
and what is encoded and not yet written: at most two row groups of a file.
"""

import hashlib
import io
import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any, NamedTuple, Self

import pyarrow as pa
import pyarrow.parquet as pq

from wikidata.dataset.footers import MAGIC
from wikidata.dataset.joining import Part, joined_tail

WRITER_OPTIONS: dict[str, Any] = {"compression": "zstd", "compression_level": 3, "write_page_index": True}
"""3 is the default level of zstd itself; pyarrow's is 1."""
PACKED_ROW_GROUP_BYTES = 128 << 20
"""Uncompressed, in memory: the Hub advises 100 to 300 MB, and its viewer refuses above about 286 MiB."""
PACKED_ROW_GROUP_ROWS = 1 << 20
BLOCK_ROWS = 4096
"""Pages end with the Arrow chunks of a column, so each that is written has as many rows."""
PROCESSORS = min(8, len(os.sched_getaffinity(0)))
"""Those that we may use, as Slurm and `taskset` say; each takes up to 400 MB of memory."""

_AHEAD = 2
"""At most so many row groups of a file are being encoded, or wait to be written."""


class _Encoded(NamedTuple):
    """A Parquet file of one row group, the content of which comes in blocks, as they were written."""

    rows: int
    content: deque[bytes]
    part: Part


class Encoders:
    """Encode row groups of all files that are written at the same time, `number` at once; then their memory is free."""

    def __init__(self, number: int = PROCESSORS) -> None:
        self._pool = ThreadPoolExecutor(number, "encoder")
        self._room = BoundedSemaphore(number)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()
        pa.default_memory_pool().release_unused()

    def encoded(self, row_groups: Iterator[pa.Table], schema: pa.Schema) -> Iterator[_Encoded]:
        """Each row group of a file encoded, the next ones of them meanwhile."""
        waiting: deque[Future[_Encoded]] = deque()
        while begun := self._begin(row_groups, schema):
            waiting.append(begun)
            if len(waiting) == _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def _begin(self, row_groups: Iterator[pa.Table], schema: pa.Schema) -> Future[_Encoded] | None:
        """Read the next row group, if there is one, once there is room for it, and have it encoded."""
        begun = None
        self._room.acquire()
        try:
            if (group := next(row_groups, None)) is not None:
                begun = self._pool.submit(encode, group, schema)
                begun.add_done_callback(lambda _: self._room.release())
            return begun
        finally:
            if begun is None:
                self._room.release()


def write_parquet(
    path: Path, row_groups: Iterable[pa.Table], schema: pa.Schema, encoders: Encoders
) -> tuple[int, str, int]:
    """Write row groups as they are; returns the size of the file, its sha256 as hex, and the number of rows."""
    digest, rows, parts = hashlib.sha256(), 0, list[Part]()
    with open(path, "wb") as file:

        def write(block: bytes) -> None:
            digest.update(block)
            file.write(block)

        write(MAGIC)
        for encoded in encoders.encoded(iter(row_groups), schema):
            rows += encoded.rows
            parts.append(encoded.part)
            while encoded.content:
                write(encoded.content.popleft())
        write(joined_tail(parts or [encode(None, schema).part]))
        return file.tell(), digest.hexdigest(), rows


def blocks_of(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in tables of BLOCK_ROWS, of which the last may have fewer, each of one Arrow chunk."""
    rest: list[pa.Table] = []
    for table in tables:
        rows = pa.concat_tables([*rest, table])
        whole = rows.num_rows - rows.num_rows % BLOCK_ROWS
        for start in range(0, whole, BLOCK_ROWS):
            yield rows.slice(start, BLOCK_ROWS).combine_chunks()
        rest = [rows.slice(whole)] if whole < rows.num_rows else []
    yield from (table.combine_chunks() for table in rest)


def encode(group: pa.Table | None, schema: pa.Schema) -> _Encoded:
    """Encode a row group, or what a file without any consists of."""
    blocks = _Blocks()
    with pq.ParquetWriter(pa.PythonFile(blocks, "w"), schema, **WRITER_OPTIONS) as writer:
        blocks.take()
        if group is not None:
            writer.write_table(pa.concat_tables(blocks_of([group])), row_group_size=group.num_rows)
        content = blocks.take()
    return _Encoded(group.num_rows if group else 0, content, Part(sum(map(len, content)), b"".join(blocks.take())))


class _Blocks(io.RawIOBase):
    """A file in memory, from the front of which everything can be taken."""

    def __init__(self) -> None:
        self._blocks: deque[bytes] = deque()
        self._size_bytes = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._size_bytes

    def write(self, block: Any) -> int:
        self._blocks.append(bytes(block))
        self._size_bytes += len(block)
        return len(block)

    def take(self) -> deque[bytes]:
        """What was written since the last call."""
        taken, self._blocks = self._blocks, deque()
        return taken
