"""Which files of a repo have to be replaced, so that a block is folded, or a folded chunk is as it is here now.

Decisions only; `exchange.py` carries them out. The rule that never breaks: for every key, each chunk is in one file,
by the files' names as by their rows.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from wikidata.config import Table
from wikidata.dataset.folding import Folded, Local, Segment
from wikidata.hub.files import RemoteFile
from wikidata.names import Block, one, packed_file, parse_data_file
from wikidata.records.manifest import FOLDED_SCHEMA, PACKED_SCHEMA, Manifest, folded_manifest
from wikidata.repo_records import Records

OPERATIONS_A_COMMIT = 20_000
"""A commit takes 25,000 LFS files at most (huggingface_hub, `HfApi.create_commit`); deletions may count as such."""
BYTES_A_COMMIT = 16_000_000_000
"""So much room is taken in the staging folder at most."""

Locals = Mapping[tuple[int, str], Local]
"""What partition files here can make, by chunk and folder of a key."""


@dataclass(frozen=True)
class Rewrite:
    """Files to be `made` and to be `removed` in one commit.

    `before` are the manifests that name them now. Afterwards, that of `block` has the segments that are `kept` and
    those of the files made; `later` are the other manifests that stay, with what is left for another commit.
    """

    block: Block
    before: tuple[Manifest, ...]
    made: tuple[Folded, ...]
    removed: tuple[str, ...]
    kept: pl.DataFrame
    later: tuple[Manifest, ...] = ()

    def after(self, table: Table, folder: Path, new: pl.DataFrame) -> list[Manifest]:
        """The manifests afterwards; `new` are the segments of the files made."""
        return [*self.later, folded_manifest(self.block, table, folder, pl.concat([self.kept, new]))]


def folding(
    records: Records, block: Block, fold_bytes: int, here: Locals, operations: int = OPERATIONS_A_COMMIT
) -> Rewrite:
    """Fold every key of a block to as few files of about `fold_bytes` as possible, or as many keys as a commit takes.

    Files that are as they should be are kept, with their names.
    """
    before = records.of(block)
    keys: dict[str, list[Segment]] = {}
    for segment in segments_of(before):
        keys.setdefault(_folder(segment.path), []).append(segment)
    made: list[Folded] = []
    gone: set[str] = set()
    done: set[str] = set()
    for folder in sorted(keys):
        files = _fold_key(folder, keys[folder], block, fold_bytes, here)
        sources = {path for paths in files.values() for path in paths}
        costs = len(gone | sources) + 3 * (len(made) + len(files))  # each is sent, moved, and removed where it was sent
        size_bytes = sum(file.size_bytes for file in (*made, *files))
        if made and (costs > operations or size_bytes > BYTES_A_COMMIT):
            break
        made += files
        gone |= sources
        done.add(folder)
    later = [rest for each in before if each.block != block and (rest := _rest(each, done)) is not None]
    left = {(each.path, each.chunk) for each in segments_of(later)}
    kept = [each for each in segments_of(before) if each.path not in gone and (each.path, each.chunk) not in left]
    removed = sorted(gone - {file.path for file in made})
    return Rewrite(block, tuple(before), tuple(made), tuple(removed), frame_of(kept), tuple(later))


def _fold_key(
    folder: str, segments: Sequence[Segment], block: Block, fold_bytes: int, here: Locals
) -> dict[Folded, set[str]]:
    """The files to be made of a key, and those whose rows they take: none for chunks that have a file by themselves."""
    chunks_of: dict[str, set[int]] = {}
    rows_of: dict[str, int] = {}
    for each in segments:
        chunks_of.setdefault(each.path, set()).add(each.chunk)
        rows_of[each.path] = rows_of.get(each.path, 0) + each.rows
    groups: list[list[Segment]] = []
    size_bytes = 0.0
    for each in sorted(segments, key=lambda segment: segment.chunk):
        share = each.size_bytes * each.rows / max(rows_of[each.path], 1)
        if not groups or size_bytes + share > fold_bytes:
            groups.append([])
            size_bytes = 0
        groups[-1].append(each)
        size_bytes += share
    firsts = [block.first, *(group[0].chunk for group in groups[1:]), block.last + 1]
    files = {}
    for group, first, after in zip(groups, firsts, firsts[1:], strict=False):
        if chunks_of[group[0].path] != {each.chunk for each in group}:
            path = f"{folder}/{packed_file(Block(first, after - 1))}"
            files[Folded(path, tuple(_part(folder, each, here) for each in group))] = {each.path for each in group}
    return files


def _part(folder: str, segment: Segment, here: Locals) -> Local | Segment:
    """The rows of a segment from here, if the same partition files still are."""
    local = here.get((segment.chunk, folder))
    is_same = local is not None and _is_made_from(segment, local)
    return local if local and is_same else segment


def replacement(
    records: Records, chunk: int, bundles: Mapping[str, Local], there: Mapping[str, RemoteFile]
) -> Rewrite | None:
    """What has to change so that a folded chunk is as it is here; None if nothing does.

    `bundles` is what is here by folder of a key, `there` the files of the repo. Keys whose rows are in a folded file
    get that file again, with the rows of all other chunks untouched; others get or lose a file of the chunk alone.
    """
    before = records.of(one(chunk))
    recorded = segments_of(before)
    mine = {_folder(each.path): each for each in recorded if each.chunk == chunk}
    changed = {
        folder for folder in {*mine, *bundles} if not _is_published(mine.get(folder), bundles.get(folder), there)
    }
    if not changed:
        return None
    holders = {_folder(path): path for path in {each.path for each in recorded} if _holds(path, chunk)}
    made: list[Folded] = []
    gone: set[str] = set()
    for folder in sorted(changed):
        path = holders.get(folder, f"{folder}/{packed_file(one(chunk))}")
        others = [each for each in recorded if each.path == path and each.chunk != chunk]
        local = [bundles[folder]] if folder in bundles else []
        parts: list[Local | Segment] = sorted([*others, *local], key=_chunk)
        made += [Folded(path, tuple(parts))] if parts else []
        gone.add(path)
    removed = sorted(path for path in gone - {file.path for file in made} if path in there)
    kept = frame_of(each for each in recorded if each.path not in gone)
    block = max((each.block for each in before), key=lambda block: len(block.chunks))
    return Rewrite(block, tuple(before), tuple(made), tuple(removed), kept)


def _is_published(segment: Segment | None, local: Local | None, there: Mapping[str, RemoteFile]) -> bool:
    if segment is None or local is None:
        return segment is None and local is None
    return _is_made_from(segment, local) and is_there(segment, there)


def _is_made_from(segment: Segment, local: Local) -> bool:
    return (segment.sources_sha256, segment.rows) == (local.bundle.sources_sha256, local.bundle.rows)


def is_there(segment: Segment, there: Mapping[str, RemoteFile]) -> bool:
    """Whether the file of a segment is in the repo, with its size and content."""
    remote = there.get(segment.path)
    return remote is not None and (remote.size_bytes, remote.sha256) == (segment.size_bytes, segment.sha256)


def _holds(path: str, chunk: int) -> bool:
    file = parse_data_file(path)
    return file is not None and not file.block.is_one and chunk in file.block.chunks


def _rest(manifest: Manifest, done: set[str]) -> Manifest | None:
    """A manifest without the keys that are done; None if nothing is left."""
    segments = frame_of(each for each in segments_of([manifest]) if _folder(each.path) not in done)
    if segments.is_empty():
        return None
    if manifest.block.is_one:
        files = segments.select(list(PACKED_SCHEMA)).sort("path")
        return Manifest(manifest.block, manifest.table, manifest.folder, files)
    return folded_manifest(manifest.block, manifest.table, manifest.folder, segments)


def segments_of(manifests: Iterable[Manifest]) -> list[Segment]:
    """The segments of packed and folded files."""
    frames = (manifest.segments for manifest in manifests)
    return [Segment(*row) for frame in frames if frame is not None for row in frame.iter_rows()]


def frame_of(segments: Iterable[Segment]) -> pl.DataFrame:
    """The same as a frame of FOLDED_SCHEMA."""
    return pl.DataFrame(list(segments), schema=FOLDED_SCHEMA, orient="row")


def _chunk(part: Local | Segment) -> int:
    return part.chunk


def _folder(path: str) -> str:
    return path.partition("/")[0]
