"""The packed layout end to end: one file per chunk and key, packed only when needed, never beside the other layout."""

import io
import os

import polars as pl
import pytest

from localhub.faults import Fault
from localhub.testing import RunningHub
from scripts.sample.build import write_sample
from tests.helpers.box import REPOS, Box, on_the_hub, wrapped
from tests.helpers.stock import NewBox
from wikidata.config import Table
from wikidata.names import one
from wikidata.records.manifest import sources_path

LABELS = Table.LABELS
ONE_TABLE = ("push", "--chunk", "3", "--table", "labels")


@pytest.fixture
def box(new_box: NewBox) -> Box:
    """Chunk 3 of three parts and four keys, one of them split, to be packed."""
    box = new_box(chunks={3: 3, 30: 1}, keys=4, rows=2, incomplete={30}, split_keys={"en"})
    box.settings["LAYOUT"] = "packed"
    return box


def rows_on_the_hub(hub: RunningHub, table: Table, chunk: int) -> dict[str, pl.DataFrame]:
    """The rows of every packed file of a chunk, by key."""
    return {
        path.partition("=")[2].partition("/")[0]: pl.read_parquet(io.BytesIO(hub.read(REPOS[table], path)))
        for path in on_the_hub(hub, table)
        if path.endswith(f"/chunk_{chunk}.parquet")
    }


def rows_on_the_box(box: Box, table: Table, chunk: int) -> dict[str, pl.DataFrame]:
    """The rows of the partition files, by key, in the order of parts and splits."""
    rows: dict[str, list[pl.DataFrame]] = {}
    for path in box.files(table, chunk):  # "….parquet" comes before "…_1.parquet"
        rows.setdefault(path.parent.name.partition("=")[2], []).append(pl.read_parquet(path, hive_partitioning=False))
    return {key: pl.concat(frames) for key, frames in rows.items()}


def assert_packed(box: Box, hub: RunningHub, chunk: int, table: Table) -> None:
    there, here = rows_on_the_hub(hub, table, chunk), rows_on_the_box(box, table, chunk)
    assert there.keys() == here.keys()
    for key, rows in here.items():
        assert there[key].equals(rows), (table, key)


def test_a_chunk_is_published_as_one_file_for_each_key(box: Box, hub: RunningHub) -> None:
    done = box.make("push", "CHUNK=3")
    assert done.returncode == 0, done.stderr
    for table in Table:
        assert len(on_the_hub(hub, table)) == 4
        assert_packed(box, hub, 3, table)
        receipt = box.receipt(table, 3)
        assert receipt is not None
        assert receipt.files == 4
        assert receipt.rows == sum(rows.height for rows in rows_on_the_box(box, table, 3).values())
        sources = pl.read_csv(sources_path(box.root / "manifests", one(3), table))
        manifest = pl.read_csv(box.root / "manifests" / "chunk_3" / f"{table}.csv")
        assert sources.height == len(box.files(table, 3))
        totals = sources.group_by("path").agg(pl.col("rows").sum()).sort("path")
        assert totals.equals(manifest.select("path", "rows"))
    assert list((box.root / "staging").iterdir()) == []
    assert box.steps(3) == {4}
    assert "all there" in box.make("verify", "CHUNK=3").stdout


@pytest.mark.instant
def test_an_unchanged_chunk_is_not_packed_again_and_a_changed_part_packs_its_key_alone(
    box: Box, hub: RunningHub
) -> None:
    assert box.wikidata(*ONE_TABLE).returncode == 0
    before = on_the_hub(hub, LABELS)
    (box.root / "staging").rmdir()
    (box.root / "staging").write_text("nothing can be packed here")
    unchanged = box.wikidata(*ONE_TABLE)
    assert unchanged.returncode == 0, unchanged.stderr
    (box.root / "staging").unlink()
    changed = next(path for path in box.files(LABELS, 3) if "language=en/" in str(path))
    frame = pl.read_parquet(changed)
    frame.with_columns(label=pl.lit("another")).write_parquet(changed)
    done = box.wikidata(*ONE_TABLE)
    assert "4 files" in done.stdout
    assert "1 of them uploaded now" in done.stdout
    after = on_the_hub(hub, LABELS)
    assert [path for path in after if after[path] != before[path]] == ["language=en/chunk_3.parquet"]
    assert_packed(box, hub, 3, LABELS)


@pytest.mark.instant
def test_without_its_manifests_a_chunk_is_found_on_the_hub_by_its_bytes(box: Box) -> None:
    assert box.wikidata(*ONE_TABLE).returncode == 0
    manifest = box.root / "manifests" / "chunk_3" / "labels.csv"
    content = manifest.read_bytes()
    for path in manifest.parent.iterdir():
        path.unlink()
    again = box.wikidata(*ONE_TABLE)
    assert "0 of them uploaded now" in again.stdout
    assert manifest.read_bytes() == content


@pytest.mark.instant
def test_a_file_that_was_meddled_with_on_the_hub_is_packed_and_uploaded_again(box: Box, hub: RunningHub) -> None:
    assert box.wikidata(*ONE_TABLE).returncode == 0
    hub.delete_file(REPOS[LABELS], "language=en/chunk_3.parquet")
    assert "1 of them uploaded now" in box.wikidata(*ONE_TABLE).stdout
    assert_packed(box, hub, 3, LABELS)


