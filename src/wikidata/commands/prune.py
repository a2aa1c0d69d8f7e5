"""`wikidata prune`: list the orphaned files of a chunk, which are on the Hub and no longer produced locally."""

from wikidata.config import Layout, Selection, Settings, Table
from wikidata.dataset.survey import survey
from wikidata.errors import Exit, UsageError
from wikidata.plan import paths_of, pushable_chunk
from wikidata.records.lock import hold
from wikidata.report.terminal import Terminal
from wikidata.session import Session
from wikidata.state import get_all_state


def run(settings: Settings, chosen: Selection) -> Exit:
    """List them; with YES=1, delete them in one commit for each table."""
    if chosen.chunk is None:
        raise UsageError("prune: of which chunk? make prune CHUNK=3 TABLE=labels, or wikidata prune --chunk 3")
    with Session(settings, chosen.repos(settings), Terminal(quiet=settings.quiet)) as session:
        for table, orphans in prune(session, chosen.chunk).items():
            for path in orphans:
                print(f"{session.repos[table]}/{path}")
            where = f"chunk {chosen.chunk} {table}: {len(orphans)} orphaned files"
            print(
                f"{where}{': deleted' if settings.yes and orphans else ': set YES=1 to delete them' if orphans else ''}"
            )
    return Exit.OK


def prune(session: Session, chunk: int) -> dict[Table, list[str]]:
    """Find the orphaned files of a complete chunk, and delete them if `YES`. Returns their paths.

    The local files are surveyed again, so damaged ones delete nothing, and only paths of this chunk are ever looked
    at. `LAYOUT` says which layout is to stay, if it is not the repo's own: so a repo is prepared for the other one.
    """
    settings = session.settings

    def sweep(table: Table) -> list[str]:
        partitions = survey(chunk, whole.parts, table, settings.output_dir, settings.audit_dir)
        repo_id = session.repos[table]
        visit = session.hub.overview(repo_id)
        layout = settings.layout if settings.layout is not Layout.AUTO else visit.layout or Layout.FILES
        produced = set(paths_of(layout, partitions))
        orphans = [path for path in session.hub.files_of_chunk(repo_id, visit.revision, chunk) if path not in produced]
        if orphans and settings.yes:
            message = f"Remove {len(orphans)} orphaned files of chunk {chunk} of {table}"
            session.hub.delete(repo_id, orphans, visit.revision, message)
        return orphans

    with hold(settings.manifest_dir, f"prune of chunk {chunk}"):
        whole = pushable_chunk(get_all_state(settings.state_dir), chunk)
        if settings.yes:
            session.check_rights()
        return session.for_each_table(sweep)
