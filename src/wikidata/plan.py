"""The first step of a push: what a table of a chunk has to become on the Hub, and what of it the Hub lacks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pyarrow as pa

from wikidata.config import Layout, Table
from wikidata.dataset import layout as layouts
from wikidata.dataset import packing as pack
from wikidata.dataset.layout import Scale, scale_of
from wikidata.dataset.schema import read_columns, require_one, unify
from wikidata.dataset.survey import Partitions, survey
from wikidata.errors import ManifestError, PushError
from wikidata.hub.client import Look, RemoteFile, Visit, lacking
from wikidata.records.manifest import PACKED_SCHEMA, SCHEMA, Manifest, manifest_path, read_manifest
from wikidata.session import Session
from wikidata.state import require_complete
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

    `schema` is that of every file, `folders` those that the repo had before. `doubtful` are paths that the Hub must not
    have, because their rows would count twice; `look` has what it has of these and of the manifest.
    """

    repo_id: str
    layout: Layout
    partitions: Partitions
    schema: pa.Schema
    manifest: Manifest
    folders: Sequence[str]
    doubtful: list[str]
    look: Look
    missing: pl.DataFrame

    @property
    def paths(self) -> list[str]:
        """Everything to look for on the Hub."""
        return self.manifest.files["path"].to_list() + self.doubtful


def complete_chunk(state: pl.DataFrame, number: int) -> Chunk:
    """The facts of a complete chunk. Raises ChunkIncompleteError where it is not."""
    parts = require_complete(state, number)
    return Chunk(number, parts, scale_of(state))


def make_plan(session: Session, chunk: Chunk, table: Table, *, write: bool = True) -> Plan:
    """Survey the partition files, settle the layout, pack what has to be packed, and compare with the Hub.

    With `write` False nothing is packed: what would have to be is missing, with the size of its partition files.
    """
    settings, repo_id = session.settings, session.repos[table]
    with session.disk:
        partitions = survey(chunk.number, chunk.parts, table, settings.output_dir, settings.audit_dir)
    visit = session.hub.visit(repo_id)
    layout = _settle(session, chunk, partitions, visit)
    if layout is Layout.PACKED:
        return _plan_packed(session, chunk, partitions, visit, write)
    schema = require_one(partitions, read_columns(settings.manifest_dir, table, repo_id))
    manifest = Manifest(chunk.number, table, partitions.folder, partitions.files.select(list(SCHEMA)))
    doubtful = _doubtful(session, layout, partitions, visit, manifest.files["path"].to_list())
    look = session.hub.look(repo_id, visit.revision, manifest.files["path"].to_list() + doubtful)
    missing = lacking(manifest, look.files)
    return Plan(repo_id, layout, partitions, schema, manifest, visit.folders, doubtful, look, missing)


def paths_of(layout: Layout, partitions: Partitions) -> list[str]:
    """The paths that a chunk's files have in a repo with this layout."""
    if layout is Layout.FILES:
        return partitions.files["path"].to_list()
    keys, column = partitions.files["key"].unique(), partitions.table.partition_column
    return sorted(layouts.packed_path(column, key, partitions.chunk) for key in keys)


def _settle(session: Session, chunk: Chunk, partitions: Partitions, visit: Visit) -> Layout:
    repo_id = session.repos[partitions.table]
    sizes = layouts.extents(partitions, chunk.scale)
    layout, why = layouts.settle(session.settings.layout, visit.layout, sizes, chunk.scale, repo_id)
    if why:
        session.listener.settled(partitions.table, why)
    for warning in layouts.check_limits(layout, sizes[layout], partitions, repo_id):
        session.listener.warn(partitions.table, warning)
    return layout


def _plan_packed(session: Session, chunk: Chunk, partitions: Partitions, visit: Visit, write: bool) -> Plan:
    table, settings = partitions.table, session.settings
    repo_id, folder = session.repos[table], staging.packed_folder(settings.staging_dir, chunk.number, table)
    schema = unify(partitions, read_columns(settings.manifest_dir, table, repo_id))
    bundles = pack.bundle(partitions, schema)
    paths = [bundle.path for bundle in bundles]
    doubtful = _doubtful(session, Layout.PACKED, partitions, visit, paths)
    look = session.hub.look(repo_id, visit.revision, paths + doubtful)
    known = _known(settings.manifest_dir, partitions, bundles, look.files)
    unknown = [bundle for bundle in bundles if bundle.path not in known]
    if write:
        with session.disk:
            session.listener.packing(table, len(unknown))
            packed = pack.pack(unknown, partitions.folder, table, schema, folder, session.patience.stopped.is_set)
    else:
        packed = [pack.Packed(each.path, each.size_bytes, "", each.rows, each.sources_sha256) for each in unknown]
    files = pl.DataFrame(sorted([*known.values(), *packed]), schema=PACKED_SCHEMA, orient="row")
    manifest = Manifest(chunk.number, table, folder, files, pack.sources_of(partitions))
    missing = lacking(manifest, look.files)
    return Plan(repo_id, Layout.PACKED, partitions, schema, manifest, visit.folders, doubtful, look, missing)


def _known(
    manifest_dir: Path, partitions: Partitions, bundles: list[pack.Bundle], there: Mapping[str, RemoteFile]
) -> dict[str, pack.Packed]:
    """The packed files that need not be made again: manifest and Hub have them, made from just these sources."""
    try:
        before = read_manifest(manifest_dir, partitions.chunk, partitions.table, partitions.folder).files
    except ManifestError:
        return {}
    if "sources_sha256" not in before.columns:
        return {}
    sources = {bundle.path: bundle.sources_sha256 for bundle in bundles}
    rows = [pack.Packed(*row) for row in before.iter_rows()]
    return {
        row.path: row
        for row in rows
        if sources.get(row.path) == row.sources_sha256
        and (remote := there.get(row.path)) is not None
        and (remote.size_bytes, remote.sha256) == (row.size_bytes, row.sha256)
    }


def _doubtful(session: Session, layout: Layout, partitions: Partitions, visit: Visit, made: list[str]) -> list[str]:
    """Paths that the Hub must not have: likely ones, and what an earlier manifest had."""
    doubtful = layouts.doubtful_paths(layout, partitions.chunk, partitions.parts, made, visit.folders)
    path = manifest_path(session.settings.manifest_dir, partitions.chunk, partitions.table)
    try:
        before = read_manifest(path.parents[1], partitions.chunk, partitions.table, partitions.folder).files["path"]
    except PushError:
        return doubtful
    return sorted({*doubtful, *before} - set(made))
