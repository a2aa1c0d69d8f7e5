"""Refusals in the Hub's words: status, body, and the headers that huggingface_hub reads (`utils/_http.py`).

`X-Error-Code` selects the exception class of the client, `X-Error-Message` and the body's `error` its message.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass
class RefusedError(Exception):
    """A request that is answered with an error; `body` adds to what the answer says."""

    status: int
    message: str
    code: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, object] = field(default_factory=dict)


INVALID_TOKEN = "Invalid credentials in Authorization header"  # noqa: S105
NO_TOKEN = "Invalid username or password."  # noqa: S105
FORBIDDEN_CREATE = 'You don\'t have the rights to create a dataset under the namespace "{}"'
"""OpenCodeInterpreter issue 13."""
FORBIDDEN_COMMIT = "Forbidden: pass `create_pr=1` as a query parameter to create a Pull Request"
FORBIDDEN_LFS = "Authorization error."
CREATED = "You already created this dataset repo"
COMMIT_HAPPENED = "A commit has happened since. Please refresh and try again."
TOO_MANY_PARAMETERS = "too many parameters"
INTERNAL_ERROR = "Internal Error - We're working hard to fix this as soon as possible!"
DANGLING_POINTERS = (
    "Your push was rejected because an LFS pointer pointed to a file that does not exist. For instance, this can "
    "happen if you used git push --no-verify to push your changes. Offending file: {}"
)
"""huggingface_hub issue 3829; comes with 400."""
NOT_A_LANGUAGE = (
    '"{}" with value "{}" is not valid. It must be an ISO 639-1, 639-2 or 639-3 code (two/three letters), or a special '
    'value like "code", "multilingual". If you want to use BCP-47 identifiers, you can specify them in language_bcp47.'
)
STORAGE_REFUSED = (
    "Your storage patterns tripped our internal systems! Please contact us at website@huggingface.co so we can verify "
    "your account and unlock more storage for your use-case."
)
"""huggingface_hub issues 3325, 3366; comes with 403, at the commit."""
FULL_FOLDER = (
    "Your push was rejected because it contains too many files per directory. Each directory in your git repo can only "
    "contain up to {} files. Offending reference: refs/heads/main Offending directories:{}"
)
"""datasets issue 7956; comes with 400."""


def request_quota(requests: int, window_seconds: float) -> str:
    """The text of the quota of API requests (huggingface.co/docs/hub/rate-limits has the numbers)."""
    return (
        f"We had to rate limit you, you hit the quota of {requests} api requests per {window_seconds / 60:g} minutes "
        "period. Upgrade to a PRO user or Team/Enterprise organization account (https://hf.co/pricing) to get higher "
        "limits. See https://huggingface.co/docs/hub/rate-limits"
    )


def commit_quota(commits_per_hour: int) -> str:
    """The text of the commit quota (quoted in many threads, e.g. datasets issue 6257 in its older form)."""
    return (
        f"You have exceeded the rate limit for repository commits ({commits_per_hour} per hour). "
        "You can retry this action in about 1 hour. If you're a PRO user or part of a Team or Enterprise "
        "organization, contact website@huggingface.co to raise it."
    )


def repo_not_found(is_anonymous: bool) -> RefusedError:
    """401 for strangers, 404 for users: the Hub does not tell a missing repo from a private one."""
    if is_anonymous:
        return RefusedError(401, NO_TOKEN, "RepoNotFound")
    return RefusedError(404, "Repository not found", "RepoNotFound")


def revision_not_found(revision: str) -> RefusedError:
    return RefusedError(404, f"Invalid rev id: {revision}", "RevisionNotFound")


def entry_not_found(message: str = "Entry not found", **headers: str) -> RefusedError:
    return RefusedError(404, message, "EntryNotFound", headers)


_WORDS: dict[tuple[str, int], str] = {
    ("commit", 400): "Invalid file change",
    ("commit", 403): FORBIDDEN_COMMIT,
    ("commit", 412): COMMIT_HAPPENED,
    ("commit", 429): commit_quota(128),
    ("create", 403): FORBIDDEN_CREATE.format("permutans"),
    ("create", 409): CREATED,
    ("lfs_batch", 403): FORBIDDEN_LFS,
    ("lfs_put", 403): "AccessDenied: Request has expired",
    ("lfs_put", 503): "SlowDown: Please reduce your request rate.",
    ("preupload", 403): FORBIDDEN_COMMIT,
    ("resolve", 404): entry_not_found().message,
    ("", 400): "Bad request",
    ("", 401): INVALID_TOKEN,
    ("", 403): "Forbidden",
    ("", 404): "Repository not found",
    ("", 408): "Request Timeout",
    ("", 412): "Precondition Failed",
    ("", 413): TOO_MANY_PARAMETERS,
    ("", 429): request_quota(1_000, 300),
    ("", 500): INTERNAL_ERROR,
}


def in_the_hubs_words(endpoint: str, status: int) -> RefusedError:
    """What the Hub would say with this status at this class of endpoint."""
    message = _WORDS.get((endpoint, status)) or _WORDS.get(("", status)) or f"{status} from the local Hub"
    not_found = "EntryNotFound" if endpoint == "resolve" else "RepoNotFound"
    return RefusedError(status, message, not_found if status == 404 else "")
