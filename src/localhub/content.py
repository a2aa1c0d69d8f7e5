"""File content by its sha256: written under a temporary name while it is hashed, then renamed into place.

What has a name here is whole and has that hash. Nothing is synced: content survives the death of the server, not a
power cut.
"""

import asyncio
import hashlib
import itertools
import re
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from localhub.errors import RefusedError

SHA256 = re.compile(r"[0-9a-f]{64}")
COPY_BYTES = 1 << 20


class Content:
    """The content of all repos, below one folder."""

    def __init__(self, root: Path) -> None:
        self._root = root / "content"
        self._incoming = root / "incoming"
        self._names = itertools.count()
        shutil.rmtree(self._incoming, ignore_errors=True)
        for folder in (self._root, self._incoming):
            folder.mkdir(parents=True, exist_ok=True)

    def path(self, sha256: str) -> Path:
        """Where the content with this hash is, or would be."""
        return self._root / sha256[:2] / sha256[2:]

    def has(self, sha256: str) -> bool:
        """Whether the content is there."""
        return self.path(sha256).exists()

    def read(self, sha256: str) -> bytes:
        """The whole content."""
        return self.path(sha256).read_bytes()

    def store(self, content: bytes) -> str:
        """Keep `content` and return its sha256."""
        sha256 = hashlib.sha256(content).hexdigest()
        if not self.has(sha256):
            with self.incoming() as temporary:
                temporary.write_bytes(content)
                self.keep(temporary, sha256)
        return sha256

    async def receive(self, chunks: AsyncIterator[bytes], sha256: str, size: int) -> None:
        """Keep a stream that must have this hash and size; raises RefusedError (400) where it has not."""
        with self.incoming() as temporary:
            received, size_bytes = await _write(chunks, temporary, hashlib.sha256)
            _check(received, size_bytes, sha256, size)
            self.keep(temporary, sha256)

    async def receive_part(self, chunks: AsyncIterator[bytes], upload: str, number: int) -> str:
        """Keep part `number` of a multipart upload and return its ETag."""
        with self.incoming() as temporary:
            etag, _ = await _write(chunks, temporary, _md5)
            part = self._part(upload, number, etag)
            part.parent.mkdir(exist_ok=True)
            temporary.replace(part)
        return etag

    async def assemble(self, upload: str, etags: list[str], sha256: str, size: int) -> None:
        """Join the parts of an upload, in order, into the content with this hash and size."""
        parts = [self._part(upload, number, etag) for number, etag in enumerate(etags, 1)]
        if missing := [part.name for part in parts if not part.exists()]:
            raise RefusedError(400, f"InvalidPart: not uploaded or another ETag: {missing[0]}")
        await asyncio.to_thread(self._join, parts, sha256, size)
        shutil.rmtree(self._incoming / upload, ignore_errors=True)

    def _join(self, parts: list[Path], sha256: str, size: int) -> None:
        digest = hashlib.sha256()
        with self.incoming() as temporary:
            with temporary.open("wb") as file:
                for part in parts:
                    with part.open("rb") as piece:
                        while chunk := piece.read(COPY_BYTES):
                            digest.update(chunk)
                            file.write(chunk)
            _check(digest.hexdigest(), temporary.stat().st_size, sha256, size)
            self.keep(temporary, sha256)

    def _part(self, upload: str, number: int, etag: str) -> Path:
        return self._incoming / upload / f"{number}-{etag}"

    @contextmanager
    def incoming(self) -> Iterator[Path]:
        """A new file to write content to, for `keep` to rename; removed where that does not come to pass."""
        path = self._incoming / f"{next(self._names)}.tmp"
        try:
            yield path
        except BaseException:
            path.unlink(missing_ok=True)
            raise

    def keep(self, temporary: Path, sha256: str) -> None:
        """Give a file that was written the name of its content's sha256."""
        path = self.path(sha256)
        try:
            temporary.replace(path)
        except FileNotFoundError:
            path.parent.mkdir(exist_ok=True)
            temporary.replace(path)


def _md5() -> "hashlib._Hash":
    return hashlib.md5(usedforsecurity=False)


async def _write(chunks: AsyncIterator[bytes], path: Path, new_hash: Callable[[], "hashlib._Hash"]) -> tuple[str, int]:
    digest = new_hash()
    size_bytes = 0
    with path.open("wb", buffering=0) as file:
        async for chunk in chunks:
            digest.update(chunk)
            file.write(chunk)
            size_bytes += len(chunk)
    return digest.hexdigest(), size_bytes


def _check(received: str, size_bytes: int, sha256: str, size: int) -> None:
    if (received, size_bytes) != (sha256, size):
        raise RefusedError(
            400, f"XAmzContentSHA256Mismatch: expected {sha256} with {size} bytes, got {received} with {size_bytes}"
        )
