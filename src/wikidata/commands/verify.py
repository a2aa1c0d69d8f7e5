"""`wikidata verify`: compare the repos with their manifests, from any machine; or a downloaded copy with its own."""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from wikidata.config import Deep, Selection, Settings, Table
from wikidata.dataset.survey import content_of
from wikidata.errors import Exit, ManifestError, PushError, UsageError, worst
from wikidata.hub.files import RemoteFile, lacking
from wikidata.names import (
    INCOMING_FOLDER,
    RECORDS_FOLDER,
    Block,
    block_of_remote_manifest,
    is_key_folder,
    one,
    parse_data_file,
    remote_manifest,
)
from wikidata.records.manifest import Manifest, parse_manifest
from wikidata.repo_records import Records
from wikidata.report.failures import report
from wikidata.report.terminal import Terminal
from wikidata.session import Session
from wikidata.sync import sync

SAMPLE_FILES = 20
"""How many files of a table DEEP=1 downloads."""

Problems = dict[Block, list[str]]
"""What is wrong with each chunk, or block of folded chunks; an empty list if it is all there."""


@dataclass(frozen=True)
class _Found:
    """What a repo records, and what is wrong with each chunk and with what is of no chunk."""

    manifests: Mapping[Block, Manifest]
    problems: Problems
    others: Sequence[str]
    notes: Sequence[str] = ()


def run(settings: Settings, chosen: Selection) -> Exit:
    """Print a line for each table of each chunk; changes nothing."""
    if settings.folder:
        return _verify_folder(settings.folder, chosen)
    with Session(settings, chosen.repos(settings), Terminal(quiet=settings.quiet)) as session:
        tried = session.for_each_table(lambda table: _attempt(session, table, chosen.chunk))
        found = {table: each for table, each in tried.items() if isinstance(each, _Found)}
        session.listener.finish()
        codes = [
            _print(f"{block} {table}", session.repos[table], each.manifests.get(block), each.problems[block])
            for block in sorted({block for each in found.values() for block in each.problems})
            for table, each in found.items()
            if block in each.problems
        ]
        for table, each in found.items():
            if each.others:
                print(f"{table}: {session.repos[table]}: {'; '.join(each.others)}")
                codes.append(Exit.FAILED)
            for note in each.notes:
                print(f"{table}: {session.repos[table]}: {note}")
    codes += [report(each) for each in tried.values() if isinstance(each, PushError)]
    if not codes:
        print(f"nothing is published by {settings.hf_user}, or may be read with this token")
    return worst(codes)


def _print(what: str, where: object, manifest: Manifest | None, problems: Sequence[str]) -> Exit:
    files = manifest.files.height if manifest else 0
    print(f"{what}: {files} files in {where}: {'; '.join(problems) or 'all there'}")
    return Exit.FAILED if problems else Exit.OK


def _attempt(session: Session, table: Table, only: int | None) -> _Found | PushError:
    """What is found of a table; one that fails does not hide the others."""
    try:
        return _verify_table(session, table, only)
    except PushError as error:
        return error


def _verify_table(session: Session, table: Table, only: int | None) -> _Found:
    repo_id = session.repos[table]
    revision = session.hub.head(repo_id)
    there: Mapping[str, RemoteFile] = {}
    if revision is not None:
        there = session.hub.files(repo_id, revision, tell=lambda files: session.listener.listed(table, files))
    records = sync(session, table, repo_id, revision, keep=False, there=there)
    problems = compare(table, records, there, only)
    deep = session.settings.deep
    if deep is not Deep.NONE and revision is not None:
        chosen = [(block, row) for block in problems for row in _arrived(records.manifests.get(block), there)]
        if deep is Deep.SAMPLE and len(chosen) > SAMPLE_FILES:
            chosen = random.sample(chosen, SAMPLE_FILES)
        for block, (path, sha256, rows) in chosen:
            if damage := _download(session, repo_id, revision, path, sha256, rows):
                problems[block].append(damage)
    others = [f"{path} {damage}" for path, damage in records.damaged.items() if block_of_remote_manifest(path) is None]
    if only is not None:
        return _Found(records.manifests, problems, [])
    return _Found(records.manifests, problems, [*others, *_of_no_chunk(there)], _incoming(there, table))


def _incoming(there: Iterable[str], table: Table) -> list[str]:
    files = sum(path.startswith(f"{INCOMING_FOLDER}/") for path in there)
    return [f"{files} files of a fold under way, or interrupted: make fold TABLE={table}"] if files else []


def compare(table: Table, records: Records, there: Mapping[str, RemoteFile], only: int | None) -> Problems:
    """What is wrong with every chunk of a repo that has the files `there`, or with one of them."""
    files, named = _by_block(there, records.manifests), _named(records.manifests.values())
    damaged = {block for path in records.damaged if (block := block_of_remote_manifest(path)) is not None}
    blocks = {*records.manifests, *records.withdrawn, *damaged, *files}
    if only is not None:
        blocks = {block for block in blocks if only in block.chunks} or {one(only)}
    return {
        block: _problems(table, block, records, there, [path for path in files.get(block, []) if path not in named])
        for block in sorted(blocks)
    }


