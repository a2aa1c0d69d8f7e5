"""Texts that hardly repeat have their lengths apart, all else has a dictionary, if there are enough rows for one."""

import io

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from wikidata.dataset.encodings import BLOCK_ROWS, DICTIONARY_ROWS, DISTINCT_SHARE, options_of


def encodings_of(group: pa.Table) -> dict[str, str]:
    """How the values of each column, or their places in its dictionary, are encoded in a file."""
    file = io.BytesIO()
    pq.write_table(group, file, row_group_size=group.num_rows, **options_of(group))
    facts = pq.read_metadata(file).row_group(0)
    for read in (pl.DataFrame(pq.read_table(file)), pl.read_parquet(file.getvalue())):
        assert read.equals(pl.DataFrame(group))
    columns = [facts.column(index) for index in range(facts.num_columns)]
    return {each.path_in_schema: each.encodings[-1] for each in columns}


@pytest.mark.parametrize("rows", [DICTIONARY_ROWS, 20_000])
def test_texts_that_hardly_repeat_have_no_dictionary(rows: int) -> None:
    few, many = (min(rows, BLOCK_ROWS) // DISTINCT_SHARE + extra for extra in (0, 1))
    group = pa.table(
        {
            "few": [f"Q{number % few}" for number in range(rows)],
            "many": [f"Q{number % many}" for number in range(rows)],
            "large": pa.array([f"Q{number}" if number % 3 else None for number in range(rows)], pa.large_string()),
            "null": pa.array([None] * rows, pa.large_string()),
            "number": range(rows),
            "list": [[f"Q{number}"] for number in range(rows)],
            "nothing": pa.nulls(rows),
        }
    )
    assert encodings_of(group) == {
        "few": "RLE_DICTIONARY",
        "many": "DELTA_LENGTH_BYTE_ARRAY",
        "large": "DELTA_LENGTH_BYTE_ARRAY",
        "null": "RLE_DICTIONARY",
        "number": "RLE_DICTIONARY",
        "list.list.element": "RLE_DICTIONARY",
        "nothing": "RLE_DICTIONARY",
    }


def test_short_row_groups_have_no_dictionaries() -> None:
    rows = DICTIONARY_ROWS - 1
    group = pa.table({"text": ["en"] * rows, "number": range(rows), "list": [["en"]] * rows})
    expected = {"text": "DELTA_LENGTH_BYTE_ARRAY", "number": "PLAIN", "list.list.element": "PLAIN"}
    assert encodings_of(group) == expected


@pytest.mark.parametrize("rows", [DICTIONARY_ROWS - 1, 20_000])
def test_how_rows_are_encoded_depends_on_them_alone(rows: int) -> None:
    group = pa.table({"id": [f"Q{number}" for number in range(rows)], "language": ["en"] * rows})
    pieces = [group.slice(start, 777) for start in range(0, rows, 777)]
    assert options_of(pa.concat_tables(pieces)) == options_of(group)
    assert options_of(pa.concat_tables([group.slice(5), group]).slice(rows - 5)) == options_of(group)
