"""A sample of real entities: every label, description, alias, sitelink and statement becomes a row."""

import gzip
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from scripts.sample.__main__ import main
from scripts.sample.build import write_sample
from scripts.sample.builtin import WELL_KNOWN
from scripts.sample.entities import made_up, read_entities
from scripts.sample.source_files import SampleError
from wikidata.config import Table

REAL_ENTITIES = Path(__file__).resolve().parents[3] / "shared" / "data" / "wikidata-entities.ndjson.gz"
REAL_ROWS = {  # the README.md beside the file
    Table.LABELS: 131_679,
    Table.DESCRIPTIONS: 42_458,
    Table.ALIASES: 25_265,
    Table.LINKS: 89_895,
    Table.CLAIMS: 46_010,
}
needs_real_entities = pytest.mark.skipif(
    not REAL_ENTITIES.exists(), reason=f"{REAL_ENTITIES.name} is not in ../shared/data"
)


def names(root: Path, pattern: str) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.glob(pattern))


def read(path: Path) -> pl.DataFrame:
    return pl.read_parquet(path, hive_partitioning=False)


def entity(id_: str, **fields: Any) -> dict[str, Any]:
    empty: dict[str, Any] = {"labels": [], "descriptions": {}, "aliases": {}, "sitelinks": {}, "claims": []}
    return {"id": id_, "type": "item", **empty, **fields}


def label(language: str, value: str) -> dict[str, dict[str, str]]:
    return {language: {"language": language, "value": value}}


def write_entities(path: Path, *entities: dict[str, Any]) -> Path:
    path.write_text("".join(f"{json.dumps(line)}\n" for line in entities))
    return path


def test_entities_are_dealt_out_in_order(tmp_path: Path) -> None:
    lines = [entity(f"Q{number}", labels=label("en", f"{number}")) for number in range(1, 7)]
    write_sample(tmp_path, {3: 2, 30: 1}, entities=write_entities(tmp_path / "e.ndjson", *lines))
    folder = tmp_path / "results" / "labels" / "language=en"
    stems = ("chunk_3-00000-of-00002", "chunk_3-00001-of-00002", "chunk_30-00000-of-00001")
    assert [read(folder / f"{stem}.parquet")["id"].to_list() for stem in stems] == [
        ["Q1", "Q2"],
        ["Q3", "Q4"],
        ["Q5", "Q6"],
    ]


def test_a_part_without_rows_has_an_empty_sidecar_and_no_partition_files(tmp_path: Path) -> None:
    write_sample(tmp_path, {3: 2}, entities=write_entities(tmp_path / "e", entity("Q1", labels=label("en", "1"))))
    assert names(tmp_path, "results/*/*/*") == ["results/labels/language=en/chunk_3-00000-of-00002.parquet"]
    for table, part in ((Table.LABELS, 1), (Table.LINKS, 0)):
        sidecar = read(tmp_path / "audit" / table / f"chunk_3-0000{part}-of-00002.parquet")
        assert sidecar.is_empty()
        assert sidecar.columns == [table.partition_column, "rows", "min_id", "max_id"]


def test_keys_that_are_not_codes_are_left_out_and_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels = label("en", "ok") | label("../up", "bad") | label("EN", "bad")
    file = write_entities(tmp_path / "e", entity("Q1", labels=labels))
    assert main([str(tmp_path / "box"), "--chunks=3", "--parts=1", f"--entities={file}"]) == 0
    assert names(tmp_path / "box", "results/labels/*=*") == ["results/labels/language=en"]
    assert capsys.readouterr().err.splitlines() == [
        "python -m scripts.sample: labels: '../up' is not a valid key: its rows are left out: 1",
        "python -m scripts.sample: labels: 'EN' is not a valid key: its rows are left out: 1",
    ]


def test_only_the_most_frequent_keys_are_taken_if_a_number_is_given(tmp_path: Path) -> None:
    lines = [entity("Q1", labels=label("aa", "1") | label("no", "1")), entity("Q2", labels=label("no", "2"))]
    sample = write_sample(tmp_path, {3: 1}, keys=1, entities=write_entities(tmp_path / "e", *lines))
    assert sample.rows(Table.LABELS) == {"no": 2}
    assert read(tmp_path / "results" / "labels" / "chunk_3-00000-of-00001.parquet").height == 2


def test_the_built_in_claims_are_of_every_kind() -> None:
    claims = read_entities(WELL_KNOWN).tables[Table.CLAIMS]
    assert set(claims["rank"]) == {"preferred", "normal", "deprecated"}
    assert set(claims["snaktype"]) == {"value", "somevalue", "novalue"}
    assert {"mul", "de", "nb"} <= set(claims["language"])
    values = {(id_, datatype): value for id_, datatype, value in claims["id", "datatype", "value"].rows()}
    assert values["P31", "wikibase-property"] == "P279"
    assert values["Q64", "quantity"] == '{"amount":"+891","unit":"http://www.wikidata.org/entity/Q712226"}'


