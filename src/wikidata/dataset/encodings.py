"""How the columns of a row group are encoded, which follows from its rows alone: equal rows give equal bytes.

The encodings are those of the Parquet format, measured with real entities (DESIGN, "Layouts").
"""

import io
from functools import lru_cache
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

BLOCK_ROWS = 4096
"""Pages end with the Arrow chunks of a column, so each that is written has as many rows."""
_OPTIONS: dict[str, Any] = {"compression": "zstd", "compression_level": 3, "write_page_index": True}
"""3 is the default level of zstd itself; pyarrow's is 1."""
DICTIONARY_ROWS = 1024
"""The dictionaries of a row group of fewer rows take more than they save."""
DISTINCT_SHARE = 4
"""So does that of texts of which, in the first block, more than one in so many is distinct."""
_ALONE = "DELTA_LENGTH_BYTE_ARRAY"
"""How texts without a dictionary are written: the lengths of a page, then its letters, which compress better so."""
RULES = f"{_OPTIONS}\ndictionaries from {DICTIONARY_ROWS} rows, of 1/{DISTINCT_SHARE} of {BLOCK_ROWS}, else {_ALONE}"
"""Everything that the encoding depends on beside the rows."""


def options_of(group: pa.Table | None) -> dict[str, Any]:
    """What a pyarrow.parquet.ParquetWriter is to be told for a row group, or for a file without any."""
    if group is None:
        return _OPTIONS
    texts = [each.name for each in group.schema if pa.types.is_string(each.type) or pa.types.is_large_string(each.type)]
    if group.num_rows < DICTIONARY_ROWS:
        return _options(texts, [])
    block = pl.DataFrame(group.slice(0, BLOCK_ROWS).select(texts))  # of a column alone, polars makes a Series in 35 ms
    unlike = [each.name for each in block.iter_columns() if each.n_unique() * DISTINCT_SHARE > len(each)]
    return _options(unlike, [path for path in _paths(group.schema) if path not in unlike])


def _options(alone: list[str], with_dictionary: list[str]) -> dict[str, Any]:
    return _OPTIONS | {"use_dictionary": with_dictionary, "column_encoding": dict.fromkeys(alone, _ALONE)}


@lru_cache
def _paths(schema: pa.Schema) -> tuple[str, ...]:
    """The columns that Parquet makes of those of Arrow."""
    file = io.BytesIO()
    pq.write_table(schema.empty_table(), file)
    columns = pq.ParquetFile(file).schema
    return tuple(columns.column(index).path for index in range(len(columns)))
