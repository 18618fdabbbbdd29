"""What a session's handles stand for: kept for authorization and audit only, the worker owns the handles themselves."""

from __future__ import annotations

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

    def __len__(self) -> int:
        return len(self._references)

    def reference(self, server_handle: int, item_handle: int) -> str | None:
        """The reference that the handle was made for; None when this session made no such handle."""
        return self._references.get((server_handle, item_handle))

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
            if reply.protocol_status.code == pb.PROTOCOL_STATUS_CODE_OK:
                item = command.remove_item
                self._references.pop((item.server_handle, item.item_handle), None)
        elif kind in _BULK_REMOVE_ARMS:
            for result in getattr(reply, _BULK_REMOVE_ARMS[kind]).results:
                if result.was_successful:
                    self._references.pop((result.server_handle, result.item_handle), None)
        elif kind == pb.MX_COMMAND_KIND_UNREGISTER and reply.protocol_status.code == pb.PROTOCOL_STATUS_CODE_OK:
            self._forget_server(command.unregister.server_handle)

    def forget(self, command: pb.MxCommand) -> None:
        """Drops what a command without a reply may have freed: the worker may give such a handle to another tag."""
        kind = command.kind
        if kind == pb.MX_COMMAND_KIND_REMOVE_ITEM:
            item = command.remove_item
            self._references.pop((item.server_handle, item.item_handle), None)
        elif kind in _BULK_REMOVE_ARMS:
            bulk = getattr(command, _BULK_REMOVE_ARMS[kind])
            for handle in bulk.item_handles:
                self._references.pop((bulk.server_handle, handle), None)
        elif kind == pb.MX_COMMAND_KIND_UNREGISTER:
            self._forget_server(command.unregister.server_handle)

    def _forget_server(self, server_handle: int) -> None:
        for key in [key for key in self._references if key[0] == server_handle]:
            del self._references[key]
