"""Xorbs: many chunks of content sent as one object, each chunk packed on its own.

The format is that of the Xet specification (huggingface.co/docs/xet/xorb): a header of 8 bytes before each chunk,
and behind the last one a footer, which hf_xet 1.8 leaves out of what it uploads. That a xorb has the hash it is named
by is not checked, for that takes BLAKE3; the sha256 of every file that is made of it is.
"""

from enum import IntEnum
from mmap import mmap
from typing import NamedTuple

import pyarrow as pa

from localhub.errors import RefusedError

LARGEST_BYTES = 65 << 20
"""More is refused. The specification says 64 MiB; hf_xet 1.8 sends so much content, and the headers on top of it."""
LARGEST_CHUNK_BYTES = 128 << 10
HEADER_BYTES = 8
FOOTER_MARK = b"XETBLOB"
GROUPS = 4


class Packing(IntEnum):
    """How a chunk is packed; GROUPED puts the first bytes of all groups of four first, then the second ones, …"""

    NONE = 0
    LZ4 = 1
    GROUPED_LZ4 = 2


class Chunk(NamedTuple):
    """Where the packed bytes of a chunk are in its xorb, and how many it has unpacked."""

    start: int
    packed_bytes: int
    packing: Packing
    size: int


def find_chunks(xorb: bytes | mmap) -> list[Chunk]:
    """The chunks of a xorb, in order. Raises RefusedError (400) if they are not well formed."""
    chunks: list[Chunk] = []
    position = 0
    while position < len(xorb) and xorb[position : position + len(FOOTER_MARK)] != FOOTER_MARK:
        header = xorb[position : position + HEADER_BYTES]
        if len(header) < HEADER_BYTES or header[0] != 0 or header[4] not in list(Packing):
            raise malformed(f"no chunk at byte {position}")
        packed_bytes, size = (int.from_bytes(header[first : first + 3], "little") for first in (1, 5))
        position += HEADER_BYTES
        if size > LARGEST_CHUNK_BYTES or position + packed_bytes > len(xorb):
            raise malformed(f"the chunk at byte {position} does not fit")
        chunks.append(Chunk(position, packed_bytes, Packing(header[4]), size))
        position += packed_bytes
    if not chunks:
        raise malformed("no chunks")
    return chunks


def unpack(xorb: bytes | mmap, chunk: Chunk) -> bytes:
    """The content of a chunk. Raises RefusedError (400) if it cannot be unpacked to its size."""
    content = xorb[chunk.start : chunk.start + chunk.packed_bytes]
    if chunk.packing != Packing.NONE:
        try:
            content = pa.decompress(content, decompressed_size=chunk.size, codec="lz4", asbytes=True)
        except (pa.ArrowException, OSError) as error:
            raise malformed(str(error)) from error
    if len(content) != chunk.size:
        raise malformed(f"a chunk of {chunk.size} bytes has {len(content)}")
    return ungroup(content) if chunk.packing == Packing.GROUPED_LZ4 else content


def ungroup(grouped: bytes) -> bytes:
    """Content whose bytes were put in four groups, in its own order; the first groups have what is over."""
    content = bytearray(len(grouped))
    start = 0
    for group in range(GROUPS):
        length = len(range(group, len(grouped), GROUPS))
        content[group::GROUPS] = grouped[start : start + length]
        start += length
    return bytes(content)


def malformed(reason: str) -> RefusedError:
    return RefusedError(400, f"Invalid xorb: {reason}")
