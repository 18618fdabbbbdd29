"""What happens because time passes: duties, each with a period of its own and a task of its own.

A duty that waits, for the key store perhaps, holds no other one up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from mxgateway_protocol.clock import Clock
from mxgateway_server.access.authenticator import Authenticator
from mxgateway_server.access.store import KeyStore
from mxgateway_server.config.settings import Settings
from mxgateway_server.health.watcher import DISK_SECONDS, WATCH_SECONDS, HealthWatcher
from mxgateway_server.logs import get_logger
from mxgateway_server.rpc.connections import ConnectionWatch
from mxgateway_server.rpc.live_streams import LiveStreams
from mxgateway_server.sessions.manager import SessionManager
from mxgateway_server.workers.pool import WorkerPool
from mxgateway_server.workers.watchdog import StallGuard

logger = get_logger(__name__)

WORKER_CHECK_SECONDS = 1.0
CONNECTION_CHECK_SECONDS = 1.0
CROWD_CHECK_SECONDS = 0.125
KEY_CHECK_SECONDS = 0.25
KEY_USE_SECONDS = 5.0
AUDIT_PRUNE_SECONDS = 3600.0
TELL_SECONDS = 30.0
_DAY_NS = 86_400 * 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """Something that is done again and again.

    Attributes:
        name: for the log.
        period: seconds from one round to the next, about.
        work: one round. What it raises is logged, and the next round tries again.
        at_start: whether the first round is at once, not after a period.
        at_end: whether a last round is done when the gateway stops.
    """

    name: str
    period: float
    work: Callable[[], Awaitable[None]]
    at_start: bool = False
    at_end: bool = False


async def on_the_beat(period: float) -> None:
    """Sleeps for a period, or up to half of one less or more, until a time that duties of other periods wake at, too.

    Waking costs more than what most duties do: so it is done for several at once.
    """
    await asyncio.sleep(until_beat(asyncio.get_running_loop().time(), period))


def until_beat(now: float, period: float) -> float:
    """Seconds until the multiple of the period that is nearest to one period from now."""
    return (round(now / period) + 1) * period - now


LAST_ROUND_SECONDS = 5.0
"""How long a round under way may take to its end when the gateway stops."""


class Upkeep:
    """Does duties until it is stopped.

    Args:
        sleep: waits for a number of seconds; for tests.
    """

    def __init__(self, duties: Sequence[Duty], sleep: Callable[[float], Awaitable[None]] = on_the_beat) -> None:
        self._duties = {duty.name: duty for duty in duties}
        self._sleep = sleep
        self._failures = dict.fromkeys(self._duties, 0)
        self._at_work: set[str] = set()
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Does every duty at its times until `stop`, and then those that have a last round."""
        duties = self._duties.values()
        async with asyncio.TaskGroup() as group:
            repeated = {duty.name: group.create_task(self._repeat(duty), name=duty.name) for duty in duties}
            await self._stop.wait()
            # A round under way comes to its end: a connection whose making is broken off would stay open.
            for name, task in repeated.items():
                if name not in self._at_work:
                    task.cancel()
            if repeated:
                await asyncio.wait(repeated.values(), timeout=LAST_ROUND_SECONDS)
            for task in repeated.values():
                task.cancel()
        for duty in duties:
            if duty.at_end:
                await self.perform(duty.name)

    async def stop(self) -> None:
        self._stop.set()

    async def perform(self, name: str) -> None:
        """One round of a duty, now. Never raises because of it."""
        duty = self._duties[name]
        try:
            await duty.work()
        except Exception as error:
            # What fails several times a second is told twice a minute.
            rounds = round(TELL_SECONDS / duty.period) if duty.period < 1 else 1
            if self._failures[name] % rounds == 0:
                if isinstance(error, (SQLAlchemyError, OSError)):
                    # Calls go on meanwhile, and keys are checked for each.
                    logger.warning("key_store_failed", error=error, duty=name)
                else:
                    logger.exception("upkeep_failed", duty=name)
            self._failures[name] += 1
        else:
            self._failures[name] = 0

    async def _repeat(self, duty: Duty) -> None:
        if duty.at_start:
            await self._round(duty)
        while not self._stop.is_set():
            await self._sleep(duty.period)
            await self._round(duty)

    async def _round(self, duty: Duty) -> None:
        self._at_work.add(duty.name)
        try:
            await self.perform(duty.name)
        finally:
            self._at_work.discard(duty.name)


