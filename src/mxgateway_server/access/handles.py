"""What a session's handles stand for: kept for authorization and audit only, the worker owns the handles themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TypeVar

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.access.references import ItemReference

_SINGLE_ADD_ARMS = {
    pb.MX_COMMAND_KIND_ADD_ITEM: "add_item",
    pb.MX_COMMAND_KIND_ADD_ITEM2: "add_item2",
    pb.MX_COMMAND_KIND_ADD_BUFFERED_ITEM: "add_buffered_item",
}
_BULK_ADD_ARMS = {
    pb.MX_COMMAND_KIND_ADD_ITEM_BULK: "add_item_bulk",
    pb.MX_COMMAND_KIND_SUBSCRIBE_BULK: "subscribe_bulk",
}
_BULK_REMOVE_ARMS = {
    pb.MX_COMMAND_KIND_REMOVE_ITEM_BULK: "remove_item_bulk",
    pb.MX_COMMAND_KIND_UNSUBSCRIBE_BULK: "unsubscribe_bulk",
}

LEARNED_KINDS = frozenset(
    {*_SINGLE_ADD_ARMS, *_BULK_ADD_ARMS, *_BULK_REMOVE_ARMS}
    | {pb.MX_COMMAND_KIND_REMOVE_ITEM, pb.MX_COMMAND_KIND_UNREGISTER}
)
"""Kinds whose replies tell which handles came and went."""

FREEING_KINDS = frozenset({*_BULK_REMOVE_ARMS, pb.MX_COMMAND_KIND_REMOVE_ITEM, pb.MX_COMMAND_KIND_UNREGISTER})
"""Kinds that may free handles."""

K = TypeVar("K")


class HandleTracker:
    """Item handle → reference, learned from replies."""

    def __init__(self) -> None:
        self._items: dict[tuple[int, int], ItemReference] = {}
        # How many commands under way may free a handle, or all of a server handle.
        self._leaving: Counter[tuple[int, int]] = Counter()
        self._leaving_servers: Counter[int] = Counter()

    def __len__(self) -> int:
        return len(self._items)

    def item(self, server_handle: int, item_handle: int) -> ItemReference | None:
        """What the handle was made for; None when this session made no such handle, or may just be freeing it."""
        key = server_handle, item_handle
        if key in self._leaving or server_handle in self._leaving_servers:
            return None
        return self._items.get(key)

    def reference(self, server_handle: int, item_handle: int) -> str | None:
        """The same as one text."""
        item = self.item(server_handle, item_handle)
        return None if item is None else item.text

    def begin(self, command: pb.MxCommand) -> None:
        """A command goes to the worker: what it may free stands for nothing until the reply.

        Commands are pipelined, and the worker may give a freed handle to another tag before its reply is here: a write
        behind the two must not pass as one to the former tag.
        """
        self._count(command, 1)

    def learn(self, command: pb.MxCommand, reply: pb.MxCommandReply) -> None:
        """Takes what a successful command changed."""
        kind = command.kind
        if kind in _SINGLE_ADD_ARMS:
            if reply.protocol_status.code != pb.PROTOCOL_STATUS_CODE_OK:
                return
            arm = _SINGLE_ADD_ARMS[kind]
            request = getattr(command, arm)
            handle: int = getattr(reply, arm).item_handle
            context: str = "" if kind == pb.MX_COMMAND_KIND_ADD_ITEM else request.item_context
            self._items[request.server_handle, handle] = ItemReference(request.item_definition, context)
        elif kind in _BULK_ADD_ARMS:
            for result in getattr(reply, _BULK_ADD_ARMS[kind]).results:
                if result.item_handle:
                    self._items[result.server_handle, result.item_handle] = ItemReference(result.tag_address)
        elif kind == pb.MX_COMMAND_KIND_REMOVE_ITEM:
            is_done = reply.protocol_status.code == pb.PROTOCOL_STATUS_CODE_OK
            self._settle(command, lambda _: is_done)
        elif kind in _BULK_REMOVE_ARMS:
            gone = {
                (result.server_handle, result.item_handle)
                for result in getattr(reply, _BULK_REMOVE_ARMS[kind]).results
                if result.was_successful
            }
            self._settle(command, gone.__contains__)
        elif kind == pb.MX_COMMAND_KIND_UNREGISTER:
            is_done = reply.protocol_status.code == pb.PROTOCOL_STATUS_CODE_OK
            self._settle(command, lambda _: is_done)

    def forget(self, command: pb.MxCommand) -> None:
        """Drops what a command without a reply may have freed: the worker may give such a handle to another tag."""
        self._settle(command, lambda _: True)

    def _settle(self, command: pb.MxCommand, is_freed: Callable[[tuple[int, int]], bool]) -> None:
        self._count(command, -1)
        if command.kind == pb.MX_COMMAND_KIND_UNREGISTER:
            server_handle = command.unregister.server_handle
            keys = [key for key in self._items if key[0] == server_handle]
        else:
            keys = _named_handles(command)
        for key in keys:
            if is_freed(key):
                self._items.pop(key, None)

    def _count(self, command: pb.MxCommand, change: int) -> None:
        if command.kind == pb.MX_COMMAND_KIND_UNREGISTER:
            _add(self._leaving_servers, command.unregister.server_handle, change)
        for key in set(_named_handles(command)):
            _add(self._leaving, key, change)


def _add(counter: Counter[K], key: K, change: int) -> None:
    counter[key] += change
    if counter[key] <= 0:
        del counter[key]


def _named_handles(command: pb.MxCommand) -> list[tuple[int, int]]:
    kind = command.kind
    if kind == pb.MX_COMMAND_KIND_REMOVE_ITEM:
        return [(command.remove_item.server_handle, command.remove_item.item_handle)]
    if kind in _BULK_REMOVE_ARMS:
        bulk = getattr(command, _BULK_REMOVE_ARMS[kind])
        return [(bulk.server_handle, handle) for handle in bulk.item_handles]
    return []
