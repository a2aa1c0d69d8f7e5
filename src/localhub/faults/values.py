"""What a test can ask a local Hub to do wrong, as plain values that travel as JSON."""

from dataclasses import dataclass
from enum import StrEnum


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

    It strikes requests to `endpoint` (to `repo` only, if given): not the first `skip` ones, then every `every`th,
    and `times` times in all (None: for ever). With `lands` the request is carried out first and only its answer is
    replaced, so `Fault("commit", action="close", lands=True)` is the commit that lands but whose answer is lost.
    STATUS answers `status` in the Hub's words, or with `message` and `code` (X-Error-Code; "" for none), with
    `retry_after` seconds if given, and repeats the Authorization header in the text if `echo_token`. DELETE_FILE and
    REPLACE_FILE are for commits: `path` is a pattern as of fnmatch, and the first file it matches is meant.
    """

    endpoint: str
    status: int = 500
    action: str = Action.STATUS
    times: int | None = 1
    skip: int = 0
    every: int = 1
    repo: str | None = None
    lands: bool = False
    retry_after: int | None = None
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
    retry_after: int | None = None


@dataclass(frozen=True)
class Latency:
    """Seconds by which every request, and on top of that every commit, takes longer."""

    request_seconds: float = 0.0
    commit_seconds: float = 0.0
