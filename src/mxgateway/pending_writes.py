"""Writes of a subscription that wait for their OnWriteComplete."""

from __future__ import annotations

import asyncio
from collections import deque

from mxgateway.errors import MxGatewayTransportError
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

Completion = asyncio.Future[pb.MxEvent]


class PendingWrites:
    """The writes that are under way, by item.

    MXAccess completes the writes of an item in their order, and says no more than the item. So a write keeps its place
    also when nobody waits for it any more: its late completion must not pass for that of the next one.
    """

    def __init__(self) -> None:
        self._waiting: dict[int, deque[Completion]] = {}

    def begin(self, item_handle: int) -> Completion:
        """Notes a write that is about to be sent."""
        completion: Completion = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(item_handle, deque()).append(completion)
        return completion

    def take_back(self, item_handle: int, completion: Completion) -> None:
        """The write was refused: no completion comes."""
        waiting = self._waiting.get(item_handle)
        if waiting and completion in waiting:
            waiting.remove(completion)
            if not waiting:
                del self._waiting[item_handle]

    def complete(self, event: pb.MxEvent) -> None:
        """Takes an OnWriteComplete."""
        # A pending completion announces another one.
        if any(status.category == pb.MX_STATUS_CATEGORY_PENDING for status in event.statuses):
            return
        waiting = self._waiting.get(event.item_handle)
        if not waiting:
            return
        completion = waiting.popleft()
        if not waiting:
            del self._waiting[event.item_handle]
        if not completion.done():
            completion.set_result(event)

    def lose(self, reason: str) -> list[int]:
        """Completions may be lost: ends all waits and returns the items whose next completion could not be told apart.

        Each wait gets an MxGatewayTransportError of the reason; the outcome of its write is unknown.
        """
        lost, self._waiting = self._waiting, {}
        for waiting in lost.values():
            for completion in waiting:
                if not completion.done():
                    completion.set_exception(MxGatewayTransportError(reason))
                    # Its waiter may have been canceled in the same turn.
                    completion.exception()
        return list(lost)
