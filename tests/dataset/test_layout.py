"""Which layout a repo gets, what the Hub's limits say to that, and which paths a chunk must not leave behind."""

from pathlib import Path

import polars as pl
import pytest

from wikidata.config import Layout, Table
from wikidata.dataset.layout import (
    Extent,
    Scale,
    check_limits,
    check_upload,
    choose,
    extents,
    possible_orphans,
    settle,
)
from wikidata.dataset.survey import Partitions
from wikidata.errors import LayoutError
from wikidata.names import one, packed_path, parse_data_file

WIKIDATA = Scale(dict.fromkeys(range(112), 85) | {112: 167})
REPO = "permutans/wikidata-labels"


def partitions(keys: int, parts: int, row_group_bytes: int = 1) -> Partitions:
    """A chunk in which every part has every key, and the first key is split once in each part."""
    names = [f"k{key}" for key in range(keys)] * parts + ["k0"] * parts
    files = pl.DataFrame({"path": [f"language={name}/…" for name in names], "key": names})
    return Partitions(3, parts, Table.LABELS, Path(), files, (), (row_group_bytes, "language=en/large.parquet"))


def test_the_whole_of_wikidata_is_packed_and_the_arithmetic_is_told() -> None:
    sizes = extents(partitions(keys=500, parts=64), WIKIDATA)
    assert sizes[Layout.PACKED] == Extent(files=56_500, entries=500)
    assert sizes[Layout.FILES] == Extent(files=501 * 9687, entries=2 * 9687)
    layout, why = choose(sizes, WIKIDATA)
    assert layout is Layout.PACKED
    for figure in ("113 chunks", "4,853,187", "56,500 files", "100,000", "10,000"):
        assert figure in why


@pytest.mark.parametrize(
    ("size", "layout"),
    [
        (Extent(100_000, 10_000), Layout.FILES),
        (Extent(100_001, 10), Layout.PACKED),
        (Extent(100, 10_001), Layout.PACKED),
    ],
)
def test_files_are_left_as_they_are_if_the_finished_dataset_fits(size: Extent, layout: Layout) -> None:
    assert choose({Layout.FILES: size, Layout.PACKED: Extent(10, 1)}, Scale({3: 1}))[0] is layout


@pytest.mark.parametrize("there", [Layout.FILES, Layout.PACKED])
def test_a_repo_keeps_its_layout(there: Layout) -> None:
    sizes = extents(partitions(keys=500, parts=64), WIKIDATA)
    assert settle(Layout.AUTO, there, sizes, WIKIDATA, REPO) == (there, "")
    assert settle(there, there, sizes, WIKIDATA, REPO) == (there, "")
    other = Layout.FILES if there is Layout.PACKED else Layout.PACKED
    with pytest.raises(
        LayoutError, match=rf"^{REPO} has the layout {there}, .*make prune CHUNK=… LAYOUT={other} YES=1"
    ):
        settle(other, there, sizes, WIKIDATA, REPO)


def test_an_explicit_wish_needs_no_explanation() -> None:
    assert settle(Layout.FILES, None, {}, WIKIDATA, REPO) == (Layout.FILES, "")


def test_a_hard_limit_refuses_and_a_recommendation_warns() -> None:
    large = partitions(keys=1, parts=1, row_group_bytes=300 << 20)
    with pytest.raises(LayoutError, match="would have 10,001 files in a folder, the Hub allows 10,000"):
        check_limits(Layout.FILES, Extent(10_001, 10_001), large, REPO)
    many, group = check_limits(Layout.FILES, Extent(100_001, 10_000), large, REPO).values()
    assert many == f"{REPO} would have 100,001 files, the Hub recommends 100,000 at most"
    assert group.startswith("language=en/large.parquet has a row group of 300 MiB, the Hub's viewer reads 286 at most")
    assert check_limits(Layout.PACKED, Extent(100_000, 10_000), large, REPO) == {}


def test_what_is_sent_is_held_against_the_limits() -> None:
    def missing(*sizes: int) -> pl.DataFrame:
        return pl.DataFrame({"path": [f"p{n}" for n in range(len(sizes))], "size_bytes": list(sizes)})

    assert check_upload(missing(), REPO) == {}
    assert check_upload(missing(1, 200_000_000_000), REPO) == {}
    assert check_upload(missing(250_000_000_000, 1), REPO) == {
        "large files": "p0 has 250 GB, the Hub recommends 200 at most"
    }
    with pytest.raises(LayoutError, match="p1 has 501 GB, the Hub allows 500 a file"):
        check_upload(missing(1, 501_000_000_000), REPO)
    assert check_upload(missing(*[1] * 19_200), REPO) == {}
    (warning,) = check_upload(missing(*[1] * 19_201), REPO).values()
    assert "needs about 129 commits for 19,201 files" in warning


@pytest.mark.parametrize(
    ("path", "layout", "chunk"),
    [
        ("language=en/chunk_3.parquet", Layout.PACKED, 3),
        ("site=zh_min_nanwiki/chunk_30-00001-of-00064.parquet", Layout.FILES, 30),
        ("language=en/chunk_3-00001-of-00064_12.parquet", Layout.FILES, 3),
        ("language=en/chunk_3-00001-of-00064.parquet.tmp", None, None),
        ("language=en/chunk_3-15.parquet", Layout.PACKED, 3),
        ("language=en/chunk_15-3.parquet", None, None),
        ("language=en/chunk_3-3.parquet", None, None),
        ("language=en/chunk_0-015.parquet", None, None),
        ("folding/language=en/chunk_0-15.bin", None, None),
        ("chunk_3.parquet", None, None),
        ("README.md", None, None),
    ],
)
def test_a_path_tells_its_layout_and_chunk(path: str, layout: Layout | None, chunk: int | None) -> None:
    file = parse_data_file(path)
    assert (file and file.layout, file and file.block.first) == (layout, chunk)
    packed = parse_data_file(packed_path(Table.LABELS, "en", one(3)))
    assert packed and packed.layout is Layout.PACKED


def test_a_key_that_is_gone_may_be_orphaned_when_packed() -> None:
    made = ["language=en/chunk_3.parquet", "language=no/chunk_3.parquet"]
    folders = ["language=de", "language=en"]
    assert possible_orphans(Layout.PACKED, 3, 2, made, folders) == ["language=de/chunk_3.parquet"]


def test_absent_parts_and_further_splits_may_be_orphaned_as_files() -> None:
    made = [
        "language=en/chunk_3-00000-of-00002.parquet",
        "language=en/chunk_3-00000-of-00002_2.parquet",
        "language=no/chunk_3-00001-of-00002.parquet",
    ]
    assert possible_orphans(Layout.FILES, 3, 2, made, ["language=de", "language=en"]) == [
        "language=de/chunk_3-00000-of-00002.parquet",
        "language=de/chunk_3-00001-of-00002.parquet",
        "language=en/chunk_3-00000-of-00002_1.parquet",
        "language=en/chunk_3-00000-of-00002_3.parquet",
        "language=en/chunk_3-00001-of-00002.parquet",
        "language=no/chunk_3-00000-of-00002.parquet",
        "language=no/chunk_3-00001-of-00002_1.parquet",
    ]
