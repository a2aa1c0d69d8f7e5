"""The fold: files of consecutive chunks become one for each key, so that readers get few, large files.

    plan      which files of the block become which, after all of them were looked up
    exchange  the new ones are made and sent, then take the place of the old ones, in one commit

A block of 16 chunks is folded when all of them are pushed, and everything once more at the end: each row is rewritten
twice at most. A rerun goes on where the last run ended, since a fold is the difference between what is recorded and
what should be.
"""

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pyarrow as pa

from wikidata.config import Table
from wikidata.dataset.bundles import recorded_bundles
from wikidata.dataset.folding import Local
from wikidata.dataset.layout import scale_of
from wikidata.errors import ChangedError, ManifestError, NotArrivedError
from wikidata.exchange import Exchange, exchange
from wikidata.hub.files import lacking
from wikidata.names import Block
from wikidata.plan import synced
from wikidata.records.folds import due_folds, is_folded
from wikidata.records.manifest import Manifest, read_sources
from wikidata.records.not_before import forget_refusal
from wikidata.records.notices import DAY_SECONDS
from wikidata.repo_records import Records
from wikidata.rewrite import Locals, Rewrite, folding
from wikidata.session import Session
from wikidata.upload import run as upload
from wikidata.upload.finder import find_program


class Preview(NamedTuple):
    """What a fold of a block would do: so many files become so many, of about so many bytes."""

    block: Block
    before: int
    after: int
    size_bytes: int


def fold(session: Session, state: pl.DataFrame, block: Block, tables: Collection[Table]) -> None:
    """Fold a block of some tables, unless it is done by now; `state` is the frame of `get_all_state`.

    Raises PushError; LockedError if one of its chunks is being pushed, or it is being folded.
    """
    settings = session.settings
    with session.holding(block, f"fold of {block}") as holder:
        still = [each for each in tables if block in due_folds(state, settings.manifest_dir, each, settings.fold)]
        if not still:
            return
        holder = holder.about({table: session.repos[table] for table in still})
        holder.heed_refusals()
        holder.clear_staging()
        find_program(settings.uploader)
        holder.check_rights()
        holder.for_each_table(partial(_fold, holder, state, block))
        forget_refusal(settings.manifest_dir)
        holder.clear_staging()
        upload.remove_old_logs(settings)


def preview(session: Session, due: Mapping[Table, Sequence[Block]]) -> dict[Table, list[Preview]]:
    """Plan the folds, writing nothing and changing nothing on the Hub."""
    session.check_rights()
    return session.for_each_table(lambda table: [_preview(session, table, block) for block in due[table]])


def _preview(session: Session, table: Table, block: Block) -> Preview:
    plan = _plan(session, table, block, write=False)
    before = sum(manifest.files.height for manifest in plan.records.of(block))
    made = plan.rewrite.made if plan.rewrite else ()
    after = before if plan.rewrite is None else plan.rewrite.kept["path"].n_unique() + len(made)
    return Preview(block, before, after, sum(file.size_bytes for file in made))


class _Plan(NamedTuple):
    """What a repo records at a revision, and how that is to be folded; None if it is folded already."""

    revision: str
    records: Records
    rewrite: Rewrite | None
    schema: pa.Schema


def _fold(session: Session, state: pl.DataFrame, block: Block, table: Table) -> None:
    """Fold a block of a table: in one commit, or in as many as it takes."""
    repo_id, before, changed = session.repos[table], None, set[int]()
    while (plan := _plan(session, table, block, changed)).rewrite is not None:
        files = sum(manifest.files.height for manifest in plan.records.of(block))
        before = before or files
        scale, words = scale_of(state), f"Fold {block} of {table}"
        job = Exchange(table, repo_id, plan.revision, plan.records, plan.rewrite, plan.schema, scale, words)
        try:
            exchange(session, job)
        except ChangedError as error:
            changed |= error.chunks
            _warn_of_changes(session, table, error)
    if before:
        (manifest,) = plan.records.of(block)
        session.listener.folded(manifest, before, repo_id)


def _plan(session: Session, table: Table, block: Block, changed: Collection[int] = (), *, write: bool = True) -> _Plan:
    """Look up what the repo records, and that it has all of it. Raises NotArrivedError if it has not.

    With `write`, partition files on this box are used, but for those of chunks of which some have `changed`.
    """
    repo_id = session.repos[table]
    overview = session.hub.overview(repo_id)
    records = synced(session, None, table, overview, write)
    recorded = records.of(block)
    if overview.revision is None or (unrecorded := set(block.chunks) - records.chunks):
        chunk = block.first if overview.revision is None else min(unrecorded)
        push = f"make push CHUNK={chunk} TABLE={table}"
        raise NotArrivedError(
            f"{table}: chunk {chunk} is not recorded in {repo_id}, so {block} cannot be folded: {push}"
        )
    if records.columns is None:
        raise ManifestError(f"{table}: {repo_id} does not record its columns: push any chunk again")
    is_done = is_folded(block, records.manifests) or any(manifest.segments is None for manifest in recorded)
    if is_done or not all(block.covers(manifest.block) for manifest in recorded):
        return _Plan(overview.revision, records, None, records.columns.schema)
    _check_there(session, repo_id, overview.revision, table, recorded)
    chunks = {manifest.block.first for manifest in recorded if manifest.block.is_one} - set(changed) if write else ()
    folder = session.settings.output_dir / table
    here = recorded_here(session.settings.manifest_dir, folder, table, records.columns.schema, chunks)
    rewrite = folding(records, block, session.settings.fold_bytes, here)
    return _Plan(overview.revision, records, rewrite, records.columns.schema)


def _check_there(session: Session, repo_id: str, revision: str, table: Table, recorded: Sequence[Manifest]) -> None:
    """Raise NotArrivedError unless every file is there as it is recorded."""
    paths = sorted(path for manifest in recorded for path in manifest.files["path"])
    there = session.hub.look_up(repo_id, revision, paths).files
    lacked = [path for manifest in recorded for path in lacking(manifest, there)["path"]]
    if lacked:
        what = f"{len(lacked)} files are missing or different, such as {lacked[0]}"
        raise NotArrivedError(f"{table}: {what}, so nothing is folded in {repo_id}: make verify TABLE={table}")


def _warn_of_changes(session: Session, table: Table, error: ChangedError) -> None:
    """Tell that what was pushed of some chunks is taken from the Hub."""
    repo_id, chunks = session.repos[table], error.chunks
    listed = " and ".join(map(str, sorted(chunks)))
    what = str(error).removeprefix(f"{table}: ")
    warning = f"{what}: all rows of chunk{'s' if len(chunks) > 1 else ''} {listed} are taken from {repo_id}"
    session.warn(table, warning, f"{repo_id}: {listed} changed", DAY_SECONDS)


def recorded_here(manifest_dir: Path, folder: Path, table: Table, schema: pa.Schema, chunks: Collection[int]) -> Locals:
    """What the partition files below `folder` can make that are still there, by chunk and folder of a key.

    That is what the pushes of these chunks have recorded; each file is compared with that when it is read.
    """
    frames = read_sources(manifest_dir, sorted(chunks), table)
    bundles = (each for frame in frames for each in recorded_bundles(frame, folder, table, schema))
    return {(each.chunk, each.path.partition("/")[0]): Local(each.chunk, folder, each) for each in bundles}
