"""What users type, end to end: the real CLI against a Hub on localhost."""

from pathlib import Path

import polars as pl
import pytest

from localhub.testing import RunningHub
from tests.helpers.box import REPOS, Box, assert_arrived, data_commits, fingerprint, on_the_hub
from tests.helpers.stock import NewBox
from wikidata.config import Table
from wikidata.names import one
from wikidata.records.manifest import file_digest, manifest_path


@pytest.mark.matrix
def test_a_complete_chunk_is_published_and_raised_to_push(box: Box, hub: RunningHub) -> None:
    (box.root / "manifests" / ".uploaders.json").unlink()  # the CLI is asked for its version
    done = box.make("push", "CHUNK=3")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] == "chunk 3 is pushed"
    assert_arrived(box, hub, 3)
    assert box.steps(3) == {4}
    assert box.steps(30) == {2, 3}
    for table in Table:
        receipt = box.receipt(table, 3)
        assert receipt is not None
        assert receipt.repo == REPOS[table]
        assert receipt.commit == data_commits(hub, REPOS[table])[0].oid
        assert receipt.files == len(box.files(table, 3))
        assert receipt.manifest_sha256 == file_digest(manifest_path(box.root / "manifests", one(3), table))
    assert list((box.root / "staging").iterdir()) == []
    assert len(box.logs()) == len(Table)


def test_an_incomplete_chunk_is_refused_and_nothing_happens(box: Box, hub: RunningHub) -> None:
    before = box.snapshot()
    done = box.make("push", "CHUNK=30")
    assert done.returncode == 2
    assert "chunk 30 is not complete: chunk_30-00001-of-00002.jsonl is at PROCESS" in done.stderr
    assert box.snapshot() == before
    assert hub.counts().total == 0
    assert box.wikidata("push", "--chunk", "30").returncode == 1


def test_one_table_is_pushed_alone_and_the_others_complete_the_chunk(box: Box, hub: RunningHub) -> None:
    assert box.make("push", "CHUNK=3", "TABLE=labels").returncode == 0
    assert_arrived(box, hub, 3, [Table.LABELS])
    assert box.steps(3) == {3}
    with pytest.raises(LookupError):
        hub.files(REPOS[Table.CLAIMS])
    done = box.make("push", "CHUNK=3")
    assert done.returncode == 0
    assert "chunk 3 is pushed" in done.stdout
    assert_arrived(box, hub, 3)
    assert box.steps(3) == {4}
    assert len(box.logs()) == len(Table)  # labels had arrived: no CLI was started for it again


def test_a_second_push_starts_no_cli_and_changes_nothing(box: Box, hub: RunningHub) -> None:
    assert box.make("push").returncode == 0
    commits = {table: hub.commits(REPOS[table]) for table in Table}
    receipts = {table: box.receipt(table, 3) for table in Table}
    hub.reset_counts()
    tick = box.make("push")
    assert (tick.returncode, tick.stdout, tick.stderr) == (0, "", "")
    assert hub.counts().total == 0
    again = box.make("push", "CHUNK=3")
    assert again.returncode == 0
    assert "0 of them uploaded now" in again.stdout
    assert {table: hub.commits(REPOS[table]) for table in Table} == commits
    assert {table: box.receipt(table, 3) for table in Table} == receipts
    assert len(box.logs()) == len(Table)


@pytest.mark.instant
def test_chunk_3_is_pushed_beside_chunk_30(new_box: NewBox, hub: RunningHub) -> None:
    box = new_box(chunks={3: 2, 30: 2, 13: 1}, keys=3, rows=2)
    assert box.wikidata("push", "--chunk", "3").returncode == 0
    assert_arrived(box, hub, 3)
    assert (box.steps(3), box.steps(30), box.steps(13)) == ({4}, {3}, {3})
    due = box.wikidata("push")
    assert due.returncode == 0
    assert [line for line in due.stdout.splitlines() if line.endswith("is pushed")] == [
        "chunk 13 is pushed",
        "chunk 30 is pushed",
    ]
    for table in Table:
        expected = box.expected(table, 3) | box.expected(table, 13) | box.expected(table, 30)
        assert on_the_hub(hub, table) == expected


def test_a_dry_run_tells_what_would_be_uploaded_and_changes_nothing(box: Box, hub: RunningHub) -> None:
    before = box.snapshot()
    done = box.make("push", "CHUNK=3", "DRY_RUN=1")
    assert done.returncode == 0, done.stderr
    settled, head, *lines = done.stdout.splitlines()
    assert settled.startswith("layout files (figures of ")  # said once, for all tables
    assert head.split() == ["chunk", "table", "files", "to", "upload", "bytes", "repo"]
    rows = [line.split() for line in lines]
    assert [row[1] for row in rows] == list(Table)
    assert [int(row[2]) for row in rows] == [len(box.files(table, 3)) for table in Table]
    assert "(to be created)" in done.stdout
    assert box.snapshot() == before
    with pytest.raises(LookupError):
        hub.files(REPOS[Table.LABELS])


def test_a_read_only_token_is_refused_before_anything_is_uploaded(box: Box, hub: RunningHub) -> None:
    done = box.make("push", "CHUNK=3", HF_TOKEN=hub.read_token)
    assert done.returncode == 2
    assert "labels: the token of permutans is read-only: create one with write access" in done.stderr
    assert hub.counts().total == 1  # who the token belongs to, and nothing else
    assert box.steps(3) == {3}
    assert box.logs() == []


