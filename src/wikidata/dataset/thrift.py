"""Thrift's compact protocol, in which Parquet tells of itself: structures of any fields, read and written again.

As in https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md, but for what Parquet does not
use: maps, sets, and lists of booleans.
"""

from typing import Any

_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _STRUCT = 1, 2, 3, 4, 5, 6, 7, 8, 9, 12
_SIZES = {_BYTE: 1, _DOUBLE: 8}
_LONG = 15
"""A list of so many items or more has its length before it; a field more than so many ahead is given by its number."""


class Struct(dict[int, Any]):
    """The values of the fields by their numbers, which ascend, with the type of each."""

    def __init__(self) -> None:
        super().__init__()
        self.kinds: dict[int, int] = {}


class Items(list[Any]):
    """A list, with the type of its items."""

    kind: int = _STRUCT


def read_struct(data: bytes) -> Struct:
    """The structure that some bytes of a whole footer or index begin with."""
    struct: Struct = _Reader(data).value(_STRUCT)
    return struct


def written(struct: Struct) -> bytes:
    """A structure as bytes."""
    out = bytearray()
    _write(out, _STRUCT, struct)
    return bytes(out)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def value(self, kind: int) -> Any:
        if kind in (_TRUE, _FALSE):
            return None
        if kind in (_I16, _I32, _I64):
            number = self._number()
            return number >> 1 ^ -(number & 1)
        if kind == _LIST:
            return self._items()
        if kind == _STRUCT:
            return self._struct()
        if kind == _BINARY or kind in _SIZES:
            return self._bytes(_SIZES.get(kind) or self._number())
        raise ValueError(f"Parquet uses no type {kind} of Thrift")

    def _bytes(self, size: int) -> bytes:
        self._at += size
        return self._data[self._at - size : self._at]

    def _number(self) -> int:
        number = shift = 0
        while True:
            byte = self._data[self._at]
            self._at += 1
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                return number
            shift += 7

    def _items(self) -> Items:
        head = self._data[self._at]
        self._at += 1
        size = head >> 4
        items = Items()
        items.kind = head & 0xF
        for _ in range(self._number() if size == _LONG else size):
            items.append(self.value(items.kind))
        return items

    def _struct(self) -> Struct:
        struct, field = Struct(), 0
        while head := self._data[self._at]:
            self._at += 1
            ahead, kind = head >> 4, head & 0xF
            field = field + ahead if ahead else self.value(_I16)
            struct.kinds[field] = kind
            struct[field] = self.value(kind)
        self._at += 1
        return struct


def _write(out: bytearray, kind: int, value: Any) -> None:
    if kind in (_I16, _I32, _I64):
        _write_number(out, value << 1 ^ value >> 63)
    elif kind == _LIST:
        _write_items(out, value)
    elif kind == _STRUCT:
        _write_struct(out, value)
    elif kind not in (_TRUE, _FALSE):
        if kind == _BINARY:
            _write_number(out, len(value))
        out += value


def _write_number(out: bytearray, number: int) -> None:
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)


def _write_items(out: bytearray, items: Items) -> None:
    out.append(min(len(items), _LONG) << 4 | items.kind)
    if len(items) >= _LONG:
        _write_number(out, len(items))
    for item in items:
        _write(out, items.kind, item)


def _write_struct(out: bytearray, struct: Struct) -> None:
    before = 0
    for field, value in struct.items():
        kind, ahead = struct.kinds[field], field - before
        out.append((ahead if ahead <= _LONG else 0) << 4 | kind)
        if ahead > _LONG:
            _write(out, _I16, field)
        _write(out, kind, value)
        before = field
    out.append(0)
