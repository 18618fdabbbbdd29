"""What a session's handles stand for: kept for authorization and audit only, the worker owns the handles themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, TypeVar

from mxgateway_contract.commands import COMMANDS, Command, Touch
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract.references import ItemReference

_BULK_ADD = pb.BulkSubscribeReply.DESCRIPTOR.full_name

FREEING_KINDS = frozenset(kind for kind, facts in COMMANDS.items() if facts.frees_handles)
"""Kinds that may free handles."""


def _gives_handles(facts: Command) -> bool:
    """Whether its reply holds handles of items that it made; ReadBulk keeps those that it makes to itself."""
    if facts.touches is Touch.NAME:
        return bool(facts.reply)
    reply: Any = pb.MxCommandReply.DESCRIPTOR.fields_by_name.get(facts.reply)
    return facts.touches is Touch.NAMES and reply is not None and reply.message_type.full_name == _BULK_ADD


_GIVING_KINDS = frozenset(kind for kind, facts in COMMANDS.items() if _gives_handles(facts))

LEARNED_KINDS = _GIVING_KINDS | FREEING_KINDS
"""Kinds whose replies tell which handles came and went."""

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

    @property
    def items(self) -> dict[tuple[int, int], ItemReference]:
        """All handles and what they stand for."""
        return dict(self._items)

    def restore(self, items: dict[tuple[int, int], ItemReference]) -> None:
        """Takes over what another tracker has learned."""
        self._items = dict(items)

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
        if kind in _GIVING_KINDS:
            self._keep(command, reply)
        elif kind in FREEING_KINDS:
            facts = COMMANDS[kind]
            if "item_handles" in facts.fields:
                gone = {
                    (result.server_handle, result.item_handle)
                    for result in getattr(reply, facts.reply).results
                    if result.was_successful
                }
                self._settle(command, gone.__contains__)
            else:
                is_done = reply.protocol_status.code == pb.PROTOCOL_STATUS_CODE_OK
                self._settle(command, lambda _: is_done)

    def _keep(self, command: pb.MxCommand, reply: pb.MxCommandReply) -> None:
        facts = COMMANDS[command.kind]
        if facts.touches is Touch.NAMES:
            for result in getattr(reply, facts.reply).results:
                if result.item_handle:
                    self._items[result.server_handle, result.item_handle] = ItemReference(result.tag_address)
        elif reply.protocol_status.code == pb.PROTOCOL_STATUS_CODE_OK:
            request = getattr(command, facts.payload)
            handle: int = getattr(reply, facts.reply).item_handle
            context: str = request.item_context if "item_context" in facts.fields else ""
            self._items[request.server_handle, handle] = ItemReference(request.item_definition, context)

    def forget(self, command: pb.MxCommand) -> None:
        """Drops what a command without a reply may have freed: the worker may give such a handle to another tag."""
        self._settle(command, lambda _: True)

    def _settle(self, command: pb.MxCommand, is_freed: Callable[[tuple[int, int]], bool]) -> None:
        self._count(command, -1)
        server = _freed_server(command)
        keys = _named_handles(command) if server is None else [key for key in self._items if key[0] == server]
        for key in keys:
            if is_freed(key):
                self._items.pop(key, None)

    def _count(self, command: pb.MxCommand, change: int) -> None:
        server = _freed_server(command)
        if server is not None:
            _add(self._leaving_servers, server, change)
        for key in set(_named_handles(command)):
            _add(self._leaving, key, change)


def _add(counter: Counter[K], key: K, change: int) -> None:
    counter[key] += change
    if counter[key] <= 0:
        del counter[key]


def _freed_server(command: pb.MxCommand) -> int | None:
    """The server handle whose items all end; None when the command ends certain ones, or none."""
    if command.kind not in FREEING_KINDS:
        return None
    facts = COMMANDS[command.kind]
    if not facts.fields.isdisjoint(("item_handle", "item_handles")):
        return None
    server: int = getattr(command, facts.payload).server_handle
    return server


def _named_handles(command: pb.MxCommand) -> list[tuple[int, int]]:
    """The items that a freeing command names."""
    if command.kind not in FREEING_KINDS:
        return []
    facts = COMMANDS[command.kind]
    request = getattr(command, facts.payload)
    if "item_handles" in facts.fields:
        return [(request.server_handle, handle) for handle in request.item_handles]
    return [(request.server_handle, request.item_handle)] if "item_handle" in facts.fields else []
