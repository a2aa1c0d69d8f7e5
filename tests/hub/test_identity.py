"""Whether a token may write is known before anything is uploaded."""

from typing import Any

import pytest

from wikidata.hub.identity import parse_identity

REPO = "permutans/wikidata-labels"


Answer = dict[str, Any]


def answer(role: str, scoped: list[Answer] | None = None, name: str = "permutans", **more: Any) -> Answer:
    token: Answer = {"role": role}
    if scoped is not None:
        token["fineGrained"] = {"scoped": scoped}
    return {"name": name, "auth": {"accessToken": token}, **more}


def scope(kind: str, name: str, *permissions: str) -> dict[str, Any]:
    return {"entity": {"type": kind, "name": name}, "permissions": list(permissions)}


@pytest.mark.parametrize(
    "who",
    [
        answer("write"),
        answer("write", name="ann", orgs=[{"name": "permutans", "roleInOrg": "contributor"}]),
        answer("fineGrained", [scope("dataset", REPO, "repo.content.read", "repo.write")]),
        answer("fineGrained", [scope("user", "permutans", "repo.write")]),
        answer("fineGrained", [scope("org", "permutans", "repo.write")], name="ann"),
        {"name": "permutans"},
    ],
)
def test_these_may_write(who: dict[str, Any]) -> None:
    assert parse_identity(who).refusal(REPO) is None


@pytest.mark.parametrize(
    ("who", "advice"),
    [
        (answer("read"), "read-only: create one with write access"),
        (answer("write", name="ann"), "set HF_USER=ann"),
        (answer("write", name="ann", orgs=[{"name": "permutans", "roleInOrg": "read"}]), "only the role read in"),
        (answer("fineGrained", []), "give it repo.write for permutans"),
        (answer("fineGrained", [scope("dataset", REPO, "repo.content.read")]), "give it repo.write"),
        (answer("fineGrained", [scope("dataset", "permutans/other", "repo.write")]), "give it repo.write"),
    ],
)
def test_these_may_not_and_are_told_what_to_do(who: dict[str, Any], advice: str) -> None:
    refusal = parse_identity(who).refusal(REPO)
    assert refusal is not None
    assert advice in refusal
