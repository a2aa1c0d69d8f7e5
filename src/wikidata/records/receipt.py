"""Receipts: `manifests/chunk_3/labels.receipt.json` says that the Hub had every file of a manifest, and when."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from wikidata.config import Table
from wikidata.errors import DiskError
from wikidata.names import ANY_CHUNK, chunk_folder, chunk_of_folder
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


def receipt_path(manifest_dir: Path, chunk: int, table: Table) -> Path:
    """Where the receipt of a table of a chunk lies."""
    return manifest_dir / chunk_folder(chunk) / f"{table}.receipt.json"


def write_receipt(manifest_dir: Path, chunk: int, table: Table, receipt: Receipt) -> None:
    """Write a receipt atomically."""
    path = receipt_path(manifest_dir, chunk, table)
    make_private_folder(path.parent)
    write_atomically(path, (json.dumps(asdict(receipt), indent=2) + "\n").encode())


def read_receipt(manifest_dir: Path, chunk: int, table: Table) -> Receipt | None:
    """Read a receipt; None if there is none, or none that can be believed."""
    try:
        return Receipt(**json.loads(receipt_path(manifest_dir, chunk, table).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def is_recorded(manifest_dir: Path, chunk: int, table: Table, repo_id: str) -> bool:
    """Whether there is a receipt for the manifest as it is written, in just this repo."""
    digest = file_digest(manifest_path(manifest_dir, chunk, table))
    return digest is not None and is_vouched_for(manifest_dir, chunk, table, repo_id, digest)


def is_vouched_for(manifest_dir: Path, chunk: int, table: Table, repo_id: str, digest: str) -> bool:
    """Whether there is a receipt for the manifest with this digest, in just this repo."""
    receipt = read_receipt(manifest_dir, chunk, table)
    return receipt is not None and (receipt.repo, receipt.manifest_sha256) == (repo_id, digest)


def recorded_chunks(manifest_dir: Path, table: Table, repo_id: str) -> list[int]:
    """The chunks of which there is a receipt of the table in just this repo, in order."""
    paths = manifest_dir.glob(f"{ANY_CHUNK}/{table}.receipt.json")
    chunks = sorted(chunk for path in paths if (chunk := chunk_of_folder(path.parent.name)) is not None)
    receipts = {chunk: read_receipt(manifest_dir, chunk, table) for chunk in chunks}
    return [chunk for chunk, receipt in receipts.items() if receipt and receipt.repo == repo_id]


def remove_receipt(manifest_dir: Path, chunk: int, table: Table) -> None:
    """Withdraw a receipt: what it vouches for is no longer known to be true. Raises DiskError."""
    path = receipt_path(manifest_dir, chunk, table)
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise DiskError(f"cannot remove {path}: {error.strerror}: mend its permissions") from error
