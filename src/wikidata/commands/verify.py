"""`wikidata verify`: compare the repos with their manifests, from any machine; or a downloaded copy with its own."""

import random
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from wikidata.config import Deep, Selection, Settings, Table
from wikidata.dataset.survey import content_of
from wikidata.errors import Exit, ManifestError, UsageError, worst
from wikidata.hub.files import RemoteFile, lacking
from wikidata.names import RECORDS_FOLDER, chunk_of_remote_manifest, parse_data_file
from wikidata.records.manifest import Manifest, parse_manifest
from wikidata.report.terminal import Terminal
from wikidata.session import Session
from wikidata.sync import Records, sync

SAMPLE_FILES = 20
"""How many files of a table DEEP=1 downloads."""

Problems = dict[int, list[str]]
"""What is wrong with each chunk; an empty list if it is all there."""


def run(settings: Settings, chosen: Selection) -> Exit:
    """Print a line for each table of each chunk; changes nothing."""
    if settings.folder:
        return _verify_folder(settings.folder, chosen)
    with Session(settings, chosen.repos(settings), Terminal(quiet=settings.quiet)) as session:
        found = session.for_each_table(lambda table: _verify_table(session, table, chosen.chunk))
        session.listener.finish()
        codes = [
            _print(chunk, table, session.repos[table], manifests.get(chunk), problems[chunk])
            for chunk in sorted({chunk for _, problems in found.values() for chunk in problems})
            for table, (manifests, problems) in found.items()
            if chunk in problems
        ]
    if not codes:
        print("nothing is published yet, and nothing is recorded here")
    return worst(codes)


def _print(chunk: int, table: Table, where: str, manifest: Manifest | None, problems: Sequence[str]) -> Exit:
    files = manifest.files.height if manifest else 0
    print(f"chunk {chunk} {table}: {files} files in {where}: {'; '.join(problems) or 'all there'}")
    return Exit.FAILED if problems else Exit.OK


def _verify_table(session: Session, table: Table, only: int | None) -> tuple[Mapping[int, Manifest], Problems]:
    repo_id = session.repos[table]
    revision = session.hub.head(repo_id)
    there: Mapping[str, RemoteFile] = {}
    if revision is not None:
        there = session.hub.files(repo_id, revision, tell=lambda files: session.listener.listed(table, files))
    records = sync(session, table, repo_id, revision, keep=False, there=there)
    problems = compare(table, records, there, only)
    deep = session.settings.deep
    if deep is not Deep.NONE and revision is not None:
        chosen = [(chunk, row) for chunk in problems for row in _there(records, chunk, there)]
        if deep is Deep.SAMPLE and len(chosen) > SAMPLE_FILES:
            chosen = random.sample(chosen, SAMPLE_FILES)
        for chunk, (path, sha256, rows) in chosen:
            if damage := _download(session, repo_id, revision, path, sha256, rows):
                problems[chunk].append(damage)
    return records.manifests, problems


def compare(table: Table, records: Records, there: Mapping[str, RemoteFile], only: int | None) -> Problems:
    """What is wrong with every chunk of a repo that has the files `there`, or with one of them."""
    files = _by_chunk(there)
    chunks = {*records.manifests, *records.damaged, *files} if only is None else {only}
    return {chunk: _problems(table, chunk, records, there, files.get(chunk, [])) for chunk in sorted(chunks)}


def _problems(
    table: Table, chunk: int, records: Records, there: Mapping[str, RemoteFile], files: Sequence[str]
) -> list[str]:
    push, prune = (f"make {word} CHUNK={chunk} TABLE={table}" for word in ("push", "prune"))
    manifest = records.manifests.get(chunk)
    problems = [f"{records.damaged[chunk]}: {push}"] if chunk in records.damaged else []
    if manifest is None:
        unrecorded = f"{len(files)} files, such as {files[0]}, and no manifest" if files else "no manifest"
        return problems or [f"{unrecorded}: {push}"]
    lacked = lacking(manifest, there)
    missing = [path for path in lacked["path"] if path not in there]
    different = [path for path in lacked["path"] if path in there]
    produced = set(manifest.files["path"])
    keys = {path.partition("/")[0] for path in produced}
    orphans = [path for path in files if path not in produced]
    twice = [path for path in orphans if path.partition("/")[0] in keys]
    others = [path for path in orphans if path not in twice]
    found = (
        (missing, "missing", push),
        (different, "different", push),
        (twice, "orphaned, so that rows count twice", prune),
        (others, "orphaned", prune),
    )
    return problems + [
        f"{len(paths)} are {what}, such as {paths[0]}: {remedy}" for paths, what, remedy in found if paths
    ]


