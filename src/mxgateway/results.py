"""The results of bulk calls and of browsing, as lists that show themselves as tables in a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mxgateway.tables import Table, failures, not_good, reading, refusal
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

if TYPE_CHECKING:
    from mxgateway_contract.generated import galaxy_repository_pb2 as galaxy_pb


class ReadResults(Table[pb.BulkReadResult]):
    """Results of `Session.read_bulk`."""

    _columns = ("tag", "value", "quality", "time", "cached")

    def _cells(self, entry: pb.BulkReadResult) -> tuple[object, ...]:
        if not entry.was_successful:
            return entry.tag_address, "", "", "", ""
        return entry.tag_address, *reading(entry), "yes" if entry.was_cached else "no"

    def _problem(self, entry: pb.BulkReadResult) -> str:
        if entry.was_successful:
            return not_good(entry.quality, entry.statuses)
        return failures(entry.statuses) or entry.error_message or "failed"


class SubscribeResults(Table[pb.SubscribeResult]):
    """Results of the bulk calls that add, advise, un-advise and remove items."""

    _columns = ("tag", "item handle")

    def _cells(self, entry: pb.SubscribeResult) -> tuple[object, ...]:
        return entry.tag_address, entry.item_handle

    def _problem(self, entry: pb.SubscribeResult) -> str:
        return refusal(entry)


class WriteResults(Table[pb.BulkWriteResult]):
    """Results of the bulk writes: whether MXAccess took each write. What became of it comes as OnWriteComplete."""

    _columns = ("item handle", "taken")

    def _cells(self, entry: pb.BulkWriteResult) -> tuple[object, ...]:
        return entry.item_handle, "yes" if entry.was_successful else "no"

    def _problem(self, entry: pb.BulkWriteResult) -> str:
        return refusal(entry)


class Events(Table[pb.MxEvent]):
    """Events of `Session.drain_events`; `Events(list_of_events)` makes a table of any."""

    _columns = ("sequence", "event", "item handle", "value", "quality", "time")
    _what = "events"

    def _cells(self, entry: pb.MxEvent) -> tuple[object, ...]:
        if entry.HasField("replay_gap"):
            return "", "replay gap", "", "", "", ""
        known = entry.family in pb.MxEventFamily.values()
        family = pb.MxEventFamily.Name(entry.family).removeprefix("MX_EVENT_FAMILY_") if known else str(entry.family)
        cells = reading(entry) if entry.family == pb.MX_EVENT_FAMILY_ON_DATA_CHANGE else ("", "", "")
        return entry.worker_sequence, family.lower().replace("_", " "), entry.item_handle, *cells

    def _problem(self, entry: pb.MxEvent) -> str:
        if entry.HasField("replay_gap"):
            return "events were lost here"
        valued = entry.family == pb.MX_EVENT_FAMILY_ON_DATA_CHANGE
        return not_good(entry.quality, entry.statuses) if valued else failures(entry.statuses)


class GalaxyObjects(Table["galaxy_pb.GalaxyObject"]):
    """Objects of `GalaxyRepositoryClient.discover_hierarchy`."""

    _columns = ("object", "contained name", "attributes", "template")
    _what = "objects"

    def _cells(self, entry: galaxy_pb.GalaxyObject) -> tuple[object, ...]:
        template = entry.template_chain[0] if entry.template_chain else ""
        return entry.tag_name, entry.contained_name, len(entry.attributes), template
