"""`wikidata prune`: list the orphaned files of a chunk, which are on the Hub and no longer produced locally."""

from wikidata.config import Layout, Selection, Settings, Table
from wikidata.dataset.layout import paths_of
from wikidata.dataset.survey import Partitions, survey
from wikidata.errors import Exit, LayoutError, UsageError
from wikidata.names import one, parse_data_file, remote_manifest
from wikidata.plan import pushable_chunk
from wikidata.records.manifest import find_manifest
from wikidata.records.receipt import recorded_block, remove_receipt
from wikidata.report.terminal import Terminal
from wikidata.session import Session
from wikidata.state import get_all_state
from wikidata.sync import sync


def run(settings: Settings, chosen: Selection) -> Exit:
    """List them; with YES=1, delete them in one commit for each table."""
    if chosen.chunk is None:
        raise UsageError("prune: of which chunk? make prune CHUNK=3 TABLE=labels, or wikidata prune --chunk 3")
    with Session(settings, chosen.repos(settings), Terminal(quiet=settings.quiet)) as session:
        for table, orphans in prune(session, chosen.chunk).items():
            for path in orphans:
                print(f"{session.repos[table]}/{path}")
            summary = f"chunk {chosen.chunk} {table}: {len(orphans)} orphaned files"
            done = ": deleted" if _deletes(settings) else ": set YES=1 to delete them"
            print(f"{summary}{done if orphans else ''}")
    return Exit.OK


def prune(session: Session, chunk: int) -> dict[Table, list[str]]:
    """Find the orphaned files of a complete chunk, and delete them if `YES`. Returns their paths.

    The local files are surveyed again, so damaged ones delete nothing, and only paths of this chunk are ever deleted.
    `LAYOUT` says which layout is to stay, if it is not the repo's own: so a repo is prepared for the other one.
    """
    settings = session.settings

    def sweep(table: Table) -> list[str]:
        partitions = survey(chunk, whole.parts, table, settings.output_dir, settings.audit_dir)
        found: list[str] = []
        session.retry(lambda: _sweep(holder, partitions, found))
        return found

    with session.holding(recorded_block(settings.manifest_dir, chunk), f"prune of chunk {chunk}") as holder:
        whole = pushable_chunk(get_all_state(settings.state_dir), chunk)
        if _deletes(settings):
            session.check_rights()
        return session.for_each_table(sweep)


def _deletes(settings: Settings) -> bool:
    return settings.yes and not settings.dry_run


def _sweep(session: Session, partitions: Partitions, found: list[str]) -> None:
    """Add the orphaned files to `found`, and delete them if `YES`, with the manifest if that names any of them."""
    settings, table, chunk = session.settings, partitions.table, partitions.chunk
    repo_id = session.repos[table]
    revision = session.hub.head(repo_id)
    if revision is None:
        return
    there = session.hub.files(repo_id, revision)
    files = {path: file for path in there if (file := parse_data_file(path))}
    layouts = {file.layout for file in files.values()}
    if settings.layout is Layout.AUTO and len(layouts) > 1:
        raise LayoutError(f"{repo_id} has both layouts: say which one stays, LAYOUT=packed or LAYOUT=files")
    layout = settings.layout if settings.layout is not Layout.AUTO else next(iter(layouts), Layout.FILES)
    produced = set(paths_of(layout, partitions))
    records = sync(session, table, repo_id, revision, there=there, pending=chunk, keep=_deletes(settings))
    folded = [manifest for block, manifest in records.manifests.items() if chunk in block.chunks and not block.is_one]
    if folded and layout is Layout.FILES:
        raise LayoutError(f"{repo_id}: {folded[0].block} are folded, and cannot be pruned for LAYOUT=files")
    if folded:
        produced = {path for manifest in records.of(one(chunk)) for path in manifest.files["path"]}
    orphans = sorted(path for path, file in files.items() if file.block == one(chunk) and path not in produced)
    found += [path for path in orphans if path not in found]
    if not orphans or not _deletes(settings):
        return
    block = one(chunk)
    manifest = records.manifests.get(block) or find_manifest(settings.manifest_dir, block, table)
    if manifest and set(orphans) & set(manifest.files["path"]):
        remove_receipt(settings.manifest_dir, block, table)
        if remote_manifest(block) in there:
            orphans.append(remote_manifest(block))
    message = f"Remove {len(found)} orphaned files of chunk {chunk} of {table}"
    session.hub.commit(repo_id, revision, message, deletions=orphans)
