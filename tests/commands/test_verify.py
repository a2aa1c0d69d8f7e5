"""verify compares a repo with its manifests from any machine that may read it, and a downloaded copy with its own."""

import io
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from localhub.auth import Identity
from localhub.testing import RunningHub
from tests.helpers.instant import Account, InstantBox, push
from tests.helpers.stock import Stock
from wikidata.commands import verify
from wikidata.config import Table
from wikidata.errors import Exit

EN, MUL = "language=en", "language=mul"
EN_FILE, MANIFEST = f"{EN}/chunk_3.parquet", "manifests/chunk_3.csv"


@pytest.fixture
def bare(account: Account) -> InstantBox:
    """A machine that has nothing but a token to read with; chunk 3 and 30 of labels are in a private repo."""
    box = account.new_box("box", {3: 1, 30: 1}, PRIVATE="1")
    push(box, 3)
    push(box, 30)
    account.hub.add_token(f"reader-{account.user}", Identity(account.user, role="read"))
    account.hub.reset_counts()
    machine = account.empty_box("bare")
    machine.token = f"reader-{account.user}"
    return machine


def verified(machine: InstantBox, *words: str, **settings: str) -> tuple[int, list[str]]:
    """The exit code of verify, and the lines of what is not all there."""
    before = machine.snapshot()
    done = machine.wikidata("verify", *words, **settings)
    assert machine.snapshot() == before
    assert done.stderr == ""
    return done.returncode, [line for line in done.stdout.splitlines() if not line.endswith(": all there")]


def test_a_machine_that_has_nothing_verifies_all_chunks_or_one(account: Account, bare: InstantBox) -> None:
    done = bare.wikidata("verify", "--table", "labels")
    assert (done.returncode, done.stderr) == (0, "")
    where = account.repo()
    assert done.stdout == "".join(f"chunk {chunk} labels: 2 files in {where}: all there\n" for chunk in (3, 30))
    assert verified(bare) == (0, [])
    assert list(bare.root.iterdir()) == []
    code, (line, *others) = verified(bare, "--chunk", "7")
    assert (code, len(others)) == (1, 4)
    assert line == f"chunk 7 labels: 0 files in {where}: no manifest: make push CHUNK=7 TABLE=labels"


def test_without_a_token_there_is_nothing_to_verify_in_private_repos(account: Account, bare: InstantBox) -> None:
    done = bare.wikidata("verify", HF_TOKEN="")
    said = f"nothing is published by {account.user}, or may be read with this token\n"
    assert (done.returncode, done.stdout) == (0, said)


Meddle = Callable[[Account], object]


def take(path: str) -> Meddle:
    return lambda account: account.hub.delete_file(account.repo(), path)


def put(path: str, content: bytes = b"PAR1 something else PAR1") -> Meddle:
    return lambda account: account.hub.replace_file(account.repo(), path, content)


def edit(old: str, new: str) -> Meddle:
    def edit_manifest(account: Account) -> None:
        content = account.read(MANIFEST).decode()
        assert old in content
        account.hub.replace_file(account.repo(), MANIFEST, content.replace(old, new, 1).encode())

    return edit_manifest


PUSH, PRUNE = (f"make {word} CHUNK=3 TABLE=labels" for word in ("push", "prune"))


@pytest.mark.parametrize(
    ("meddle", "problem"),
    [
        (take(EN_FILE), f"1 are missing, such as {EN_FILE}: {PUSH}"),
        (put(EN_FILE), f"1 are different, such as {EN_FILE}: {PUSH}"),
        (put("language=xx/chunk_3.parquet"), f"1 are orphaned, such as language=xx/chunk_3.parquet: {PRUNE}"),
        (
            put(f"{EN}/chunk_3-00000-of-00001.parquet"),
            f"1 are orphaned, so that rows count twice, such as {EN}/chunk_3-00000-of-00001.parquet: {PRUNE}",
        ),
        (take(MANIFEST), f"2 files, such as {EN_FILE}, and no manifest: {PUSH}"),
        (
            edit("path,size_bytes", "path,bytes"),
            f"{MANIFEST} is damaged (other columns, or empty cells): {PUSH} rewrites it",
        ),
    ],
)  # fmt: skip
def test_what_is_not_as_recorded_is_named(account: Account, bare: InstantBox, meddle: Meddle, problem: str) -> None:
    meddle(account)
    code, (line,) = verified(bare)
    assert code == Exit.FAILED
    assert line.startswith("chunk 3 labels: ")
    assert line.endswith(f" files in {account.repo()}: {problem}")


