"""Recordings of tag values: CSV, or Parquet where pyarrow is installed.

Columns `tag`, `time` (ISO 8601, UTC unless it says otherwise), `value`, `quality` and, optionally, `type`: a VARTYPE
name such as `VT_R8` or `VT_ARRAY|VT_I4`, or one of bool, int, float, double, string, time. Without a type the value's
look decides. Arrays are JSON lists. An empty value is null, except for strings.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mxgateway_contract.quality import GOOD
from mxgateway_protocol.variants import VT_ARRAY, DataType, Scalar, Variant, VarType

VT = VarType
NS = 1_000_000_000

_TIME = re.compile(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?\s*(Z|[+-]\d\d:?\d\d)?", re.IGNORECASE)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_ALIASES = {
    "bool": VT.VT_BOOL,
    "boolean": VT.VT_BOOL,
    "int": VT.VT_I4,
    "integer": VT.VT_I4,
    "float": VT.VT_R4,
    "double": VT.VT_R8,
    "string": VT.VT_BSTR,
    "time": VT.VT_DATE,
}
_DATA_TYPES = {
    VT.VT_BOOL: DataType.BOOLEAN,
    VT.VT_R4: DataType.FLOAT,
    VT.VT_R8: DataType.DOUBLE,
    VT.VT_BSTR: DataType.STRING,
    VT.VT_DATE: DataType.TIME,
    VT.VT_FILETIME: DataType.TIME,
}
_INTEGERS = {
    VT.VT_I1: (-(2**7), 2**7),
    VT.VT_I2: (-(2**15), 2**15),
    VT.VT_I4: (-(2**31), 2**31),
    VT.VT_I8: (-(2**63), 2**63),
    VT.VT_UI1: (0, 2**8),
    VT.VT_UI2: (0, 2**16),
    VT.VT_UI4: (0, 2**32),
    VT.VT_UI8: (0, 2**64),
}


class RecordingError(ValueError):
    """A recording that cannot be read; the text names file, row and column."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One recorded value of a tag."""

    time_ns: int
    value: Variant
    quality: int


@dataclass(slots=True)
class Recording:
    """All values of a recording, by lower-case tag and in order of time."""

    series: dict[str, list[Moment]] = field(default_factory=dict)
    start_ns: int = 0
    end_ns: int = 0


def read(path: Path) -> Recording:
    """Reads a recording whole.

    Raises:
        RecordingError: the file is missing, of another kind, empty, or has a row that makes no sense.
    """
    recording = Recording()
    try:
        rows = _parquet_rows(path) if path.suffix.lower() == ".parquet" else _csv_rows(path)
        for number, row in enumerate(rows, 2):
            try:
                tag = row.get("tag") or ""
                if not tag:
                    raise ValueError("there is no tag")
                moment = _moment(row)
            except (ValueError, KeyError, TypeError) as error:
                raise RecordingError(f"{path}, row {number}: {error}") from error
            recording.series.setdefault(tag.casefold(), []).append(moment)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RecordingError(f"{path} cannot be read: {error}") from error
    if not recording.series:
        raise RecordingError(f"{path} holds no values")
    for series in recording.series.values():
        series.sort(key=lambda moment: moment.time_ns)
    recording.start_ns = min(series[0].time_ns for series in recording.series.values())
    recording.end_ns = max(series[-1].time_ns for series in recording.series.values())
    return recording


