"""The one schema that all files of a table must have.

Readers open each file alone, and one odd file breaks `load_dataset` for everybody.
"""

import pyarrow as pa

from wikidata.dataset.footers import conflict, difference
from wikidata.dataset.survey import Partitions
from wikidata.errors import ManifestError


def unify(partitions: Partitions, published: tuple[pa.Schema, str] | None) -> pa.Schema:
    """The one schema of all packed files: columns that some files lack, or have null-typed, are there for all.

    The partition column is appended if no file has it. If files are `published`, it must be theirs. Raises
    ManifestError, naming two files, if types differ, or if there is a column that the published files lack.
    """
    table, column = partitions.table, partitions.table.partition_column
    known = ([published] if published else []) + list(partitions.schemas)
    schema = pa.schema([])
    for index, (other, path) in enumerate(known):
        for earlier, first in known[:index]:
            if contradiction := conflict(other, earlier):
                raise ManifestError(f"{table}: {path} {contradiction} {first}: recreate it")
        schema = pa.unify_schemas([schema, other])
    if column not in schema.names:
        schema = schema.append(pa.field(column, pa.large_string()))
    if published and not schema.equals(published[0]):
        path = next(path for other, path in partitions.schemas if difference(other, published[0]))
        raise ManifestError(f"{table}: {path} {difference(schema, published[0])} {published[1]}: recreate it")
    return schema


def require_one(partitions: Partitions, published: tuple[pa.Schema, str] | None) -> pa.Schema:
    """The schema that all partition files have, which are published as they are.

    Raises ManifestError, naming two files, if one has another, or lacks the partition column.
    """
    table, column = partitions.table, partitions.table.partition_column
    known = ([published] if published else []) + list(partitions.schemas)
    for schema, path in known:
        if column not in schema.names:
            raise ManifestError(f"{table}: {path} lacks the column {column}: recreate it, or use LAYOUT=packed")
        if not schema.equals(known[0][0]):
            unlike = f"{difference(schema, known[0][0])} {known[0][1]}"
            raise ManifestError(f"{table}: {path} {unlike}: recreate one of them, or use LAYOUT=packed")
    return known[0][0] if known else pa.schema([])
