"""Wikidata entities in the Wikibase JSON form as rows of the five tables.

The form is that of https://doc.wikimedia.org/Wikibase/master/php/docs_topics_json.html; empty maps may be `[]`.
The columns of each table are those of SCHEMAS:

- labels: `id`, `language`, `label`
- descriptions: `id`, `language`, `description`
- aliases: `id`, `language`, `alias`; a row per alias
- links: `id`, `site`, `title`, `badges` (ids of items)
- claims: `id`, `language`, `property`, `datatype`, `snaktype`, `value`, `rank`; a row per statement, from its main
  snak. `language` is that of a monolingual text, and `mul` for everything else. `datatype` is derived from the value
  where the snak, being old, has none; null where there is no value either. `value` is the string, the text of a
  monolingual text, the id of an entity, or else (time, quantity, coordinate) JSON text with sorted keys and no spaces;
  null where `snaktype` is not `value`.
"""

import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from scripts.sample.errors import SampleError
from wikidata.config import Table

NO_LANGUAGE = "mul"
"""Wikimedia's code for "multiple languages"."""


def _strings(*columns: str) -> pl.Schema:
    return pl.Schema(dict.fromkeys(columns, pl.String()))


SCHEMAS: dict[Table, pl.Schema] = {
    Table.LABELS: _strings("id", "language", "label"),
    Table.DESCRIPTIONS: _strings("id", "language", "description"),
    Table.ALIASES: _strings("id", "language", "alias"),
    Table.LINKS: pl.Schema({**_strings("id", "site", "title"), "badges": pl.List(pl.String)}),
    Table.CLAIMS: _strings("id", "language", "property", "datatype", "snaktype", "value", "rank"),
}

_ID_PREFIXES = {"item": "Q", "property": "P", "lexeme": "L"}

_Row = tuple[Any, ...]
_Json = dict[str, Any]


@dataclass(frozen=True)
class Entities:
    """The rows of a file of entities, in its order.

    `tables` has the columns of SCHEMAS, and `entity` (Int64), the number of the row's entity from 0 to `count` - 1.
    """

    count: int
    tables: dict[Table, pl.DataFrame]


def read_entities(path: Path) -> Entities:
    """Read a file of one JSON entity a line, compressed where its name ends in `.gz`.

    Raises SampleError, with the line, where it cannot be read or a line is no entity.
    """
    rows: dict[Table, list[_Row]] = {table: [] for table in Table}
    count = 0
    try:
        for number, line in enumerate(_lines(path), start=1):
            if line.strip():
                for table, found in _parse(line, f"{path}:{number}").items():
                    rows[table] += [(count, *row) for row in found]
                count += 1
    except (OSError, EOFError, zlib.error) as error:
        raise SampleError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if not count:
        raise SampleError(f"{path} has no entities")
    return Entities(count, {table: _frame(table, found, path) for table, found in rows.items()})


def json_text(value: object) -> str:
    """JSON text with sorted keys and no spaces."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _lines(path: Path) -> Iterator[bytes]:
    with gzip.open(path) if path.name.endswith(".gz") else path.open("rb") as file:
        yield from file


def _parse(line: bytes, place: str) -> dict[Table, list[_Row]]:
    try:
        return _rows_of(json.loads(line))
    except KeyError as error:
        raise SampleError(f"{place}: no entity in Wikibase JSON form: {error} is missing") from error
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise SampleError(f"{place}: no entity in Wikibase JSON form: {error}") from error


def _frame(table: Table, rows: list[_Row], path: Path) -> pl.DataFrame:
    try:
        return pl.DataFrame(rows, schema={"entity": pl.Int64, **SCHEMAS[table]}, orient="row")
    except (TypeError, pl.exceptions.PolarsError) as error:
        raise SampleError(f"{path}: {table} with values that are no strings: {str(error).splitlines()[0]}") from error


def _rows_of(entity: _Json) -> dict[Table, list[_Row]]:
    id_ = entity["id"]
    return {
        Table.LABELS: [(id_, language, term["value"]) for language, term in _items(entity, "labels")],
        Table.DESCRIPTIONS: [(id_, language, term["value"]) for language, term in _items(entity, "descriptions")],
        Table.ALIASES: [
            (id_, language, term["value"]) for language, terms in _items(entity, "aliases") for term in terms
        ],
        Table.LINKS: [(id_, site, link["title"], link["badges"]) for site, link in _items(entity, "sitelinks")],
        Table.CLAIMS: [
            (id_, *_claim(statement)) for _, statements in _items(entity, "claims") for statement in statements
        ],
    }


def _items(entity: _Json, field: str) -> list[tuple[str, Any]]:
    content: _Json = entity.get(field) or {}
    return list(content.items())


def _claim(statement: _Json) -> _Row:
    """The columns of claims after `id`."""
    snak = statement["mainsnak"]
    data = snak.get("datavalue") or {}
    monolingual = data.get("type") == "monolingualtext"
    language = data["value"]["language"] if monolingual else NO_LANGUAGE
    datatype = snak.get("datatype") or _datatype(data)
    return language, snak["property"], datatype, snak["snaktype"], _value(data), statement["rank"]


def _datatype(data: _Json) -> str | None:
    """The datatype of a property with such values, as far as the value tells."""
    if not data:
        return None
    kind: str = data["type"]
    if kind == "wikibase-entityid":
        return f"wikibase-{data['value']['entity-type']}"
    return "globe-coordinate" if kind == "globecoordinate" else kind


def _value(data: _Json) -> str | None:
    if not data:
        return None
    kind, value = data["type"], data["value"]
    if kind == "monolingualtext":
        value = value["text"]
    elif kind == "wikibase-entityid":
        value = value.get("id") or f"{_ID_PREFIXES[value['entity-type']]}{value['numeric-id']}"
    return value if isinstance(value, str) else json_text(value)
