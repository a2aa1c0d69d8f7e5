"""Every expected failure, with the exit code that it ends the program with.

Each message is one line that says what, where and what to do next. Anything else that is raised is a bug.
"""

from collections.abc import Collection, Iterable, Sequence
from enum import IntEnum, StrEnum


class Exit(IntEnum):
    """Exit codes; 75 is EX_TEMPFAIL of sysexits.h."""

    OK = 0
    FAILED = 1
    USAGE = 2
    BUG = 3
    TRY_LATER = 75
    INTERRUPTED = 130
    TERMINATED = 143


class Kind(StrEnum):
    """What an error of the Hub, or of the upload CLI, asks for."""

    PERMANENT = "permanent"
    """Trying again would not help: stop now and say so."""
    QUOTA = "quota"
    """A quota is used up: stop, and try again when it is filled."""
    STORAGE = "storage"
    """The account may not store more: every table and chunk of it meets the same."""
    TRANSIENT = "transient"
    """It may work later, or may have worked after all: look at the Hub, back off, retry."""


class PushError(Exception):
    """A push was refused or failed for good."""

    exit_code = Exit.FAILED
    exhausted = False
    """Whether all the tries that the retry policy allows were spent on it already."""
    details: Sequence[str] = ()
    """What a person wants to know besides, such as the log."""

    table = ""
    """The table that failed; empty if it is none, or several in the same way."""

    def __str__(self) -> str:
        """All in one line."""
        return f"{super().__str__()} ({'; '.join(self.details)})" if self.details else super().__str__()


class UsageError(PushError):
    """An argument or an environment variable makes no sense."""

    exit_code = Exit.USAGE


class DiskError(PushError):
    """A file of ours cannot be written."""


class StateError(PushError):
    """The state folder cannot be used."""


class ChunkIncompleteError(PushError):
    """Not every part of the chunk has reached PARTITION, or its local files are gone already."""


class ManifestError(PushError):
    """The partition files of a table are not what they must be."""


class ChangedError(ManifestError):
    """Partition files of `chunks` are no longer what the packed files were made from, or cannot be read."""

    def __init__(self, message: str, chunks: Collection[int]) -> None:
        super().__init__(message)
        self.chunks = frozenset(chunks)


class LayoutError(PushError):
    """The repo has another layout, or a limit of the Hub would be broken."""


class StagingError(PushError):
    """The files to upload could not be laid out."""


class HubError(PushError):
    """The Hub did not do what it was asked to do; `status` is that of its answer, if it gave one."""

    status: int | None = None


class HubRefusedError(HubError):
    """A permanent error: trying again would not help."""


class HubUnavailableError(HubError):
    """A transient error: no answer, or "later"; `retry_after_seconds` says when, if the Hub did."""

    exit_code = Exit.TRY_LATER

    def __init__(self, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class CardRefusedError(HubRefusedError):
    """The Hub does not take the metadata of a dataset card."""


class ConflictError(HubUnavailableError):
    """Somebody else has committed since."""


class StorageRefusedError(HubError):
    """The account may not store more; a person has to ask for it."""


class QuotaError(HubUnavailableError):
    """A request or commit quota is used up."""


class ProgramError(PushError):
    """A program that a push needs is missing, or not what it should be."""


class UploadError(PushError):
    """The upload CLI did not upload everything. `table` is the table, `tail` the last lines of its log."""

    def __init__(self, table: str, message: str, tail: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.table = table
        self.tail = tuple(tail)


class UploadFailedError(UploadError):
    """A permanent error: trying again would not help."""


class UploadUnfinishedError(UploadError):
    """A transient error: a stall, a time-out, a Hub in trouble."""

    exit_code = Exit.TRY_LATER


class NotArrivedError(PushError):
    """After the upload the Hub still lacks files, or local files changed meanwhile."""


class TryLaterError(PushError):
    """Now is not the time."""

    exit_code = Exit.TRY_LATER


class NotYetError(TryLaterError):
    """The account has used up a quota or may not store more, and the time for the next attempt has not come."""


class LockedError(TryLaterError):
    """Another push is at work, for `held_seconds` so far."""

    def __init__(self, message: str, held_seconds: float) -> None:
        super().__init__(message)
        self.held_seconds = held_seconds


class TablesFailedError(PushError):
    """Several tables of one chunk failed; `errors` has each of them, and the worst decides the exit code."""

    def __init__(self, errors: Sequence[PushError]) -> None:
        super().__init__("; ".join(str(error) for error in errors))
        self.errors = tuple(errors)
        self.exit_code = worst(error.exit_code for error in errors)


def hub_error(kind: Kind, message: str, retry_after_seconds: float | None = None) -> HubError:
    """A failed request as an exception."""
    if kind is Kind.PERMANENT:
        return HubRefusedError(message)
    if kind is Kind.STORAGE:
        return StorageRefusedError(message)
    return (QuotaError if kind is Kind.QUOTA else HubUnavailableError)(message, retry_after_seconds)


def upload_error(
    kind: Kind,
    table: str,
    message: str,
    tail: Sequence[str],
    retry_after_seconds: float | None,
    details: Sequence[str] = (),
) -> PushError:
    """A failed run of the upload CLI as an exception."""
    error: PushError
    if kind in (Kind.QUOTA, Kind.STORAGE):
        error = hub_error(kind, message, retry_after_seconds)
    else:
        error = (UploadFailedError if kind is Kind.PERMANENT else UploadUnfinishedError)(table, message, tail)
    error.details = details
    return error


def first_line(error: BaseException) -> str:
    """The first line of what an exception says; its class if it says nothing."""
    return next(iter(str(error).splitlines()), type(error).__name__)


def worst(codes: Iterable[Exit]) -> Exit:
    """The exit code that wins among several: a bug before a failure for good before "try again later"."""
    order = (Exit.BUG, Exit.FAILED, Exit.USAGE, Exit.TRY_LATER, Exit.OK)
    return min(codes, key=order.index, default=Exit.OK)
