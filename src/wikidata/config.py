"""Repo names, and the settings that a user may change, each of them named, typed, defaulted and explained once.

`python -m wikidata.config` lists the settings for `make help`. This module imports the standard library alone.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from wikidata.errors import UsageError
from wikidata.tables import Table as Table  # the pipeline imports it from here

HF_USER = "permutans"
REPO_TARGET = "{hf_user}/wikidata-{tbl}"

# Of a Hub repo id: owner/name, see huggingface_hub.utils.validate_repo_id.
_REPO_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")

ROOT = Path(__file__).resolve().parents[2]
"""The folder of the Makefile, if this runs from a checkout."""


ALLOCATOR = {"MIMALLOC_PURGE_DELAY": "10000", "MIMALLOC_ALLOW_THP": "0"}
"""What is told to mimalloc, the allocator of pyarrow, before it is loaded: to give memory back after 10 s. By itself it
does so after 10 ms and takes it again, zeroed, in pages of 2 MB, which a virtual machine may have to ask its host for:
packing large keys took a fifth longer."""


class Layout(StrEnum):
    """How a table of a chunk lies in its repo; AUTO is a wish, never what a repo has."""

    AUTO = "auto"
    FILES = "files"
    """The partition files as they are: `language=en/chunk_3-00001-of-00064.parquet`."""
    PACKED = "packed"
    """One file per chunk and key: `language=en/chunk_3.parquet`."""


class Deep(StrEnum):
    """How much of the content `make verify` downloads and reads."""

    NONE = ""
    SAMPLE = "1"
    ALL = "all"


def target_repos(hf_user: str) -> dict[Table, str]:
    """The repo id of every table, such as `permutans/wikidata-labels`."""
    return {table: REPO_TARGET.format(hf_user=hf_user, tbl=table) for table in Table}


def check_repo_id(repo_id: str, source: str) -> str:
    """Return `repo_id` if it is a valid `owner/name`; raise UsageError naming its `source` otherwise."""
    if not _REPO_ID.fullmatch(repo_id):
        raise UsageError(f"{source}: {repo_id!r} is not a repo id such as permutans/wikidata-labels")
    return repo_id


@dataclass(frozen=True)
class Selection:
    """What a command is about: one chunk or all, one table or all."""

    chunk: int | None = None
    table: Table | None = None

    def repos(self, settings: "Settings") -> dict[Table, str]:
        """The repo of every chosen table."""
        repos = target_repos(settings.hf_user)
        return {self.table: repos[self.table]} if self.table else repos


class Setting(NamedTuple):
    """An environment variable; `parse` takes its name and its value, and raises UsageError."""

    name: str
    default: str
    help: str
    parse: Callable[[str, str], Any]

    def read(self, environment: Mapping[str, str]) -> Any:
        """The value of the setting; an empty variable counts as unset."""
        return self.parse(self.name, environment.get(self.name) or self.default)


def _text(_name: str, value: str) -> str:
    return value


def _flag(name: str, value: str) -> bool:
    if value not in {"", "0", "1"}:
        raise UsageError(f"{name}={value}: must be 1 or 0")
    return value == "1"


def _folder(_name: str, value: str) -> Path:
    return Path(value).absolute()


def _user(name: str, value: str) -> str:
    for repo in target_repos(value).values():
        check_repo_id(repo, name)
    return value


def _endpoint(name: str, value: str) -> str:
    address = value.strip().rstrip("/")
    if address and not re.fullmatch(r"https?://[^\s/]\S*", address):
        raise UsageError(f"{name}={value}: must be an address such as https://huggingface.co")
    return address


def _layout(name: str, value: str) -> Layout:
    if value not in list(Layout):
        raise UsageError(f"{name}={value}: must be one of {', '.join(Layout)}")
    return Layout(value)


def _deep(name: str, value: str) -> Deep:
    if value not in list(Deep):
        raise UsageError(f"{name}={value}: must be 1 or all")
    return Deep(value)


def _folder_or_none(_name: str, value: str) -> Path | None:
    return Path(value).absolute() if value else None


def _count(name: str, value: str) -> int:
    if not re.fullmatch(r"[0-9]{1,4}", value) or int(value) < 1:
        raise UsageError(f"{name}={value}: must be a whole number from 1 to 9999")
    return int(value)


def _count_or_zero(name: str, value: str) -> int:
    if not re.fullmatch(r"[0-9]{1,4}", value):
        raise UsageError(f"{name}={value}: must be a whole number from 0 to 9999")
    return int(value)


def _bytes(name: str, value: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,14}", value):
        raise UsageError(f"{name}={value}: must be a number of bytes, such as 512000000")
    return int(value)


def _count_or_none(name: str, value: str) -> int | None:
    return _count(name, value) if value else None


def _positive(name: str, value: str) -> float:
    if not re.fullmatch(r"[0-9]{0,9}\.?[0-9]{0,9}", value) or not value.strip("0."):
        raise UsageError(f"{name}={value}: must be a number above 0")
    return float(value)


def _setting(
    name: str, default: str, help_text: str, parse: Callable[[str, str], Any], *, is_secret: bool = False
) -> Any:
    return field(repr=not is_secret, metadata={"setting": Setting(name, default, help_text, parse)})


@dataclass(frozen=True)
class Settings:
    """What a user may set, by environment variables or on the command line of make."""

    dry_run: bool = _setting("DRY_RUN", "", "1: tell what would be done, and change nothing", _flag)
    quiet: bool = _setting("QUIET", "", "1: print nothing if all goes well, for cron", _flag)
    yes: bool = _setting("YES", "", "1: make prune deletes what it lists", _flag)
    deep: Deep = _setting("DEEP", "", "make verify reads files: 1: a sample of each repo; all: every one", _deep)
    folder: Path | None = _setting(
        "FOLDER", "", "make verify compares this downloaded copy of a repo with its manifests", _folder_or_none
    )
    all: bool = _setting("ALL", "", "1: make status lists every chunk, not only those that need attention", _flag)
    json: bool = _setting("JSON", "", "1: make status prints JSON, for scripts", _flag)
    page: Path | None = _setting(
        "PAGE", "", "where make page writes, wikidata.html by itself; if set, each push refreshes it", _folder_or_none
    )
    hf_user: str = _setting("HF_USER", HF_USER, "the user or organization that owns the repos", _user)
    private: bool = _setting("PRIVATE", "", "1: repos that have to be created are private", _flag)
    state_dir: Path = _setting("STATE_DIR", "state", "state files of the pipeline", _folder)
    output_dir: Path = _setting("OUTPUT_DIR", "results", "partition files of the pipeline", _folder)
    audit_dir: Path = _setting("AUDIT_DIR", "audit", "sidecars of the pipeline", _folder)
    manifest_dir: Path = _setting("MANIFEST_DIR", "manifests", "manifests and receipts; keep them", _folder)
    staging_dir: Path = _setting(
        "STAGING_DIR", "staging", "where files are packed and laid out for the upload; emptied afterwards", _folder
    )
    log_dir: Path = _setting("LOG_DIR", "logs", "the upload CLI's output, a file for each run", _folder)
    hf_endpoint: str = _setting("HF_ENDPOINT", "", "the Hub; unset: the public one", _endpoint)
    layout: Layout = _setting(
        "LAYOUT", "auto", "files: as they are; packed: one per chunk and key; auto: as the repo has it, or as it fits",
        _layout,
    )  # fmt: skip
    fold: int = _setting(
        "FOLD", "16", "make fold puts the files of so many consecutive chunks together; 0: of none", _count_or_zero
    )
    fold_bytes: int = _setting("FOLD_BYTES", "512000000", "about the largest file that a fold makes, in bytes", _bytes)
    chunks_at_once: int = _setting(
        "CHUNKS_AT_ONCE", "1", "due chunks that one push works on at the same time; each needs staging space", _count
    )
    tasks_at_once: int = _setting(
        "TASKS_AT_ONCE", "4", "chunks that Slurm pushes at the same time, by make submit", _count
    )
    jobs: int = _setting("JOBS", "5", "tables of a chunk that are pushed at the same time", _count)
    workers: int | None = _setting(
        "WORKERS", "", "workers of each upload-large-folder; none means 1 for up to 100 files, else 4", _count_or_none
    )
    stall_minutes: float = _setting(
        "STALL_MINUTES", "10", "an upload is killed if no byte and no file has advanced for so long", _positive
    )
    upload_timeout_hours: float = _setting(
        "UPLOAD_TIMEOUT", "24", "an upload is killed after so many hours in any case", _positive
    )
    attempts: int = _setting("ATTEMPTS", "6", "attempts at what fails with a transient error", _count)
    retry_seconds: float = _setting(
        "RETRY_SECONDS", "2", "the wait after the first transient error; doubled each time", _positive
    )
    lock_stale_hours: float = _setting(
        "LOCK_STALE_HOURS", "24", "a push of another process that runs for longer is reported to cron", _positive
    )
    log_keep_days: float = _setting("LOG_KEEP_DAYS", "30", "logs are removed after so many days", _positive)
    ping_url: str = _setting(
        "PING_URL", "", "a monitoring service to ping: /start, success, /fail, as healthchecks.io has them", _text,
        is_secret=True,
    )  # fmt: skip
    uploader: str = _setting(
        "UPLOADER", "huggingface-cli", "what uploads: huggingface-cli, hf (the newest), library, or a path", _text
    )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Read the settings; an empty variable counts as unset. Raises UsageError naming the variable."""
        settings = cls(**{name: setting.read(environment) for name, setting in _by_field()})
        settings._check_staging()
        return settings

    def _check_staging(self) -> None:
        """What is staged is deleted: no other folder may be the staging folder, or lie in it."""
        staging = self.staging_dir.resolve()
        for name, setting in _by_field():
            is_other = setting.parse is _folder and setting.name != "STAGING_DIR"
            if is_other and getattr(self, name).resolve().is_relative_to(staging):
                raise UsageError(f"STAGING_DIR: must not hold {setting.name}: give it a folder of its own")


def _by_field() -> Iterator[tuple[str, Setting]]:
    return ((each.name, each.metadata["setting"]) for each in fields(Settings))


SETTINGS = tuple(setting for _, setting in _by_field())
FOLDERS = {setting.name: setting.default for setting in SETTINGS if setting.parse is _folder}
"""The environment variable of each folder, and its default, below the folder that a command runs in."""


if __name__ == "__main__":
    for each in SETTINGS:
        print(f"  {each.name:<17} {each.default:<16} {each.help}")  # noqa: T201
