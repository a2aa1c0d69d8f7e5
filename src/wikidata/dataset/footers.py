"""What the footer of a Parquet file says, without reading its pages.

pyarrow reads the footer of a file in memory within microseconds; polars has no function for row groups.
"""

from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

MAGIC = b"PAR1"
"""Both ends of a Parquet file (parquet.apache.org, File Format)."""


class Footer(NamedTuple):
    """`rows` of a file, the uncompressed bytes of its largest row group, and its columns, without metadata."""

    rows: int
    row_group_bytes: int
    schema: pa.Schema


class FooterReader:
    """Reads footers; files with equal columns share one schema, since 43,000 of them would take 100 MB."""

    def __init__(self) -> None:
        self._schemas: list[pa.Schema] = []

    def __call__(self, source: str | bytes) -> Footer:
        """Read the footer of a local file, or of a file's whole content. Raises pa.ArrowException or OSError."""
        with pq.ParquetFile(pa.BufferReader(source) if isinstance(source, bytes) else source) as file:
            facts = file.metadata
            groups = (facts.row_group(index).total_byte_size for index in range(facts.num_row_groups))
            return Footer(facts.num_rows, max(groups, default=0), self._shared(file.schema_arrow))

    def _shared(self, schema: pa.Schema) -> pa.Schema:
        for known in self._schemas:
            if schema.equals(known):
                return known
        self._schemas.append(schema.remove_metadata())
        return self._schemas[-1]


def conflict(one: pa.Schema, other: pa.Schema) -> str | None:
    """Why two schemas cannot be made one, as `has x as int64, not as string like`; None if they can.

    They can if columns are missing in one, or null-typed.
    """
    for field in one:
        index = other.get_field_index(field.name)
        if index >= 0:
            types = (field.type, other.field(index).type)
            if types[0] != types[1] and not any(pa.types.is_null(each) for each in types):
                return f"has {field.name} as {types[0]}, not as {types[1]} like"
    return None


def difference(one: pa.Schema, other: pa.Schema) -> str | None:
    """The first thing in which two schemas differ, as `has the column x, unlike`; None if they are equal."""
    for field in one:
        index = other.get_field_index(field.name)
        if index < 0:
            return f"has the column {field.name}, unlike"
        if other.field(index).type != field.type:
            return f"has {field.name} as {field.type}, not as {other.field(index).type} like"
    lacking = [name for name in other.names if name not in one.names]
    if lacking:
        return f"lacks the column {lacking[0]}, unlike"
    return None if one.equals(other) else "has its columns in another order than"