def _by_chunk(paths: Iterable[str]) -> dict[int, list[str]]:
    files: dict[int, list[str]] = {}
    for path in sorted(paths):
        if file := parse_data_file(path):
            files.setdefault(file.chunk, []).append(path)
    return files


def _there(records: Records, chunk: int, there: Mapping[str, RemoteFile]) -> list[tuple[str, str, int]]:
    """The rows of a chunk's manifest whose files are there."""
    manifest = records.manifests.get(chunk)
    rows = manifest.files.select("path", "sha256", "rows").rows() if manifest else []
    return [row for row in rows if row[0] in there]


def _download(session: Session, repo_id: str, revision: str, path: str, sha256: str, rows: int) -> str | None:
    """What is wrong with the content of a file on the Hub; None if nothing is."""
    with TemporaryDirectory(prefix="wikidata-verify-") as folder:
        local = session.hub.download(repo_id, revision, path, Path(folder))
        return _difference(local, path, sha256, rows)


def _difference(local: Path, path: str, sha256: str, rows: int) -> str | None:
    try:
        found_sha256, found_rows = content_of(local)
    except ManifestError as error:
        return f"{path}: {error}"
    if found_sha256 != sha256:
        return f"the content of {path} is different"
    return f"{path} has {found_rows} rows, the manifest says {rows}" if found_rows != rows else None


def _verify_folder(folder: Path, chosen: Selection) -> Exit:
    """Compare a downloaded copy of a repo with the manifests in it."""
    manifests = _manifests_in(folder)
    if not manifests:
        raise UsageError(f"FOLDER={folder}: there is no {RECORDS_FOLDER}/chunk_….csv in it: is it a copy of a repo?")
    files = _by_chunk(str(each.relative_to(folder)) for each in folder.glob("*=*/*.parquet"))
    codes = []
    for chunk in sorted({*manifests, *files} if chosen.chunk is None else {chosen.chunk}):
        manifest, problems = manifests.get(chunk), []
        produced = set(manifest.files["path"]) if manifest else set()
        for path, sha256, rows in manifest.files.select("path", "sha256", "rows").rows() if manifest else []:
            is_there = (folder / path).is_file()
            problems.append(_difference(folder / path, path, sha256, rows) if is_there else f"{path} is missing")
        orphans = [path for path in files.get(chunk, []) if path not in produced]
        problems += [f"{path} is in no manifest" for path in orphans]
        said = [problem for problem in problems if problem]
        more = [f"and {len(said) - 3} more"] if len(said) > 4 else []
        codes.append(_print_folder(chunk, folder, manifest, said[: 3 if more else 4] + more))
    return worst(codes)


def _print_folder(chunk: int, folder: Path, manifest: Manifest | None, problems: Sequence[str]) -> Exit:
    files = manifest.files.height if manifest else 0
    print(f"chunk {chunk}: {files} files in {folder}: {'; '.join(problems) or 'all there'}")
    return Exit.FAILED if problems else Exit.OK


def _manifests_in(folder: Path) -> dict[int, Manifest]:
    manifests = {}
    for file in sorted((folder / RECORDS_FOLDER).glob("chunk_*.csv")):
        chunk = chunk_of_remote_manifest(f"{RECORDS_FOLDER}/{file.name}")
        if chunk is not None:
            manifests[chunk] = _parse(file, chunk, folder)
    return manifests


def _parse(file: Path, chunk: int, folder: Path) -> Manifest:
    """A manifest of whichever table it is of: its paths tell the partition column. Raises ManifestError."""
    reasons = []
    for table in {table.partition_column: table for table in Table}.values():
        try:
            return parse_manifest(file.read_bytes(), chunk, table, folder)
        except ManifestError as error:
            reasons.append(str(error))
    raise ManifestError(f"{file} is damaged: {reasons[0]}: download it again")
