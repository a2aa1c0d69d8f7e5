"""What the records cost: some requests more than no records, however many chunks there are, and nothing at rest."""

import hashlib
from collections import Counter

from huggingface_hub import CommitOperationAdd

from tests.helpers.instant import LABELS, Account, InstantBox
from wikidata.names import one
from wikidata.records.manifest import manifest_path
from wikidata.records.receipt import is_recorded

CHUNKS = 113
BEFORE = {"first": 461, "second": 471, "again": 31}
"""Requests of a push of 5 × 40 files, and of a chunk after it, and of the same again, before there were records."""
MORE_AT_MOST = 25


def requests_of(account: Account, box: InstantBox, *words: str) -> Counter[str]:
    account.hub.reset_counts()
    done = box.wikidata("push", *words)
    assert done.returncode == 0, done.stderr
    return account.hub.counts().requests


def test_a_push_of_five_times_40_files_asks_little_more_than_without_records(account: Account) -> None:
    box = account.new_box("box", {3: 1, 30: 1}, keys=40)
    asked = {
        "first": requests_of(account, box, "--chunk", "3"),
        "second": requests_of(account, box, "--chunk", "30"),
        "again": requests_of(account, box, "--chunk", "30"),
    }
    for name, requests in asked.items():
        assert requests.total() <= BEFORE[name] + MORE_AT_MOST, requests
    assert asked["first"]["commit"] == asked["second"]["commit"] == 2 * 5
    assert requests_of(account, box).total() == 0  # a tick with nothing to do


def fill(account: Account) -> None:
    """Let the repo of labels record all chunks but the last, of one file each."""
    recorded = {}
    for chunk in range(CHUNKS - 1):
        path = f"language=en/chunk_{chunk}.parquet"
        digest = hashlib.sha256(path.encode()).hexdigest()
        recorded[chunk] = f"path,size_bytes,sha256,rows,sources_sha256\n{path},1000,{digest},5,{digest}\n".encode()
    account.api.create_repo(account.repo(), repo_type="dataset")
    files = [CommitOperationAdd(f"manifests/chunk_{chunk}.csv", content) for chunk, content in recorded.items()]
    account.api.create_commit(account.repo(), files, commit_message="Record all", repo_type="dataset")
    account.hub.replace_file(account.repo(), "language=en/chunk_0.parquet", b"language=en/chunk_0.parquet")


def test_a_push_into_112_chunks_costs_no_more_than_into_none_but_for_a_listing(account: Account) -> None:
    box = account.new_box("box", {CHUNKS - 1: 1})
    alone = account.new_box("alone", {CHUNKS - 1: 1})
    words = ("--chunk", str(CHUNKS - 1), "--table", "labels")
    into_none = requests_of(account, alone, *words)
    account.api.delete_repo(account.repo(), repo_type="dataset")
    fill(account)
    assert f"{CHUNKS - 1} manifests fetched" in box.wikidata("sync", "--table", "labels").stdout
    into_all = requests_of(account, box, *words)
    assert into_all - into_none == {"tree": 2, "paths_info": 1}  # folders, manifests; what there is of this chunk
    assert into_none - into_all == {"create": 1}
    assert into_all["commit"] == 2
    card = account.read("README.md").decode()
    assert f"{CHUNKS} of {CHUNKS} chunks are published so far: {5 * (CHUNKS - 1) + 4} rows" in card
    assert is_recorded(box.root / "manifests", CHUNKS - 1, LABELS, account.repo())


def test_a_new_box_fetches_each_manifest_once(account: Account) -> None:
    box = account.new_box("box", {CHUNKS - 1: 1})
    fill(account)
    words = ("--chunk", str(CHUNKS - 1), "--table", "labels")
    first, second = requests_of(account, box, *words), requests_of(account, box, *words)
    assert first["resolve"] == CHUNKS - 1 + 1  # and the card
    assert second["resolve"] == 1
    assert second["tree"] == 3
    assert manifest_path(box.root / "manifests", one(0), LABELS).read_bytes() == account.read("manifests/chunk_0.csv")
