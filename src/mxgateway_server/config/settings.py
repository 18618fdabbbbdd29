"""Settings of the gateway: one tree, from a TOML file, the environment and flags, checked before anything starts.

Precedence, highest first: flags, environment (`MXGATEWAY__SECTION__OPTION`), TOML file, defaults.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
import re
import sys
import tomllib
from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_protocol.contract import EVENT_QUEUE_CAPACITY, MAX_FRAME_BYTES
from mxgateway_server.errors import ConfigurationError
from mxgateway_worker.backends import BACKENDS

ENVIRONMENT_PREFIX = "MXGATEWAY__"
DEFAULT_LISTEN = "localhost:5001"
DEFAULT_LISTEN_PLAINTEXT = "localhost:5000"


class Policy(StrEnum):
    """Backpressure policies by name; see BackpressurePolicy in the contract."""

    FAIL_FAST = "fail_fast"
    DISCONNECT_SUBSCRIBER = "disconnect_subscriber"
    DROP_OLDEST = "drop_oldest"
    CONFLATE = "conflate"

    @property
    def number(self) -> pb.BackpressurePolicy.ValueType:
        return pb.BackpressurePolicy.Value(f"BACKPRESSURE_POLICY_{self.name}")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class AuthenticationSettings(_Section):
    mode: Literal["api_key", "disabled"] = "api_key"
    """`disabled` gives every caller every scope: local development only, and only on loopback addresses."""
    database: str = ""
    """SQLite file or SQLAlchemy URL of the key store; empty for `keys.db` in the state directory."""
    pepper_file: str = ""
    """File with the secret that keys are hashed with; empty for `pepper` in the state directory."""
    run_migrations_on_startup: bool = True
    """Brings the key store to this version's schema at start."""
    cache_seconds: float = Field(default=2.0, ge=0, le=60)
    """How long a checked key is trusted without asking the store: a revocation by another process is seen after it."""
    failures_before_throttle: int = Field(default=10, ge=1)
    """Failures of one key id from one address before both together have to wait."""
    throttle_seconds: float = Field(default=5.0, ge=0)
    """How long they have to wait, doubling with each further failure up to a minute; 0 for no throttle."""
    audit_writes: bool = True
    """Records every write: who, which tag, outcome; never the value."""
    audit_retention_days: int = Field(default=400, ge=0)
    """Days that audit records are kept; 0 for ever."""


class WorkerSettings(_Section):
    command: tuple[str, ...] = ()
    """Program and first arguments of a worker; empty for this Python with `-m mxgateway_worker`."""
    working_directory: str = ""
    """Working directory of workers; empty for the gateway's."""
    backend: str = "simulator"
    """Backend of sessions that ask for none: simulator or replay."""
    allowed_backends: tuple[str, ...] = ()
    """Further backends that a session may ask for by name."""
    backend_options: dict[str, str] = Field(default_factory=dict)
    """Options handed to the backend, such as `profile`."""
    allowed_backend_options: tuple[str, ...] = ("profile",)
    """Backend options that callers may set; with fault injection allowed, all but those that name files."""
    startup_timeout_seconds: float = Field(default=30.0, gt=0)
    """Limit from start to ready."""
    shutdown_timeout_seconds: float = Field(default=10.0, gt=0)
    """Limit from being asked to end to having ended; then the worker is killed."""
    terminate_timeout_seconds: float = Field(default=2.0, gt=0)
    """Limit from terminate to kill."""
    heartbeat_interval_seconds: float = Field(default=5.0, gt=0)
    """How often a worker says that it is alive."""
    heartbeat_grace_seconds: float = Field(default=15.0, gt=0)
    """Silence after which an idle worker counts as hung."""
    heartbeat_stuck_ceiling_seconds: float = Field(default=75.0, gt=0)
    """Silence, or age of one call, after which a busy worker counts as hung."""
    max_message_bytes: int = Field(default=MAX_FRAME_BYTES, ge=64 * 1024, le=1024 * 1024 * 1024)
    """Longest frame of the pipe."""
    pool_size: int = Field(default=2, ge=0, le=64)
    """Workers kept ready, so that a session opens at once; 0 for none."""
    simultaneous_starts: int = Field(default=4, ge=1, le=64)
    """Workers that may be starting at the same time."""

    @field_validator("backend", "allowed_backends")
    @classmethod
    def _backends_exist(cls, names: Any, info: ValidationInfo) -> Any:
        # Another program than ours may know other backends.
        if not info.data.get("command"):
            for name in (names,) if isinstance(names, str) else names:
                if name not in BACKENDS:
                    raise ValueError(f"there is no backend {name!r}; there are: {', '.join(sorted(BACKENDS))}")
        return names


