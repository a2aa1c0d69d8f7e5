"""What the repos record: their manifests, of which `MANIFEST_DIR` is a copy.

A manifest that lies in its repo is the public receipt: somebody, on this box or on another, has seen every file of it
there. So each push lists the manifests first, and fetches those that are new or changed, which it knows by their hash.
What is recorded here alone is believed if the repo has the files, and withdrawn if it has not.
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
from wikidata.records.manifest import Manifest, find_manifest, parse_manifest, write_manifest
from wikidata.records.receipt import Receipt, is_vouched_for, recorded_chunks, remove_receipt, write_receipt
from wikidata.session import Session


@dataclass(frozen=True)
class Records:
    """What a repo records at a revision.

    `manifests` are those of every chunk, the repo's own and those that only we have and that its files bear out;
    `listing` is what lies in its folder of manifests; `damaged` says what is wrong with which of them; `fetched` are
    the chunks whose manifests we lacked, `withdrawn` those whose receipts the repo does not bear out.
    """

    manifests: Mapping[int, Manifest] = field(default_factory=dict)
    columns: Columns | None = None
    listing: Mapping[str, RemoteFile] = field(default_factory=dict)
    damaged: Mapping[int, str] = field(default_factory=dict)
    fetched: tuple[int, ...] = ()
    withdrawn: tuple[int, ...] = ()

    @property
    def layout(self) -> Layout | None:
        """The layout of the repo's data, as its manifests tell; None if they do not."""
        for manifest in self.manifests.values():
            for path in manifest.files["path"][:1]:
                if file := parse_data_file(path):
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

    `there` are all its files, if they are known. Else it costs 1 request for the listing; and 1 for every file that is
    new or changed. Nothing that is `known` is read again. The manifest of the `pending` chunk, which is about to be
    replaced, is left as it is. Every receipt of ours is then one that the repo bears out.
    """
    if revision is None:
        return _without_repo(session, table, keep)
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
    fetch.columns()
    fetch.prove_our_own(pending)
    return fetch.records()


def _without_repo(session: Session, table: Table, keep: bool) -> Records:
    folder = session.settings.manifest_dir
    chunks = tuple(chunk for chunk in recorded_chunks(folder, table) if keep)
    for chunk in chunks:
        remove_receipt(folder, chunk, table)
    return Records(withdrawn=chunks)


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
        self.damaged: dict[int, str] = {}
        self.fetched: list[int] = []
        self.withdrawn: list[int] = []
        self.unproven: list[int] = []
        self.known_columns: Columns | None = None

    def manifest(self, chunk: int, path: str, *, is_pending: bool) -> None:
        """Read a chunk's manifest, and make our copy and receipt the same."""
        ours = find_manifest(self.folder, chunk, self.table)
        if ours is not None and self.listing[path].is_content(ours.content):
            self.manifests[chunk] = ours
            if not self._is_vouched_for(ours) and not is_pending:
                self.unproven.append(chunk)  # perhaps withdrawn by a push that died while it uploaded
            return
        try:
            content = self.hub.read(self.repo_id, self.revision, path) or b""
            theirs = parse_manifest(content, chunk, self.table, self.folder)
        except ManifestError as error:
            self.damaged[chunk] = f"{path} is damaged: {error}"
            return
        self.manifests[chunk] = theirs
        is_ours_under_way = ours is not None and not self._is_vouched_for(ours)
        if self.keep and not is_pending and not is_ours_under_way:
            self.fetched.append(chunk)
            remove_receipt(self.folder, chunk, self.table)
            write_manifest(self.folder, theirs)
            self._vouch_for(theirs)

    def columns(self) -> None:
        """Read the columns, and make our copy the same."""
        ours = read_columns(self.folder, self.table)
        if REMOTE_COLUMNS not in self.listing:
            self.known_columns = ours if ours and is_of(ours, self.repo_id) else None
        elif ours and self.listing[REMOTE_COLUMNS].is_content(ours.content):
            self.known_columns = ours
        else:
            self.known_columns = parse_columns(self.hub.read(self.repo_id, self.revision, REMOTE_COLUMNS) or b"")
            if self.known_columns and self.keep:
                write_columns(self.folder, self.table, self.known_columns)

    def prove_our_own(self, pending: int | None) -> None:
        """Compare what only we, or only the repo, vouch for with the repo's files, and believe or withdraw it."""
        ours = [chunk for chunk in recorded_chunks(self.folder, self.table) if chunk not in self.manifests]
        chunks = [chunk for chunk in (*ours, *self.unproven) if chunk != pending]
        if not chunks:
            return
        there = self.hub.files(self.repo_id, self.revision) if self.there is None else self.there
        for chunk in chunks:
            manifest = find_manifest(self.folder, chunk, self.table)
            is_vouched_for = manifest is not None and (chunk in self.unproven or self._is_vouched_for(manifest))
            if manifest and is_vouched_for and lacking(manifest, there).height == 0:
                self.manifests[chunk] = manifest
                self.damaged.pop(chunk, None)
                self._vouch_for(manifest)
            elif chunk in ours and self.keep:
                remove_receipt(self.folder, chunk, self.table)
                self.withdrawn.append(chunk)

    def records(self) -> Records:
        """All that was read."""
        manifests = dict(sorted(self.manifests.items()))
        fetched, withdrawn = tuple(self.fetched), tuple(self.withdrawn)
        return Records(manifests, self.known_columns, self.listing, self.damaged, fetched, withdrawn)

    def _is_vouched_for(self, manifest: Manifest) -> bool:
        return is_vouched_for(self.folder, manifest.chunk, self.table, self.repo_id, manifest.digest)

    def _vouch_for(self, manifest: Manifest) -> None:
        if self.keep and not self._is_vouched_for(manifest):
            write_receipt(self.folder, manifest.chunk, self.table, receipt_of(manifest, self.repo_id, self.revision))


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
