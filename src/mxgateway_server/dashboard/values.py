"""Values of tags as the dashboard shows them: digits as texts, so that no browser rounds them. Pure."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

MAX_TEXT = 200
_SAFE = 2**53


@dataclass(frozen=True, slots=True)
class Shown:
    """A value.

    Attributes:
        text: its digits or its text, bounded.
        number: for a plot; None for what no line can be drawn of.
        kind: the type, such as `Float`, with `[]` for an array.
    """

    text: str
    number: float | None
    kind: str


def shown_value(value: pb.MxValue) -> Shown:
    """A value of the wire."""
    kind = pb.MxDataType.Name(value.data_type).removeprefix("MX_DATA_TYPE_").capitalize()
    arm = value.WhichOneof("kind")
    if value.is_null or arm is None:
        return Shown(value.raw_diagnostic[:MAX_TEXT], None, kind)
    if arm == "bool_value":
        return Shown("true" if value.bool_value else "false", float(value.bool_value), kind)
    if arm in ("int32_value", "int64_value"):
        whole = value.int32_value if arm == "int32_value" else value.int64_value
        return Shown(str(whole), float(whole) if abs(whole) < _SAFE else None, kind)
    if arm == "float_value":
        return Shown(_short(value.float_value), _plottable(value.float_value), kind)
    if arm == "double_value":
        return Shown(repr(value.double_value), _plottable(value.double_value), kind)
    if arm == "string_value":
        text = value.string_value
        return Shown(text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + " …", None, kind)
    if arm == "timestamp_value":
        return Shown(value.timestamp_value.ToJsonString(), None, kind)
    if arm == "array_value":
        return Shown("array", None, kind + "[]")
    return Shown("bytes", None, kind)


def _short(number: float) -> str:
    """The fewest digits that make the same number of 32 bits again."""
    texts = (f"{number:.{digits}g}" for digits in (6, 7, 8))
    packed = struct.pack("f", number)
    return next((text for text in texts if struct.pack("f", float(text)) == packed), f"{number:.9g}")


def _plottable(number: float) -> float | None:
    return number if math.isfinite(number) else None
