"""Wikidata entities in the Wikibase JSON form as rows of the tables.

The form is that of https://doc.wikimedia.org/Wikibase/master/php/docs_topics_json.html; empty maps may be `[]`. The
columns are those of `Table.columns`. What is not plain there:

- aliases have a row per alias, claims one per statement, from its main snak
- `badges` of links are a list of ids
- `language` of a claim is that of a monolingual text, and `mul` for everything else
- `datatype` is derived from the value if the snak, being old, has none; null if there is no value either
- `value` is the string, the text of a monolingual text, the id of an entity, or else (time, quantity, coordinate) JSON
  text with sorted keys and no spaces; null if `snaktype` is not `value`

A table that this module does not know has a row per entity, of its default key, with the column's name in its texts.
"""

import gzip
import json
import re
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from scripts.sample.source_files import SampleError
from wikidata.config import Table
from wikidata.names import Source

NO_LANGUAGE = "mul"
"""Wikimedia's code for "multiple languages"."""

_LISTS = {"badges"}
_STRINGS = pl.List(pl.String())
SCHEMAS = {
    table: pl.Schema({name: _STRINGS if name in _LISTS else pl.String() for name in table.columns}) for table in Table
}

_VALID_KEY = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*")
_ID_PREFIXES = {"item": "Q", "property": "P", "lexeme": "L"}

_Row = tuple[Any, ...]
_Json = dict[str, Any]


class Entities(NamedTuple):
    """The rows of a file of `number` entities, in its order.

    `tables` has the columns of SCHEMAS, and `entity` (Int64), the index of the row's entity.
    """

    number: int
    tables: dict[Table, pl.DataFrame]


class EntitySource:
    """Real entities, dealt out to the source files in order, in blocks of equal size.

    `keys` are the `key_count` keys with most rows of each table, all if that is None. `invalid_keys` are those that are
    left out because they are not lower-case codes, with their rows.
    """

    def __init__(self, path: Path, files: Sequence[Source], key_count: int | None) -> None:
        self.keys: dict[Table, list[str]] = {}
        self.invalid_keys: dict[tuple[Table, str], int] = {}
        self._rows: dict[tuple[Table, Source], pl.DataFrame] = {}
        entities = read_entities(path)
        file_index = (pl.col("entity") * len(files) // entities.number).alias("file")
        for table, rows in entities.tables.items():
            column = table.partition_column
            counted = rows.group_by(column).len().sort("len", column, descending=[True, False]).rows()
            valid = [key for key, _ in counted if _VALID_KEY.fullmatch(key)]
            self.invalid_keys |= {(table, key): count for key, count in counted if not _VALID_KEY.fullmatch(key)}
            self.keys[table] = valid[:key_count]
            chosen = rows.filter(pl.col(column).is_in(self.keys[table])).with_columns(file_index).drop("entity")
            parts = chosen.partition_by("file", as_dict=True, include_key=False, maintain_order=True)
            self._rows |= {(table, files[index]): part for (index,), part in parts.items()}

    def rows(self, table: Table, file: Source) -> pl.DataFrame:
        """The rows of a table that come from one source file, with the columns of SCHEMAS."""
        return self._rows.get((table, file), SCHEMAS[table].to_frame())


def read_entities(path: Path) -> Entities:
    """Read a file of one JSON entity a line, compressed if its name ends in `.gz`.

    Raises SampleError, with the line, if it cannot be read or a line is not an entity.
    """
    rows: dict[Table, list[_Row]] = {table: [] for table in Table}
    number = 0
    try:
        with gzip.open(path) if path.name.endswith(".gz") else path.open("rb") as file:
            for line_number, line in enumerate(file, start=1):
                if line.strip():
                    for table, found in _parse(line, f"{path}:{line_number}").items():
                        rows[table] += [(number, *row) for row in found]
                    number += 1
    except (OSError, EOFError, zlib.error) as error:
        raise SampleError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if not number:
        raise SampleError(f"{path} has no entities")
    return Entities(number, {table: _frame(table, found, path) for table, found in rows.items()})


def _parse(line: bytes, place: str) -> dict[Table, list[_Row]]:
    try:
        return _rows_of(json.loads(line))
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise SampleError(f"{place}: not an entity in Wikibase JSON form: {error!r}") from error


def _frame(table: Table, rows: list[_Row], path: Path) -> pl.DataFrame:
    try:
        return pl.DataFrame(rows, schema={"entity": pl.Int64(), **SCHEMAS[table]}, orient="row")
    except (TypeError, pl.exceptions.PolarsError) as error:
        raise SampleError(f"{path}: {table} with values that are not strings: {str(error).splitlines()[0]}") from error


def _rows_of(entity: _Json) -> dict[Table, list[_Row]]:
    id_ = entity["id"]

    def items(field: str) -> list[tuple[str, Any]]:
        content: _Json = entity.get(field) or {}
        return list(content.items())

    rows: dict[Table, list[_Row]] = {
        Table.LABELS: [(id_, language, term["value"]) for language, term in items("labels")],
        Table.DESCRIPTIONS: [(id_, language, term["value"]) for language, term in items("descriptions")],
        Table.ALIASES: [(id_, language, term["value"]) for language, terms in items("aliases") for term in terms],
        Table.LINKS: [(id_, site, link["title"], link["badges"]) for site, link in items("sitelinks")],
        Table.CLAIMS: [(id_, *_claim(statement)) for _, statements in items("claims") for statement in statements],
    }
    return {table: rows[table] if table in rows else [made_up(table, id_)] for table in Table}


def made_up(table: Table, id_: str) -> _Row:
    """A row of a table that this module does not know."""
    known = {"id": id_, table.partition_column: table.default_key}
    return tuple(known.get(name, f"{name} of {id_}") for name in table.columns)


def _claim(statement: _Json) -> _Row:
    """The columns of claims after `id`."""
    snak = statement["mainsnak"]
    data = snak.get("datavalue") or {}
    kind = data.get("type")
    language = data["value"]["language"] if kind == "monolingualtext" else NO_LANGUAGE
    if kind == "wikibase-entityid":
        kind = f"wikibase-{data['value']['entity-type']}"
    elif kind == "globecoordinate":
        kind = "globe-coordinate"
    datatype = snak.get("datatype") or kind
    return language, snak["property"], datatype, snak["snaktype"], _value(data), statement["rank"]


def _value(data: _Json) -> str | None:
    if not data:
        return None
    kind, value = data["type"], data["value"]
    if kind == "monolingualtext":
        value = value["text"]
    elif kind == "wikibase-entityid":
        value = value.get("id") or f"{_ID_PREFIXES[value['entity-type']]}{value['numeric-id']}"
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
