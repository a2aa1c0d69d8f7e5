"""Writing Parquet: row groups are encoded several at a time, each by itself, and joined into one file.

The bytes of a row group depend on its rows alone: not on the file, its place there, the Arrow chunks of its columns, or
the number of processors. Memory holds a row group for each processor, and what is encoded of it until it is written.
"""

import hashlib
import io
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from threading import Condition
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from wikidata.dataset.encodings import BLOCK_ROWS, options_of
from wikidata.dataset.footers import MAGIC
from wikidata.dataset.joining import JoinedTail, Part

PACKED_ROW_GROUP_BYTES = 128 << 20
"""Uncompressed, in memory: the Hub advises 100 to 300 MB, and its viewer refuses above about 286 MiB."""
PACKED_ROW_GROUP_ROWS = 1 << 20
PROCESSORS = min(8, len(os.sched_getaffinity(0)))
"""Those that we may use, as Slurm and `taskset` say; each takes up to 500 MB of memory."""

_Write = Callable[[bytes], object]
_Content = SimpleQueue[bytes | None]
"""The blocks of a row group, and None behind the last."""


@dataclass
class _Begun:
    """A row group that is being encoded, and written by a thread if another follows it."""

    part: Future[Part]
    content: _Content
    written: Future[None] | None = None


class _Room:
    """Memory for row groups that are in use at once, in bytes."""

    def __init__(self, size_bytes: int) -> None:
        self._free_bytes = size_bytes
        self._is_freed = Condition()

    def take(self, size_bytes: int) -> None:
        """Wait until there is as much."""
        with self._is_freed:
            self._is_freed.wait_for(lambda: self._free_bytes >= size_bytes)
            self._free_bytes -= size_bytes

    def give_back(self, size_bytes: int) -> None:
        with self._is_freed:
            self._free_bytes += size_bytes
            self._is_freed.notify_all()


class Encoders:
    """Encode row groups of all files that are written at the same time, `number` at once; then their memory is free.

    One more of a file is read meanwhile if they are small: together they take no more than `number` of the largest.
    """

    def __init__(self, number: int = PROCESSORS) -> None:
        self._most = number + 1
        self._pool = ThreadPoolExecutor(number, "encoder")
        self._room = _Room(number * PACKED_ROW_GROUP_BYTES)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()
        pa.default_memory_pool().release_unused()

    def parts(self, row_groups: Iterator[pa.Table], schema: pa.Schema, write: _Write) -> Iterator[Part]:
        """Encode the row groups of a file, and `write` their content one after the other: each is then a part of it.

        While some are encoded, a thread writes what there is of the first of them, and another is read.
        """
        begun: deque[_Begun] = deque()

        def end_first() -> Part:
            first = begun.popleft()
            if first.written:
                first.written.result()
            else:
                _write_all(first.content, write)
            return first.part.result()

        with ThreadPoolExecutor(1, "writer") as writer:
            while each := self._begin(row_groups, schema):
                if begun:
                    begun[-1].written = writer.submit(_write_all, begun[-1].content, write)
                begun.append(each)
                if len(begun) == self._most:
                    yield end_first()
            while begun:
                yield end_first()

    def _begin(self, row_groups: Iterator[pa.Table], schema: pa.Schema) -> _Begun | None:
        """Read the next row group, if there is one, once there is room for any, and have it encoded."""
        self._room.take(PACKED_ROW_GROUP_BYTES)
        taken_bytes = 0
        try:
            group = next(row_groups, None)
            if group is None:
                return None
            content, size_bytes = _Content(), min(group.nbytes, PACKED_ROW_GROUP_BYTES)
            part = self._pool.submit(_encode, group, schema, content)
            taken_bytes = size_bytes
            part.add_done_callback(lambda _: self._room.give_back(size_bytes))
            return _Begun(part, content)
        finally:
            self._room.give_back(PACKED_ROW_GROUP_BYTES - taken_bytes)


def write_parquet(
    path: Path, row_groups: Iterable[pa.Table], schema: pa.Schema, encoders: Encoders
) -> tuple[int, str, int]:
    """Write row groups as they are; returns the size of the file, its sha256 as hex, and the number of rows."""
    digest, rows, tail = hashlib.sha256(), 0, JoinedTail()
    with open(path, "wb") as file:

        def write(block: bytes) -> None:
            digest.update(block)
            file.write(block)

        write(MAGIC)
        for part in encoders.parts(iter(row_groups), schema, write):
            rows += part.rows
            tail.add(part)
        write(tail.content() or encode(None, schema, write).tail)
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


def _write_all(content: _Content, write: _Write) -> None:
    for block in iter(content.get, None):
        write(block)


def _encode(group: pa.Table, schema: pa.Schema, content: _Content) -> Part:
    try:
        return encode(group, schema, content.put)
    finally:
        content.put(None)


def encode(group: pa.Table | None, schema: pa.Schema, write: _Write) -> Part:
    """Encode a row group, of which `write` gets the content, or what a file without any consists of."""
    blocks = _Blocks()
    with pq.ParquetWriter(pa.PythonFile(blocks, "w"), schema, **options_of(group)) as writer:
        if group is not None:
            blocks.write_to = write
            writer.write_table(pa.concat_tables(blocks_of([group])), row_group_size=group.num_rows)
        size_bytes, tail = blocks.tell() - len(MAGIC), list[bytes]()
        blocks.write_to = tail.append
    return Part(group.num_rows if group else 0, size_bytes, b"".join(tail))


class _Blocks(io.RawIOBase):
    """A file of blocks, each of which goes to `write_to`, if there is that."""

    def __init__(self) -> None:
        self.write_to: _Write | None = None
        self._size_bytes = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._size_bytes

    def write(self, block: Any) -> int:
        self._size_bytes += len(block)
        if self.write_to:
            self.write_to(bytes(block))
        return len(block)
