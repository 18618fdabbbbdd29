"""What browse serves and how fresh it is: decisions only, no clock, no thread, no database."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from mxgateway_server.galaxy.encoding import ObjectEncoder
from mxgateway_server.galaxy.index import GalaxyIndex


class CacheStatus(Enum):
    """How the cache stands.

    UNKNOWN: nothing was tried yet. HEALTHY: what is served was confirmed by the last look at the database. STALE: the
    last look failed, or what is served comes from the snapshot; it is served. UNAVAILABLE: there is nothing to serve.
    """

    UNKNOWN = "unknown"
    HEALTHY = "healthy"
    STALE = "stale"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheEntry:
    """One deployment as it is served. Immutable.

    Attributes:
        sequence: grows with each entry of this gateway run; page tokens hold for one sequence.
        index: the objects.
        encoder: their wire form.
        loaded_ns: when the entry came into service, nanoseconds since 1970 UTC.
        restored: whether it comes from the snapshot.
    """

    sequence: int
    index: GalaxyIndex
    encoder: ObjectEncoder
    loaded_ns: int
    restored: bool

    @property
    def deploy_time(self) -> datetime | None:
        return self.index.deploy_time


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheView:
    """The cache at one moment.

    Attributes:
        status: see CacheStatus.
        entry: what is served; None only when UNKNOWN or UNAVAILABLE.
        reason: why it is not HEALTHY, in words fit for clients; '' when it is.
        checked_ns: when the database last answered, nanoseconds since 1970 UTC; 0 for never.
        failures: looks that failed in a row.
    """

    status: CacheStatus = CacheStatus.UNKNOWN
    entry: CacheEntry | None = None
    reason: str = "the Galaxy has not been read yet"
    checked_ns: int = 0
    failures: int = 0


class HierarchyCache:
    """Holds the view and moves it on. Readers take `view` once and work on that."""

    def __init__(self) -> None:
        self.view = CacheView()
        self._sequence = 0

    @property
    def is_settled(self) -> bool:
        """Whether anything came out yet, good or bad; until then callers may wait."""
        return self.view.status is not CacheStatus.UNKNOWN

    def restored(self, index: GalaxyIndex, now_ns: int) -> CacheEntry:
        """Serves the snapshot until the database has been seen."""
        entry = self._entry(index, now_ns, restored=True)
        self.view = CacheView(
            status=CacheStatus.STALE,
            entry=entry,
            reason="restored from the snapshot, not yet confirmed",
            checked_ns=0,
            failures=0,
        )
        return entry

    def polled(self, deploy_time: datetime | None, now_ns: int, *, time_identifies: bool = True) -> bool:
        """Takes the database's deploy time; returns whether the Galaxy has to be read anew.

        Any difference counts, an earlier time too: that is a backup restored. Where the time does not identify the
        deployment, an equal one does not confirm what comes from the snapshot.
        """
        entry = self.view.entry
        if entry is None or entry.deploy_time != deploy_time or (entry.restored and not time_identifies):
            return True
        self.view = CacheView(status=CacheStatus.HEALTHY, entry=entry, reason="", checked_ns=now_ns, failures=0)
        return False

    def loaded(self, index: GalaxyIndex, now_ns: int) -> CacheEntry:
        """Serves what was read; sequence and index stay when the snapshot turns out to be the very same Galaxy."""
        before = self.view.entry
        if before is not None and before.restored and before.index.data == index.data:
            entry = replace(before, restored=False)
        else:
            entry = self._entry(index, now_ns, restored=False)
        self.view = CacheView(status=CacheStatus.HEALTHY, entry=entry, reason="", checked_ns=now_ns, failures=0)
        return entry

    def failed(self, reason: str) -> None:
        """Keeps serving what there is."""
        view = self.view
        status = CacheStatus.UNAVAILABLE if view.entry is None else CacheStatus.STALE
        self.view = replace(view, status=status, reason=reason, failures=view.failures + 1)

    def _entry(self, index: GalaxyIndex, now_ns: int, *, restored: bool) -> CacheEntry:
        self._sequence += 1
        return CacheEntry(
            sequence=self._sequence, index=index, encoder=ObjectEncoder(index), loaded_ns=now_ns, restored=restored
        )
