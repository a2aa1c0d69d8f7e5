"""The sample is what the pipeline leaves before a push, and where one is already, other data is not replaced."""

import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from scripts.sample.__main__ import main
from scripts.sample.build import Sample, write_sample
from scripts.sample.entities import SCHEMAS
from scripts.sample.keys import choose_keys
from scripts.sample.source_files import SampleError
from wikidata.config import Table
from wikidata.state import Step, due_chunks, get_all_state

PARTITIONED = [*(f"chunk_3-0000{part}-of-00003" for part in range(3)), "chunk_30-00000-of-00002"]
AT_PROCESS = "chunk_30-00001-of-00002"
every_table = pytest.mark.parametrize("table", list(Table))


def read(path: Path) -> pl.DataFrame:
    return pl.read_parquet(path, hive_partitioning=False)


def all_files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    """Two chunks, the second caught while its last part is at PROCESS."""
    root = tmp_path_factory.mktemp("box")
    split_keys = {table.default_key for table in Table}
    return write_sample(root, {3: 3, 30: 2}, keys=5, rows=4, incomplete={30}, split_keys=split_keys)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Chunk 3 with one part and two keys; to be copied."""
    return write_sample(tmp_path_factory.mktemp("plain"), {3: 1}, keys=2).root


def test_state_files_stand_at_partition_but_for_the_part_at_process(box: Sample) -> None:
    state = get_all_state(box.root / "state")
    assert state["file"].to_list() == [f"{stem}.jsonl" for stem in (*PARTITIONED, AT_PROCESS)]
    assert state["step"].to_list() == [Step.PARTITION] * 4 + [Step.PROCESS]
    assert due_chunks(state) == [3]
    assert (box.root / "state" / f"{AT_PROCESS}.jsonl").read_text() == '{"step": 2}\n'


def test_every_part_has_its_files_and_nothing_else_is_left_behind(box: Sample) -> None:
    expected = {f"state/{stem}.jsonl" for stem in (*PARTITIONED, AT_PROCESS)}
    for table in Table:
        expected |= {f"results/{table}/{stem}.parquet" for stem in (*PARTITIONED, AT_PROCESS)}
        expected |= {f"audit/{table}/{stem}.parquet" for stem in PARTITIONED}
        folders = [f"results/{table}/{table.partition_column}={key}" for key in choose_keys(table, 5)]
        expected |= {f"{folder}/{stem}.parquet" for folder in folders for stem in PARTITIONED}
        split = f"results/{table}/{table.partition_column}={table.default_key}"
        expected |= {f"{split}/{stem}_1.parquet" for stem in PARTITIONED}
    assert all_files(box.root).keys() == expected
    assert (box.written, box.kept) == (len(expected), 0)
    assert (box.partition_files, box.rows) == (len(Table) * 4 * (5 + 1), len(Table) * 4 * 5 * 4)


@every_table
def test_all_files_of_a_part_have_the_same_rows_and_no_id_occurs_twice_for_a_key(box: Sample, table: Table) -> None:
    column = table.partition_column
    every = pl.concat(read(path) for path in (box.root / "results" / table).glob("*/*.parquet"))
    assert not every.select("id", column).is_duplicated().any()
    for stem in PARTITIONED:
        found: dict[str, pl.DataFrame] = {}
        for path in sorted((box.root / "results" / table).glob(f"*/{stem}*.parquet")):
            rows, key = read(path), path.parent.name.partition("=")[2]
            assert rows.schema == SCHEMAS[table]
            assert set(rows[column]) == {key}
            assert rows.height == (2 if key == table.default_key else 4)
            found[key] = pl.concat([found[key], rows]) if key in found else rows
        sidecar = read(box.root / "audit" / table / f"{stem}.parquet")
        assert sidecar.columns == [column, "rows", "min_id", "max_id"]
        bounds = {key: (4, min(rows["id"]), max(rows["id"])) for key, rows in found.items()}
        assert {key: tuple(facts) for key, *facts in sidecar.iter_rows()} == bounds
        whole, parts = read(box.root / "results" / table / f"{stem}.parquet"), pl.concat(found.values())
        order = [name for name, kind in SCHEMAS[table].items() if kind == pl.String]
        assert whole.sort(order).equals(parts.sort(order))


@every_table
def test_any_number_of_keys_can_be_had_and_the_first_is_the_default_one(table: Table) -> None:
    keys = choose_keys(table, 900)
    assert len(set(keys)) == 900
    assert keys[:100] == choose_keys(table, 100)
    assert keys[0] == table.default_key


def test_chunk_0_begins_with_the_real_entities(tmp_path: Path) -> None:
    write_sample(tmp_path, {0: 1}, keys=1, rows=13)
    labels = read(tmp_path / "results/labels/language=en/chunk_0-00000-of-00001.parquet")
    assert {("Q64", "en", "Berlin"), ("P31", "en", "instance of")} <= set(labels.iter_rows())


def test_unpartitioned_files_can_be_left_out(tmp_path: Path) -> None:
    write_sample(tmp_path, {3: 1, 30: 1}, keys=1, incomplete={30}, process_files=False)
    beside = {path for path in all_files(tmp_path) if "=" not in path and path.startswith("results")}
    assert beside == {f"results/{table}/chunk_30-00000-of-00001.parquet" for table in Table}


def test_equal_arguments_give_equal_bytes_whichever_chunks_are_made_together(tmp_path: Path) -> None:
    arguments: dict[str, Any] = {"keys": 3, "rows": 7, "split_keys": {"no"}}
    write_sample(tmp_path / "together", {3: 2, 30: 1}, **arguments)
    for chunk, parts in ((3, 2), (30, 1)):
        write_sample(tmp_path / "apart", {chunk: parts}, **arguments)
    assert all_files(tmp_path / "together") == all_files(tmp_path / "apart")


def test_what_is_there_stays_as_it_is_with_the_steps_it_has_reached(tmp_path: Path, plain: Path) -> None:
    shutil.copytree(plain, tmp_path, dirs_exist_ok=True)
    (tmp_path / "state" / "chunk_3-00000-of-00001.jsonl").write_text('{"step": 4}\n')
    before = {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in tmp_path.rglob("chunk_*")}
    again = write_sample(tmp_path, {3: 1}, keys=2)
    assert (again.written, again.kept) == (0, len(before))
    assert {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in tmp_path.rglob("chunk_*")} == before


def test_what_is_missing_of_an_incomplete_chunk_is_written(tmp_path: Path, plain: Path) -> None:
    write_sample(tmp_path, {3: 1}, keys=2, incomplete={3})
    write_sample(tmp_path, {3: 1}, keys=2)
    assert all_files(tmp_path) == all_files(plain)
    (tmp_path / "results/labels/language=en/chunk_3-00000-of-00001.parquet").unlink()
    assert write_sample(tmp_path, {3: 1}, keys=2).written == 1
    assert all_files(tmp_path) == all_files(plain)


@pytest.mark.parametrize("changed", [{"rows": 4}, {"keys": 1}, {"chunks": {3: 2}}, {"incomplete": {3}}])
def test_other_data_of_a_chunk_is_not_replaced(tmp_path: Path, plain: Path, changed: dict[str, Any]) -> None:
    arguments: dict[str, Any] = {"chunks": {3: 1}, "keys": 2, **changed}
    box = shutil.copytree(plain, tmp_path / "box")
    before = all_files(box)
    with pytest.raises(SampleError, match="chunk 3: .* has other data of it"):
        write_sample(box, **arguments)
    assert all_files(box) == before


def test_a_damaged_state_file_is_other_data(tmp_path: Path, plain: Path) -> None:
    box = shutil.copytree(plain, tmp_path / "box")
    (box / "state" / "chunk_3-00000-of-00001.jsonl").write_text("")
    with pytest.raises(SampleError, match=r"state/chunk_3-00000-of-00001\.jsonl"):
        write_sample(box, {3: 1}, keys=2)


def test_the_command_prints_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--chunks=3=2,30=1", "--keys=2", "--rows=2", "--incomplete=30"]
    assert main([str(tmp_path), *arguments]) == 0
    printed, tables = capsys.readouterr(), len(Table)
    files, rows, written = 4 * tables, 8 * tables, 3 + 9 * tables
    told = f"chunks: 2, partition files: {files}, rows: {rows}; files written: {written}, there already: 0"
    assert (printed.out, printed.err) == (f"{tmp_path}: {told}\n", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "--chunks"),
        ("--chunks=3,x", "--chunks: '3,x' is not a list of chunks"),
        ("--chunks=-1", "chunk -1: must be from 0"),
        ("--chunks=100000", "chunk 100000"),
        ("--chunks=3=0", "chunk 3: must have from 1 to 99999 parts"),
        ("--chunks=3 --keys=0", "at least one key"),
        ("--chunks=3 --rows=0", "at least one row"),
        ("--chunks=3 --incomplete=30", "chunk 30 cannot be incomplete"),
        ("--chunks=3 --split=xx-unknown", "xx-unknown"),
        ("--chunks=3 --entities=nowhere.ndjson", "nowhere.ndjson cannot be read: No such file"),
        ("--chunks=3 --entities=nowhere.ndjson --rows=1", "--rows"),
        ("--chunks=3 --chunk=4", "--chunk=4"),
    ],
)
def test_bad_arguments_are_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: str, message: str
) -> None:
    with pytest.raises(SystemExit) as exit_:
        main([str(tmp_path / "box"), *arguments.split()])
    printed = capsys.readouterr()
    assert (exit_.value.code, printed.out, len(printed.err.splitlines())) == (2, "", 1)
    assert message in printed.err
    assert not (tmp_path / "box").exists()
