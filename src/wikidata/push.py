"""The push: the difference between a manifest and the Hub, made nothing.

    plan      what must be on the Hub (the manifest), and what of it the Hub lacks
    deliver   exactly that, staged and uploaded by the CLI, until the Hub lacks nothing
    confirm   the local files are still the same: a receipt; all five receipts: the chunk goes to PUSH

Each table goes its own way, in a thread of its own. Success is something looked up on the Hub, never an exit code, so
a rerun uploads only what is missing, and a crash at any point costs time and no data.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import polars as pl

from wikidata import staging, upload
from wikidata.config import Settings, Table, check_repo_id
from wikidata.errors import (
    HubError,
    NotArrivedError,
    PushError,
    QuotaError,
    TablesFailedError,
    UploadFailedError,
    UploadUnfinishedError,
)
from wikidata.failures import Kind
from wikidata.hub import Hub, Look, lacking
from wikidata.listener import Listener
from wikidata.lock import hold
from wikidata.manifest import Manifest, file_digest, manifest_path, read_manifest, write_manifest
from wikidata.partitions import Partitions, changed_files, survey
from wikidata.receipt import Receipt, read_receipt, remove_receipt, write_receipt
from wikidata.retry import Patience
from wikidata.state import get_all_state, raise_to_push, require_complete
from wikidata.watch import Outcome

Result = TypeVar("Result")


@dataclass(frozen=True)
class Plan:
    """What a table of a chunk has to become on the Hub, and the rows of its manifest that the Hub lacks."""

    repo_id: str
    partitions: Partitions
    look: Look
    missing: pl.DataFrame

    @property
    def manifest(self) -> Manifest:
        """What must be on the Hub."""
        return self.partitions.manifest


def push_chunk(
    chunk_idx: int, state_dir: Path | str, output_dir: Path | str, target_repos: Mapping[Table, str]
) -> dict[Table, Receipt]:
    """Publish the partition files of a complete chunk and raise its source files to PUSH.

    `target_repos` maps tables to dataset repo ids. Returns a receipt per table. All other settings come from the
    environment, as with `make push`. Raises ChunkIncompleteError, ManifestError, HubError, UploadFailedError (with
    `table` and `tail`, the end of the CLI's log), NotArrivedError, LockedError, or TablesFailedError where several
    tables failed; nothing is raised to PUSH then.
    """
    settings = replace(
        Settings.from_environment(),
        state_dir=Path(state_dir).absolute(),
        output_dir=Path(output_dir).absolute(),
    )
    return Pusher(settings, target_repos, Listener()).push(chunk_idx)


class Pusher:
    """Pushes chunks of the tables in `target_repos`; `listener` is told how it goes."""

    def __init__(self, settings: Settings, target_repos: Mapping[Table, str], listener: Listener) -> None:
        self.settings = settings
        self.repos = {Table(table): check_repo_id(repo, "target_repos") for table, repo in target_repos.items()}
        self.listener = listener
        self.patience = Patience(settings, listener.note)
        self.hub = Hub(self.patience)

    def push(self, chunk: int) -> dict[Table, Receipt]:
        """Push one chunk; see `push_chunk`."""
        with hold(self.settings.manifest_dir, f"chunk {chunk}"):
            staging.clear_all(self.settings.staging_dir)
            parts = require_complete(get_all_state(self.settings.state_dir), chunk)
            upload.find_cli()
            self._check_rights()
            receipts = self._for_each_table(lambda table: self._push_table(chunk, parts, table))
            if self._is_pushed(chunk):
                raise_to_push(self.settings.state_dir, chunk)
                self.listener.pushed(chunk)
            return receipts

    def preview(self, chunk: int) -> dict[Table, Plan]:
        """Plan one chunk, writing nothing and changing nothing on the Hub."""
        parts = require_complete(get_all_state(self.settings.state_dir), chunk)
        self._check_rights()
        return self._for_each_table(lambda table: self._plan(chunk, parts, table))

    def verify(self, chunk: int) -> dict[Table, tuple[Manifest, pl.DataFrame]]:
        """Compare the Hub with the written manifests: each manifest with the rows that the Hub lacks."""

        def look(table: Table) -> tuple[Manifest, pl.DataFrame]:
            folder = self.settings.output_dir / table
            manifest = read_manifest(self.settings.manifest_dir, chunk, table, folder)
            there = self.hub.look(self.repos[table], manifest.files["path"].to_list())
            return manifest, lacking(manifest, there.files)

        return self._for_each_table(look)

    def _check_rights(self) -> None:
        identity = self.hub.identify()
        for table, repo_id in self.repos.items():
            if refusal := identity.refusal(repo_id):
                raise HubError(f"{table}: {refusal}")

    def _push_table(self, chunk: int, parts: int, table: Table) -> Receipt:
        plan = self._plan(chunk, parts, table)
        self._record(plan)
        look = self._deliver(plan) if plan.missing.height else plan.look
        return self._confirm(plan, look)

    def _plan(self, chunk: int, parts: int, table: Table) -> Plan:
        repo_id = self.repos[table]
        partitions = survey(chunk, parts, table, self.settings.output_dir, self.settings.audit_dir)
        look = self.hub.look(repo_id, partitions.manifest.files["path"].to_list())
        return Plan(repo_id, partitions, look, lacking(partitions.manifest, look.files))

    def _record(self, plan: Plan) -> None:
        """Write the manifest down; a receipt that no longer holds is withdrawn before."""
        manifest, folder = plan.manifest, self.settings.manifest_dir
        if plan.missing.height or not _vouches(read_receipt(folder, manifest.chunk, manifest.table), plan):
            remove_receipt(folder, manifest.chunk, manifest.table)
        write_manifest(folder, manifest)

    def _deliver(self, plan: Plan) -> Look:
        """Upload what the Hub lacks, again and again as long as that may help; returns a look that lacks nothing."""
        if plan.look.revision is None:
            self.hub.create(plan.repo_id, self.settings.private)
        missing = plan.missing

        def deliver_once() -> Look:
            nonlocal missing
            log = self._log_file(plan.manifest)
            outcome = self._upload(plan, missing, log)
            look = self.hub.look(plan.repo_id, plan.manifest.files["path"].to_list())
            missing = lacking(plan.manifest, look.files)
            if missing.height:
                raise _undelivered(plan, missing, outcome, log)
            return look

        return self.patience()(deliver_once)

    def _log_file(self, manifest: Manifest) -> Path:
        return self.settings.log_dir / f"chunk_{manifest.chunk}" / f"{manifest.table}-{_now():%Y%m%dT%H%M%S.%f}.log"

    def _upload(self, plan: Plan, missing: pl.DataFrame, log: Path) -> Outcome:
        """Stage the missing files and run the CLI once."""
        manifest, settings = plan.manifest, self.settings
        folder = staging.staging_folder(settings.staging_dir, manifest.chunk, manifest.table)
        self.listener.uploading(manifest, missing, plan.repo_id)
        try:
            staging.lay_out(folder, manifest.folder, missing["path"])
            job = upload.Upload(manifest.chunk, manifest.table, plan.repo_id, folder, log)
            return upload.run(
                job, settings, self.hub.token, lambda progress: self.listener.progress(manifest.table, progress)
            )
        finally:
            staging.clear(folder)

    def _confirm(self, plan: Plan, look: Look) -> Receipt:
        """Write the receipt for a look that lacked nothing, unless the local files changed meanwhile."""
        manifest = plan.manifest
        if changes := changed_files(plan.partitions):
            raise NotArrivedError(
                f"{manifest.table}: {changes[0]} while it was pushed ({len(changes)} such files): push again"
            )
        receipt = Receipt(
            repo=plan.repo_id,
            commit=look.revision or "",
            files=manifest.files.height,
            size_bytes=manifest.size_bytes,
            rows=manifest.rows,
            manifest_sha256=manifest.digest,
            confirmed_at=_now().isoformat(timespec="seconds"),
        )
        known = read_receipt(self.settings.manifest_dir, manifest.chunk, manifest.table)
        if not _vouches(known, plan):
            write_receipt(self.settings.manifest_dir, manifest.chunk, manifest.table, receipt)
        self.listener.confirmed(manifest, receipt, plan.missing)
        return receipt

    def _is_pushed(self, chunk: int) -> bool:
        """Whether all five tables have receipts that match their manifests."""
        folder = self.settings.manifest_dir
        receipts = {table: read_receipt(folder, chunk, table) for table in Table}
        return all(
            receipt is not None and receipt.manifest_sha256 == file_digest(manifest_path(folder, chunk, table))
            for table, receipt in receipts.items()
        )

    def _for_each_table(self, work: Callable[[Table], Result]) -> dict[Table, Result]:
        """Do `work` for every table, `JOBS` at a time; all are attempted before what failed is raised."""
        pool = ThreadPoolExecutor(self.settings.jobs)
        try:
            futures = {table: pool.submit(work, table) for table in self.repos}
            errors = [error for error in map(_error, futures.values()) if error is not None]
        except BaseException:
            self.patience.stop()
            upload.end_all()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        pool.shutdown()
        if len(errors) > 1:
            raise TablesFailedError(errors)
        if errors:
            raise errors[0]
        return {table: future.result() for table, future in futures.items()}


def _error(future: Future[Result]) -> PushError | None:
    """The expected failure of a finished table, if any; a bug is raised."""
    error = future.exception()
    if error is None or isinstance(error, PushError):
        return error
    raise error


def _vouches(receipt: Receipt | None, plan: Plan) -> bool:
    """Whether a receipt is for just this manifest in just this repo."""
    return receipt is not None and receipt.repo == plan.repo_id and receipt.manifest_sha256 == plan.manifest.digest


def _undelivered(plan: Plan, missing: pl.DataFrame, outcome: Outcome, log: Path) -> PushError:
    """Why the Hub still lacks files after a run of the CLI."""
    table = plan.manifest.table
    lack = f"{plan.repo_id} lacks {missing.height} of {plan.manifest.files.height} files"
    message = f"{table}: {outcome.message} ({lack}; log: {log})"
    if outcome.kind is None:
        first = missing["path"][0]
        return NotArrivedError(
            f"{table}: the upload CLI said that all was done, but {lack}, such as {first}: push again (log: {log})"
        )
    if outcome.kind is Kind.QUOTA:
        return QuotaError(message, outcome.retry_after_seconds)
    failure = UploadFailedError if outcome.kind is Kind.REFUSED else UploadUnfinishedError
    return failure(table, message, outcome.tail)


def _now() -> datetime:
    return datetime.now(UTC)
