"""A manifest lists exactly the partition files of its chunk, and none that is not whole."""

import hashlib
import os
from pathlib import Path

import polars as pl
import pytest

from wikidata.config import Table
from wikidata.dataset.survey import Partitions, changed_files, survey
from wikidata.errors import ManifestError
from wikidata.names import one
from wikidata.records.manifest import SCHEMA, Manifest, file_digest, manifest_path, read_manifest, write_manifest

LABELS = Table.LABELS


def write_file(path: Path, key: str = "en", rows: int = 2, column: str = "language") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pl.DataFrame({"id": [f"Q{n}" for n in range(rows)], column: [key] * rows}).write_parquet(path)
    return path


def write_sidecar(path: Path, rows: dict[str, int], column: str = "language") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pl.DataFrame({column: list(rows), "rows": list(rows.values())}).write_parquet(path)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Chunk 3 with two parts, `en` in both (split in the first) and `no` in the second."""
    for path, rows in {
        "language=en/chunk_3-00000-of-00002.parquet": 4,
        "language=en/chunk_3-00000-of-00002_1.parquet": 3,
        "language=en/chunk_3-00001-of-00002.parquet": 2,
        "language=no/chunk_3-00001-of-00002.parquet": 1,
    }.items():
        write_file(tmp_path / "results" / "labels" / path, path[9:11], rows)
    return tmp_path / "results"


def survey_labels(results: Path, parts: int = 2) -> Partitions:
    return survey(3, parts, LABELS, results, results.parent / "audit")


def manifest_of(partitions: Partitions) -> Manifest:
    files = partitions.files.select(list(SCHEMA))
    return Manifest(one(partitions.chunk), partitions.table, partitions.folder, files)


def refusal(results: Path, parts: int = 2) -> str:
    with pytest.raises(ManifestError) as raised:
        survey_labels(results, parts)
    message = str(raised.value)
    assert message.startswith("labels: ")
    assert "\n" not in message
    return message


def test_files_are_listed_by_path_with_size_hash_and_rows(results: Path) -> None:
    manifest = manifest_of(survey_labels(results))
    assert manifest.files.columns == ["path", "size_bytes", "sha256", "rows"]
    assert manifest.files["path"].to_list() == [
        "language=en/chunk_3-00000-of-00002.parquet",
        "language=en/chunk_3-00000-of-00002_1.parquet",
        "language=en/chunk_3-00001-of-00002.parquet",
        "language=no/chunk_3-00001-of-00002.parquet",
    ]
    for path, size_bytes, sha256, rows in manifest.files.iter_rows():
        content = (results / "labels" / path).read_bytes()
        assert (size_bytes, sha256) == (len(content), hashlib.sha256(content).hexdigest())
        assert rows == pl.read_parquet(results / "labels" / path).height
    assert manifest.rows == 10


def test_nothing_else_is_listed(results: Path) -> None:
    labels = results / "labels"
    before = manifest_of(survey_labels(results)).digest
    write_file(labels / "chunk_3-00000-of-00002.parquet")
    for name in ("chunk_30-00000-of-00002", "chunk_1-00000-of-00001", "chunk_13-00000-of-00002"):
        write_file(labels / "language=en" / f"{name}.parquet")
    for name in (".chunk_3-00000-of-00002.parquet.swp", "chunk_3-00000-of-00002.parquet.tmp", "notes.txt"):
        (labels / "language=en" / name).write_text("no Parquet file")
    write_file(labels / ".tmp" / "chunk_3-00000-of-00002.parquet")
    (labels / "language=de").mkdir()
    (labels / "README.md").write_text("about")
    assert manifest_of(survey_labels(results)).digest == before


def test_links_are_partitioned_by_site(tmp_path: Path) -> None:
    path = "site=zh_min_nanwiki/chunk_3-00000-of-00001.parquet"
    write_file(tmp_path / "results" / "links" / path, column="site")
    found = survey(3, 1, Table.LINKS, tmp_path / "results", tmp_path / "audit")
    assert found.files["path"].to_list() == [path]


def test_sidecars_that_agree_are_accepted(results: Path) -> None:
    audit = results.parent / "audit" / "labels"
    write_sidecar(audit / "chunk_3-00000-of-00002.parquet", {"en": 7})
    write_sidecar(audit / "chunk_3-00001-of-00002.parquet", {"en": 2, "no": 1})
    assert manifest_of(survey_labels(results)).rows == 10


def test_a_part_without_rows_needs_no_files_if_its_sidecar_says_so(results: Path) -> None:
    for path in (results / "labels").glob("*/chunk_3-00001-of-00002.parquet"):
        path.unlink()
    assert "chunk_3-00001-of-00002.parquet has no partition files and no sidecar" in refusal(results)
    write_sidecar(results.parent / "audit" / "labels" / "chunk_3-00001-of-00002.parquet", {})
    assert manifest_of(survey_labels(results)).files.height == 2


@pytest.mark.parametrize(
    ("sidecar", "reason"),
    [
        ({"en": 2, "no": 1, "de": 5}, "language=de/chunk_3-00001-of-00002.parquet is missing: the sidecar has 5 rows"),
        ({"en": 2, "no": 2}, "language=no/chunk_3-00001-of-00002.parquet has 1 rows, the sidecar says 2"),
        ({"en": 2}, "language=no/chunk_3-00001-of-00002.parquet has 1 rows, the sidecar says 0"),
    ],
)
def test_a_sidecar_that_disagrees_refuses_the_table(results: Path, sidecar: dict[str, int], reason: str) -> None:
    write_sidecar(results.parent / "audit" / "labels" / "chunk_3-00001-of-00002.parquet", sidecar)
    assert reason in refusal(results)


def test_a_damaged_sidecar_refuses_the_table(results: Path) -> None:
    sidecar = results.parent / "audit" / "labels" / "chunk_3-00001-of-00002.parquet"
    write_sidecar(sidecar, {"en": 2}, column="site")
    assert "chunk_3-00001-of-00002.parquet cannot be read" in refusal(results)
    sidecar.unlink()
    sidecar.symlink_to("nowhere")
    assert "chunk_3-00001-of-00002.parquet cannot be read" in refusal(results)
    sidecar.unlink()
    sidecar.write_bytes(b"PAR1")
    assert "chunk_3-00001-of-00002.parquet cannot be read" in refusal(results)


def test_a_zero_byte_file_is_refused(results: Path) -> None:
    (results / "labels" / "language=no" / "chunk_3-00001-of-00002.parquet").write_bytes(b"")
    assert "language=no/chunk_3-00001-of-00002.parquet is empty" in refusal(results)


@pytest.mark.parametrize("keep", [3, 4, 8, 100, -1, -4])
def test_a_truncated_file_is_refused(results: Path, keep: int) -> None:
    path = results / "labels" / "language=no" / "chunk_3-00001-of-00002.parquet"
    path.write_bytes(path.read_bytes()[:keep])
    assert "language=no/chunk_3-00001-of-00002.parquet is not a whole Parquet file" in refusal(results)


def test_a_file_with_a_damaged_footer_is_refused_by_name(results: Path) -> None:
    path = results / "labels" / "language=no" / "chunk_3-00001-of-00002.parquet"
    content = bytearray(path.read_bytes())
    content[-40:-8] = b"\xff" * 32
    path.write_bytes(content)
    assert "language=no/chunk_3-00001-of-00002.parquet cannot be read as Parquet" in refusal(results)


@pytest.mark.parametrize("name", ["chunk_3-00000-of-00003.parquet", "chunk_3-00002-of-00002.parquet"])
def test_a_file_of_another_number_of_parts_is_refused(results: Path, name: str) -> None:
    write_file(results / "labels" / "language=en" / name)
    assert f"{name} does not belong to a chunk of 2 parts" in refusal(results)


@pytest.mark.parametrize(
    "folder",
    ["language=EN", "language=", "language=a b", "language=a=b", "language=é", "language=..", "language=-x", "en"]
    + [
        "site=enwiki",
        "language='",
        'language="',
        "language=a\nb",
        "language=a--b",
        "language=__HIVE_DEFAULT_PARTITION__",
    ],
)
def test_a_file_in_a_folder_that_is_no_keys_is_refused(results: Path, folder: str) -> None:
    write_file(results / "labels" / folder / "chunk_3-00000-of-00002.parquet")
    assert "the folder must be named language=KEY" in refusal(results)


def test_a_name_that_is_not_utf8_is_refused(results: Path) -> None:
    folder = os.fsencode(results / "labels") + b"/language=\xff"
    os.mkdir(folder)
    (results / "labels" / "language=no" / "chunk_3-00001-of-00002.parquet").rename(
        os.fsdecode(folder + b"/chunk_3-00001-of-00002.parquet")
    )
    assert "the folder must be named" in refusal(results)


def test_links_and_folders_named_like_files_are_refused(results: Path) -> None:
    path = results / "labels" / "language=no" / "chunk_3-00000-of-00002.parquet"
    path.mkdir()
    assert "chunk_3-00000-of-00002.parquet is not a regular file" in refusal(results)
    path.rmdir()
    for target in ("/etc/passwd", "nowhere", "chunk_3-00001-of-00002.parquet"):
        path.symlink_to(target)
        assert "chunk_3-00000-of-00002.parquet is not a regular file" in refusal(results)
        path.unlink()


def test_a_missing_table_folder_says_where_to_look(tmp_path: Path) -> None:
    assert "is OUTPUT_DIR right" in refusal(tmp_path / "results")


def test_changes_after_the_survey_are_noticed_by_name(results: Path) -> None:
    found = survey_labels(results)
    assert changed_files(found) == []
    path = results / "labels" / "language=no" / "chunk_3-00001-of-00002.parquet"
    facts = path.stat()
    content = path.read_bytes()
    replacement = path.with_name("new")
    replacement.write_bytes(content)
    os.utime(replacement, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    replacement.rename(path)
    assert len(changed_files(found)) == 1  # the same size and time, yet another file
    path.write_bytes(content[:-1])
    assert [change[:42] for change in changed_files(found)] == ["language=no/chunk_3-00001-of-00002.parquet"]
    path.unlink()
    assert "No such file" in changed_files(found)[0]


def test_a_manifest_is_read_back_as_it_was_written(results: Path, tmp_path: Path) -> None:
    manifest = manifest_of(survey_labels(results))
    write_manifest(tmp_path / "manifests", manifest)
    path = manifest_path(tmp_path / "manifests", one(3), LABELS)
    assert path.read_text().splitlines()[0] == "path,size_bytes,sha256,rows"
    again = read_manifest(tmp_path / "manifests", one(3), LABELS, manifest.folder)
    assert again.files.equals(manifest.files)
    assert again.digest == manifest.digest == file_digest(path)
    assert pl.read_csv(path)["rows"].sum() == 10
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("content", ["", "path,size_bytes\na,1\n", "path,size_bytes,sha256,rows\na,x,b,1\n", "\0"])
def test_a_damaged_manifest_is_refused(tmp_path: Path, content: str) -> None:
    path = manifest_path(tmp_path, one(3), LABELS)
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(ManifestError, match=r"^labels: .*labels\.csv is damaged: run make push CHUNK=3"):
        read_manifest(tmp_path, one(3), LABELS, tmp_path)


def test_a_missing_manifest_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="labels: chunk 3 has no manifest: run make push CHUNK=3"):
        read_manifest(tmp_path, one(3), LABELS, tmp_path)
