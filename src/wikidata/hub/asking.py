"""Asking the Hub: errors of the library become ours, and what may be answered later is asked again."""

from collections.abc import Callable
from json import JSONDecodeError
from typing import TypeVar

from huggingface_hub.errors import RepositoryNotFoundError

from wikidata.errors import HubUnavailableError
from wikidata.hub.refusals import NoSuchRepoError, explain
from wikidata.hub.transport import HTTP_ERRORS
from wikidata.retry import RetryPolicy

Answer = TypeVar("Answer")


class Asking:
    """Asks with the patience of a retry policy."""

    def __init__(self, retry: RetryPolicy) -> None:
        self._retry = retry

    def _ask(self, subject: str, question: Callable[[], Answer]) -> Answer:
        """Ask until there is an answer or none is to be expected; errors name the `subject`."""
        return self._retry(lambda: self._once(subject, question))

    def _once(self, subject: str, question: Callable[[], Answer]) -> Answer:
        try:
            return question()
        except RepositoryNotFoundError as error:
            raise NoSuchRepoError(f"{subject}: no such repo, or not for this token") from error
        except JSONDecodeError as error:  # also of a gateway's page where the library expects JSON (#3071)
            raise HubUnavailableError(f"{subject}: a gateway answered in place of the Hub") from error
        except HTTP_ERRORS as error:
            raise explain(subject, error) from error
        except RuntimeError as error:  # of an upload of content
            if not isinstance(error.__cause__, HTTP_ERRORS):
                raise
            raise explain(subject, error.__cause__) from error
