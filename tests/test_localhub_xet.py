"""Xet on the local Hub: hf_xet uploads to it, as a library and through the CLI, and what is refused."""

import hashlib
import json
import os
import random
import struct
import subprocess
import sys
from array import array
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import requests
from box import Box, assert_arrived
from conftest import REPO_NAMES
from huggingface_hub import HfApi
from hypothesis import given
from hypothesis import strategies as st
from make_sample import write_sample
from test_localhub import add, ask, commit_lines

from localhub.errors import RefusedError
from localhub.faults import Action, Endpoint, Fault
from localhub.shards import END, HAS_SHA256, RECORD, TAG, parse_shard
from localhub.testing import RunningHub, running_hub
from localhub.xorbs import HEADER_BYTES, LARGEST_CHUNK_BYTES, find_chunks, ungroup, unpack
from wikidata.config import target_repos

CLI = Path(sys.executable).with_name("huggingface-cli")
SOON = {"HF_XET_CLIENT_RETRY_BASE_DELAY": "10ms", "HF_XET_CLIENT_RETRY_MAX_DURATION": "50ms"}
"""hf_xet waits up to 3 s before its second try, and up to 6 minutes before each of four more."""
XORB = "1" * 64
FOLDERS = (f"folder-{number}" for number in count())
SEEDS = count(1)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    with running_hub(tmp_path_factory.mktemp("hub"), arguments=["--xet"]) as running:
        yield running


@pytest.fixture(autouse=True)
def no_faults(hub: RunningHub) -> None:
    hub.clear_faults()
    hub.reset_counts()


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
    command = [
        str(CLI),
        "upload-large-folder",
        repo,
        str(folder),
        "--repo-type=dataset",
        "--num-workers=1",
        "--no-bars",
    ]
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=60)


def assert_all_there(hub: RunningHub, repo: str, contents: Mapping[str, bytes]) -> None:
    files = hub.files(repo)
    assert set(files) == {*contents, ".gitattributes"}
    for path, content in contents.items():
        assert files[path] == (len(content), hashlib.sha256(content).hexdigest())
        served = ask(hub, "GET", f"/datasets/{repo}/resolve/main/{path}")
        assert served.content == content
        assert not [header for header in served.headers if header.lower().startswith("x-xet")]


def store(hub: RunningHub, repo: str, scope: str = "write") -> tuple[str, dict[str, str]]:
    """The address of the store and what to send to be let in."""
    answer = ask(hub, "GET", f"/api/datasets/{repo}/xet-{scope}-token/main")
    assert answer.json() == {
        "casUrl": answer.headers["X-Xet-Cas-Url"],
        "accessToken": answer.headers["X-Xet-Access-Token"],
        "exp": int(answer.headers["X-Xet-Token-Expiration"]),
    }
    return answer.json()["casUrl"], {"Authorization": f"Bearer {answer.json()['accessToken']}"}


def send(hub: RunningHub, repo: str, address: str, body: bytes) -> requests.Response:
    url, headers = store(hub, repo)
    return requests.post(f"{url}/{address}", data=body, headers=headers, timeout=30)


def packed(*contents: bytes) -> bytes:
    """A xorb whose chunks are not packed."""
    lengths = [len(content).to_bytes(3, "little") for content in contents]
    return b"".join(
        b"\0%b\0%b%b" % (length, length, content) for length, content in zip(lengths, contents, strict=True)
    )


def shard(content: bytes, xorb: str = XORB, sha256: str | None = "", chunks: int = 1) -> bytes:
    """A shard with one file of one term; None for its sha256: left out."""
    flags = 0 if sha256 is None else HAS_SHA256
    records = [RECORD.pack(b"\7" * 32, flags, 1, 0, 0), RECORD.pack(digest(xorb), 0, len(content), 0, chunks)]
    if sha256 is not None:
        records.append(RECORD.pack(digest(sha256 or hashlib.sha256(content).hexdigest()), 0, 0, 0, 0))
    return TAG + struct.pack("<QQ", 2, 0) + b"".join(records) + END + END


def digest(text: str) -> bytes:
    return struct.pack("<4Q", *(int(text[first : first + 16], 16) for first in range(0, 64, 16)))


def test_what_the_library_uploads_by_xet_arrives(api: HfApi, hub: RunningHub, repo: str, tmp_path: Path) -> None:
    contents = some_contents()
    assert api.dataset_info(repo, expand=["xetEnabled"]).xet_enabled
    api.upload_folder(repo_id=repo, folder_path=written(tmp_path, contents), repo_type="dataset")
    assert_all_there(hub, repo, contents)
    counts = hub.counts().of(repo)
    assert counts.requests[Endpoint.LFS_PUT] == 0
    assert counts.requests[Endpoint.XET_XORB] == counts.requests[Endpoint.XET_SHARD] == 1
    assert 3_000_001 < counts.uploaded_bytes < sum(map(len, contents.values())) - 1_000_000


