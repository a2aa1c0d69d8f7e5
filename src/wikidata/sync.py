"""What the repos record: their manifests, of which `MANIFEST_DIR` is a copy.

A manifest that lies in its repo is the public receipt: somebody, on this box or on another, has seen every file of it
there. So each push lists the manifests first, and fetches those that are new or changed, which it knows by their hash.
Where our records and the repo's differ, the repo's files decide: what does not match them is not believed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from wikidata.config import Layout, Table
from wikidata.errors import ManifestError
from wikidata.hub.client import Hub
from wikidata.hub.files import RemoteFile, lacking
from wikidata.names import RECORDS_FOLDER, REMOTE_COLUMNS, chunk_of_remote_manifest, parse_data_file, remote_manifest
from wikidata.records.columns import Columns, is_of, parse_columns, read_columns, write_columns
from wikidata.records.manifest import SCHEMA, Manifest, find_manifest, parse_manifest, write_manifest
from wikidata.records.receipt import Receipt, is_vouched_for, recorded_chunks, remove_receipt, write_receipt
from wikidata.session import Session


@dataclass(frozen=True)
class Records:
    """What a repo records at a revision.

    `manifests` are those of every chunk: the repo's own, and those that only we have and that match its files;
    `listing` is what lies in its folder of manifests; `damaged` says what is wrong with which file there, and what to
    do about it; `fetched` are the chunks whose manifests we lacked, `withdrawn` those
    with receipts of ours that do not match its files.
    """

    manifests: Mapping[int, Manifest] = field(default_factory=dict)
    columns: Columns | None = None
    listing: Mapping[str, RemoteFile] = field(default_factory=dict)
    damaged: Mapping[str, str] = field(default_factory=dict)
    fetched: tuple[int, ...] = ()
    withdrawn: tuple[int, ...] = ()

    @property
    def layout(self) -> Layout | None:
        """The layout of the repo's data, as its manifests tell; None if they do not."""
        return self.layout_beside(None)

    def layout_beside(self, chunk: int | None) -> Layout | None:
        """The layout that the manifests of all other chunks tell."""
        for manifest in self.manifests.values():
            for path in manifest.files["path"][:1]:
                if manifest.chunk != chunk and (file := parse_data_file(path)):
                    return file.layout
        return None

    @property
    def folders(self) -> set[str]:
        """The folders of keys that its manifests name."""
        paths = (path for manifest in self.manifests.values() for path in manifest.files["path"])
        return {path.partition("/")[0] for path in paths}

    @property
    def unpublished(self) -> dict[str, bytes]:
        """The files of ours that the repo should record, and does not: path → content."""
        files = {remote_manifest(chunk): manifest.content for chunk, manifest in self.manifests.items()}
        if self.columns and self.manifests:
            files[REMOTE_COLUMNS] = self.columns.content
        return {path: content for path, content in files.items() if not self.has(path, content)}

    def has(self, path: str, content: bytes) -> bool:
        """Whether the repo records just this."""
        return path in self.listing and self.listing[path].is_content(content)

    def with_manifest(self, manifest: Manifest, columns: Columns) -> "Records":
        """The same with the manifest of one chunk replaced, and columns if there are none yet."""
        manifests = {**self.manifests, manifest.chunk: manifest}
        return replace(self, manifests=dict(sorted(manifests.items())), columns=self.columns or columns)


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
    is read again. The manifest of the `pending` chunk, which is about to be replaced, is left as it is. Every receipt
    of ours then matches the repo.
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
        chunk = chunk_of_remote_manifest(path)
        if chunk is not None:
            fetch.manifest(chunk, path, is_pending=chunk == pending)
    fetch.our_own(pending)
    fetch.settle()
    return fetch.records(fetch.columns())


def _without_repo(session: Session, table: Table, repo_id: str, keep: bool) -> Records:
    folder = session.settings.manifest_dir
    chunks = tuple(recorded_chunks(folder, table, repo_id))
    for chunk in chunks if keep else ():
        remove_receipt(folder, chunk, table)
    return Records(withdrawn=chunks)


@dataclass(frozen=True)
class _Disagreement:
    """A chunk of which our records and the repo's differ; `ours` is the manifest that we have a receipt for."""

    ours: Manifest | None = None
    theirs: Manifest | None = None


