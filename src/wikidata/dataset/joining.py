"""Several Parquet files as one, without decoding a row: the bytes of their row groups one after the other.

What follows the row groups (column indexes, offset indexes, footer) tells where each page lies, so it is written anew.
Fields are numbered as in https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift. The
outcome is the very file that the writer would have made, had it written all row groups itself.
"""

from collections.abc import Sequence
from typing import NamedTuple

from wikidata.dataset.thrift import Struct, read_struct, written

MAGIC = b"PAR1"
_LENGTH_BYTES = 4

_ROWS, _ROW_GROUPS = 3, 4  # of a footer
_COLUMNS, _GROUP_PLACE = 1, 5  # of a row group
_FACTS, _OFFSET_INDEX, _OFFSET_INDEX_BYTES, _COLUMN_INDEX, _COLUMN_INDEX_BYTES = 3, 4, 5, 6, 7  # of a column of it
_FIRST_PAGE, _DICTIONARY = 9, 11  # of the facts of a column
_PAGES, _PAGE_PLACE = 1, 1  # of an offset index, and of a page in it


class Part(NamedTuple):
    """A Parquet file: MAGIC, row groups of `size_bytes`, and a `tail` of indexes and footer."""

    size_bytes: int
    tail: bytes


class _Column(NamedTuple):
    """A column of a row group, as the footer has it, and its two indexes."""

    column: Struct
    column_index: bytes
    offset_index: Struct


def joined_tail(parts: Sequence[Part]) -> bytes:
    """The tail of a file with the row groups of one part or more, which have the same columns and the same writer."""
    if len(parts) == 1:
        return parts[0].tail
    footer, place, columns = _footer_of(parts[0].tail), len(MAGIC), list[_Column]()
    footer[_ROWS] = 0
    footer[_ROW_GROUPS].clear()
    for part in parts:
        own, shift = _footer_of(part.tail), place - len(MAGIC)
        for group in own[_ROW_GROUPS]:
            _move(group, _GROUP_PLACE, shift)
            columns += [_moved(column, part, shift) for column in group[_COLUMNS]]
        footer[_ROWS] += own[_ROWS]
        footer[_ROW_GROUPS] += own[_ROW_GROUPS]
        place += part.size_bytes
    return _tail(place, columns, footer)


def _tail(place: int, columns: Sequence[_Column], footer: Struct) -> bytes:
    """What stands from a place in the file on; columns and footer learn of it."""
    tail = bytearray()
    for column, index, _ in columns:
        column[_COLUMN_INDEX] = place + len(tail)
        tail += index
    for column, _, pages in columns:
        index = written(pages)
        column[_OFFSET_INDEX], column[_OFFSET_INDEX_BYTES] = place + len(tail), len(index)
        tail += index
    end = written(footer)
    return bytes(tail) + end + len(end).to_bytes(_LENGTH_BYTES, "little") + MAGIC


def _footer_of(tail: bytes) -> Struct:
    end = len(tail) - len(MAGIC) - _LENGTH_BYTES
    length = int.from_bytes(tail[end : end + _LENGTH_BYTES], "little")
    return read_struct(tail[end - length : end])


def _moved(column: Struct, part: Part, shift: int) -> _Column:
    """A column with its indexes, the pages of which are moved by `shift`."""
    start = len(MAGIC) + part.size_bytes
    first, pages = column[_COLUMN_INDEX] - start, column[_OFFSET_INDEX] - start
    offset_index = read_struct(part.tail[pages : pages + column[_OFFSET_INDEX_BYTES]])
    for page in offset_index[_PAGES]:
        _move(page, _PAGE_PLACE, shift)
    _move(column[_FACTS], _FIRST_PAGE, shift)
    _move(column[_FACTS], _DICTIONARY, shift)
    return _Column(column, part.tail[first : first + column[_COLUMN_INDEX_BYTES]], offset_index)


def _move(struct: Struct, place: int, shift: int) -> None:
    """Move a place in the file, if it is told."""
    if place in struct:
        struct[place] += shift
