"""Data that `scripts.sample` does not make: state files alone, and one key of any size."""

import base64
from array import array
from pathlib import Path
from random import Random

import polars as pl
import pyarrow as pa

from scripts.sample.source_files import AUDIT, RESULTS, STATE, SourceFile
from wikidata.config import Table
from wikidata.state import Step

MOST_PARTS = 86
ROW_GROUP_ROWS = 100_000
RANDOM_BYTES_A_ROW = 180
TEXT_BYTES_A_ROW = RANDOM_BYTES_A_ROW // 3 * 4
"""base64 makes four letters of three bytes, and Parquet's compression three bytes of four letters."""


def write_states(root: Path, files: int, step: Step) -> None:
    """Write so many state files below `root`, in chunks of 86 parts at most."""
    folder = root / STATE
    folder.mkdir(parents=True)
    chunks = -(-files // MOST_PARTS)
    for chunk in range(chunks):
        parts = files // chunks + (chunk < files % chunks)
        for part in range(parts):
            (folder / f"{SourceFile(chunk, part, parts).stem}.jsonl").write_text(f'{{"step": {step:d}}}\n')


def write_large_key(root: Path, chunk: int, parts: int, size_bytes: int) -> None:
    """Write a chunk of `parts` parts with one key, whose files have `size_bytes` and hardly more, compressed.

    The text is random letters, the same every time. Only `labels` has files, and there are no sidecars.
    """
    folder = root / RESULTS / Table.LABELS / "language=en"
    for parent in (folder, root / STATE, root / AUDIT / Table.LABELS):
        parent.mkdir(parents=True)
    rows = -(-size_bytes // parts // RANDOM_BYTES_A_ROW)
    for part in range(parts):
        file = SourceFile(chunk, part, parts)
        _random_labels(part * rows, rows).write_parquet(folder / f"{file.stem}.parquet", row_group_size=ROW_GROUP_ROWS)
        (root / STATE / f"{file.stem}.jsonl").write_text(f'{{"step": {Step.PARTITION:d}}}\n')
    written = sum(path.stat().st_size for path in folder.iterdir())
    if written < size_bytes:
        raise AssertionError(f"the large key has only {written} bytes, not {size_bytes}")


def _random_labels(first: int, rows: int) -> pl.DataFrame:
    random = Random(first).randbytes(rows * RANDOM_BYTES_A_ROW)  # noqa: S311 - nothing here is a secret
    letters = pa.py_buffer(base64.b64encode(random))
    offsets = array("q", range(0, (rows + 1) * TEXT_BYTES_A_ROW, TEXT_BYTES_A_ROW))
    texts = pa.LargeStringArray.from_buffers(rows, pa.py_buffer(offsets), letters)
    return pl.DataFrame({"label": pl.Series(texts)}).select(
        id=pl.format("Q{}", pl.int_range(first + 1, first + rows + 1)), language=pl.lit("en"), label="label"
    )