class _Fetch:
    """Reads what a listing names, from our copies if they are the same, else from the Hub."""

    def __init__(
        self,
        session: Session,
        table: Table,
        repo_id: str,
        revision: str,
        listing: Mapping[str, RemoteFile],
        keep: bool,
        there: Mapping[str, RemoteFile] | None,
    ) -> None:
        self.hub: Hub = session.hub
        self.folder, self.table, self.repo_id = session.settings.manifest_dir, table, repo_id
        self.revision, self.listing, self.keep, self.there = revision, listing, keep, there
        self.manifests: dict[int, Manifest] = {}
        self.damaged: dict[str, str] = {}
        self.fetched: list[int] = []
        self.withdrawn: list[int] = []
        self.disputed: dict[int, _Disagreement] = {}

    def manifest(self, chunk: int, path: str, *, is_pending: bool) -> None:
        """Read a chunk's manifest, and make our copy and receipt the same if nothing speaks against it."""
        ours = find_manifest(self.folder, chunk, self.table)
        is_recorded = ours is not None and self._is_vouched_for(ours)
        if ours is not None and self.listing[path].is_content(ours.content):
            self.manifests[chunk] = ours
            if not is_recorded and not is_pending:  # a push died that was to deliver it again
                self.disputed[chunk] = _Disagreement(theirs=ours)
            return
        try:
            content = self.hub.read(self.repo_id, self.revision, path) or b""
            theirs = parse_manifest(content, chunk, self.table, self.folder)
        except ManifestError as error:
            self.damaged[path] = f"is damaged ({error}): make push CHUNK={chunk} TABLE={self.table} rewrites it"
            return
        self.manifests[chunk] = theirs
        if is_pending:
            return
        if ours is None:
            self._take(theirs)
        else:  # either may be the older one, or have been edited; or a push died that was to replace theirs
            self.disputed[chunk] = _Disagreement(ours if is_recorded else None, theirs)

    def our_own(self, pending: int | None) -> None:
        """Find the chunks that we have receipts for, and no readable manifest is in the repo."""
        for chunk in recorded_chunks(self.folder, self.table, self.repo_id):
            if chunk not in self.manifests and chunk != pending:
                ours = find_manifest(self.folder, chunk, self.table)
                self.disputed[chunk] = _Disagreement(ours if ours and self._is_vouched_for(ours) else None)

    def settle(self) -> None:
        """Let the repo's files decide what is in disagreement."""
        manifests = [
            each for disagreement in self.disputed.values() for each in (disagreement.ours, disagreement.theirs) if each
        ]
        there = self.there
        if there is None:
            paths = sorted({path for manifest in manifests for path in manifest.files["path"]})
            there = self.hub.look_up(self.repo_id, self.revision, paths).files if paths else {}
        for chunk, disagreement in self.disputed.items():
            ours, theirs = disagreement.ours, disagreement.theirs
            is_ours, is_theirs = (each is not None and lacking(each, there).height == 0 for each in (ours, theirs))
            if ours and is_ours and not (theirs and is_theirs and _has_all(theirs, ours)):
                self.manifests[chunk] = ours
                path = remote_manifest(chunk)
                if theirs or path in self.damaged:
                    what = "is edited" if theirs else "is damaged"
                    self.damaged[path] = (
                        f"{what}, its files are still those recorded here: any push from here rewrites it"
                    )
            elif theirs and is_theirs:
                self._take(theirs)
            elif ours or not theirs:
                self.withdrawn.append(chunk)
                if self.keep:
                    remove_receipt(self.folder, chunk, self.table)

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

    def _take(self, theirs: Manifest) -> None:
        """Make our copy and receipt what the repo has."""
        if not self.keep:
            return
        ours = find_manifest(self.folder, theirs.chunk, self.table)
        if ours is None or ours.content != theirs.content:
            self.fetched.append(theirs.chunk)
            remove_receipt(self.folder, theirs.chunk, self.table)
            write_manifest(self.folder, theirs)
        if not self._is_vouched_for(theirs):
            receipt = receipt_of(theirs, self.repo_id, self.revision)
            write_receipt(self.folder, theirs.chunk, self.table, receipt)

    def _is_vouched_for(self, manifest: Manifest) -> bool:
        return is_vouched_for(self.folder, manifest.chunk, self.table, self.repo_id, manifest.digest)


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
