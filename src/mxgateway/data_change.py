"""One change of one tag, and lists of them that show themselves as tables."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from itertools import repeat
from typing import TYPE_CHECKING, Any

from mxgateway.quality import is_good, is_status_failure, quality_name
from mxgateway.received_values import datetime_of, from_mx_value
from mxgateway.replies import status_text
from mxgateway.tables import Table, not_good, reading

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp

    from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb


_get, _set, _new = object.__getattribute__, object.__setattr__, object.__new__


# Not `slots=True`, which would leave no room for what the late fields are made of.
@dataclass(frozen=True)
class DataChange:
    """One value of one tag.

    Attributes:
        tag: reference as it was subscribed.
        value: Python value, see `from_mx_value`; an OutOfRangeValue where Python has none.
        quality: OPC quality word; 192 is good.
        source_timestamp: UTC, to the microsecond; `raw` has the nanoseconds. None when there is none, or none that
            Python can hold (`raw` has it then, too).
        statuses: MxStatusProxy entries; a failed one says why the reference has no value.
        worker_sequence: position in the session's events; 0 for a value that was read again.
        replayed: it happened while the connection was interrupted and comes late, or is older than a value that was
            delivered already.
        recovered: it was read again because changes had been lost; what came between is not known.
        lost_before: changes known to be lost directly before this one: by the gateway, or by the overflow policy.
        raw: the generated event or read result.
    """

    __slots__ = (
        "_batch",
        "_index",
        "lost_before",
        "quality",
        "raw",
        "recovered",
        "replayed",
        "source_timestamp",
        "statuses",
        "tag",
        "value",
        "worker_sequence",
    )

    tag: str
    value: Any
    quality: int
    source_timestamp: datetime | None
    statuses: tuple[pb.MxStatusProxy, ...]
    worker_sequence: int
    replayed: bool
    recovered: bool
    lost_before: int
    raw: pb.MxEvent | pb.BulkReadResult

    if not TYPE_CHECKING:  # A type checker is to know the fields, and to refuse any other name.

        def __getattr__(self, name: str) -> Any:
            """A field that nobody has read so far: to make all of them costs several times what an event costs."""
            fill = _LATE.get(name)
            if fill is None:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self)
            fill(self)
            return _get(self, name)

    def __getstate__(self) -> tuple[Any, ...]:
        return tuple(getattr(self, each.name) for each in fields(self))

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        for each, value in zip(fields(self), state, strict=True):
            _set(self, each.name, value)

    @property
    def is_good(self) -> bool:
        """Whether the quality is good and no status reports a failure."""
        if not is_good(self.quality):
            return False
        statuses = self.statuses
        return not (statuses and any(is_status_failure(status) for status in statuses))

    def __repr__(self) -> str:
        marks = [name for name in ("replayed", "recovered") if getattr(self, name)]
        if self.lost_before:
            marks.append(f"{self.lost_before} lost before")
        when = self.source_timestamp.isoformat() if self.source_timestamp is not None else "no time"
        failed = [status_text(status) for status in self.statuses if is_status_failure(status)]
        parts = [f"{self.tag}={self.value!r}", quality_name(self.quality), when, *failed, *marks]
        return f"<DataChange {', '.join(parts)}>"

    def _repr_html_(self) -> str:
        return DataChanges([self])._repr_html_()


def _source_timestamp(raw: pb.MxEvent | pb.BulkReadResult) -> datetime | None:
    return datetime_of(raw.source_timestamp) if raw.HasField("source_timestamp") else None


def _statuses(raw: pb.MxEvent | pb.BulkReadResult) -> tuple[pb.MxStatusProxy, ...]:
    found = raw.statuses
    # To make a tuple of a protobuf list takes several times what it takes to see that there is nothing in it.
    return tuple(found) if found else ()


def _event_of(change: Any) -> Any:
    events: Sequence[pb.MxEvent] = change._batch[0]
    return events[change._index]


def _fill_value(change: Any) -> None:
    event = _event_of(change)
    _set(change, "value", from_mx_value(event.value))
    _set(change, "quality", event.quality)
    _set(change, "statuses", _statuses(event))


def _fill_time(change: Any) -> None:
    _set(change, "source_timestamp", _source_timestamp(_event_of(change)))


def _fill_marks(change: Any) -> None:
    _set(change, "worker_sequence", _event_of(change).worker_sequence)
    _set(change, "replayed", False)
    _set(change, "recovered", False)
    _set(change, "lost_before", 0)


def _fill_raw(change: Any) -> None:
    event, received = _event_of(change), change._batch[1]
    if received is not None:
        event.gateway_receive_timestamp.CopyFrom(received)
    _set(change, "raw", event)


_LATE: dict[str, Callable[[Any], None]] = {
    **dict.fromkeys(("value", "quality", "statuses"), _fill_value),
    "source_timestamp": _fill_time,
    **dict.fromkeys(("worker_sequence", "replayed", "recovered", "lost_before"), _fill_marks),
    "raw": _fill_raw,
}
"""What fills a field of a live change when it is read for the first time, and those that are cheap beside it."""

_set_tag: Callable[[DataChange, str], None] = DataChange.__dict__["tag"].__set__
_set_batch: Callable[[DataChange, object], None] = DataChange.__dict__["_batch"].__set__
_set_index: Callable[[DataChange, int], None] = DataChange.__dict__["_index"].__set__


def live_changes_of(
    tags: Sequence[str], events: Sequence[pb.MxEvent], start: int, received: Timestamp | None
) -> list[DataChange]:
    """The DataChanges of OnDataChange events that have no mark; their fields are made when they are read.

    They hold on to the list, not to its events: those become Python's objects only when somebody looks at them, and to
    make, keep and walk over them (the garbage collector does) costs more than the change itself.

    Args:
        tags: reference of each, as it was subscribed.
        events: a batch, which nobody else may change any more.
        start: where in it the events of the tags begin.
        received: when the gateway received them, where they do not say so themselves.
    """
    changes: list[DataChange] = list(map(_new, repeat(DataChange, len(tags))))
    # One turn of a loop for each would cost as much again as what is done in it.
    deque(map(_set_tag, changes, tags), 0)
    deque(map(_set_batch, changes, repeat((events, received))), 0)
    deque(map(_set_index, changes, range(start, start + len(tags))), 0)
    return changes


def change_of(
    tag: str, raw: pb.MxEvent | pb.BulkReadResult, *, sequence: int = 0, replayed: bool = False, recovered: bool = False
) -> DataChange:
    """The DataChange of an OnDataChange event or of a read result."""
    return DataChange(
        tag=tag,
        value=from_mx_value(raw.value),
        quality=raw.quality,
        source_timestamp=_source_timestamp(raw),
        statuses=_statuses(raw),
        worker_sequence=sequence,
        replayed=replayed,
        recovered=recovered,
        lost_before=0,
        raw=raw,
    )


class DataChanges(Table[DataChange]):
    """Changes of a subscription: `DataChanges(list_of_changes)`."""

    _columns = ("tag", "value", "quality", "time", "how it came")
    _what = "changes"

    def _cells(self, entry: DataChange) -> tuple[object, ...]:
        came = "replayed" if entry.replayed else "recovered" if entry.recovered else "live"
        lost = f", {entry.lost_before} lost before it" if entry.lost_before else ""
        return entry.tag, *reading(entry.raw), came + lost

    def _problem(self, entry: DataChange) -> str:
        return not_good(entry.quality, entry.statuses)
