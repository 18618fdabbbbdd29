"""What a session holds: its items as the worker knows them, with their last data change."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from mxgateway_contract.constants import MAX_BULK_ITEMS
from mxgateway_contract.status import Category, MxStatus
from mxgateway_protocol.events import ItemTemplate
from mxgateway_protocol.variants import Variant

Answer = Callable[[Variant, int, int, Sequence[MxStatus]], None]
"""Takes value, quality, source time in nanoseconds and statuses of a data change."""

_MOST_RETIRED = 8 * MAX_BULK_ITEMS
"""Temporary items remembered after their end: a read's own and some before it. Each takes memory, for hours."""


def item_key(server_handle: int, item_handle: int) -> int:
    """One number for the two handles of an item."""
    return server_handle << 32 | item_handle & 0xFFFFFFFF


class CachedRead(NamedTuple):
    """A serialised result of ReadBulk, still right while the item has these very objects, and two of its parts."""

    tag: str
    value_field: bytes
    source_field: bytes
    quality: int
    statuses: tuple[MxStatus, ...]
    result: bytes
    head: bytes
    status_field: bytes


class TrackedItem(ItemTemplate):
    """One item that a command added.

    Attributes:
        reference: what it was added as; empty when that needs a context to mean something.
        advised: whether it is advised, in either way.
        answer: for an item that is not the client's own: takes its data changes away from the event stream.
        completed: likewise for the completions of its writes.
        read: the last result of a read, and what it was made of.
    """

    __slots__ = ("advised", "answer", "completed", "item_handle", "key", "read", "reference", "server_handle")

    def __init__(
        self, session_id: str, server_handle: int, item_handle: int, reference: str, client_handle: int = 0
    ) -> None:
        super().__init__(session_id, server_handle, item_handle, client_handle)
        self.server_handle = server_handle
        self.item_handle = item_handle
        self.key = item_key(server_handle, item_handle)
        self.reference = reference
        self.advised = False
        self.answer: Answer | None = None
        self.completed: Callable[[Sequence[MxStatus]], None] | None = None
        self.read: CachedRead | None = None

    @property
    def has_answer(self) -> bool:
        """Whether a data change since the advise said what the tag has, or why it has nothing; "pending" does not."""
        return bool(self.value_field) and bool(self.statuses) and self.statuses[0].category != Category.PENDING

    @property
    def has_value(self) -> bool:
        """Whether that data change carried a value."""
        return self.has_answer and self.statuses[0].is_success

    def forget_value(self) -> None:
        self.value_field = b""
        self.read = None


class Items:
    """The items of a session; names are compared as the Galaxy does, without regard to case."""

    def __init__(self) -> None:
        self.by_key: dict[int, TrackedItem] = {}
        self._by_reference: dict[tuple[int, str], dict[int, TrackedItem]] = {}
        self._retired: dict[int, None] = {}
        self._adds_buffered = False

    def add(self, item: TrackedItem) -> None:
        # A backend may use a handle again; nothing of its old life may serve the new one.
        self.discard(item.server_handle, item.item_handle)
        self._retired.pop(item.key, None)
        self.by_key[item.key] = item
        if item.reference:
            self._by_reference.setdefault((item.server_handle, item.reference.casefold()), {})[item.key] = item

    def get(self, server_handle: int, item_handle: int) -> TrackedItem | None:
        return self.by_key.get(item_key(server_handle, item_handle))

    def reference(self, server_handle: int, item_handle: int) -> str:
        """What the item was added as; empty when it is not known."""
        item = self.get(server_handle, item_handle)
        return item.reference if item is not None else ""

    def discard(self, server_handle: int, item_handle: int) -> None:
        item = self.by_key.pop(item_key(server_handle, item_handle), None)
        if item is not None and item.reference:
            name = server_handle, item.reference.casefold()
            others = self._by_reference.get(name)
            if others is not None:
                others.pop(item.key, None)
                if not others:
                    del self._by_reference[name]

    def discard_server(self, server_handle: int) -> None:
        """Forgets all items of an unregistered server handle."""
        for item in [item for item in self.by_key.values() if item.server_handle == server_handle]:
            self.discard(server_handle, item.item_handle)

    def set_advised(self, server_handle: int, item_handle: int, advised: bool) -> None:
        item = self.get(server_handle, item_handle)
        if item is not None and item.advised != advised:
            item.advised = advised
            # A value from before is not what the item has now.
            item.forget_value()

    def last_values(self, after: int) -> Iterator[TrackedItem]:
        """The advised items that have had a value or a reason for none, in the order of their keys, beyond this one."""
        for key in sorted(self.by_key):
            item = self.by_key[key]
            if key > after and item.advised and item.answer is None and item.has_answer:
                yield item

    def cached(self, server_handle: int, reference: str) -> TrackedItem | None:
        """An advised item of this name whose last data change answers a read; rather one with a value."""
        found = None
        for item in self._by_reference.get((server_handle, reference.casefold()), {}).values():
            # As has_answer and has_value say, without the calls.
            if item.advised and item.value_field and (statuses := item.statuses):
                status = statuses[0]
                if status.category != Category.PENDING:
                    if status.success:
                        return item
                    found = item
        return found

    def retire(self, key: int) -> None:
        """Notes a temporary item that is gone, so that its late events go nowhere."""
        self._retired[key] = None
        if len(self._retired) > _MOST_RETIRED:
            del self._retired[next(iter(self._retired))]

    def is_retired(self, key: int) -> bool:
        """Whether events of this handle go nowhere."""
        return key in self._retired and not self._adds_buffered

    @contextmanager
    def adding_buffered(self) -> Iterator[None]:
        """While the handle is made that AddBufferedItem returns: it subscribes, too, so an event of it may come before
        anybody knows it, and MXAccess may have taken the handle of a temporary item again."""
        self._adds_buffered = True
        try:
            yield
        finally:
            self._adds_buffered = False
