"""What an error means decides whether anything is tried again: one table for all."""

import json
from http import HTTPStatus

import pytest
import requests
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils import hf_raise_for_status  # type: ignore[attr-defined] # not in its own list

from wikidata.errors import Kind
from wikidata.hub.meaning import HOURLY_QUOTA_SECONDS, kind_of, retry_after_of_words
from wikidata.upload.diagnosis import diagnose

XET_CLIENT, XET_SERVER = (f"Request error: HTTP status {side} error" for side in ("client", "server"))
FORBIDDEN = [
    "Failed to commit:  (Request ID: 1)",
    "",
    "403 Forbidden: None.",
    "Cannot access content at: http://hub/api/datasets/a/b/commit/main.",
    "Make sure your token has the correct permissions.",
    "You don't have the rights to write here.",
    "Failed to commit 40 files at once. Will retry with less files in next batch.",
    "Failed to commit: 500 Server Error: Internal Server Error for url: http://hub/api/datasets/a/b/commit/main",
]


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 413, 422, 507])
def test_a_permanent_error_is_known_by_its_status(status: int) -> None:
    assert kind_of(status) is Kind.PERMANENT


@pytest.mark.parametrize("status", [408, 409, 412, 500, 502, 503, 504, 520])
def test_a_transient_error_is_known_by_its_status(status: int) -> None:
    assert kind_of(status) is Kind.TRANSIENT


def test_too_many_requests_is_a_quota() -> None:
    assert kind_of(429) is Kind.QUOTA


def test_the_first_failed_job_counts_with_the_words_of_the_hub() -> None:
    failure = diagnose(["Recovering from metadata files", *FORBIDDEN])
    assert failure is not None
    assert failure.kind is Kind.PERMANENT
    assert failure.message == " ".join([FORBIDDEN[0], *FORBIDDEN[2:6]])


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("Failed to commit: \n\nBad request for commit endpoint:\nno such content", Kind.PERMANENT),
        ("Failed to preupload LFS: 500 Server Error: Internal Server Error for url: http://hub/x", Kind.TRANSIENT),
        ("Failed to preupload LFS: Error while uploading 'a' to the Hub.", Kind.TRANSIENT),
        ("Failed to get upload mode: 401 Client Error: Unauthorized for url: http://hub/x", Kind.PERMANENT),
        ("Failed to get upload mode: ('Connection aborted.', ConnectionResetError(104, 'reset'))", Kind.TRANSIENT),
        (f"Failed to preupload LFS: Network error: {XET_CLIENT} (403 Forbidden), domain: http://hub/x", Kind.PERMANENT),
        (
            f"Failed to preupload LFS: Rate limited: {XET_CLIENT} (429 Too Many Requests), domain: http://hub/x",
            Kind.QUOTA,
        ),
        (f"Failed to preupload LFS: Server error: {XET_SERVER} (500 Internal), domain: http://hub/x", Kind.TRANSIENT),
        ("Failed to preupload LFS: You are unauthorized to upload to xet storage for dataset/a/b.", Kind.PERMANENT),
        (
            f"ConnectionError: Network error: {XET_CLIENT} (400 Bad Request), domain: http://hub/v2/shards",
            Kind.PERMANENT,
        ),
        ("Failed to preupload LFS: I/O error: I/O error: Not a directory (os error 20)", Kind.PERMANENT),
        ("Failed to commit: Server error '500 Internal Server Error' for url 'http://hub/x'", Kind.TRANSIENT),
        ("Error: Client error '413 Request Entity Too Large' for url 'http://hub/x'", Kind.PERMANENT),
        ("Error: (Request ID: 1)\n\n429 Too Many Requests for url: http://hub/x.\nRetry in about 1 hour.", Kind.QUOTA),
        ("Error: Dataset 'a/b' not found.", Kind.PERMANENT),
        ("HTTP Error 500 thrown while requesting POST http://hub/api/datasets/a/b/commit/main", Kind.TRANSIENT),
        ("HTTP Error 429 thrown while requesting POST http://hub/x", Kind.QUOTA),
        ("'timed out' thrown while requesting POST http://hub/api/datasets/a/b/commit/main", Kind.TRANSIENT),
        ("Failed to commit: 412 Client Error: Precondition Failed for url: http://hub/x", Kind.TRANSIENT),
        ("Failed to commit: 429 Client Error: Too Many Requests for url: http://hub/x", Kind.QUOTA),
        ("Failed to compute sha256: [Errno 2] No such file or directory: '/staging/a'", Kind.PERMANENT),
        ("huggingface_hub.errors.RepositoryNotFoundError: 404 Client Error. (Request ID: 1)", Kind.PERMANENT),
        ("requests.exceptions.HTTPError: 401 Client Error: Unauthorized for url: http://hub/x", Kind.PERMANENT),
    ],
)
def test_lines_of_the_cli(line: str, kind: Kind) -> None:
    failure = diagnose(["before", *line.splitlines()])
    assert failure is not None
    assert failure.kind is kind


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["Uploading 403 files", "All files have been processed! Exiting worker."],
        ["UnboundLocalError: cannot access local variable 'metadata'"],
        ["You are about to upload a large folder", "403 Forbiddenness is a word"],
        ["'HTTP Error 503 thrown while requesting PUT http://hub/x'", "Retrying in 1s [Retry 1/5]."],
    ],
)
def test_other_output_is_not_a_failure(lines: list[str]) -> None:
    assert diagnose(lines) is None


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        ("Rate limited. Please retry this action in about 1 hour.", 3600),
        ("you can retry in 30 seconds", 30),
        ("Try again in 24 minutes, or upgrade", 24 * 60),
        ("You have exceeded the rate limit for repository commits (128 per hour).", HOURLY_QUOTA_SECONDS),
        ("Too many requests", None),
        ("HTTP Error 429 thrown\nRate limited. Waiting 61.0s before retry [Retry 1/5].", 61),
    ],
)
def test_the_hubs_words_tell_how_long_to_wait(words: str, seconds: float | None) -> None:
    assert retry_after_of_words(words) == seconds


