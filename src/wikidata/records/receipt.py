"""Receipts: `manifests/chunk_3/labels.receipt.json` says that the Hub had every file of a manifest, and when.

That of a block of chunks that was folded lies in `manifests/chunk_0-15/`.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from wikidata.config import Table
from wikidata.errors import DiskError
from wikidata.names import ANY_CHUNK, Block, block_of_folder, one
from wikidata.records.manifest import file_digest, manifest_path
from wikidata.system.files import make_private_folder, write_atomically


@dataclass(frozen=True)
class Receipt:
    """What was seen on the Hub.

    `commit` is the revision of `repo` that had all `files` (`size_bytes` together, `rows` in them) of the manifest
    whose sha256 is `manifest_sha256`; `confirmed_at` is the time in ISO 8601, UTC.
    """

    repo: str
    commit: str
    files: int
    size_bytes: int
    rows: int
    manifest_sha256: str
    confirmed_at: str


def receipt_path(manifest_dir: Path, block: Block, table: Table) -> Path:
    """Where the receipt of a table of some chunks lies."""
    return manifest_dir / block.name / f"{table}.receipt.json"


def write_receipt(manifest_dir: Path, block: Block, table: Table, receipt: Receipt) -> None:
    """Write a receipt atomically."""
    path = receipt_path(manifest_dir, block, table)
    make_private_folder(path.parent)
    write_atomically(path, (json.dumps(asdict(receipt), indent=2) + "\n").encode())


def read_receipt(manifest_dir: Path, block: Block, table: Table) -> Receipt | None:
    """Read a receipt; None if there is none, or none that can be believed."""
    try:
        return Receipt(**json.loads(receipt_path(manifest_dir, block, table).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def is_vouched_for(manifest_dir: Path, block: Block, table: Table, repo_id: str, digest: str) -> bool:
    """Whether there is a receipt for the manifest with this digest, in just this repo."""
    receipt = read_receipt(manifest_dir, block, table)
    return receipt is not None and (receipt.repo, receipt.manifest_sha256) == (repo_id, digest)


def is_recorded(manifest_dir: Path, chunk: int, table: Table, repo_id: str) -> bool:
    """Whether there is a receipt for each manifest that a chunk is part of, as it is written, in just this repo."""
    return chunk in recorded_chunks(manifest_dir, table, repo_id, only=chunk)


def recorded_chunks(manifest_dir: Path, table: Table, repo_id: str, only: int | None = None) -> dict[int, Block]:
    """The chunks of which that is so, each with the block that it is recorded in; all of them, or `only` one."""
    blocks = [block for block in blocks_here(manifest_dir, table) if only is None or block.covers(one(only))]
    recorded, unrecorded = dict[int, Block](), set[int]()
    for block in blocks:
        digest = file_digest(manifest_path(manifest_dir, block, table))
        if digest is not None and is_vouched_for(manifest_dir, block, table, repo_id, digest):
            recorded |= {chunk: block for chunk in block.chunks if chunk not in recorded or not block.is_one}
        else:
            unrecorded |= {*block.chunks}
    return {chunk: block for chunk, block in sorted(recorded.items()) if chunk not in unrecorded}


def recorded_block(manifest_dir: Path, chunk: int) -> Block:
    """All chunks that are recorded here in one block with this one, in any table: those that its push may change."""
    blocks = [block for table in Table for block in blocks_here(manifest_dir, table) if chunk in block.chunks]
    chunks = [chunk, *(end for block in blocks for end in (block.first, block.last))]
    return Block(min(chunks), max(chunks))


def blocks_with_receipt(manifest_dir: Path, table: Table, repo_id: str) -> list[Block]:
    """The blocks of which there is a receipt of the table in just this repo, in order."""
    blocks = _blocks(manifest_dir, f"{table}.receipt.json")
    receipts = {block: read_receipt(manifest_dir, block, table) for block in blocks}
    return [block for block, receipt in receipts.items() if receipt and receipt.repo == repo_id]


def blocks_here(manifest_dir: Path, table: Table) -> list[Block]:
    """The blocks of which there is a manifest of the table here, in order."""
    return _blocks(manifest_dir, f"{table}.csv")


def _blocks(manifest_dir: Path, name: str) -> list[Block]:
    """The blocks whose folder has a file of this name, in order."""
    folders = (path.parent.name for path in manifest_dir.glob(f"{ANY_CHUNK}/{name}"))
    return sorted(block for folder in folders if (block := block_of_folder(folder)) is not None)


def remove_receipt(manifest_dir: Path, block: Block, table: Table) -> None:
    """Withdraw a receipt: what it vouches for is no longer known to be true. Raises DiskError."""
    path = receipt_path(manifest_dir, block, table)
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise DiskError(f"cannot remove {path}: {error.strerror}: mend its permissions") from error
