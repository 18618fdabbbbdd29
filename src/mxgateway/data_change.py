"""One change of one tag, and lists of them that show themselves as tables."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mxgateway.quality import is_good, is_status_failure, quality_name
from mxgateway.received_values import datetime_of, from_mx_value
from mxgateway.replies import status_text
from mxgateway.tables import Table, not_good, reading

if TYPE_CHECKING:
    from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb


@dataclass(frozen=True, slots=True)
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

    @property
    def is_good(self) -> bool:
        """Whether the quality is good and no status reports a failure."""
        return is_good(self.quality) and not any(is_status_failure(status) for status in self.statuses)

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


def change_of(
    tag: str, raw: pb.MxEvent | pb.BulkReadResult, *, sequence: int = 0, replayed: bool = False, recovered: bool = False
) -> DataChange:
    """The DataChange of an OnDataChange event or of a read result."""
    stamped = raw.HasField("source_timestamp")
    return DataChange(
        tag=tag,
        value=from_mx_value(raw.value),
        quality=raw.quality,
        source_timestamp=datetime_of(raw.source_timestamp) if stamped else None,
        statuses=tuple(raw.statuses),
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
