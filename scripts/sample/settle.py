"""Moving finished files to where they belong, unless other data of the same chunks is there."""

from collections.abc import Collection
from pathlib import Path

from scripts.sample.errors import SampleError
from scripts.sample.layout import AUDIT, RESULTS, STATE, chunk_of, find_files
from wikidata.state import UNREADABLE, parse_step

_STATE_SUFFIX = ".jsonl"


def settle(staging: Path, root: Path, chunks: Collection[int], force: bool) -> tuple[int, int]:
    """Move all files of `chunks` from `staging` to `root`; return how many were moved, and how many were there.

    A file that is there with the same content stays as it is, and so does a state file at a later step; an earlier
    one is replaced. Raises SampleError, with nothing moved, where a file is there with other content, or one that is
    not in `staging`. With `force` such files are replaced or removed instead, and steps may go down.
    """
    made, there = set(find_files(staging, chunks)), set(find_files(root, chunks))
    kept = {path for path in made & there if _is_settled(staging / path, root / path, force)}
    if force:
        _remove(root, there - kept)
    elif others := sorted(path for path in there - kept if not _is_earlier_state(root / path, path in made)):
        path, more = others[0], f" and {len(others) - 1} more" if len(others) > 1 else ""
        raise SampleError(f"chunk {chunk_of(path)}: {root} has other data of it ({path}{more}): see --force")
    for path in kept:
        (staging / path).unlink()
    for folder in (AUDIT, RESULTS, STATE):
        _move(staging / folder, root / folder)
    return len(made - kept), len(kept)


def _is_settled(new: Path, old: Path, force: bool) -> bool:
    if new.suffix == _STATE_SUFFIX:
        return not force and parse_step(old.read_bytes()) >= parse_step(new.read_bytes())
    return old.stat().st_size == new.stat().st_size and old.read_bytes() == new.read_bytes()


def _is_earlier_state(old: Path, is_made: bool) -> bool:
    return is_made and old.suffix == _STATE_SUFFIX and parse_step(old.read_bytes()) != UNREADABLE


def _remove(root: Path, paths: Collection[str]) -> None:
    """Remove files, the state files first: no chunk looks complete while files are missing."""
    for path in sorted(paths, key=lambda path: (not path.endswith(_STATE_SUFFIX), path)):
        (root / path).unlink()


def _move(source: Path, target: Path) -> None:
    """Move a file, or a folder into another; as a whole where the target is not there."""
    if not (source.is_dir() and target.is_dir()):
        source.replace(target)
        return
    for entry in sorted(source.iterdir()):
        _move(entry, target / entry.name)
