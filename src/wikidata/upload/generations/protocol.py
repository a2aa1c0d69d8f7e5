"""What there is to know of a generation of the upload CLI; each of its modules is one."""

from collections.abc import Mapping
from typing import Protocol

Version = tuple[int, ...]


class Generation(Protocol):
    """The versions from `FIRST` up to, not including, `BEYOND`, which upload by the same command."""

    @property
    def FIRST(self) -> Version:  # noqa: N802 - constants of a module
        """The first version."""

    @property
    def BEYOND(self) -> Version:  # noqa: N802
        """The first later version that does not belong to it."""

    @property
    def TARGET(self) -> str:  # noqa: N802
        """The target of `upload.mk` with the command line."""

    @property
    def ENVIRONMENT(self) -> Mapping[str, str]:  # noqa: N802
        """What makes it quiet."""

    @property
    def REPEATS(self) -> str:  # noqa: N802
        """Pattern of the lines by which it says that it will repeat what failed: there the watcher kills it."""

    @property
    def ERRORS(self) -> str:  # noqa: N802
        """Pattern of its lines with an error of HTTP; the group that matches is the status, 400 if none does."""

    @property
    def REPEATED_ERRORS(self) -> str:  # noqa: N802
        """The same of requests that it repeats by itself: no failure unless it ends with one."""

    @property
    def SUMMARY(self) -> str:  # noqa: N802
        """Pattern of the lines that tell its progress; the groups are files uploaded and files committed."""


FAILED_JOB = r"Failed to (?:compute sha256|get upload mode|preupload LFS|commit): "
"""`upload-large-folder`, of a job that goes back into its queue with no delay (`_upload_large_folder.py`)."""

REFUSED = r"(?:^|: )(403) Forbidden: |(?:^|: )(429) Too Many Requests\b|(?:^|: )Bad request\b"
"""`hf_raise_for_status`. With `X-Request-Id` the words stand on a line of their own, without it behind the job's."""

XET = r"\bHTTP status (?:client|server) error \(([45][0-9]{2}) |\bYou are unauthorized to upload to xet storage\b"
"""hf_xet; that a token for Xet was refused with 401, huggingface_hub says in words alone (`_commit_api.py`)."""

QUIETLY = {"NO_COLOR": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_UPDATE_CHECK": "1"}
