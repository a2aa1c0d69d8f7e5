"""The columns of a repo's files: `manifests/labels.columns.json` remembers them, so that no later chunk has others.

Readers open each file alone, and one odd file breaks `load_dataset` for everybody.
"""

import base64
import json
from pathlib import Path

import pyarrow as pa

from wikidata.config import Table
from wikidata.dataset.footers import conflict, difference
from wikidata.dataset.survey import Partitions
from wikidata.errors import ManifestError
from wikidata.system.files import make_private_folder, write_atomically


def columns_path(manifest_dir: Path, table: Table) -> Path:
    """Where the columns of a table are remembered."""
    return manifest_dir / f"{table}.columns.json"


def remember_columns(manifest_dir: Path, table: Table, repo_id: str, schema: pa.Schema, chunk: int) -> None:
    """Write down that the files of `chunk` in `repo_id` have this schema, unless a chunk's is known already."""
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
    """The schema of the files in a repo, and whose it is, in words; None where nothing is known of this repo."""
    try:
        content = json.loads(columns_path(manifest_dir, table).read_bytes())
        if content["repo"] != repo_id:
            return None
        schema = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(content["arrow"])))
        return schema, f"the files of chunk {int(content['chunk'])} in {repo_id}"
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException):
        return None


def unify(partitions: Partitions, published: tuple[pa.Schema, str] | None) -> pa.Schema:
    """The one schema of all packed files: columns that some files lack, or have null-typed, are there for all.

    The partition column is appended where no file has it. Where files are `published`, theirs it must be. Raises
    ManifestError, naming two files, where types differ, and where there is a column that the published files lack.
    """
    table, column = partitions.table, partitions.table.partition_column
    known = ([published] if published else []) + list(partitions.schemas)
    schema = pa.schema([])
    for index, (other, path) in enumerate(known):
        for earlier, first in known[:index]:
            if contradiction := conflict(other, earlier):
                raise ManifestError(f"{table}: {path} {contradiction} {first}: make it again")
        schema = pa.unify_schemas([schema, other])
    if column not in schema.names:
        schema = schema.append(pa.field(column, pa.large_string()))
    if published and not schema.equals(published[0]):
        path = next(path for other, path in partitions.schemas if difference(other, published[0]))
        raise ManifestError(f"{table}: {path} {difference(schema, published[0])} {published[1]}: make it again")
    return schema


def require_one(partitions: Partitions, published: tuple[pa.Schema, str] | None) -> pa.Schema:
    """The schema that all partition files have, which are published as they are.

    Raises ManifestError, naming two files, where one has another, or lacks the partition column.
    """
    table, column = partitions.table, partitions.table.partition_column
    known = ([published] if published else []) + list(partitions.schemas)
    for schema, path in known:
        if column not in schema.names:
            raise ManifestError(f"{table}: {path} lacks the column {column}: make it again, or use LAYOUT=packed")
        if not schema.equals(known[0][0]):
            unlike = f"{difference(schema, known[0][0])} {known[0][1]}"
            raise ManifestError(f"{table}: {path} {unlike}: make one of them again, or use LAYOUT=packed")
    return known[0][0] if known else pa.schema([])
