"""What the repos record: their manifests, of which `MANIFEST_DIR` is a copy.

A manifest that lies in its repo is the public receipt: somebody, on this box or on another, has seen every file of it
there. So each push lists the manifests first, and fetches those that are new or changed, which it knows by their hash.
Where our records and the repo's differ, the repo's files decide: what does not match them is not believed.

Others may push to the repo, and change our records, meanwhile. So what is recorded here of a chunk is changed only
under its lock, if it is still what was compared, and as long as the repo is, too; else it is left to them.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from wikidata.config import Table
from wikidata.errors import LockedError, ManifestError
from wikidata.hub.files import RemoteFile, lacking
from wikidata.names import RECORDS_FOLDER, REMOTE_COLUMNS, Block, block_of_remote_manifest, remote_manifest
from wikidata.records.columns import Columns, is_of, parse_columns, read_columns, write_columns
from wikidata.records.lock import hold
from wikidata.records.manifest import (
    SCHEMA,
    Manifest,
    find_manifest,
    parse_manifest,
    remove_manifest,
    write_manifest,
)
from wikidata.records.receipt import (
    Receipt,
    blocks_here,
    blocks_with_receipt,
    is_vouched_for,
    remove_receipt,
    write_receipt,
)
from wikidata.repo_records import Records
from wikidata.session import Session


def sync(
    session: Session,
    table: Table,
    repo_id: str,
    revision: str | None,
    *,
    known: Records | None = None,
    pending: int | None = None,
    keep: bool = True,
    there: Mapping[str, RemoteFile] | None = None,
) -> Records:
    """What the repo records at a revision; unless `keep` is False, our copies are made the same.

    `there` are all its files, if they are known. Else it costs 1 request for the listing, 1 for every file that is new
    or changed, and 1 for every 400 files of chunks of which our records and the repo's differ. Nothing that is `known`
    is read again. The manifest with the `pending` chunk, which is about to be replaced, is left as it is. Every receipt
    of ours then matches the repo, but those of chunks that others are at work on.
    """
    if revision is None:
        return _without_repo(session, table, repo_id, keep)
    if there is None:
        listing = session.hub.files(repo_id, revision, RECORDS_FOLDER)
    else:
        listing = {path: file for path, file in there.items() if path.startswith(f"{RECORDS_FOLDER}/")}
    if known is not None and known.listing == listing:
        return known
    fetch = _Fetch(session, table, repo_id, revision, listing, keep, there)
    for path in listing:
        if block := block_of_remote_manifest(path):
            fetch.manifest(block, path, is_pending=_has(block, pending))
    fetch.our_own(pending)
    fetch.settle()
    fetch.make_changes()
    return fetch.records(fetch.columns())


def _without_repo(session: Session, table: Table, repo_id: str, keep: bool) -> Records:
    fetch = _Fetch(session, table, repo_id, None, {}, keep, {})
    fetch.our_own(None)
    fetch.settle()
    fetch.make_changes()
    return fetch.records(None)


def _has(block: Block, chunk: int | None) -> bool:
    return chunk is not None and chunk in block.chunks


@dataclass(frozen=True)
class _Disagreement:
    """Chunks of which our records and the repo's differ; `ours` is the manifest that we have a receipt for."""

    ours: Manifest | None = None
    theirs: Manifest | None = None


class _Change(NamedTuple):
    """What is to be made of our records of a block; `is_disputed` if it holds for one revision alone."""

    block: Block
    is_disputed: bool
    make: Callable[[], None]


_changing = Lock()
"""Held while a lock of chunks is held for an instant, so that the tables of this process do not wait for each other."""


