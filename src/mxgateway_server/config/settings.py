"""Settings of the gateway: one tree of options, and what does not go together in it.

Where the values come from is told in `sources`, how a mistake is explained in `problems`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ValidationInfo, field_validator, model_validator

from mxgateway_server.config.addresses import is_loopback, split_address
from mxgateway_server.config.alarm_sections import AlarmSettings
from mxgateway_server.config.conflict import Conflict
from mxgateway_server.config.dashboard_sections import DashboardSettings, sign_in_conflicts
from mxgateway_server.config.sections import (
    AuthenticationSettings,
    EventSettings,
    FilePath,
    GalaxySettings,
    HealthSettings,
    LoggingSettings,
    MetricsSettings,
    OperationsSettings,
    ProtocolSettings,
    Section,
    SessionSettings,
    TlsSettings,
    WorkerSettings,
)
from mxgateway_server.config.telemetry_section import TelemetrySettings, telemetry_conflicts
from mxgateway_worker.backends import BACKENDS, SIMULATED

DEFAULT_LISTEN = "localhost:5001"
DEFAULT_LISTEN_PLAINTEXT = "localhost:5000"

CHECKED_LATER = {"conflicts": "later"}
"""Validation context of a caller that asks for `conflicts` itself, after each setting was judged alone."""


class Settings(Section):
    """Everything that can be set."""

    listen: str = DEFAULT_LISTEN
    """Address of the TLS endpoint, HOST:PORT; port 0 for any free one; empty for none."""
    listen_client_certificates: str = ""
    """Address of a further TLS endpoint, which lets in only clients with a certificate; goes with
    `tls.client_certificates = "optional"`, while `listen` asks for none."""
    listen_plaintext: str = ""
    """Address of an endpoint without TLS; none unless asked for, and only on loopback addresses."""
    allow_remote_plaintext: bool = False
    """Allows other than loopback addresses for `listen_plaintext`: only behind a proxy that ends TLS, since API keys
    and values travel in clear."""
    state_dir: FilePath = ""
    """Directory of keys, certificates and Galaxy files; empty for the user's own."""
    allow_shared_state: bool = False
    """Lets several gateways use one state directory at the same time; each of them has to allow it. They share keys,
    audit and certificates, and nothing of their sessions."""
    read_only: bool = False
    """Writes nothing to the plant, whoever asks: it beats all scopes and limits of keys."""
    allow_fault_injection: bool = False
    """Lets admins make the backend misbehave, for tests."""
    event_loop: Literal["auto", "asyncio", "uvloop"] = "auto"
    """`auto` takes uvloop when it is installed; on Windows asyncio's own."""
    authentication: AuthenticationSettings = AuthenticationSettings()
    worker: WorkerSettings = WorkerSettings()
    sessions: SessionSettings = SessionSettings()
    events: EventSettings = EventSettings()
    protocol: ProtocolSettings = ProtocolSettings()
    galaxy: GalaxySettings = GalaxySettings()
    tls: TlsSettings = TlsSettings()
    health: HealthSettings = HealthSettings()
    operations: OperationsSettings = OperationsSettings()
    dashboard: DashboardSettings = DashboardSettings()
    metrics: MetricsSettings = MetricsSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    logging: LoggingSettings = LoggingSettings()
    alarms: AlarmSettings = AlarmSettings()

    @field_validator("listen", "listen_client_certificates", "listen_plaintext")
    @classmethod
    def _address(cls, value: str) -> str:
        if value:
            split_address(value)
        return value

    @model_validator(mode="after")
    def _together(self, info: ValidationInfo) -> Settings:
        if info.context != CHECKED_LATER:
            found = [conflict.text for conflict in conflicts(self)]
            if found:
                raise ValueError("; ".join(found))
        return self

    def tls_endpoints(self) -> Iterator[tuple[str, str, bool]]:
        """TLS endpoints: setting, address, and whether it lets in only clients with a certificate."""
        if self.listen:
            yield "listen", self.listen, self.tls.client_certificates == "required"
        if self.listen_client_certificates:
            yield "listen_client_certificates", self.listen_client_certificates, True

    def addresses(self) -> Iterator[tuple[str, str]]:
        """All addresses that are listened on, each with its setting."""
        for name, address, _ in self.tls_endpoints():
            yield name, address
        if self.listen_plaintext:
            yield "listen_plaintext", self.listen_plaintext

    def http_endpoints(self) -> Iterator[tuple[str, str, bool]]:
        """Endpoints of HTTP: setting, address, and whether it has TLS."""
        operations = self.operations
        if operations.enabled and operations.listen:
            yield "operations.listen", operations.listen, True
        if operations.enabled and operations.listen_plaintext:
            yield "operations.listen_plaintext", operations.listen_plaintext, False
        if self.metrics.enabled and self.metrics.listen_plaintext:
            yield "metrics.listen_plaintext", self.metrics.listen_plaintext, False

    @property
    def state_path(self) -> Path:
        """The state directory: `state_dir`, or the user's own."""
        return Path(self.state_dir).expanduser() if self.state_dir else default_state_directory()


