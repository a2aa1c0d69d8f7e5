"""Tables, partition columns, repo names, folders, and the environment variables that override them."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from wikidata.errors import UsageError

HF_USER = "permutans"
REPO_TARGET = "{hf_user}/wikidata-{tbl}"

# Of a Hub repo id: owner/name, see huggingface_hub.utils.validate_repo_id.
_REPO_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")

_CHECKOUT = Path(__file__).resolve().parents[2]
ROOT = _CHECKOUT if (_CHECKOUT / "Makefile").is_file() else Path.cwd()
"""The folder of the Makefile; the default folders lie beside it."""

HUB_VERSIONS = "0.34 to 2.x"
"""Of huggingface_hub, as a library and as a CLI."""

FOLDERS = {
    "STATE_DIR": "state",
    "OUTPUT_DIR": "results",
    "AUDIT_DIR": "audit",
    "MANIFEST_DIR": "manifests",
    "STAGING_DIR": "staging",
    "LOG_DIR": "logs",
}
"""The environment variable of each folder, and the default, which lies beside the Makefile."""


class Table(StrEnum):
    """The five published tables, each a dataset repo of its own."""

    LABELS = "labels"
    DESCRIPTIONS = "descriptions"
    ALIASES = "aliases"
    LINKS = "links"
    CLAIMS = "claims"

    @property
    def partition_column(self) -> str:
        """The column by whose values the table is split into folders."""
        return "site" if self is Table.LINKS else "language"


class Layout(StrEnum):
    """How a table of a chunk lies in its repo; AUTO is a wish, never what a repo has."""

    AUTO = "auto"
    FILES = "files"
    """The partition files as they are: `language=en/chunk_3-00001-of-00064.parquet`."""
    PACKED = "packed"
    """One file per chunk and key: `language=en/chunk_3.parquet`."""


def target_repos(hf_user: str) -> dict[Table, str]:
    """The repo id of every table, such as `permutans/wikidata-labels`."""
    return {table: REPO_TARGET.format(hf_user=hf_user, tbl=table) for table in Table}


@dataclass(frozen=True)
class Settings:
    """What a user may set, by environment variables of the same names in capitals (see the Makefile)."""

    dry_run: bool
    quiet: bool
    yes: bool
    open: bool
    hf_user: str
    state_dir: Path
    output_dir: Path
    audit_dir: Path
    manifest_dir: Path
    staging_dir: Path
    log_dir: Path
    layout: Layout
    jobs: int
    workers: int | None
    private: bool
    stall_minutes: float
    upload_timeout_hours: float
    attempts: int
    retry_seconds: float
    lock_stale_hours: float
    log_keep_days: float
    ping_url: str = field(repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Read the settings; an empty variable counts as unset. Raises UsageError naming the variable."""
        reader = _Reader(environment)
        reader.check_staging()
        hf_user = reader.text("HF_USER", HF_USER)
        for repo in target_repos(hf_user).values():
            check_repo_id(repo, "HF_USER")
        return cls(
            dry_run=reader.flag("DRY_RUN"),
            quiet=reader.flag("QUIET"),
            yes=reader.flag("YES"),
            open=reader.flag("OPEN"),
            hf_user=hf_user,
            state_dir=reader.folder("STATE_DIR"),
            output_dir=reader.folder("OUTPUT_DIR"),
            audit_dir=reader.folder("AUDIT_DIR"),
            manifest_dir=reader.folder("MANIFEST_DIR"),
            staging_dir=reader.folder("STAGING_DIR"),
            log_dir=reader.folder("LOG_DIR"),
            layout=reader.layout(),
            jobs=reader.count("JOBS", 5),
            workers=reader.count("WORKERS", 1) if reader.text("WORKERS", "") else None,
            private=reader.flag("PRIVATE"),
            stall_minutes=reader.positive("STALL_MINUTES", 10),
            upload_timeout_hours=reader.positive("UPLOAD_TIMEOUT", 24),
            attempts=reader.count("ATTEMPTS", 6),
            retry_seconds=reader.positive("RETRY_SECONDS", 2),
            lock_stale_hours=reader.positive("LOCK_STALE_HOURS", 24),
            log_keep_days=reader.positive("LOG_KEEP_DAYS", 30),
            ping_url=reader.text("PING_URL", ""),
        )


def installed_version() -> str:
    """The version of the huggingface_hub that this Python has; empty where it has none."""
    from importlib.metadata import PackageNotFoundError, version  # costly, and seldom needed

    try:
        return version("huggingface_hub")
    except PackageNotFoundError:
        return ""


def check_repo_id(repo_id: str, source: str) -> str:
    """Return `repo_id` where it is a valid `owner/name`; raise UsageError naming its `source` otherwise."""
    if not _REPO_ID.fullmatch(repo_id):
        raise UsageError(f"{source}: {repo_id!r} is not a repo id such as permutans/wikidata-labels")
    return repo_id


class _Reader:
    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = environment

    def text(self, name: str, default: str) -> str:
        return self.environment.get(name) or default

    def folder(self, name: str) -> Path:
        given = self.environment.get(name)
        return Path(given).absolute() if given else ROOT / FOLDERS[name]

    def layout(self) -> Layout:
        value = self.text("LAYOUT", Layout.AUTO)
        if value not in list(Layout):
            raise UsageError(f"LAYOUT={value}: must be one of {', '.join(Layout)}")
        return Layout(value)

    def check_staging(self) -> None:
        """What is staged is deleted: no other folder may be the staging folder, or lie in it."""
        staging = self.folder("STAGING_DIR").resolve()
        for name in FOLDERS:
            if name != "STAGING_DIR" and self.folder(name).resolve().is_relative_to(staging):
                raise UsageError(f"STAGING_DIR: must not hold {name}: give it a folder of its own")

    def flag(self, name: str) -> bool:
        value = self.text(name, "0")
        if value not in {"0", "1"}:
            raise UsageError(f"{name}={value}: must be 1 or 0")
        return value == "1"

    def count(self, name: str, default: int) -> int:
        value = self.text(name, str(default))
        if not re.fullmatch(r"[0-9]{1,4}", value) or int(value) < 1:
            raise UsageError(f"{name}={value}: must be a whole number from 1 to 9999")
        return int(value)

    def positive(self, name: str, default: float) -> float:
        value = self.text(name, str(default))
        if not re.fullmatch(r"[0-9]{0,9}\.?[0-9]{0,9}", value) or not value.strip("0."):
            raise UsageError(f"{name}={value}: must be a number above 0")
        return float(value)
