"""Bulk commands: one result per entry, in order; a failed entry never fails the call."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from itertools import repeat
from typing import TypeVar

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_protocol.errors import BackendLostError, MxComError
from mxgateway_protocol.values import ValueConversionError
from mxgateway_worker.calls import InvalidCommandError, SessionCalls, variant
from mxgateway_worker.items import TrackedItem
from mxgateway_worker.sink import SessionSink

logger = logging.getLogger(__name__)

Entry = TypeVar("Entry", pb.WriteBulkEntry, pb.Write2BulkEntry, pb.WriteSecuredBulkEntry, pb.WriteSecured2BulkEntry)


def describe(error: Exception) -> str:
    """What the caller is told of an error; always text that protobuf takes."""
    return (str(error) or type(error).__name__).encode(errors="replace").decode()


def _entry_error(error: Exception) -> tuple[str, int | None]:
    """Message and HRESULT of a failed entry.

    Raises:
        BackendLostError, MemoryError: this is no matter of one entry.
    """
    if isinstance(error, BackendLostError | MemoryError):
        raise error
    if isinstance(error, MxComError):
        return describe(error), error.hresult
    if not isinstance(error, (InvalidCommandError, ValueConversionError)):
        logger.error("a bulk entry failed unexpectedly", exc_info=error)
        return f"{type(error).__name__}: {describe(error)}", None
    return describe(error), None


class BulkCommands:
    """The bulk kinds but ReadBulk: each method bears the name of its payload."""

    def __init__(self, calls: SessionCalls, sink: SessionSink) -> None:
        self._calls = calls
        self._items = sink.items

    # ----------------------------------------------------------------------------------------------------- by name

    def add_item_bulk(self, command: pb.AddItemBulkCommand, reply: pb.MxCommandReply) -> None:
        self._by_name(command, reply.add_item_bulk, self._calls.add_item)

    def subscribe_bulk(self, command: pb.SubscribeBulkCommand, reply: pb.MxCommandReply) -> None:
        self._by_name(command, reply.subscribe_bulk, self._calls.subscribe)

    def _by_name(
        self,
        command: pb.AddItemBulkCommand | pb.SubscribeBulkCommand,
        target: pb.BulkSubscribeReply,
        call: Callable[[int, str, int], TrackedItem],
    ) -> None:
        server_handle, tags, numbers = command.server_handle, command.tag_addresses, command.client_handles
        if len(numbers) not in (0, len(tags)):
            raise InvalidCommandError(f"client_handles has {len(numbers)} entries, and tag_addresses {len(tags)}")
        # As a whole, before the first one: half a list is harder to make good than none.
        self._calls.require_room(len(tags))
        target.SetInParent()
        add = target.results.add
        for tag, number in zip(tags, numbers or repeat(0), strict=False):
            try:
                handle = call(server_handle, tag, number).item_handle
            except Exception as error:  # noqa: BLE001 - told apart in _entry_error
                message, hresult = _entry_error(error)
                add(server_handle=server_handle, tag_address=tag, error_message=message, hresult=hresult)
            else:
                add(server_handle=server_handle, tag_address=tag, item_handle=handle, was_successful=True)

    # --------------------------------------------------------------------------------------------------- by handle

    def advise_item_bulk(self, command: pb.AdviseItemBulkCommand, reply: pb.MxCommandReply) -> None:
        self._by_handle(command.server_handle, command.item_handles, reply.advise_item_bulk, self._calls.advise)

    def un_advise_item_bulk(self, command: pb.UnAdviseItemBulkCommand, reply: pb.MxCommandReply) -> None:
        self._by_handle(command.server_handle, command.item_handles, reply.un_advise_item_bulk, self._calls.un_advise)

    def remove_item_bulk(self, command: pb.RemoveItemBulkCommand, reply: pb.MxCommandReply) -> None:
        self._by_handle(command.server_handle, command.item_handles, reply.remove_item_bulk, self._calls.remove_item)

    def unsubscribe_bulk(self, command: pb.UnsubscribeBulkCommand, reply: pb.MxCommandReply) -> None:
        self._by_handle(command.server_handle, command.item_handles, reply.unsubscribe_bulk, self._calls.unsubscribe)

    def _by_handle(
        self,
        server_handle: int,
        handles: Iterable[int],
        target: pb.BulkSubscribeReply,
        call: Callable[[int, int], None],
    ) -> None:
        target.SetInParent()
        for handle in handles:
            result = target.results.add(
                server_handle=server_handle,
                item_handle=handle,
                tag_address=self._items.reference(server_handle, handle),
            )
            try:
                call(server_handle, handle)
            except Exception as error:  # noqa: BLE001 - told apart in _entry_error
                result.error_message, hresult = _entry_error(error)
                if hresult is not None:
                    result.hresult = hresult
            else:
                result.was_successful = True

    # ------------------------------------------------------------------------------------------------------ writes

    def write_bulk(self, command: pb.WriteBulkCommand, reply: pb.MxCommandReply) -> None:
        def call(entry: pb.WriteBulkEntry) -> None:
            value = variant(entry.value, entry.HasField("value"), "value")
            self._calls.backend.write(command.server_handle, entry.item_handle, value, entry.user_id)

        self._write(command.server_handle, command.entries, reply.write_bulk, call)

    def write2_bulk(self, command: pb.Write2BulkCommand, reply: pb.MxCommandReply) -> None:
        def call(entry: pb.Write2BulkEntry) -> None:
            value = variant(entry.value, entry.HasField("value"), "value")
            time = variant(entry.timestamp_value, entry.HasField("timestamp_value"), "timestamp_value")
            self._calls.backend.write2(command.server_handle, entry.item_handle, value, time, entry.user_id)

        self._write(command.server_handle, command.entries, reply.write2_bulk, call)

    def write_secured_bulk(self, command: pb.WriteSecuredBulkCommand, reply: pb.MxCommandReply) -> None:
        def call(entry: pb.WriteSecuredBulkEntry) -> None:
            value = variant(entry.value, entry.HasField("value"), "value")
            self._calls.backend.write_secured(
                command.server_handle, entry.item_handle, entry.current_user_id, entry.verifier_user_id, value
            )

        self._write(command.server_handle, command.entries, reply.write_secured_bulk, call)

    def write_secured2_bulk(self, command: pb.WriteSecured2BulkCommand, reply: pb.MxCommandReply) -> None:
        def call(entry: pb.WriteSecured2BulkEntry) -> None:
            value = variant(entry.value, entry.HasField("value"), "value")
            time = variant(entry.timestamp_value, entry.HasField("timestamp_value"), "timestamp_value")
            self._calls.backend.write_secured2(
                command.server_handle, entry.item_handle, entry.current_user_id, entry.verifier_user_id, value, time
            )

        self._write(command.server_handle, command.entries, reply.write_secured2_bulk, call)

    @staticmethod
    def _write(
        server_handle: int, entries: Iterable[Entry], target: pb.BulkWriteReply, call: Callable[[Entry], None]
    ) -> None:
        target.SetInParent()
        for entry in entries:
            result = target.results.add(server_handle=server_handle, item_handle=entry.item_handle)
            try:
                call(entry)
            except Exception as error:  # noqa: BLE001 - told apart in _entry_error
                result.error_message, hresult = _entry_error(error)
                if hresult is not None:
                    result.hresult = hresult
            else:
                result.was_successful = True
                result.hresult = 0
