"""The first step of a push: what a table of a chunk has to become on the Hub, and what of it the Hub lacks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl
import pyarrow as pa

from wikidata.config import Layout, Table
from wikidata.dataset import layout as layouts
from wikidata.dataset import packing
from wikidata.dataset.layout import Scale, scale_of
from wikidata.dataset.schema import require_one, unify
from wikidata.dataset.survey import Partitions, survey
from wikidata.hub.files import Overview, RemoteFile, Snapshot, lacking
from wikidata.records.manifest import PACKED_SCHEMA, SCHEMA, Manifest, find_manifest
from wikidata.records.notices import DAY_SECONDS
from wikidata.session import Session
from wikidata.state import require_pushable
from wikidata.sync import Records, sync
from wikidata.upload import staging


@dataclass(frozen=True)
class Chunk:
    """A complete chunk: its number, its parts, and the dataset that it is one of."""

    number: int
    parts: int
    scale: Scale


@dataclass(frozen=True)
class Plan:
    """What a table of a chunk has to become on the Hub, and the rows of its manifest that the Hub lacks.

    `schema` is that of every file, `records` what the repo records, `folders` those of keys that it has.
    `possible_orphans` are paths that the Hub must not have, because their rows would count twice; `snapshot` has what
    it has of these and of the manifest.
    """

    repo_id: str
    layout: Layout
    partitions: Partitions
    schema: pa.Schema
    manifest: Manifest
    records: Records
    folders: Sequence[str]
    possible_orphans: list[str]
    snapshot: Snapshot
    missing: pl.DataFrame

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
    records = _synced(session, whole, table, overview, write)
    folders = sorted({*overview.key_folders, *records.folders})
    there = records.layout or session.hub.layout_of(repo_id, overview)
    layout = _settle(session, whole, partitions, there)
    before = [find_manifest(settings.manifest_dir, whole.number, table), records.manifests.get(whole.number)]
    published = (records.columns.schema, records.columns.source) if records.columns and there else None
    if layout is Layout.PACKED:
        schema = unify(partitions, published)
        bundles = packing.bundle(partitions, schema)
    else:
        schema = require_one(partitions, published)
        bundles = []
    produced = layouts.paths_of(layout, partitions)
    orphans = _possible_orphans(layout, whole, produced, folders, before)
    snapshot = session.hub.look_up(repo_id, overview.revision, produced + orphans)
    if layout is Layout.PACKED:
        manifest = _packed(session, partitions, schema, bundles, _known(bundles, before, snapshot.files), write)
    else:
        manifest = Manifest(whole.number, table, partitions.folder, partitions.files.select(list(SCHEMA)))
    missing = lacking(manifest, snapshot.files)
    return Plan(repo_id, layout, partitions, schema, manifest, records, folders, orphans, snapshot, missing)


def _synced(session: Session, whole: Chunk, table: Table, overview: Overview, write: bool) -> Records:
    """What the repo records, and what was found of it said."""
    repo_id = session.repos[table]
    records = sync(session, table, repo_id, overview.revision, pending=whole.number, keep=write)
    session.listener.fetched(table, records.fetched)
    for number in records.withdrawn:
        warning = (
            f"{repo_id} does not have chunk {number} as it was recorded here: make push CHUNK={number} TABLE={table}"
        )
        session.warn(table, warning, f"{repo_id}: chunk {number} withdrawn", DAY_SECONDS)
    for path, damage in records.damaged.items():
        session.warn(table, f"{repo_id}: {path} {damage}", f"{repo_id}: {path} damaged", DAY_SECONDS)
    return records


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
    bundles: list[packing.Bundle],
    known: Mapping[str, packing.Packed],
    write: bool,
) -> Manifest:
    """The manifest of the packed files; those that are not `known` are made in the staging folder."""
    table = partitions.table
    folder = staging.packed_folder(session.settings.staging_dir, partitions.chunk, table)
    unknown = [bundle for bundle in bundles if bundle.path not in known]
    if write:
        with session.disk:
            session.listener.doing(table, "packing", len(unknown), sum(bundle.size_bytes for bundle in unknown))
            packed = packing.pack(unknown, partitions.folder, table, schema, folder, session.retry.stopped.is_set)
    else:
        packed = [packing.Packed(each.path, each.size_bytes, "", each.rows, each.sources_sha256) for each in unknown]
    files = pl.DataFrame(sorted([*known.values(), *packed]), schema=PACKED_SCHEMA, orient="row")
    return Manifest(partitions.chunk, table, folder, files, packing.sources_of(partitions))


def _known(
    bundles: list[packing.Bundle], before: Sequence[Manifest | None], there: Mapping[str, RemoteFile]
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


def _possible_orphans(
    layout: Layout, whole: Chunk, produced: list[str], folders: Sequence[str], before: Sequence[Manifest | None]
) -> list[str]:
    """Paths that the Hub must not have: likely ones, and what earlier manifests had."""
    likely = layouts.possible_orphans(layout, whole.number, whole.parts, produced, folders)
    recorded = [path for manifest in before if manifest for path in manifest.files["path"]]
    return sorted({*likely, *recorded} - set(produced))
