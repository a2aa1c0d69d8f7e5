"""What the Hub lacks is told by size and content, however the Hub stores a file."""

import os
from pathlib import Path

import polars as pl
import pytest

from localhub.faults import Fault
from localhub.testing import RunningHub
from wikidata.config import Layout, Settings, Table
from wikidata.errors import HubRefusedError, HubUnavailableError
from wikidata.hub.client import Hub
from wikidata.hub.files import Overview, RemoteFile, lacking
from wikidata.names import one
from wikidata.records.manifest import SCHEMA, Manifest
from wikidata.report.listener import Listener
from wikidata.retry import RetryPolicy

PATH = "language=en/chunk_3-00000-of-00001.parquet"
CONTENT = b"hello\n"
SHA256 = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"
BLOB_ID = "ce013625030ba8dba906f756967f9e9ca394464a"  # git hash-object


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    (tmp_path / PATH).parent.mkdir()
    (tmp_path / PATH).write_bytes(CONTENT)
    files = pl.DataFrame([(PATH, len(CONTENT), SHA256, 1)], schema=SCHEMA, orient="row")
    return Manifest(one(3), Table.LABELS, tmp_path, files)


def hub_client(attempts: int = 1) -> Hub:
    settings = Settings.from_environment(os.environ | {"ATTEMPTS": str(attempts), "RETRY_SECONDS": "0.01"})
    return Hub(RetryPolicy(settings, Listener().waiting))


@pytest.mark.parametrize(
    "there",
    [RemoteFile(6, SHA256, "of the pointer"), RemoteFile(6, None, BLOB_ID)],
    ids=["lfs", "plain git"],
)
def test_equal_content_is_not_lacking(manifest: Manifest, there: RemoteFile) -> None:
    assert lacking(manifest, {PATH: there}).is_empty()


@pytest.mark.parametrize(
    "there",
    [
        {},
        {"language=en/other.parquet": RemoteFile(6, SHA256, "")},
        {PATH: RemoteFile(7, SHA256, BLOB_ID)},
        {PATH: RemoteFile(6, "0" * 64, BLOB_ID)},
        {PATH: RemoteFile(6, None, "0" * 40)},
    ],
)
def test_absent_or_other_content_is_lacking(manifest: Manifest, there: dict[str, RemoteFile]) -> None:
    assert lacking(manifest, there)["path"].to_list() == [PATH]


REPO = "permutans/wikidata-labels"


@pytest.fixture
def client(hub: RunningHub, monkeypatch: pytest.MonkeyPatch) -> Hub:
    monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
    monkeypatch.setenv("HF_TOKEN", hub.token)
    return hub_client()


def test_a_lookup_costs_one_request_for_every_400_paths(hub: RunningHub, client: Hub) -> None:
    assert client.head(REPO) is None
    assert client.look_up(REPO, None, [PATH]).files == {}
    client.create(REPO, private=False)
    client.create(REPO, private=False)
    hub.replace_file(REPO, PATH, CONTENT)
    hub.reset_counts()
    look = client.look_up(
        REPO, client.head(REPO), [PATH, *(f"language=k{number}/absent.parquet" for number in range(800))]
    )
    assert look.revision == hub.commits(REPO)[0].oid
    assert list(look.files) == [PATH]
    assert look.files[PATH].sha256 == SHA256
    assert hub.counts().total == 4


@pytest.mark.parametrize(
    ("name", "layout"),
    [
        ("chunk_3.parquet", Layout.PACKED),
        ("chunk_3-00000-of-00001.parquet", Layout.FILES),
        ("chunk_3-00000-of-00001_1.parquet", Layout.FILES),
        ("notes.txt", None),
    ],
)
def test_folders_and_layout_are_told_by_three_requests(
    hub: RunningHub, client: Hub, name: str, layout: Layout | None
) -> None:
    assert client.overview(REPO) == Overview(None)
    client.create(REPO, private=False)
    assert client.layout_of(REPO, client.overview(REPO)) is None
    for path in ("README.md", "manifests/chunk_3.csv", f"language=en/{name}", f"language=no/{name}"):
        hub.replace_file(REPO, path, CONTENT)
    hub.reset_counts()
    overview = client.overview(REPO)
    assert overview.revision == hub.commits(REPO)[0].oid
    assert overview.key_folders == ["language=en", "language=no"]
    assert client.layout_of(REPO, overview) is layout
    assert hub.counts().total == (3 if layout else 4)


def test_the_files_of_a_folder_that_is_not_there_are_none(hub: RunningHub, client: Hub) -> None:
    client.create(REPO, private=False)
    hub.replace_file(REPO, "manifests/chunk_3.csv", CONTENT)
    revision = client.head(REPO) or ""
    assert list(client.files(REPO, revision, "manifests")) == ["manifests/chunk_3.csv"]
    assert client.files(REPO, revision, "absent") == {}
    assert client.files(REPO, revision)["manifests/chunk_3.csv"].is_content(CONTENT)


def test_a_404_without_a_code_means_the_repo_or_the_file_that_was_asked_for(hub: RunningHub, client: Hub) -> None:
    client.create(REPO, private=False)
    revision = client.head(REPO) or "none"
    hub.set_faults(*(Fault(endpoint, status=404, times=None, code="") for endpoint in ("info", "resolve")))
    assert client.head(REPO) is None
    assert client.read(REPO, revision, "README.md") is None
    hub.set_faults(Fault("resolve", status=404, times=None, code="RepoNotFound"))
    with pytest.raises(HubRefusedError, match="no such repo"):
        client.read(REPO, revision, "README.md")


def test_nobody_there_is_told_with_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(HubUnavailableError, match=r"^a/b: cannot reach http://127\.0\.0\.1:9: .*refused"):
        hub_client(attempts=2).head("a/b")
