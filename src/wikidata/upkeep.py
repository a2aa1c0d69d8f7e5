"""Looking after what was pushed: comparing it again, and removing what is no longer made."""

import polars as pl

from wikidata.config import Layout, Table
from wikidata.hub import lacking
from wikidata.lock import hold
from wikidata.manifest import Manifest, read_manifest
from wikidata.partitions import survey
from wikidata.plan import complete_chunk, paths_of
from wikidata.session import Session
from wikidata.state import get_all_state


def verify(session: Session, chunk: int) -> dict[Table, tuple[Manifest, pl.DataFrame, list[str]]]:
    """Compare the Hub with the written manifests of a chunk; changes nothing.

    Returns each manifest, its rows that the Hub lacks or has otherwise, and the paths of the chunk's files on the Hub
    that are not in it.
    """

    def look(table: Table) -> tuple[Manifest, pl.DataFrame, list[str]]:
        folder = session.settings.output_dir / table
        manifest = read_manifest(session.settings.manifest_dir, chunk, table, folder)
        paths, repo_id = manifest.files["path"].to_list(), session.repos[table]
        there = session.hub.look(repo_id, session.hub.head(repo_id), paths)
        made = set(paths)
        strays = [path for path in session.hub.files_of_chunk(repo_id, there.revision, chunk) if path not in made]
        return manifest, lacking(manifest, there.files), strays

    return session.for_each_table(look)


def prune(session: Session, chunk: int, delete: bool) -> dict[Table, list[str]]:
    """Find the files of a complete chunk on the Hub that its local files no longer are; `delete` them in one commit.

    Returns their paths. What a chunk consists of is surveyed anew, so damaged local files delete nothing, and only
    paths of this chunk are ever looked at. `LAYOUT` says in which layout they are to stay, if it is not the repo's own:
    so a repo is made ready for the other one.
    """
    settings = session.settings

    def sweep(table: Table) -> list[str]:
        partitions = survey(chunk, whole.parts, table, settings.output_dir, settings.audit_dir)
        repo_id = session.repos[table]
        visit = session.hub.visit(repo_id)
        layout = settings.layout if settings.layout is not Layout.AUTO else visit.layout or Layout.FILES
        made = set(paths_of(layout, partitions))
        strays = [path for path in session.hub.files_of_chunk(repo_id, visit.revision, chunk) if path not in made]
        if strays and delete:
            message = f"Remove {len(strays)} files of chunk {chunk} of {table} that are no longer made"
            session.hub.delete(repo_id, strays, visit.revision, message)
        return strays

    with hold(settings.manifest_dir, f"prune of chunk {chunk}"):
        whole = complete_chunk(get_all_state(settings.state_dir), chunk)
        if delete:
            session.check_rights()
        return session.for_each_table(sweep)
