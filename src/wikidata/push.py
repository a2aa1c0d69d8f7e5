"""The push: the difference between a manifest and the Hub, made nothing.

    plan      what must be on the Hub (the manifest), and what of it the Hub lacks
    deliver   exactly that, staged and uploaded by the CLI, until the Hub lacks nothing
    confirm   the local files are still the same, and nothing is there twice
    record    the manifest and the dataset card, in one commit; then a receipt here;
              all five tables confirmed: the chunk's source files go to PUSH

Each table goes its own way, in a thread of its own. Success is something looked up on the Hub, never an exit code, so
a rerun uploads only what is missing, and a crash at any point costs time and no data.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from wikidata.config import Settings, Table, target_repos
from wikidata.dataset.layout import scale_of
from wikidata.dataset.survey import Partitions, changed_files
from wikidata.deliver import Delivery, deliver
from wikidata.errors import LayoutError, ManifestError, NotArrivedError
from wikidata.exchange import Exchange, exchange
from wikidata.hub.files import Snapshot
from wikidata.names import one, remote_manifest
from wikidata.plan import Chunk, Plan, make_plan, pushable_chunk
from wikidata.publish import publish, publish_card
from wikidata.records.manifest import write_manifest
from wikidata.records.not_before import forget_refusal
from wikidata.records.notices import card_subject, due
from wikidata.records.receipt import (
    Receipt,
    is_recorded,
    is_vouched_for,
    read_receipt,
    recorded_block,
    remove_receipt,
    write_receipt,
)
from wikidata.report.listener import Listener
from wikidata.session import Session
from wikidata.state import due_chunks, get_all_state, raise_to_push, require_pushable
from wikidata.sync import receipt_of
from wikidata.upload import run as upload
from wikidata.upload import staging
from wikidata.upload.finder import find_program


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
    with session.holding(recorded_block(settings.manifest_dir, chunk), f"chunk {chunk}") as holder:
        if if_due and chunk not in due_chunks(get_all_state(settings.state_dir, chunk)):
            return {}
        return _push(holder, pushable_chunk(state, chunk))


def _push(session: Session, whole: Chunk) -> dict[Table, Receipt]:
    """Push a chunk whose lock is held."""
    settings = session.settings
    session.heed_refusals()
    session.clear_staging()
    find_program(settings.uploader)
    session.check_rights()
    pushed = session.for_each_table(lambda table: _push_table(session, whole, table))
    forget_refusal(settings.manifest_dir)
    is_complete = _is_confirmed_in_all(session, whole)
    for table, (_, partitions) in pushed.items():
        _check_unchanged(table, partitions)
    if is_complete:
        raise_to_push(settings.state_dir, whole.number)
        session.listener.pushed(whole.number)
    session.clear_staging()
    upload.remove_old_logs(settings)
    return {table: receipt for table, (receipt, _) in pushed.items()}


def preview(session: Session, state: pl.DataFrame, chunk: int) -> dict[Table, Plan]:
    """Plan one chunk, writing nothing and changing nothing on the Hub."""
    whole = pushable_chunk(state, chunk)
    session.check_rights()
    return session.for_each_table(lambda table: make_plan(session, whole, table, write=False))


def push_waiting_cards(session: Session, state: pl.DataFrame) -> None:
    """Try again the dataset cards that did not arrive, if that was a day ago."""
    tables = [table for table in session.repos if due(session.settings.manifest_dir, [card_subject(table)])]
    session.heed_refusals()
    waiting = session.about({table: session.repos[table] for table in tables})
    waiting.for_each_table(lambda table: publish_card(session, table, scale_of(state)))


def _is_confirmed_in_all(session: Session, whole: Chunk) -> bool:
    """Whether every table of a chunk is published as it is here now.

    Those that this push is not about must have a receipt, and a plan of them must find nothing left to do.
    """
    settings = session.settings
    repos = target_repos(settings.hf_user) | session.repos
    if not all(is_recorded(settings.manifest_dir, whole.number, table, repos[table]) for table in repos):
        return False
    others = session.about({table: repo_id for table, repo_id in repos.items() if table not in session.repos})
    return all(others.for_each_table(lambda table: _is_published(others, whole, table)).values())


def _is_published(session: Session, whole: Chunk, table: Table) -> bool:
    try:
        plan = make_plan(session, whole, table, write=False)
    except (ManifestError, LayoutError):
        return False
    has_orphans = any(path in plan.snapshot.files for path in plan.possible_orphans)
    is_recorded_there = plan.records.has(remote_manifest(plan.manifest.block), plan.manifest.content)
    return plan.rewrite is None and plan.missing.height == 0 and not has_orphans and is_recorded_there


def _push_table(session: Session, whole: Chunk, table: Table) -> tuple[Receipt, Partitions]:
    try:
        plan = _plan(session, whole, table)
        receipt = _replace(session, plan, whole) if plan.rewrite else _deliver_and_record(session, plan, whole)
        session.listener.confirmed(plan.manifest, receipt, plan.missing)
        return receipt, plan.partitions
    finally:
        staging.clear(staging.packed_folder(session.settings.staging_dir, one(whole.number), table))


def _plan(session: Session, whole: Chunk, table: Table) -> Plan:
    """Plan a table; once more if the repo has the chunk in a block that we did not know of, and so did not hold."""
    held, plan = session.held, make_plan(session, whole, table)
    if held and held.covers(plan.manifest.block):
        return plan
    session.widen(plan.manifest.block)
    return make_plan(session, whole, table)


def _deliver_and_record(session: Session, plan: Plan, whole: Chunk) -> Receipt:
    """What the repo lacks is sent, and the chunk recorded; of a folded chunk, nothing is lacking here."""
    _write_manifest(session, plan)
    snapshot = plan.snapshot
    if plan.missing.height:
        message = f"Add chunk {plan.chunk} of {plan.manifest.table}"
        job = Delivery(plan.manifest, plan.repo_id, plan.snapshot, plan.missing, plan.paths, message)
        snapshot = deliver(session, job)
    _confirm(plan, snapshot)
    session.listener.doing(plan.manifest.table, "recording")
    publish(session, plan, whole.scale)
    return _write_receipt(session, plan, snapshot)


def _replace(session: Session, plan: Plan, whole: Chunk) -> Receipt:
    """Replace the rows of a folded chunk, in one commit."""
    table, rewrite = plan.manifest.table, plan.rewrite
    assert rewrite is not None and plan.snapshot.revision is not None  # noqa: S101 - it is recorded in the repo
    _confirm(plan, plan.snapshot)
    for manifest in rewrite.before:
        remove_receipt(session.settings.manifest_dir, manifest.block, table)
    words = f"Replace chunk {plan.chunk} of {table}"
    revision, check = plan.snapshot.revision, lambda: _check_unchanged(table, plan.partitions)
    job = Exchange(
        table, plan.repo_id, revision, plan.records, rewrite, plan.schema, whole.scale, words, plan.chunk, check
    )
    exchange(session, job)
    receipt = read_receipt(session.settings.manifest_dir, rewrite.block, table)
    assert receipt is not None  # noqa: S101 - it was confirmed
    return receipt


def _write_manifest(session: Session, plan: Plan) -> None:
    """Write the manifest down; a receipt that no longer holds is withdrawn before."""
    manifest, folder = plan.manifest, session.settings.manifest_dir
    if plan.missing.height or not _is_vouched_for(session, plan):
        remove_receipt(folder, manifest.block, manifest.table)
    write_manifest(folder, manifest)


def _confirm(plan: Plan, snapshot: Snapshot) -> None:
    """Check that neither the local files nor the Hub contradict a snapshot that lacks nothing."""
    manifest = plan.manifest
    _check_unchanged(manifest.table, plan.partitions)
    if orphans := [path for path in plan.possible_orphans if path in snapshot.files]:
        raise NotArrivedError(
            f"{manifest.table}: {plan.repo_id} has {len(orphans)} orphaned files of chunk {plan.chunk}, no longer "
            f"produced locally, such as {orphans[0]}, and their rows would count twice: "
            f"make prune CHUNK={plan.chunk} TABLE={manifest.table}"
        )


def _check_unchanged(table: Table, partitions: Partitions) -> None:
    """Raise NotArrivedError if local files are no longer the ones that were hashed."""
    if changes := changed_files(partitions):
        raise NotArrivedError(f"{table}: {changes[0]} while it was pushed ({len(changes)} such files): push again")


def _write_receipt(session: Session, plan: Plan, snapshot: Snapshot) -> Receipt:
    """Write down that the repo has the files and the manifest, unless that is written already."""
    manifest, folder = plan.manifest, session.settings.manifest_dir
    receipt = receipt_of(manifest, plan.repo_id, snapshot.revision or "")
    if not _is_vouched_for(session, plan):
        write_receipt(folder, manifest.block, manifest.table, receipt)
    return receipt


def _is_vouched_for(session: Session, plan: Plan) -> bool:
    """Whether there is a receipt for just this manifest in just this repo."""
    manifest = plan.manifest
    return is_vouched_for(
        session.settings.manifest_dir, manifest.block, manifest.table, plan.repo_id, manifest.digest
    )  # fmt: skip
