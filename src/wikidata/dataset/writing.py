"""Writing Parquet: row groups are encoded several at a time, each by itself, and joined into one file.

The bytes of a row group depend on its rows alone: not on the file, its place there, the Arrow chunks of its columns, or
the number of processors. Memory holds a row group for each processor, and what is encoded of it; the next one of a file
is written as it is encoded.
"""

import hashlib
import io
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any, NamedTuple, Self

import pyarrow as pa
import pyarrow.parquet as pq

from wikidata.dataset.encodings import BLOCK_ROWS, options_of
from wikidata.dataset.footers import MAGIC
from wikidata.dataset.joining import JoinedTail, Part

PACKED_ROW_GROUP_BYTES = 128 << 20
"""Uncompressed, in memory: the Hub advises 100 to 300 MB, and its viewer refuses above about 286 MiB."""
PACKED_ROW_GROUP_ROWS = 1 << 20
PROCESSORS = min(8, len(os.sched_getaffinity(0)))
"""Those that we may use, as Slurm and `taskset` say; each takes up to 400 MB of memory."""

_Write = Callable[[bytes], object]


class _Content:
    """The bytes of a row group: written as they come if all before them are in the file, kept until then if not."""

    def __init__(self, write: _Write) -> None:
        self.is_next = False
        self._write = write
        self._kept: deque[bytes] = deque()

    def add(self, block: bytes) -> None:
        self._kept.append(block)
        if self.is_next:
            self.flush()

    def flush(self) -> None:
        while self._kept:
            self._write(self._kept.popleft())


class _Begun(NamedTuple):
    """A row group that is being encoded."""

    content: _Content
    part: Future[Part]


class Encoders:
    """Encode row groups of all files that are written at the same time, `number` at once; then their memory is free."""

    def __init__(self, number: int = PROCESSORS) -> None:
        self._number = number
        self._pool = ThreadPoolExecutor(number, "encoder")
        self._room = BoundedSemaphore(number)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()
        pa.default_memory_pool().release_unused()

    def parts(self, row_groups: Iterator[pa.Table], schema: pa.Schema, write: _Write) -> Iterator[Part]:
        """Encode the row groups of a file, and `write` their content one after the other: each is then a part of it."""
        begun: deque[_Begun] = deque()

        def end_first() -> Part:
            first = begun.popleft()
            part = first.part.result()
            first.content.flush()
            if begun:
                begun[0].content.is_next = True
            return part

        while each := self._begin(row_groups, schema, write):
            each.content.is_next = not begun
            begun.append(each)
            if len(begun) == self._number:
                yield end_first()
        while begun:
            yield end_first()

    def _begin(self, row_groups: Iterator[pa.Table], schema: pa.Schema, write: _Write) -> _Begun | None:
        """Read the next row group, if there is one, once there is room for it, and have it encoded."""
        part = None
        self._room.acquire()
        try:
            group = next(row_groups, None)
            if group is None:
                return None
            content = _Content(write)
            part = self._pool.submit(encode, group, schema, content.add)
            part.add_done_callback(lambda _: self._room.release())
            return _Begun(content, part)
        finally:
            if part is None:
                self._room.release()


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
