"""One schema for all files of a table, across keys, parts and chunks."""

from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from wikidata.config import Table
from wikidata.dataset.schema import require_one, unify
from wikidata.dataset.survey import Partitions
from wikidata.errors import ManifestError
from wikidata.records.columns import (
    Columns,
    columns_of,
    columns_path,
    parse_columns,
    read_columns,
    write_columns,
)

LABELS, REPO = Table.LABELS, "permutans/wikidata-labels"
TEXT = pa.large_string()
PLAIN = pa.schema([("id", TEXT), ("language", TEXT), ("label", TEXT)])


def partitions(*schemas: pa.Schema) -> Partitions:
    named = tuple((schema, f"language=en/{number}.parquet") for number, schema in enumerate(schemas))
    return Partitions(30, 1, LABELS, Path(), pl.DataFrame(), named, (0, ""))


def test_columns_are_kept_as_the_repo_records_them(tmp_path: Path) -> None:
    assert read_columns(tmp_path, LABELS) is None
    nested = PLAIN.append(pa.field("badges", pa.large_list(TEXT)))
    columns = columns_of(nested, 3)
    assert parse_columns(columns.content) == columns
    write_columns(tmp_path, LABELS, columns)
    assert read_columns(tmp_path, LABELS) == Columns(nested, "the published files of chunk 3", columns.content)
    assert read_columns(tmp_path, Table.CLAIMS) is None
    columns_path(tmp_path, LABELS).write_text("{")
    assert read_columns(tmp_path, LABELS) is None


def refusal(check: object, *schemas: pa.Schema, published: pa.Schema | None = PLAIN) -> str:
    there = (published, f"the files of chunk 3 in {REPO}") if published else None
    with pytest.raises(ManifestError) as raised:
        check(partitions(*schemas), there)  # type: ignore[operator]
    return str(raised.value)


def test_files_as_they_are_must_all_have_the_same_columns() -> None:
    assert require_one(partitions(PLAIN, PLAIN), None) == PLAIN
    assert require_one(partitions(), None) == pa.schema([])
    more = PLAIN.append(pa.field("unit", TEXT))
    assert (
        "1.parquet has the column unit, unlike language=en/0.parquet: recreate one of them, or use LAYOUT=packed"
        in (refusal(require_one, PLAIN, more, published=None))
    )
    assert f"0.parquet has the column unit, unlike the files of chunk 3 in {REPO}" in refusal(require_one, more)
    assert "lacks the column label, unlike" in refusal(require_one, PLAIN.remove(2))
    assert "has its columns in another order than" in refusal(require_one, pa.schema(reversed(list(PLAIN))))
    lacking = PLAIN.remove(1)
    assert (
        refusal(require_one, lacking, published=None)
    ) == "labels: language=en/0.parquet lacks the column language: recreate it, or use LAYOUT=packed"


def test_packing_takes_the_columns_of_what_is_published() -> None:
    there = (PLAIN, "the files of chunk 3")
    assert unify(partitions(PLAIN.remove(2)), there) == PLAIN
    assert unify(partitions(pa.schema(reversed(list(PLAIN)))), there) == PLAIN
    assert unify(partitions(PLAIN.set(2, pa.field("label", pa.null()))), there) == PLAIN
    assert unify(partitions(PLAIN.remove(1)), None).names == ["id", "label", "language"]


def test_packing_refuses_what_published_files_do_not_have() -> None:
    assert "0.parquet has label as int64, not as large_string like the files of chunk 3 in" in refusal(
        unify, PLAIN.set(2, pa.field("label", pa.int64()))
    )
    message = refusal(unify, PLAIN, PLAIN.append(pa.field("unit", TEXT)))
    assert "language=en/1.parquet has the column unit, unlike the files of chunk 3 in" in message
    typed = refusal(unify, PLAIN, published=PLAIN.set(2, pa.field("label", pa.null())))
    assert "0.parquet has label as large_string, not as null like the files of chunk 3" in typed
