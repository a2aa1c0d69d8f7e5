"""How much everything is measured with: the real numbers, and tiny ones which prove that the benchmark works."""

from dataclasses import dataclass
from typing import NamedTuple

from wikidata.config import Table

CHUNK = 3
ROWS = 5


class Size(NamedTuple):
    """A chunk: the files of each of its tables are parts × keys."""

    parts: int
    keys: int

    @property
    def files(self) -> int:
        """The partition files of a table."""
        return self.parts * self.keys

    def of(self, tables: tuple[Table, ...]) -> str:
        """The files of some tables in words: 5 × 1,000 files."""
        return f"{len(tables)} × {self.files:,} files"


@dataclass(frozen=True)
class Scale:
    """The sizes of all contests.

    `state_files` is how many state files there are in all; `grown_chunks` and `grown_keys` what a repo has that
    `grown_files` were pushed to; `key_bytes` the size of the large key's sources, in `key_parts` files.
    """

    tables: tuple[Table, ...]
    small: Size
    large: Size
    huge: Size
    state_files: int
    grown_chunks: int
    grown_keys: int
    key_bytes: int
    key_parts: int
    is_quick: bool

    @property
    def grown_files(self) -> int:
        """How many files a grown repo has."""
        return self.grown_chunks * self.grown_keys


FULL = Scale(
    tables=tuple(Table),
    small=Size(4, 10),
    large=Size(20, 50),
    huge=Size(86, 500),
    state_files=9687,
    grown_chunks=100,
    grown_keys=500,
    key_bytes=1 << 30,
    key_parts=8,
    is_quick=False,
)

QUICK = Scale(
    # The CLI sleeps for 10 s in every run of the specification's loop, so one table has to do.
    tables=(Table.LABELS,),
    small=Size(2, 2),
    large=Size(3, 3),
    huge=Size(3, 4),
    state_files=200,
    grown_chunks=10,
    grown_keys=20,
    key_bytes=4 << 20,
    key_parts=2,
    is_quick=True,
)