def _problems(
    table: Table, block: Block, records: Records, there: Mapping[str, RemoteFile], orphans: Sequence[str]
) -> list[str]:
    manifest, path = records.manifests.get(block), remote_manifest(block)
    problems = [f"{path} {records.damaged[path]}"] if path in records.damaged else []
    if manifest is not None and path not in records.listing:
        problems = ["no manifest but the one here: any push from here publishes it"]
    if manifest is None:
        unrecorded = f"{len(orphans)} files, such as {orphans[0]}, and no manifest" if orphans else "no manifest"
        return problems or [f"{unrecorded}: {_remedy('push', table, block)}"]
    lacked = lacking(manifest, there)
    missing = [path for path in lacked["path"] if path not in there]
    different = [path for path in lacked["path"] if path in there]
    keys = {path.partition("/")[0] for path in manifest.files["path"]}
    twice = [path for path in orphans if path.partition("/")[0] in keys]
    others = [path for path in orphans if path not in twice]
    found = (
        (missing, "missing", "push"),
        (different, "different", "push"),
        (twice, "orphaned, so that rows count twice", "prune"),
        (others, "orphaned", "prune"),
    )
    return problems + [
        f"{len(paths)} are {what}, such as {paths[0]}: {_remedy(word, table, _block_of(paths[0]))}"
        for paths, what, word in found
        if paths
    ]


def _remedy(word: str, table: Table, block: Block) -> str:
    if word == "prune" and not block.is_one:
        return "delete them there"
    return f"make {word} CHUNK={block.first} TABLE={table}"


def _block_of(path: str) -> Block:
    file = parse_data_file(path)
    assert file is not None  # noqa: S101 - a data file, as a manifest or _by_block has them
    return file.block


def _by_block(paths: Iterable[str], manifests: Iterable[Block]) -> dict[Block, list[str]]:
    """The data files, by the block of the manifest that they are of: the largest with any of their chunks."""
    blocks = sorted(manifests, key=lambda block: -len(block.chunks))
    files: dict[Block, list[str]] = {}
    for path in sorted(paths):
        if file := parse_data_file(path):
            owner = next((block for block in blocks if block.meets(file.block)), file.block)
            files.setdefault(owner, []).append(path)
    return files


def _named(manifests: Iterable[Manifest]) -> set[str]:
    """Every data file that some manifest names: while keys are folded, a chunk has files in two."""
    return {path for manifest in manifests for path in manifest.files["path"]}


def _of_no_chunk(paths: Iterable[str]) -> list[str]:
    """What is to be said of Parquet files that lie where readers look for those of a key, and are of no chunk."""
    others = [path for path in sorted(paths) if is_key_folder(path.rpartition("/")[0]) and path.endswith(".parquet")]
    others = [path for path in others if parse_data_file(path) is None]
    return [f"{len(others)} files are of no chunk, such as {others[0]}: delete them there"] if others else []


def _arrived(manifest: Manifest | None, there: Mapping[str, RemoteFile]) -> list[tuple[str, str, int]]:
    """The rows of a manifest whose files are there as far as a listing tells."""
    if manifest is None:
        return []
    lacked = set(lacking(manifest, there)["path"])
    return [row for row in manifest.files.select("path", "sha256", "rows").rows() if row[0] not in lacked]


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
    manifests, damaged = _manifests_in(folder)
    if not manifests and not damaged:
        raise UsageError(f"FOLDER={folder}: there is no {RECORDS_FOLDER}/chunk_….csv in it: is it a copy of a repo?")
    paths = [each.relative_to(folder).as_posix() for each in folder.glob("*=*/*.parquet")]
    files, named = _by_block(paths, {*manifests, *damaged}), _named(manifests.values())
    blocks = {*manifests, *damaged, *files}
    if chosen.chunk is not None:
        blocks = {block for block in blocks if chosen.chunk in block.chunks} or {one(chosen.chunk)}
    codes = []
    for block in sorted(blocks):
        orphans = [path for path in files.get(block, []) if path not in named]
        if block in manifests:
            problems = _problems_in(folder, manifests[block], orphans)
        else:
            problems = [damaged.get(block, f"{len(orphans)} files, and no manifest")]
        codes.append(_print(str(block), folder, manifests.get(block), problems))
    if chosen.chunk is None and (others := _of_no_chunk(paths)):
        print(f"{folder}: {'; '.join(others)}")
        codes.append(Exit.FAILED)
    return worst(codes)


def _problems_in(folder: Path, manifest: Manifest, unrecorded: Iterable[str]) -> list[str]:
    """What is wrong with the files of a manifest in a copy; three are named if there are many."""
    problems = []
    for path, sha256, rows in manifest.files.select("path", "sha256", "rows").rows():
        is_there = (folder / path).is_file()
        problems.append(_difference(folder / path, path, sha256, rows) if is_there else f"{path} is missing")
    problems += [f"{path} is in no manifest" for path in unrecorded]
    said = [problem for problem in problems if problem]
    return said if len(said) <= 4 else [*said[:3], f"and {len(said) - 3} more"]


def _manifests_in(folder: Path) -> tuple[dict[Block, Manifest], dict[Block, str]]:
    """The manifests of a copy, and what is wrong with those that are damaged."""
    manifests, damaged = {}, {}
    for file in sorted((folder / RECORDS_FOLDER).glob("chunk_*.csv")):
        path = f"{RECORDS_FOLDER}/{file.name}"
        block = block_of_remote_manifest(path)
        if block is not None:
            try:
                manifests[block] = _parse(file.read_bytes(), block, folder)
            except (ManifestError, OSError) as error:
                damaged[block] = f"{path} is damaged ({error}): download it again"
    return manifests, damaged


def _parse(content: bytes, block: Block, folder: Path) -> Manifest:
    """A manifest of whichever table it is of: its paths tell the partition column. Raises ManifestError."""
    named = (table for table in Table if f"\n{table.partition_column}=".encode() in content)
    return parse_manifest(content, block, next(named, Table.LABELS), folder)