@pytest.mark.parametrize(
    ("token", "advice"), [("", "there is no Hugging Face token: set HF_TOKEN"), ("hf_wrong", "401")]
)
def test_no_token_and_a_wrong_one_are_refused(box: Box, token: str, advice: str) -> None:
    done = box.wikidata("push", "--chunk", "3", HF_TOKEN=token)
    assert done.returncode == 1
    assert advice in done.stderr
    assert box.steps(3) == {3}


def test_a_repo_of_somebody_else_is_refused(box: Box) -> None:
    done = box.wikidata("push", "--chunk", "3", HF_USER="somebody")
    assert done.returncode == 1
    assert "may not write to somebody/wikidata-labels: set HF_USER=permutans" in done.stderr


@pytest.mark.instant
def test_private_repos_are_created_private(box: Box, hub: RunningHub) -> None:
    assert box.wikidata("push", "--chunk", "3", "--table", "labels", PRIVATE="1").returncode == 0
    assert_arrived(box, hub, 3, [Table.LABELS])
    from huggingface_hub import HfApi

    assert HfApi(endpoint=hub.endpoint, token=hub.token).dataset_info(REPOS[Table.LABELS]).private


@pytest.mark.instant
def test_a_truncated_file_stops_its_table_and_not_the_others(box: Box, hub: RunningHub) -> None:
    broken = box.files(Table.ALIASES, 3)[0]
    content = broken.read_bytes()
    broken.write_bytes(content[:-4])
    done = box.wikidata("push", "--chunk", "3")
    assert done.returncode == 1
    assert f"aliases: {broken.parent.name}/{broken.name} is not a whole Parquet file" in done.stderr
    assert_arrived(box, hub, 3, [table for table in Table if table is not Table.ALIASES])
    with pytest.raises(LookupError):
        hub.files(REPOS[Table.ALIASES])
    assert box.steps(3) == {3}
    broken.write_bytes(content)
    assert box.wikidata("push").returncode == 0
    assert_arrived(box, hub, 3)
    assert box.steps(3) == {4}


@pytest.mark.instant
def test_verify_notices_what_is_missing_or_different_and_changes_nothing(box: Box, hub: RunningHub) -> None:
    assert box.wikidata("push").returncode == 0
    assert box.wikidata("verify", "--chunk", "3").returncode == 0
    gone, other = (next(iter(box.expected(table, 3))) for table in (Table.LABELS, Table.LINKS))
    hub.delete_file(REPOS[Table.LABELS], gone)
    hub.replace_file(REPOS[Table.LINKS], other, b"PAR1 something else PAR1")
    before = box.snapshot()
    done = box.make("verify", "CHUNK=3")
    assert done.returncode == 2
    assert f"1 are missing, such as {gone}" in done.stdout
    assert f"1 are different, such as {other}" in done.stdout
    assert done.stdout.count("all there") == len(Table) - 2
    assert box.snapshot() == before
    assert box.wikidata("push", "--chunk", "3").returncode == 0
    assert_arrived(box, hub, 3)
    assert box.wikidata("verify").returncode == 0


@pytest.mark.instant
def test_status_tells_how_far_each_chunk_is(box: Box) -> None:
    assert box.wikidata("push", "--chunk", "3", "--table", "links").returncode == 0
    lines = box.make("status", "ALL=1").stdout.splitlines()
    assert lines[0].endswith("0 of 2 chunks are published")
    assert "waiting for the push: chunk 3" in lines
    assert "waiting for the pipeline: chunk 30" in lines
    assert lines[-2].split() == (
        "3 2 of 2 PARTITION due due: labels, descriptions, aliases, claims; pushed: links".split()
    )
    assert lines[-1].split() == "30 2 of 2 PROCESS to PARTITION incomplete all five".split()
    alone = box.wikidata("status", "--chunk", "30").stdout.strip().splitlines()
    assert [line.split()[0] for line in alone] == ["chunk", "30"]
    unknown = box.wikidata("status", "--chunk", "7")
    assert unknown.returncode == 1
    assert "no state files of chunk 7" in unknown.stderr


@pytest.mark.instant
def test_every_row_of_the_real_entities_is_read_back_equal(new_box: NewBox, hub: RunningHub) -> None:
    entities = Path(__file__).parents[3] / "shared" / "data" / "wikidata-entities.ndjson.gz"
    if not entities.is_file():
        pytest.skip("../shared/data/wikidata-entities.ndjson.gz is not there")
    box = new_box(chunks={3: 1}, entities=entities)
    done = box.wikidata("push", "--chunk", "3")
    assert done.returncode == 0, done.stderr
    assert_arrived(box, hub, 3)
    for table in Table:
        local = box.root / "results" / table
        for path in box.expected(table, 3):
            assert pl.read_parquet(hub.read(REPOS[table], path)).equals(pl.read_parquet(local / path))
        assert box.receipt(table, 3).rows == sum(pl.read_parquet(path).height for path in box.files(table, 3))  # type: ignore[union-attr]


def test_a_file_is_what_its_fingerprint_says(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert fingerprint(tmp_path / "a") == (3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")


def test_a_stored_login_that_cannot_be_read_is_said_in_one_line(box: Box) -> None:
    box.forks = None  # what the library reads when it is imported
    done = box.wikidata("push", "--chunk", "3", HF_TOKEN="", HF_TOKEN_PATH=str(box.root))
    assert done.returncode == 1
    assert done.stderr == f"wikidata: cannot read the stored login, {box.root}: Is a directory: mend it\n"
