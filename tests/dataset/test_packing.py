"""Packed files: the same rows in order, one schema, bounded row groups, and equal bytes from equal sources."""

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest

from wikidata.config import Table
from wikidata.dataset import bundles, encodings, reading, writing
from wikidata.dataset.bundles import bundles_of, recorded_bundles, sources_of
from wikidata.dataset.packing import Packed, pack
from wikidata.dataset.reading import row_groups_of
from wikidata.dataset.schema import unify
from wikidata.dataset.survey import Partitions, survey
from wikidata.errors import ChangedError, ManifestError, StagingError

LABELS = Table.LABELS
NAME = "language=en/chunk_3-0000{}-of-0000{}{}.parquet"


def write(root: Path, path: str, frame: pl.DataFrame, **options: int) -> None:
    target = root / "labels" / path
    target.parent.mkdir(parents=True, exist_ok=True)
    frame.write_parquet(target, **options)  # type: ignore[arg-type]


def rows(*ids: int, **columns: object) -> pl.DataFrame:
    frame = pl.DataFrame({"id": [f"Q{each}" for each in ids], "language": ["en"] * len(ids)})
    return frame.with_columns(**{name: pl.lit(value) for name, value in columns.items()})


def found(root: Path, parts: int) -> Partitions:
    return survey(3, parts, LABELS, root, root / "audit")


def packed(root: Path, parts: int, folder: str = "packed") -> list[Packed]:
    partitions = found(root, parts)
    schema = unify(partitions, None)
    return pack(bundles_of(partitions, schema), partitions.folder, LABELS, schema, root / folder, lambda: False)


def refusal(root: Path, parts: int) -> str:
    with pytest.raises(ManifestError) as raised:
        packed(root, parts)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_a_key_becomes_one_file_with_its_rows_in_the_order_of_parts_and_splits(tmp_path: Path) -> None:
    write(tmp_path, NAME.format(1, 2, ""), rows(7, 8))
    write(tmp_path, NAME.format(0, 2, "_10"), rows(5, 6))
    write(tmp_path, NAME.format(0, 2, "_2"), rows(3, 4))
    write(tmp_path, NAME.format(0, 2, ""), rows(1, 2))
    write(tmp_path, "language=no/chunk_3-00001-of-00002.parquet", rows(9).with_columns(language=pl.lit("no")))
    english, norwegian = packed(tmp_path, 2)
    assert (english.path, english.rows) == ("language=en/chunk_3.parquet", 8)
    assert (norwegian.path, norwegian.rows) == ("language=no/chunk_3.parquet", 1)
    frame = pl.read_parquet(tmp_path / "packed" / english.path, hive_partitioning=False)
    assert frame.equals(rows(1, 2, 3, 4, 5, 6, 7, 8))
    assert english.size_bytes == (tmp_path / "packed" / english.path).stat().st_size
    partitions = found(tmp_path, 2)
    assert sources_of(partitions).select("path", "source", "rows").rows() == [
        ("language=en/chunk_3.parquet", NAME.format(0, 2, ""), 2),
        ("language=en/chunk_3.parquet", NAME.format(0, 2, "_2"), 2),
        ("language=en/chunk_3.parquet", NAME.format(0, 2, "_10"), 2),
        ("language=en/chunk_3.parquet", NAME.format(1, 2, ""), 2),
        ("language=no/chunk_3.parquet", "language=no/chunk_3-00001-of-00002.parquet", 1),
    ]
    assert sorted(path.name for path in (tmp_path / "packed").rglob("*")) == [
        "chunk_3.parquet",
        "chunk_3.parquet",
        "language=en",
        "language=no",
    ]


def test_equal_sources_give_equal_bytes_in_every_process(tmp_path: Path) -> None:
    for part in range(3):
        write(tmp_path, NAME.format(part, 3, ""), rows(*range(part * 9000, part * 9000 + 9000), text="æ" * 99))
    code = f"""
import os, sys
os.sched_getaffinity = lambda _: range(int(sys.argv[1]))
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from test_packing import packed, reading
reading.PACKED_ROW_GROUP_BYTES = 1 << 20
print(packed(Path({str(tmp_path)!r}), 3, "for " + sys.argv[1]))
"""
    seen = set()
    for processors in ("1", "2", "7"):
        environment = os.environ | {"ARROW_IO_THREADS": processors, "PYTHONHASHSEED": processors}
        done = subprocess.run(
            [sys.executable, "-c", code, processors], env=environment, capture_output=True, text=True, check=True
        )
        file = tmp_path / f"for {processors}" / "language=en/chunk_3.parquet"
        assert pq.ParquetFile(file).num_row_groups == 4
        seen.add((done.stdout, file.read_bytes()))
    assert len(seen) == 1


