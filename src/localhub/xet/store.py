"""The content-addressed store: takes in xorbs and shards, and puts files together from them.

A file whose shard has come is put together at once and kept in the content store by its sha256, as one that came by
LFS is, so that nothing else of the Hub needs to know of Xet. Xorbs and shards are kept as they came, since later shards
may name the xorbs again, and clients ask whether a chunk is there.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from functools import cache
from mmap import ACCESS_READ, mmap
from pathlib import Path

from localhub.errors import RefusedError
from localhub.repos.content import Content
from localhub.xet.shards import File, Shard, malformed, parse_shard, shard_about
from localhub.xet.xorbs import LARGEST_BYTES, Chunk, find_chunks, unpack
from localhub.xet.xorbs import malformed as malformed_xorb


class XetStore:
    """All xorbs, below one folder.

    `place` tells this store from others that were at the same address before, for clients remember by address what a
    store has, and never ask again. `files` has what a file is made of by the hash by which clients ask for it, and
    `hashes` has that hash by the sha256 of the content.
    """

    def __init__(self, root: Path, content: Content) -> None:
        self._xorbs, self._shards, place = root / "xorbs", root / "shards", root / "place"
        for folder in (self._xorbs, self._shards):
            folder.mkdir(parents=True, exist_ok=True)
        if not place.exists():
            place.write_text(secrets.token_hex(4))
        self.place = place.read_text()
        self._content = content
        self._sent: dict[tuple[str, str], Path] = {}
        self.files: dict[str, File] = {}
        self.hashes: dict[str, str] = {}
        self._records_by_chunk: dict[str, bytes] = {}
        for left in self._xorbs.glob("*.tmp"):
            left.unlink()
        for shard in self._shards.iterdir():
            self._remember(parse_shard(shard.read_bytes()))

    def has_xorb(self, name: str) -> bool:
        return self.xorb_path(name).exists()

    def xorb_path(self, name: str) -> Path:
        return self._xorbs / name

    async def receive(self, name: str, upload: str, stream: AsyncIterator[bytes]) -> bool:
        """Take in a xorb, for `settle` to keep; False if this upload was taken in before.

        Raises RefusedError (400) if it is too large.
        """
        if (name, upload) in self._sent:
            return False
        temporary = self._xorbs / f"{secrets.token_hex(8)}.tmp"
        with temporary.open("wb", buffering=0) as file:
            async for piece in stream:
                if file.tell() + file.write(piece) > LARGEST_BYTES:
                    raise malformed_xorb(f"more than {LARGEST_BYTES} bytes")
        self._sent[name, upload] = temporary
        return True

    async def settle(self, name: str, upload: str) -> bool:
        """Keep a xorb that was taken in; False if there was one already.

        Raises RefusedError: 404 if none was taken in, 400 if it is not well formed.
        """
        sent = self._sent.pop((name, upload), None)
        if sent is None:
            raise RefusedError(404, f"nothing was sent for {upload}")
        if not sent.stat().st_size:
            raise malformed_xorb("empty")
        await asyncio.to_thread(_chunks, sent)
        is_new = not self.has_xorb(name)
        sent.replace(self.xorb_path(name))
        return is_new

    async def register(self, data: bytes) -> list[tuple[str, int]]:
        """Put the files of a shard together; returns sha256 and size of each. Raises RefusedError (400)."""
        shard = parse_shard(data)
        received = await asyncio.to_thread(self._put_together, shard)
        (self._shards / secrets.token_hex(8)).write_bytes(data)
        self._remember(shard)
        return received

    def _remember(self, shard: Shard) -> None:
        self.files |= {file.xet_hash: file for file in shard.files}
        self.hashes |= {file.sha256: file.xet_hash for file in shard.files}
        for block in shard.blocks:
            self._records_by_chunk |= dict.fromkeys(block.chunks, block.records)

    def chunks(self, name: str) -> list[Chunk]:
        return _chunks(self.xorb_path(name))

    def about_chunk(self, chunk: str) -> bytes | None:
        """A shard about the xorb that has a chunk; None if there is none."""
        records = self._records_by_chunk.get(chunk)
        return shard_about(records) if records else None

    def _put_together(self, shard: Shard) -> list[tuple[str, int]]:
        find = cache(self._find)
        for block in shard.blocks:
            if len(find(block.xorb)[1]) != len(block.chunks):
                raise malformed(f"xorb {block.xorb} has other chunks")
        for file in shard.files:
            if not file.sha256:
                raise malformed(f"file {file.xet_hash} comes without its sha256")
            self._content.write(_pieces(file, find), file.sha256, file.size)
        return [(file.sha256, file.size) for file in shard.files]

    def _find(self, name: str) -> tuple[mmap, list[Chunk]]:
        if not self.has_xorb(name):
            raise malformed(f"xorb {name} was never uploaded")
        xorb = _mapped(self.xorb_path(name))
        return xorb, find_chunks(xorb)


def _pieces(file: File, find: Callable[[str], tuple[mmap, list[Chunk]]]) -> Iterator[bytes]:
    for term in file.terms:
        xorb, chunks = find(term.xorb)
        wanted = chunks[term.first : term.end]
        if len(wanted) != term.end - term.first or not wanted or sum(one.size for one in wanted) != term.size:
            raise malformed(f"file {file.xet_hash} names chunks that xorb {term.xorb} does not have")
        for chunk in wanted:
            yield unpack(xorb, chunk)


def _mapped(path: Path) -> mmap:
    with path.open("rb") as file:
        return mmap(file.fileno(), 0, access=ACCESS_READ)


def _chunks(path: Path) -> list[Chunk]:
    with _mapped(path) as xorb:
        return find_chunks(xorb)
