"""Values as descriptions write them, made into the attribute's type."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from mxgateway_contract.filetime import filetime_to_ns
from mxgateway_protocol.variants import DataType
from mxgateway_simulator.mx_value import default_value
from mxgateway_simulator.signal_specs import SignalSpecError, duration_ns

_INT_MIN, _INT_MAX = -(1 << 31), (1 << 31) - 1
_FLOAT_MAX = struct.unpack("<f", b"\xff\xff\x7f\x7f")[0]
_EXPONENT = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+")
_TEXTS = {
    DataType.STRING,
    DataType.BIG_STRING,
    DataType.INTERNATIONALIZED_STRING,
    DataType.REFERENCE_TYPE,
    DataType.QUALIFIED_STRUCT,
}


class ConfiguredValueError(ValueError):
    """A configured value that does not fit its type; the text says what would."""


def configured_value(data_type: int, dimension: int, value: Any, enum: Sequence[str] = ()) -> Any:
    """The configured value of an attribute; None gives the type's default. A short array is filled with defaults.

    Raises:
        ConfiguredValueError: the value does not fit the type.
    """
    if not dimension:
        return _scalar(data_type, value, enum)
    if value is None:
        value = []
    if not isinstance(value, list):
        raise ConfiguredValueError(f"an array of {dimension} elements wants a list, not {value!r}")
    if len(value) > dimension:
        raise ConfiguredValueError(f"{len(value)} values do not fit an array of {dimension}; raise `array`")
    elements = [_scalar(data_type, element, enum) for element in value]
    return tuple(elements + [default_value(data_type)] * (dimension - len(elements)))


def _scalar(data_type: int, value: Any, enum: Sequence[str]) -> Any:
    if value is None:
        return default_value(data_type)
    if data_type in _TEXTS:
        if not isinstance(value, str):
            raise ConfiguredValueError(f"a text is wanted, not {value!r}; put it in quotes")
        return value
    if data_type == DataType.BOOLEAN:
        if not isinstance(value, bool):
            raise ConfiguredValueError(f"true or false is wanted, not {value!r}")
        return value
    if data_type == DataType.TIME:
        return _time(value)
    if data_type == DataType.ELAPSED_TIME:
        try:
            return duration_ns(value) / 1e9
        except SignalSpecError as error:
            raise ConfiguredValueError(str(error)) from None
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ConfiguredValueError(f"a number is wanted, not {value!r}")
    if data_type in (DataType.FLOAT, DataType.DOUBLE):
        return _real(data_type, value)
    return _integer(data_type, value, enum)


def _real(data_type: int, value: Any) -> float:
    # NaN is what the product's floats hold before anything has been measured.
    if isinstance(value, str):
        hint = "; YAML reads it as text, write it as 1000 or 1.0e+3" if _EXPONENT.fullmatch(value) else ""
        raise ConfiguredValueError(f"a finite number or .nan is wanted, not {value!r}{hint}")
    if math.isinf(value):
        raise ConfiguredValueError(f"a finite number or .nan is wanted, not {value!r}")
    if data_type == DataType.FLOAT and abs(value) > _FLOAT_MAX:
        raise ConfiguredValueError(f"{value!r} is beyond a Float; use Double")
    return float(value)


def _integer(data_type: int, value: Any, enum: Sequence[str]) -> int:
    if isinstance(value, str):
        if data_type == DataType.QUALIFIED_ENUM and value in enum:
            return list(enum).index(value)
        raise ConfiguredValueError(
            f"{value!r} is no whole number" + (f" and none of {', '.join(enum)}" if enum else "")
        )
    if not math.isfinite(value) or int(value) != value or not _INT_MIN <= value <= _INT_MAX:
        raise ConfiguredValueError(f"a whole number of 32 bits is wanted, not {value!r}")
    return int(value)


def _time(value: Any) -> int:
    if isinstance(value, datetime):
        moment = value
    else:
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            raise ConfiguredValueError(f"{value!r} is no time; write it as 2025-01-31T12:00:00Z") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    unix_ns = (since.days * 86400 + since.seconds) * 10**9 + since.microseconds * 1000
    if unix_ns < filetime_to_ns(0):
        raise ConfiguredValueError(f"{value!r} is before 1601, where the Galaxy's times begin")
    return unix_ns
