"""The columns of a repo's files: recorded in each repo, as `manifests/columns.json`, so that no later chunk has others.

`manifests/labels.columns.json` is our copy of it.
"""

import base64
import json
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from wikidata.config import Table
from wikidata.records.lock import hold_records
from wikidata.system.files import write_atomically


class Columns(NamedTuple):
    """The schema of the files in a repo, and whose it is, in words; `content` is the recorded file."""

    schema: pa.Schema
    source: str
    content: bytes


def columns_path(manifest_dir: Path, table: Table) -> Path:
    """Where our copy of the columns of a table lies."""
    return manifest_dir / f"{table}.columns.json"


def columns_of(schema: pa.Schema, chunk: int) -> Columns:
    """The columns that the files of `chunk` bring into a repo."""
    content = {
        "chunk": chunk,
        "columns": {field.name: str(field.type) for field in schema},
        "arrow": base64.b64encode(schema.serialize().to_pybytes()).decode(),
    }
    return Columns(schema, _words(chunk), (json.dumps(content, indent=2) + "\n").encode())


def parse_columns(content: bytes) -> Columns | None:
    """A recorded file; None if it is damaged."""
    try:
        facts = json.loads(content)
        schema = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(facts["arrow"])))
        return Columns(schema, _words(int(facts["chunk"])), content)
    except (ValueError, KeyError, TypeError, OSError, pa.ArrowException):  # garbled schemas are OSErrors, too
        return None


def read_columns(manifest_dir: Path, table: Table) -> Columns | None:
    """Our copy; None if there is none. Whether it is still that of the repo is for the repo to say."""
    try:
        return parse_columns(columns_path(manifest_dir, table).read_bytes())
    except OSError:
        return None


def is_of(columns: Columns, repo_id: str) -> bool:
    """Whether columns name the repo that they are of, as they did before repos recorded them."""
    return bool(json.loads(columns.content).get("repo") == repo_id)


def write_columns(manifest_dir: Path, table: Table, columns: Columns) -> None:
    """Keep a copy, unless there is the same. Raises DiskError."""
    ours = read_columns(manifest_dir, table)
    if ours is None or ours.content != columns.content:
        with hold_records(manifest_dir):
            write_atomically(columns_path(manifest_dir, table), columns.content)


def _words(chunk: int) -> str:
    return f"the published files of chunk {chunk}"
