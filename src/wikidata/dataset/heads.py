"""The heads of the files that a folded file was made from, cut from the folded file itself.

hf_xet asks its store about the first piece of a file, and about one in a thousand of the others: of the files that one
was put together from, it finds the first. Whoever sends the heads of all of them before, with the same cache, lets it
find everything (see DESIGN).
"""

from collections.abc import Iterable
from pathlib import Path

import pyarrow.parquet as pq

from wikidata.dataset.folding import Folded, Local
from wikidata.dataset.footers import MAGIC
from wikidata.names import incoming_path

HEAD_BYTES = 128 << 10
"""The largest piece that Xet cuts files into."""
_WORTHWHILE_BYTES = 4 * HEAD_BYTES
"""Row groups of less, compressed, cost about as much as they save."""


def write_heads(files: Iterable[Folded], made: Path, folder: Path) -> int:
    """Write the head of each source of the files that lie below `made` into a folder of its own; returns how many.

    A source has one if its first row group was kept as it is, and is large enough.
    """
    folder.mkdir()
    number = 0
    for file in files:
        path = made / incoming_path(file.path)
        with path.open("rb") as content:
            for offset in _offsets(file, path):
                content.seek(offset)
                (folder / f"{number}.bin").write_bytes(MAGIC + content.read(HEAD_BYTES))
                number += 1
    return number


def _offsets(file: Folded, path: Path) -> list[int]:
    """Where in a folded file the first row group of each source begins."""
    metadata = pq.read_metadata(path)
    groups: dict[int, pq.RowGroupMetaData] = {}
    first_row = 0
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        groups[first_row] = group
        first_row += group.num_rows
    offsets = []
    first_row = 0
    for part in file.parts:
        rows = part.bundle.rows if isinstance(part, Local) else part.rows
        is_first = isinstance(part, Local) or part.first_row == 0
        found = groups.get(first_row) if is_first else None
        if found is not None and found.num_rows <= rows and _is_worthwhile(found):
            column = found.column(0)
            offsets.append(column.dictionary_page_offset or column.data_page_offset)
        first_row += rows
    return offsets


def _is_worthwhile(group: pq.RowGroupMetaData) -> bool:
    return sum(group.column(index).total_compressed_size for index in range(group.num_columns)) >= _WORTHWHILE_BYTES
