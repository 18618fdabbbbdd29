"""Keeps the hierarchy cache fresh: tasks and threads around its decisions, and what the gateway asks of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from mxgateway_protocol.clock import Clock, SystemClock
from mxgateway_server.galaxy.cache import CacheEntry, CacheView, HierarchyCache
from mxgateway_server.galaxy.deploy_events import DeployNotifier
from mxgateway_server.galaxy.errors import GalaxySourceError, GalaxyUnavailableError, SnapshotError
from mxgateway_server.galaxy.index import AttributeFacts, GalaxyIndex
from mxgateway_server.galaxy.lanes import Lane
from mxgateway_server.galaxy.retry import ReadRetry
from mxgateway_server.galaxy.snapshot import SnapshotStore
from mxgateway_server.galaxy.source import GalaxySource
from mxgateway_server.logs import get_logger
from mxgateway_server.parts import work_until

logger = get_logger(__name__)

_T = TypeVar("_T")

_LOADS_IN_A_ROW = 3
_SLOW = "the Galaxy database did not answer in time"
_UNEXPECTED = "the Galaxy could not be read"


@dataclass(frozen=True, slots=True, kw_only=True)
class GalaxyTiming:
    """Seconds.

    Attributes:
        poll_interval: between two looks at the time of the last deployment.
        first_load: how long a caller waits while nothing has been loaded yet.
        probe: how long one look may take.
        test_connection: how long TestConnection may take.
        read: how long reading the whole Galaxy may take.
        longest_retry: most time between two tries to read a Galaxy that cannot be read; the first is tried again after
            `poll_interval`.
        snapshot: how long reading or writing the snapshot may take.
    """

    poll_interval: float = 30.0
    first_load: float = 5.0
    probe: float = 60.0
    test_connection: float = 5.0
    read: float = 600.0
    longest_retry: float = 600.0
    snapshot: float = 60.0


class GalaxyComponent:
    """The Galaxy as the gateway knows it.

    It loads and polls while `run` runs. The database and the disk are touched in
    threads of their own, so neither can block the event loop, and one that hangs is given up.
    """

    def __init__(
        self,
        source: GalaxySource,
        *,
        snapshots: SnapshotStore | None = None,
        timing: GalaxyTiming | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.notifier = DeployNotifier()
        self._source = source
        self._snapshots = snapshots
        self._timing = timing or GalaxyTiming()
        self._clock = clock or SystemClock()
        self._cache = HierarchyCache()
        self._retry = ReadRetry(self._timing.poll_interval, self._timing.longest_retry)
        self._settled = asyncio.Event()
        self._wanted = asyncio.Event()
        self._refreshing = asyncio.Lock()
        self._reader = Lane("galaxy-read")
        self._prober = Lane("galaxy-probe")
        self._disk = Lane("galaxy-snapshot")
        self._probing = asyncio.Lock()
        self._probes_begun = 0
        self._probe_answered = 0
        self._probe_ok = False
        self._stop = asyncio.Event()

    # ------------------------------------------------------------------------------------------------------------- life

    async def run(self) -> None:
        """Loads the Galaxy and keeps it fresh, until `stop`."""
        await work_until(self._stop, self._keep_fresh())

    def end_watches(self) -> None:
        """Ends every WatchDeployEvents stream, and each that comes later, so that a server can stop in order."""
        self.notifier.end("the gateway is stopping")

    async def stop(self) -> None:
        """Ends polling and every watch. Threads that still read end by themselves."""
        self.end_watches()
        self._source.close()
        self._stop.set()

    def refresh_soon(self) -> None:
        """Looks at the database now instead of at the next poll."""
        self._wanted.set()

    # -------------------------------------------------------------------------------------------------- what others ask

    @property
    def view(self) -> CacheView:
        """Status, entry and reason at this moment."""
        return self._cache.view

    async def settled(self) -> bool:
        """Waits a bounded time while nothing has come out yet; False when that passed."""
        if self.view.entry is None and not self._settled.is_set():
            try:
                async with asyncio.timeout(self._timing.first_load):
                    await self._settled.wait()
            except TimeoutError:
                return False
        return True

    async def entry(self) -> CacheEntry:
        """What is served; waits a bounded time while nothing has come out yet.

        Raises:
            GalaxyUnavailableError: there is nothing to serve.
        """
        if not await self.settled():
            raise GalaxyUnavailableError("the Galaxy is still being read; try again", retry_after=1.0)
        view = self.view
        if view.entry is None:
            wait = self._retry.delay or self._timing.poll_interval
            raise GalaxyUnavailableError(f"the Galaxy is not available: {view.reason}", retry_after=wait)
        return view.entry

    @property
    def is_loaded(self) -> bool:
        """Whether a Galaxy is loaded, so that `lookup` can find something."""
        return self.view.entry is not None

    def lookup(self, reference: str) -> AttributeFacts | None:
        """What an item definition points to, or None when it is unknown or nothing is loaded."""
        entry = self.view.entry
        return None if entry is None else entry.index.lookup(reference)

    def may_be_array(self, reference: str) -> bool:
        """Whether an array may be meant, by a glance at the last name; False while nothing is loaded."""
        entry = self.view.entry
        return entry is not None and entry.index.may_be_array(reference)

    def none_may_be_array(self, references: Collection[str]) -> bool:
        """Whether `may_be_array` is False for all of them."""
        entry = self.view.entry
        return entry is None or entry.index.none_may_be_array(references)

    def alarm_attributes(self) -> Iterator[AttributeFacts]:
        """What bears an alarm, of the deployment that is served now; see `GalaxyIndex.alarm_attributes`."""
        entry = self.view.entry
        return iter(()) if entry is None else entry.index.alarm_attributes()

    async def test_connection(self) -> bool:
        """Whether the database answers now, within a bound; never raises because of it.

        Callers that ask at once share one probe.
        """
        asked = self._probes_begun
        try:
            async with asyncio.timeout(self._timing.test_connection), self._probing:
                if self._probe_answered > asked:
                    return self._probe_ok
                number = self._probes_begun = self._probes_begun + 1
                self._probe_ok = await self._probe()
                self._probe_answered = number
                return self._probe_ok
        except TimeoutError:
            logger.warning("galaxy_probe_failed", source=self._source.display_name, reason=_SLOW)
            return False

    async def _probe(self) -> bool:
        try:
            await self._prober.call(self._source.test_connection, self._timing.test_connection)
        except GalaxySourceError as error:
            logger.warning(
                "galaxy_probe_failed", source=self._source.display_name, reason=error.problem, error=error.detail
            )
        except TimeoutError:
            logger.warning("galaxy_probe_failed", source=self._source.display_name, reason=_SLOW)
        except Exception:  # whatever a driver raises, the answer is "no"
            logger.exception("galaxy_probe_failed", source=self._source.display_name, reason=_UNEXPECTED)
        else:
            return True
        return False

    # ------------------------------------------------------------------------------------------------------- refreshing

    async def refresh(self, *, insist: bool = True) -> None:
        """One look at the database, and a new entry when the deployment changed. Never raises because of it.

        A deployment that could not be read is not read again before it is due, unless asked to `insist`.
        """
        async with self._refreshing:
            try:
                await self._refresh(insist)
            except GalaxySourceError as error:
                self._failed(error.problem, error.detail)
            except TimeoutError as error:
                self._failed(_SLOW, str(error) or "no answer within the limit")
            except Exception as error:  # nothing may end the refresher
                logger.exception("galaxy_refresh_crashed", source=self._source.display_name)
                self._failed(_UNEXPECTED, type(error).__name__)
            finally:
                if self._cache.is_settled:
                    self._settled.set()

    async def _keep_fresh(self) -> None:
        await self._restore()
        while True:
            insist = self._wanted.is_set()
            # Before the look, not after: what is wanted while it goes on is another look.
            self._wanted.clear()
            await self.refresh(insist=insist)
            try:
                async with asyncio.timeout(self._timing.poll_interval):
                    await self._wanted.wait()
            except TimeoutError:
                continue

    async def _refresh(self, insist: bool) -> None:
        before = self.view
        for _ in range(_LOADS_IN_A_ROW):
            deploy_time = await self._poll()
            if not self._cache.polled(deploy_time, self._clock.unix_ns(), time_identifies=self._source.time_identifies):
                break
            began = self._clock.monotonic()
            if not insist and not self._retry.may_read(deploy_time, began):
                break
            # Looked at once more after this: a deployment in the middle of reading shows as a new change.
            index = await self._read(deploy_time)
            entry = self._cache.loaded(index, self._clock.unix_ns())
            self._settled.set()
            logger.info(
                "galaxy_loaded",
                source=self._source.display_name,
                sequence=entry.sequence,
                objects=len(index),
                attributes=index.attribute_count,
                deploy_time=str(index.deploy_time),
                seconds=round(self._clock.monotonic() - began, 3),
            )
            if before.entry is None or entry.sequence != before.entry.sequence:
                self._announce(index)
                await self._save(index)
        if before.status is not self.view.status:
            logger.info("galaxy_status", source=self._source.display_name, status=self.view.status.value)

    async def _poll(self) -> datetime | None:
        try:
            return await self._reader.call(self._source.read_deploy_time, self._timing.probe)
        except Exception:
            self._retry.forget()
            raise

    async def _read(self, deploy_time: datetime | None) -> GalaxyIndex:
        try:
            index = await self._reader.call(self._read_index, self._timing.read)
        except Exception:
            self._retry.failed(deploy_time, self._clock.monotonic())
            raise
        self._retry.forget()
        return index

    def _read_index(self) -> GalaxyIndex:
        return GalaxyIndex(self._source.read_galaxy())

    def _announce(self, index: GalaxyIndex) -> None:
        self.notifier.deployed(index.deploy_time, len(index), index.attribute_count, self._clock.unix_ns())

    def _failed(self, reason: str, detail: str) -> None:
        self._cache.failed(reason)
        logger.warning(
            "galaxy_refresh_failed",
            source=self._source.display_name,
            status=self.view.status.value,
            reason=reason,
            error=detail,
            failures=self.view.failures,
            retry_in_seconds=self._retry.delay or self._timing.poll_interval,
        )

    # --------------------------------------------------------------------------------------------------------- snapshot

    async def _restore(self) -> None:
        if self._snapshots is None:
            return
        snapshots, identity = self._snapshots, self._source.identity

        def restore() -> GalaxyIndex | None:
            data = snapshots.load(identity)
            return None if data is None else GalaxyIndex(data)

        index = await self._on_disk("galaxy_snapshot_ignored", restore)
        if index is None:
            return
        entry = self._cache.restored(index, self._clock.unix_ns())
        self._settled.set()
        logger.info("galaxy_snapshot_restored", sequence=entry.sequence, objects=len(index))
        self._announce(index)

    async def _save(self, index: GalaxyIndex) -> None:
        if self._snapshots is not None:
            snapshots, identity = self._snapshots, self._source.identity
            await self._on_disk("galaxy_snapshot_not_saved", lambda: snapshots.save(identity, index.data))

    async def _on_disk(self, complaint: str, function: Callable[[], _T]) -> _T | None:
        try:
            return await self._disk.call(function, self._timing.snapshot)
        except SnapshotError as error:
            logger.warning(complaint, reason=str(error))
        except TimeoutError:
            logger.warning(complaint, reason="the disk did not answer in time")
        except OSError as error:
            logger.warning(complaint, reason=str(error))
        except Exception:  # a snapshot is a comfort; without it browse goes on
            logger.exception(complaint, reason="unexpected failure")
        return None
