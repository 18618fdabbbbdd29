"""All events of a session, kept in order, and waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from mxgateway import EventStream
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

NAMES = {
    pb.MX_EVENT_FAMILY_ON_DATA_CHANGE: "OnDataChange",
    pb.MX_EVENT_FAMILY_ON_WRITE_COMPLETE: "OnWriteComplete",
    pb.MX_EVENT_FAMILY_OPERATION_COMPLETE: "OperationComplete",
    pb.MX_EVENT_FAMILY_ON_BUFFERED_DATA_CHANGE: "OnBufferedDataChange",
}


class Listener:
    """Takes a stream's events as they come.

    Attributes:
        events: all of them so far, each with the loop's time at which it came.
    """

    def __init__(self) -> None:
        self.events: list[tuple[float, pb.MxEvent]] = []
        self._news = asyncio.Event()

    async def listen(self, stream: EventStream) -> None:
        """Until it is cancelled."""
        now = asyncio.get_running_loop().time
        async for event in stream:
            self.events.append((now(), event))
            self._news.set()

    @property
    def mark(self) -> int:
        """A place to look from later."""
        return len(self.events)

    def of(self, server: int, item: int, mark: int = 0) -> list[tuple[float, pb.MxEvent]]:
        """Events of one item since a mark."""
        return [
            (moment, event)
            for moment, event in self.events[mark:]
            if event.server_handle == server and event.item_handle == item
        ]

    async def wait(
        self,
        server: int,
        item: int,
        mark: int,
        seconds: float,
        enough: Callable[[list[tuple[float, pb.MxEvent]]], bool],
    ) -> list[tuple[float, pb.MxEvent]]:
        """Events of an item since a mark, once they are enough or the time is over."""
        try:
            async with asyncio.timeout(seconds):
                while not enough(found := self.of(server, item, mark)):
                    self._news.clear()
                    await self._news.wait()
                return found
        except TimeoutError:
            return self.of(server, item, mark)


def is_kind(event: pb.MxEvent, name: str) -> bool:
    """Whether it is an event of MXAccess's of that name."""
    return NAMES.get(event.family) == name


def numbers(status: pb.MxStatusProxy) -> list[int]:
    """A status as MXAccess's own numbers: success, category, source, detail."""
    return [status.success, status.raw_category, status.raw_detected_by, status.detail]


def told(event: pb.MxEvent) -> dict[str, Any]:
    """An event without its value, which is the plant's own business."""
    known: dict[str, Any] = {
        "event": NAMES.get(event.family, "other"),
        "statuses": [numbers(s) for s in event.statuses],
    }
    if event.HasField("value"):
        known["vartype"] = event.value.variant_type
        known["quality"] = event.quality
    return known
