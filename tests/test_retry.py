"""The one retry policy: a transient error is tried again, later and later; a permanent one is raised at once."""

from collections.abc import Callable

import pytest
import tenacity

from wikidata.config import Settings
from wikidata.errors import (
    HubError,
    HubUnavailableError,
    NotYetError,
    PushError,
    QuotaError,
    UploadUnfinishedError,
)
from wikidata.retry import LONGEST_BACKOFF_SECONDS, SHORT_QUOTA_SECONDS, RetryPolicy, Wait


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that would have been waited."""
    waited: list[float] = []
    monkeypatch.setattr(tenacity, "sleep_using_event", lambda _event: waited.append)
    return waited


def patience(notes: list[Wait] | None = None, attempts: int = 6) -> RetryPolicy:
    settings = Settings.from_environment({"ATTEMPTS": str(attempts), "RETRY_SECONDS": "2"})
    return RetryPolicy(settings, (notes if notes is not None else []).append)


def failing(*errors: PushError) -> Callable[[], str]:
    left = list(errors)

    def call() -> str:
        if left:
            raise left.pop(0)
        return "answer"

    return call


def test_waits_double_with_jitter(waits: list[float]) -> None:
    notes: list[Wait] = []
    assert patience(notes)(failing(*[HubUnavailableError("down")] * 4)) == "answer"
    for wait, least in zip(waits, (2, 4, 8, 16), strict=True):
        assert least <= wait <= least + 2
    assert str(notes[0]).startswith("down: trying again in ")
    assert str(notes[3]).endswith("(4 of 6)")


def test_no_wait_is_longer_than_two_minutes(waits: list[float]) -> None:
    patience(attempts=12)(failing(*[HubUnavailableError("down")] * 11))
    assert max(waits) <= LONGEST_BACKOFF_SECONDS


def test_all_tries_are_spent_and_the_last_error_is_raised_once(waits: list[float]) -> None:
    with pytest.raises(HubUnavailableError) as raised:
        patience(attempts=3)(failing(*[HubUnavailableError("down")] * 9))
    assert len(waits) == 2
    assert raised.value.exhausted
    with pytest.raises(HubUnavailableError):  # a policy around a policy does not multiply the tries
        patience()(failing(raised.value))
    assert len(waits) == 2


@pytest.mark.parametrize(
    "error",
    [HubError("no"), PushError("no"), QuotaError("long", SHORT_QUOTA_SECONDS + 1)],
    ids=lambda error: str(error),
)
def test_what_is_not_worth_retrying_is_raised_at_once(waits: list[float], error: PushError) -> None:
    with pytest.raises(type(error)):
        patience()(failing(error))
    assert waits == []


def test_the_wait_that_the_hub_asks_for_is_kept_to(waits: list[float]) -> None:
    assert patience()(failing(QuotaError("short", 45), HubUnavailableError("503", 30))) == "answer"
    assert waits == [45, 30]


def test_an_upload_that_did_not_finish_is_tried_again(waits: list[float]) -> None:
    assert patience()(failing(UploadUnfinishedError("labels", "stalled"))) == "answer"
    assert len(waits) == 1


def test_stopping_ends_all_retries(waits: list[float]) -> None:
    stopped = patience()
    stopped.stop()
    with pytest.raises(HubUnavailableError):
        stopped(failing(HubUnavailableError("down")))
    assert waits == []


def test_each_attempt_is_checked_before_and_the_error_that_ends_them_is_told_once(waits: list[float]) -> None:
    policy, told, checked = patience(), list[PushError](), list[int]()
    policy.refused = told.append

    def check() -> None:
        checked.append(len(waits))
        if len(checked) == 3:
            raise NotYetError("somebody has met a quota")

    policy.check = check
    with pytest.raises(NotYetError):
        policy(failing(*[HubUnavailableError("down")] * 9))
    assert checked == [0, 1, 2]
    policy.check = lambda: None
    quota = QuotaError("long", SHORT_QUOTA_SECONDS + 1)
    with pytest.raises(QuotaError):
        policy(lambda: policy(failing(quota)))
    assert told[1:] == [quota]