def test_a_chunk_without_manifest_and_files_of_no_chunk_are_named(account: Account, bare: InstantBox) -> None:
    put(f"{EN}/chunk_9.parquet")(account)
    put(f"{EN}/chunk_3-copy.parquet")(account)
    code, lines = verified(bare)
    assert code == Exit.FAILED
    where = account.repo()
    assert lines == [
        (f"chunk 9 labels: 0 files in {where}: 1 files, such as {EN}/chunk_9.parquet, and no manifest: "
        f"{PUSH.replace('3', '9')}"),
        f"labels: {where}: 1 files are of no chunk, such as {EN}/chunk_3-copy.parquet: delete them there",
    ]  # fmt: skip


def test_deep_reads_what_is_there_and_a_sample_of_it_is_one_of_all(
    account: Account, bare: InstantBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "SAMPLE_FILES", 1)
    read = {}
    for deep in ("", "1", "all"):
        account.hub.reset_counts()
        assert verified(bare, DEEP=deep) == (0, [])
        read[deep] = account.hub.counts().of(account.repo()).requests["resolve"]
    assert read["1"] - read[""] == 2  # HEAD and GET
    assert read["all"] - read[""] == 2 * 4


def test_deep_finds_rows_that_are_not_there(account: Account, bare: InstantBox) -> None:
    content = pl.read_csv(io.BytesIO(account.read(MANIFEST))).with_columns(rows=pl.lit(3)).write_csv()
    put(MANIFEST, content.encode())(account)
    assert verified(bare) == (0, [])
    code, (line,) = verified(bare, DEEP="all")
    assert code == Exit.FAILED
    assert f"{EN_FILE} has 2 rows, the manifest says 3; {MUL}/chunk_3.parquet has 2 rows" in line


def test_deep_does_not_read_what_a_listing_shows_to_be_different(account: Account, bare: InstantBox) -> None:
    put(EN_FILE)(account)
    code, (line,) = verified(bare, DEEP="all")
    assert (code, line.count(EN_FILE)) == (Exit.FAILED, 1)


def test_deep_finds_content_that_rotted_on_the_hub(tmp_path: Path, hub: RunningHub, stock: Stock) -> None:
    account = Account(hub, "permutans", hub.token, tmp_path, stock)
    push(account.new_box("box", {3: 1}), 3)
    sha256 = hub.files(account.repo())[EN_FILE].sha256
    stored = tmp_path / "hub" / "content" / sha256[:2] / sha256[2:]
    stored.chmod(0o600)
    stored.write_bytes(bytes(stored.stat().st_size))
    assert verified(account.empty_box("bare")) == (0, [])
    code, (line,) = verified(account.empty_box("bare"), DEEP="all")
    assert code == Exit.FAILED
    assert EN_FILE in line


@pytest.mark.parametrize("deep", ["2", "yes", "0"])
def test_an_unknown_depth_is_a_usage_error(bare: InstantBox, deep: str) -> None:
    done = bare.wikidata("verify", DEEP=deep)
    assert (done.returncode, done.stderr) == (2, f"wikidata: DEEP={deep}: must be 1 or all\n")


