"""Keeps what a request selected for its further pages, so that a page costs the page and not the hierarchy."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

from mxgateway_server.galaxy.cache import CacheEntry
from mxgateway_server.galaxy.selection import FilteredIndex, ObjectFilter

_T = TypeVar("_T")

_KEPT = 64


class _Recent(Generic[_T]):
    """The results used lately of the newest deployment. For one thread."""

    def __init__(self) -> None:
        self._sequence = 0
        self._found: OrderedDict[Hashable, _T] = OrderedDict()

    def get(self, sequence: int, key: Hashable) -> _T | None:
        if sequence != self._sequence or key not in self._found:
            return None
        self._found.move_to_end(key)
        return self._found[key]

    def put(self, sequence: int, key: Hashable, value: _T) -> None:
        if sequence < self._sequence:
            return
        if sequence > self._sequence:
            self._sequence = sequence
            self._found.clear()
        self._found[key] = value
        while len(self._found) > _KEPT:
            self._found.popitem(last=False)


class SelectionCache:
    """Filtered indexes by filter and scope, and the places that requests selected, both bounded."""

    def __init__(self) -> None:
        self._filtered: _Recent[FilteredIndex] = _Recent()
        self._places: _Recent[Sequence[int]] = _Recent()
        self._making: WeakValueDictionary[Hashable, asyncio.Lock] = WeakValueDictionary()

    async def filtered(
        self, entry: CacheEntry, conditions: ObjectFilter, scope: tuple[str, ...], *, navigable: bool
    ) -> FilteredIndex:
        """The index under a filter; evaluated in a thread, as it looks at every object, and once for all who wait."""
        key = (conditions, scope, navigable)
        if (found := self._filtered.get(entry.sequence, key)) is not None:
            return found
        make = partial(FilteredIndex, entry.index, conditions, scope, navigable=navigable)
        async with self._making.setdefault((entry.sequence, key), asyncio.Lock()):
            if (found := self._filtered.get(entry.sequence, key)) is None:
                found = make() if conditions.is_empty and not scope else await asyncio.to_thread(make)
                self._filtered.put(entry.sequence, key, found)
            return found

    def places(self, entry: CacheEntry, arguments: bytes, select: Callable[[], Sequence[int]]) -> Sequence[int]:
        """The positions that a request selected, by its arguments without the page."""
        found = self._places.get(entry.sequence, arguments)
        if found is None:
            found = select()
            self._places.put(entry.sequence, arguments, found)
        return found