def test_a_table_that_is_not_known_has_made_up_rows_of_its_default_key() -> None:
    assert made_up(Table.LINKS, "Q1") == ("Q1", "enwiki", "title of Q1", "badges of Q1")


@pytest.mark.parametrize(
    ("snak", "expected"),
    [
        ({"datatype": "url", "datavalue": {"type": "string", "value": "a b"}}, ("mul", "url", "a b")),
        ({"datavalue": {"type": "string", "value": "a"}}, ("mul", "string", "a")),
        (
            {"datavalue": {"type": "monolingualtext", "value": {"text": "Hei", "language": "no"}}},
            ("no", "monolingualtext", "Hei"),
        ),
        (
            {"datavalue": {"type": "wikibase-entityid", "value": {"entity-type": "item", "numeric-id": 5}}},
            ("mul", "wikibase-item", "Q5"),
        ),
        (
            {"datavalue": {"type": "wikibase-entityid", "value": {"entity-type": "property", "id": "P31"}}},
            ("mul", "wikibase-property", "P31"),
        ),
        (
            {"datavalue": {"type": "quantity", "value": {"unit": "ü", "amount": "+1"}}},
            ("mul", "quantity", '{"amount":"+1","unit":"ü"}'),
        ),
        (
            {"datavalue": {"type": "globecoordinate", "value": {"latitude": 1.5}}},
            ("mul", "globe-coordinate", '{"latitude":1.5}'),
        ),
        ({"snaktype": "novalue", "datatype": "time"}, ("mul", "time", None)),
        ({"snaktype": "somevalue"}, ("mul", None, None)),
    ],
)
def test_a_statement_becomes_a_row(tmp_path: Path, snak: dict[str, Any], expected: tuple[str, ...]) -> None:
    statement = {"mainsnak": {"snaktype": "value", "property": "P1", **snak}, "rank": "normal"}
    file = write_entities(tmp_path / "e", entity("Q1", claims={"P1": [statement]}))
    claims = read_entities(file).tables[Table.CLAIMS].drop("entity")
    language, datatype, value = expected
    snaktype = snak.get("snaktype", "value")
    assert claims.rows() == [("Q1", language, "P1", datatype, snaktype, value, "normal")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"id": "Q1"}\n[1]\n', r"e\.gz:2: not an entity in Wikibase JSON form"),
        (b'{"labels": {}}\n', r"e\.gz:1: not an entity in Wikibase JSON form: 'id' is missing"),
        (b'{"id": "Q1", "labels": {"en": {"value": []}}}\n', r"e\.gz: labels with values that are not strings"),
        (b"\n", r"e\.gz has no entities"),
    ],
)
def test_a_file_of_something_else_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "e.gz").write_bytes(gzip.compress(content))
    with pytest.raises(SampleError, match=message):
        write_sample(tmp_path / "box", {3: 1}, entities=tmp_path / "e.gz")
    assert not (tmp_path / "box").exists()


@pytest.mark.parametrize("content", [None, b"no gzip", gzip.compress(b'{"id": "Q1"}\n', mtime=0)[:-9]])
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "e.gz").write_bytes(content)
    with pytest.raises(SampleError, match=r"e\.gz cannot be read"):
        write_sample(tmp_path / "box", {3: 1}, entities=tmp_path / "e.gz")


@needs_real_entities
def test_every_row_of_the_real_entities_is_read() -> None:
    assert {table: rows.height for table, rows in read_entities(REAL_ENTITIES).tables.items()} == REAL_ROWS


@needs_real_entities
def test_every_row_of_a_tenth_of_the_real_entities_is_written_once(tmp_path: Path) -> None:
    """A push of all of them is in test_push.py."""
    with gzip.open(REAL_ENTITIES) as file:
        (tmp_path / "tenth").write_bytes(b"".join(list(file)[::10]))
    sample = write_sample(tmp_path / "box", {3: 1}, entities=tmp_path / "tenth", process_files=False)
    invalid = {table: sum(rows for (of, _), rows in sample.invalid_keys.items() if of is table) for table in Table}
    for table, rows in read_entities(tmp_path / "tenth").tables.items():
        files = list((tmp_path / "box" / "results" / table).glob("*/*.parquet"))
        written = pl.scan_parquet(files, hive_partitioning=False).group_by(table.partition_column).len().collect()
        assert dict(written.iter_rows()) == sample.rows(table)
        assert written["len"].sum() == rows.height - invalid[table]
    assert {"no", "zh-hant", "be-tarask"} <= sample.rows(Table.LABELS).keys()
