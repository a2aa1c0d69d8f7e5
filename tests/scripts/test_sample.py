"""The sample is what the pipeline leaves before a push: names, layout, contents, sidecars, state."""

import json
from pathlib import Path

import polars as pl
import pytest

from scripts.sample.__main__ import Sample, main, write_sample
from scripts.sample.entities import SCHEMAS
from scripts.sample.keys import choose_keys, is_valid_key
from scripts.sample.well_known import read_well_known
from wikidata.config import Table
from wikidata.state import Step, due_chunks, get_all_state


def names(root: Path, pattern: str) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.glob(pattern))


def read(path: Path) -> pl.DataFrame:
    return pl.read_parquet(path, hive_partitioning=False)


def partitions(root: Path, table: Table, stem: str) -> dict[str, pl.DataFrame]:
    """The rows of every key in the partition files of one source file."""
    found: dict[str, pl.DataFrame] = {}
    for path in sorted((root / "results" / table).glob(f"{table.partition_column}=*/{stem}*.parquet")):
        key = path.parent.name.partition("=")[2]
        found[key] = pl.concat([found[key], read(path)]) if key in found else read(path)
    return found


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    """Two chunks, the second caught while its last part is at PROCESS."""
    root = tmp_path_factory.mktemp("box")
    return write_sample(root, {3: 3, 30: 2}, keys=5, rows=4, incomplete={30}, split_keys={"en", "enwiki"})


class TestLayout:
    def test_every_source_file_has_a_state_file(self, box: Sample) -> None:
        state = get_all_state(box.root / "state")
        assert state["file"].to_list() == [
            *(f"chunk_3-0000{part}-of-00003.jsonl" for part in range(3)),
            *(f"chunk_30-0000{part}-of-00002.jsonl" for part in range(2)),
        ]
        assert state["step"].to_list() == [Step.PARTITION] * 4 + [Step.PROCESS]
        assert due_chunks(state) == [3]
        assert (box.root / "state" / "chunk_3-00000-of-00003.jsonl").read_text() == '{"step": 3}\n'

    @pytest.mark.parametrize("table", list(Table))
    def test_every_part_has_a_file_for_every_key(self, box: Sample, table: Table) -> None:
        folder = box.root / "results" / table
        keys = choose_keys(table, 5)
        stems = [
            "chunk_3-00000-of-00003",
            "chunk_3-00001-of-00003",
            "chunk_3-00002-of-00003",
            "chunk_30-00000-of-00002",
        ]
        expected = {f"{table.partition_column}={key}/{stem}.parquet" for key in keys for stem in stems}
        split = "enwiki" if table is Table.LINKS else "en"
        expected |= {f"{table.partition_column}={split}/{stem}_1.parquet" for stem in stems}
        assert set(names(folder, "*/*")) == expected

    @pytest.mark.parametrize("table", list(Table))
    def test_every_source_file_has_an_unpartitioned_file(self, box: Sample, table: Table) -> None:
        stems = [name.removesuffix(".jsonl") for name in names(box.root / "state", "*")]
        assert names(box.root / "results" / table, "*.parquet") == [f"{stem}.parquet" for stem in stems]

    def test_nothing_else_is_left_behind(self, box: Sample) -> None:
        assert names(box.root, "*") == ["audit", "results", "state"]
        files = [path.name for path in box.root.rglob("*") if path.is_file()]
        assert all(name.startswith("chunk_") and name.endswith((".parquet", ".jsonl")) for name in files)
        assert box.written == len(files)

    def test_the_part_at_process_has_unpartitioned_files_and_nothing_else(self, box: Sample) -> None:
        found = names(box.root, "[ra]*/**/chunk_30-00001-*")
        assert found == sorted(f"results/{table}/chunk_30-00001-of-00002.parquet" for table in Table)

    @pytest.mark.parametrize("table", list(Table))
    def test_there_are_as_many_keys_as_asked_for(self, table: Table) -> None:
        keys = choose_keys(table, 900)
        assert len(set(keys)) == 900
        assert all(is_valid_key(key) for key in keys)
        assert keys[:500] == choose_keys(table, 500)

    def test_the_first_keys_are_real_and_of_all_forms(self) -> None:
        assert {"no", "en", "zh-hant", "be-tarask", "mul"} <= set(choose_keys(Table.LABELS, 10))
        assert {"enwiki", "commonswiki", "zh_min_nanwiki"} <= set(choose_keys(Table.LINKS, 10))

    def test_sidecars_and_unpartitioned_files_can_be_left_out(self, tmp_path: Path) -> None:
        write_sample(tmp_path, {3: 1, 30: 1}, keys=1, incomplete={30}, sidecars=False, process_files=False)
        assert names(tmp_path, "audit/*/*") == []
        assert names(tmp_path, "results/*/*.parquet") == sorted(
            f"results/{table}/chunk_30-00000-of-00001.parquet" for table in Table
        )


