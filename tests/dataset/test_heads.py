"""The heads of the sources of a folded file are the first bytes of these, and so what Xet looks for."""

from pathlib import Path
from secrets import token_hex

import pyarrow as pa

from wikidata.config import Table
from wikidata.dataset.folding import Folded, Segment, fold
from wikidata.dataset.heads import HEAD_BYTES, write_heads
from wikidata.dataset.writing import Encoders, write_parquet

SCHEMA = pa.schema([("id", pa.large_string()), ("language", pa.large_string()), ("label", pa.large_string())])


def source(folder: Path, chunk: int, groups: list[int]) -> Segment:
    """A packed file of a chunk, with so many rows in each row group."""
    path = folder / f"language=en/chunk_{chunk}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    tables = [
        pa.table({"id": ["Q1"] * rows, "language": ["en"] * rows, "label": [token_hex(500) for _ in range(rows)]})
        for rows in groups
    ]
    with Encoders() as encoders:
        size_bytes, digest, rows = write_parquet(path, [table.cast(SCHEMA) for table in tables], SCHEMA, encoders)
    return Segment(f"language=en/{path.name}", size_bytes, digest, chunk, 0, rows, "")


def test_each_source_with_a_row_group_that_was_kept_has_a_head(tmp_path: Path) -> None:
    there, made, heads = tmp_path / "there", tmp_path / "made", tmp_path / "heads"
    sources = [source(there, chunk, groups) for chunk, groups in enumerate([[5000], [10], [5000, 5000], [20], [30]])]
    second = sources[2]
    cut = [second._replace(rows=5000), second._replace(chunk=9, first_row=5000, rows=5000)]
    file = Folded("language=en/chunk_0-9.parquet", (*sources[:2], *cut, *sources[3:]))
    fold([file], Table.LABELS, SCHEMA, made, lambda segment, _: there / segment.path, lambda: False)
    assert write_heads([file], made, heads) == 2
    whole = [(there / sources[chunk].path).read_bytes() for chunk in (0, 2)]
    assert [path.read_bytes() for path in sorted(heads.iterdir())] == [each[: HEAD_BYTES + 4] for each in whole]
