"""A few well-known entities of Wikidata, written down by hand, as rows of the five tables.

well_known.json has, for each id, `labels` and `descriptions` (text by language), `aliases` (texts by language),
`sitelinks` (title by site), `badges` (ids by site; may be left out) and `claims`. These are lists of property,
datatype, value, rank (`normal` where left out) and snaktype (`value` where left out). A value is null or one string:

- quantity: `891 Q712226`, the number and its unit; or the number alone
- time: `1952-03-11`, a day
- globe-coordinate: `52.52 13.40`, the latitude and the longitude
- monolingualtext: `nb Kongeriket Norge`, the language and the text
- all others: as in the table

They tell plain facts, in our own words; they are not what Wikidata says at any time.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from scripts.sample.entities import NO_LANGUAGE, SCHEMAS, json_text
from wikidata.config import Table

WELL_KNOWN = Path(__file__).with_suffix(".json")

_CONCEPTS = "http://www.wikidata.org/entity/"
_EARTH, _GREGORIAN = f"{_CONCEPTS}Q2", f"{_CONCEPTS}Q1985727"
_DAY = 11
"""The precision of a time that is a day, in Wikibase."""
_DEGREES = 0.01

_Row = tuple[Any, ...]


def read_well_known() -> dict[Table, pl.DataFrame]:
    """The rows of all well-known entities, with the columns of SCHEMAS, in the order of the file."""
    rows: dict[Table, list[_Row]] = {table: [] for table in Table}
    for id_, entity in json.loads(WELL_KNOWN.read_bytes()).items():
        for table, row in _rows(entity):
            rows[table].append((id_, *row))
    return {table: pl.DataFrame(found, schema=SCHEMAS[table], orient="row") for table, found in rows.items()}


def _rows(entity: dict[str, Any]) -> Iterator[tuple[Table, _Row]]:
    """The columns after `id` of every row of an entity."""
    yield from ((Table.LABELS, term) for term in entity["labels"].items())
    yield from ((Table.DESCRIPTIONS, term) for term in entity["descriptions"].items())
    yield from ((Table.ALIASES, (language, text)) for language, texts in entity["aliases"].items() for text in texts)
    badges = entity.get("badges", {})
    yield from ((Table.LINKS, (site, title, badges.get(site, []))) for site, title in entity["sitelinks"].items())
    yield from ((Table.CLAIMS, _claim(*claim)) for claim in entity["claims"])


def _claim(property_: str, datatype: str, value: str | None, rank: str = "normal", snaktype: str = "value") -> _Row:
    language = NO_LANGUAGE
    if value is not None and datatype == "monolingualtext":
        language, _, value = value.partition(" ")
    return language, property_, datatype, snaktype, value and _text(datatype, value), rank


def _text(datatype: str, value: str) -> str:
    """A value as it stands in the table: that of a structured one is the JSON text of its Wikibase form."""
    if datatype == "quantity":
        return json_text(_quantity(*value.split()))
    if datatype == "time":
        return json_text(_time(value))
    if datatype == "globe-coordinate":
        return json_text(_coordinate(*map(float, value.split())))
    return value


def _quantity(number: str, unit: str | None = None) -> dict[str, str]:
    return {"amount": f"+{number}", "unit": f"{_CONCEPTS}{unit}" if unit else "1"}


def _time(day: str) -> dict[str, Any]:
    unused = dict.fromkeys(("after", "before", "timezone"), 0)
    return {"time": f"+{day}T00:00:00Z", "precision": _DAY, "calendarmodel": _GREGORIAN, **unused}


def _coordinate(latitude: float, longitude: float) -> dict[str, Any]:
    place = {"latitude": latitude, "longitude": longitude, "altitude": None}
    return {**place, "precision": _DEGREES, "globe": _EARTH}
