"""`wikidata sync`: make the manifests and receipts on this box those of the repos; what a new box runs first."""

from wikidata.config import Selection, Settings, Table
from wikidata.errors import Exit, HubRefusedError, worst
from wikidata.records.receipt import blocks_with_receipt
from wikidata.repo_records import Records
from wikidata.report.terminal import Terminal
from wikidata.session import Session
from wikidata.sync import sync


def run(settings: Settings, chosen: Selection) -> Exit:
    """Print a line for each table; the Hub is only read."""
    with Session(settings, chosen.repos(settings), Terminal(quiet=settings.quiet)) as session:

        def sync_table(table: Table) -> Records:
            repo_id = session.repos[table]
            revision = session.hub.head(repo_id)
            is_recorded = bool(blocks_with_receipt(settings.manifest_dir, table, repo_id))
            if is_recorded and revision is None and session.hub.token is None:
                raise HubRefusedError(f"{table}: {repo_id} is not there, or private: set HF_TOKEN, or log in")
            return sync(session, table, repo_id, revision)

        synced = session.for_each_table(sync_table)
        return worst([_print(table, session.repos[table], records) for table, records in synced.items()])


def _print(table: Table, repo_id: str, records: Records) -> Exit:
    facts = [f"{len(records.chunks)} chunks are recorded in {repo_id}"]
    if records.fetched:
        facts.append(f"{len(records.fetched)} manifests fetched")
    if records.withdrawn:
        facts.append(f"{len(records.withdrawn)} receipts withdrawn: the repo lacks their files")
    if unpublished := [path for path in records.unpublished if path.endswith(".csv")]:
        facts.append(f"{len(unpublished)} manifests are here alone: the next push publishes them")
    print(f"{table}: {'; '.join([*facts, *(' '.join(each) for each in records.damaged.items())])}")
    return Exit.FAILED if records.damaged else Exit.OK
