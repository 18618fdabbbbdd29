"""What a session's handles stand for: kept for authorization and audit only, the worker owns the handles themselves."""

from __future__ import annotations

from collections.abc import Callable

from mxgateway.generated import mxaccess_gateway_pb2 as pb

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


def join_reference(context: str, definition: str) -> str:
    """The reference that a relative definition and its context make, for comparison with globs.

    A definition is relative when there is a context; `Me.` at its head stands for the context itself.
    """
    if not context:
        return definition
    head, _, rest = definition.partition(".")
    if head.casefold() == "me":
        return f"{context}.{rest}" if rest else context
    return f"{context}.{definition}"


class HandleTracker:
    """Item handle → reference, learned from replies."""

    def __init__(self) -> None:
        self._references: dict[tuple[int, int], str] = {}
        self._leaving: dict[tuple[int, int], str] = {}

    def __len__(self) -> int:
        return len(self._references)

    def reference(self, server_handle: int, item_handle: int) -> str | None:
        """The reference that the handle was made for; None when this session made no such handle."""
        return self._references.get((server_handle, item_handle))

    def begin(self, command: pb.MxCommand) -> None:
        """A command goes to the worker: what it may free stands for nothing until the reply.

        Commands are pipelined, and the worker may give a freed handle to another tag before its reply is here: a write
        behind the two must not pass as one to the former tag.
        """
        for key in self._freed_by(command):
            reference = self._references.pop(key, None)
            if reference is not None:
                self._leaving[key] = reference

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
            self._references[request.server_handle, handle] = join_reference(context, request.item_definition)
        elif kind in _BULK_ADD_ARMS:
            for result in getattr(reply, _BULK_ADD_ARMS[kind]).results:
                if result.item_handle:
                    self._references[result.server_handle, result.item_handle] = result.tag_address
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
        for key in self._freed_by(command):
            reference = self._leaving.pop(key, None)
            if is_freed(key):
                self._references.pop(key, None)
            elif reference is not None:
                self._references.setdefault(key, reference)

    def _freed_by(self, command: pb.MxCommand) -> list[tuple[int, int]]:
        kind = command.kind
        if kind == pb.MX_COMMAND_KIND_REMOVE_ITEM:
            return [(command.remove_item.server_handle, command.remove_item.item_handle)]
        if kind in _BULK_REMOVE_ARMS:
            bulk = getattr(command, _BULK_REMOVE_ARMS[kind])
            return [(bulk.server_handle, handle) for handle in bulk.item_handles]
        if kind == pb.MX_COMMAND_KIND_UNREGISTER:
            server_handle = command.unregister.server_handle
            return [key for key in {**self._references, **self._leaving} if key[0] == server_handle]
        return []
