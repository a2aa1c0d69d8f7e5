"""The push: the difference between a manifest and the Hub, made nothing.

    plan      what must be on the Hub (the manifest), and what of it the Hub lacks
    deliver   exactly that, staged and uploaded by the CLI, until the Hub lacks nothing
    confirm   the local files are still the same, and nothing is there twice: a receipt, and the dataset card;
              all five receipts: the chunk's source files go to PUSH

Each table goes its own way, in a thread of its own. Success is something looked up on the Hub, never an exit code, so
a rerun uploads only what is missing, and a crash at any point costs time and no data.
"""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import polars as pl

from wikidata.config import Settings, Table, target_repos
from wikidata.dataset.layout import check_upload, scale_of
from wikidata.dataset.survey import changed_files
from wikidata.errors import Kind, NotArrivedError, PushError, upload_error
from wikidata.hub.files import Snapshot, lacking
from wikidata.plan import Chunk, Plan, make_plan, pushable_chunk
from wikidata.publish import publish, publish_card
from wikidata.records.lock import hold
from wikidata.records.manifest import find_manifest, write_manifest
from wikidata.records.not_before import check_not_before, forget_refusal, record_refusal
from wikidata.records.notices import card_subject, due
from wikidata.records.receipt import Receipt, is_recorded, is_vouched_for, remove_receipt, write_receipt
from wikidata.report.listener import Listener
from wikidata.session import Session
from wikidata.state import due_chunks, get_all_state, raise_to_push, require_pushable
from wikidata.sync import receipt_of, sync
from wikidata.upload import run as upload
from wikidata.upload import staging
from wikidata.upload.diagnosis import is_unexplained
from wikidata.upload.finder import Uploader, find_program, find_uploader
from wikidata.upload.watcher import Outcome


def push_chunk(
    chunk_idx: int, state_dir: Path | str, output_dir: Path | str, target_repos: Mapping[Table, str]
) -> dict[Table, Receipt]:
    """Publish the partition files of a complete chunk and raise its source files to PUSH.

    `target_repos` maps tables to dataset repo ids. Returns a receipt per table. All other settings come from the
    environment, as with `make push`; with `DRY_RUN=1` the chunk is only planned, and no receipt is returned. Raises
    ChunkIncompleteError, ManifestError, HubError, UploadError (with `table` and `tail`, the end of the CLI's log),
    NotArrivedError, LockedError, or TablesFailedError if several tables failed; nothing is raised to PUSH then.
    """
    given = {"STATE_DIR": os.path.abspath(state_dir), "OUTPUT_DIR": os.path.abspath(output_dir)}
    settings = Settings.from_environment(os.environ | given)
    state = get_all_state(settings.state_dir)
    with Session(settings, target_repos, Listener()) as session:
        if settings.dry_run:
            preview(session, state, chunk_idx)
            return {}
        return push(session, state, chunk_idx)


def push(session: Session, state: pl.DataFrame, chunk: int, *, if_due: bool = False) -> dict[Table, Receipt]:
    """Push the tables of a session for one chunk; see `push_chunk`. `state` is the frame of `get_all_state`.

    With `if_due`, a chunk that another push has done meanwhile is left alone, and nothing is returned.
    """
    settings = session.settings
    if not if_due:
        require_pushable(state, chunk)
    with hold(settings.manifest_dir, f"chunk {chunk}"):
        if if_due and chunk not in due_chunks(get_all_state(settings.state_dir, chunk)):
            return {}
        whole = pushable_chunk(state, chunk)
        check_not_before(settings.manifest_dir)
        staging.clear_all(settings.staging_dir)
        find_program(settings.uploader)
        try:
            session.check_rights()
            receipts = session.for_each_table(lambda table: _push_table(session, whole, table))
        except PushError as error:
            record_refusal(settings.manifest_dir, error)
            raise
        forget_refusal(settings.manifest_dir)
        if _is_confirmed_in_all(session, chunk):
            raise_to_push(settings.state_dir, chunk)
            session.listener.pushed(chunk)
        staging.clear_all(settings.staging_dir)
        upload.remove_old_logs(settings)
        return receipts


def preview(session: Session, state: pl.DataFrame, chunk: int) -> dict[Table, Plan]:
    """Plan one chunk, writing nothing and changing nothing on the Hub."""
    whole = pushable_chunk(state, chunk)
    session.check_rights()
    return session.for_each_table(lambda table: make_plan(session, whole, table, write=False))


def push_waiting_cards(session: Session, state: pl.DataFrame) -> None:
    """Try again the dataset cards that did not arrive, if that was a day ago."""
    settings = session.settings
    with hold(settings.manifest_dir, "dataset cards"):
        check_not_before(settings.manifest_dir)
        for table in session.repos:
            if due(settings.manifest_dir, [card_subject(table)]):
                publish_card(session, table, scale_of(state))


def _is_confirmed_in_all(session: Session, chunk: int) -> bool:
    """Whether every table of a chunk has a receipt; the repos that this push is not about must still have its files."""
    settings = session.settings
    repos = target_repos(settings.hf_user) | session.repos

    def has_receipt(table: Table) -> bool:
        return is_recorded(settings.manifest_dir, chunk, table, repos[table])

    if not all(map(has_receipt, repos)):
        return False
    return all(_is_there(session, chunk, table, repos[table]) for table in repos if table not in session.repos)


def _is_there(session: Session, chunk: int, table: Table, repo_id: str) -> bool:
    """Whether a repo has every file of a chunk's manifest, which is brought up to date before."""
    revision = session.hub.head(repo_id)
    sync(session, table, repo_id, revision)
    folder = session.settings.manifest_dir
    manifest = find_manifest(folder, chunk, table)
    if manifest is None or not is_recorded(folder, chunk, table, repo_id):
        return False
    snapshot = session.hub.look_up(repo_id, revision, manifest.files["path"].to_list())
    return lacking(manifest, snapshot.files).height == 0


