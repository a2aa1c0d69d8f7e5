"""What people read datasets with: datasets, polars, DuckDB, pandas and snapshot_download, and what they are to find."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from localhub.testing import RunningHub
from scripts.bench.workspace import environment_of, run
from wikidata.config import ROOT

VENV = ROOT / ".venv-readers"
PROGRAM = Path(__file__).with_name("reading.py")

Rows = Mapping[str, int]
"""The number of rows by key."""


class Question(NamedTuple):
    """The partition column of a repo, the rows of all keys, and the keys to load one at a time, the default first."""

    column: str
    rows: Rows
    few: Sequence[str]


def check_readers(hub: RunningHub, questions: Mapping[str, Question], scratch: Path) -> Iterator[str]:
    """Every reader finds just these rows in these repos, and asks no other host; a line for each that does not.

    `scratch` is an empty folder, for caches.
    """
    asked = {
        repo: {"column": each.column, "keys": sorted(each.rows), "few": each.few} for repo, each in questions.items()
    }
    environment = environment_of(scratch, {**hub.environment, "HF_UPDATE_DOWNLOAD_COUNTS": "0"})
    answer = json.loads(run([str(VENV / "bin" / "python"), str(PROGRAM), json.dumps(asked)], environment))
    if answer["foreign_hosts"]:
        yield f"readers ask for {', '.join(answer['foreign_hosts'])}"
    for repo, question in questions.items():
        for reader, wanted in _expected(question.rows, question.few).items():
            found = answer["rows"][repo][reader]
            if wrong := sorted(key for key in {*wanted, *found} if wanted.get(key) != found.get(key)):
                told = f"{found.get(wrong[0])} rows of {wrong[0]}, not {wanted.get(wrong[0])}"
                yield f"{repo}: {reader} finds {told} ({len(wrong)} such keys)"


def _expected(rows: Rows, few: Sequence[str]) -> Mapping[str, Rows]:
    """What each reader is to find, as reading.py names it."""
    alone = {key: rows[key] for key in few}
    loaded = {f"{kind}/{key}": number for key, number in rows.items() for kind in ("all", "stream")}
    return {
        "datasets": alone | loaded | {f"default/{key}": rows[key] for key in few[:1]},
        "polars over HfFileSystem": rows,
        "polars over http": rows,
        "duckdb": rows,
        "pandas": rows,
        "snapshot_download": alone,
    }
