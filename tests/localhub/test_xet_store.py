"""The store of Xet on the local Hub, asked by hand: who is let in, what is refused, and the formats."""

import hashlib
import json
import struct
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from localhub.errors import RefusedError
from localhub.shards import END, HAS_SHA256, RECORD, TAG, parse_shard
from localhub.testing import RunningHub, running_hub
from localhub.xorbs import HEADER_BYTES, LARGEST_BYTES, LARGEST_CHUNK_BYTES, find_chunks, ungroup, unpack
from tests.localhub.test_clients import ask, commit_lines

XORB = "1" * 64


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    with running_hub(tmp_path_factory.mktemp("hub"), arguments=["--xet"]) as running:
        yield running


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


def test_a_grant_is_for_one_xorb_and_used_once(hub: RunningHub, repo: str) -> None:
    name, xorb = "4" * 64, packed(b"PAR1 granted PAR1")
    asked = json.dumps({"length": len(xorb)}).encode()
    grant = send(hub, repo, f"v1/xorb-grants/default/{name}", asked)
    assert grant.status_code == 201
    settled = f"v1/xorb-commits/default/{name}/grant/{grant.json()['id']}"
    assert send(hub, repo, settled, b"").status_code == 404
    for url, status in (
        (grant.json()["url"].replace(name, "5" * 64), 403),
        (grant.json()["url"], 200),
        (grant.json()["url"], 412),
    ):
        assert requests.put(url, data=xorb, timeout=30).status_code == status
    assert send(hub, repo, settled, b"").json() == {"was_inserted": True}
    assert send(hub, repo, settled, b"").status_code == 404
    assert send(hub, repo, f"v1/xorb-grants/default/{name}", asked).status_code == 200


def test_a_grant_is_given_for_the_largest_xorb(hub: RunningHub, repo: str) -> None:
    whole = (64 << 20) + 8192 * HEADER_BYTES
    for length, status in ((whole, 201), (LARGEST_BYTES + 1, 400), (0, 400), ("1", 400)):
        asked = json.dumps({"length": length}).encode()
        assert send(hub, repo, f"v1/xorb-grants/default/{'6' * 64}", asked).status_code == status


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


def read(url: str, headers: dict[str, str], name: str, first: int, last: int) -> bytes:
    """A range of a file, put together as clients do it."""
    asked = {**headers, "Range": f"bytes={first}-{last}"}
    made = requests.get(f"{url}/v2/reconstructions/{name}", headers=asked, timeout=30).json()
    content = b""
    for term in made["terms"]:
        fetch = next(one for one in made["xorbs"][term["hash"]] if one["ranges"][0]["chunks"] == term["range"])
        span = fetch["ranges"][0]["bytes"]
        part = requests.get(fetch["url"], headers={"Range": f"bytes={span['start']}-{span['end']}"}, timeout=30).content
        piece = b"".join(unpack(part, chunk) for chunk in find_chunks(part))
        assert len(piece) == term["unpacked_length"]
        content += piece
    return content[made["offset_into_first_range"] :][: last - first + 1]


def test_any_range_of_a_file_can_be_read(hub: RunningHub, repo: str) -> None:
    xorbs = {"7" * 64: (b"abc", b"defgh", b"i"), "8" * 64: (b"jklm", b"nopqrst")}
    for name, chunks in xorbs.items():
        assert send(hub, repo, f"v1/xorbs/default/{name}", packed(*chunks)).status_code == 200
    content = b"defghijklmnopqrst"
    terms = (("7" * 64, 6, 1, 3), ("8" * 64, 11, 0, 2))
    records = [RECORD.pack(b"\x08" * 32, HAS_SHA256, 2, 0, 0)]
    records += [RECORD.pack(digest(xorb), 0, size, start, end) for xorb, size, start, end in terms]
    records += [RECORD.pack(digest(hashlib.sha256(content).hexdigest()), 0, 0, 0, 0)]
    body = TAG + struct.pack("<QQ", 2, 0) + b"".join(records) + END + END
    assert send(hub, repo, "v1/shards", body).status_code == 200
    url, headers = store(hub, repo, "read")
    for first in range(len(content)):
        for last in range(first, len(content), 3):
            assert read(url, headers, "08" * 32, first, last) == content[first : last + 1]
    beyond = {**headers, "Range": "bytes=17-"}
    assert requests.get(f"{url}/v2/reconstructions/{'08' * 32}", headers=beyond, timeout=30).status_code == 416
    assert requests.get(f"{url}/v2/reconstructions/{'09' * 32}", headers=headers, timeout=30).status_code == 404
    assert requests.get(f"{url}/xorbs/{'7' * 64}", timeout=30).status_code == 403


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
