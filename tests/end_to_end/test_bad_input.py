"""Bad input, as a user meets it: one clear line, a non-zero exit code, and nothing changed, here or on the Hub."""

import hashlib
import io
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from localhub.auth import Identity
from localhub.testing import RunningHub
from tests.helpers.box import Box
from tests.helpers.forking import INSTANT, Forks
from tests.helpers.stock import Stock
from wikidata.config import Settings, Table, target_repos
from wikidata.dataset.survey import survey
from wikidata.errors import ManifestError, PushError
from wikidata.hub.files import Overview, RemoteFile, Snapshot
from wikidata.main import main
from wikidata.push import push
from wikidata.records.manifest import SCHEMA
from wikidata.report.listener import Listener
from wikidata.session import Session
from wikidata.state import get_all_state
from wikidata.upload.run import Upload
from wikidata.upload.watcher import Outcome

LABELS = Table.LABELS
CHUNK = ("push", "--chunk", "3")
ONE_TABLE = (*CHUNK, "--table", "labels")
FIRST, SECOND = "chunk_3-00000-of-00002", "chunk_3-00001-of-00002"
Spoil = Callable[[Path], object]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory, forks: Forks) -> Iterator[RunningHub]:
    """One Hub for all: nothing ever reaches it."""
    with forks.running_hub(tmp_path_factory.mktemp("hub")) as running:
        yield running


@pytest.fixture
def box(tmp_path: Path, hub: RunningHub, stock: Stock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Box]:
    """Chunk 3 complete, and its settings in the environment of this process."""
    stock.copy_sample(tmp_path / "box", chunks={3: 2}, keys=2, rows=2)
    box = Box(tmp_path / "box", hub.endpoint, hub.token)
    for name, value in box.environment.items():
        monkeypatch.setenv(name, value)
    hub.reset_counts()
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)]
    yield box
    for number, handler in zip((signal.SIGTERM, signal.SIGHUP), before, strict=True):
        signal.signal(number, handler)


def snapshot(root: Path) -> dict[bytes, object]:
    """Everything below a folder, links and odd names too; but for the lock of a push and the note of what failed."""
    found: dict[bytes, object] = {}
    for parent, folders, files in os.walk(os.fsencode(root)):
        for name in folders + files:
            path = os.path.join(parent, name)
            facts = os.lstat(path)
            is_file = stat.S_ISREG(facts.st_mode)
            found[path] = (
                facts.st_mode,
                facts.st_mtime_ns if is_file else 0,
                is_file and Path(os.fsdecode(path)).read_bytes(),
            )
    notes = {os.fsencode(root / "manifests" / name) for name in ("", ".failures.json")}
    return {path: what for path, what in found.items() if path not in notes and b"/manifests/.locks" not in path}


def refusal(box: Box, hub: RunningHub, capsys: pytest.CaptureFixture[str], *words: str, code: int = 1) -> str:
    """The line that a command is refused with; nothing was changed by it."""
    before = snapshot(box.root)
    capsys.readouterr()
    assert main(words) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert snapshot(box.root) == before
    assert_untouched(hub)
    (line,) = said.err.splitlines()
    assert line.startswith("wikidata: ")
    assert " a bug" not in line
    return line