def test_what_the_cli_uploads_by_xet_arrives(hub: RunningHub, tmp_path: Path) -> None:
    repo, contents = next(REPO_NAMES), some_contents()
    push(hub, repo, written(tmp_path, contents), tmp_path / "cache")
    assert_all_there(hub, repo, contents)
    assert hub.counts().of(repo).requests[Endpoint.LFS_PUT] == 0


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


def test_a_hub_that_comes_back_knows_what_it_had(tmp_path: Path) -> None:
    contents = some_contents()
    for is_first in (True, False):
        repo = next(REPO_NAMES)
        with running_hub(tmp_path / "hub", arguments=["--xet"]) as hub:
            push(hub, repo, written(tmp_path, contents), tmp_path / f"cache-{is_first}")
            assert_all_there(hub, repo, contents)
            assert (hub.counts().uploaded_bytes > 0) == is_first


def test_what_another_hub_had_at_the_same_address_is_sent_again(tmp_path: Path) -> None:
    contents, port = some_contents(), 0
    for root in ("one", "other"):
        with running_hub(tmp_path / root, port=port, arguments=["--xet"]) as hub:
            port = int(hub.endpoint.rpartition(":")[2])
            push(hub, "permutans/a", written(tmp_path, contents), tmp_path / "cache")
            assert_all_there(hub, "permutans/a", contents)


def test_a_push_arrives_by_xet(hub: RunningHub, tmp_path: Path) -> None:
    write_sample(tmp_path / "box", chunks={3: 2}, keys=3, rows=2)
    box = Box(tmp_path / "box", hub.endpoint, hub.token)
    result = box.wikidata("push", "--chunk", "3")
    assert result.returncode == 0, result.stderr
    assert_arrived(box, hub, 3)
    counts = hub.counts()
    assert counts.requests[Endpoint.LFS_PUT] == 0
    assert all(counts.of(repo).requests[Endpoint.XET_SHARD] for repo in target_repos("permutans").values())


@pytest.mark.parametrize(
    "fault",
    [
        Fault(Endpoint.XET_XORB, 500),
        Fault(Endpoint.XET_XORB, action=Action.CLOSE),
        Fault(Endpoint.XET_XORB, action=Action.RESET),
        Fault(Endpoint.XET_SHARD, 503),
        Fault(Endpoint.XET_SHARD, action=Action.CLOSE, lands=True),
        Fault(Endpoint.XET_CHUNK, 500, times=None),
        Fault(Endpoint.XET_TOKEN, 403),
    ],
)
def test_faults_strike_and_pass(hub: RunningHub, tmp_path: Path, fault: Fault) -> None:
    repo, contents = next(REPO_NAMES), some_contents()
    hub.set_faults(fault)
    push(hub, repo, written(tmp_path, contents), tmp_path / "cache")
    assert_all_there(hub, repo, contents)
    assert hub.struck()[0] >= 1


def test_without_the_switch_there_is_no_xet(tmp_path: Path) -> None:
    with running_hub(tmp_path) as hub:
        api = HfApi(endpoint=hub.endpoint, token=hub.token)
        api.create_repo("permutans/a", repo_type="dataset")
        add(api, "permutans/a", **{"a.parquet": b"PAR1"})
        assert hub.counts().requests[Endpoint.LFS_PUT] == 1
        assert not api.dataset_info("permutans/a", expand=["xetEnabled"]).xet_enabled
        assert ask(hub, "GET", "/api/datasets/permutans/a/xet-write-token/main").status_code == 404


def test_clients_that_do_not_know_xet_upload_by_lfs(hub: RunningHub, repo: str, tmp_path: Path) -> None:
    contents = {"a.parquet": b"PAR1 by LFS PAR1"}
    push(hub, repo, written(tmp_path, contents), tmp_path / "cache", HF_HUB_DISABLE_XET="1")
    assert_all_there(hub, repo, contents)
    assert hub.counts().of(repo).requests[Endpoint.LFS_PUT] == 1


def test_tokens_are_for_those_who_may(hub: RunningHub, repo: str) -> None:
    for scope, token, status in (
        ("write", hub.read_token, 403),
        ("write", "hf_nobody", 401),
        ("read", hub.read_token, 200),
    ):
        answer = ask(hub, "GET", f"/api/datasets/{repo}/xet-{scope}-token/main", token=token)
        assert answer.status_code == status
    assert ask(hub, "GET", f"/api/datasets/{repo}/xet-read-token/dev").status_code == 404
    assert ask(hub, "GET", "/api/datasets/permutans/none/xet-write-token/main").status_code == 404


