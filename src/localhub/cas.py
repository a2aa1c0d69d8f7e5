"""The content-addressed store behind the Hub: takes in xorbs and shards, and puts files together from them.

A file whose shard has come is put together at once and kept in the content store by its sha256, as one that came by
LFS is, so that nothing else of the Hub needs to know of Xet. Xorbs are kept as they came, since later shards may name
them again; so is what shards say of them, for those who ask whether a chunk is there.
"""

import asyncio
import hashlib
import itertools
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from mmap import ACCESS_READ, mmap
from pathlib import Path

from localhub.content import Content
from localhub.errors import RefusedError
from localhub.shards import Block, File, Shard, malformed, parse_block, parse_file, shard_about
from localhub.xorbs import LARGEST_BYTES, Chunk, count_bytes, find_chunks, unpack
from localhub.xorbs import malformed as malformed_xorb


class Cas:
    """All xorbs, below one folder; `place` tells this store from others that were at the same address before.

    Clients remember by address what a store has, and never ask again.
    """

    def __init__(self, root: Path, content: Content) -> None:
        self._xorbs = root / "xet" / "xorbs"
        self._blocks = root / "xet" / "blocks"
        self._files = root / "xet" / "files"
        self._hashes = root / "xet" / "hashes"
        self._content = content
        self._names = itertools.count()
        for folder in (self._xorbs, self._blocks, self._files, self._hashes):
            folder.mkdir(parents=True, exist_ok=True)
        for left in self._xorbs.glob("*.tmp"):
            left.unlink()
        self.place = _remembered(root / "xet" / "place")
        self._records_by_chunk: dict[str, bytes] = {}
        for path in self._blocks.iterdir():
            self._remember(parse_block(path.read_bytes())[0])

    def has_xorb(self, name: str) -> bool:
        """Whether a xorb is there."""
        return (self._xorbs / name).exists()

    async def receive(self, name: str, upload: str, stream: AsyncIterator[bytes]) -> bool:
        """Take in a xorb, for `settle` to keep; False where this upload was taken in before.

        Raises RefusedError (400) where it is too large.
        """
        if self._incoming(name, upload).exists():
            return False
        temporary = self._xorbs / f"{next(self._names)}.tmp"
        try:
            size_bytes = 0
            with temporary.open("wb", buffering=0) as file:
                async for piece in stream:
                    size_bytes += file.write(piece)
                    if size_bytes > LARGEST_BYTES:
                        raise malformed_xorb(f"more than {LARGEST_BYTES} bytes")
            temporary.replace(self._incoming(name, upload))
        finally:
            temporary.unlink(missing_ok=True)
        return True

    async def settle(self, name: str, upload: str) -> bool:
        """Keep a xorb that was taken in; False where there was one already.

        Raises RefusedError: 404 where none was taken in, 400 where it is not well formed.
        """
        incoming = self._incoming(name, upload)
        if not incoming.exists():
            raise RefusedError(404, f"nothing was sent for {upload}")
        try:
            await asyncio.to_thread(_check_xorb, incoming)
            is_new = not self.has_xorb(name)
            incoming.replace(self._xorbs / name)
        finally:
            incoming.unlink(missing_ok=True)
        return is_new

    def register(self, shard: Shard) -> list[tuple[str, int]]:
        """Put the files of a shard together; returns sha256 and size of each. Raises RefusedError (400)."""
        with ExitStack() as stack:
            xorbs = _OpenXorbs(self._xorbs, stack)
            for block in shard.blocks:
                if len(xorbs.chunks(block.xorb)) != len(block.chunks):
                    raise malformed(f"xorb {block.xorb} has other chunks")
            received = [self._put_together(file, xorbs) for file in shard.files]
        for block in shard.blocks:
            self._write(self._blocks / block.xorb, block.records)
            self._remember(block)
        for file in shard.files:
            self._write(self._files / file.xet_hash, file.records)
            self._write(self._hashes / file.sha256, file.xet_hash.encode())
        return received

    def xet_hash(self, sha256: str) -> str | None:
        """The hash by which clients ask for content that came by Xet; None for other content."""
        path = self._hashes / sha256
        return path.read_text() if path.exists() else None

    def file(self, xet_hash: str) -> File | None:
        """What a file is made of; None where there is none."""
        path = self._files / xet_hash
        return parse_file(path.read_bytes())[0] if path.exists() else None

    def xorb_path(self, name: str) -> Path:
        """Where a xorb is, as it came."""
        return self._xorbs / name

    def chunks(self, name: str) -> list[Chunk]:
        """The chunks of a xorb, in order."""
        with _mapped(self._xorbs / name) as xorb:
            return find_chunks(xorb)

    def about_chunk(self, chunk: str) -> bytes | None:
        """A shard about the xorb that has a chunk; None where there is none."""
        records = self._records_by_chunk.get(chunk)
        return shard_about(records) if records else None

    def _put_together(self, file: File, xorbs: "_OpenXorbs") -> tuple[str, int]:
        if not file.sha256:
            raise malformed(f"file {file.xet_hash} comes without its sha256")
        digest = hashlib.sha256()
        with self._content.incoming() as incoming, incoming.open("wb") as target:
            for piece in xorbs.pieces(file):
                digest.update(piece)
                target.write(piece)
            target.flush()
            if digest.hexdigest() != file.sha256:
                raise malformed(f"file {file.xet_hash} has the sha256 {digest.hexdigest()}, not {file.sha256}")
            self._content.keep(incoming, file.sha256)
        return file.sha256, file.size

    def _remember(self, block: Block) -> None:
        self._records_by_chunk |= dict.fromkeys(block.chunks, block.records)

    def _write(self, path: Path, content: bytes) -> None:
        temporary = self._xorbs / f"{next(self._names)}.tmp"
        temporary.write_bytes(content)
        temporary.replace(path)

    def _incoming(self, name: str, upload: str) -> Path:
        return self._xorbs / f"{name}-{upload}.tmp"


class _OpenXorbs:
    """The xorbs that one shard names, each opened and looked through once."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._open: dict[str, tuple[mmap, list[Chunk]]] = {}

    def chunks(self, name: str) -> list[Chunk]:
        """The chunks of a xorb. Raises RefusedError (400) where there is no such xorb."""
        return self._find(name)[1]

    def pieces(self, file: File) -> Iterator[bytes]:
        """The content of a file, chunk by chunk. Raises RefusedError (400)."""
        for term in file.terms:
            xorb, chunks = self._find(term.xorb)
            wanted = chunks[term.first : term.end]
            if len(wanted) != term.end - term.first or not wanted or count_bytes(wanted) != term.size:
                raise malformed(f"file {file.xet_hash} names chunks that xorb {term.xorb} has not")
            for chunk in wanted:
                yield unpack(xorb, chunk)

    def _find(self, name: str) -> tuple[mmap, list[Chunk]]:
        if name not in self._open:
            try:
                opened = self._stack.enter_context(_mapped(self._folder / name))
            except FileNotFoundError as error:
                raise malformed(f"xorb {name} was never uploaded") from error
            self._open[name] = opened, find_chunks(opened)
        return self._open[name]


def _mapped(path: Path) -> mmap:
    with path.open("rb") as file:
        return mmap(file.fileno(), 0, access=ACCESS_READ)


def _check_xorb(path: Path) -> None:
    if not path.stat().st_size:
        raise malformed_xorb("empty")
    with _mapped(path) as xorb:
        find_chunks(xorb)


def _remembered(path: Path) -> str:
    if not path.exists():
        path.write_text(secrets.token_hex(4))
    return path.read_text()
