"""Settings read again while the gateway runs: all of them or none, and what needs a restart is said by name."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from mxgateway_server import logs, wiring
from mxgateway_server.access.authenticator import Authenticator
from mxgateway_server.certificates.keeper import CertificateKeeper
from mxgateway_server.config.dashboard_sections import DashboardSettings
from mxgateway_server.config.settings import Settings, setting_names
from mxgateway_server.counters import Counters
from mxgateway_server.errors import ConfigurationError
from mxgateway_server.parts import work_until
from mxgateway_server.sessions.manager import SessionManager

logger = logs.get_logger(__name__)

TAKEN = (
    "authentication.failures_before_throttle",
    "authentication.throttle_seconds",
    "dashboard.idle_minutes",
    "dashboard.login_hours",
    "dashboard.max_streams",
    "dashboard.max_streams_per_key",
    "dashboard.people_acknowledge",
    "dashboard.roles",
    "dashboard.screen_days",
    "events.backpressure_policy",
    "logging.level",
    "sessions.default_lease_seconds",
    "sessions.detach_grace_seconds",
    "sessions.max_sessions",
    "sessions.max_sessions_per_key",
)
"""Settings that hold from a reload on; those of sessions and logins for those that begin after it, and what the
dashboard's groups may at once."""


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What a reload has changed, and what it could not, as names of settings."""

    changed: tuple[str, ...]
    needs_restart: tuple[str, ...]


class Reloading:
    """Reads the settings again, and hands on what may change.

    Args:
        settings: those that the gateway began with.
        read: reads them again from where they came from; blocks on the disk.

    Attributes:
        reconfigure_dashboard: hands its settings to the dashboard; None where there is none.
    """

    def __init__(
        self,
        settings: Settings,
        read: Callable[[], Settings],
        *,
        sessions: SessionManager,
        authenticator: Authenticator | None,
        certificate: CertificateKeeper | None,
        counters: Counters,
    ) -> None:
        self._settings = settings
        self.reconfigure_dashboard: Callable[[DashboardSettings], None] | None = None
        self._read = read
        self._sessions = sessions
        self._authenticator = authenticator
        self._certificate = certificate
        self._counters = counters

    @property
    def settings(self) -> Settings:
        """Those that are in force."""
        return self._settings

    @property
    def level(self) -> str:
        """The level of the log that the settings say now."""
        return self._settings.logging.level

    def read(self) -> Settings:
        """The settings as they are written now; blocks on the disk.

        Raises:
            ConfigurationError: a setting is wrong; then nothing changes.
        """
        try:
            return self._read()
        except ConfigurationError as error:
            self._counters.reload_ok = False
            logger.warning("config_reload_refused", problem=str(error), remedy="mxgateway check-config tells more")
            raise

    def take(self, read: Settings) -> Reloaded:
        """Takes what has changed, and looks at the certificate files."""
        if self._certificate is not None:
            self._certificate.reload_soon()
        differing = tuple(name for name in setting_names() if _value(read, name) != _value(self._settings, name))
        changed = tuple(name for name in differing if name in TAKEN)
        self._take(read, changed)
        self._counters.reload_ok = True
        found = Reloaded(changed, tuple(name for name in differing if name not in TAKEN))
        logger.info("config_reloaded", changed=list(found.changed), needs_restart=list(found.needs_restart))
        return found

    def _take(self, read: Settings, changed: tuple[str, ...]) -> None:
        sections: dict[str, dict[str, object]] = {}
        for name in changed:
            section, _, option = name.partition(".")
            sections.setdefault(section, {})[option] = _value(read, name)
        self._settings = self._settings.model_copy(
            update={
                section: getattr(self._settings, section).model_copy(update=values)
                for section, values in sections.items()
            }
        )
        settings = self._settings
        if "logging" in sections:
            logs.set_level(settings.logging.level)
        if "sessions" in sections or "events" in sections:
            self._sessions.reconfigure(wiring.session_options(settings))
        if "dashboard" in sections and self.reconfigure_dashboard is not None:
            self.reconfigure_dashboard(settings.dashboard)
        if "authentication" in sections and self._authenticator is not None:
            authentication = settings.authentication
            self._authenticator.throttle.reconfigure(
                authentication.failures_before_throttle, authentication.throttle_seconds
            )


class Reloads:
    """Reloads when it is asked to, by a signal for example; a part of the gateway."""

    def __init__(self, reloading: Reloading, wanted: asyncio.Event) -> None:
        self._reloading = reloading
        self._wanted = wanted
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Waits for being asked, again and again until `stop`."""
        await work_until(self._stop, self._work())

    async def stop(self) -> None:
        self._stop.set()

    async def _work(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            # What was wrong is in the log; the gateway goes on with what it has.
            with contextlib.suppress(ConfigurationError):
                self._reloading.take(await asyncio.to_thread(self._reloading.read))


def _value(settings: Settings, name: str) -> object:
    found: object = settings
    for part in name.split("."):
        found = getattr(found, part)
    return found
