"""Shards: what files are made of, and the chunks of the xorbs that were sent for them.

The format is that of the Xet specification (huggingface.co/docs/xet/shard): a header, a section about files and one
about xorbs, both of records of 48 bytes and ended by one that begins with 32 bytes of 0xFF, and a footer that is left
out of what is uploaded.
"""

import struct
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from localhub.errors import RefusedError

TAG = b"HFRepoMetaData\0" + bytes.fromhex("5569 6745 6a7b 8157 83a5 bdd9 5ccd d14a a9")
VERSION = 2
FOOTER_VERSION = 1
FOOTER_BYTES = 200
RECORD = struct.Struct("<32s4I")
END = RECORD.pack(b"\xff" * 32, 0, 0, 0, 0)
HAS_VERIFICATION = 1 << 31
HAS_SHA256 = 1 << 30
VALID_SECONDS = 7 * 24 * 3600
"""How long what is answered about a chunk may be used; the specification speaks of days or weeks."""


class Term(NamedTuple):
    """A piece of a file: some chunks of a xorb, from `first` up to but without `end`."""

    xorb: str
    size: int
    first: int
    end: int


class File(NamedTuple):
    """A file, put together from its terms; `sha256` is empty if the shard does not tell it."""

    xet_hash: str
    terms: Sequence[Term]
    sha256: str = ""

    @property
    def size(self) -> int:
        return sum(term.size for term in self.terms)


class Block(NamedTuple):
    """A xorb and the hashes of its chunks; `records` is what the shard says of it, as it stands there."""

    xorb: str
    chunks: Sequence[str]
    records: bytes


class Shard(NamedTuple):
    files: Sequence[File]
    blocks: Sequence[Block]


def parse_shard(data: bytes) -> Shard:
    """The files and xorbs of a shard. Raises RefusedError (400) if it is not well formed."""
    if data[: len(TAG) + 8] != TAG + _number(VERSION):
        raise malformed("not a shard of version 2")
    try:
        position, files, blocks = RECORD.size, [], []
        while data[position : position + RECORD.size] != END:
            file, position = _parse_file(data, position)
            files.append(file)
        position += RECORD.size
        while data[position : position + RECORD.size] != END:
            block, position = _parse_block(data, position)
            blocks.append(block)
    except struct.error as error:
        raise malformed("it ends too early") from error
    return Shard(files, blocks)


def _parse_file(data: bytes, position: int) -> tuple[File, int]:
    digest, flags, count, _, _ = RECORD.unpack_from(data, position)
    terms = [Term(_text(xorb), *rest) for xorb, _, *rest in _records(data, position + RECORD.size, count)]
    position += RECORD.size * (1 + count + (count if flags & HAS_VERIFICATION else 0))
    if not flags & HAS_SHA256:
        return File(_text(digest), terms), position
    sha256 = RECORD.unpack_from(data, position)[0]
    return File(_text(digest), terms, _text(sha256)), position + RECORD.size


def _parse_block(data: bytes, position: int) -> tuple[Block, int]:
    digest, _, count, _, _ = RECORD.unpack_from(data, position)
    end = position + RECORD.size * (1 + count)
    chunks = [_text(record[0]) for record in _records(data, position + RECORD.size, count)]
    return Block(_text(digest), chunks, data[position:end]), end


def _records(data: bytes, position: int, count: int) -> Iterator[tuple[bytes, int, int, int, int]]:
    if position + count * RECORD.size > len(data):
        raise malformed("it ends too early")
    return RECORD.iter_unpack(data[position : position + count * RECORD.size])


def _text(digest: bytes) -> str:
    """How a hash is written: as four numbers of 64 bits ("Converting Hashes to Strings")."""
    return "".join(f"{number:016x}" for number in struct.unpack("<4Q", digest))


def shard_about(records: bytes) -> bytes:
    """The shard that tells of one xorb, as an answer to who asks for one of its chunks ("Global Deduplication").

    What the specification calls reserved in the footer is where three tables begin and how much is in them; hf_xet 1.8
    takes the place of the first for the end of the section about xorbs.
    """
    head = TAG + _number(VERSION) + _number(FOOTER_BYTES) + END
    body = head + records + END
    now = int(time.time())
    offsets = _number(RECORD.size) + _number(len(head)) + 3 * (_number(len(body)) + _number(0))
    times = _number(now) + _number(now + VALID_SECONDS)
    footer = _number(FOOTER_VERSION) + offsets + bytes(32) + times + bytes(72) + _number(len(body))
    return body + footer


def _number(value: int) -> bytes:
    return value.to_bytes(8, "little")


def malformed(reason: str) -> RefusedError:
    return RefusedError(400, f"Invalid shard: {reason}")