STORAGE = "Your storage patterns tripped our internal systems! Please contact us at website@huggingface.co"


def error_of_the_library(status: int, words: str, request_id: str) -> str:
    """What 0.36 makes of an answer: with a request id it takes several lines, without one it may be a single one."""
    response = requests.Response()
    response.status_code, response.url = status, "http://hub/api/datasets/a/b/commit/main"
    response.reason = HTTPStatus(status).phrase
    response.headers["X-Error-Message"] = words
    if request_id:
        response.headers["X-Request-Id"] = request_id
    response._content = json.dumps({"error": words}).encode()  # noqa: SLF001 - there is no other way to fill it
    response.request = requests.Request("POST", response.url).prepare()
    with pytest.raises(HfHubHTTPError) as raised:
        hf_raise_for_status(response, endpoint_name="commit")
    return str(raised.value)


@pytest.mark.parametrize("request_id", ["", "Root=1-2-3"])
@pytest.mark.parametrize(
    ("status", "words", "kind"),
    [
        (400, "no such content", Kind.PERMANENT),
        (400, "LFS pointer pointed to a file that does not exist", Kind.TRANSIENT),
        (401, "Invalid credentials in Authorization header", Kind.PERMANENT),
        (403, "You don't have the rights to write here.", Kind.PERMANENT),
        (403, STORAGE, Kind.STORAGE),
        (404, "Repository not found", Kind.PERMANENT),
        (412, "A commit has happened since. Please refresh and try again.", Kind.TRANSIENT),
        (413, "too large", Kind.PERMANENT),
        (429, "We had to rate limit you", Kind.QUOTA),
        (500, "Internal Error", Kind.TRANSIENT),
        (503, "", Kind.TRANSIENT),
    ],
)
def test_a_refusal_means_the_same_with_and_without_a_request_id(
    status: int, words: str, kind: Kind, request_id: str
) -> None:
    failure = diagnose(f"Failed to commit: {error_of_the_library(status, words, request_id)}".splitlines())
    assert failure is not None
    assert failure.kind is kind


@pytest.mark.parametrize("prefix", ["Failed to commit: ", "Error: ", "huggingface_hub.errors.HfHubHTTPError: "])
@pytest.mark.parametrize("request_id", ["", "(Request ID: 1)\n\n"])
@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (f"403 Forbidden: {STORAGE}.\nCannot access content at: http://hub/x.", Kind.STORAGE),
        ("403 Forbidden: None.\nCannot access content at: http://hub/x.", Kind.PERMANENT),
        ("Bad request for commit endpoint:\nno such content", Kind.PERMANENT),
        ("429 Too Many Requests: you have reached your 'api' rate limit.\nRetry after 241 seconds", Kind.QUOTA),
        ("Client error '413 Request Entity Too Large' for url 'http://hub/x'", Kind.PERMANENT),
        ("Server error '500 Internal Server Error' for url 'http://hub/x'", Kind.TRANSIENT),
    ],
)
def test_what_later_generations_print_means_the_same_with_and_without_a_request_id(
    prefix: str, request_id: str, words: str, kind: Kind
) -> None:
    failure = diagnose(f"{prefix}{request_id}{words}".splitlines())
    assert failure is not None
    assert failure.kind is kind
    if kind is Kind.QUOTA:
        assert failure.retry_after_seconds == 241