def default_state_directory() -> Path:
    """The user's own state directory of the gateway."""
    if sys.platform == "win32":
        return Path(os.environ.get("PROGRAMDATA", r"C:\ProgramData")) / "mxaccess-gateway"
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "mxaccess-gateway"


def setting_names(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[str]:
    """The dotted names of all settings, without those of the sections themselves."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Section):
            yield from setting_names(kind, f"{prefix}{name}.")
        else:
            yield prefix + name


# ------------------------------------------------------------------------------------------------------------ conflicts


def conflicts(settings: Settings) -> Iterator[Conflict]:
    """What does not go together, each with the remedy."""
    yield from _endpoints(settings)
    yield from _client_certificates(settings)
    yield from _simulated(settings)
    yield from _backends(settings.worker)
    yield from _limits(settings.worker, settings.sessions)
    yield from _alarms(settings.alarms)
    yield from sign_in_conflicts(settings.dashboard)
    yield from telemetry_conflicts(settings.telemetry)
    authentication, tls = settings.authentication, settings.tls
    if authentication.pepper_file and authentication.pepper_variable:
        names = ("authentication.pepper_file", "authentication.pepper_variable")
        yield Conflict(names, "set authentication.pepper_file or authentication.pepper_variable, not both")
    if bool(tls.certificate_file) != bool(tls.key_file):
        names = ("tls.certificate_file", "tls.key_file")
        yield Conflict(names, "set tls.certificate_file and tls.key_file together, or neither")


def _endpoints(settings: Settings) -> Iterator[Conflict]:
    plaintext, mode = settings.listen_plaintext, settings.authentication.mode
    if not any(settings.addresses()):
        names = ("listen", "listen_plaintext")
        yield Conflict(names, "nothing to listen on: set listen, or listen_plaintext")
    if plaintext and not (settings.allow_remote_plaintext or is_loopback(plaintext)):
        yield Conflict(
            ("listen_plaintext", "allow_remote_plaintext"),
            f"listen_plaintext = {plaintext} would carry API keys in clear over the network; listen on localhost, "
            "use listen (TLS), or set allow_remote_plaintext when a proxy in front ends TLS",
        )
    for name, address, is_tls in settings.http_endpoints():
        if name == "metrics.listen_plaintext":
            if not (is_loopback(address) or settings.metrics.access == "open"):
                yield Conflict(
                    (name, "metrics.access"),
                    f"{name} = {address} would carry keys in clear over the network; set metrics.access = open, or use "
                    "operations.listen",
                )
        elif not (is_tls or settings.allow_remote_plaintext or is_loopback(address)):
            yield Conflict(
                (name, "allow_remote_plaintext"),
                f"{name} = {address} would carry logins in clear over the network; listen on localhost, use "
                "operations.listen (TLS), or set allow_remote_plaintext when a proxy in front ends TLS",
            )
    if mode == "disabled":
        for name, address in (*settings.addresses(), *((name, place) for name, place, _ in settings.http_endpoints())):
            if not is_loopback(address):
                yield Conflict(
                    (name, "authentication.mode"),
                    f"authentication.mode = disabled needs loopback addresses, but {name} is {address}; "
                    "listen on localhost or set authentication.mode = api_key",
                )


def _client_certificates(settings: Settings) -> Iterator[Conflict]:
    tls, extra = settings.tls, settings.listen_client_certificates
    mode = tls.client_certificates
    if (mode == "optional") != bool(extra):
        yield Conflict(
            ("tls.client_certificates", "listen_client_certificates"),
            'tls.client_certificates = "optional" and listen_client_certificates go together: who has a certificate '
            "comes by that address, who has none by listen; the TLS library cannot ask for one on the same port and "
            "go on without",
        )
    if mode == "required" and not settings.listen:
        yield Conflict(
            ("tls.client_certificates", "listen"), 'tls.client_certificates = "required" needs an address in listen'
        )
    if mode != "off" and tls.certificate_file and not tls.client_ca_file:
        yield Conflict(
            ("tls.client_ca_file", "tls.client_certificates"),
            "set tls.client_ca_file to the authority that signs the clients' certificates",
        )
    if mode == "off" and tls.client_ca_file:
        yield Conflict(
            ("tls.client_ca_file", "tls.client_certificates"),
            'tls.client_ca_file does nothing while tls.client_certificates is "off"; set that to "required" or '
            '"optional"',
        )


def _simulated(settings: Settings) -> Iterator[Conflict]:
    worker = settings.worker
    if worker.command or worker.backend not in SIMULATED or "backend" in worker.model_fields_set:
        return
    for name, address in settings.addresses():
        if not is_loopback(address):
            yield Conflict(
                (name, "worker.backend"),
                f"{name} = {address} would offer SIMULATED values to other machines, and nobody asked for the "
                'simulator; set worker.backend = "simulator" (--backend simulator) when that is meant, "com" in front '
                "of a plant",
            )


def _backends(worker: WorkerSettings) -> Iterator[Conflict]:
    if worker.command:
        return  # another program than ours may know other backends
    for setting, names in (("backend", (worker.backend,)), ("allowed_backends", worker.allowed_backends)):
        for name in names:
            if name not in BACKENDS:
                known = ", ".join(sorted(BACKENDS))
                yield Conflict(
                    (f"worker.{setting}",), f"worker.{setting}: there is no such backend; there are: {known}"
                )


def _alarms(alarms: AlarmSettings) -> Iterator[Conflict]:
    if not alarms.enabled:
        return
    if not alarms.expressions:
        yield Conflict(
            ("alarms.enabled", "alarms.subscription_expression", "alarms.default_area"),
            "alarms.enabled needs to know what to listen to: set alarms.default_area to an area, or "
            "alarms.subscription_expression",
        )
    discovery = alarms.fallback.discovery
    if alarms.fallback.mode == "attributes" and not (discovery.use_galaxy or discovery.include):
        yield Conflict(
            ("alarms.fallback.mode", "alarms.fallback.discovery.include"),
            "alarms.fallback.mode = attributes has nothing to watch: set alarms.fallback.discovery.use_galaxy, or list "
            "alarms in alarms.fallback.discovery.include",
        )


def _limits(worker: WorkerSettings, sessions: SessionSettings) -> Iterator[Conflict]:
    if worker.heartbeat_stuck_ceiling_seconds < worker.heartbeat_grace_seconds:
        yield Conflict(
            ("worker.heartbeat_stuck_ceiling_seconds", "worker.heartbeat_grace_seconds"),
            "worker.heartbeat_stuck_ceiling_seconds is below worker.heartbeat_grace_seconds; raise the former",
        )
    if worker.heartbeat_grace_seconds <= worker.heartbeat_interval_seconds:
        yield Conflict(
            ("worker.heartbeat_grace_seconds", "worker.heartbeat_interval_seconds"),
            "worker.heartbeat_grace_seconds is not above worker.heartbeat_interval_seconds, so every idle worker "
            "would count as hung; raise the former, to three intervals for example",
        )
    if sessions.max_command_timeout_seconds < sessions.default_command_timeout_seconds:
        yield Conflict(
            ("sessions.max_command_timeout_seconds", "sessions.default_command_timeout_seconds"),
            "sessions.max_command_timeout_seconds is below sessions.default_command_timeout_seconds; raise it",
        )
