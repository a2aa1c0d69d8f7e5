"""Several Parquet files as one, without decoding a row: the bytes of their row groups one after the other.

What follows the row groups (column indexes, offset indexes, footer) tells where each page lies, so it is written again.
Fields have the names and numbers of https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift.
The outcome is the very file that the writer would have made, had it written all row groups itself, with equal options.
"""

from collections.abc import Sequence
from typing import NamedTuple

from wikidata.dataset.footers import MAGIC
from wikidata.dataset.thrift import Struct, read_struct, written
from wikidata.errors import ProgramError

_LENGTH_BYTES = 4

# FileMetaData
_NUM_ROWS, _ROW_GROUPS = 3, 4
# RowGroup
_COLUMNS, _FILE_OFFSET, _ORDINAL = 1, 5, 7
# ColumnChunk; its own file_offset is 0
_META_DATA, _OFFSET_INDEX_OFFSET, _OFFSET_INDEX_LENGTH, _COLUMN_INDEX_OFFSET, _COLUMN_INDEX_LENGTH = 3, 4, 5, 6, 7
_COLUMN_FILE_OFFSET = 2
# ColumnMetaData
_DATA_PAGE_OFFSET, _INDEX_PAGE_OFFSET, _DICTIONARY_PAGE_OFFSET, _BLOOM_FILTER_OFFSET = 9, 10, 11, 14
# OffsetIndex, PageLocation
_PAGE_LOCATIONS, _OFFSET = 1, 1


class Part(NamedTuple):
    """A Parquet file of some `rows`: MAGIC, row groups of `size_bytes`, and a `tail` of indexes and footer."""

    rows: int
    size_bytes: int
    tail: bytes


class _Column(NamedTuple):
    """A column of a row group, as the footer has it, and its two indexes.

    The writer leaves out the first if a page has no bounds: texts longer than 4 KB, or nothing but NaN.
    """

    chunk: Struct
    column_index: bytes | None
    offset_index: Struct | None


class JoinedTail:
    """The tail of a file with the row groups of several parts, which have the same columns and the same writer."""

    def __init__(self) -> None:
        self._first: Part | None = None
        self._footer: Struct | None = None
        self._columns: list[_Column] = []
        self._offset = len(MAGIC)

    def add(self, part: Part) -> None:
        """Add the part that comes next. Raises ProgramError if it has something that cannot be moved."""
        if self._first is None:  # the tail of a file of one part is its own
            self._first = part
            return
        if self._footer is None:
            self._footer = self._moved(self._first)
        footer = self._moved(part)
        self._footer[_NUM_ROWS] += footer[_NUM_ROWS]
        self._footer[_ROW_GROUPS] += footer[_ROW_GROUPS]

    def content(self) -> bytes:
        """The tail of a file of these parts; nothing if there are none."""
        if self._footer is None:
            return self._first.tail if self._first else b""
        return _tail(self._offset, self._columns, self._footer)

    def _moved(self, part: Part) -> Struct:
        """The footer of a part, with all places as they are in the file; its columns and bytes are counted in."""
        footer, shift = _footer_of(part.tail), self._offset - len(MAGIC)
        for group in footer[_ROW_GROUPS]:
            _check(group)
            _move(group, _FILE_OFFSET, shift)
            self._columns += [_moved(chunk, part, shift) for chunk in group[_COLUMNS]]
        self._offset += part.size_bytes
        return footer


def _tail(start: int, columns: Sequence[_Column], footer: Struct) -> bytes:
    """Indexes and footer, which begin at `start` in the file; the footer learns where."""
    tail = bytearray()
    for chunk, column_index, _ in columns:
        if column_index is not None:
            chunk[_COLUMN_INDEX_OFFSET] = start + len(tail)
            tail += column_index
    for chunk, _, offset_index in columns:
        if offset_index is not None:
            content = written(offset_index)
            chunk[_OFFSET_INDEX_OFFSET], chunk[_OFFSET_INDEX_LENGTH] = start + len(tail), len(content)
            tail += content
    end = written(footer)
    return bytes(tail) + end + len(end).to_bytes(_LENGTH_BYTES, "little") + MAGIC


def _footer_of(tail: bytes) -> Struct:
    end = len(tail) - len(MAGIC) - _LENGTH_BYTES
    length = int.from_bytes(tail[end : end + _LENGTH_BYTES], "little")
    return read_struct(tail[end - length : end])


def _moved(chunk: Struct, part: Part, shift: int) -> _Column:
    """A column with its indexes, the pages of which are moved by `shift`."""
    _move(chunk[_META_DATA], _DATA_PAGE_OFFSET, shift)
    _move(chunk[_META_DATA], _DICTIONARY_PAGE_OFFSET, shift)
    column_index = _index(chunk, _COLUMN_INDEX_OFFSET, _COLUMN_INDEX_LENGTH, part)
    content = _index(chunk, _OFFSET_INDEX_OFFSET, _OFFSET_INDEX_LENGTH, part)
    offset_index = None if content is None else read_struct(content)
    for location in offset_index[_PAGE_LOCATIONS] if offset_index else ():
        _move(location, _OFFSET, shift)
    return _Column(chunk, column_index, offset_index)


def _index(chunk: Struct, offset: int, length: int, part: Part) -> bytes | None:
    """The index of a column whose place the fields `offset` and `length` tell, if it has one."""
    if offset not in chunk:
        return None
    start = chunk[offset] - len(MAGIC) - part.size_bytes
    return part.tail[start : start + chunk[length]]


def _move(struct: Struct, field: int, shift: int) -> None:
    if field in struct:
        struct[field] += shift


def _check(group: Struct) -> None:
    """Raise ProgramError if a row group has places or numbers that other versions of pyarrow may write."""
    chunks = group[_COLUMNS]
    others = {_INDEX_PAGE_OFFSET, _BLOOM_FILTER_OFFSET}
    if _ORDINAL in group or any(chunk[_COLUMN_FILE_OFFSET] or others & chunk[_META_DATA].keys() for chunk in chunks):
        raise ProgramError("this version of pyarrow writes files that cannot be joined: install another, such as 26")
