"""Misbehaviour on command: what a test can ask for, as plain values that travel as JSON.

`mischief` knows what is due, `effects` what it does, `control` takes what is asked for.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from localhub import errors
from localhub.errors import NOT_A_LANGUAGE


class Endpoint(StrEnum):
    """The classes of requests; faults name one, counts are kept for each."""

    WHOAMI = "whoami"
    CREATE = "create"
    DELETE = "delete"
    INFO = "info"
    REFS = "refs"
    COMMITS = "commits"
    PREUPLOAD = "preupload"
    LFS_BATCH = "lfs_batch"
    LFS_PUT = "lfs_put"
    LFS_VERIFY = "lfs_verify"
    XET_TOKEN = "xet_token"  # noqa: S105
    XET_GRANT = "xet_grant"
    XET_XORB = "xet_xorb"
    XET_SETTLE = "xet_settle"
    XET_SHARD = "xet_shard"
    XET_CHUNK = "xet_chunk"
    XET_FILE = "xet_file"
    XET_BYTES = "xet_bytes"
    XET_TELEMETRY = "xet_telemetry"
    COMMIT = "commit"
    TREE = "tree"
    PATHS_INFO = "paths_info"
    RESOLVE = "resolve"
    VALIDATE_YAML = "validate_yaml"
    VIEWER = "viewer"
    AGENTS = "agents"
    OTHER = "other"


class RateLimit(NamedTuple):
    """What a RateLimit header says of a fixed window: how many requests are left of it, and when it ends.

    The Hub sets it on every answer of the API: `seconds` counts only if nothing is left (huggingface_hub issue 4662).
    """

    left: int
    seconds: int
    requests: int = 1_000
    window_seconds: int = 300

    def headers(self) -> dict[str, str]:
        """The two headers, as `parse_ratelimit_headers` of huggingface_hub reads them."""
        policy = f'"fixed window";"api";q={self.requests};w={self.window_seconds}'
        return {"RateLimit": f'"api";r={self.left};t={self.seconds}', "RateLimit-Policy": policy}


class Action(StrEnum):
    """What a fault does: answer `status`; close the connection; reset it while the request is being sent; never answer;
    or, after the request was answered as usual, delete or replace a file of the repo behind the client's back."""

    STATUS = "status"
    CLOSE = "close"
    RESET = "reset"
    HANG = "hang"
    DELETE_FILE = "delete_file"
    REPLACE_FILE = "replace_file"


@dataclass(frozen=True)
class Fault:
    """One misbehaviour.

    It strikes requests to `endpoint` (to `repo` only, and only with the text `holding` in their bodies, if given): not
    the first `skip` ones, then every `every`th, and `times` times in all (None: for ever). With `lands` the request is
    carried out first and only its answer is replaced, so `Fault("commit", action="close", lands=True)` is the commit
    that lands but whose answer is lost. STATUS answers `status` in the Hub's words, or with `message` and `code`
    (X-Error-Code; "" for none), with a Retry-After or a RateLimit header only if one is given, and repeats the
    Authorization header in the text if `echo_token`; 502, 503 and 504 are pages of HTML, for a gateway answers them.
    DELETE_FILE and REPLACE_FILE are for commits: `path` is a pattern as of fnmatch, and the first file it matches is
    meant.
    """

    endpoint: str
    status: int = 500
    action: str = Action.STATUS
    times: int | None = 1
    skip: int = 0
    every: int = 1
    repo: str | None = None
    lands: bool = False
    holding: str = ""
    retry_after: int | None = None
    rate_limit: RateLimit | None = None
    message: str | None = None
    code: str | None = None
    echo_token: bool = False
    path: str = "*.parquet"
    content: str = "replaced on the Hub"

    def __post_init__(self) -> None:
        Endpoint(self.endpoint)
        Action(self.action)
        if self.every < 1 or self.skip < 0 or (self.times is not None and self.times < 1):
            raise ValueError(f"a fault that never strikes: {self}")


@dataclass(frozen=True)
class Quota:
    """At most `commits` commits in `window_seconds` for each user."""

    commits: int
    window_seconds: float = 3600.0


@dataclass(frozen=True)
class RequestQuota:
    """At most `requests` requests to the API with a token in each window, and `whoami` of them to whoami.

    Windows are fixed: the first request begins one (huggingface.co/docs/hub/rate-limits: 1,000 in 5 minutes for a free
    account). Requests for content and to the stores do not count. whoami is "intentionally strict" (`hf_api.py`).
    """

    requests: int = 1_000
    window_seconds: int = 300
    whoami: int | None = None


@dataclass(frozen=True)
class Style:
    """How answers look: as the Hub's, or as those of proxies and other servers (hfd), with less in their headers.

    Without request ids, clients write the error on one line; without error codes, they do not know what is not found.
    """

    request_ids: bool = True
    error_codes: bool = True


@dataclass(frozen=True)
class Latency:
    """Seconds by which every request, and on top of that every commit, takes longer."""

    request_seconds: float = 0.0
    commit_seconds: float = 0.0


STORAGE_REFUSED = Fault("commit", status=403, times=None, message=errors.STORAGE_REFUSED)
"""An account that may store no more: content is taken in, and every commit is refused."""
PARQUET_REFUSED = Fault(
    "commit", status=400, times=None, holding='"lfsFile"', message=errors.DANGLING_POINTERS.format("- a.parquet")
)
"""A repo that was deleted and created again under the same name (huggingface_hub issue 3829)."""
PARENT_REFUSED = Fault("commit", status=412, times=None, holding='"parentCommit"')
"""A fine-grained token that is limited to one repo (datasets issue 7777): it may not name the parent of a commit."""
LANGUAGE_REFUSED = Fault(
    "validate_yaml",
    status=400,
    times=None,
    holding=r"\nlanguage:",
    message=NOT_A_LANGUAGE.format("language[0]", "simple"),
)
"""Any card that names a language; the Hub does not know this one (huggingface_hub issue 3862)."""
