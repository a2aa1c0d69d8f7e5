"""What every part holds: few rows of few keys, each of them known beforehand, and Parquet files that cost nothing.

A file is made by putting ids of one length into the bytes of a ready one, which takes 0.03 ms; polars takes 0.4, and
a rehearsal of all chunks has more than half a million.
"""

import io
from functools import cache

import polars as pl

from scripts.rehearsal.chunks import seeded
from scripts.sample.entities import SCHEMAS
from scripts.sample.keys import choose_keys
from scripts.sample.source_files import SourceFile
from wikidata.config import Table

MOST_ROWS = 99
"""Rows of a key in a part: two digits of an id."""

_BLANK = "Q" + "~" * 8
"""Stands for the chunk and the part in the ids of a ready file."""


class Contents:
    """What each part holds, by chance and always the same for a seed.

    A part has the first of `keys` keys and a random third of the others, as most languages are sparse, and from 1 to
    `rows` rows of each. An id is made of chunk, part and row, so it is there once for each table and key; the other
    text of a row repeats the key and the id, so that a row that is mixed up shows.
    """

    def __init__(self, seed: int, keys: int, rows: int) -> None:
        self.seed = seed
        self.keys = {table: choose_keys(table, keys) for table in Table}
        self.most_rows = min(rows, MOST_ROWS)

    def rows(self, table: Table, source: SourceFile) -> dict[str, int]:
        """The number of rows of every key that a part has."""
        chance = seeded(self.seed, table.value, source.chunk, source.part)
        first, *others = self.keys[table]
        chosen = sorted([first, *chance.sample(others, len(others) // 3)])
        return {key: chance.randint(1, self.most_rows) for key in chosen}

    def file(self, table: Table, key: str, rows: int, source: SourceFile) -> bytes:
        """A partition file."""
        return _blank_file(table, key, rows).replace(_BLANK.encode(), _lead(source).encode())

    def sidecar(self, table: Table, source: SourceFile) -> pl.DataFrame:
        """The sidecar of a part."""
        facts = [(key, rows, _id(source, 0), _id(source, rows - 1)) for key, rows in self.rows(table, source).items()]
        return pl.DataFrame(facts, schema=[table.partition_column, "rows", "min_id", "max_id"], orient="row")

    def expected(self, table: Table, chunk: int, parts: int) -> pl.DataFrame:
        """Every row that a table of a chunk has, as `key` and `id`."""
        sources = [SourceFile(chunk, part, parts) for part in range(parts)]
        rows = [
            (key, _id(source, row))
            for source in sources
            for key, count in self.rows(table, source).items()
            for row in range(count)
        ]
        return pl.DataFrame(rows, schema={"key": pl.String, "id": pl.String}, orient="row")


def is_intact(table: Table, frame: pl.DataFrame, key: str) -> pl.Series:
    """Which rows of a file of this key have the columns and the text that rows of it are made with."""
    if frame.schema != SCHEMAS[table]:
        return pl.repeat(False, frame.height, eager=True)
    texts = [pl.col(name) == pl.format("{} {}", pl.lit(key), "id") for name in _texts(table)]
    return frame.select(pl.all_horizontal(pl.col(table.partition_column) == key, *texts)).to_series()


def _texts(table: Table) -> list[str]:
    kinds = SCHEMAS[table].items()
    return [name for name, kind in kinds if kind == pl.String and name not in ("id", table.partition_column)]


def _id(source: SourceFile, row: int) -> str:
    return f"{_lead(source)}{row:02d}"


def _lead(source: SourceFile) -> str:
    return f"Q{source.chunk:03d}{source.part:05d}"


@cache
def _blank_file(table: Table, key: str, rows: int) -> bytes:
    ids = [f"{_BLANK}{row:02d}" for row in range(rows)]
    columns: dict[str, list[object]] = {name: [[]] * rows for name in SCHEMAS[table]}
    columns |= {name: [f"{key} {id_}" for id_ in ids] for name in _texts(table)}
    columns |= {"id": list(ids), table.partition_column: [key] * rows}
    content = io.BytesIO()
    pl.DataFrame(columns, schema=SCHEMAS[table]).write_parquet(content, compression="uncompressed")
    return content.getvalue()