class SessionSettings(_Section):
    default_command_timeout_seconds: float = Field(default=30.0, gt=0)
    """Limit of a command when neither the call nor the session says another."""
    max_command_timeout_seconds: float = Field(default=600.0, gt=0)
    """Longest limit that a caller may ask for."""
    max_sessions: int = Field(default=64, ge=1)
    max_sessions_per_key: int = Field(default=0, ge=0)
    """Sessions that one key may have at once; 0 for no limit of its own."""
    max_pending_commands_per_session: int = Field(default=128, ge=1)
    """Commands under way on one session; more fail at once."""
    default_lease_seconds: float = Field(default=1800.0, gt=0)
    """Life of a session without calls and streams; each call begins it anew."""
    lease_sweep_interval_seconds: float = Field(default=30.0, gt=0)
    detach_grace_seconds: float = Field(default=30.0, ge=0)
    """Life of a session after its last stream broke off, unless a call comes; 0 for the lease only."""
    allow_multiple_event_subscribers: bool = True
    """Whether a session may have several event streams at once."""
    max_event_subscribers_per_session: int = Field(default=8, ge=1)


class EventSettings(_Section):
    queue_capacity: int = Field(default=EVENT_QUEUE_CAPACITY, ge=1)
    """Events that may wait for one stream, or for the first stream of a session."""
    queue_max_bytes: int = Field(default=16 * 1024 * 1024, ge=1024)
    """The same in bytes."""
    backpressure_policy: Policy = Policy.FAIL_FAST
    """What happens when they are more, unless session or stream say otherwise."""
    replay_buffer_capacity: int = Field(default=1024, ge=0)
    """Delivered events kept for streams that resume; 0 for none."""
    replay_retention_seconds: float = Field(default=300.0, ge=0)
    """Age after which they go; 0 for no age limit."""
    replay_max_bytes: int = Field(default=16 * 1024 * 1024, ge=1024)
    require_subscriber: bool = False
    """Faults a session whose events overflow while nobody reads them, as the original does."""
    max_batch_events: int = Field(default=2000, ge=1)
    """Events in one message of StreamEventBatches, unless the stream asks for fewer."""
    max_batch_bytes: int = Field(default=1024 * 1024, ge=1024)
    """The same in bytes."""


class ProtocolSettings(_Section):
    worker_protocol_version: Literal[1] = 1
    max_grpc_message_bytes: int = Field(default=MAX_FRAME_BYTES, ge=64 * 1024)
    reflection: bool = False
    """Offers gRPC server reflection (scope metadata:read)."""
    keepalive_seconds: float = Field(default=20.0, gt=0)
    """Interval of HTTP/2 pings that find dead peers."""
    keepalive_timeout_seconds: float = Field(default=10.0, gt=0)
    shutdown_grace_seconds: float = Field(default=10.0, ge=0)
    """Limit of an orderly stop: streams end, workers close."""


class GalaxySettings(_Section):
    connection_string: str = ""
    """Galaxy database: a SQLite file or SQLAlchemy URL; empty for the name or path given by `--galaxy`."""
    command_timeout_seconds: float = Field(default=60.0, gt=0)
    """Limit of one statement, and of logging in."""
    test_connection_timeout_seconds: float = Field(default=5.0, gt=0)
    """Limit of TestConnection as a whole; a database that takes longer is answered as not reachable."""
    dashboard_refresh_interval_seconds: float = Field(default=30.0, gt=0)
    """How often the time of the last deployment is looked at."""
    longest_read_retry_seconds: float = Field(default=600.0, gt=0)
    """A deployment that cannot be read is tried again after one refresh interval, then after twice as long each time,
    up to this. Another deployment is read at once."""
    persist_snapshot: bool = True
    snapshot_cache_path: str = ""
    """File of the last good hierarchy; empty for `galaxy-snapshot.jsonl.gz` in the state directory."""


class AlarmFallbackSettings(_Section):
    mode: Literal["auto", "force_alarm_manager", "force_subtag"] = "auto"
    consecutive_failure_threshold: int = Field(default=3, ge=1)
    failback_probe_interval_seconds: float = Field(default=30.0, ge=1)
    failback_stable_probes: int = Field(default=3, ge=1)


class AlarmSettings(_Section):
    enabled: bool = False
    subscription_expression: str = ""
    r"""`\\machine\Galaxy!area`; empty to build it from this machine's name and `default_area`."""
    default_area: str = ""
    reconcile_interval_seconds: float = Field(default=30.0, gt=0)
    fallback: AlarmFallbackSettings = AlarmFallbackSettings()

    @field_validator("subscription_expression")
    @classmethod
    def _expression(cls, value: str) -> str:
        if value and not (value.startswith("\\\\") and "\\" in value[2:] and "!" in value):
            raise ValueError(r"write it as \\machine\Galaxy!area, or leave it empty")
        return value


