"""Where rows come from, and those of a file of entities."""

from collections.abc import Sequence
from typing import Protocol

import polars as pl

from scripts.sample.entities import SCHEMAS, Entities
from scripts.sample.keys import is_valid_key
from scripts.sample.layout import SourceFile
from wikidata.config import Table


class Source(Protocol):
    """Where rows come from.

    `keys` are the keys of each table. `invalid_keys` are those left out because they are no valid codes, with their
    number of rows.
    """

    keys: dict[Table, list[str]]
    invalid_keys: dict[tuple[Table, str], int]

    def rows(self, table: Table, file: SourceFile) -> pl.DataFrame:
        """The rows of a table that come from one source file, with the columns of SCHEMAS."""


class EntitySource:
    """Real entities, dealt out to the source files in order, in blocks of equal size.

    Of each table the `key_count` keys with most rows are taken; all where it is None.
    """

    def __init__(self, entities: Entities, files: Sequence[SourceFile], key_count: int | None) -> None:
        self.keys: dict[Table, list[str]] = {}
        self.invalid_keys: dict[tuple[Table, str], int] = {}
        self._rows: dict[tuple[Table, SourceFile], pl.DataFrame] = {}
        number = (pl.col("entity") * len(files) // entities.count).alias("source")
        for table, rows in entities.tables.items():
            self.keys[table] = self._choose(table, rows, key_count)
            chosen = rows.filter(pl.col(table.partition_column).is_in(self.keys[table])).with_columns(number)
            parts = chosen.drop("entity").partition_by("source", as_dict=True, include_key=False, maintain_order=True)
            self._rows |= {(table, files[source]): part for (source,), part in parts.items()}

    def _choose(self, table: Table, rows: pl.DataFrame, key_count: int | None) -> list[str]:
        column = table.partition_column
        counted = rows.group_by(column).len().sort("len", column, descending=[True, False])
        valid = [key for key, count in counted.iter_rows() if not self._is_invalid(table, key, count)]
        return valid[:key_count]

    def _is_invalid(self, table: Table, key: str, count: int) -> bool:
        if is_valid_key(key):
            return False
        self.invalid_keys[table, key] = count
        return True

    def rows(self, table: Table, file: SourceFile) -> pl.DataFrame:
        """The rows of a table that come from one source file, with the columns of SCHEMAS."""
        return self._rows.get((table, file), SCHEMAS[table].to_frame())
