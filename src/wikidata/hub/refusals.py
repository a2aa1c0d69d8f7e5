"""What the Hub answers to a question that it refuses, as one of our errors, with its own words."""

import errno
import os
import re
from collections.abc import Set
from typing import Any

from huggingface_hub.errors import HfHubHTTPError

from wikidata.errors import DiskError, HubError, HubRefusedError, HubUnavailableError, Kind, hub_error
from wikidata.hub.meaning import advice, kind_of, retry_after_of_headers, retry_after_of_words
from wikidata.system.secrets import Redactor

_LOCAL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.ENOENT}
"""Errors of our own disk."""
_S3_WORDS = re.compile(r"<(?:Code|Message)>([^<]+)</")
"""LFS content is refused by the store behind the Hub, in XML (Amazon S3, REST error responses)."""


class NoSuchRepoError(HubRefusedError):
    """To this token there is no such repo."""


class NoSuchQuestionError(HubRefusedError):
    """This server does not know the address of the question."""


def is_bare(error: HfHubHTTPError, statuses: Set[int]) -> bool:
    """Whether an answer has one of `statuses`, and not the `X-Error-Code` by which the Hub says what was not found.

    Other servers of its API (hfd) send none, and huggingface_hub raises no special error then.
    """
    return type(error) is HfHubHTTPError and error.response.status_code in statuses


def explain(subject: str, error: Exception) -> HubError:
    """An error of the Hub, or of the way to it, as one of ours."""
    response = getattr(error, "response", None)
    if response is None and isinstance(error, OSError) and error.errno in _LOCAL:
        raise DiskError(f"{subject}: {error.filename or 'a temporary file'}: {error.strerror}") from error
    if response is None:
        endpoint = os.environ.get("HF_ENDPOINT") or "the Hub"
        return HubUnavailableError(f"{subject}: cannot reach {endpoint}: {_reason(error)}")
    words = _words(response)
    message = f"{subject}: the Hub answered {response.status_code}: {words}{advice(words)}"
    kind = kind_of(response.status_code, words)
    if kind is Kind.PERMANENT and response.status_code in {401, 403} and not _S3_WORDS.search(response.text[:10_000]):
        message += ": check HF_TOKEN"
    refusal = hub_error(kind, message, retry_after_of_headers(response.headers) or retry_after_of_words(words))
    refusal.status = response.status_code
    return refusal


def _words(response: Any) -> str:
    """The Hub's own words, in one line; those of a gateway, which answers with a page of HTML, are its status."""
    words = response.headers.get("X-Error-Message", "") or " ".join(_S3_WORDS.findall(response.text[:10_000]))
    if not words:
        try:
            answer = response.json()
            words = answer.get("error", "") if isinstance(answer, dict) else ""
        except ValueError:
            words = ""
    reason = getattr(response, "reason", None) or getattr(response, "reason_phrase", None)  # of requests, of httpx
    return _redacted(" ".join(str(words or reason or "no reason given").split())[:300])


def _reason(error: BaseException) -> str:
    """The innermost cause, whose words say most."""
    while error.__context__ is not None:
        error = error.__context__
    return _redacted((str(error) or type(error).__name__).splitlines()[0][:200])


def _redacted(words: str) -> str:
    """A Hub or a proxy may repeat the token."""
    return Redactor()(words.encode(errors="replace")).decode(errors="replace")
