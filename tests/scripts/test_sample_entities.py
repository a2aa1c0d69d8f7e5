"""A sample of real entities: every label, description, alias, sitelink and statement becomes a row."""

import gzip
import json
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from scripts.sample.__main__ import main
from scripts.sample.build import write_sample
from scripts.sample.entities import made_up, read_entities
from scripts.sample.source_files import SampleError
from wikidata.config import Table

REAL_ENTITIES = Path(__file__).resolve().parents[3] / "shared" / "data" / "wikidata-entities.ndjson.gz"
REAL_ROWS = {"labels": 131_679, "descriptions": 42_458, "aliases": 25_265, "links": 89_895, "claims": 46_010}
"""As the README.md beside the file says."""
needs_real_entities = pytest.mark.skipif(
    not REAL_ENTITIES.exists(), reason=f"{REAL_ENTITIES.name} is not in ../shared/data"
)
gzipped = partial(gzip.compress, mtime=0)


def entity(id_: str, **fields: Any) -> dict[str, Any]:
    empty: dict[str, Any] = {"labels": [], "descriptions": {}, "aliases": {}, "sitelinks": {}, "claims": []}
    return {"id": id_, "type": "item", **empty, **fields}


def label(language: str, value: str) -> dict[str, dict[str, str]]:
    return {language: {"language": language, "value": value}}


def write_entities(path: Path, *entities: dict[str, Any]) -> Path:
    path.write_text("".join(f"{json.dumps(line)}\n" for line in entities))
    return path


def rows_of(root: Path, table: Table) -> dict[str, list[Any]]:
    """The ids in every file of a table, by its path."""
    folder = root / "results" / table
    return {
        path.relative_to(folder).as_posix(): pl.read_parquet(path, hive_partitioning=False)["id"].to_list()
        for path in folder.rglob("*.parquet")
    }


def test_entities_are_dealt_out_in_order_and_parts_without_rows_have_empty_sidecars(tmp_path: Path) -> None:
    lines = [entity(f"Q{number}", labels=label("en", f"{number}")) for number in range(1, 6)]
    file = write_entities(tmp_path / "e.ndjson", *lines)
    write_sample(tmp_path, {3: 2, 30: 1}, entities=file, process_files=False)
    assert rows_of(tmp_path, Table.LABELS) == {
        "language=en/chunk_3-00000-of-00002.parquet": ["Q1", "Q2"],
        "language=en/chunk_3-00001-of-00002.parquet": ["Q3", "Q4"],
        "language=en/chunk_30-00000-of-00001.parquet": ["Q5"],
    }
    assert rows_of(tmp_path, Table.LINKS) == {}
    sidecar = pl.read_parquet(tmp_path / "audit" / "links" / "chunk_3-00000-of-00002.parquet")
    assert (sidecar.height, sidecar.columns) == (0, ["site", "rows", "min_id", "max_id"])


def test_keys_that_are_not_codes_are_left_out_and_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels = label("en", "ok") | label("../up", "bad") | label("EN", "bad")
    file = write_entities(tmp_path / "e", entity("Q1", labels=labels))
    assert main([str(tmp_path / "box"), "--chunks=3=1", "--no-process-files", f"--entities={file}"]) == 0
    assert rows_of(tmp_path / "box", Table.LABELS).keys() == {"language=en/chunk_3-00000-of-00001.parquet"}
    assert capsys.readouterr().err.splitlines() == [
        f"python -m scripts.sample: labels: {key!r} is not a valid key: its rows are left out: 1"
        for key in ("../up", "EN")
    ]


def test_only_the_most_frequent_keys_are_taken_if_a_number_is_given(tmp_path: Path) -> None:
    lines = [entity("Q1", labels=label("aa", "1") | label("no", "1")), entity("Q2", labels=label("no", "2"))]
    write_sample(tmp_path, {3: 1}, keys=1, entities=write_entities(tmp_path / "e", *lines))
    name = "chunk_3-00000-of-00001.parquet"
    assert rows_of(tmp_path, Table.LABELS) == {name: ["Q1", "Q2"], f"language=no/{name}": ["Q1", "Q2"]}


