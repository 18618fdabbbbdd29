"""The hex dumps in which the Galaxy database keeps configured values."""

from __future__ import annotations

HEAD_CHARACTERS = 24
"""How much of an mx_value an array's header needs, `0x` included: 11 bytes."""

MAX_TEXT_CHARACTERS = 256
"""How much of a configured text is kept."""
TEXT_CHARACTERS = 2 + 2 * (9 + 2 * (MAX_TEXT_CHARACTERS + 1))
"""How much of an mx_value such a text needs: `0x`, a header of 9 bytes, UTF-16 and its end."""

_DIMENSION = slice(5, 7)
_TEXT_HEADER = 9


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


def text(mx_value: str | None) -> str | None:
    """The text that an mx_value of a string type holds, cut to MAX_TEXT_CHARACTERS, or None when it holds none.

    Two lengths stand before the text, the second one that of its UTF-16 with the end; an mx_value in which they do not
    fit each other is of another kind.
    """
    if not mx_value or mx_value[:2].lower() != "0x":
        return None
    try:
        data = bytes.fromhex(mx_value[2 : 2 + (len(mx_value) - 2) // 2 * 2])
    except ValueError:
        return None
    outer, inner = (int.from_bytes(data[start : start + 4], "little") for start in (1, 5))
    if len(data) < _TEXT_HEADER or outer != inner + 4 or inner % 2:
        return None
    held = data[_TEXT_HEADER : _TEXT_HEADER + inner]
    # What was cut may end in the middle of a character.
    found = held[: len(held) // 2 * 2].decode("utf-16-le", "ignore").partition("\0")[0]
    return found[:MAX_TEXT_CHARACTERS]
