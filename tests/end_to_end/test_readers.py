"""What was pushed is what people read: datasets, polars, DuckDB, pandas and snapshot_download count the same rows."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from localhub.faults import Endpoint
from localhub.testing import RunningHub
from scripts.rehearsal.readers import VENV, Question, check_readers
from tests.helpers.box import REPOS, Box
from tests.helpers.stock import NewBox
from tests.scripts.test_sample_entities import REAL_ENTITIES, needs_real_entities
from wikidata.config import Table

needs_readers = pytest.mark.skipif(
    not (VENV / "ready").exists(), reason=".venv-readers is not there: sh scripts/setup.sh readers"
)
Few = Mapping[Table, Sequence[str]]
"""Keys to load one at a time: English, the default, and Norwegian, which YAML takes for a boolean."""


def rows_pushed(box: Box, table: Table, chunks: Iterable[int]) -> Counter[str]:
    """The rows of every key in the local partition files of these chunks."""
    rows: Counter[str] = Counter()
    for chunk in chunks:
        for path in box.files(table, chunk):
            rows[path.parent.name.partition("=")[2]] += pq.read_metadata(path).num_rows
    return rows


def assert_read(
    box: Box, hub: RunningHub, chunks: Iterable[int], few: Few, home: Path, tables: Iterable[Table] = Table
) -> None:
    """Every reader finds in these tables exactly the rows of the partition files of these chunks."""
    questions = {
        REPOS[table]: Question(table.partition_column, rows_pushed(box, table, chunks), few.get(table, ()))
        for table in tables
    }
    hub.reset_counts()
    home.mkdir()
    assert list(check_readers(hub, questions, home)) == []
    assert Endpoint.OTHER not in hub.counts().requests  # the local Hub has all that they ask for


def push(box: Box, chunk: int, *words: str) -> None:
    done = box.wikidata("push", "--chunk", str(chunk), *words)
    assert done.returncode == 0, done.stderr


@needs_readers
@pytest.mark.instant
@pytest.mark.parametrize("layout", ["files", "packed"])
def test_every_reader_finds_what_was_pushed(tmp_path: Path, new_box: NewBox, hub: RunningHub, layout: str) -> None:
    box = new_box(chunks={3: 2, 30: 1}, keys=5, rows=3, split_keys={"en"})
    box.settings["LAYOUT"] = layout
    push(box, 3)
    few = {table: ("enwiki", "nowiki") if table is Table.LINKS else ("en", "no") for table in Table}
    assert_read(box, hub, [3], few, tmp_path / "home")
    push(box, 30)
    assert_read(box, hub, [3, 30], few, tmp_path / "new-home")


@needs_readers
@pytest.mark.instant
def test_every_reader_finds_packed_and_folded_files(tmp_path: Path, new_box: NewBox, hub: RunningHub) -> None:
    """The configs of a card match both, in one folder and in several."""
    box = new_box(chunks={3: 2, 30: 1}, keys=5, rows=3)
    box.settings["LAYOUT"] = "packed"
    for chunk in (3, 30):
        push(box, chunk, "--table", "labels")
    repo = REPOS[Table.LABELS]
    for packed in [path for path in hub.files(repo) if path.endswith("/chunk_3.parquet") and "=no/" not in path]:
        hub.replace_file(repo, packed.replace("chunk_3", "chunk_0-15"), hub.read(repo, packed))
        hub.delete_file(repo, packed)
    assert_read(box, hub, [3, 30], {Table.LABELS: ("en", "no")}, tmp_path / "home", [Table.LABELS])


@pytest.mark.slow
@needs_readers
@needs_real_entities
def test_every_reader_finds_the_real_entities_before_and_after_a_second_chunk(
    tmp_path: Path, new_box: NewBox, hub: RunningHub
) -> None:
    """Of labels, whose keys are languages as in three other tables, and links, whose keys are sites."""
    box = new_box(chunks={3: 2, 30: 1}, entities=REAL_ENTITIES)
    box.settings["LAYOUT"] = "packed"
    push(box, 3, "--table", "labels")  # hundreds of files, so the CLI is given four workers
    few = {Table.LABELS: ("en", "no")}
    assert_read(box, hub, [3], few, tmp_path / "home", [Table.LABELS])
    box.instant = True
    push(box, 3, "--table", "links")
    push(box, 30, "--table", "labels")
    push(box, 30, "--table", "links")
    assert_read(box, hub, [3, 30], few, tmp_path / "new-home", [Table.LABELS, Table.LINKS])