def _push_table(session: Session, whole: Chunk, table: Table) -> Receipt:
    try:
        plan = make_plan(session, whole, table)
        _record(session, plan)
        snapshot = _deliver(session, plan) if plan.missing.height else plan.snapshot
        _confirm(plan, snapshot)
        publish(session, plan, whole.scale)
        receipt = _write_receipt(session, plan, snapshot)
        session.listener.confirmed(plan.manifest, receipt, plan.missing)
        return receipt
    finally:
        staging.clear(staging.packed_folder(session.settings.staging_dir, whole.number, table))


def _record(session: Session, plan: Plan) -> None:
    """Write the manifest down; a receipt that no longer holds is withdrawn before."""
    manifest, folder = plan.manifest, session.settings.manifest_dir
    if plan.missing.height or not _is_vouched_for(session, plan):
        remove_receipt(folder, manifest.chunk, manifest.table)
    write_manifest(folder, manifest)


def _deliver(session: Session, plan: Plan) -> Snapshot:
    """Upload what the Hub lacks, again and again as long as that may help; returns a snapshot that lacks nothing."""
    uploader = find_uploader(session.settings.uploader, session.settings.manifest_dir)
    for subject, warning in check_upload(plan.missing, plan.repo_id).items():
        session.warn(plan.manifest.table, warning, f"{plan.repo_id}: {subject}")
    if plan.snapshot.revision is None:
        session.hub.create(plan.repo_id, session.settings.private)
    missing, explained, died_with = plan.missing, False, ""

    def deliver_once() -> Snapshot:
        nonlocal missing, explained, died_with
        log = upload.log_file(session.settings, plan.manifest.chunk, plan.manifest.table)
        outcome = _upload(session, plan, missing, uploader, log)
        snapshot = session.hub.look_up(plan.repo_id, session.hub.head(plan.repo_id), plan.paths)
        lacked, missing = missing.height, lacking(plan.manifest, snapshot.files)
        if missing.height == 0:
            return snapshot
        if is_unexplained(outcome.message) and not explained:
            path, explained = missing["path"][-1], True  # of the first ones the content may be there already
            session.hub.send_content(plan.repo_id, path, plan.manifest.folder / path)
        if outcome.died and outcome.message == died_with and missing.height == lacked:
            outcome = replace(outcome, kind=Kind.PERMANENT)  # twice the same way, and nothing has advanced
        died_with = outcome.message if outcome.died else ""
        raise _undelivered(plan, missing, outcome, log)

    return session.retry(deliver_once)


def _upload(session: Session, plan: Plan, missing: pl.DataFrame, uploader: Uploader, log: Path) -> Outcome:
    """Stage the missing files and run the CLI once."""
    manifest = plan.manifest
    folder = staging.staging_folder(session.settings.staging_dir, manifest.chunk, manifest.table)
    session.listener.uploading(manifest, missing, plan.repo_id)
    try:
        staging.lay_out(folder, manifest.folder, missing["path"])
        job = upload.Upload(uploader, manifest.chunk, manifest.table, plan.repo_id, folder, missing.height, log)
        return upload.run(job, session.settings, session.hub.token, session.listener.progress)
    finally:
        staging.clear(folder)


def _undelivered(plan: Plan, missing: pl.DataFrame, outcome: Outcome, log: Path) -> PushError:
    """Why the Hub still lacks files after a run of the CLI."""
    table = plan.manifest.table
    lack = f"{plan.repo_id} lacks {missing.height} of {plan.manifest.files.height} files"
    if outcome.kind is None:
        first = missing["path"][0]
        return NotArrivedError(
            f"{table}: the upload CLI said that all was done, but {lack}, such as {first}: push again (log: {log})"
        )
    message = f"{table}: {outcome.message} ({lack}; log: {log})"
    return upload_error(outcome.kind, table, message, outcome.tail, outcome.retry_after_seconds)


def _confirm(plan: Plan, snapshot: Snapshot) -> None:
    """Check that neither the local files nor the Hub contradict a snapshot that lacks nothing."""
    manifest = plan.manifest
    if changes := changed_files(plan.partitions):
        raise NotArrivedError(
            f"{manifest.table}: {changes[0]} while it was pushed ({len(changes)} such files): push again"
        )
    if orphans := [path for path in plan.possible_orphans if path in snapshot.files]:
        raise NotArrivedError(
            f"{manifest.table}: {plan.repo_id} has {len(orphans)} orphaned files of chunk {manifest.chunk}, no longer "
            f"produced locally, such as {orphans[0]}, and their rows would count twice: "
            f"make prune CHUNK={manifest.chunk} TABLE={manifest.table}"
        )


def _write_receipt(session: Session, plan: Plan, snapshot: Snapshot) -> Receipt:
    """Write down that the repo has the files and the manifest, unless that is written already."""
    manifest, folder = plan.manifest, session.settings.manifest_dir
    receipt = receipt_of(manifest, plan.repo_id, snapshot.revision or "")
    if not _is_vouched_for(session, plan):
        write_receipt(folder, manifest.chunk, manifest.table, receipt)
    return receipt


def _is_vouched_for(session: Session, plan: Plan) -> bool:
    """Whether there is a receipt for just this manifest in just this repo."""
    manifest = plan.manifest
    return is_vouched_for(
        session.settings.manifest_dir, manifest.chunk, manifest.table, plan.repo_id, manifest.digest
    )  # fmt: skip