class TlsSettings(_Section):
    certificate_file: str = ""
    """PEM certificate chain of the operator; with `key_file`. Empty for a self-signed one that is made and kept."""
    key_file: str = ""
    self_signed_directory: str = ""
    """Where the self-signed certificate lives; empty for `certs` in the state directory."""
    validity_years: int = Field(default=10, ge=1, le=100)
    additional_dns_names: tuple[str, ...] = ()
    """Further names or addresses under which clients reach the gateway."""
    regenerate_if_expired: bool = True

    @model_validator(mode="after")
    def _both(self) -> TlsSettings:
        if bool(self.certificate_file) != bool(self.key_file):
            raise ValueError("set tls.certificate_file and tls.key_file together, or neither")
        return self


class LoggingSettings(_Section):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["console", "json"] = "console"
    """One line of text or of JSON for each record, on stderr."""
    loop_lag_interval_seconds: float = Field(default=300.0, ge=0)
    """How often `event_loop_lag` tells how late the gateway's event loop runs; 0 for never."""


class Settings(BaseSettings):
    """Everything that can be set."""

    model_config = SettingsConfigDict(
        env_prefix=ENVIRONMENT_PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
    )

    listen: str = DEFAULT_LISTEN
    """Address of the TLS endpoint, HOST:PORT; port 0 for any free one; empty for none."""
    listen_plaintext: str = ""
    """Address of an endpoint without TLS; none unless asked for, and only on loopback addresses."""
    allow_remote_plaintext: bool = False
    """Lets `listen_plaintext` be another than a loopback address: only behind a proxy that ends TLS, since API keys and
    values travel in clear."""
    state_dir: str = ""
    """Directory of keys, certificates and Galaxy files; empty for the user's own."""
    allow_fault_injection: bool = False
    """Lets admins make the backend misbehave, for tests."""
    event_loop: Literal["auto", "asyncio", "uvloop"] = "auto"
    """`auto` takes uvloop (winloop on Windows) when it is installed."""
    authentication: AuthenticationSettings = AuthenticationSettings()
    worker: WorkerSettings = WorkerSettings()
    sessions: SessionSettings = SessionSettings()
    events: EventSettings = EventSettings()
    protocol: ProtocolSettings = ProtocolSettings()
    galaxy: GalaxySettings = GalaxySettings()
    alarms: AlarmSettings = AlarmSettings()
    tls: TlsSettings = TlsSettings()
    logging: LoggingSettings = LoggingSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        # Flags and file are merged by `load` beforehand, around the environment.
        return (init_settings,)

    @field_validator("listen", "listen_plaintext")
    @classmethod
    def _address(cls, value: str) -> str:
        if value:
            split_address(value)
        return value

    @model_validator(mode="after")
    def _together(self) -> Settings:
        if not self.listen and not self.listen_plaintext:
            raise ValueError("nothing to listen on: set listen, or listen_plaintext")
        if self.listen_plaintext and not (self.allow_remote_plaintext or _is_loopback(self.listen_plaintext)):
            raise ValueError(
                f"listen_plaintext = {self.listen_plaintext} would carry API keys in clear over the network; listen on "
                "localhost, use listen (TLS), or set allow_remote_plaintext when a proxy in front ends TLS"
            )
        if self.authentication.mode == "disabled":
            for name, address in (("listen", self.listen), ("listen_plaintext", self.listen_plaintext)):
                if address and not _is_loopback(address):
                    raise ValueError(
                        f"authentication.mode = disabled needs loopback addresses, but {name} is {address}; "
                        "listen on localhost or set authentication.mode = api_key"
                    )
        worker = self.worker
        if worker.heartbeat_stuck_ceiling_seconds < worker.heartbeat_grace_seconds:
            raise ValueError(
                "worker.heartbeat_stuck_ceiling_seconds is below worker.heartbeat_grace_seconds; raise the former"
            )
        if worker.heartbeat_grace_seconds <= worker.heartbeat_interval_seconds:
            raise ValueError(
                "worker.heartbeat_grace_seconds is not above worker.heartbeat_interval_seconds, so every idle worker "
                "would count as hung; raise the former, to three intervals for example"
            )
        sessions = self.sessions
        if sessions.max_command_timeout_seconds < sessions.default_command_timeout_seconds:
            raise ValueError(
                "sessions.max_command_timeout_seconds is below sessions.default_command_timeout_seconds; raise it"
            )
        return self

    @property
    def state_path(self) -> Path:
        return Path(self.state_dir).expanduser() if self.state_dir else default_state_directory()


