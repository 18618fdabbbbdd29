"""Tags read by name, as Python values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mxgateway.quality import is_good, is_status_failure, quality_name
from mxgateway.received_values import datetime_of, from_mx_value
from mxgateway.tables import Table, failures, not_good, reading

if TYPE_CHECKING:
    from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb


@dataclass(frozen=True, slots=True)
class Reading:
    """One tag, read once.

    Attributes:
        tag: reference as it was asked for.
        value: Python value, see `from_mx_value`; None when the tag could not be read.
        quality: OPC quality word; 192 is good.
        source_timestamp: UTC, to the microsecond; None when there is none.
        statuses: MxStatusProxy entries.
        error: why the tag could not be read; empty when it was.
        raw: the generated read result.
    """

    tag: str
    value: Any
    quality: int
    source_timestamp: datetime | None
    statuses: tuple[pb.MxStatusProxy, ...]
    error: str
    raw: pb.BulkReadResult

    @property
    def is_good(self) -> bool:
        """Whether it was read, its quality is good and no status reports a failure."""
        return not self.error and is_good(self.quality) and not any(map(is_status_failure, self.statuses))

    def __repr__(self) -> str:
        if self.error:
            return f"<Reading {self.tag}: {self.error}>"
        when = self.source_timestamp.isoformat() if self.source_timestamp is not None else "no time"
        problem = failures(self.statuses)
        parts = [f"{self.tag}={self.value!r}", quality_name(self.quality), when, *([problem] if problem else [])]
        return f"<Reading {', '.join(parts)}>"

    def _repr_html_(self) -> str:
        return Readings([self])._repr_html_()


def reading_of(tag: str, raw: pb.BulkReadResult) -> Reading:
    """The Reading of a read result."""
    error = "" if raw.was_successful else failures(raw.statuses) or raw.error_message or "the tag cannot be read"
    stamped = not error and raw.HasField("source_timestamp")
    return Reading(
        tag=tag,
        value=None if error else from_mx_value(raw.value),
        quality=raw.quality,
        source_timestamp=datetime_of(raw.source_timestamp) if stamped else None,
        statuses=tuple(raw.statuses),
        error=error,
        raw=raw,
    )


class Readings(Table[Reading]):
    """Results of `read`: a list, in the order of the tags that were asked for."""

    _columns = ("tag", "value", "quality", "time")

    def _cells(self, entry: Reading) -> tuple[object, ...]:
        return (entry.tag, "", "", "") if entry.error else (entry.tag, *reading(entry.raw))

    def _problem(self, entry: Reading) -> str:
        return entry.error or not_good(entry.quality, entry.statuses)
