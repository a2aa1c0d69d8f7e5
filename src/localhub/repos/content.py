"""File content by its sha256: written under a temporary name while it is hashed, then renamed into place.

What has a name here is whole and has that hash. Nothing is synced: content survives the death of the server, not a
power cut.
"""

import asyncio
import hashlib
import itertools
import re
import shutil
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from localhub.errors import RefusedError

SHA256 = re.compile(r"[0-9a-f]{64}")


class Content:
    def __init__(self, root: Path) -> None:
        self._root = root / "content"
        self._incoming = root / "incoming"
        self._names = itertools.count()
        shutil.rmtree(self._incoming, ignore_errors=True)
        for folder in (self._root, self._incoming):
            folder.mkdir(parents=True, exist_ok=True)

    def path(self, sha256: str) -> Path:
        return self._root / sha256[:2] / sha256[2:]

    def store(self, content: bytes) -> str:
        """Keep `content` and return its sha256."""
        sha256 = hashlib.sha256(content).hexdigest()
        if not self.path(sha256).exists():
            self.write([content], sha256, len(content))
        return sha256

    def write(self, pieces: Iterable[bytes], sha256: str, size: int) -> None:
        """Keep content that must have this hash and size. Raises RefusedError (400) if it has not."""
        digest = hashlib.sha256()
        with self._new_file() as temporary:
            with temporary.open("wb") as file:
                for piece in pieces:
                    digest.update(piece)
                    file.write(piece)
            self._check_and_keep(temporary, digest.hexdigest(), sha256, size)

    async def receive(self, stream: AsyncIterator[bytes], sha256: str, size: int) -> None:
        """The same for a stream."""
        with self._new_file() as temporary:
            received = await _write_stream(stream, temporary, hashlib.sha256())
            self._check_and_keep(temporary, received, sha256, size)

    async def receive_part(self, stream: AsyncIterator[bytes], upload: str, number: int) -> str:
        """Keep part `number` of a multipart upload and return its ETag."""
        with self._new_file() as temporary:
            etag = await _write_stream(stream, temporary, hashlib.md5(usedforsecurity=False))
            part = self._part(upload, number, etag)
            part.parent.mkdir(exist_ok=True)
            temporary.replace(part)
        return etag

    async def assemble(self, upload: str, etags: list[str], sha256: str, size: int) -> None:
        """Join the parts of an upload, in order, into the content with this hash and size."""
        parts = [self._part(upload, number, etag) for number, etag in enumerate(etags, 1)]
        if missing := [part.name for part in parts if not part.exists()]:
            raise RefusedError(400, f"InvalidPart: not uploaded or another ETag: {missing[0]}")
        await asyncio.to_thread(self.write, (part.read_bytes() for part in parts), sha256, size)
        shutil.rmtree(self._incoming / upload, ignore_errors=True)

    def _part(self, upload: str, number: int, etag: str) -> Path:
        return self._incoming / upload / f"{number}-{etag}"

    @contextmanager
    def _new_file(self) -> Iterator[Path]:
        path = self._incoming / f"{next(self._names)}.tmp"
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    def _check_and_keep(self, temporary: Path, received: str, sha256: str, size: int) -> None:
        size_bytes = temporary.stat().st_size
        if (received, size_bytes) != (sha256, size):
            wrong = f"expected {sha256} with {size} bytes, got {received} with {size_bytes}"
            raise RefusedError(400, f"XAmzContentSHA256Mismatch: {wrong}")
        path = self.path(sha256)
        path.parent.mkdir(exist_ok=True)
        temporary.replace(path)


async def _write_stream(stream: AsyncIterator[bytes], path: Path, digest: "hashlib._Hash") -> str:
    with path.open("wb", buffering=0) as file:
        async for piece in stream:
            digest.update(piece)
            file.write(piece)
    return digest.hexdigest()
