"""Looking after what was pushed: comparing it again, and removing what is no longer made."""

import polars as pl

from wikidata.config import Table
from wikidata.hub import lacking
from wikidata.lock import hold
from wikidata.manifest import Manifest, read_manifest
from wikidata.partitions import survey
from wikidata.session import Session
from wikidata.state import get_all_state, require_complete


def verify(session: Session, chunk: int) -> dict[Table, tuple[Manifest, pl.DataFrame, list[str]]]:
    """Compare the Hub with the written manifests of a chunk; changes nothing.

    Returns each manifest, its rows that the Hub lacks or has otherwise, and the paths of the chunk's files on the Hub
    that are not in it.
    """

    def look(table: Table) -> tuple[Manifest, pl.DataFrame, list[str]]:
        folder = session.settings.output_dir / table
        manifest = read_manifest(session.settings.manifest_dir, chunk, table, folder)
        there = session.hub.look(session.repos[table], manifest.files["path"].to_list())
        strays = session.hub.strays(session.repos[table], there.revision, manifest)
        return manifest, lacking(manifest, there.files), strays

    return session.for_each_table(look)


def prune(session: Session, chunk: int, delete: bool) -> dict[Table, list[str]]:
    """Find the files of a complete chunk on the Hub that its local files no longer are; `delete` them in one commit.

    Returns their paths. What a chunk consists of is surveyed anew, so damaged local files delete nothing, and only
    paths of this chunk are ever looked at.
    """
    settings = session.settings

    def sweep(table: Table) -> list[str]:
        manifest = survey(chunk, parts, table, settings.output_dir, settings.audit_dir).manifest
        there = session.hub.look(session.repos[table], [])
        strays = session.hub.strays(session.repos[table], there.revision, manifest)
        if strays and delete:
            message = f"Remove {len(strays)} files of chunk {chunk} of {table} that are no longer made"
            session.hub.delete(session.repos[table], strays, there.revision, message)
        return strays

    with hold(settings.manifest_dir, f"prune of chunk {chunk}"):
        parts = require_complete(get_all_state(settings.state_dir), chunk)
        if delete:
            session.check_rights()
        return session.for_each_table(sweep)
