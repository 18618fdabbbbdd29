"""Values as pandas DataFrames. pandas is imported only when one of these functions is called (extra `pandas`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from mxgateway.data_change import DataChange
from mxgateway.quality import is_good, is_status_failure
from mxgateway.readings import Reading
from mxgateway.received_values import from_mx_value
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract.installing import install_command

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp

Valued: TypeAlias = pb.BulkReadResult | pb.MxEvent | DataChange | Reading

# The years 1677 to 2262; the lowest number is NaT.
_PANDAS_MIN, _PANDAS_MAX = -(2**63) + 1, 2**63 - 1

COLUMNS = ("tag", "time", "value", "quality", "good")


def to_dataframe(values: Iterable[Valued], *, tags: Mapping[int, str] | None = None, wide: bool = False) -> Any:
    """Readings, read results, events or changes as a pandas.DataFrame.

    Columns are tag, time (source time, UTC, nanoseconds; NaT without one and beyond the years 1678 to 2261), value,
    quality (OPC word) and good. Events other than OnDataChange are left out.

    Args:
        values: results of `read` or `read_bulk`, events of `stream_events`, or changes of a subscription, also mixed.
        tags: reference of each item handle, for events; without it the handle itself is the tag.
        wide: one column for each tag and one row for each time, of the good values only; gaps stay NaN.

    Raises:
        ModuleNotFoundError: pandas is not installed; the text has the command that installs it.
    """
    try:
        import pandas  # type: ignore[import-untyped]
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"DataFrames need pandas: {install_command('pandas')}", name="pandas") from error

    rows = [row for each in values if (row := _row(each, tags or {})) is not None]
    columns = dict(zip(COLUMNS, zip(*rows, strict=True), strict=True)) if rows else dict.fromkeys(COLUMNS, ())
    try:
        values = pandas.Series(list(columns["value"]))
    except (OverflowError, ValueError):
        # A time or a duration that pandas has no type for stays the object that it is.
        values = pandas.Series(list(columns["value"]), dtype=object)
    frame = pandas.DataFrame({name: values if name == "value" else list(columns[name]) for name in COLUMNS})
    frame["time"] = pandas.to_datetime(frame["time"], utc=True).astype("datetime64[ns, UTC]")
    if wide:
        good = frame[frame["good"].astype(bool)]
        return good.pivot_table(index="time", columns="tag", values="value", aggfunc="last").sort_index()
    return frame


def _row(each: Valued, tags: Mapping[int, str]) -> tuple[Any, ...] | None:
    if isinstance(each, DataChange | Reading):
        return each.tag, _nanoseconds(each.raw), each.value, each.quality, each.is_good
    if isinstance(each, pb.BulkReadResult):
        good = each.was_successful and is_good(each.quality)
        return each.tag_address, _nanoseconds(each), from_mx_value(each.value), each.quality, good
    if each.family != pb.MX_EVENT_FAMILY_ON_DATA_CHANGE:
        return None
    good = is_good(each.quality) and not any(is_status_failure(status) for status in each.statuses)
    tag: Any = tags.get(each.item_handle, each.item_handle)
    return tag, _nanoseconds(each), from_mx_value(each.value), each.quality, good


def _nanoseconds(each: pb.BulkReadResult | pb.MxEvent) -> int | None:
    if not each.HasField("source_timestamp"):
        return None
    stamp: Timestamp = each.source_timestamp
    nanoseconds = stamp.seconds * 1_000_000_000 + stamp.nanos
    return nanoseconds if _PANDAS_MIN <= nanoseconds <= _PANDAS_MAX else None