@pytest.mark.parametrize("address", [f"v1/xorbs/default/{XORB}", "v1/shards", "v2/shards"])
def test_the_store_opens_to_its_tokens_alone(hub: RunningHub, repo: str, address: str) -> None:
    url, headers = store(hub, repo)
    _, reading = store(hub, repo, "read")
    forged = {"Authorization": headers["Authorization"][:-1] + "x"}
    for authorization, status in (
        ({}, 401),
        ({"Authorization": f"Bearer {hub.token}"}, 401),
        (forged, 401),
        (reading, 403),
        (headers, 400),
    ):
        answer = requests.post(f"{url}/{address}", data=b"?", headers=authorization, timeout=30)
        assert answer.status_code == status
    elsewhere = url[:-1] + ("0" if url[-1] != "0" else "1")
    assert requests.post(f"{elsewhere}/{address}", data=b"?", headers=headers, timeout=30).status_code == 404


@pytest.mark.parametrize("name", ["default/" + "1" * 63, "default/" + "G" * 64, "other/" + XORB])
def test_a_xorb_needs_a_proper_hash(hub: RunningHub, repo: str, name: str) -> None:
    answer = send(hub, repo, f"v1/xorbs/{name}", packed(b"abc"))
    assert (answer.status_code, answer.json()["error"]) == (400, f"Invalid hash: {name}")


@pytest.mark.parametrize(
    "body", [b"", b"PAR1", packed(b"abc")[:-1], b"\1" + packed(b"abc")[1:], packed(bytes(LARGEST_CHUNK_BYTES + 1))]
)
def test_a_broken_xorb_is_refused(hub: RunningHub, repo: str, body: bytes) -> None:
    answer = send(hub, repo, f"v1/xorbs/default/{'2' * 64}", body)
    assert (answer.status_code, "Invalid xorb" in answer.json()["error"]) == (400, True)
    assert send(hub, repo, "v1/shards", shard(b"abc", "2" * 64)).status_code == 400


def test_a_file_is_there_once_its_shard_has_come(hub: RunningHub, repo: str) -> None:
    content = b"PAR1 by hand PAR1"
    sha256 = hashlib.sha256(content).hexdigest()
    pointer = ("lfsFile", {"path": "a.parquet", "algo": "sha256", "oid": sha256, "size": len(content)})
    inserted = [send(hub, repo, f"v1/xorbs/default/{XORB}", packed(content)).json() for _ in range(2)]
    assert inserted == [{"was_inserted": True}, {"was_inserted": False}]
    assert commit_lines(hub, repo, pointer).status_code == 400
    assert send(hub, repo, "v1/shards", shard(content)).json() == {"result": 1}
    assert send(hub, repo, "v2/shards", shard(content)).content == b'{"type":"result"}\n'
    assert commit_lines(hub, repo, pointer).status_code == 200
    assert hub.read(repo, "a.parquet") == content


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"xorb": "9" * 64}, "was never uploaded"),
        ({"sha256": "0" * 64}, "has the sha256"),
        ({"sha256": None}, "comes without its sha256"),
        ({"chunks": 2}, "names chunks that"),
        ({"chunks": 0}, "names chunks that"),
    ],
)
def test_a_shard_that_does_not_hold_is_refused(
    hub: RunningHub, repo: str, options: dict[str, Any], reason: str
) -> None:
    content = b"PAR1 not so PAR1"
    assert send(hub, repo, f"v1/xorbs/default/{'3' * 64}", packed(content)).status_code == 200
    answer = send(hub, repo, "v2/shards", shard(content, **{"xorb": "3" * 64, **options}))
    assert (answer.status_code, reason in answer.json()["error"]) == (400, True)


@given(st.integers(0, 300))
def test_a_shard_that_ends_too_early_is_refused(length: int) -> None:
    whole = shard(b"abc")
    assert parse_shard(whole).files[0].size == 3
    with pytest.raises(RefusedError, match="Invalid shard"):
        parse_shard(whole[: min(length, len(whole) - 1)])


@given(st.binary(max_size=100))
def test_grouped_bytes_come_back_in_order(content: bytes) -> None:
    grouped = b"".join(content[group::4] for group in range(4))
    assert ungroup(grouped) == content


@given(st.lists(st.binary(max_size=20), min_size=1))
def test_chunks_are_found_up_to_the_footer(contents: list[bytes]) -> None:
    xorb = packed(*contents) + b"XETBLOB and what comes with it"
    chunks = find_chunks(xorb)
    assert [unpack(xorb, chunk) for chunk in chunks] == contents
    assert chunks[0].start == HEADER_BYTES


def test_a_chunk_is_found_by_its_hash(hub: RunningHub, repo: str) -> None:
    url, headers = store(hub, repo, "read")
    address = f"{url}/v1/chunks/default/{XORB}"
    assert requests.get(address, headers=headers, timeout=30).status_code == 404
    assert requests.get(address[:-1], headers=headers, timeout=30).status_code == 400
    assert json.loads(requests.get(address, timeout=30).text)["error"] == "Invalid credentials in Authorization header"
