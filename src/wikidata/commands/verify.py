"""`wikidata verify`: compare the Hub with the recorded manifests of a chunk, or of every chunk that has receipts."""

from typing import NamedTuple

import polars as pl

from wikidata.config import Selection, Settings, Table
from wikidata.errors import Exit, PushError, worst
from wikidata.hub.client import lacking
from wikidata.records.manifest import Manifest, read_manifest
from wikidata.records.receipt import recorded_chunks
from wikidata.report.failures import report
from wikidata.report.terminal import Terminal
from wikidata.session import Session


class Comparison(NamedTuple):
    """A manifest, its rows that the Hub lacks or has otherwise, and the chunk's files on the Hub that are not in it."""

    manifest: Manifest
    missing: pl.DataFrame
    orphans: list[str]


def run(settings: Settings, chosen: Selection) -> Exit:
    """Print a line for each table of each chunk; changes nothing."""
    codes = []
    chunks = [chosen.chunk] if chosen.chunk is not None else recorded_chunks(settings.manifest_dir)
    with Session(settings, chosen.repos(settings), Terminal(quiet=settings.quiet)) as session:
        for chunk in chunks:
            try:
                for table, comparison in verify(session, chunk).items():
                    problems = _problems(chunk, table, comparison)
                    codes.append(Exit.FAILED if problems else Exit.OK)
                    files = comparison.manifest.files.height
                    where = f"chunk {chunk} {table}: {files} files in {session.repos[table]}"
                    print(f"{where}: {'; '.join(problems) or 'all there'}")
            except PushError as error:
                codes.append(report(error))
    return worst(codes)


def verify(session: Session, chunk: int) -> dict[Table, Comparison]:
    """Compare the Hub with the recorded manifests of a chunk."""

    def compare(table: Table) -> Comparison:
        folder = session.settings.output_dir / table
        manifest = read_manifest(session.settings.manifest_dir, chunk, table, folder)
        paths, repo_id = manifest.files["path"].to_list(), session.repos[table]
        there = session.hub.look_up(repo_id, session.hub.head(repo_id), paths)
        expected = set(paths)
        orphans = [path for path in session.hub.files_of_chunk(repo_id, there.revision, chunk) if path not in expected]
        return Comparison(manifest, lacking(manifest, there.files), orphans)

    return session.for_each_table(compare)


def _problems(chunk: int, table: Table, comparison: Comparison) -> list[str]:
    problems = []
    missing, orphans = comparison.missing, comparison.orphans
    if missing.height:
        again = f"make push CHUNK={chunk} TABLE={table}"
        problems.append(f"{missing.height} are missing or different, such as {missing['path'][0]}: {again}")
    if orphans:
        remove = f"make prune CHUNK={chunk} TABLE={table}"
        problems.append(f"{len(orphans)} more are orphaned, such as {orphans[0]}: {remove}")
    return problems
