"""What every part holds: few rows of few keys, each of them known beforehand."""

import polars as pl

from scripts.rehearsal.chunks import seeded
from scripts.sample.builtin import BuiltinSource
from scripts.sample.entities import SCHEMAS
from wikidata.config import Table
from wikidata.names import Source


class Contents(BuiltinSource):
    """The built-in sample, of which a part has the first of `keys` keys and a random third of the others.

    So most languages are sparse, as in the real data. It is always the same for a seed, and an id is there once for
    each table and key.
    """

    def __init__(self, seed: int, keys: int, rows: int) -> None:
        super().__init__(keys, rows, seed)
        self.seed = seed

    def rows(self, table: Table, file: Source) -> pl.DataFrame:
        """The rows of a table that a part has."""
        first, *others = self.keys[table]
        chosen = seeded(self.seed, table.value, file.chunk, file.part).sample(others, len(others) // 3)
        return super().rows(table, file).filter(pl.col(table.partition_column).is_in([first, *chosen]))

    def expected(self, table: Table, chunk: int, parts: int) -> pl.DataFrame:
        """Every row that a table of a chunk has, as `key`, `id` and `digest`."""
        rows = pl.concat(self.rows(table, Source(chunk, part, parts)) for part in range(parts))
        return digests(table, rows, pl.col(table.partition_column))


def digests(table: Table, rows: pl.DataFrame, key: pl.Expr) -> pl.DataFrame:
    """Rows as `key`, `id` and a `digest` of the whole row, 0 if they have other columns than the table."""
    digest = rows.hash_rows() if rows.schema == SCHEMAS[table] else pl.repeat(0, rows.height, dtype=pl.UInt64)
    return rows.select(key.alias("key"), "id", digest.alias("digest"))
