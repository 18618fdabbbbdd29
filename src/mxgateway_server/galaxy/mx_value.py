"""The hex dumps in which the Galaxy database keeps configured values."""

from __future__ import annotations

HEAD_CHARACTERS = 24
"""How much of an mx_value an array's header needs, `0x` included: 11 bytes."""

_DIMENSION = slice(5, 7)


def array_dimension(mx_value: str | None) -> int | None:
    """Length of the array that an mx_value holds, or None when it cannot be told (NULL, `0x00`, cut).

    The dimension is the little-endian uint16 in bytes 5 and 6 of the header; only one-dimensional arrays exist.
    """
    if not mx_value or mx_value[:2].lower() != "0x":
        return None
    digits = mx_value[2 : 2 + 2 * _DIMENSION.stop]
    if len(digits) < 2 * _DIMENSION.stop:
        return None
    try:
        header = bytes.fromhex(digits)
    except ValueError:
        return None
    return int.from_bytes(header[_DIMENSION], "little")