def split_address(address: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT` or `[IPv6]:PORT`.

    Raises:
        ValueError: it is not one.
    """
    host, separator, port = address.rpartition(":")
    if not separator or not host or not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"write HOST:PORT with a port from 0 to 65535, not {address!r}")
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise ValueError(f"write an IPv6 address in brackets, as in [::1]:5001, not {address!r}")
    return host.strip("[]"), int(port)


def _is_loopback(address: str) -> bool:
    host, _ = split_address(address)
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def default_state_directory() -> Path:
    """The user's own state directory of the gateway."""
    if sys.platform == "win32":
        return Path(os.environ.get("PROGRAMDATA", r"C:\ProgramData")) / "mxaccess-gateway"
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "mxaccess-gateway"


def load(config_file: Path | None = None, flags: dict[str, Any] | None = None) -> Settings:
    """The settings from all sources.

    Args:
        config_file: TOML file; None for none.
        flags: dotted option name → value, as given on the command line.

    Raises:
        ConfigurationError: a setting is wrong; names it and says what would be right.
    """
    tree: dict[str, Any] = {}
    if config_file is not None:
        tree = _read_toml(config_file)
    _merge(tree, _environment(os.environ))
    for name, value in (flags or {}).items():
        _put(tree, name.split("."), value)
    try:
        return Settings(**tree)
    except ValidationError as error:
        raise ConfigurationError(_explain(error)) from None


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except FileNotFoundError:
        raise ConfigurationError(f"--config {path}: no such file; create it or leave the flag out") from None
    except OSError as error:
        raise ConfigurationError(f"--config {path}: {error.strerror}; make the file readable") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"--config {path}: not TOML: {error}") from None


def _environment(environment: Mapping[str, str]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    settings = {re.sub("_+", "_", name): name for name in _all_settings()}
    for name, text in environment.items():
        upper = name.upper()
        if upper.startswith(ENVIRONMENT_PREFIX):
            path = name[len(ENVIRONMENT_PREFIX) :].lower().split("__")
            _put(tree, path, _value(text))
        elif re.sub("_+", "_", upper) in settings:
            # Nobody would see that such a variable does nothing.
            meant = settings[re.sub("_+", "_", upper)]
            raise ConfigurationError(f"environment: {name} is not read; write {meant}, with two underscores")
    return tree


def _environment_names(model: type[BaseModel], prefix: str) -> Iterable[str]:
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, _Section):
            yield from _environment_names(kind, f"{prefix}{name.upper()}__")
        else:
            yield prefix + name.upper()


def _value(text: str) -> Any:
    # Lists and tables are written as TOML; everything else is text that the model converts.
    if text[:1] in "[{" and text:
        try:
            return tomllib.loads(f"v = {text}")["v"]
        except tomllib.TOMLDecodeError:
            return text
    return text


def _put(tree: dict[str, Any], path: list[str], value: Any) -> None:
    for part in path[:-1]:
        tree = tree.setdefault(part, {})
        if not isinstance(tree, dict):
            raise ConfigurationError(f"{'.'.join(path)}: {part} is no section")
    tree[path[-1]] = value


def _merge(tree: dict[str, Any], other: dict[str, Any]) -> None:
    for name, value in other.items():
        if isinstance(value, dict) and isinstance(tree.get(name), dict):
            _merge(tree[name], value)
        else:
            tree[name] = value


_WANTED = {
    "tuple_type": 'write a list, such as ["one", "two"]',
    "model_type": "this is a section; write its options",
    "model_attributes_type": "this is a section; write its options",
    "dict_type": 'write a table, such as { name = "value" }',
    "string_type": "write a text in quotes",
}


def _explain(error: ValidationError) -> str:
    lines = []
    for problem in error.errors(include_url=False, include_context=False, include_input=False):
        path = [str(part) for part in problem["loc"]]
        name = ".".join(path)
        text = _WANTED.get(problem["type"]) or problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            text = f"no such setting; {_suggestion(path)}"
        environment = ENVIRONMENT_PREFIX + "__".join(path).upper()
        lines.append(f"{name}: {text} (environment: {environment})" if name else text)
    return "settings: " + "; ".join(lines)


def _suggestion(path: list[str]) -> str:
    known = [name[len(ENVIRONMENT_PREFIX) :].replace("__", ".").lower() for name in _all_settings()]
    beside = {".".join(name.split(".")[: len(path)]) for name in known}
    near = difflib.get_close_matches(".".join(path), beside, n=1, cutoff=0.75)
    if not near:
        # The option is right and the section is not.
        near = [name for name in known if name.rpartition(".")[2] == path[-1]][:1]
    return f"did you mean {near[0]}?" if near else "remove it or correct its name"


def _all_settings() -> list[str]:
    return list(_environment_names(Settings, ENVIRONMENT_PREFIX))