def health_duties(watcher: HealthWatcher) -> list[Duty]:
    """What keeps the verdict on the gateway's health up to date."""
    return [
        Duty(name="watch-health", period=WATCH_SECONDS, work=watcher.watch, at_start=True),
        Duty(name="watch-disk", period=DISK_SECONDS, work=watcher.watch_disk, at_start=True),
    ]


class Duties:
    """The gateway's duties as methods, and `all` of them with their periods."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        *,
        sessions: SessionManager,
        pool: WorkerPool,
        store: KeyStore,
        authenticator: Authenticator | None,
        streams: LiveStreams,
        connections: ConnectionWatch,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._sessions = sessions
        self._pool = pool
        self._store = store
        self._authenticator = authenticator
        self._streams = streams
        self._connections = connections
        allowance = 2 * settings.worker.heartbeat_interval_seconds
        self._stalls = StallGuard(WORKER_CHECK_SECONDS, allowance, clock.monotonic())

    def all(self) -> list[Duty]:
        """Each duty that these settings ask for."""
        duties = [
            Duty(name="check-workers", period=WORKER_CHECK_SECONDS, work=self.check_workers),
            Duty(name="watch-connections", period=CONNECTION_CHECK_SECONDS, work=self.watch_connections),
            Duty(name="bound-connections", period=CROWD_CHECK_SECONDS, work=self.bound_connections),
            Duty(
                name="sweep-sessions",
                period=self._settings.sessions.lease_sweep_interval_seconds,
                work=self.sweep_sessions,
            ),
        ]
        if self._authenticator is not None:
            duties.append(Duty(name="check-keys", period=KEY_CHECK_SECONDS, work=self.check_keys))
            duties.append(Duty(name="save-key-use", period=KEY_USE_SECONDS, work=self.save_key_use, at_end=True))
        if self._settings.authentication.audit_retention_days:
            duties.append(Duty(name="prune-audit", period=AUDIT_PRUNE_SECONDS, work=self.prune_audit, at_start=True))
        return duties

    async def check_workers(self) -> None:
        """Looks for workers that hang."""
        if self._stalls.may_judge(self._clock.monotonic()):
            self._sessions.check_workers()
            self._pool.check()

    async def watch_connections(self) -> None:
        """Looks which connections are open; sessions whose clients are gone for longer than their grace end."""
        self._connections.look()
        self._sessions.look_for_peers(self._connections.is_open)

    async def bound_connections(self) -> None:
        """Closes what is too many of connections, many times a second while there may be."""
        self._connections.look_if_filling()

    async def sweep_sessions(self) -> None:
        """Closes sessions whose time is over."""
        self._sessions.sweep()

    async def check_keys(self) -> None:
        """Learns of changed keys, and ends the streams and sessions of those that are not valid, be it by the clock."""
        assert self._authenticator is not None
        try:
            await self._authenticator.look()
        finally:
            # Keys end by the clock also while the store cannot be asked.
            for caller in self._streams.callers:
                if not self._authenticator.is_still_valid(caller):
                    self._streams.end(caller)
            self._sessions.end_of_keys(self._authenticator.is_key_valid)

    async def save_key_use(self) -> None:
        """Notes in the store when keys were last used, and their hashes by the newest pepper."""
        assert self._authenticator is not None
        rehashed = self._authenticator.take_rehashed()
        if rehashed:
            try:
                await self._store.rehash(rehashed)
            except BaseException:
                self._authenticator.put_back_rehashed(rehashed)
                raise
        used = self._authenticator.take_used()
        if used:
            try:
                await self._store.mark_used(used)
            except BaseException:
                self._authenticator.put_back_used(used)
                raise

    async def prune_audit(self) -> None:
        """Lets audit records go that are older than they are kept."""
        days = self._settings.authentication.audit_retention_days
        await self._store.prune_audit(self._clock.unix_ns() - days * _DAY_NS)
