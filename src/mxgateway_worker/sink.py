"""Where the backend's events arrive."""

from __future__ import annotations

from collections.abc import Sequence

from mxgateway_protocol.backend import Sample
from mxgateway_protocol.clock import Clock
from mxgateway_protocol.status import MxStatus
from mxgateway_protocol.variants import Variant
from mxgateway_worker.event_queue import EventQueue


class SessionSink:
    def __init__(self, events: EventQueue, clock: Clock, session_id: str) -> None:
        self.events = events
        self.session_id = session_id

    def on_data_change(
        self,
        server_handle: int,
        item_handle: int,
        value: Variant,
        quality: int,
        timestamp_ns: int,
        statuses: Sequence[MxStatus],
    ) -> None:
        pass

    def on_write_complete(self, server_handle: int, item_handle: int, statuses: Sequence[MxStatus]) -> None:
        pass

    def operation_complete(self, server_handle: int, item_handle: int, statuses: Sequence[MxStatus]) -> None:
        pass

    def on_buffered_data_change(
        self,
        server_handle: int,
        item_handle: int,
        data_type: int,
        samples: Sequence[Sample],
        statuses: Sequence[MxStatus],
    ) -> None:
        pass
