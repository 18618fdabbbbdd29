"""Where the backend's events arrive: written once as bytes, kept as the item's last value, put into the queue."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from mxgateway_contract.status import MxStatus
from mxgateway_protocol.backend import Sample
from mxgateway_protocol.clock import Clock
from mxgateway_protocol.contract import CALM_AFTER_ADDING, MAX_FRAME_BYTES
from mxgateway_protocol.events import EventEncoder, ItemTemplate
from mxgateway_protocol.variants import Variant, VarType, vartype_name
from mxgateway_worker.event_queue import EventQueue
from mxgateway_worker.items import Items, TrackedItem, item_key
from mxgateway_worker.replies import FRAME_ROOM

logger = logging.getLogger(__name__)


class SessionSink:
    """The EventSink of one session; on the executor thread only.

    Attributes:
        items: the session's items, kept by whoever adds and removes them.
        longest_event: most bytes of one event; what is longer goes without its value.
    """

    def __init__(
        self, events: EventQueue, clock: Clock, session_id: str, max_frame_bytes: int = MAX_FRAME_BYTES
    ) -> None:
        self.longest_event = max_frame_bytes - FRAME_ROOM
        self._events = events
        self._clock = clock
        self._encoder = EventEncoder(session_id)
        self.items = Items()
        self._by_key = self.items.by_key
        self._unix_ns = clock.unix_ns
        self._put = events.put
        self._encode_change = self._encoder.data_change
        self._adding_until = float("-inf")

    def expect_first_value(self) -> None:
        """Notes that an item is advised, which brings its first value soon."""
        self._adding_until = self._clock.monotonic() + CALM_AFTER_ADDING

    def is_adding(self) -> bool:
        """Whether first values of items advised lately may still come."""
        return self._clock.monotonic() < self._adding_until

    @property
    def encoder(self) -> EventEncoder:
        return self._encoder

    @property
    def session_id(self) -> str:
        return self._encoder.session_id

    @session_id.setter
    def session_id(self, session_id: str) -> None:
        if self._by_key:
            raise RuntimeError("a session id does not change while there are items")
        self._encoder.session_id = session_id

    def track(self, server_handle: int, item_handle: int, reference: str, client_handle: int = 0) -> TrackedItem:
        """Notes an item that was added; `reference` empty when it depends on a context."""
        item = TrackedItem(self._encoder.session_id, server_handle, item_handle, reference, client_handle)
        self.items.add(item)
        return item

    def on_data_change(
        self,
        server_handle: int,
        item_handle: int,
        value: Variant,
        quality: int,
        timestamp_ns: int,
        statuses: Sequence[MxStatus],
    ) -> None:
        # As item_key does, without the call.
        key = server_handle << 32 | item_handle & 0xFFFFFFFF
        item = self._by_key.get(key)
        template: ItemTemplate
        if item is None:
            if self.items.is_retired(key):
                return
            template = self._encoder.template(server_handle, item_handle)
        elif item.answer is not None:
            item.answer(value, quality, timestamp_ns, statuses)
            return
        else:
            template = item
        body = self._encode_change(template, value, quality, timestamp_ns, statuses, self._unix_ns())
        if len(body) > self.longest_event:
            stand_in = _too_long(value, len(body), self.longest_event)
            body = self._encode_change(template, stand_in, quality, timestamp_ns, statuses, self._unix_ns())
        self._put(body, key, True)

    def on_write_complete(self, server_handle: int, item_handle: int, statuses: Sequence[MxStatus]) -> None:
        item = self._by_key.get(item_key(server_handle, item_handle))
        if item is not None and item.completed is not None:
            item.completed(statuses)
            return
        template, key = self._template(server_handle, item_handle)
        if template is not None:
            self._put(self._encoder.write_complete(template, statuses, self._unix_ns()), key, False)

    def operation_complete(self, server_handle: int, item_handle: int, statuses: Sequence[MxStatus]) -> None:
        template, key = self._template(server_handle, item_handle)
        if template is not None:
            self._put(self._encoder.operation_complete(template, statuses, self._unix_ns()), key, False)

    def on_buffered_data_change(
        self,
        server_handle: int,
        item_handle: int,
        data_type: int,
        samples: Sequence[Sample],
        statuses: Sequence[MxStatus],
    ) -> None:
        template, key = self._template(server_handle, item_handle)
        if template is None:
            return
        body = self._encoder.buffered_data_change(template, data_type, samples, statuses, self._unix_ns())
        if len(body) > self.longest_event and len(samples) == 1:
            (sample,) = samples
            stand_in = Sample(
                _too_long(sample.value, len(body), self.longest_event), sample.quality, sample.timestamp_ns
            )
            body = self._encoder.buffered_data_change(template, data_type, [stand_in], statuses, self._unix_ns())
        elif len(body) > self.longest_event:
            half = len(samples) // 2
            self.on_buffered_data_change(server_handle, item_handle, data_type, samples[:half], statuses)
            self.on_buffered_data_change(server_handle, item_handle, data_type, samples[half:], statuses)
            return
        self._put(body, key, False)

    def _template(self, server_handle: int, item_handle: int) -> tuple[ItemTemplate | None, int]:
        """The item's template; None for events that belong into no stream."""
        key = item_key(server_handle, item_handle)
        item = self._by_key.get(key)
        if item is not None:
            return (None if item.answer is not None else item), key
        if self.items.is_retired(key):
            return None, key
        return self._encoder.template(server_handle, item_handle), key


def _too_long(value: Variant, length: int, limit: int) -> Variant:
    """What stands in for a value that no frame holds."""
    logger.error("an event is too long for a frame bytes=%d limit=%d", length, limit)
    text = f"{vartype_name(value.vartype)} left out: its event of {length} bytes is longer than a frame"
    return Variant(VarType.VT_RECORD, text.encode(), value.data_type)
