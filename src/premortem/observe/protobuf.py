"""The wire format of Protocol Buffers, as far as metrics need it: fields of a message, in order.

A library for it would be a hundred times larger than the part of the format that is read here.
Source: protobuf.dev, "Encoding".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_VARINT_BYTES_MAX = 10
_SIZES = {FIXED64: 8, FIXED32: 4}


def fields(data: bytes) -> Iterator[tuple[int, int, int | bytes]]:
    """(field number, wire type, value) of the message DATA: varints as unsigned integers, all
    else as its bytes. Raises ValueError for what is no message."""
    place, size = 0, len(data)
    while place < size:
        tag, place = _varint(data, place)
        number, wire = tag >> 3, tag & 7
        if not number:
            raise ValueError("a field has the number 0")
        if wire == VARINT:
            value, place = _varint(data, place)
            yield number, wire, value
            continue
        if wire == BYTES:
            length, place = _varint(data, place)
        elif wire in _SIZES:
            length = _SIZES[wire]
        else:
            raise ValueError(f"a field has the wire type {wire}")
        if length > size - place:
            raise ValueError("a field is longer than its message")
        yield number, wire, data[place : place + length]
        place += length


def double(value: int | bytes) -> float:
    """A `double`. Raises ValueError for another wire type."""
    return float(_unpacked("<d", value))


def fixed64(value: int | bytes) -> int:
    """A `fixed64`. Raises ValueError for another wire type."""
    return int(_unpacked("<Q", value))


def sfixed64(value: int | bytes) -> int:
    """An `sfixed64`. Raises ValueError for another wire type."""
    return int(_unpacked("<q", value))


def nested(value: int | bytes) -> bytes:
    """A message or a string within. Raises ValueError for another wire type."""
    if isinstance(value, int):
        raise ValueError("a number stands where a message belongs")  # noqa: TRY004 - of the data
    return value


def signed(value: int | bytes) -> int:
    """An `int64`. Raises ValueError for another wire type."""
    if not isinstance(value, int):
        raise ValueError("bytes stand where a number belongs")  # noqa: TRY004 - of the data
    return value - (1 << 64) if value >> 63 else value


def _unpacked(form: str, value: int | bytes) -> float:
    if isinstance(value, int) or len(value) != struct.calcsize(form):
        raise ValueError("a field has another wire type than its schema says")
    found: float = struct.unpack(form, value)[0]
    return found


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = 0
    for index in range(_VARINT_BYTES_MAX):
        if place + index >= len(data):
            raise ValueError("it ends within a number")
        byte = data[place + index]
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value & (1 << 64) - 1, place + index + 1
    raise ValueError(f"a number has more than {_VARINT_BYTES_MAX} bytes")