def test_a_table_that_is_not_known_has_made_up_rows_of_its_default_key() -> None:
    assert made_up(Table.LINKS, "Q1") == ("Q1", "enwiki", "title of Q1", "badges of Q1")


def value(kind: str, value: object) -> dict[str, Any]:
    return {"datavalue": {"type": kind, "value": value}}


NORWEGIAN = {"text": "Hei", "language": "no"}


@pytest.mark.parametrize(
    ("snak", "expected"),
    [
        ({"datatype": "url", **value("string", "a b")}, ("mul", "url", "a b")),
        (value("string", "a"), ("mul", "string", "a")),
        (value("monolingualtext", NORWEGIAN), ("no", "monolingualtext", "Hei")),
        (value("wikibase-entityid", {"entity-type": "item", "numeric-id": 5}), ("mul", "wikibase-item", "Q5")),
        (value("wikibase-entityid", {"entity-type": "property", "id": "P31"}), ("mul", "wikibase-property", "P31")),
        (value("quantity", {"unit": "ü", "amount": "+1"}), ("mul", "quantity", '{"amount":"+1","unit":"ü"}')),
        (value("globecoordinate", {"latitude": 1.5}), ("mul", "globe-coordinate", '{"latitude":1.5}')),
        ({"snaktype": "novalue", "datatype": "time"}, ("mul", "time", None)),
        ({"snaktype": "somevalue"}, ("mul", None, None)),
    ],
)
def test_a_statement_becomes_a_row(tmp_path: Path, snak: dict[str, Any], expected: tuple[str, ...]) -> None:
    statement = {"mainsnak": {"snaktype": "value", "property": "P1", **snak}, "rank": "normal"}
    file = write_entities(tmp_path / "e", entity("Q1", claims={"P1": [statement]}))
    claims = read_entities(file).tables[Table.CLAIMS].drop("entity")
    language, datatype, text = expected
    assert claims.rows() == [("Q1", language, "P1", datatype, snak.get("snaktype", "value"), text, "normal")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (gzipped(b'{"id": "Q1"}\n[1]\n'), r"e\.gz:2: not an entity in Wikibase JSON form"),
        (gzipped(b'{"labels": {}}\n'), r"e\.gz:1: not an entity in Wikibase JSON form: KeyError\('id'\)"),
        (
            gzipped(b'{"id": "Q1", "labels": {"en": {"value": []}}}\n'),
            r"e\.gz: labels with values that are not strings",
        ),
        (gzipped(b"\n"), r"e\.gz has no entities"),
        (b"no gzip", r"e\.gz cannot be read"),
        (gzipped(b'{"id": "Q1"}\n')[:-9], r"e\.gz cannot be read"),
    ],
    ids=["list", "no id", "no string", "empty", "no gzip", "cut"],
)
def test_a_file_of_something_else_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "e.gz").write_bytes(content)
    with pytest.raises(SampleError, match=message):
        write_sample(tmp_path / "box", {3: 1}, entities=tmp_path / "e.gz")
    assert not (tmp_path / "box").exists()


@needs_real_entities
def test_every_row_of_the_real_entities_is_read_and_written_once(tmp_path: Path) -> None:
    """Of a fiftieth of them, every row is written; a push of all of them is in test_push.py."""
    heights = {table.value: rows.height for table, rows in read_entities(REAL_ENTITIES).tables.items()}
    assert heights.items() >= REAL_ROWS.items()
    with gzip.open(REAL_ENTITIES) as file:
        (tmp_path / "some").write_bytes(b"".join(list(file)[::50]))
    sample = write_sample(tmp_path / "box", {3: 1}, entities=tmp_path / "some", process_files=False)
    for table, rows in read_entities(tmp_path / "some").tables.items():
        invalid = [key for of, key in sample.invalid_keys if of is table]
        expected = rows.filter(~pl.col(table.partition_column).is_in(invalid)).drop("entity")
        files = list((tmp_path / "box" / "results" / table).glob("*/*.parquet"))
        written = pl.read_parquet(files, hive_partitioning=False)
        assert written.hash_rows().sort().equals(expected.hash_rows().sort())
