"""Xet on the local Hub, as hf_xet uploads to it: as a library and through the CLI; tests/end_to_end has pushes."""

import hashlib
import os
import random
import subprocess
import sys
from array import array
from collections.abc import Mapping
from itertools import count
from pathlib import Path

import pytest
from huggingface_hub import HfApi

from localhub.faults import Action, Endpoint, Fault
from localhub.testing import RunningHub, running_hub
from localhub.xet.xorbs import LARGEST_CHUNK_BYTES
from tests.conftest import REPO_NAMES
from tests.localhub.asking import ask

ARGUMENTS = ("--xet",)
CLI = Path(sys.executable).with_name("huggingface-cli")
SOON = {"HF_XET_CLIENT_RETRY_BASE_DELAY": "10ms", "HF_XET_CLIENT_RETRY_MAX_DURATION": "50ms"}
"""hf_xet waits up to 3, 9, 27, 81 and 243 s before its five further tries."""
FOLDERS = (f"folder-{number}" for number in count())
SEEDS = count(1)


def some_contents() -> dict[str, bytes]:
    """Chunks that are sent as they are, packed, and grouped; one content twice; many chunks, and one; all new."""
    seed = next(SEEDS)
    numbers = random.Random(seed)  # noqa: S311
    noise = numbers.randbytes(3_000_001)
    return {
        "noise.parquet": noise,
        "text.parquet": b"".join(b"line %d of %d\n" % (line, seed) for line in range(100_000)),
        "floats.parquet": array("f", (numbers.gauss(seed, 1) for _ in range(200_000))).tobytes() + b"odd",
        "language=en/copy.parquet": noise,
        "language=en/small.parquet": b"PAR1 %d PAR1" % seed,
        "README.md": b"# %d\n" % seed,
    }


def written(tmp_path: Path, contents: Mapping[str, bytes]) -> Path:
    folder = tmp_path / next(FOLDERS)
    for name, content in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def push(hub: RunningHub, repo: str, folder: Path, cache: Path, **settings: str) -> None:
    """Upload a folder by the CLI, which remembers below `cache` what the Hub has."""
    environment = {**os.environ, **hub.environment, **SOON, "HF_XET_CACHE": str(cache), **settings}
    words = ["upload-large-folder", repo, str(folder), "--repo-type=dataset", "--num-workers=1", "--no-bars"]
    subprocess.run([str(CLI), *words], env=environment, check=True, capture_output=True, timeout=60)


def assert_all_there(hub: RunningHub, repo: str, contents: Mapping[str, bytes]) -> None:
    files = hub.files(repo)
    assert set(files) == {*contents, ".gitattributes"}
    for path, content in contents.items():
        assert files[path] == (len(content), hashlib.sha256(content).hexdigest())
        assert ask(hub, "GET", f"/datasets/{repo}/resolve/main/{path}").content == content


def test_what_is_uploaded_by_xet_arrives_and_is_read_by_xet(
    api: HfApi, hub: RunningHub, repo: str, tmp_path: Path
) -> None:
    contents = some_contents()
    assert api.dataset_info(repo, expand=["xetEnabled"]).xet_enabled
    api.upload_folder(repo_id=repo, folder_path=written(tmp_path, contents), repo_type="dataset")
    assert_all_there(hub, repo, contents)
    counts = hub.counts().of(repo)
    assert counts.requests[Endpoint.LFS_PUT] == 0
    once = (Endpoint.XET_GRANT, Endpoint.XET_XORB, Endpoint.XET_SETTLE, Endpoint.XET_SHARD)
    assert [counts.requests[endpoint] for endpoint in once] == [1] * len(once)
    assert 3_000_001 < counts.uploaded_bytes < sum(map(len, contents.values())) - 1_000_000
    folder = Path(api.snapshot_download(repo, repo_type="dataset", local_dir=tmp_path / "read"))
    assert {path: (folder / path).read_bytes() for path in contents} == contents
    counts = hub.counts().of(repo)
    assert counts.requests[Endpoint.XET_FILE] == len(contents) - 1
    assert counts.requests[Endpoint.XET_BYTES] >= 1


def test_what_is_there_is_not_sent_again(hub: RunningHub, tmp_path: Path) -> None:
    contents = some_contents()
    push(hub, next(REPO_NAMES), written(tmp_path, contents), tmp_path / "cache")
    contents["more.parquet"] = contents["noise.parquet"] + b"and more"
    for cache in ("cache", "other cache"):
        hub.reset_counts()
        repo = next(REPO_NAMES)
        push(hub, repo, written(tmp_path, contents), tmp_path / cache)
        assert_all_there(hub, repo, contents)
        assert hub.counts().uploaded_bytes < 2 * LARGEST_CHUNK_BYTES


def test_a_hub_that_comes_back_knows_what_it_had_and_another_one_is_not_taken_for_it(tmp_path: Path) -> None:
    contents, port = some_contents(), 0
    for root, is_known in (("one", False), ("one", True), ("other", False)):
        with running_hub(tmp_path / root, port=port, arguments=["--xet"]) as hub:
            port = int(hub.endpoint.rpartition(":")[2])
            repo = next(REPO_NAMES)
            push(hub, repo, written(tmp_path, contents), tmp_path / "cache")
            assert_all_there(hub, repo, contents)
            assert (hub.counts().uploaded_bytes == 0) == is_known


@pytest.mark.parametrize(
    "fault",
    [
        Fault(Endpoint.XET_XORB, action=Action.CLOSE, lands=True),
        Fault(Endpoint.XET_SETTLE, 404),
        Fault(Endpoint.XET_SHARD, action=Action.CLOSE, lands=True),
        Fault(Endpoint.XET_CHUNK, 500, times=None),
        Fault(Endpoint.XET_GRANT, 404, times=None),
    ],
)
def test_clients_get_over_a_fault(hub: RunningHub, tmp_path: Path, fault: Fault) -> None:
    repo, contents = next(REPO_NAMES), some_contents()
    hub.set_faults(fault)
    push(hub, repo, written(tmp_path, contents), tmp_path / "cache")
    assert_all_there(hub, repo, contents)
    assert hub.struck()[0] >= 1
    settled = hub.counts().of(repo).requests[Endpoint.XET_SETTLE]
    assert (settled == 0) == (fault.endpoint == Endpoint.XET_GRANT)


def test_clients_that_do_not_know_xet_upload_by_lfs(hub: RunningHub, repo: str, tmp_path: Path) -> None:
    contents = {"a.parquet": b"PAR1 by LFS PAR1"}
    push(hub, repo, written(tmp_path, contents), tmp_path / "cache", HF_HUB_DISABLE_XET="1")
    assert_all_there(hub, repo, contents)
    assert hub.counts().of(repo).requests[Endpoint.LFS_PUT] == 1
