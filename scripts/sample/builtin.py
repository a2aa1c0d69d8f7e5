"""Rows of the built-in set, a few well-known entities, for any number of keys and rows.

well_known.ndjson tells plain facts in our own words; it is not what Wikidata says at any time.
"""

from hashlib import sha256
from pathlib import Path

import polars as pl

from scripts.sample.entities import NO_LANGUAGE, SCHEMAS, read_entities
from scripts.sample.keys import choose_keys
from wikidata.config import Table
from wikidata.names import Source

WELL_KNOWN = Path(__file__).with_name("well_known.ndjson")

CHUNKS_AT_MOST = 100_000
"""Chunks are numbered below this, so that no two of them get the same ids."""

_NAME = {"property": "P2561", "datatype": "monolingualtext", "snaktype": "value", "rank": "normal"}
_REAL_DIGITS = 9


class BuiltinSource:
    """`row_count` rows for each of `key_count` keys in every source file, each a well-known entity.

    They are repeated as often as needed, in an order that depends on `seed`. Chunk 0 begins with the entities
    themselves; every other entity is a copy with an id of its own: in chunk 3, copies of Q42 are Q3000000042,
    Q100003000000042, …. So an id occurs once for each table and key, whichever chunks are made together. If an
    entity has nothing in a language or on a site, its text of the default key stands in; in claims, its name (P2561).
    """

    def __init__(self, key_count: int, row_count: int, seed: int) -> None:
        self.keys = {table: choose_keys(table, key_count) for table in Table}
        self.invalid_keys: dict[tuple[Table, str], int] = {}
        self._row_count = row_count
        tables = {table: rows.drop("entity") for table, rows in read_entities(WELL_KNOWN).tables.items()}
        tables[Table.CLAIMS] = _with_names(tables[Table.CLAIMS], tables[Table.LABELS])
        self._grids = {table: _grid(table, rows, self.keys[table], seed) for table, rows in tables.items()}

    def rows(self, table: Table, file: Source) -> pl.DataFrame:
        """The rows of a table that come from one source file, with the columns of SCHEMAS."""
        grid = self._grids[table]
        size = grid.height // len(self.keys[table])
        first = file.part * self._row_count
        number = pl.int_range(first, first + self._row_count)
        wanted = pl.LazyFrame().select(slot=number % size, copy=number // size)
        choice = pl.col("values").list.get(pl.col("copy") % pl.col("values").list.len())
        return (
            wanted.join(grid.lazy(), on="slot", maintain_order="left_right")
            .with_columns(_copied_id(file.chunk).alias("id"), choice)
            .unnest("values")
            .select(SCHEMAS[table].names())
            .collect()
        )


def _copied_id(chunk: int) -> pl.Expr:
    lead = pl.col("copy") * CHUNKS_AT_MOST + chunk
    letter, number = pl.col("id").str.head(1), pl.col("id").str.slice(1)
    copied = pl.format("{}{}{}", letter, lead, number.str.zfill(_REAL_DIGITS))
    return pl.when(lead == 0).then("id").otherwise(copied)


def _grid(table: Table, rows: pl.DataFrame, keys: list[str], seed: int) -> pl.DataFrame:
    """What every entity has for every key: its own, or else what stands in for it.

    Columns: `slot` (Int64), the entity's place in the order of `seed`; `id`; the partition column; `values`, a list of
    the other columns' values as structs. Sorted by slot, then as in `keys`.
    """
    column = table.partition_column
    common = rows.filter(pl.col(column).is_in([table.default_key, NO_LANGUAGE]))
    stand_ins = common.filter(pl.col(column) == pl.col(column).min().over("id"))
    ids = sorted(stand_ins["id"].unique(), key=lambda id_: sha256(f"{seed} {id_}".encode()).digest())
    return (
        pl.LazyFrame({"slot": range(len(ids)), "id": ids}, schema={"slot": pl.Int64, "id": pl.String})
        .join(pl.LazyFrame({column: keys}, schema={column: pl.String}), how="cross", maintain_order="left_right")
        .join(_listed(table, rows, "own"), on=["id", column], how="left", maintain_order="left")
        .join(_listed(table, stand_ins, "stand_ins").drop(column), on="id", how="left", maintain_order="left")
        .select("slot", "id", column, pl.coalesce("own", "stand_ins").alias("values"))
        .collect()
    )


def _listed(table: Table, rows: pl.DataFrame, name: str) -> pl.LazyFrame:
    """One row per id and key, with everything else of its rows as a list of structs."""
    column = table.partition_column
    values = pl.struct(pl.col(SCHEMAS[table].names()).exclude("id", column)).alias(name)
    return rows.lazy().group_by("id", column, maintain_order=True).agg(values)


def _with_names(claims: pl.DataFrame, labels: pl.DataFrame) -> pl.DataFrame:
    """The claims, and a name in every language that has a label but no claim."""
    constants = (pl.lit(value).alias(name) for name, value in _NAME.items())
    names = labels.rename({"label": "value"}).with_columns(constants).select(claims.columns)
    return pl.concat([claims, names.join(claims, on=["id", "language"], how="anti")])
