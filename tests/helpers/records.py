"""Records of many chunks, written without a push: what status and page are made from."""

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from wikidata.config import Table, target_repos
from wikidata.records.manifest import file_digest

REPOS = target_repos("permutans")


def write_state(root: Path, chunk: int, parts: int, step: int) -> None:
    """State files of a chunk, all at the same step."""
    (root / "state").mkdir(parents=True, exist_ok=True)
    for part in range(parts):
        (root / "state" / f"chunk_{chunk}-{part:05d}-of-{parts:05d}.jsonl").write_text(json.dumps({"step": step}))


def write_receipts(root: Path, folder: str, at: datetime, tables: Mapping[Table, int] | None = None) -> None:
    """Manifests and receipts of a chunk (`chunk_3`, or `chunk_0-15`), with so many rows of each table."""
    place = root / "manifests" / folder
    place.mkdir(parents=True, exist_ok=True)
    for table, rows in (tables or dict.fromkeys(Table, 10)).items():
        (place / f"{table}.csv").write_text(f"path,size_bytes,sha256,rows\n{folder},1,0,{rows}\n")
        receipt = {"repo": REPOS[table], "commit": "c" * 40, "files": 3, "size_bytes": 1000 * rows, "rows": rows}
        receipt |= {"manifest_sha256": file_digest(place / f"{table}.csv"), "confirmed_at": at.isoformat()}
        (place / f"{table}.receipt.json").write_text(json.dumps(receipt))