class TestContents:
    @pytest.mark.parametrize("table", list(Table))
    def test_all_files_of_a_table_have_one_schema_with_the_partition_column(self, box: Sample, table: Table) -> None:
        for path in (box.root / "results" / table).rglob("*.parquet"):
            frame = read(path)
            assert frame.schema == SCHEMAS[table]
            if path.parent.name != table:
                assert frame[table.partition_column].unique().to_list() == [path.parent.name.partition("=")[2]]

    @pytest.mark.parametrize("table", list(Table))
    def test_an_unpartitioned_file_is_the_union_of_its_partitions(self, box: Sample, table: Table) -> None:
        for part in range(3):
            stem = f"chunk_3-0000{part}-of-00003"
            parts = pl.concat(partitions(box.root, table, stem).values())
            whole = read(box.root / "results" / table / f"{stem}.parquet")
            order = [column for column, type_ in whole.schema.items() if type_ == pl.String]
            assert whole.sort(order).equals(parts.sort(order))

    @pytest.mark.parametrize("table", list(Table))
    def test_a_sidecar_tells_the_rows_and_bounds_of_every_key(self, box: Sample, table: Table) -> None:
        sidecars = sorted((box.root / "audit" / table).iterdir())
        assert len(sidecars) == 4
        for sidecar in sidecars:
            found = partitions(box.root, table, sidecar.stem)
            bounds = {key: (rows.height, min(rows["id"]), max(rows["id"])) for key, rows in found.items()}
            audit = read(sidecar)
            assert audit.columns == [table.partition_column, "rows", "min_id", "max_id"]
            assert {key: tuple(facts) for key, *facts in audit.iter_rows()} == bounds

    @pytest.mark.parametrize("table", list(Table))
    def test_it_says_what_it_wrote(self, box: Sample, table: Table) -> None:
        for chunk, stem, parts in ((3, "chunk_3-", 3), (30, "chunk_30-", 1)):
            found = {key: rows.height for key, rows in partitions(box.root, table, stem).items()}
            assert box.rows(table, chunk) == found == dict.fromkeys(sorted(choose_keys(table, 5)), 4 * parts)
        assert set(box.rows(table).values()) == {16}
        split = box.partitions.filter(pl.col("table") == table.value, pl.col("files") == 2)
        assert split["key"].unique().to_list() == ["enwiki" if table is Table.LINKS else "en"]

    @pytest.mark.parametrize("table", list(Table))
    def test_an_id_occurs_once_a_key_in_all_chunks(self, box: Sample, table: Table) -> None:
        rows = pl.concat(read(path) for path in (box.root / "results" / table).glob("*/*.parquet"))
        assert not rows.select("id", table.partition_column).is_duplicated().any()

    def test_claims_are_of_every_kind(self) -> None:
        claims = read_well_known()[Table.CLAIMS]
        assert set(claims["rank"]) == {"preferred", "normal", "deprecated"}
        assert set(claims["snaktype"]) == {"value", "somevalue", "novalue"}
        assert {"mul", "de", "nb"} <= set(claims["language"])
        by_datatype = {(id_, datatype): value for id_, datatype, value in claims["id", "datatype", "value"].rows()}
        assert by_datatype["Q20", "monolingualtext"] == "Kongeriket Noreg"
        assert by_datatype["P31", "wikibase-property"] == "P279"
        assert by_datatype["Q64", "quantity"] == '{"amount":"+891","unit":"http://www.wikidata.org/entity/Q712226"}'
        assert json.loads(by_datatype["Q183", "time"])["time"] == "+1949-05-23T00:00:00Z"
        assert json.loads(by_datatype["Q90", "globe-coordinate"])["longitude"] == 2.35

    def test_chunk_0_begins_with_the_real_entities(self, tmp_path: Path) -> None:
        write_sample(tmp_path, {0: 1}, keys=1, rows=13)
        labels = read(tmp_path / "results/labels/language=en/chunk_0-00000-of-00001.parquet")
        assert {("Q64", "en", "Berlin"), ("Q5", "en", "human"), ("P31", "en", "instance of")} <= set(labels.iter_rows())

    def test_split_files_hold_half_of_the_rows_each(self, box: Sample) -> None:
        folder = box.root / "results" / "labels" / "language=en"
        first, second = (read(folder / f"chunk_3-00000-of-00003{suffix}.parquet") for suffix in ("", "_1"))
        assert (first.height, second.height) == (2, 2)


