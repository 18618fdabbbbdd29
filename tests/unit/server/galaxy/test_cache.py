"""The cache's decisions."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.support.galaxy_rows import DEPLOYED
from tests.support.galaxy_source import galaxy_data

from mxgateway_server.galaxy.cache import CacheStatus, HierarchyCache
from mxgateway_server.galaxy.index import GalaxyIndex


def index(deploy_time: object = DEPLOYED) -> GalaxyIndex:
    return GalaxyIndex(galaxy_data([(1, "A", "", 0, 10)], deploy_time))  # type: ignore[arg-type]


def test_first_poll_wants_a_load() -> None:
    """Whatever the time, also none, the first poll asks for the rows."""
    cache = HierarchyCache()
    assert not cache.is_settled
    assert cache.polled(None, 1)
    assert cache.polled(DEPLOYED, 1)


@pytest.mark.parametrize("other", [DEPLOYED + timedelta(microseconds=1), DEPLOYED - timedelta(days=1), None])
def test_any_difference_is_a_change(other: object) -> None:
    """Later, earlier and vanished times all ask for the rows; an equal one confirms what is served."""
    cache = HierarchyCache()
    cache.loaded(index(), 1)
    assert cache.polled(other, 2)  # type: ignore[arg-type]
    assert not cache.polled(DEPLOYED, 3)
    assert (cache.view.status, cache.view.checked_ns) == (CacheStatus.HEALTHY, 3)


def test_snapshot_is_stale_until_confirmed() -> None:
    """A restored entry is served as STALE, and becomes HEALTHY by an equal time, as the same entry."""
    cache = HierarchyCache()
    entry = cache.restored(index(), 1)
    assert (cache.view.status, cache.is_settled, entry.restored) == (CacheStatus.STALE, True, True)
    assert not cache.polled(DEPLOYED, 2)
    assert (cache.view.status, cache.view.entry) == (CacheStatus.HEALTHY, entry)


def test_snapshot_that_its_time_does_not_identify() -> None:
    """Where an equal time may be another Galaxy's, it confirms what was read in this run, and not the snapshot."""
    cache = HierarchyCache()
    restored = cache.restored(index(), 1)
    assert cache.polled(DEPLOYED, 2, time_identifies=False)
    assert cache.view.status is CacheStatus.STALE
    other = GalaxyIndex(galaxy_data([(1, "B", "", 0, 10)], DEPLOYED))
    assert cache.loaded(other, 3) is not restored
    assert not cache.polled(DEPLOYED, 4, time_identifies=False)


def test_snapshot_that_is_the_very_same_galaxy() -> None:
    """A Galaxy read anew that equals the snapshot leaves the entry in service, so that page tokens stay good."""
    cache = HierarchyCache()
    restored = cache.restored(index(), 1)
    found = cache.loaded(index(), 3)
    assert (found.sequence, found.index, found.restored) == (restored.sequence, restored.index, False)
    assert (cache.view.status, cache.view.entry, cache.view.checked_ns) == (CacheStatus.HEALTHY, found, 3)
    assert not cache.polled(DEPLOYED, 4, time_identifies=False)


def test_failures() -> None:
    """Failures keep what is there, count up, and are forgotten by the first success."""
    cache = HierarchyCache()
    cache.failed("gone")
    assert (cache.view.status, cache.view.reason, cache.is_settled) == (CacheStatus.UNAVAILABLE, "gone", True)
    entry = cache.loaded(index(), 5)
    cache.failed("slow")
    cache.failed("slow")
    view = cache.view
    assert (view.status, view.entry, view.failures, view.checked_ns) == (CacheStatus.STALE, entry, 2, 5)
    cache.polled(DEPLOYED, 6)
    assert (cache.view.failures, cache.view.reason) == (0, "")


def test_sequence_grows() -> None:
    """Each entry has a sequence of its own, so that tokens of one never fit another."""
    cache = HierarchyCache()
    found = [
        cache.restored(index(), 1),
        cache.loaded(index(None), 2),
        cache.loaded(index(), 3),
        cache.loaded(index(), 4),
    ]
    assert [entry.sequence for entry in found] == [1, 2, 3, 4]
