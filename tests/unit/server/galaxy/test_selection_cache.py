"""What a request selected is worked out once for all its pages, and once for all who ask the same."""

from __future__ import annotations

import asyncio

import pytest
from tests.support.galaxy_source import galaxy_data

from mxgateway_server.galaxy import selection_cache
from mxgateway_server.galaxy.cache import CacheEntry, HierarchyCache
from mxgateway_server.galaxy.index import GalaxyIndex
from mxgateway_server.galaxy.selection import FilteredIndex, ObjectFilter
from mxgateway_server.galaxy.selection_cache import SelectionCache

SCOPE = ("Area/P*",)
PUMPS = ObjectFilter(tag_name_glob="p*")


def entries() -> tuple[CacheEntry, CacheEntry]:
    cache = HierarchyCache()
    rows = [(1, "Area", "", 0, 13), (2, "Pump", "", 1, 10)]
    return cache.loaded(GalaxyIndex(galaxy_data(rows)), 1), cache.loaded(GalaxyIndex(galaxy_data(rows)), 2)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[tuple[ObjectFilter, object]]:
    """Every FilteredIndex that was worked out."""
    calls: list[tuple[ObjectFilter, object]] = []

    class Counted(FilteredIndex):
        def __init__(self, index: GalaxyIndex, conditions: ObjectFilter, scope: object = (), **rest: bool) -> None:
            calls.append((conditions, scope))
            super().__init__(index, conditions, scope, **rest)  # type: ignore[arg-type]

    monkeypatch.setattr(selection_cache, "FilteredIndex", Counted)
    return calls


async def test_pages_share_the_filter(made: list[tuple[ObjectFilter, object]]) -> None:
    """Further pages, and other requests with the same filter and scope, look at no object again."""
    entry, later = entries()
    cache = SelectionCache()
    first = await cache.filtered(entry, PUMPS, SCOPE, navigable=False)
    for _ in range(5):
        assert await cache.filtered(entry, ObjectFilter(tag_name_glob="p*"), SCOPE, navigable=False) is first
    assert made == [(PUMPS, SCOPE)]
    selected: list[int] = []
    for _ in range(5):
        cache.places(entry, b"arguments", lambda: selected.append(1) or first.subtree(None, None))
    assert len(selected) == 1
    assert await cache.filtered(later, PUMPS, SCOPE, navigable=False) is not first
    assert len(made) == 2


async def test_those_who_ask_at_once_share_the_work(made: list[tuple[ObjectFilter, object]]) -> None:
    """After a deployment all watchers of one key ask for the same at the same moment."""
    entry, _ = entries()
    cache = SelectionCache()
    found = await asyncio.gather(*(cache.filtered(entry, PUMPS, SCOPE, navigable=False) for _ in range(20)))
    assert len(made) == 1
    assert all(one is found[0] for one in found)


async def test_kept_selections_are_bounded(made: list[tuple[ObjectFilter, object]]) -> None:
    """However many filters are asked for, only the latest are kept."""
    entry, _ = entries()
    cache = SelectionCache()
    for turn in range(200):
        await cache.filtered(entry, ObjectFilter(tag_name_glob=f"p{turn}*"), (), navigable=False)
    assert len(made) == 200
    await cache.filtered(entry, ObjectFilter(tag_name_glob="p199*"), (), navigable=False)
    assert len(made) == 200
    await cache.filtered(entry, ObjectFilter(tag_name_glob="p0*"), (), navigable=False)
    assert len(made) == 201
