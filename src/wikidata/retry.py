"""The one retry policy, for every question to the Hub, and for every upload.

Transient errors are retried with exponential backoff and jitter, and not before the time that the Hub asks for, if that
is short. Everything else is raised at once.
"""

import threading
from collections.abc import Callable
from typing import NamedTuple, TypeVar

import tenacity

from wikidata.config import Settings
from wikidata.errors import HubUnavailableError, PushError, QuotaError, UploadUnfinishedError

Result = TypeVar("Result")

LONGEST_BACKOFF_SECONDS = 120.0
SHORT_QUOTA_SECONDS = 60.0
"""A quota that is filled again within this is waited for; a longer one ends the push until then."""


class Wait(NamedTuple):
    """The wait after the `attempt`th of `attempts` has failed."""

    error: BaseException | None
    seconds: float
    attempt: int
    attempts: int

    def __str__(self) -> str:
        """In one line."""
        return f"{self.error}: trying again in {self.seconds:.0f} s ({self.attempt} of {self.attempts})"


def is_worth_retrying(error: BaseException) -> bool:
    """Whether trying again within a few minutes may help."""
    if not isinstance(error, PushError) or error.exhausted:
        return False
    if isinstance(error, QuotaError):
        return error.retry_after_seconds is None or error.retry_after_seconds <= SHORT_QUOTA_SECONDS
    return isinstance(error, HubUnavailableError | UploadUnfinishedError)


class RetryPolicy:
    """How often and how long to try; `note` is told before each wait. `stop()` ends all waiting.

    `check` is called before each attempt, and may raise; `refused` is told the error that ends them.
    """

    def __init__(self, settings: Settings, note: Callable[[Wait], None]) -> None:
        self.settings = settings
        self.note = note
        self.check: Callable[[], None] = lambda: None
        self.refused: Callable[[PushError], None] = lambda _error: None
        self.stopped = threading.Event()

    def stop(self) -> None:
        """End every wait now."""
        self.stopped.set()

    def __call__(self, function: Callable[[], Result]) -> Result:
        """Call `function` until it returns, or raises what is not worth retrying, or all tries are spent."""
        retrying = tenacity.Retrying(
            stop=tenacity.stop_any(
                tenacity.stop_after_attempt(self.settings.attempts), tenacity.stop_when_event_set(self.stopped)
            ),
            retry=tenacity.retry_if_exception(is_worth_retrying),
            wait=self._seconds,
            sleep=tenacity.sleep_using_event(self.stopped),
            before_sleep=self._tell,
            reraise=True,
        )

        def attempt() -> Result:
            self.check()
            return function()

        try:
            return retrying(attempt)
        except PushError as error:
            if not error.exhausted:
                self.refused(error)
            error.exhausted = True
            raise

    def _seconds(self, call: tenacity.RetryCallState) -> float:
        backoff = tenacity.wait_exponential_jitter(
            multiplier=self.settings.retry_seconds,
            max=LONGEST_BACKOFF_SECONDS,
            jitter=self.settings.retry_seconds,
        )(call)
        return max(backoff, _asked_for(_error(call)))

    def _tell(self, call: tenacity.RetryCallState) -> None:
        seconds = call.next_action.sleep if call.next_action else 0
        self.note(Wait(_error(call), seconds, call.attempt_number, self.settings.attempts))


def _error(call: tenacity.RetryCallState) -> BaseException | None:
    return call.outcome.exception() if call.outcome else None


def _asked_for(error: BaseException | None) -> float:
    asked = error.retry_after_seconds if isinstance(error, HubUnavailableError) else None
    return min(asked or 0.0, SHORT_QUOTA_SECONDS)
