"""The columns of a repo's files: `manifests/labels.columns.json` records them, so that no later chunk has others."""

import base64
import json
from pathlib import Path

import pyarrow as pa

from wikidata.config import Table
from wikidata.system.files import make_private_folder, write_atomically


def columns_path(manifest_dir: Path, table: Table) -> Path:
    """Where the columns of a table are recorded."""
    return manifest_dir / f"{table}.columns.json"


def record_columns(manifest_dir: Path, table: Table, repo_id: str, schema: pa.Schema, chunk: int) -> None:
    """Write down that the files of `chunk` in `repo_id` have this schema, unless a chunk's is recorded already."""
    if read_columns(manifest_dir, table, repo_id) is None:
        content = {
            "repo": repo_id,
            "chunk": chunk,
            "columns": {field.name: str(field.type) for field in schema},
            "arrow": base64.b64encode(schema.serialize().to_pybytes()).decode(),
        }
        path = columns_path(make_private_folder(manifest_dir), table)
        write_atomically(path, (json.dumps(content, indent=2) + "\n").encode())


def read_columns(manifest_dir: Path, table: Table, repo_id: str) -> tuple[pa.Schema, str] | None:
    """The schema of the files in a repo, and whose it is, in words; None if nothing is recorded of this repo."""
    try:
        content = json.loads(columns_path(manifest_dir, table).read_bytes())
        if content["repo"] != repo_id:
            return None
        schema = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(content["arrow"])))
        return schema, f"the files of chunk {int(content['chunk'])} in {repo_id}"
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException):
        return None
