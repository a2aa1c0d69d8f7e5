"""A staging folder holds exactly what is to be uploaded, made afresh each time."""

import errno
import os
from pathlib import Path

import pytest

from wikidata.config import Table
from wikidata.errors import StagingError
from wikidata.names import one
from wikidata.records.lock import hold
from wikidata.upload.staging import clear, clear_all, lay_out, staging_folder

PATHS = ["language=en/chunk_3-00000-of-00001.parquet", "language=no/chunk_3-00000-of-00001.parquet"]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    for path in PATHS:
        (tmp_path / "results" / path).parent.mkdir(parents=True)
        (tmp_path / "results" / path).write_text(path)
    return tmp_path / "results"


def files_below(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())


def test_files_are_hard_links_that_cost_no_space(source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "staging" / "chunk_3" / "labels"
    lay_out(folder, source, PATHS)
    assert files_below(folder) == PATHS
    assert all((folder / path).samefile(source / path) and not (folder / path).is_symlink() for path in PATHS)


def test_earlier_files_and_the_clis_cache_are_gone(source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "staging" / "chunk_3" / "labels"
    lay_out(folder, source, PATHS)
    cache = folder / ".cache" / "huggingface" / "upload" / "old.metadata"
    cache.parent.mkdir(parents=True)
    cache.touch()
    lay_out(folder, source, PATHS[1:])
    assert files_below(folder) == PATHS[1:]


@pytest.mark.parametrize("number", [errno.EXDEV, errno.EPERM, errno.EMLINK])
def test_if_hard_links_are_impossible_files_are_symbolic_links(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    assert source == tmp_path / "results"

    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "staging" / "chunk_3" / "labels"
    lay_out(folder, Path("results"), PATHS)
    assert all((folder / path).is_symlink() and (folder / path).read_text() == path for path in PATHS)


def test_a_vanished_file_is_named(source: Path, tmp_path: Path) -> None:
    (source / PATHS[0]).unlink()
    with pytest.raises(StagingError, match="language=en/chunk_3-00000-of-00001.parquet: No such file"):
        lay_out(tmp_path / "staging", source, PATHS)


@pytest.mark.parametrize("path", ["../out", "a/../../out", "/etc/passwd", "a/..", ""])
def test_no_path_leads_out_of_the_folder(source: Path, tmp_path: Path, path: str) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(StagingError, match="leads out of the staging folder"):
        lay_out(tmp_path / "staging", source, [path])


def test_clearing_leaves_the_results_and_other_tables_alone(source: Path, tmp_path: Path) -> None:
    labels, links = (staging_folder(tmp_path / "staging", one(3), table) for table in (Table.LABELS, Table.LINKS))
    lay_out(labels, source, PATHS)
    lay_out(links, source, PATHS)
    clear(labels)
    clear(labels)
    assert files_below(tmp_path / "staging") == [f"chunk_3/links/{path}" for path in PATHS]
    assert files_below(source) == PATHS


def test_what_dead_runs_left_is_cleared_but_nothing_that_somebody_holds(source: Path, tmp_path: Path) -> None:
    staging, manifests = tmp_path / "staging", tmp_path / "manifests"
    for name in ("chunk_3", "chunk_9", "chunk_20", "chunk_16-31", "chunk_32-47", "chunk_x"):
        lay_out(staging / name / "labels", source, PATHS)
    (staging / "notes").mkdir()
    with hold(manifests, [3], "chunk 3"), hold(manifests, [20], "chunk 20"):
        clear_all(staging, manifests, one(3))
        assert sorted(path.name for path in staging.iterdir()) == ["chunk_16-31", "chunk_20", "notes"]
    clear_all(staging, manifests, one(3))
    assert [path.name for path in staging.iterdir()] == ["notes"]
    clear_all(tmp_path / "nowhere", manifests, one(3))
