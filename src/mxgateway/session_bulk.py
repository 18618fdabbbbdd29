"""The bulk commands: many entries in one round trip, one result for each, in the order given.

An entry that fails has `was_successful` False and never raises; only a call that fails as a whole does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from mxgateway.commands import (
    Write2Entry,
    WriteEntry,
    WriteSecured2Entry,
    WriteSecuredEntry,
    bulk_entries,
    checked,
    command,
    write2_entry,
    write_entry,
    write_secured2_entry,
    write_secured_entry,
)
from mxgateway.errors import MxGatewayProtocolError
from mxgateway.replies import payload
from mxgateway.results import ReadResults, SubscribeResults, WriteResults
from mxgateway.session_items import Invoker, ItemCommands
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

EntryT = TypeVar("EntryT")

_MAX_UINT32 = 2**32 - 1


class BulkCommands(ItemCommands):
    """The eleven bulk commands. Each takes at most `Session.max_bulk_items` entries.

    Raises of each method:
        TypeError: None (or one string) in place of a list, or None within it.
        ValueError: too many entries.
        MxGatewayError: the call failed as a whole.
    """

    async def add_item_bulk(
        self: Invoker,
        server_handle: int,
        tag_addresses: Iterable[str],
        *,
        client_handles: Iterable[int] = (),
        correlation_id: str = "",
    ) -> list[pb.SubscribeResult]:
        """Adds an item for each reference.

        Args:
            server_handle: from `register`.
            tag_addresses: the references.
            client_handles: a number of your own for each of them, see `add_item`; empty for none.
            correlation_id: empty for a new one.
        """
        tags, numbers = _numbered(self, tag_addresses, client_handles)
        request = checked(
            pb.AddItemBulkCommand, server_handle=server_handle, tag_addresses=tags, client_handles=numbers
        )
        return await _subscribe_results(self, "add_item_bulk", request, len(tags), correlation_id)

    async def advise_item_bulk(
        self: Invoker, server_handle: int, item_handles: Iterable[int], *, correlation_id: str = ""
    ) -> list[pb.SubscribeResult]:
        """Advises each item."""
        handles = bulk_entries(item_handles, "item_handles", self.max_bulk_items)
        request = checked(pb.AdviseItemBulkCommand, server_handle=server_handle, item_handles=handles)
        return await _subscribe_results(self, "advise_item_bulk", request, len(handles), correlation_id)

    async def remove_item_bulk(
        self: Invoker, server_handle: int, item_handles: Iterable[int], *, correlation_id: str = ""
    ) -> list[pb.SubscribeResult]:
        """Removes each item."""
        handles = bulk_entries(item_handles, "item_handles", self.max_bulk_items)
        request = checked(pb.RemoveItemBulkCommand, server_handle=server_handle, item_handles=handles)
        return await _subscribe_results(self, "remove_item_bulk", request, len(handles), correlation_id)

    async def unadvise_item_bulk(
        self: Invoker, server_handle: int, item_handles: Iterable[int], *, correlation_id: str = ""
    ) -> list[pb.SubscribeResult]:
        """Un-advises each item; the items stay."""
        handles = bulk_entries(item_handles, "item_handles", self.max_bulk_items)
        request = checked(pb.UnAdviseItemBulkCommand, server_handle=server_handle, item_handles=handles)
        return await _subscribe_results(self, "un_advise_item_bulk", request, len(handles), correlation_id)

    async def subscribe_bulk(
        self: Invoker,
        server_handle: int,
        tag_addresses: Iterable[str],
        *,
        client_handles: Iterable[int] = (),
        correlation_id: str = "",
    ) -> list[pb.SubscribeResult]:
        """Adds and advises an item for each reference; arguments as for `add_item_bulk`."""
        tags, numbers = _numbered(self, tag_addresses, client_handles)
        request = checked(
            pb.SubscribeBulkCommand, server_handle=server_handle, tag_addresses=tags, client_handles=numbers
        )
        return await _subscribe_results(self, "subscribe_bulk", request, len(tags), correlation_id)

    async def unsubscribe_bulk(
        self: Invoker, server_handle: int, item_handles: Iterable[int], *, correlation_id: str = ""
    ) -> list[pb.SubscribeResult]:
        """Un-advises and removes each item."""
        handles = bulk_entries(item_handles, "item_handles", self.max_bulk_items)
        request = checked(pb.UnsubscribeBulkCommand, server_handle=server_handle, item_handles=handles)
        return await _subscribe_results(self, "unsubscribe_bulk", request, len(handles), correlation_id)

    async def write_bulk(
        self: Invoker, server_handle: int, entries: Iterable[WriteEntry], *, user_id: int = 0, correlation_id: str = ""
    ) -> list[pb.BulkWriteResult]:
        """Writes each (item_handle, value); completions come as OnWriteComplete events.

        Args:
            server_handle: from `register`.
            entries: pairs, or generated WriteBulkEntry messages with a user id of their own.
            user_id: user of the pairs; 0 is no user.
            correlation_id: empty for a new one.
        """
        messages = [write_entry(entry, user_id) for entry in _entries(self, entries)]
        request = checked(pb.WriteBulkCommand, server_handle=server_handle, entries=messages)
        return await _write_results(self, "write_bulk", request, len(messages), correlation_id)

    async def write2_bulk(
        self: Invoker, server_handle: int, entries: Iterable[Write2Entry], *, user_id: int = 0, correlation_id: str = ""
    ) -> list[pb.BulkWriteResult]:
        """Writes each (item_handle, value, timestamp)."""
        messages = [write2_entry(entry, user_id) for entry in _entries(self, entries)]
        request = checked(pb.Write2BulkCommand, server_handle=server_handle, entries=messages)
        return await _write_results(self, "write2_bulk", request, len(messages), correlation_id)

    async def write_secured_bulk(
        self: Invoker, server_handle: int, entries: Iterable[WriteSecuredEntry], *, correlation_id: str = ""
    ) -> list[pb.BulkWriteResult]:
        """Writes each (item_handle, current_user_id, verifier_user_id, value)."""
        messages = [write_secured_entry(entry) for entry in _entries(self, entries)]
        request = checked(pb.WriteSecuredBulkCommand, server_handle=server_handle, entries=messages)
        return await _write_results(self, "write_secured_bulk", request, len(messages), correlation_id)

    async def write_secured2_bulk(
        self: Invoker, server_handle: int, entries: Iterable[WriteSecured2Entry], *, correlation_id: str = ""
    ) -> list[pb.BulkWriteResult]:
        """Writes each (item_handle, current_user_id, verifier_user_id, value, timestamp)."""
        messages = [write_secured2_entry(entry) for entry in _entries(self, entries)]
        request = checked(pb.WriteSecured2BulkCommand, server_handle=server_handle, entries=messages)
        return await _write_results(self, "write_secured2_bulk", request, len(messages), correlation_id)

    async def read_bulk(
        self: Invoker,
        server_handle: int,
        tag_addresses: Iterable[str],
        *,
        timeout_ms: int = 0,
        correlation_id: str = "",
    ) -> list[pb.BulkReadResult]:
        """Reads each tag once.

        A tag that is advised answers from its last OnDataChange (`was_cached` True) and its subscription is left
        alone; the others are advised together, awaited, and removed again.

        Args:
            server_handle: from `register`.
            tag_addresses: references.
            timeout_ms: limit for each tag without a cached value, in milliseconds; 0 for the worker's default.
            correlation_id: empty for a new one.

        Raises:
            ValueError: `timeout_ms` is negative or beyond 32 bits, or there are too many tags.
        """
        if not 0 <= timeout_ms <= _MAX_UINT32:
            raise ValueError(f"timeout_ms is {timeout_ms}; it needs to be 0 (the worker's default) or more")
        tags = bulk_entries(tag_addresses, "tag_addresses", self.max_bulk_items)
        request = checked(pb.ReadBulkCommand, server_handle=server_handle, tag_addresses=tags, timeout_ms=timeout_ms)
        reply = await self.invoke(command("read_bulk", request), correlation_id=correlation_id)
        results = ReadResults(payload(reply, "read_bulk", pb.BulkReadReply).results)
        _check_count(reply, "read_bulk", len(results), len(tags))
        return results


async def _subscribe_results(
    session: Invoker, arm: str, request: object, count: int, correlation_id: str
) -> list[pb.SubscribeResult]:
    reply = await session.invoke(command(arm, request), correlation_id=correlation_id)
    results = SubscribeResults(payload(reply, arm, pb.BulkSubscribeReply).results)
    _check_count(reply, arm, len(results), count)
    return results


async def _write_results(
    session: Invoker, arm: str, request: object, count: int, correlation_id: str
) -> list[pb.BulkWriteResult]:
    reply = await session.invoke(command(arm, request), correlation_id=correlation_id)
    results = WriteResults(payload(reply, arm, pb.BulkWriteReply).results)
    _check_count(reply, arm, len(results), count)
    return results


def _check_count(reply: pb.MxCommandReply, arm: str, got: int, sent: int) -> None:
    # Results are matched to entries by position, so a wrong count would put values on the wrong tags.
    if got != sent:
        raise MxGatewayProtocolError(
            f"{arm}: {got} results came back for {sent} entries",
            raw_reply=reply,
            protocol_status=reply.protocol_status,
            correlation_id=reply.correlation_id,
        )


def _entries(session: Invoker, entries: Iterable[EntryT]) -> Sequence[EntryT]:
    return bulk_entries(entries, "entries", session.max_bulk_items)


def _numbered(
    session: Invoker, tag_addresses: Iterable[str], client_handles: Iterable[int]
) -> tuple[Sequence[str], Sequence[int]]:
    tags = bulk_entries(tag_addresses, "tag_addresses", session.max_bulk_items)
    numbers = bulk_entries(client_handles, "client_handles", session.max_bulk_items)
    if len(numbers) not in (0, len(tags)):
        raise ValueError(
            f"client_handles has {len(numbers)} entries: give none, or one for each of the {len(tags)} tags"
        )
    return tags, numbers