def test_columns_that_are_null_typed_or_absent_are_filled_up(tmp_path: Path) -> None:
    write(tmp_path, NAME.format(0, 4, ""), rows(1, unit=None))
    write(tmp_path, NAME.format(1, 4, ""), rows(2, unit="metre"))
    write(tmp_path, NAME.format(2, 4, ""), rows(3).drop("language"))
    write(tmp_path, NAME.format(3, 4, ""), rows(4, unit="foot").select("unit", "language", "id"))
    (file,) = packed(tmp_path, 4)
    frame = pl.read_parquet(tmp_path / "packed" / file.path, hive_partitioning=False)
    assert frame.schema == {"id": pl.String, "language": pl.String, "unit": pl.String}
    assert frame.rows() == [("Q1", "en", None), ("Q2", "en", "metre"), ("Q3", "en", None), ("Q4", "en", "foot")]


def test_all_keys_get_the_same_columns_and_the_partition_column(tmp_path: Path) -> None:
    write(tmp_path, NAME.format(0, 1, ""), rows(1).drop("language"))
    write(tmp_path, "language=no/chunk_3-00000-of-00001.parquet", rows(2, rank=3).drop("language"))
    files = packed(tmp_path, 1)
    frames = [pl.read_parquet(tmp_path / "packed" / file.path, hive_partitioning=False) for file in files]
    assert [frame.rows() for frame in frames] == [[("Q1", None, "en")], [("Q2", 3, "no")]]
    assert frames[0].schema == frames[1].schema == {"id": pl.String, "rank": pl.Int32, "language": pl.String}


def test_types_are_kept(tmp_path: Path) -> None:
    frame = rows(1, 2).with_columns(
        amount=pl.Series([1.5, None], dtype=pl.Float32),
        rank=pl.Series(["a", "b"], dtype=pl.Enum(["a", "b"])),
        when=pl.Series([0, 1], dtype=pl.Datetime("ms", "UTC")),
        names=pl.Series([["x"], []], dtype=pl.List(pl.String)),
        value=pl.Series([{"x": 1}, {"x": None}], dtype=pl.Struct({"x": pl.Int16})),
    )
    write(tmp_path, NAME.format(0, 1, ""), frame)
    (file,) = packed(tmp_path, 1)
    back = pl.read_parquet(tmp_path / "packed" / file.path, hive_partitioning=False)
    assert back.schema == frame.schema
    assert back.equals(frame)


def test_types_that_contradict_each_other_are_refused_with_both_files_named(tmp_path: Path) -> None:
    write(tmp_path, NAME.format(0, 3, ""), rows(1, unit=None))
    write(tmp_path, NAME.format(1, 3, ""), rows(2, unit="metre"))
    write(tmp_path, NAME.format(2, 3, ""), rows(3, unit=7))
    expected = f"labels: {NAME.format(2, 3, '')} has unit as int32, not as large_string like {NAME.format(1, 3, '')}"
    assert refusal(tmp_path, 3).startswith(expected)


@pytest.mark.parametrize("small_key_bytes", [0, 8 << 20])
def test_row_groups_are_bounded_and_have_statistics_and_a_page_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_key_bytes: int
) -> None:
    monkeypatch.setattr(reading, "PACKED_ROW_GROUP_BYTES", 1 << 20)
    monkeypatch.setattr(reading, "SMALL_KEY_BYTES", small_key_bytes)
    monkeypatch.setattr(writing, "BLOCK_ROWS", 100)
    texts = [os.urandom(512).hex() for _ in range(3000)]
    for part in range(2):
        frame = rows(*range(3000)).with_columns(text=pl.Series(texts))
        write(tmp_path, NAME.format(part, 3, ""), frame)
    write(tmp_path, NAME.format(2, 3, ""), rows(1, text="small"))
    assert (tmp_path / "labels" / NAME.format(0, 3, "")).stat().st_size > 1 << 20  # read in batches
    (file,) = packed(tmp_path, 3)
    facts = pq.ParquetFile(tmp_path / "packed" / file.path).metadata
    groups = [facts.row_group(index) for index in range(facts.num_row_groups)]
    assert len(groups) > 5
    assert max(group.total_byte_size for group in groups) < 1.3 * (1 << 20)
    assert sum(group.num_rows for group in groups) == file.rows == 6001
    column = groups[0].column(0)
    assert (column.compression, column.is_stats_set) == ("ZSTD", True)
    assert (column.has_column_index, column.has_offset_index) == (True, True)
    assert pl.read_parquet(tmp_path / "packed" / file.path)["text"].to_list() == [*texts, *texts, "small"]


def test_what_a_packed_file_was_made_from_is_one_hash(tmp_path: Path) -> None:
    write(tmp_path, NAME.format(0, 2, ""), rows(1))
    write(tmp_path, NAME.format(1, 2, ""), rows(2))
    write(tmp_path, "language=no/chunk_3-00000-of-00002.parquet", rows(3))

    def figures() -> dict[str, str]:
        partitions = found(tmp_path, 2)
        return {each.path: each.sources_sha256 for each in bundles_of(partitions, unify(partitions, None))}

    before = figures()
    assert figures() == before
    write(tmp_path, NAME.format(1, 2, ""), rows(4))
    assert [path for path, figure in figures().items() if figure != before[path]] == ["language=en/chunk_3.parquet"]
    write(tmp_path, NAME.format(1, 2, ""), rows(4, unit="metre"))  # another column, for all keys
    assert [path for path, figure in figures().items() if figure != before[path]] == list(before)


