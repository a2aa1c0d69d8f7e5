"""Delivery: the files of a manifest that the Hub lacks, staged and uploaded by the CLI until it lacks nothing.

Success is something looked up on the Hub, never an exit code.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from wikidata.dataset.layout import check_upload
from wikidata.errors import Kind, NotArrivedError, PushError, upload_error
from wikidata.hub.files import Snapshot, lacking
from wikidata.records.manifest import Manifest
from wikidata.session import Session
from wikidata.upload import run as upload
from wikidata.upload import staging
from wikidata.upload.diagnosis import is_unexplained
from wikidata.upload.finder import Uploader, find_uploader
from wikidata.upload.watcher import Outcome


@dataclass(frozen=True)
class Delivery:
    """The files of a manifest for a repo, of which `missing` are the rows that it lacked at the `snapshot`.

    `paths` is everything to look up afterwards, at least those of the manifest; `message` that of the commits.
    """

    manifest: Manifest
    repo_id: str
    snapshot: Snapshot
    missing: pl.DataFrame
    paths: Sequence[str]
    message: str


def deliver(session: Session, job: Delivery) -> Snapshot:
    """Upload what is missing, again and again as long as that may help; returns a snapshot that lacks nothing."""
    if job.missing.is_empty():
        return job.snapshot
    uploader = find_uploader(session.settings.uploader, session.settings.manifest_dir)
    for subject, warning in check_upload(job.missing, job.repo_id).items():
        session.warn(job.manifest.table, warning, f"{job.repo_id}: {subject}")
    if job.snapshot.revision is None:
        session.hub.create(job.repo_id, session.settings.private)
    missing, explained, died_with = job.missing, False, ""

    def deliver_once() -> Snapshot:
        nonlocal missing, explained, died_with
        log = upload.log_file(session.settings, job.manifest.block, job.manifest.table)
        outcome = _upload(session, job, missing, uploader, log)
        session.listener.doing(job.manifest.table, "confirming", missing.height)
        snapshot = session.hub.look_up(job.repo_id, session.hub.head(job.repo_id), job.paths)
        lacked, missing = missing.height, lacking(job.manifest, snapshot.files)
        if missing.height == 0:
            return snapshot
        if is_unexplained(outcome.message) and not explained:
            path, explained = missing["path"][-1], True  # of the first ones the content may be there already
            session.hub.send_content(job.repo_id, path, job.manifest.folder / path)
        if outcome.died and outcome.message == died_with and missing.height == lacked:
            outcome = replace(outcome, kind=Kind.PERMANENT)  # twice the same way, and nothing has advanced
        died_with = outcome.message if outcome.died else ""
        raise _undelivered(job, missing, outcome, log)

    return session.retry(deliver_once)


def _upload(session: Session, job: Delivery, missing: pl.DataFrame, uploader: Uploader, log: Path) -> Outcome:
    """Stage the missing files and run the CLI once."""
    manifest = job.manifest
    folder = staging.staging_folder(session.settings.staging_dir, manifest.block, manifest.table)
    session.listener.uploading(manifest, missing, job.repo_id)
    try:
        staging.lay_out(folder, manifest.folder, missing["path"])
        run = upload.Upload(
            uploader, manifest.block, manifest.table, job.repo_id, folder, missing.height, job.message, log
        )
        return upload.run(run, session.settings, session.hub.token, session.listener.progress)
    finally:
        staging.clear(folder)


def _undelivered(job: Delivery, missing: pl.DataFrame, outcome: Outcome, log: Path) -> PushError:
    """Why the Hub still lacks files after a run of the CLI."""
    table = job.manifest.table
    lack = f"{job.repo_id} lacks {missing.height} of {job.manifest.files.height} files"
    if outcome.kind is None:
        first = missing["path"][0]
        return NotArrivedError(
            f"{table}: the upload CLI said that all was done, but {lack}, such as {first}: push again (log: {log})"
        )
    details = (lack, f"log: {log}")
    return upload_error(
        outcome.kind, table, f"{table}: {outcome.message}", outcome.tail, outcome.retry_after_seconds, details
    )