def _csv_rows(path: Path) -> Iterable[Mapping[str, Any]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        missing = {"tag", "time", "value"} - set(reader.fieldnames or ())
        if missing:
            raise RecordingError(f"{path} has no column {', '.join(sorted(missing))}")
        yield from reader


def _parquet_rows(path: Path) -> Iterable[Mapping[str, Any]]:
    try:
        from pyarrow import parquet, timestamp  # type: ignore[import-untyped]
    except ImportError as error:
        raise RecordingError(f"{path}: Parquet needs pyarrow; convert the file to CSV or install pyarrow") from error
    table = parquet.read_table(path)
    missing = {"tag", "time", "value"} - set(table.column_names)
    if missing:
        raise RecordingError(f"{path} has no column {', '.join(sorted(missing))}")
    columns: dict[str, list[Any]] = {}
    for name in table.column_names:
        column = table[name]
        if str(column.type).startswith("timestamp"):
            # As numbers: Python's own times end at microseconds.
            column = column.cast(timestamp("ns", tz=column.type.tz)).cast("int64")
        columns[name] = column.to_pylist()
    return [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]


def _moment(row: Mapping[str, Any]) -> Moment:
    quality = row.get("quality")
    return Moment(
        parse_time(row["time"]),
        parse_value(row["value"], str(row.get("type") or "")),
        GOOD if quality in (None, "") else int(str(quality)),
    )


def parse_time(given: object) -> int:
    """A time as nanoseconds since 1970 UTC; a number is that already.

    Raises:
        ValueError: it is no ISO 8601 time.
    """
    if type(given) is int:
        return given
    if isinstance(given, datetime):
        moment = given if given.tzinfo else given.replace(tzinfo=UTC)
        past = moment - _EPOCH
        return (past.days * 86400 + past.seconds) * NS + past.microseconds * 1000
    match = _TIME.fullmatch(str(given).strip())
    if match is None:
        raise ValueError(f"time {given!r} is not ISO 8601, for example 2026-01-31T12:00:00.5Z")
    text, fraction, zone = match.groups(default="")
    past = datetime.fromisoformat(text + (zone.upper() if zone else "Z").replace("Z", "+00:00")) - _EPOCH
    return (past.days * 86400 + past.seconds) * NS + int(fraction.ljust(9, "0") or "0")


def parse_value(given: object, type_name: str) -> Variant:
    """A cell as a VARIANT.

    Raises:
        ValueError: the type is unknown, or the value is not of it.
    """
    vartype = _vartype(type_name, given)
    base = vartype & ~VT_ARRAY
    data_type = _DATA_TYPES.get(VarType(base), DataType.INTEGER if base in _INTEGERS else DataType.UNKNOWN)
    if base in (VT.VT_EMPTY, VT.VT_NULL):
        return Variant(vartype, None, DataType.NO_DATA)
    if given is None or (given == "" and vartype != VT.VT_BSTR):
        return Variant(VT.VT_NULL, None, data_type)
    if vartype & VT_ARRAY:
        elements = json.loads(given) if isinstance(given, str) else given
        if not isinstance(elements, list):
            raise ValueError("an array's value is a JSON list")
        return Variant(vartype, tuple(_scalar(element, base) for element in elements), data_type)
    return Variant(vartype, _scalar(given, base), data_type)


def _vartype(type_name: str, given: object) -> int:
    if not type_name:
        return _look(given)
    prefix, bar, rest = type_name.strip().rpartition("|")
    name = rest or prefix
    known = _ALIASES.get(name.casefold())
    if known is None:
        try:
            known = VarType[name.upper()]
        except KeyError:
            raise ValueError(f"type {type_name!r} is unknown") from None
    return VT_ARRAY | known if bar else known


def _look(given: object) -> int:
    """The VARTYPE of a value that has no type beside it."""
    if isinstance(given, bool):
        return VT.VT_BOOL
    if isinstance(given, int):
        return VT.VT_I4 if -(2**31) <= given < 2**31 else VT.VT_I8
    if isinstance(given, float):
        return VT.VT_R8
    if isinstance(given, datetime):
        return VT.VT_DATE
    text = str(given or "").strip()
    if not text:
        return VT.VT_NULL
    if text.lower() in ("true", "false"):
        return VT.VT_BOOL
    try:
        return VT.VT_I4 if -(2**31) <= int(text) < 2**31 else VT.VT_I8
    except ValueError:
        pass
    try:
        float(text)
    except ValueError:
        return VT.VT_BSTR
    return VT.VT_R8


def _scalar(given: object, base: int) -> Scalar:
    if base == VT.VT_BSTR:
        return str(given)
    if base == VT.VT_BOOL:
        text = str(given).strip().lower()
        if text not in ("true", "false", "1", "0", "-1"):
            raise ValueError(f"value {given!r} is no bool")
        return text in ("true", "1", "-1")
    if base in (VT.VT_DATE, VT.VT_FILETIME):
        return parse_time(given)
    if base in _INTEGERS:
        number = int(str(given))
        least, end = _INTEGERS[VarType(base)]
        if not least <= number < end:
            raise ValueError(f"value {given!r} is beyond {VarType(base).name}")
        return number
    if base in (VT.VT_R4, VT.VT_R8, VT.VT_CY, VT.VT_DECIMAL):
        return float(str(given))
    return str(given).encode()