def test_a_part_that_changes_before_it_is_packed_is_refused(tmp_path: Path) -> None:
    write(tmp_path, NAME.format(0, 1, ""), rows(1, 2))
    partitions = found(tmp_path, 1)
    schema = unify(partitions, None)
    bundled = bundles_of(partitions, schema)
    write(tmp_path, NAME.format(0, 1, ""), rows(1))
    with pytest.raises(ManifestError, match=r"en/chunk_3\.parquet would have 1 rows, its parts had 2: push again"):
        pack(bundled, partitions.folder, LABELS, schema, tmp_path / "packed", lambda: False)
    (tmp_path / "labels" / NAME.format(0, 1, "")).write_bytes(b"PAR1 but no more")
    with pytest.raises(ManifestError, match=r"chunk_3-00000-of-00001\.parquet cannot be read as Parquet"):
        pack(bundled, partitions.folder, LABELS, schema, tmp_path / "packed", lambda: False)
    assert not (tmp_path / "packed" / bundled[0].path).exists()
    with pytest.raises(StagingError, match="stopped"):
        pack(bundled, partitions.folder, LABELS, schema, tmp_path / "packed", lambda: True)


@pytest.mark.parametrize("small_bytes", [0, 1 << 20])
def test_partition_files_that_are_no_longer_what_they_were_are_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_bytes: int
) -> None:
    monkeypatch.setattr(reading, "_SMALL_BYTES", small_bytes)
    paths = [NAME.format(0, 2, ""), NAME.format(1, 2, "")]
    for index, path in enumerate(paths):
        write(tmp_path, path, rows(index))
    partitions = found(tmp_path, 2)
    schema = unify(partitions, None)
    sources, folder = sources_of(partitions), partitions.folder

    def read() -> int:
        recorded = recorded_bundles(sources, folder, LABELS, schema)
        return sum(group.num_rows for group in row_groups_of(recorded, folder, LABELS, schema)) if recorded else 0

    recorded = recorded_bundles(sources, folder, LABELS, schema)
    assert [replace(each, joined_sha256="") for each in recorded] == bundles_of(partitions, schema)
    assert read() == 2
    last = folder / paths[1]
    content = last.read_bytes()
    last.write_bytes(content.replace(b"Q1", b"Q2"))
    with pytest.raises(
        ChangedError, match=rf"labels: {paths[1]} is no longer what it was when it was pushed"
    ) as raised:
        read()
    assert raised.value.chunks == {3}
    last.write_bytes(content)
    last.write_bytes(content + b"more")
    assert read() == 0
    last.unlink()
    assert read() == 0
    with pytest.raises(ChangedError, match=rf"labels: {paths[1]} cannot be read"):
        list(row_groups_of(recorded, folder, LABELS, schema))


def test_a_large_partition_file_must_not_change_before_its_last_row_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_SMALL_BYTES", 0)
    write(tmp_path, NAME.format(0, 1, ""), rows(1))
    partitions, file_digest = found(tmp_path, 1), hashlib.file_digest
    schema = unify(partitions, None)
    recorded = recorded_bundles(sources_of(partitions), partitions.folder, LABELS, schema)

    def digest_and_touch(file: Any, name: str) -> Any:
        digest = file_digest(file, name)
        os.utime(file.name)
        return digest

    monkeypatch.setattr(hashlib, "file_digest", digest_and_touch)
    with pytest.raises(ChangedError, match=r"labels: .* was rewritten while it was read"):
        list(row_groups_of(recorded, partitions.folder, LABELS, schema))


def test_keys_without_rows_and_tables_without_keys_are_packed_too(tmp_path: Path) -> None:
    write(tmp_path, NAME.format(0, 1, ""), rows())
    (file,) = packed(tmp_path, 1)
    assert file.rows == 0
    assert pl.read_parquet(tmp_path / "packed" / file.path, hive_partitioning=False).schema == rows().schema
    (tmp_path / "labels" / NAME.format(0, 1, "")).unlink()
    (tmp_path / "audit" / "labels").mkdir(parents=True)
    sidecar = pl.DataFrame(schema={"language": pl.String, "rows": pl.Int64})
    sidecar.write_parquet(tmp_path / "audit" / "labels" / "chunk_3-00000-of-00001.parquet")
    assert packed(tmp_path, 1) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RULES", f"{encodings.RULES}, and more"),
        ("PACKED_ROW_GROUP_BYTES", 1 << 20),
        ("PACKED_ROW_GROUP_ROWS", 1 << 10),
    ],
)
def test_another_way_of_writing_makes_what_was_published_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: object
) -> None:
    write(tmp_path, NAME.format(0, 1, ""), rows(1))
    partitions = found(tmp_path, 1)
    before = bundles_of(partitions, unify(partitions, None))
    monkeypatch.setattr(bundles, name, value)
    after = bundles_of(partitions, unify(partitions, None))
    assert [each.path for each in before] == [each.path for each in after]
    assert before[0].sources_sha256 != after[0].sources_sha256
