"""Structures in Thrift's compact protocol, such as the footer of a Parquet file, read and written without a schema.

What is read is written again as the same bytes, fields that nobody here knows among them.
https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

_TRUE, _FALSE, _BYTE, _DOUBLE, _SET = 1, 2, 3, 7, 10
BINARY, LIST, STRUCT = 8, 9, 12
_INTEGERS = (4, 5, 6)

Fields = dict[int, tuple[int, Any]]
"""Of a structure: id -> type and value, in ascending order. A list is a `Sequence`, a structure `Fields` in turn."""


class Sequence(Struct):
    """:param kind: the type of its elements."""

    kind: int
    items: list[Any]


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def _bytes(self, count: int) -> bytes:
        found = self._data[self._at : self._at + count]
        if len(found) != count:
            raise ValueError("the structure is cut off")
        self._at += count
        return found

    def _byte(self) -> int:
        return self._bytes(1)[0]

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def _integer(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)

    def fields(self) -> Fields:
        found: Fields = {}
        number = 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._integer()
            kind = head & 0x0F
            found[number] = kind, (kind == _TRUE if kind in (_TRUE, _FALSE) else self._value(kind))
        return found

    def _value(self, kind: int) -> Any:
        """Of a field that is no boolean, or of an element."""
        if kind in _INTEGERS:
            return self._integer()
        if kind == BINARY:
            return self._bytes(self._varint())
        if kind == STRUCT:
            return self.fields()
        if kind in (LIST, _SET):
            head = self._byte()
            size = head >> 4 if head >> 4 != 0x0F else self._varint()
            return Sequence(head & 0x0F, [self._value(head & 0x0F) for _ in range(size)])
        if kind in (_TRUE, _FALSE, _BYTE):
            return self._byte()
        if kind == _DOUBLE:
            return self._bytes(8)
        raise ValueError(f"there is a value of type {kind}")


def read_fields(data: bytes) -> Fields:
    """A structure. :raises ValueError: it is none, or has a map, which no footer has."""
    return _Reader(data).fields()


def written_fields(fields: Fields) -> bytes:
    """What `read_fields` reads."""
    out = bytearray()
    before = 0
    for number, (kind, value) in sorted(fields.items()):
        if kind in (_TRUE, _FALSE):
            kind = _TRUE if value else _FALSE
        if 0 < number - before <= 15:
            out.append((number - before) << 4 | kind)
        else:
            out.append(kind)
            out += _varint(number << 1)
        before = number
        if kind not in (_TRUE, _FALSE):
            out += _written(kind, value)
    out.append(0)
    return bytes(out)


def _written(kind: int, value: Any) -> bytes:
    if kind in _INTEGERS:
        return _varint((value << 1) ^ (value >> 63))
    if kind == BINARY:
        return _varint(len(value)) + bytes(value)
    if kind == STRUCT:
        return written_fields(value)
    if kind in (LIST, _SET):
        size = len(value.items)
        head = bytes([size << 4 | value.kind]) if size < 15 else bytes([0xF0 | value.kind]) + _varint(size)
        return head + b"".join(_written(value.kind, item) for item in value.items)
    if kind in (_TRUE, _FALSE, _BYTE):
        return bytes([value])
    return bytes(value)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
