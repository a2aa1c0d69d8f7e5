"""When the records of all tables together make a chunk pushed, and when they do not."""

import base64
import json

import polars as pl

from tests.helpers.instant import Account, push
from wikidata.config import Table

MANIFEST = "manifests/chunk_3.csv"
PUSH_CHUNK = ("push", "--chunk", "3")
PUSH_3 = (*PUSH_CHUNK, "--table", "labels")


def test_a_chunk_whose_other_tables_have_changed_here_is_not_raised(account: Account) -> None:
    """It is partitioned again after it was pushed: what the repos record is no longer what lies here."""
    box = account.new_box("box", {3: 1})
    assert box.wikidata(*PUSH_CHUNK).returncode == 0
    assert box.steps(3) == {4}
    (state,) = (box.root / "state").glob("chunk_3-*")
    state.write_text('{"step": 3}\n')
    changed = next((box.root / "results" / "links").glob("site=*/chunk_3-*"))
    frame = pl.read_parquet(changed, hive_partitioning=False)
    frame.with_columns(title=pl.lit("another")).write_parquet(changed)
    done = box.wikidata(*PUSH_3)
    assert (done.returncode, done.stderr) == (0, "")
    assert box.steps(3) == {3}
    assert box.wikidata("push").returncode == 0
    assert box.steps(3) == {4}


def test_a_chunk_whose_other_manifests_are_gone_from_their_repos_is_not_raised(account: Account) -> None:
    box = account.new_box("box", {3: 1})
    for table in ("labels", "descriptions", "aliases", "links"):
        assert box.wikidata("push", "--chunk", "3", "--table", table).returncode == 0
    account.hub.delete_file(account.repo(Table.LINKS), MANIFEST)
    assert box.wikidata("push", "--chunk", "3", "--table", "claims").returncode == 0
    assert box.steps(3) == {3}
    assert box.wikidata("push").returncode == 0
    assert box.steps(3) == {4}
    assert MANIFEST in account.hub.files(account.repo(Table.LINKS))


def test_garbled_columns_are_named_and_no_bug(account: Account) -> None:
    box = account.new_box("box", {3: 1, 30: 1})
    push(box, 3)
    columns = json.loads(account.read("manifests/columns.json"))
    schema = bytearray(base64.b64decode(columns["arrow"]))
    schema[8] ^= 0xFF
    garbled = columns | {"arrow": base64.b64encode(bytes(schema)).decode()}
    account.hub.replace_file(account.repo(), "manifests/columns.json", json.dumps(garbled).encode())
    done = box.wikidata("push", "--chunk", "30", "--table", "labels")
    assert done.returncode == 0, done.stderr
    assert "manifests/columns.json is damaged" in done.stderr
    assert json.loads(account.read("manifests/columns.json")) == columns
