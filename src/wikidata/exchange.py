"""Exchanging files of a repo: new ones are made and sent, and then one commit puts them in the place of the old ones.

    make      from the old files on the Hub, each compared with its manifest, or from the same partition files here
    deliver   into a folder that no reader's pattern matches, by the CLI, as with any push
    commit    moves them to their places, removes the old ones, and replaces the manifests and the card

So at every revision each chunk of a key is in one file, and the manifests say in which. A death before the commit
leaves files in the folder `folding/`, which the next attempt finds there; after it, everything is done but our copies
of the manifests, which the next run fetches.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import polars as pl
import pyarrow as pa

from wikidata.config import Table
from wikidata.dataset.folding import Segment, fold
from wikidata.dataset.heads import write_heads
from wikidata.dataset.layout import Scale
from wikidata.dataset.survey import content_of
from wikidata.deliver import Delivery, deliver
from wikidata.errors import NotArrivedError
from wikidata.hub.files import lacking
from wikidata.names import INCOMING_FOLDER, incoming_path
from wikidata.publish import Moves, Replacement, publish_exchange
from wikidata.records.manifest import Manifest, files_of
from wikidata.repo_records import Records
from wikidata.rewrite import Rewrite, frame_of, is_there
from wikidata.session import Session
from wikidata.sync import sync
from wikidata.upload import run as upload
from wikidata.upload import staging
from wikidata.upload.finder import LIBRARY, find_uploader

_READ_AT_ONCE_BYTES = 8 << 20
_REVISIONS_TO_TRY = 200


@dataclass(frozen=True)
class Exchange:
    """A rewrite of a table's repo, which has these `records` at a `revision`; all files get the columns of `schema`.

    `words` is what the commit says, `chunk` the one that it is about, if it is one; `check` is called before it, and
    raises if what was made is no longer right.
    """

    table: Table
    repo_id: str
    revision: str
    records: Records
    rewrite: Rewrite
    schema: pa.Schema
    scale: Scale
    words: str
    chunk: int | None = None
    check: Callable[[], None] = lambda: None


def exchange(session: Session, job: Exchange) -> Records:
    """Carry out a rewrite; returns what the repo records afterwards, which was looked up."""
    settings, block = session.settings, job.rewrite.block
    folder = staging.packed_folder(settings.staging_dir, block, job.table)
    try:
        new = _make(session, job, folder)
        sent = _sent(job, folder, new)
        if sent.files.height:
            paths = sent.files["path"].to_list()
            snapshot = session.hub.look_up(job.repo_id, session.hub.head(job.repo_id), paths)
            missing = lacking(sent, snapshot.files)
            if missing.height:
                _send_heads(session, job, folder)
            deliver(session, Delivery(sent, job.repo_id, snapshot, missing, paths, f"Send: {job.words}"))
        job.check()
        session.listener.doing(job.table, "recording")
        after = job.rewrite.after(job.table, settings.manifest_dir, frame_of(new))
        publish_exchange(
            session,
            job.table,
            job.repo_id,
            job.scale,
            job.records,
            Replacement(job.rewrite.before, after, partial(_moves, session, job, sent, new)),
            job.words,
            job.chunk,
        )
        return _confirm(session, job, after[-1])
    finally:
        staging.clear(folder)


def _make(session: Session, job: Exchange, folder: Path) -> list[Segment]:
    """Make the files; one table after the other, so that memory is bounded by the threads of one."""
    revisions = _revisions(session, job)

    def fetch(segment: Segment, place: Path) -> Path:
        local = fetch_file(session, job.repo_id, revisions[segment.path], segment, place)
        if content_of(local)[0] != segment.sha256:
            what = f"the content of {segment.path} is not what its manifest says"
            raise NotArrivedError(f"{job.table}: {what}: make verify")
        return local

    with session.disk:
        session.listener.doing(job.table, "folding", len(job.rewrite.made))
        folder.mkdir(parents=True, exist_ok=True)
        return fold(job.rewrite.made, job.table, job.schema, folder, fetch, session.retry.stopped.is_set)


def _revisions(session: Session, job: Exchange) -> dict[str, str]:
    """Where to get each file that rows are taken from: if somebody has deleted or edited it, from before that."""
    wanted = {part.path: part for file in job.rewrite.made for part in file.parts if isinstance(part, Segment)}
    found: dict[str, str] = {}
    for revision in _history(session, job):
        if not wanted:
            break
        there = session.hub.look_up(job.repo_id, revision, sorted(wanted)).files
        found |= {path: revision for path, segment in wanted.items() if is_there(segment, there)}
        wanted = {path: segment for path, segment in wanted.items() if path not in found}
    if wanted:
        raise NotArrivedError(f"{job.table}: no revision of {job.repo_id} has {min(wanted)} as it is recorded")
    return found


def _history(session: Session, job: Exchange) -> Iterator[str]:
    """The revision of the records, then all that there are, the newest first."""
    yield job.revision
    yield from session.hub.revisions(job.repo_id)[:_REVISIONS_TO_TRY]


def fetch_file(session: Session, repo_id: str, revision: str, segment: Segment, place: Path) -> Path:
    """Bring a file into a folder: with one request if it is of moderate size, where a download takes two."""
    if segment.size_bytes > _READ_AT_ONCE_BYTES:
        return session.hub.download(repo_id, revision, segment.path, place)
    local = place / segment.path
    local.parent.mkdir(parents=True, exist_ok=True)
    local.write_bytes(session.hub.read(repo_id, revision, segment.path) or b"")
    return local


def _sent(job: Exchange, folder: Path, new: list[Segment]) -> Manifest:
    """The new files, at the paths that they are sent to."""
    path = pl.col("path").map_elements(incoming_path, pl.String)
    return Manifest(
        job.rewrite.block, job.table, folder, files_of(frame_of(new).sort("path", "chunk")).with_columns(path)
    )


def _send_heads(session: Session, job: Exchange, made: Path) -> None:
    """Let Xet know what the files were made from; if that fails, it sends more than it has to."""
    settings, block = session.settings, job.rewrite.block
    folder = staging.heads_folder(settings.staging_dir, block, job.table)
    try:
        number = write_heads(job.rewrite.made, made, folder)
        if number:
            sender = replace(find_uploader(LIBRARY, settings.manifest_dir), target="preupload")
            log = upload.log_file(settings, block, job.table)
            run = upload.Upload(sender, block, job.table, job.repo_id, folder, number, job.words, log)
            upload.run(run, settings, session.hub.token, lambda *_: None)
    finally:
        staging.clear(folder)


def _moves(session: Session, job: Exchange, sent: Manifest, new: list[Segment], revision: str | None) -> Moves:
    """What the commit moves and removes, at a revision that has all that was sent."""
    there = session.hub.files(job.repo_id, revision or "", INCOMING_FOLDER)
    copies = {segment.path: incoming_path(segment.path) for segment in new}
    if lacking(sent, there).height:
        found = session.hub.look_up(job.repo_id, revision, sorted(copies)).files
        if all(is_there(segment, found) for segment in new):
            return Moves({}, [])  # they were moved, and the answer to that was lost
        raise NotArrivedError(f"{job.table}: what was sent to {job.repo_id} is gone again: try again")
    return Moves(copies, [*job.rewrite.removed, *there])


def _confirm(session: Session, job: Exchange, manifest: Manifest) -> Records:
    """Look up that the repo records and has what it should, and make our copies the same."""
    records = sync(session, job.table, job.repo_id, session.hub.head(job.repo_id))
    found = records.manifests.get(manifest.block)
    if found is None or found.content != manifest.content or manifest.block in records.withdrawn:
        raise NotArrivedError(f"{job.table}: {job.repo_id} does not have {manifest.block} as they were sent: try again")
    return records
