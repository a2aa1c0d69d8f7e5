"""The first step of a push: what a table of a chunk has to become on the Hub, and what of it the Hub lacks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl
import pyarrow as pa

from wikidata.config import Layout, Table
from wikidata.dataset import layout as layouts
from wikidata.dataset import packing
from wikidata.dataset.bundles import Bundle, bundles_of, sources_of
from wikidata.dataset.folding import Local
from wikidata.dataset.layout import Scale, scale_of
from wikidata.dataset.schema import require_one, unify
from wikidata.dataset.survey import Partitions, survey
from wikidata.errors import ManifestError
from wikidata.hub.files import Overview, RemoteFile, Snapshot, lacking
from wikidata.names import block_of_remote_manifest, one, packed_file
from wikidata.records.manifest import PACKED_SCHEMA, SCHEMA, Manifest, find_manifest
from wikidata.records.notices import DAY_SECONDS
from wikidata.repo_records import Records
from wikidata.rewrite import Rewrite, replacement
from wikidata.session import Session
from wikidata.state import require_pushable
from wikidata.sync import sync
from wikidata.upload import staging


@dataclass(frozen=True)
class Chunk:
    """A complete chunk: its number, its parts, and the dataset that it is one of."""

    number: int
    parts: int
    scale: Scale


@dataclass(frozen=True)
class Basis:
    """What a plan of any chunk begins with.

    `schema` is that of every file, `records` what the repo records, `folders` those of keys that it has.
    """

    chunk: int
    repo_id: str
    layout: Layout
    partitions: Partitions
    schema: pa.Schema
    records: Records
    folders: Sequence[str]


@dataclass(frozen=True)
class Plan(Basis):
    """What a table of a chunk has to become on the Hub, and the rows of its manifest that the Hub lacks.

    `possible_orphans` are paths that the Hub must not have, because their rows would count twice; `snapshot` has what
    it has of these and of the manifest. If the chunk is folded, the manifest is that of its block, as it is recorded,
    and `rewrite` is what has to change in it, if anything has.
    """

    manifest: Manifest
    possible_orphans: list[str]
    snapshot: Snapshot
    missing: pl.DataFrame
    rewrite: Rewrite | None = None

    @property
    def paths(self) -> list[str]:
        """Everything to look up on the Hub."""
        return self.manifest.files["path"].to_list() + self.possible_orphans


def pushable_chunk(state: pl.DataFrame, number: int) -> Chunk:
    """The facts of a chunk that can be pushed. Raises ChunkIncompleteError if it cannot."""
    parts = require_pushable(state, number)
    return Chunk(number, parts, scale_of(state))


def make_plan(session: Session, whole: Chunk, table: Table, *, write: bool = True) -> Plan:
    """Survey the partition files, settle the layout, pack what has to be packed, and compare with the Hub.

    With `write` False nothing is packed: what would have to be is missing, with the size of its partition files.
    """
    settings, repo_id = session.settings, session.repos[table]
    with session.disk:
        session.listener.doing(table, "hashing")
        partitions = survey(whole.number, whole.parts, table, settings.output_dir, settings.audit_dir)
    session.listener.doing(table, "asking the Hub")
    overview = session.hub.overview(repo_id)
    records = synced(session, whole.number, table, overview, write)
    folders = sorted({*overview.key_folders, *records.folders})
    there = records.layout or session.hub.layout_of(repo_id, overview)
    layout = _settle(session, whole, partitions, there)
    published = (records.columns.schema, records.columns.source) if records.columns and there else None
    if layout is Layout.FILES:
        schema, bundles = require_one(partitions, published), list[Bundle]()
    else:
        schema = unify(partitions, published)
        bundles = bundles_of(partitions, schema)
    basis = Basis(whole.number, repo_id, layout, partitions, schema, records, folders)
    if any(not each.block.is_one for each in records.of(one(whole.number))):
        return _compare_folded(session, basis, overview, bundles)
    return _compare(session, basis, whole.parts, overview, bundles, write)


def _compare(
    session: Session, basis: Basis, parts: int, overview: Overview, bundles: list[Bundle], write: bool
) -> Plan:
    chunk, table = basis.chunk, basis.partitions.table
    before = [find_manifest(session.settings.manifest_dir, one(chunk), table), basis.records.manifests.get(one(chunk))]
    produced = layouts.paths_of(basis.layout, basis.partitions)
    orphans = _possible_orphans(basis, parts, produced, before)
    snapshot = session.hub.look_up(basis.repo_id, overview.revision, produced + orphans)
    if basis.layout is Layout.PACKED:
        known = _known(bundles, before, snapshot.files)
        manifest = _packed(session, basis.partitions, basis.schema, bundles, known, write)
    else:
        files = basis.partitions.files.select(list(SCHEMA))
        manifest = Manifest(one(chunk), table, basis.partitions.folder, files)
    missing = lacking(manifest, snapshot.files)
    return Plan(**vars(basis), manifest=manifest, possible_orphans=orphans, snapshot=snapshot, missing=missing)


def _compare_folded(session: Session, basis: Basis, overview: Overview, bundles: list[Bundle]) -> Plan:
    """The plan of a chunk of which rows are in folded files: their manifest as it is, and what has to change in it."""
    chunk, recorded = basis.chunk, basis.records.of(one(basis.chunk))
    manifest = max(recorded, key=lambda each: len(each.block.chunks))
    paths = {path for each in recorded for path in each.files["path"]}
    here = {each.path.partition("/")[0]: Local(chunk, basis.partitions.folder, each) for each in bundles}
    likely = {f"{folder}/{packed_file(one(chunk))}" for folder in {*basis.folders, *here}}
    snapshot = session.hub.look_up(basis.repo_id, overview.revision, sorted(paths | likely))
    rewrite = replacement(basis.records, chunk, here, snapshot.files)
    made = rewrite.made if rewrite else ()
    rows = [(file.path, file.size_bytes, "", file.rows) for file in made]
    orphans = sorted(likely - paths - {file.path for file in made} - {*(rewrite.removed if rewrite else ())})
    missing = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    return Plan(
        **vars(basis), manifest=manifest, possible_orphans=orphans, snapshot=snapshot, missing=missing, rewrite=rewrite
    )


def synced(session: Session, chunk: int | None, table: Table, overview: Overview, write: bool) -> Records:
    """What the repo records, and what was found of it said; `chunk` is the one that is about to be replaced, if any."""
    repo_id = session.repos[table]
    records = sync(session, table, repo_id, overview.revision, pending=chunk, keep=write)
    session.listener.fetched(table, records.fetched)
    for block in records.withdrawn:
        push = f"make push CHUNK={block.first} TABLE={table}"
        was = "it was" if block.is_one else "they were"
        warning = f"{repo_id} does not have {block} as {was} recorded here: {push}"
        session.warn(table, warning, f"{repo_id}: {block.name} withdrawn", DAY_SECONDS)
    for path, damage in records.damaged.items():
        session.warn(table, f"{repo_id}: {path} {damage}", f"{repo_id}: {path} damaged", DAY_SECONDS)
    if chunk is not None:
        _check_folds_known(records, chunk, repo_id, table)
    return records


def _check_folds_known(records: Records, chunk: int, repo_id: str, table: Table) -> None:
    """Raise ManifestError if the chunk may be in folded files of which nothing is known: its rows would count twice."""
    for path in records.damaged:
        block = block_of_remote_manifest(path)
        if block and not block.is_one and chunk in block.chunks and block not in records.manifests:
            unknown = f"{path} of {repo_id} is damaged, so the rows of chunk {chunk} there are not known"
            raise ManifestError(f"{table}: {unknown}: restore it from an earlier revision")


def _settle(session: Session, whole: Chunk, partitions: Partitions, there: Layout | None) -> Layout:
    repo_id = session.repos[partitions.table]
    sizes = layouts.extents(partitions, whole.scale)
    layout, why = layouts.settle(session.settings.layout, there, sizes, whole.scale, repo_id)
    if why:
        session.listener.settled(partitions.table, why)
    for subject, warning in layouts.check_limits(layout, sizes[layout], partitions, repo_id).items():
        session.warn(partitions.table, warning, f"{repo_id}: {subject}")
    return layout


def _packed(
    session: Session,
    partitions: Partitions,
    schema: pa.Schema,
    bundles: list[Bundle],
    known: Mapping[str, packing.Packed],
    write: bool,
) -> Manifest:
    """The manifest of the packed files; those that are not `known` are made in the staging folder."""
    table = partitions.table
    folder = staging.packed_folder(session.settings.staging_dir, one(partitions.chunk), table)
    unknown = [bundle for bundle in bundles if bundle.path not in known]
    if write:
        with session.disk:
            session.listener.doing(table, "packing", len(unknown), sum(bundle.size_bytes for bundle in unknown))
            packed = packing.pack(unknown, partitions.folder, table, schema, folder, session.retry.stopped.is_set)
    else:
        packed = [packing.Packed(each.path, each.size_bytes, "", each.rows, each.sources_sha256) for each in unknown]
    files = pl.DataFrame(sorted([*known.values(), *packed]), schema=PACKED_SCHEMA, orient="row")
    sources = sources_of(partitions)
    return Manifest(one(partitions.chunk), table, folder, files, sources=sources)


def _known(
    bundles: list[Bundle], before: Sequence[Manifest | None], there: Mapping[str, RemoteFile]
) -> dict[str, packing.Packed]:
    """The packed files that need not be made again: a manifest and the Hub have them, made from just these sources."""
    wanted = {bundle.path: (bundle.sources_sha256, bundle.rows) for bundle in bundles}
    packed = [manifest.files for manifest in before if manifest and "sources_sha256" in manifest.files.columns]
    rows = [packing.Packed(*row) for files in packed for row in files.iter_rows()]
    return {
        row.path: row
        for row in rows
        if wanted.get(row.path) == (row.sources_sha256, row.rows)
        and (remote := there.get(row.path)) is not None
        and (remote.size_bytes, remote.sha256) == (row.size_bytes, row.sha256)
    }


def _possible_orphans(basis: Basis, parts: int, produced: list[str], before: Sequence[Manifest | None]) -> list[str]:
    """Paths that the Hub must not have: likely ones, and what earlier manifests had."""
    likely = layouts.possible_orphans(basis.layout, basis.chunk, parts, produced, basis.folders)
    recorded = [path for manifest in before if manifest for path in manifest.files["path"]]
    return sorted({*likely, *recorded} - set(produced))
