"""Values as the Galaxy database keeps them in `mx_value`: the text of a hex dump, little-endian inside.

Byte 0 is the type, with 0x40 for arrays. A string carries its length twice; an array has a header of 11 bytes with the
dimension in bytes 5 and 6. Encodings of types beyond those known from real databases are the simulator's own.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

from mxgateway_contract.filetime import filetime_to_ns, ns_to_filetime
from mxgateway_protocol.variants import DataType

_ARRAY = 0x40
_STRINGS = {
    DataType.STRING,
    DataType.BIG_STRING,
    DataType.INTERNATIONALIZED_STRING,
    DataType.REFERENCE_TYPE,
    DataType.QUALIFIED_STRUCT,
}
_TICKS = {DataType.TIME, DataType.ELAPSED_TIME}


def default_value(data_type: int) -> Any:
    """What an attribute of the type holds when nothing is configured."""
    if data_type in _STRINGS:
        return ""
    if data_type == DataType.BOOLEAN:
        return False
    if data_type in (DataType.FLOAT, DataType.DOUBLE, DataType.ELAPSED_TIME):
        return 0.0
    return 0


def encode(data_type: int, value: Any, dimension: int = 0) -> str:
    """The text for a scalar, or for a sequence of `dimension` elements.

    Time is nanoseconds since 1970 UTC, ElapsedTime is seconds.
    """
    if not dimension:
        return "0x" + _scalar(data_type, value).hex().upper()
    elements = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else []
    elements += [default_value(data_type)] * (dimension - len(elements))
    body = b"".join(_element(data_type, element) for element in elements[:dimension])
    size = len(_element(data_type, default_value(data_type)))
    header = struct.pack("<BIHI", _ARRAY | data_type, len(body) + 6, dimension, size)
    return "0x" + (header + body).hex().upper()


def _scalar(data_type: int, value: Any) -> bytes:
    code = bytes([data_type])
    if data_type == DataType.BOOLEAN:
        return code + bytes([1 if value else 0])
    if data_type == DataType.FLOAT:
        return code + struct.pack("<f", value)
    if data_type == DataType.DOUBLE:
        return code + struct.pack("<d", value)
    if data_type in _STRINGS:
        text = str(value or "").encode("utf-16-le") + b"\0\0"
        return code + struct.pack("<ii", len(text) + 4, len(text)) + text
    if data_type in _TICKS:
        return code + struct.pack("<iq", 8, _ticks(data_type, value))
    return code + struct.pack("<i", int(value or 0))


def _element(data_type: int, value: Any) -> bytes:
    if data_type == DataType.BOOLEAN:
        return b"\xff\xff" if value else b"\0\0"
    if data_type in _STRINGS:
        blob = _scalar(data_type, value)
        return struct.pack("<i", len(blob)) + blob
    if data_type in _TICKS:
        return struct.pack("<qi", _ticks(data_type, value), 0)
    return _scalar(data_type, value)[1:]


def _ticks(data_type: int, value: Any) -> int:
    return ns_to_filetime(value) if data_type == DataType.TIME else round((value or 0) * 10_000_000)


def array_dimension(text: str | None) -> int | None:
    """The dimension that the first 24 characters of an array's text tell, or None when they tell none."""
    if not text or len(text) < 16 or not text.startswith("0x"):
        return None
    try:
        return int.from_bytes(bytes.fromhex(text[12:16]), "little")
    except ValueError:
        return None


def decode(data_type: int, text: str | None, is_array: bool) -> Any:
    """The value that a text holds; the type's default, or an empty tuple, for a text that holds none."""
    try:
        data = bytes.fromhex(text[2:]) if text and text.startswith("0x") else b""
        if is_array:
            return _decode_array(data_type, data)
        return _decode_scalar(data_type, data)
    except (ValueError, struct.error, IndexError):
        return () if is_array else default_value(data_type)


def _decode_scalar(data_type: int, data: bytes) -> Any:
    if len(data) < 2:
        return default_value(data_type)
    if data_type == DataType.BOOLEAN:
        return data[1] != 0
    if data_type == DataType.FLOAT:
        return struct.unpack_from("<f", data, 1)[0]
    if data_type == DataType.DOUBLE:
        return struct.unpack_from("<d", data, 1)[0]
    if data_type in _STRINGS:
        (length,) = struct.unpack_from("<i", data, 5)
        return data[9 : 9 + length].decode("utf-16-le").rstrip("\0")
    if data_type in _TICKS:
        return _from_ticks(data_type, struct.unpack_from("<q", data, 5)[0])
    return struct.unpack_from("<i", data, 1)[0]


def _from_ticks(data_type: int, ticks: int) -> Any:
    return filetime_to_ns(ticks) if data_type == DataType.TIME else ticks / 10_000_000


def _decode_array(data_type: int, data: bytes) -> tuple[Any, ...]:
    if len(data) < 11:
        return ()
    (dimension,) = struct.unpack_from("<H", data, 5)
    elements: list[Any] = []
    at = 11
    for _ in range(dimension):
        if data_type == DataType.BOOLEAN:
            elements.append(data[at] != 0)
            at += 2
        elif data_type in _STRINGS:
            (length,) = struct.unpack_from("<i", data, at)
            elements.append(_decode_scalar(data_type, data[at + 4 : at + 4 + length]))
            at += 4 + length
        elif data_type in _TICKS:
            elements.append(_from_ticks(data_type, struct.unpack_from("<q", data, at)[0]))
            at += 12
        else:
            size = 8 if data_type == DataType.DOUBLE else 4
            elements.append(_decode_scalar(data_type, b"\0" + data[at : at + size]))
            at += size
    return tuple(elements)
