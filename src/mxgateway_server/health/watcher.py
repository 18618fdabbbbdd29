"""Looks once a second at what the gateway depends on, and tells the log and gRPC's health service the verdict."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from mxgateway_protocol.clock import Clock
from mxgateway_server.access.audit import AuditLog
from mxgateway_server.access.authenticator import Authenticator
from mxgateway_server.certificates.keeper import CertificateKeeper
from mxgateway_server.galaxy.component import GalaxyComponent
from mxgateway_server.health import checks
from mxgateway_server.health.readiness import Change, HealthStatus, Judge, Problem
from mxgateway_server.logs import get_logger
from mxgateway_server.sessions.manager import SessionManager
from mxgateway_server.workers.pool import WorkerPool

logger = get_logger(__name__)

WATCH_SECONDS = 1.0
DISK_SECONDS = 30.0
_LAG_ROUNDS = 10
_ALIVE_SECONDS = 30.0

GATEWAY = "mxaccess_gateway.v1.MxAccessGateway"
GALAXY = "galaxy_repository.v1.GalaxyRepository"
LIVE = "mxgateway.live"
READY = "mxgateway.ready"
ALARMS = "mxgateway.alarms"
SERVICES = ("", GATEWAY, GALAXY, LIVE, READY, ALARMS)


def serving(status: HealthStatus, *, has_sessions: bool) -> dict[str, bool]:
    """Which gRPC health services say SERVING: whether calls on a connection will be answered.

    A gateway whose sessions live must not lose them because no further worker starts, so that counts only while there
    are none. `mxgateway.ready` answers the other question: whether new clients may be sent here.
    """
    lets_in = status.is_ok(checks.STORE)
    works = lets_in and (has_sessions or status.is_ok(checks.WORKERS))
    return {
        "": works,
        GATEWAY: works,
        GALAXY: lets_in and status.is_ok(checks.GALAXY),
        LIVE: True,
        READY: status.readiness != "not_ready",
        ALARMS: status.is_ok(checks.ALARMS),
    }


class HealthService(Protocol):
    """Where the verdict goes."""

    async def tell_health(self, serving: dict[str, bool]) -> None:
        """Takes, for each service, whether it says SERVING."""


class HealthWatcher:
    """Makes the findings and keeps the verdict.

    Args:
        alarms: what is wrong with the alarm monitor.
        free_bytes: free space in a folder, None when it cannot be written; blocks. For tests.
    """

    def __init__(
        self,
        judge: Judge,
        clock: Clock,
        *,
        state: Path,
        authenticator: Authenticator | None,
        pool: WorkerPool,
        sessions: SessionManager,
        galaxy: GalaxyComponent,
        audit: AuditLog,
        certificate: CertificateKeeper | None,
        certificate_days: int,
        service: HealthService,
        alarms: Callable[[], Problem | None] = lambda: None,
        free_bytes: Callable[[Path], int | None] | None = None,
    ) -> None:
        self._judge = judge
        self._clock = clock
        self._state = state
        self._authenticator = authenticator
        self._pool = pool
        self._sessions = sessions
        self._galaxy = galaxy
        self._audit = audit
        self._certificate = certificate
        self._certificate_days = certificate_days
        self._service = service
        self._alarms = alarms
        self._free_bytes = free_bytes or _free_bytes
        self._told: dict[str, bool] = {}
        self._watched_at: float | None = None
        self._lateness: deque[float] = deque(maxlen=_LAG_ROUNDS)

    def status(self) -> HealthStatus:
        """The verdicts as they are now."""
        return self._judge.status(self._clock.monotonic())

    def is_alive(self) -> bool:
        """Whether the gateway's clockwork runs: the last look is not long ago. True before the first."""
        return self._watched_at is None or self._clock.monotonic() - self._watched_at < _ALIVE_SECONDS

    async def watch(self) -> None:
        """One look at all that can be seen without waiting."""
        now = self._clock.monotonic()
        view = self._galaxy.view
        if self._authenticator is not None:
            self._observe(checks.STORE, checks.store_problem(self._authenticator.seconds_since_look()), now)
        self._observe(checks.WORKERS, checks.workers_problem(self._pool.can_serve, self._pool.last_failure), now)
        self._observe(checks.GALAXY, checks.galaxy_problem(view.status.value, view.reason), now)
        self._observe(checks.AUDIT, checks.audit_problem(self._audit.waiting, self._audit.failures), now)
        self._observe(checks.LOOP, checks.loop_problem(self._latest(now)), now)
        self._observe(checks.ALARMS, self._alarms(), now)
        self.watch_end()
        if self._certificate is not None:
            self._observe(checks.CERTIFICATE, self._certificate_problem(self._certificate), now)
        await self._tell()

    def watch_end(self) -> None:
        """Looks whether the gateway stops or is drained; to be told at once and not at the next look."""
        problem = checks.stopping_problem(self._sessions.is_stopping, self._sessions.is_draining)
        self._observe(checks.STOPPING, problem, self._clock.monotonic())

    async def watch_disk(self) -> None:
        """One look at the disk, in a thread."""
        free = await asyncio.to_thread(self._free_bytes, self._state)
        self._observe(checks.DISK, checks.disk_problem(free, str(self._state)), self._clock.monotonic())

    def _latest(self, now: float) -> float:
        # This duty is due once a second, so what it is late by is what everything in the loop is late by.
        if self._watched_at is not None:
            self._lateness.append(max(0.0, now - self._watched_at - WATCH_SECONDS))
        self._watched_at = now
        return max(self._lateness, default=0.0)

    def _certificate_problem(self, keeper: CertificateKeeper) -> Problem | None:
        left = keeper.current.not_after.timestamp() - self._clock.unix_ns() / 1e9
        return checks.certificate_problem(left, self._certificate_days, keeper.problem or keeper.clients_problem)

    def _observe(self, name: str, problem: Problem | None, now: float) -> None:
        change = self._judge.observe(name, problem, now)
        if change is not None:
            _log(change)

    async def _tell(self) -> None:
        found = serving(self.status(), has_sessions=len(self._sessions) > 0)
        if found != self._told:
            self._told = found
            await self._service.tell_health(found)


def _log(change: Change) -> None:
    if change.problem is None:
        logger.info("readiness_changed", check=change.name, ok=True)
    else:
        logger.warning(
            "readiness_changed",
            check=change.name,
            ok=False,
            reason=change.problem.reason,
            remedy=change.problem.remedy,
        )


def _free_bytes(folder: Path) -> int | None:
    try:
        return shutil.disk_usage(folder).free if os.access(folder, os.W_OK) else None
    except OSError:
        return None
