"""Lists that show themselves as tables in a notebook. In every other respect they are lists."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar, Self, SupportsIndex, TypeVar, overload

from mxgateway.quality import is_good, is_status_failure, quality_name
from mxgateway.replies import hresult_text, status_text
from mxgateway.values import from_mx_value
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

if TYPE_CHECKING:
    from mxgateway.change_queue import DataChange
    from mxgateway_contract.generated import galaxy_repository_pb2 as galaxy_pb

T = TypeVar("T")

_MAX_ROWS = 200
_MAX_TEXT = 120


class Table(list[T]):
    """A list whose slices are tables too. A notebook shows at most 200 rows; the line above them counts all."""

    _columns: ClassVar[tuple[str, ...]]
    _what: ClassVar[str] = "results"

    def _cells(self, entry: T) -> tuple[object, ...]:
        """What stands in the columns."""
        raise NotImplementedError

    def _problem(self, entry: T) -> str:
        """What is wrong, or nothing."""
        return ""

    @overload
    def __getitem__(self, index: SupportsIndex, /) -> T: ...
    @overload
    def __getitem__(self, index: slice, /) -> Self: ...
    def __getitem__(self, index: SupportsIndex | slice, /) -> T | Self:
        if isinstance(index, slice):
            return type(self)(super().__getitem__(index))
        return super().__getitem__(index)

    def _repr_html_(self) -> str:
        problems = [self._problem(entry) for entry in self]
        wrong = sum(map(bool, problems))
        what = self._what if len(self) != 1 else self._what.removesuffix("s")
        title = f"<b>{len(self)} {what}</b>" + (f", <b>{wrong} not good</b>" if wrong else "")
        columns = self._columns + (("problem",) if wrong else ())
        rows = []
        for entry, problem in zip(self[:_MAX_ROWS], problems, strict=False):
            cells = self._cells(entry) + ((problem,) if wrong else ())
            rows.append(_row(cells, "color: #b00020" if problem else ""))
        head = "".join(f"<th>{name}</th>" for name in columns)
        more = f"<p>… and {len(self) - _MAX_ROWS} more</p>" if len(self) > _MAX_ROWS else ""
        return f"{title}<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>{more}"


class ReadResults(Table[pb.BulkReadResult]):
    """Results of `Session.read_bulk`."""

    _columns = ("tag", "value", "quality", "time", "cached")

    def _cells(self, entry: pb.BulkReadResult) -> tuple[object, ...]:
        if not entry.was_successful:
            return entry.tag_address, "", "", "", ""
        return entry.tag_address, *_reading(entry), "yes" if entry.was_cached else "no"

    def _problem(self, entry: pb.BulkReadResult) -> str:
        if entry.was_successful:
            return _not_good(entry.quality, entry.statuses)
        return _failures(entry.statuses) or entry.error_message or "failed"


class SubscribeResults(Table[pb.SubscribeResult]):
    """Results of the bulk calls that add, advise, un-advise and remove items."""

    _columns = ("tag", "item handle")

    def _cells(self, entry: pb.SubscribeResult) -> tuple[object, ...]:
        return entry.tag_address, entry.item_handle

    def _problem(self, entry: pb.SubscribeResult) -> str:
        return _refusal(entry)


class WriteResults(Table[pb.BulkWriteResult]):
    """Results of the bulk writes: whether MXAccess took each write. What became of it comes as OnWriteComplete."""

    _columns = ("item handle", "taken")

    def _cells(self, entry: pb.BulkWriteResult) -> tuple[object, ...]:
        return entry.item_handle, "yes" if entry.was_successful else "no"

    def _problem(self, entry: pb.BulkWriteResult) -> str:
        return _refusal(entry)


class Events(Table[pb.MxEvent]):
    """Events of `Session.drain_events`; `Events(list_of_events)` makes a table of any."""

    _columns = ("sequence", "event", "item handle", "value", "quality", "time")
    _what = "events"

    def _cells(self, entry: pb.MxEvent) -> tuple[object, ...]:
        if entry.HasField("replay_gap"):
            return "", "replay gap", "", "", "", ""
        known = entry.family in pb.MxEventFamily.values()
        family = pb.MxEventFamily.Name(entry.family).removeprefix("MX_EVENT_FAMILY_") if known else str(entry.family)
        reading = _reading(entry) if entry.family == pb.MX_EVENT_FAMILY_ON_DATA_CHANGE else ("", "", "")
        return entry.worker_sequence, family.lower().replace("_", " "), entry.item_handle, *reading

    def _problem(self, entry: pb.MxEvent) -> str:
        if entry.HasField("replay_gap"):
            return "events were lost here"
        valued = entry.family == pb.MX_EVENT_FAMILY_ON_DATA_CHANGE
        return _not_good(entry.quality, entry.statuses) if valued else _failures(entry.statuses)


class DataChanges(Table["DataChange"]):
    """Changes of a subscription: `DataChanges(list_of_changes)`."""

    _columns = ("tag", "value", "quality", "time", "how it came")
    _what = "changes"

    def _cells(self, entry: DataChange) -> tuple[object, ...]:
        came = "replayed" if entry.replayed else "recovered" if entry.recovered else "live"
        lost = f", {entry.lost_before} lost before it" if entry.lost_before else ""
        return entry.tag, *_reading(entry.raw), came + lost

    def _problem(self, entry: DataChange) -> str:
        return _not_good(entry.quality, entry.statuses)


class GalaxyObjects(Table["galaxy_pb.GalaxyObject"]):
    """Objects of `GalaxyRepositoryClient.discover_hierarchy`."""

    _columns = ("object", "contained name", "attributes", "template")
    _what = "objects"

    def _cells(self, entry: galaxy_pb.GalaxyObject) -> tuple[object, ...]:
        template = entry.template_chain[0] if entry.template_chain else ""
        return entry.tag_name, entry.contained_name, len(entry.attributes), template


def _row(cells: tuple[object, ...], style: str) -> str:
    from html import escape

    opening = f'<tr style="{style}">' if style else "<tr>"
    return opening + "".join(f"<td>{escape(_shortened(str(cell)))}</td>" for cell in cells) + "</tr>"


def _shortened(text: str) -> str:
    return text if len(text) <= _MAX_TEXT else text[: _MAX_TEXT - 1] + "…"


def _reading(entry: pb.BulkReadResult | pb.MxEvent) -> tuple[object, str, str]:
    """Value, quality in words with its number, and source time in UTC with all its digits."""
    stamp = entry.source_timestamp.ToJsonString() if entry.HasField("source_timestamp") else ""
    return from_mx_value(entry.value), f"{quality_name(entry.quality)} ({entry.quality})", stamp


def _not_good(quality: int, statuses: Iterable[pb.MxStatusProxy]) -> str:
    return _failures(statuses) or ("" if is_good(quality) else quality_name(quality))


def _failures(statuses: Iterable[pb.MxStatusProxy]) -> str:
    return ", ".join(status_text(status) for status in statuses if is_status_failure(status))


def _refusal(entry: pb.SubscribeResult | pb.BulkWriteResult) -> str:
    if entry.was_successful:
        return ""
    hresult = hresult_text(entry.hresult) if entry.HasField("hresult") and entry.hresult else ""
    return " ".join(part for part in (hresult, entry.error_message) if part) or "failed"
