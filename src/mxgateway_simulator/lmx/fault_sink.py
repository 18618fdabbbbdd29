"""The sink that the model sees: passes events on, or loses and multiplies them as faults say."""

from __future__ import annotations

from collections.abc import Sequence

from mxgateway_contract.status import MxStatus
from mxgateway_protocol.backend import EventSink, Sample
from mxgateway_protocol.variants import Variant
from mxgateway_simulator.faults import Faults


class FaultySink:
    """An EventSink in front of another; used only while faults of events are set."""

    def __init__(self, sink: EventSink, faults: Faults) -> None:
        self._sink = sink
        self._faults = faults
        self._last: dict[tuple[int, int], tuple[Variant, int, int, Sequence[MxStatus]]] = {}

    def on_data_change(
        self,
        server_handle: int,
        item_handle: int,
        value: Variant,
        quality: int,
        timestamp_ns: int,
        statuses: Sequence[MxStatus],
    ) -> None:
        send = self._sink.on_data_change
        send(server_handle, item_handle, value, quality, timestamp_ns, statuses)
        faults = self._faults
        if faults.late_events:
            self._last[server_handle, item_handle] = (value, quality, timestamp_ns, statuses)
        flood, faults.flood = faults.flood, 0
        for _ in range(flood):
            send(server_handle, item_handle, value, quality, timestamp_ns, statuses)

    def on_write_complete(self, server_handle: int, item_handle: int, statuses: Sequence[MxStatus]) -> None:
        if not self._faults.drops_completion():
            self._sink.on_write_complete(server_handle, item_handle, statuses)

    def operation_complete(self, server_handle: int, item_handle: int, statuses: Sequence[MxStatus]) -> None:
        if not self._faults.drops_completion():
            self._sink.operation_complete(server_handle, item_handle, statuses)

    def on_buffered_data_change(
        self,
        server_handle: int,
        item_handle: int,
        data_type: int,
        samples: Sequence[Sample],
        statuses: Sequence[MxStatus],
    ) -> None:
        self._sink.on_buffered_data_change(server_handle, item_handle, data_type, samples, statuses)

    def replay(self, server_handle: int, item_handle: int) -> None:
        """Delivers the last change of an un-advised item once more, as an event that was under way."""
        last = self._last.pop((server_handle, item_handle), None)
        count, self._faults.late_events = self._faults.late_events, 0
        for _ in range(count if last else 0):
            assert last is not None
            self._sink.on_data_change(server_handle, item_handle, *last)
