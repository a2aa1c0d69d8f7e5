"""Refusals in the Hub's words: status, body, and the headers that huggingface_hub reads (`utils/_http.py`).

`X-Error-Code` selects the exception class of the client, `X-Error-Message` and the body's `error` its message.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from localhub.cards import Verdict


class Code(StrEnum):
    """The values of `X-Error-Code` that clients know."""

    REPO_NOT_FOUND = "RepoNotFound"
    REVISION_NOT_FOUND = "RevisionNotFound"
    ENTRY_NOT_FOUND = "EntryNotFound"
    GATED_REPO = "GatedRepo"


@dataclass
class RefusedError(Exception):
    """A request that is answered with an error; `body` adds to what the answer says."""

    status: int
    message: str
    code: Code | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, object] = field(default_factory=dict)


INVALID_TOKEN = "Invalid credentials in Authorization header"  # noqa: S105
NO_TOKEN = "Invalid username or password."  # noqa: S105
FORBIDDEN_COMMIT = "Forbidden: pass `create_pr=1` as a query parameter to create a Pull Request"
FORBIDDEN_LFS = "Authorization error."
FORBIDDEN_XET = "Forbidden"
COMMIT_HAPPENED = "A commit has happened since. Please refresh and try again."
TOO_MANY_PARAMETERS = "too many parameters"
INTERNAL_ERROR = "Internal Error - We're working hard to fix this as soon as possible!"
STORAGE_QUOTA = (
    "Private repository storage limit reached, please upgrade your plan to increase your private storage limit."
)
"""huggingface_hub issue 3049; comes with 403."""


def commit_quota(commits_per_hour: int) -> str:
    """The text of the commit quota (quoted in many threads, e.g. datasets issue 6257 in its older form)."""
    return (
        f"You have exceeded the rate limit for repository commits ({commits_per_hour} per hour). "
        "You can retry this action in about 1 hour. If you're a PRO user or part of a Team or Enterprise "
        "organization, contact website@huggingface.co to raise it."
    )


def no_token() -> RefusedError:
    """401 for an endpoint that needs to know who asks."""
    return RefusedError(401, NO_TOKEN, headers={"WWW-Authenticate": 'Bearer realm="Authentication required"'})


def unknown_token() -> RefusedError:
    """401 for a token that nobody has."""
    return RefusedError(401, INVALID_TOKEN)


def repo_not_found(is_anonymous: bool) -> RefusedError:
    """401 for strangers, 404 for users: the Hub does not tell a missing repo from a private one."""
    if is_anonymous:
        return RefusedError(401, NO_TOKEN, Code.REPO_NOT_FOUND)
    return RefusedError(404, "Repository not found", Code.REPO_NOT_FOUND)


def revision_not_found(revision: str) -> RefusedError:
    """404 for a branch or commit that the repo has not."""
    return RefusedError(404, f"Invalid rev id: {revision}", Code.REVISION_NOT_FOUND)


def entry_not_found(message: str = "Entry not found") -> RefusedError:
    """404 for a path that the revision has not."""
    return RefusedError(404, message, Code.ENTRY_NOT_FOUND)


def may_not_create(namespace: str) -> RefusedError:
    """403 on creating a repo (OpenCodeInterpreter issue 13)."""
    return RefusedError(403, f'You don\'t have the rights to create a dataset under the namespace "{namespace}"')


def already_exists(url: str) -> RefusedError:
    """409 on creating a repo; clients take its `url` from the body."""
    return RefusedError(409, "You already created this dataset repo", body={"url": url})


def dangling_pointers(paths: list[str]) -> RefusedError:
    """400 for a commit of LFS files whose content never arrived (huggingface_hub issue 3829)."""
    files = " ".join(f"- {path}" for path in paths)
    return RefusedError(
        400,
        "Your push was rejected because an LFS pointer pointed to a file that does not exist. For instance, this can "
        f"happen if you used git push --no-verify to push your changes. Offending file: {files}",
    )


def card_messages(verdict: Verdict) -> dict[str, object]:
    """What is wrong with a card, as clients read it (`_validate_yaml` in huggingface_hub's `hf_api.py`)."""
    return {
        "errors": [{"message": message} for message in verdict.errors],
        "warnings": [{"message": message} for message in verdict.warnings],
    }


def invalid_card(verdict: Verdict) -> RefusedError:
    """400 for a README.md with invalid metadata, when it is validated and when it is committed (skops issue 393)."""
    return RefusedError(400, "\n".join(verdict.errors), body=card_messages(verdict))


def full_folders(folders: list[str], limit: int) -> RefusedError:
    """400 for a commit that leaves too many entries in a folder (datasets issue 7956)."""
    offending = "".join(f" /{folder}/" if folder else " /" for folder in folders)
    return RefusedError(
        400,
        "Your push was rejected because it contains too many files per directory. Each directory in your git repo can "
        f"only contain up to {limit} files. Offending reference: refs/heads/main Offending directories:{offending}",
    )


_WORDS: dict[tuple[str, int], RefusedError] = {
    ("commit", 400): RefusedError(400, "Invalid file change"),
    ("commit", 403): RefusedError(403, FORBIDDEN_COMMIT),
    ("commit", 412): RefusedError(412, COMMIT_HAPPENED),
    ("commit", 429): RefusedError(429, commit_quota(128)),
    ("create", 403): may_not_create("permutans"),
    ("create", 409): RefusedError(409, "You already created this dataset repo"),
    ("lfs_batch", 403): RefusedError(403, FORBIDDEN_LFS),
    ("lfs_put", 403): RefusedError(403, "AccessDenied: Request has expired"),
    ("lfs_put", 503): RefusedError(503, "SlowDown: Please reduce your request rate."),
    ("preupload", 403): RefusedError(403, FORBIDDEN_COMMIT),
    ("resolve", 404): RefusedError(404, "Entry not found", Code.ENTRY_NOT_FOUND),
    ("", 400): RefusedError(400, "Bad request"),
    ("", 401): RefusedError(401, INVALID_TOKEN),
    ("", 403): RefusedError(403, "Forbidden"),
    ("", 404): RefusedError(404, "Repository not found", Code.REPO_NOT_FOUND),
    ("", 408): RefusedError(408, "Request Timeout"),
    ("", 412): RefusedError(412, "Precondition Failed"),
    ("", 413): RefusedError(413, TOO_MANY_PARAMETERS),
    ("", 429): RefusedError(429, "We had to rate limit you. Please retry later."),
    ("", 500): RefusedError(500, INTERNAL_ERROR),
}


def in_the_hubs_words(endpoint: str, status: int) -> RefusedError:
    """What the Hub would say with this status at this class of endpoint."""
    known = _WORDS.get((endpoint, status)) or _WORDS.get(("", status))
    return known or RefusedError(status, f"{status} from the local Hub")