@pytest.mark.matrix
def test_a_transient_error_while_packed_files_are_uploaded_is_retried(box: Box, hub: RunningHub) -> None:
    hub.set_faults(Fault("commit", status=500), Fault("lfs_put", action="reset"))
    done = box.wikidata(*ONE_TABLE)
    assert done.returncode == 0, done.stderr
    assert_packed(box, hub, 3, LABELS)
    assert not list((box.root / "staging").iterdir())


def test_a_part_that_changes_while_it_is_pushed_is_named(box: Box) -> None:
    victim = box.files(LABELS, 3)[0]
    uploader = wrapped(box.root, f'touch -d 2001-01-01 "{victim}"; exec huggingface-cli "$@"')
    done = box.wikidata(*ONE_TABLE, UPLOADER=uploader)
    assert done.returncode == 1
    assert f"{victim.parent.name}/{victim.name}: was rewritten" in done.stderr
    assert box.receipt(LABELS, 3) is None


def test_a_dry_run_packs_nothing(box: Box) -> None:
    before = box.snapshot()
    done = box.wikidata("push", "--chunk", "3", "--dry-run")
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()[1:]]
    assert [row[1:4] for row in rows] == [[table, "4", "4"] for table in Table]
    assert box.snapshot() == before


@pytest.mark.instant
def test_a_repo_is_never_given_a_second_layout(box: Box, hub: RunningHub) -> None:
    write_sample(box.root, chunks={30: 1}, keys=4, rows=2, split_keys={"en"})
    assert box.wikidata(*ONE_TABLE, LAYOUT="files").returncode == 0
    before = on_the_hub(hub, LABELS)
    chunk_30 = ("push", "--chunk", "30", "--table", "labels")
    refused = box.wikidata(*chunk_30)
    assert refused.returncode == 1
    (line,) = refused.stderr.splitlines()
    assert "permutans/wikidata-labels has the layout files, and LAYOUT=packed would mix the two" in line
    assert "make prune CHUNK=… LAYOUT=packed YES=1" in line
    assert on_the_hub(hub, LABELS) == before
    assert box.wikidata(*chunk_30, LAYOUT="auto").returncode == 0  # as the repo has it
    assert on_the_hub(hub, LABELS) == before | box.expected(LABELS, 30)


@pytest.mark.instant
def test_prune_makes_a_repo_ready_for_the_other_layout(box: Box, hub: RunningHub) -> None:
    assert box.wikidata(*ONE_TABLE, LAYOUT="files").returncode == 0
    prune = ("prune", "--chunk", "3", "--table", "labels")
    assert "0 orphaned files" in box.wikidata(*prune, LAYOUT="auto").stdout
    listed = box.wikidata(*prune)
    assert f"{len(box.files(LABELS, 3))} orphaned files: set YES=1" in listed.stdout
    assert on_the_hub(hub, LABELS) == box.expected(LABELS, 3)
    assert "deleted" in box.wikidata(*prune, YES="1").stdout
    assert on_the_hub(hub, LABELS) == {}
    assert box.wikidata(*ONE_TABLE).returncode == 0
    assert_packed(box, hub, 3, LABELS)


@pytest.mark.instant
def test_a_key_that_is_gone_is_refused_and_pruned(box: Box, hub: RunningHub) -> None:
    assert box.wikidata(*ONE_TABLE).returncode == 0
    gone = box.files(LABELS, 3)[0].parent.name
    for path in box.files(LABELS, 3):
        if path.parent.name == gone:
            path.unlink()
    for sidecar in (box.root / "audit" / "labels").iterdir():
        sidecar.unlink()
    (box.root / "manifests" / "chunk_3" / "labels.csv").unlink()
    refused = box.wikidata(*ONE_TABLE)
    assert refused.returncode == 1
    assert (
        f"has 1 orphaned files of chunk 3, no longer produced locally, such as {gone}/chunk_3.parquet" in refused.stderr
    )
    assert "deleted" in box.wikidata("prune", "--chunk", "3", "--table", "labels", "--yes").stdout
    assert box.wikidata(*ONE_TABLE).returncode == 0
    assert_packed(box, hub, 3, LABELS)


@pytest.mark.instant
def test_auto_packs_what_would_be_too_many_files_and_says_so_once(box: Box, hub: RunningHub) -> None:
    for part in range(9_999):  # chunk 31 is known from INIT on
        name = f"chunk_31-{part:05d}-of-09999.jsonl"
        descriptor = os.open(box.root / "state" / name, os.O_CREAT | os.O_WRONLY)
        os.write(descriptor, b'{"step": 0}\n')
        os.close(descriptor)
    done = box.wikidata(*ONE_TABLE, LAYOUT="auto")
    assert done.returncode == 0, done.stderr
    first, *rest = done.stdout.splitlines()
    assert first.startswith("layout packed (figures of labels): all 3 chunks come to about 12 files a repo, ")
    assert "(as they are: 50,015 and 20,006)" in first
    assert len(rest) == 1
    assert_packed(box, hub, 3, LABELS)
    assert "layout packed" not in box.wikidata(*ONE_TABLE, LAYOUT="auto").stdout
    refused = box.wikidata(*ONE_TABLE, LAYOUT="files")
    assert refused.returncode == 1


def test_an_unknown_layout_is_a_usage_error(box: Box) -> None:
    done = box.wikidata("push", LAYOUT="zip")
    assert done.returncode == 2
    assert done.stderr == "wikidata: LAYOUT=zip: must be one of auto, files, packed\n"
