"""The store of Xet on the local Hub, asked by hand: who is let in, what is refused, and the formats."""

import hashlib
import struct
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from localhub.errors import RefusedError
from localhub.testing import RunningHub
from localhub.xet.shards import END, HAS_SHA256, RECORD, TAG, parse_shard
from localhub.xet.xorbs import find_chunks, ungroup, unpack
from tests.localhub.asking import ask, commit_lines

ARGUMENTS = ("--xet",)
XORB = "1" * 64


def store(hub: RunningHub, repo: str, scope: str = "write") -> tuple[str, dict[str, str]]:
    """The address of the store and what to send to be let in."""
    answer = ask(hub, "GET", f"/api/datasets/{repo}/xet-{scope}-token/main").json()
    return answer["casUrl"], {"Authorization": f"Bearer {answer['accessToken']}"}


def send(hub: RunningHub, repo: str, address: str, body: bytes | None = None, **options: Any) -> requests.Response:
    url, headers = store(hub, repo)
    return requests.post(f"{url}/{address}", data=body, headers=headers, timeout=30, **options)


def packed(*contents: bytes) -> bytes:
    """A xorb whose chunks are not packed."""
    lengths = ((len(content).to_bytes(3, "little"), content) for content in contents)
    return b"".join(b"\0%b\0%b%b" % (length, length, content) for length, content in lengths)


def shard(content: bytes, *terms: tuple[str, int, int, int], sha256: str = "") -> bytes:
    """A shard with one file, of one chunk of XORB if no terms are given."""
    terms = terms or ((XORB, len(content), 0, 1),)
    records = [RECORD.pack(digest("7" * 64), HAS_SHA256, len(terms), 0, 0)]
    records += [RECORD.pack(digest(xorb), 0, size, first, end) for xorb, size, first, end in terms]
    records.append(RECORD.pack(digest(sha256 or hashlib.sha256(content).hexdigest()), 0, 0, 0, 0))
    return TAG + struct.pack("<QQ", 2, 0) + b"".join(records) + END + END


def digest(text: str) -> bytes:
    return struct.pack("<4Q", *(int(text[first : first + 16], 16) for first in range(0, 64, 16)))


@pytest.mark.parametrize("address", [f"v1/xorbs/default/{XORB}", "v2/shards"])
def test_the_store_opens_to_its_tokens_alone(hub: RunningHub, repo: str, address: str) -> None:
    token = f"/api/datasets/{repo}/xet-write-token/main"
    assert [ask(hub, "GET", token, token=user).status_code for user in (hub.read_token, "hf_nobody")] == [403, 401]
    url, headers = store(hub, repo)
    _, reading = store(hub, repo, "read")
    forged, user = {"Authorization": headers["Authorization"][:-1] + "x"}, {"Authorization": f"Bearer {hub.token}"}
    for authorization, status in (({}, 401), (user, 401), (forged, 401), (reading, 403), (headers, 400)):
        answer = requests.post(f"{url}/{address}", data=b"?", headers=authorization, timeout=30)
        assert answer.status_code == status
    assert requests.get(f"{url}/xorbs/{XORB}", timeout=30).status_code == 403


def test_a_file_is_there_once_its_shard_has_come(hub: RunningHub, repo: str) -> None:
    content = b"PAR1 by hand PAR1"
    sha256 = hashlib.sha256(content).hexdigest()
    pointer = ("lfsFile", {"path": "a.parquet", "algo": "sha256", "oid": sha256, "size": len(content)})
    inserted = [send(hub, repo, f"v1/xorbs/default/{XORB}", packed(content)).json() for _ in range(2)]
    assert inserted == [{"was_inserted": True}, {"was_inserted": False}]
    for refused in (
        shard(content, sha256="0" * 64),
        shard(content, ("9" * 64, len(content), 0, 1)),
        shard(content, (XORB, len(content), 0, 2)),
        shard(content, (XORB, len(content), 0, 0)),
    ):
        assert send(hub, repo, "v1/shards", refused).status_code == 400
    assert commit_lines(hub, repo, pointer).status_code == 400
    assert send(hub, repo, "v1/shards", shard(content)).json() == {"result": 1}
    assert commit_lines(hub, repo, pointer).status_code == 200


def test_a_range_of_a_file_is_described(hub: RunningHub, repo: str) -> None:
    for name, chunks in {"7" * 64: (b"abc", b"defgh", b"i"), "8" * 64: (b"jklm", b"nopqrst")}.items():
        assert send(hub, repo, f"v1/xorbs/default/{name}", packed(*chunks)).status_code == 200
    body = shard(b"defghijklmnopqrst", ("7" * 64, 6, 1, 3), ("8" * 64, 11, 0, 2))
    assert send(hub, repo, "v2/shards", body).status_code == 200
    url, headers = store(hub, repo, "read")
    address = f"{url}/v2/reconstructions/{'7' * 64}"
    for asked, offset, terms in (("0-16", 0, 2), ("4-5", 4, 1), ("5-6", 5, 2), ("7-", 1, 1)):
        made = requests.get(address, headers={**headers, "Range": f"bytes={asked}"}, timeout=30).json()
        assert (made["offset_into_first_range"], len(made["terms"]), len(made["xorbs"])) == (offset, terms, terms)
    (fetch,) = made["xorbs"]["8" * 64]
    span = "bytes={start}-{end}".format(**fetch["ranges"][0]["bytes"])
    part = requests.get(fetch["url"], headers={"Range": span}, timeout=30).content
    assert [unpack(part, chunk) for chunk in find_chunks(part)] == [b"jklm", b"nopqrst"]


@given(st.integers(0, 300))
def test_a_shard_that_ends_too_early_is_refused(length: int) -> None:
    whole = shard(b"abc")
    assert parse_shard(whole).files[0].size == 3
    with pytest.raises(RefusedError, match="Invalid shard"):
        parse_shard(whole[: min(length, len(whole) - 1)])


@given(st.lists(st.binary(min_size=1, max_size=20), min_size=1))
def test_chunks_are_found_up_to_the_footer_and_grouped_bytes_come_back_in_order(contents: list[bytes]) -> None:
    xorb = packed(*contents)
    assert [unpack(xorb, chunk) for chunk in find_chunks(xorb + b"XETBLOB and what comes with it")] == contents
    for broken in (xorb[:-1], b"\1" + xorb[1:], b""):
        with pytest.raises(RefusedError, match="Invalid xorb"):
            find_chunks(broken)
    for content in contents:
        assert ungroup(b"".join(content[group::4] for group in range(4))) == content
