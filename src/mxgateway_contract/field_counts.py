"""Counts what a serialised message holds before anybody parses it.

A field of two bytes becomes an object of a hundred, so a message's length says little of what it costs. Counting walks
the bytes, makes nothing, stops at the first count that is too high, and gives turns to whoever else has work.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from mxgateway_contract.constants import MAX_BULK_ITEMS
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract.varints import read_varint

MAX_FIELDS = 250_000
"""Most fields and elements in one message, those of its parts included; LMX's longest array has 32,767 elements."""
MAX_DEPTH = 32
"""Most messages inside each other; the contract's own need about ten."""

_TURN = 4096
_VARINT, _FIXED64, _BYTES, _GROUP, _END_GROUP, _FIXED32 = range(6)
_LAST_BYTES = bytes(range(0x80))
_LONGEST_VARINT = 10
_VALUES = frozenset({pb.MxValue.DESCRIPTOR.full_name, pb.MxArray.DESCRIPTOR.full_name})


class FieldCountError(ValueError):
    """There is more in it than may be; the text names the field, and the limit."""


class MalformedMessageError(ValueError):
    """The bytes are no message of this type."""


@dataclass(slots=True)
class _Part:
    """What is known of one field: how often it may occur, what is in it, and how long a packed element is."""

    name: str
    limit: int = 0
    shape: dict[int, _Part] | None = None
    width: int = 0


Shape: TypeAlias = dict[int, _Part]
"""The fields of a message type that have to be looked into, by number."""


@dataclass(slots=True)
class _Level:
    """A message whose end has not come."""

    end: int
    shape: Shape
    counts: dict[int, int] = field(default_factory=dict)


def shape_of(message: Any) -> Shape:
    """What to count in messages with this descriptor.

    A repeated field may have MAX_BULK_ITEMS entries, unless it is part of a value; arrays are bounded as a whole.
    """
    return _shape(message, is_value=False, known={})


def _shape(message: Any, *, is_value: bool, known: dict[tuple[str, bool], Shape]) -> Shape:
    is_value = is_value or message.full_name in _VALUES
    found = known.get((message.full_name, is_value))
    if found is not None:
        return found
    shape = known[message.full_name, is_value] = Shape()
    for part in message.fields:
        limit = MAX_BULK_ITEMS if part.is_repeated and not is_value else 0
        inner = None if part.message_type is None else _shape(part.message_type, is_value=is_value, known=known)
        width = _width(part) if part.is_repeated and inner is None else 0
        if limit or width or inner is not None:
            shape[part.number] = _Part(part.name, limit, inner, width)
    return shape


def _width(part: Any) -> int:
    """Bytes of a packed element; 1 for varints, which have 1 to 10, and 0 for what is never packed."""
    if part.type in (part.TYPE_STRING, part.TYPE_BYTES):
        return 0
    if part.type in (part.TYPE_DOUBLE, part.TYPE_FIXED64, part.TYPE_SFIXED64):
        return 8
    return 4 if part.type in (part.TYPE_FLOAT, part.TYPE_FIXED32, part.TYPE_SFIXED32) else 1


def count_fields(data: bytes, shape: Shape, most: int = MAX_FIELDS) -> Iterator[None]:
    """Walks a message to its end; yields every few thousand fields, so that others get a turn.

    Raises:
        FieldCountError: more than `most` fields and elements, more entries of one field, or a deeper nesting.
        MalformedMessageError: it cannot be parsed anyway.
    """
    try:
        yield from _walk(data, shape, most)
    except (FieldCountError, MalformedMessageError):
        raise
    except (IndexError, ValueError):
        raise MalformedMessageError("the bytes are no message") from None


def _walk(data: bytes, shape: Shape, most: int) -> Iterator[None]:
    level = _Level(len(data), shape)
    above: list[_Level] = []
    position = seen = 0
    pause = _TURN
    while True:
        while position >= level.end:
            if position > level.end:
                raise MalformedMessageError("a field ends after its message")
            if not above:
                return
            level = above.pop()
        tag = data[position]
        if tag < 0x80:
            position += 1
        else:
            tag, position = read_varint(data, position)
        part = level.shape.get(tag >> 3)
        kind = tag & 7
        count = 1
        if kind == _BYTES:
            length, position = read_varint(data, position)
            end = position + length
            if part is not None and part.shape is not None:
                if end > level.end:
                    raise MalformedMessageError("a field ends after its message")
                if len(above) == MAX_DEPTH:
                    raise FieldCountError(f"messages are nested deeper than {MAX_DEPTH} levels")
                _count(level, tag >> 3, part, 1)
                above.append(level)
                level = _Level(end, part.shape)
            else:
                if part is not None and part.width:
                    # An empty one is a field all the same.
                    count = max(1, _packed(data, position, min(end, level.end), part.width, most - seen))
                position = end
        elif kind == _VARINT:
            _, position = read_varint(data, position)
        elif kind == _FIXED64:
            position += 8
        elif kind == _FIXED32:
            position += 4
        elif kind not in (_GROUP, _END_GROUP):
            raise MalformedMessageError("a field of a kind that does not exist")
        if part is not None and part.shape is None:
            _count(level, tag >> 3, part, count)
        seen += count
        if seen > most:
            raise FieldCountError(f"the message has more than {most} fields and elements")
        if seen >= pause:
            pause = seen + _TURN
            yield


def _count(level: _Level, number: int, part: _Part, count: int) -> None:
    if part.limit:
        total = level.counts[number] = level.counts.get(number, 0) + count
        if total > part.limit:
            raise FieldCountError(f"{part.name} has more than {part.limit} entries; send them in several calls")


def _packed(data: bytes, position: int, end: int, width: int, most: int) -> int:
    length = end - position
    if width > 1 or length > _LONGEST_VARINT * most:
        return length // width
    # Of each number only the last byte is below 0x80.
    return length - len(data[position:end].translate(None, _LAST_BYTES))


def top_fields(data: memoryview, most: int) -> Iterator[tuple[int, int | memoryview]]:
    """The fields of a message: number, and the value of a varint or the bytes of anything else.

    Raises:
        FieldCountError: it has more than `most`.
        MalformedMessageError: it cannot be parsed anyway.
    """
    position, size, seen = 0, len(data), 0
    try:
        while position < size:
            seen += 1
            if seen > most:
                raise FieldCountError(f"the message has more than {most} fields")
            tag, position = read_varint(data, position)
            kind = tag & 7
            value: int | memoryview
            if kind == _VARINT:
                value, position = read_varint(data, position)
            elif kind == _BYTES:
                length, position = read_varint(data, position)
                value, position = data[position : position + length], position + length
            elif kind in (_FIXED64, _FIXED32):
                length = 8 if kind == _FIXED64 else 4
                value, position = data[position : position + length], position + length
            else:
                raise MalformedMessageError("a field of a kind that this contract does not have")
            if position > size:
                raise MalformedMessageError("a field ends after its message")
            yield tag >> 3, value
    except (FieldCountError, MalformedMessageError):
        raise
    except (IndexError, ValueError):
        raise MalformedMessageError("the bytes are no message") from None
