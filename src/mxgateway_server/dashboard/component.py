"""The dashboard put together: a part of the gateway that samples, and an application that answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from starlette.routing import Mount

from mxgateway_protocol.clock import Clock
from mxgateway_server.access.audit import AuditLog
from mxgateway_server.access.audit_pages import AuditPages
from mxgateway_server.access.authenticator import Authenticator
from mxgateway_server.access.store import KeyStore
from mxgateway_server.access.throttle import Throttle
from mxgateway_server.alarms.component import AlarmComponent
from mxgateway_server.certificates.keeper import CertificateKeeper
from mxgateway_server.config.addresses import split_address
from mxgateway_server.config.dashboard_sections import DashboardSettings
from mxgateway_server.config.settings import Settings
from mxgateway_server.dashboard import process, rules
from mxgateway_server.dashboard.alarms_api import AlarmRoutes
from mxgateway_server.dashboard.application import Dashboard
from mxgateway_server.dashboard.attention import AttentionRules
from mxgateway_server.dashboard.audit_api import AuditRoutes
from mxgateway_server.dashboard.control_api import Actions, ControlRoutes
from mxgateway_server.dashboard.galaxy_api import GalaxyRoutes
from mxgateway_server.dashboard.gate import Gate
from mxgateway_server.dashboard.keys_api import KeyRoutes
from mxgateway_server.dashboard.live import Feed, Frame
from mxgateway_server.dashboard.login_file import LoginFile
from mxgateway_server.dashboard.logins import LoginBook, LoginTimes
from mxgateway_server.dashboard.logs_api import LogRoutes
from mxgateway_server.dashboard.pages import Pages
from mxgateway_server.dashboard.people.opening import open_doors
from mxgateway_server.dashboard.people.signing_in import PeopleSigningIn
from mxgateway_server.dashboard.sampler import Process, Sampler
from mxgateway_server.dashboard.sessions_api import SessionRoutes
from mxgateway_server.dashboard.settings_api import SettingRoutes
from mxgateway_server.dashboard.signing_in import SigningIn
from mxgateway_server.dashboard.streaming import LiveStreams
from mxgateway_server.dashboard.watching import WatchDesk
from mxgateway_server.galaxy import GalaxyRepositoryService
from mxgateway_server.logs import get_logger
from mxgateway_server.parts import work_until
from mxgateway_server.sessions.manager import SessionManager
from mxgateway_server.status import StatusReader
from mxgateway_server.telemetry.lag_log import LoopLagLog

logger = get_logger(__name__)

SAMPLE_SECONDS = 1.0
STORE_SECONDS = 2.0
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class DashboardPart:
    """Samples once a second, stores logins, and ends the streams at the end.

    Attributes:
        application: what answers.
        sampler: keeps what happened.
        feed: the newest frame.
        people: lets in people without a key.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        *,
        status: StatusReader,
        sessions: SessionManager,
        audit: AuditLog,
        authenticator: Authenticator | None,
        certificate: CertificateKeeper | None,
        store: KeyStore,
        audit_pages: AuditPages,
        lag: LoopLagLog,
        browse: GalaxyRepositoryService,
        desk: WatchDesk,
        alarms: AlarmComponent | None,
        origin: Callable[[str], str],
        actions: Actions,
        in_force: Callable[[], Settings],
    ) -> None:
        """Reads files: it blocks on the disk.

        Raises:
            ConfigurationError: the bundle is not complete, or a door for people cannot be opened.
        """
        mine = settings.dashboard
        self._desk = desk
        self._clock = clock
        self._status = status
        self._lag = lag
        lag.want()
        self._stop = asyncio.Event()
        self._file = LoginFile(settings.state_path / _login_file(settings))
        self._book = LoginBook(_times(mine), self._file.logins)
        self._stored = self._book.version
        self.feed = Feed()
        self.sampler = Sampler(AttentionRules(heartbeat_seconds=settings.worker.heartbeat_interval_seconds))
        doors = open_doors(settings, clock)
        self._roles = doors.roles
        gate = Gate(
            self._book,
            authenticator,
            audit,
            clock,
            hosts=_hosts(settings, certificate),
            gateway_id=self._file.gateway_id,
            external_url=mine.external_url,
            people=doors.roles,
            proxies=doors.proxies,
            proxy=doors.proxy,
        )
        signing_in = SigningIn(
            gate,
            self._book,
            authenticator,
            audit,
            clock,
            features={
                "alarms": settings.alarms.enabled,
                "readOnly": settings.read_only,
                "shelveHours": settings.alarms.shelve.max_hours,
            },
            interval=SAMPLE_SECONDS,
            store=self._save,
        )
        people = signing_in.people = self.people = PeopleSigningIn(
            signing_in,
            self._book,
            doors,
            clock,
            cookie_name=gate.cookie_name,
            throttles=_throttles(settings),
        )
        self.streams = LiveStreams(self.feed, gate, clock, most=mine.max_streams, most_per_key=mine.max_streams_per_key)
        self.application = Dashboard(
            gate,
            [
                *rules.page_rules(Pages()),
                *rules.login_rules(signing_in),
                *rules.people_rules(people),
                *rules.live_rules(self.streams),
                *rules.session_rules(SessionRoutes(sessions, status, self.sampler, audit)),
                *rules.galaxy_rules(GalaxyRoutes(browse, self._desk)),
                *rules.alarm_rules(AlarmRoutes(alarms, settings.alarms.acknowledge.confirm_seconds)),
                *rules.key_rules(KeyRoutes(store, authenticator, audit, clock)),
                *rules.audit_rules(AuditRoutes(audit_pages, audit)),
                *rules.control_rules(ControlRoutes(in_force, origin, actions, audit)),
                *rules.log_rules(LogRoutes()),
                *rules.setting_rules(SettingRoutes(in_force, origin)),
            ],
        )

    def reconfigure(self, settings: DashboardSettings) -> None:
        """Takes what may change while it runs."""
        self._book.reconfigure(_times(settings))
        self._roles.reconfigure(settings.roles, acknowledges=settings.people_acknowledge)
        self.streams.reconfigure(most=settings.max_streams, most_per_key=settings.max_streams_per_key)

    def routes(self) -> list[Mount]:
        """What the HTTP listener has to serve beside its own; the last of all."""
        return [Mount("", self.application)]

    async def run(self) -> None:
        """Works until `stop`."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._desk.run(), name="dashboard-watch-lists")
                await work_until(self._stop, self._sample(), self._store())
                await self._desk.stop()
        finally:
            self.feed.end()
            await asyncio.to_thread(self._file.save, list(self._book.logins))

    async def stop(self) -> None:
        # Pages learn now that the gateway ends; uvicorn tells open streams nothing.
        self.feed.end()
        self.people.end()
        self._stop.set()

    async def _sample(self) -> None:
        due = self._clock.monotonic()
        while True:
            self.sample()
            # On a fixed grid; a beat that was missed is left out.
            now = self._clock.monotonic()
            due = max(due + SAMPLE_SECONDS, now - (now - due) % SAMPLE_SECONDS)
            await asyncio.sleep(max(0.0, due - now))

    def sample(self) -> None:
        """Takes a picture and publishes what follows from it; a failure of it ends nothing."""
        try:
            now = self._clock.monotonic()
            used = Process(
                cpu_seconds=process.cpu_seconds(),
                memory_bytes=process.memory_bytes(),
                loop_lag=self._lag.take_longest(),
            )
            frame = self.sampler.take(self._status.take(), used, now)
        except Exception:
            logger.exception("sampler_failed")
            return
        self.feed.publish(Frame(frame["n"], lambda: _encode(frame)))

    async def _store(self) -> None:
        while True:
            await asyncio.sleep(STORE_SECONDS)
            self._book.drop_ended(self._clock.unix_ns())
            await self._save()

    async def _save(self) -> None:
        version = self._book.version
        if version != self._stored and await asyncio.to_thread(self._file.save, list(self._book.logins)):
            self._stored = version


def _encode(frame: dict[str, Any]) -> bytes:
    return json.dumps(frame, separators=(",", ":"), allow_nan=False).encode()


def _times(settings: DashboardSettings) -> LoginTimes:
    return LoginTimes(
        login=settings.login_hours * 3600, idle=settings.idle_minutes * 60, screen=settings.screen_days * 86400
    )


def _throttles(settings: Settings) -> tuple[Throttle, Throttle]:
    """For failures by name and address, and for those of an address whatever the name."""
    authentication = settings.authentication
    before, wait = authentication.failures_before_throttle, authentication.throttle_seconds
    return Throttle(before, wait), Throttle(10 * before, wait)


def _login_file(settings: Settings) -> str:
    # Gateways that share a state directory have logins of their own.
    ports = "-".join(str(split_address(address)[1]) for _, address, _ in settings.http_endpoints())
    return f"dashboard-logins-{ports}.json"


def _hosts(settings: Settings, certificate: CertificateKeeper | None) -> Callable[[], frozenset[str]]:
    own = {split_address(address)[0].lower() for _, address, _ in settings.http_endpoints()} - {"0.0.0.0", "::"}  # noqa: S104
    own |= _LOOPBACK | {name.lower() for name in settings.tls.additional_dns_names}

    def hosts() -> frozenset[str]:
        names = () if certificate is None else certificate.current.names
        return frozenset({*own, *(name.lower() for name in names)})

    return hosts
