"""What an answer means decides whether anything is tried again, and when."""

import pytest

from wikidata.errors import Kind
from wikidata.hub.meaning import advice, kind_of, retry_after_of_headers, retry_after_of_words

STORAGE = (
    "Your storage patterns tripped our internal systems! Please contact us at website@huggingface.co so we can verify "
    "your account and unlock more storage for your use-case."
)
RECREATED = "LFS pointer pointed to a file that does not exist"


@pytest.mark.parametrize(
    ("status", "words", "kind"),
    [
        (403, STORAGE, Kind.STORAGE),
        (403, "Private repository storage limit reached, please upgrade your plan", Kind.STORAGE),
        (403, "You don't have the rights to write here.", Kind.PERMANENT),
        (400, STORAGE, Kind.PERMANENT),
        (400, RECREATED, Kind.TRANSIENT),
        (400, "Bad request", Kind.PERMANENT),
        (429, STORAGE, Kind.QUOTA),
    ],
)
def test_words_tell_apart_what_a_status_does_not(status: int, words: str, kind: Kind) -> None:
    assert kind_of(status, words) is kind


def test_what_is_known_about_a_refusal_is_said() -> None:
    assert "ask for it at website@huggingface.co" in advice(STORAGE)
    assert "the token is fine" in advice(STORAGE)
    assert "deleted and recreated" in advice(RECREATED)
    assert advice("No.") == ""


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "0"}, None),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, None),
        ({"RateLimit": '"api";r=0;t=241'}, 241),
        ({"RateLimit": '"api"; r=0; t=241'}, 241),
        ({"RateLimit": '"api";r=712;t=241'}, None),  # of another quota than the one that is used up
        ({"RateLimit": '"api";r=712;t=241, "resolvers";r=0;t=12'}, 12),
        ({"RateLimit": "nonsense"}, None),
    ],
)
def test_headers_tell_when_a_quota_is_filled_again(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_of_headers(headers) == seconds


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        (
            "429 Too Many Requests: you have reached your 'api' rate limit. Retry after 241 seconds (0/1000 remaining)",
            241,
        ),
        ("Please retry in 5 minutes", 300),
        ("You have exceeded our rate limit of 128 commits per hour", 900),
        ("We had to rate limit you, you hit the quota of 1000 api requests per 5 minutes period", None),
    ],
)
def test_words_tell_when_a_quota_is_filled_again(words: str, seconds: float | None) -> None:
    assert retry_after_of_words(words) == seconds
