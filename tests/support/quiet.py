"""Whether an item has fallen silent, told by events of another item instead of by time."""

from __future__ import annotations

from collections.abc import AsyncIterator

from mxgateway.generated import mxaccess_gateway_pb2 as pb


async def events_of(
    stream: AsyncIterator[pb.MxEvent], item_handle: int, marker_handle: int, markers: int
) -> list[pb.MxEvent]:
    """The events of an item until the marker item has had so many: one window of observation."""
    seen: list[pb.MxEvent] = []
    async for event in stream:
        if event.item_handle == item_handle:
            seen.append(event)
        elif event.item_handle == marker_handle:
            markers -= 1
            if markers == 0:
                return seen
    raise AssertionError("the stream ended before the window did")


async def falls_silent(
    stream: AsyncIterator[pb.MxEvent], item_handle: int, marker_handle: int, markers: int = 1
) -> bool:
    """Two windows: in the first, events that were under way may still arrive; in the second, none may."""
    await events_of(stream, item_handle, marker_handle, markers)
    return not await events_of(stream, item_handle, marker_handle, markers)
