"""What every part holds: few rows of few keys, each of them known beforehand, and Parquet files that cost nothing.

A file is made by putting ids of one length into the bytes of a ready one, which takes 0.03 ms where polars takes 0.4:
a rehearsal of all chunks has more than half a million.
"""

import io
from collections.abc import Iterator
from functools import cache

import polars as pl

from scripts.rehearsal.chunks import dice
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
        chance = dice(self.seed, table.value, source.chunk, source.part)
        first, *others = self.keys[table]
        chosen = sorted([first, *chance.sample(others, len(others) // 3)])
        return {key: chance.randint(1, self.most_rows) for key in chosen}

    def file(self, table: Table, key: str, rows: int, source: SourceFile) -> bytes:
        """A partition file."""
        return _blank_file(table, key, rows).replace(_BLANK.encode(), _lead(source).encode())

    def sidecar(self, table: Table, source: SourceFile) -> pl.DataFrame:
        """The sidecar of a part."""
        rows = self.rows(table, source)
        return pl.DataFrame(
            {
                table.partition_column: list(rows),
                "rows": list(rows.values()),
                "min_id": [_id(source, 0)] * len(rows),
                "max_id": [_id(source, count - 1) for count in rows.values()],
            }
        )

    def expected(self, table: Table, chunk: int, parts: int) -> pl.DataFrame:
        """Every row that a table of a chunk has, as `key` and `id`."""
        return pl.DataFrame(
            list(self._ids(table, chunk, parts)), schema={"key": pl.String, "id": pl.String}, orient="row"
        )

    def _ids(self, table: Table, chunk: int, parts: int) -> Iterator[tuple[str, str]]:
        for part in range(parts):
            source = SourceFile(chunk, part, parts)
            for key, count in self.rows(table, source).items():
                yield from ((key, _id(source, row)) for row in range(count))


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
    columns = {name: [f"{key} {id_}" for id_ in ids] for name in _texts(table)}
    columns |= {"id": ids, table.partition_column: [key] * rows}
    schema = SCHEMAS[table]
    lists: dict[str, list[list[str]]] = {name: [[]] * rows for name in schema if name not in columns}
    content = io.BytesIO()
    pl.DataFrame({**columns, **lists}, schema_overrides=schema).select(schema.names()).write_parquet(
        content, compression="uncompressed"
    )
    return content.getvalue()