class TestCommandLine:
    def test_it_prints_one_line(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        arguments = [str(tmp_path), "--chunks=3,30", "--parts=3=2,30=1", "--keys=2", "--rows=2", "--incomplete=30"]
        assert main([*arguments, "--split=en", "--seed=7"]) == 0
        printed = capsys.readouterr()
        assert printed.out == f"{tmp_path}: 2 chunks: 28 partition files, 40 rows; 56 files written, 0 there already\n"
        assert printed.err == ""

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ("", "--chunks"),
            ("--chunks=", "--chunks"),
            ("--chunks=x", "'x' is no whole number"),
            ("--chunks=-1", "'-1' is no whole number"),
            ("--chunks=3,3", "names one twice"),
            ("--chunks=100000", "chunk 100000"),
            ("--chunks=3 --parts=0", "chunk 3: must have from 1 to 99999 parts"),
            ("--chunks=3 --parts=100000", "chunk 3: must have from 1 to 99999 parts"),
            ("--chunks=3,30 --parts=3=4", "--parts"),
            ("--chunks=3 --parts=3=4,30=2", "--parts"),
            ("--chunks=3 --parts=3=", "--parts"),
            ("--chunks=3 --keys=0", "at least one key"),
            ("--chunks=3 --rows=0", "at least one row"),
            ("--chunks=3 --rows=1.5", "'1.5' is no whole number"),
            ("--chunks=3 --incomplete=30", "chunk 30 cannot be incomplete"),
            ("--chunks=3 --split=xx-unknown", "xx-unknown"),
            ("--chunks=3 --entities=nowhere.ndjson", "nowhere.ndjson cannot be read: No such file"),
            ("--chunks=3 --entities=nowhere.ndjson --rows=2", "--rows"),
            ("--chunks=3 --entities=nowhere.ndjson --seed=0", "--seed"),
            ("--chunks=3 --chunk=4", "--chunk=4"),
        ],
    )
    def test_bad_arguments_are_refused_in_one_line(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: str, message: str
    ) -> None:
        with pytest.raises(SystemExit) as exit_:
            main([str(tmp_path / "box"), *arguments.split()])
        printed = capsys.readouterr()
        assert exit_.value.code == 2
        assert printed.out == ""
        assert len(printed.err.splitlines()) == 1
        assert message in printed.err
        assert not (tmp_path / "box").exists()

    def test_other_data_is_refused_in_one_line(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        main([str(tmp_path), "--chunks=3", "--parts=1", "--keys=1"])
        with pytest.raises(SystemExit) as exit_:
            main([str(tmp_path), "--chunks=3", "--parts=1", "--keys=2"])
        assert exit_.value.code == 2
        assert len(capsys.readouterr().err.splitlines()) == 1

    def test_a_root_that_is_a_file_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(SystemExit) as exit_:
            main([str(tmp_path / "file"), "--chunks=3"])
        assert exit_.value.code == 2
