"""Coercion as COM's own VariantChangeType does it, for LMXProxy may well use it: the switch `coercion = automation`.

In the locale that belongs to no country: a point, and dates as month/day/year.
"""

from __future__ import annotations

import math
import re
import struct
from datetime import UTC, datetime, timedelta
from typing import Any

from mxgateway_contract.status import Detail
from mxgateway_protocol.variants import DataType, Variant, VarType
from mxgateway_simulator.lmx.coercion import CoercionError

_DAY_NS = 86_400_000_000_000
_EPOCH_DAYS = 25_569
_FIRST_DAY, _END_DAY = -657_434, 2_958_466
_INT_MIN, _INT_MAX = -(1 << 31), (1 << 31) - 1
_FLOAT_MAX = struct.unpack("<f", b"\xff\xff\x7f\x7f")[0]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eEdD][+-]?\d+)?\s*")
_DATE = re.compile(r"\s*(\d{1,2})/(\d{1,2})/(\d{4})(?:\s+(\d{1,2}):(\d{2})(?::(\d{2}))?)?\s*")
_ISO_DATE = re.compile(r"\s*(\d{4})-(\d{1,2})-(\d{1,2})(?:\s+(\d{1,2}):(\d{2})(?::(\d{2}))?)?\s*")


def by_automation(variant: Variant, data_type: int) -> Any:
    """A scalar VARIANT as a value of the type.

    Raises:
        CoercionError: the type does not take it.
    """
    value = variant.value
    is_finite = not isinstance(value, float) or math.isfinite(value)
    if variant.is_array or value is None or isinstance(value, bytes | tuple) or not is_finite:
        raise CoercionError(Detail.INCORRECT_DATA_TYPE)
    return change_type(variant.vartype, value, data_type)


def change_type(vartype: int, value: Any, data_type: int) -> Any:
    """A scalar as one of Boolean, Integer, Float, Double, Time, or a text.

    Raises:
        CoercionError: VariantChangeType fails.
    """
    if data_type == DataType.BOOLEAN:
        return _boolean(vartype, value)
    if data_type == DataType.INTEGER:
        return _integer(vartype, value)
    if data_type in (DataType.FLOAT, DataType.DOUBLE):
        return _real(vartype, value, data_type)
    if data_type == DataType.TIME:
        return _time(vartype, value)
    return _text(vartype, value)


def days_of(unix_ns: int) -> float:
    """The VARIANT date of a time."""
    whole, rest = divmod(unix_ns + _EPOCH_DAYS * _DAY_NS, _DAY_NS)
    fraction = rest / _DAY_NS
    return whole + fraction if whole >= 0 else whole - fraction


def _ns_of(days: float) -> int:
    if not math.isfinite(days) or not _FIRST_DAY <= days < _END_DAY:
        raise CoercionError(Detail.OVERFLOW)
    whole = math.trunc(days)
    return (whole - _EPOCH_DAYS) * _DAY_NS + round(abs(days - whole) * 86_400_000_000) * 1000


def _number(vartype: int, value: Any) -> int | float:
    """Whatever is a number, or can be read as one."""
    if vartype in (VarType.VT_DATE, VarType.VT_FILETIME):
        return days_of(value)
    if isinstance(value, bool):
        return -int(value)
    if not isinstance(value, str):
        return value  # type: ignore[no-any-return]
    if not _NUMBER.fullmatch(value):
        raise CoercionError(Detail.UNABLE_TO_CONVERT_STRING)
    return float(value.lower().replace("d", "e"))


def _boolean(vartype: int, value: Any) -> bool:
    if isinstance(value, str):
        word = value.strip().lower().strip("#")
        if word in ("true", "false"):
            return word == "true"
    return _number(vartype, value) != 0


def _integer(vartype: int, value: Any) -> int:
    # Halves go to the even neighbour.
    number = round(_number(vartype, value))
    if not _INT_MIN <= number <= _INT_MAX:
        raise CoercionError(Detail.OVERFLOW)
    return number


def _real(vartype: int, value: Any, data_type: int) -> float:
    number = float(_number(vartype, value))
    if data_type == DataType.DOUBLE:
        return number
    if abs(number) > _FLOAT_MAX:
        raise CoercionError(Detail.OVERFLOW)
    return float(struct.unpack("<f", struct.pack("<f", number))[0])


def _time(vartype: int, value: Any) -> int:
    if vartype in (VarType.VT_DATE, VarType.VT_FILETIME):
        return int(value)
    if not isinstance(value, str):
        return _ns_of(float(_number(vartype, value)))
    american, iso = _DATE.fullmatch(value), _ISO_DATE.fullmatch(value)
    if american:
        month, day, year, hour, minute, second = (int(part or 0) for part in american.groups())
    elif iso:
        year, month, day, hour, minute, second = (int(part or 0) for part in iso.groups())
    else:
        raise CoercionError(Detail.UNABLE_TO_CONVERT_STRING)
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        raise CoercionError(Detail.UNABLE_TO_CONVERT_STRING) from None
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000


def _text(vartype: int, value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "-1" if value else "0"
    if vartype in (VarType.VT_DATE, VarType.VT_FILETIME):
        return _date_text(value)
    if isinstance(value, float):
        digits = 7 if vartype == VarType.VT_R4 else 15
        mantissa, e, exponent = f"{value:.{digits}G}".partition("E")
        return f"{mantissa}E{exponent[0]}{exponent[1:].zfill(2)}" if e else mantissa
    return str(value)


def _date_text(unix_ns: int) -> str:
    seconds = round(unix_ns / 10**9)
    moment = _EPOCH + timedelta(seconds=seconds)
    date, clock = f"{moment:%m/%d/%Y}", f"{moment:%H:%M:%S}"
    whole = math.trunc(days_of(unix_ns))
    if not whole:
        return clock
    return date if clock == "00:00:00" else f"{date} {clock}"