class _Fetch:
    """Reads what a listing names, from our copies if they are the same, else from the Hub."""

    def __init__(
        self,
        session: Session,
        table: Table,
        repo_id: str,
        revision: str | None,
        listing: Mapping[str, RemoteFile],
        keep: bool,
        there: Mapping[str, RemoteFile] | None,
    ) -> None:
        self.session, self.hub = session, session.hub
        self.folder, self.table, self.repo_id = session.settings.manifest_dir, table, repo_id
        self.revision, self.listing, self.keep, self.there = revision or "", listing, keep, there
        self.manifests: dict[Block, Manifest] = {}
        self.damaged: dict[str, str] = {}
        self.fetched: list[Block] = []
        self.withdrawn: list[Block] = []
        self.disputed: dict[Block, _Disagreement] = {}
        self.seen: dict[Block, tuple[str | None, bool]] = {}
        self.changes: list[_Change] = []

    def manifest(self, block: Block, path: str, *, is_pending: bool) -> None:
        """Read a manifest, and make our copy and receipt the same if nothing speaks against it."""
        ours, is_recorded = self._see(block)
        if ours is not None and self.listing[path].is_content(ours.content):
            self.manifests[block] = ours
            if not is_recorded and not is_pending:  # a push died that was to deliver it again
                self.disputed[block] = _Disagreement(theirs=ours)
            return
        try:
            content = self.hub.read(self.repo_id, self.revision, path) or b""
            theirs = parse_manifest(content, block, self.table, self.folder)
        except ManifestError as error:
            push = f"make push CHUNK={block.first} TABLE={self.table} rewrites it"
            remedy = push if block.is_one else "restore it there from the commit before, or sync on the box that has it"
            self.damaged[path] = f"is damaged ({error}): {remedy}"
            return
        self.manifests[block] = theirs
        if is_pending:
            return
        if ours is None:
            self._take(theirs)
        else:  # either may be the older one, or have been edited; or a push died that was to replace theirs
            self.disputed[block] = _Disagreement(ours if is_recorded else None, theirs)

    def our_own(self, pending: int | None) -> None:
        """Find what we have receipts for, and no readable manifest is in the repo; forget what was folded since."""
        if self.keep:
            for block in blocks_here(self.folder, self.table):
                if self._is_folded(block):
                    self._see(block)
                    self.changes.append(_Change(block, False, partial(forget, self.folder, block, self.table)))
        for block in blocks_with_receipt(self.folder, self.table, self.repo_id):
            if block not in self.manifests and not _has(block, pending) and not self._is_folded(block):
                ours, is_recorded = self._see(block)
                self.disputed[block] = _Disagreement(ours if is_recorded else None)

    def _is_folded(self, block: Block) -> bool:
        """Whether the repo records these chunks in a larger block, and no longer by themselves."""
        is_there = remote_manifest(block) in self.listing
        return not is_there and any(each.covers(block) for each in self.manifests)

    def settle(self) -> None:
        """Let the repo's files decide what is in disagreement."""
        manifests = [
            each for disagreement in self.disputed.values() for each in (disagreement.ours, disagreement.theirs) if each
        ]
        there = self.there
        if there is None:
            paths = sorted({path for manifest in manifests for path in manifest.files["path"]})
            there = self.hub.look_up(self.repo_id, self.revision, paths).files if paths else {}
        for block, disagreement in self.disputed.items():
            ours, theirs = disagreement.ours, disagreement.theirs
            is_ours, is_theirs = (each is not None and lacking(each, there).height == 0 for each in (ours, theirs))
            if ours and is_ours and not (theirs and is_theirs and _has_all(theirs, ours)):
                self.manifests[block] = ours
                path = remote_manifest(block)
                if theirs or path in self.damaged:
                    what = "is edited" if theirs else "is damaged"
                    self.damaged[path] = (
                        f"{what}, its files are still those recorded here: any push from here rewrites it"
                    )
            elif theirs and is_theirs:
                self._take(theirs, is_disputed=True)
            elif ours or not theirs:
                self.changes.append(_Change(block, True, partial(self._withdraw, block)))

    def make_changes(self) -> None:
        """Make our records what was found; those of other chunks than ours under their locks, if they are as seen."""
        others = {each.block: self.session.others_of(each.block) for each in self.changes if self.keep}
        is_moot = any(each.is_disputed and others.get(each.block) for each in self.changes) and (
            (self.hub.head(self.repo_id) or "") != self.revision
        )
        for block, is_disputed, make in self.changes:
            if not others.get(block):
                make()
            elif not (is_disputed and is_moot):
                with suppress(LockedError), _changing, hold(self.folder, others[block]):
                    if not self._has_changed(block):
                        make()

    def columns(self) -> Columns | None:
        """Read the columns, and make our copy the same; ours count if the repo's are gone or damaged."""
        ours = read_columns(self.folder, self.table)
        there = self.listing.get(REMOTE_COLUMNS)
        if there and not (ours and there.is_content(ours.content)):
            theirs = parse_columns(self.hub.read(self.repo_id, self.revision, REMOTE_COLUMNS) or b"")
            if theirs:
                if self.keep:
                    write_columns(self.folder, self.table, theirs)
                return theirs
            self.damaged[REMOTE_COLUMNS] = "is damaged: any push rewrites it"
        return ours if ours and (self.manifests or is_of(ours, self.repo_id)) else None

    def records(self, columns: Columns | None) -> Records:
        """All that was read."""
        manifests = dict(sorted(self.manifests.items()))
        return Records(
            manifests, columns, self.listing, self.damaged, tuple(self.fetched), tuple(sorted(self.withdrawn))
        )

    def _take(self, theirs: Manifest, *, is_disputed: bool = False) -> None:
        """Make our copy and receipt what the repo has."""
        if self.keep:
            self.changes.append(_Change(theirs.block, is_disputed, partial(self._copy, theirs)))

    def _copy(self, theirs: Manifest) -> None:
        here = blocks_here(self.folder, self.table)
        if any(block.covers(theirs.block) and block not in self.manifests for block in here):
            return  # it was folded since
        ours = find_manifest(self.folder, theirs.block, self.table)
        if ours is None or ours.content != theirs.content:
            self.fetched.append(theirs.block)
            remove_receipt(self.folder, theirs.block, self.table)
            write_manifest(self.folder, theirs)
        if not self._is_vouched_for(theirs):
            receipt = receipt_of(theirs, self.repo_id, self.revision)
            write_receipt(self.folder, theirs.block, self.table, receipt)

    def _withdraw(self, block: Block) -> None:
        self.withdrawn.append(block)
        if self.keep:
            remove_receipt(self.folder, block, self.table)

    def _has_changed(self, block: Block) -> bool:
        before = self.seen[block]
        self._see(block)
        return self.seen[block] != before

    def _see(self, block: Block) -> tuple[Manifest | None, bool]:
        """Our manifest of a block, and whether we have a receipt for it; what was seen is noted."""
        ours = find_manifest(self.folder, block, self.table)
        is_recorded = ours is not None and self._is_vouched_for(ours)
        self.seen[block] = (ours.digest if ours else None, is_recorded)
        return ours, is_recorded

    def _is_vouched_for(self, manifest: Manifest) -> bool:
        return is_vouched_for(self.folder, manifest.block, self.table, self.repo_id, manifest.digest)


def _has_all(manifest: Manifest, other: Manifest) -> bool:
    """Whether a manifest has every file of another, with the same content and rows."""
    columns = list(SCHEMA)
    return bool(other.files.join(manifest.files, on=columns, how="anti").is_empty())


def receipt_of(manifest: Manifest, repo_id: str, revision: str) -> Receipt:
    """The receipt for a manifest whose files a revision of a repo has."""
    return Receipt(
        repo=repo_id,
        commit=revision,
        files=manifest.files.height,
        size_bytes=manifest.size_bytes,
        rows=manifest.rows,
        manifest_sha256=manifest.digest,
        confirmed_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def forget(manifest_dir: Path, block: Block, table: Table) -> None:
    """Remove what is recorded here of chunks that are recorded in a larger block now. Raises DiskError."""
    remove_receipt(manifest_dir, block, table)
    remove_manifest(manifest_dir, block, table)