def assert_untouched(hub: RunningHub) -> None:
    """Nothing was sent to the Hub."""
    counts = hub.counts()
    sent = ("create", "preupload", "lfs_batch", "lfs_put", "commit", "delete")
    assert (counts.commits, counts.uploaded_bytes, sum(counts.requests[endpoint] for endpoint in sent)) == (0, 0, 0)


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def link(path: Path, target: str) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def folder_instead(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.mkdir()


def pipe_instead(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def file_instead(path: Path) -> None:
    shutil.rmtree(path)
    path.write_bytes(b"")


def empty_folder(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir()


def state(*contents: bytes, parts: int = 2) -> Spoil:
    """The state files of chunk 3 become these."""

    def spoil(root: Path) -> None:
        empty_folder(root / "state")
        for part, content in enumerate(contents):
            write(root / "state" / f"chunk_3-{part:05d}-of-{parts:05d}.jsonl", content)

    return spoil


def completed(root: Path) -> None:
    """The last step is done: local files are deleted."""
    state(b'{"step": 6}', b'{"step": 6}')(root)
    shutil.rmtree(root / "results")


PARTITION = b'{"step": 3}\n'
BAD_STATE: dict[str, tuple[Spoil, str]] = {
    "no folder": (lambda root: shutil.rmtree(root / "state"), "No such file or directory: is STATE_DIR right?"),
    "a file": (lambda root: file_instead(root / "state"), "is STATE_DIR right?"),
    "an empty folder": (lambda root: empty_folder(root / "state"), "chunk 3 has no state files: is STATE_DIR right?"),
    "a missing part": (state(PARTITION), "part 00001 of 00002 has no state file (1 missing)"),
    "a part too many": (
        state(PARTITION, PARTITION, PARTITION),
        "chunk_3-00002-of-00002.jsonl is beyond its last part",
    ),
    "contradictory parts": (
        lambda root: write(root / "state" / "chunk_3-00002-of-00003.jsonl", PARTITION),
        "its state files end in both of-00002 and of-00003: remove the stale ones",
    ),
    "behind": (state(PARTITION, b'{"step": 2}'), f"{SECOND}.jsonl is at PROCESS"),
    "a folder": (
        lambda root: folder_instead(root / "state" / f"{SECOND}.jsonl"),
        f"{SECOND}.jsonl has no valid step",
    ),
    "a pipe": (
        lambda root: pipe_instead(root / "state" / f"{SECOND}.jsonl"),
        f"{SECOND}.jsonl has no valid step",
    ),
    "a dangling link": (lambda root: link(root / "state" / f"{SECOND}.jsonl", "nowhere"), "part 00001 of 00002 has no"),
    "a link to itself": (
        lambda root: link(root / "state" / f"{SECOND}.jsonl", f"{SECOND}.jsonl"),
        "Too many levels of",
    ),
    "complete": (
        completed,
        "is at COMPLETE: its local files are deleted, nothing can be pushed; use make verify",
    ),
} | {
    f"damaged: {content!r}": (
        state(PARTITION, content),
        f"{SECOND}.jsonl has no valid step (being written, or damaged)",
    )
    for content in (b"", b'{"step"', b"step 3", b"\xff", b"[3]", b'{"step": "3"}', b'{"step": 7}', b'{"step": null}')
}


@pytest.mark.parametrize("name", BAD_STATE)
def test_bad_state_is_refused(box: Box, hub: RunningHub, capsys: pytest.CaptureFixture[str], name: str) -> None:
    spoil, reason = BAD_STATE[name]
    spoil(box.root)
    assert reason in refusal(box, hub, capsys, *CHUNK)
    assert hub.counts().total == 0


@pytest.mark.parametrize("name", ["an empty folder", "a missing part", "damaged: b''", "complete", "a pipe"])
def test_a_tick_with_nothing_that_can_be_pushed_is_silent(
    box: Box, hub: RunningHub, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    BAD_STATE[name][0](box.root)
    before = snapshot(box.root)
    assert main(["push"]) == 0
    assert capsys.readouterr() == ("", "")
    assert snapshot(box.root) == before
    assert hub.counts().total == 0


def test_a_tick_without_a_state_folder_says_so(box: Box, hub: RunningHub, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(box.root / "state")
    assert "is STATE_DIR right?" in refusal(box, hub, capsys, "push")


def labels(spoil: Spoil) -> Spoil:
    """Spoil something in the folder of the labels."""
    return lambda root: spoil(root / "results" / "labels")


def sidecar(content: bytes) -> Spoil:
    return lambda root: write(root / "audit" / "labels" / f"{SECOND}.parquet", content)


@lru_cache
def parquet(rows: int, **columns: str) -> bytes:
    """A Parquet file with an id column and constant others."""
    buffer = io.BytesIO()
    frame = pl.DataFrame({"id": [f"Q{row}" for row in range(rows)]}, schema={"id": pl.String})
    frame.with_columns(**{name: pl.lit(value) for name, value in columns.items()}).write_parquet(buffer)
    return buffer.getvalue()


def sidecar_of(rows: dict[str, int]) -> bytes:
    buffer = io.BytesIO()
    frame = pl.DataFrame({"language": list(rows), "rows": list(rows.values())}, schema={"language": str, "rows": int})
    frame.write_parquet(buffer)
    return buffer.getvalue()


def without_part(root: Path, has_sidecar: bool) -> None:
    for file in (root / "results" / "labels").glob(f"*/{SECOND}.parquet"):
        file.unlink()
    if not has_sidecar:
        (root / "audit" / "labels" / f"{SECOND}.parquet").unlink()


EN = f"language=en/{SECOND}.parquet"
BAD_FILES: dict[str, tuple[Spoil, str]] = {
    "no results": (lambda root: shutil.rmtree(root / "results"), "is not a folder: is OUTPUT_DIR right?"),
    "no table folder": (labels(shutil.rmtree), "is not a folder: is OUTPUT_DIR right?"),
    "the table folder is a file": (labels(file_instead), "is not a folder"),
    "an empty table folder": (labels(empty_folder), "is missing: the sidecar has 2 rows"),
    "a part without files": (lambda root: without_part(root, False), f"{SECOND}.parquet has no partition files and no"),
    "a part that its sidecar has": (lambda root: without_part(root, True), f"{EN} is missing: the sidecar has 2 rows"),
    "a key that its sidecar has": (labels(lambda at: (at / EN).unlink()), f"{EN} is missing: the sidecar has 2 rows"),
    "a damaged sidecar": (sidecar(b"PAR1 no PAR1"), f"{SECOND}.parquet cannot be read"),
    "an empty sidecar": (sidecar(b""), f"{SECOND}.parquet cannot be read"),
    "another sidecar": (sidecar(parquet(1, site="enwiki")), f"{SECOND}.parquet cannot be read"),
    "a sidecar that disagrees": (sidecar(sidecar_of({"en": 2, "mul": 9})), "has 2 rows, the sidecar says 9"),
    "a sidecar with fewer keys": (sidecar(sidecar_of({"en": 2})), "has 2 rows, the sidecar says 0"),
    "zero bytes": (labels(lambda at: write(at / EN, b"")), f"{EN} is empty: recreate it"),
    "truncated": (labels(lambda at: write(at / EN, (at / EN).read_bytes()[:-1])), f"{EN} is not a whole Parquet file"),
    "no Parquet file": (
        labels(lambda at: write(at / EN, b"id,label\nQ42,Adams\n")),
        f"{EN} is not a whole Parquet file",
    ),
    "a senseless footer": (labels(lambda at: write(at / EN, b"PAR1" * 10)), f"{EN} cannot be read as Parquet"),
    "a folder named like a file": (labels(lambda at: folder_instead(at / EN)), f"{EN} is not a regular"),
    "a pipe": (labels(lambda at: pipe_instead(at / EN)), f"{EN} is not a regular file"),
    "a link out of results": (labels(lambda at: link(at / EN, "/etc/passwd")), f"{EN} is not a regular file"),
    "a dangling link": (labels(lambda at: link(at / EN, "nowhere")), f"{EN} is not a regular file"),
    "a link to a good file": (labels(lambda at: link(at / EN, f"{FIRST}.parquet")), f"{EN} is not a regular file"),
    "a key folder that is a link": (
        labels(lambda at: (at / "language=xx").symlink_to(at / "language=en")),
        "its folder is a link",
    ),
    "a part of another count": (
        labels(lambda at: write(at / "language=en" / "chunk_3-00000-of-00003.parquet", parquet(1))),
        "does not belong to a chunk of 2 parts: remove it",
    ),
} | {
    f"a folder {name!r}": (
        labels(lambda at, name=name: write(at / name / f"{FIRST}.parquet", parquet(1))),  # type: ignore[misc]
        "the folder must be named language=KEY with KEY in lower case",
    )
    for name in (
        *("language=a b", "language=it's", 'language="', "language=a=b", "language=é", "language=a\nb", "language=.."),
        *("language=-x", "--help", "-rf", "language=", "site=enwiki", "language=\udcff", "$(touch x)", "language=%en"),
    )
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files_are_refused(box: Box, hub: RunningHub, capsys: pytest.CaptureFixture[str], name: str) -> None:
    spoil, reason = BAD_FILES[name]
    spoil(box.root)
    line = refusal(box, hub, capsys, *ONE_TABLE)
    assert line.startswith("wikidata: labels: ")
    assert reason in line
    assert reason in refusal(box, hub, capsys, *ONE_TABLE, "--dry-run")


@pytest.mark.parametrize("name", ["zero bytes", "a part without files", "a link out of results"])
def test_a_bad_table_keeps_the_chunk_from_push_and_the_others_are_published(
    box: Box,
    hub: RunningHub,
    stock: Stock,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    owner = name.replace(" ", "-")
    hub.add_token(f"token-of-{owner}", Identity(owner))
    for variable, value in {"HF_USER": owner, "HF_TOKEN": f"token-of-{owner}", "JOBS": "1"}.items():
        monkeypatch.setenv(variable, value)
    stock.copy_versions(box.root / "manifests", "huggingface-cli")
    monkeypatch.setattr("wikidata.upload.run.subprocess", INSTANT)
    BAD_FILES[name][0](box.root)
    assert main(CHUNK) == 1
    assert BAD_FILES[name][1] in capsys.readouterr().err
    assert box.steps(3) == {3}
    for table, repo in target_repos(owner).items():
        if table is LABELS:
            assert box.receipt(table, 3) is None
            assert hub.counts().of(repo).commits == 0
        else:
            assert box.receipt(table, 3) is not None
            there = {
                path: (file.size, file.sha256)
                for path, file in hub.files(repo).items()
                if path in box.expected(table, 3)
            }
            assert there == box.expected(table, 3)


def occupy(path: str) -> Spoil:
    """A file stands where a folder has to be."""
    return lambda root: write(root / path, b"")


def block(path: str) -> Spoil:
    """A folder stands where a file has to be."""
    return lambda root: (root / path).mkdir(parents=True)


BAD_FOLDERS: dict[str, tuple[Spoil, str]] = {
    "manifests is a file": (occupy("manifests"), "box/manifests"),
    "manifests of the chunk is a file": (occupy("manifests/chunk_3"), "box/manifests/chunk_3"),
    "the lock is a folder": (block("manifests/.locks/chunk_3"), "cannot lock"),
    "the manifest is a folder": (block("manifests/chunk_3/labels.csv"), "labels.csv"),
    "the receipt is a folder": (block("manifests/chunk_3/labels.receipt.json/x"), "labels.receipt.json"),
    "the quota is a folder": (block("manifests/.not-before.json"), ".not-before.json"),
    "a temporary file is a folder": (block("manifests/chunk_3/.labels.csv.tmp"), "labels.csv"),
    "staging is a file": (occupy("staging"), "box/staging"),
    "staging of the chunk is a file": (occupy("staging/chunk_3"), "box/staging/chunk_3"),
    "logs is a file": (occupy("logs"), "box/logs"),
    "logs of the chunk is a file": (occupy("logs/chunk_3"), "box/logs/chunk_3"),
}


@pytest.mark.parametrize("name", BAD_FOLDERS)
def test_a_folder_that_cannot_be_written_to_is_named(
    box: Box, hub: RunningHub, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    spoil, place = BAD_FOLDERS[name]
    spoil(box.root)
    before = snapshot(box.root / "state") | snapshot(box.root / "results")
    assert main(ONE_TABLE) == 1
    line, *more = capsys.readouterr().err.splitlines()
    assert line.startswith("wikidata: ")
    assert all(each.startswith("    ") for each in more)
    assert place in line
    assert snapshot(box.root / "state") | snapshot(box.root / "results") == before
    assert hub.counts().commits == 0
    assert box.receipt(LABELS, 3) is None


LIMITED = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2); "
LIMITED += "from wikidata.main import main; sys.exit(main(sys.argv[2:]))"


@pytest.mark.parametrize(
    ("limit_bytes", "place"), [(0, "manifests/.locks/chunk_3"), (200, "labels.csv"), (500, "logs/chunk_3/labels-")]
)
def test_a_disk_that_is_full_is_said_in_one_line(box: Box, hub: RunningHub, limit_bytes: int, place: str) -> None:
    before = snapshot(box.root / "state") | snapshot(box.root / "results")
    command = [sys.executable, "-c", LIMITED, str(limit_bytes), *ONE_TABLE]
    done = subprocess.run(command, env=box.environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    first, *tail = done.stderr.splitlines()
    assert first.startswith("wikidata: ")
    assert place in first
    assert "File too large" in first
    assert all(line.startswith("    ") for line in tail)
    assert snapshot(box.root / "state") | snapshot(box.root / "results") == before
    assert hub.counts().commits == 0
    assert box.receipt(LABELS, 3) is None


@pytest.fixture
def tiny_disk(box: Box) -> Iterator[Path]:
    """A file system with room for four files."""
    folder = box.root / "tiny"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "nr_inodes=5", "tiny", str(folder)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("mounting is not allowed here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("name", ["MANIFEST_DIR", "STAGING_DIR", "LOG_DIR"])
def test_a_disk_without_inodes_is_said_in_one_line(
    box: Box,
    hub: RunningHub,
    tiny_disk: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    for number in range(3):
        (tiny_disk / f"file{number}").touch()
    monkeypatch.setenv(name, str(tiny_disk))
    assert main(ONE_TABLE) == 1
    line, *more = capsys.readouterr().err.splitlines()
    assert line.startswith("wikidata: ")
    assert all(each.startswith("    ") for each in more)
    assert "No space left on device" in line
    assert str(tiny_disk) in line
    assert box.steps(3) == {3}
    assert hub.counts().commits == 0


class FakeHub:
    """The Hub as a dictionary: repo → path → content."""

    token = None

    def __init__(self) -> None:
        self.repos: dict[str, dict[str, bytes]] = {}

    def head(self, repo_id: str) -> str | None:
        return "1" * 40 if repo_id in self.repos else None

    def overview(self, repo_id: str) -> Overview:
        return Overview(self.head(repo_id))

    def look_up(self, repo_id: str, revision: str | None, paths: list[str]) -> Snapshot:
        files = self.repos[repo_id] if revision else {}
        there = {path: files[path] for path in paths if path in files}
        return Snapshot(revision, {path: RemoteFile(len(what), sha256(what), "") for path, what in there.items()})

    def create(self, repo_id: str, private: bool) -> None:
        assert not private
        self.repos.setdefault(repo_id, {})

    def layout_of(self, repo_id: str, overview: Overview) -> None:
        assert overview.revision is None or repo_id in self.repos

    def files(self, repo_id: str, revision: str, folder: str = "") -> dict[str, RemoteFile]:
        assert revision
        files = {path: what for path, what in self.repos[repo_id].items() if path.startswith(folder)}
        return {path: RemoteFile(len(what), sha256(what), "") for path, what in files.items()}

    def read(self, repo_id: str, revision: str, path: str) -> None:
        """No dataset card yet."""
        assert (revision, path) == (self.head(repo_id), "README.md")

    def commit(self, repo_id: str, parent: str, message: str, additions: dict[str, bytes], *changes: object) -> None:
        """The manifest and the dataset card, which have tests of their own."""
        assert not any(changes)
        assert parent == self.head(repo_id)
        assert message.startswith("Record chunk 3 of ")
        assert set(additions) == {"README.md", "manifests/chunk_3.csv", "manifests/columns.json"}

    def upload(self, job: Upload, *_: object) -> Outcome:
        """Stands for `upload.run`: takes everything below the staging folder, as the CLI does."""
        for file in job.folder.rglob("*"):
            if file.is_file():
                self.repos[job.repo_id][str(file.relative_to(job.folder))] = file.read_bytes()
        return Outcome(None, "", 0)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def spoil_link(path: Path) -> None:
    link(path, "/etc/passwd")


TROUBLES: dict[str, Spoil] = {
    "empty": lambda path: write(path, b""),
    "truncated": lambda path: write(path, parquet(2, language="en")[:-3]),
    "text": lambda path: write(path, b"no Parquet file at all, but long enough to be one"),
    "footer": lambda path: write(path, b"PAR1" * 9),
    "link": spoil_link,
    "dangling": lambda path: link(path, "nowhere"),
    "folder": folder_instead,
    "odd key": lambda path: write(path.parents[1] / "language=A b" / path.name, parquet(1)),
    "no key": lambda path: write(path.parents[1] / "tmp" / path.name, parquet(1)),
    "other count": lambda path: write(path.parent / "chunk_3-00000-of-00099.parquet", parquet(1)),
    "beyond": lambda path: write(path.parent / f"chunk_3-00077-of-{path.name[17:22]}.parquet", parquet(1)),
}
JUNK = (
    *("chunk_30-00000-of-00001.parquet", "chunk_13-00000-of-00001.parquet", "chunk_3.parquet", "notes", "-rf"),
    *(".chunk_3-00000-of-00001.parquet", "chunk_3-00000-of-00001.parquet.tmp", "chunk_3-00000-of-00001.csv", "\udcff"),
)
KEYS = ("en", "no", "zh-hant", "be_tarask", "zh_min_nanwiki")
STATES = (
    PARTITION,
    b'{"step":3}',
    b'{"step": 4}',
    b'{"step": 5}',
    b'{"step": 2}',
    b'{"step": 0}',
    b"",
    b'{"st',
    b"\xff",
)


@st.composite
def worlds(draw: st.DrawFn) -> dict[str, object]:
    """What may lie below `results/labels`, `audit/labels` and `state` for chunk 3."""
    parts = draw(st.integers(1, 3))
    rows = st.integers(0, 3)
    part = st.dictionaries(st.sampled_from(KEYS), st.lists(rows, min_size=1, max_size=3), min_size=1, max_size=3)
    return {
        "files": draw(st.lists(part, min_size=parts, max_size=parts)),
        "sidecars": draw(st.lists(st.sampled_from(["none", "right", "wrong"]), min_size=parts, max_size=parts)),
        "layout": draw(st.sampled_from(["files", "packed"])),
        "junk": draw(st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from(JUNK)), max_size=4)),
        "troubles": draw(st.lists(st.tuples(st.sampled_from(sorted(TROUBLES)), st.integers(0, 9)), max_size=1)),
        "states": draw(
            st.one_of(
                st.lists(st.sampled_from(STATES[:4]), min_size=parts, max_size=parts),
                st.lists(st.sampled_from(STATES), min_size=parts - 1, max_size=parts + 1),
            )
        ),
    }


def build(root: Path, world: dict[str, object]) -> tuple[dict[str, bytes], bool]:
    """Lay a world out; returns the labels' files that have to be published, and whether there is trouble with them."""
    files, sidecars, states = world["files"], world["sidecars"], world["states"]
    assert isinstance(files, list)
    assert isinstance(sidecars, list)
    assert isinstance(states, list)
    made: dict[str, bytes] = {}
    for part, (keys, kind) in enumerate(zip(files, sidecars, strict=True)):
        source = f"chunk_3-{part:05d}-of-{len(files):05d}"
        for key, splits in keys.items():
            for split, rows in enumerate(splits):
                made[f"language={key}/{source}{f'_{split}' if split else ''}.parquet"] = parquet(rows, language=key)
        if kind != "none":
            promised = {key: sum(splits) + (kind == "wrong") for key, splits in keys.items()}
            write(root / "audit" / "labels" / f"{source}.parquet", sidecar_of(promised))
        for table in set(Table) - {LABELS}:
            write(
                root / "results" / table / f"{table.partition_column}=en" / f"{source}.parquet",
                parquet(1, **{table.partition_column: "en"}),
            )
    for part, content in enumerate(states):
        write(root / "state" / f"chunk_3-{part:05d}-of-{len(files):05d}.jsonl", content)
    for path, content in made.items():
        write(root / "results" / "labels" / path, content)
    for key, name in world["junk"]:  # type: ignore[attr-defined]
        write(root / "results" / "labels" / f"language={key}" / name, b"junk")
    for name, number in world["troubles"]:  # type: ignore[attr-defined]
        TROUBLES[name](root / "results" / "labels" / sorted(made)[number % len(made)])
    return made, bool(world["troubles"]) or "wrong" in sidecars


def is_packed(there: dict[str, bytes], made: dict[str, bytes]) -> bool:
    """Whether the Hub has one file for each key, with just the rows of its partition files in their order."""
    keys = {path.partition("/")[0] for path in made}
    rows = {key: [pl.read_parquet(made[path]) for path in sorted(made) if path.startswith(f"{key}/")] for key in keys}
    return {f"{key}/chunk_3.parquet" for key in keys} == set(there) and all(
        pl.read_parquet(there[f"{key}/chunk_3.parquet"]).equals(pl.concat(rows[key])) for key in keys
    )


def read_all(root: Path) -> dict[bytes, object]:
    return snapshot(root)


@settings(max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(world=worlds())
def test_whatever_lies_there_is_pushed_exactly_or_refused_and_untouched(world: dict[str, object]) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        root = Path(folder)
        made, is_bad = build(root, world)
        parts = len(world["files"])  # type: ignore[arg-type]
        expected = [
            (path, len(made[path]), sha256(made[path]), pl.read_parquet(made[path]).height) for path in sorted(made)
        ]
        try:
            found = survey(3, parts, LABELS, root / "results", root / "audit").files
            assert not is_bad
            assert found.select(list(SCHEMA)).rows() == expected
        except ManifestError as error:
            assert is_bad, error
            assert "\n" not in str(error)

        names = {"STATE_DIR": "state", "OUTPUT_DIR": "results", "AUDIT_DIR": "audit", "MANIFEST_DIR": "manifests"}
        names |= {"STAGING_DIR": "staging", "LOG_DIR": "logs"}
        environment = {name: str(root / place) for name, place in names.items()} | {"HF_TOKEN": "x"}
        environment["LAYOUT"] = str(world["layout"])
        repos = target_repos("permutans")
        session = Session(Settings.from_environment(environment), repos, Listener())
        fake = FakeHub()
        session.hub = fake  # type: ignore[assignment]
        patch.setattr(session, "check_rights", lambda: None)
        patch.setattr("wikidata.upload.run.run", fake.upload)
        inputs = {place: read_all(root / place) for place in ("state", "results", "audit")}
        states = world["states"]
        assert isinstance(states, list)
        is_complete = len(states) == parts and all(content in STATES[:4] for content in states)
        try:
            push(session, get_all_state(root / "state"), 3)
            event("pushed")
            assert is_complete
            assert not is_bad
            there = fake.repos[repos[LABELS]]
            assert there == made if world["layout"] == "files" else is_packed(there, made)
            raised = [b'{"step": 4}\n' if content in STATES[:2] else content for content in states]
            assert [file.read_bytes() for file in sorted((root / "state").iterdir())] == raised
        except PushError as error:
            event("refused")
            assert is_bad or not is_complete, error
            assert "\n" not in str(error)
            assert repos[LABELS] not in fake.repos
            assert read_all(root / "state") == inputs["state"]
            if not is_complete:
                assert fake.repos == {}
                assert not (root / "manifests").exists()
        assert read_all(root / "results") == inputs["results"]
        assert read_all(root / "audit") == inputs["audit"]