def test_each_repo_is_listed_once_however_many_chunks_it_has(account: Account, bare: InstantBox) -> None:
    def requests() -> dict[str, int]:
        account.hub.reset_counts()
        assert verified(bare, "--table", "labels") == (0, [])
        return {kind: number for kind, number in account.hub.counts().of(account.repo()).requests.items() if number}

    assert requests() == {"info": 1, "tree": 1, "resolve": 3}  # two manifests, and the columns
    assert bare.wikidata("sync").returncode == 0
    assert requests() == {"info": 1, "tree": 1}


@pytest.fixture
def copy(account: Account) -> Path:
    """A copy of the repo of links, as a reader downloads it."""
    box = account.new_box("box", {3: 1, 30: 1})
    for chunk in ("3", "30"):
        assert box.wikidata("push", "--chunk", chunk, "--table", "links").returncode == 0
    folder = account.root / "copy"
    for path in account.hub.files(account.repo(Table.LINKS)):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(account.read(path, Table.LINKS))
    return folder


def verified_copy(account: Account, copy: Path, *words: str) -> tuple[int, list[str]]:
    account.hub.reset_counts()
    said = verified(account.empty_box("reader"), *words, FOLDER=str(copy), HF_TOKEN="")
    assert account.hub.counts().total == 0
    return said


def test_a_copy_is_compared_with_the_manifests_in_it(account: Account, copy: Path) -> None:
    assert verified_copy(account, copy) == (0, [])
    first, second = sorted(each.relative_to(copy) for each in copy.glob("*=*/chunk_3.parquet"))
    (copy / first).unlink()
    content = (copy / second).read_bytes()
    (copy / second).write_bytes(content[:8] + b"!" + content[9:])
    (copy / second).with_name("chunk_3-00000-of-00001.parquet").write_bytes(content)
    (copy / second).with_name("chunk_3-copy.parquet").write_bytes(content)
    (copy / second).with_name("chunk_4.parquet").write_bytes(content)
    code, lines = verified_copy(account, copy)
    assert code == Exit.FAILED
    assert lines == [
        (f"chunk 3: 2 files in {copy}: {first} is missing; the content of {second} is different; "
        f"{second.parent}/chunk_3-00000-of-00001.parquet is in no manifest"),
        f"chunk 4: 0 files in {copy}: 1 files, and no manifest",
        f"{copy}: 1 files are of no chunk, such as {second.parent}/chunk_3-copy.parquet: delete them there",
    ]  # fmt: skip
    assert verified_copy(account, copy, "--chunk", "30") == (0, [])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "empty"),
        (
            "path,size_bytes,sha256,rows\nsite=enwiki/chunk_3.parquet,9,xyz,2\n",
            "a digest or a number of rows is not one",
        ),
        ("path,size_bytes,sha256,rows\nsite=enwiki/chunk_4.parquet,9,xyz,2\n", "is not a file of chunk 3"),
    ],
)
def test_a_damaged_manifest_of_a_copy_is_named_and_the_other_chunks_are_compared(
    account: Account, copy: Path, content: str, reason: str
) -> None:
    (copy / MANIFEST).write_text(content)
    code, (line,) = verified_copy(account, copy)
    assert code == Exit.FAILED
    assert line.startswith(f"chunk 3: 0 files in {copy}: {MANIFEST} is damaged (")
    assert reason in line
    assert line.endswith("): download it again")


def test_a_chunk_that_a_copy_does_not_have_is_not_all_there(account: Account, copy: Path) -> None:
    assert verified_copy(account, copy, "--chunk", "7") == (
        1,
        [f"chunk 7: 0 files in {copy}: 0 files, and no manifest"],
    )


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch, lambda _: None])
def test_what_is_not_a_copy_is_a_usage_error(account: Account, make: Callable[[Path], object]) -> None:
    make(account.root / "other")
    done = account.empty_box("reader").wikidata("verify", FOLDER=str(account.root / "other"))
    assert done.returncode == Exit.USAGE
    assert done.stderr.startswith(f"wikidata: FOLDER={account.root}/other: there is no manifests/chunk_….csv in it")
