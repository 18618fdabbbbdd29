"""The sections of the settings: every option with its bounds, its default and the sentence that the docs show."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from mxgateway_contract.constants import MAX_REQUEST_BYTES
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_protocol.contract import (
    EVENT_QUEUE_CAPACITY,
    MAX_FRAME_BYTES,
    MAX_SESSION_ITEMS,
    MAX_SESSION_REGISTRATIONS,
)
from mxgateway_server.config.addresses import split_address

_POLICY = "BACKPRESSURE_POLICY_"
POLICIES = {
    name.removeprefix(_POLICY).lower(): number
    for name, number in pb.BackpressurePolicy.items()
    if number != pb.BACKPRESSURE_POLICY_UNSPECIFIED
}
"""Backpressure policies by the names that settings use; see BackpressurePolicy in the contract."""


def _policy(name: str) -> str:
    if name not in POLICIES:
        raise ValueError(f"write one of: {', '.join(POLICIES)}")
    return name


PolicyName = Annotated[str, AfterValidator(_policy), Field(json_schema_extra={"choices": list(POLICIES)})]


class Section(BaseModel):
    """A group of options; fixed once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)


_LOGIN = re.compile(r"://|(?:^|[;\s])\s*(?:password|pwd)\s*=", re.IGNORECASE)


def _file_path(text: str) -> str:
    if _LOGIN.search(text):
        # Errors repeat paths; a connection string that went into the wrong setting has to stay untold.
        raise ValueError("write the path of a file or folder; this is a URL or a connection string")
    return text


def _key_store(text: str) -> str:
    if "://" not in text and (_LOGIN.search(text) or "@" in text):
        # Taken for a file's name, it would make a file that is called like the password.
        raise ValueError(
            "the key store is an SQLite file or a URL such as postgresql+asyncpg://user:password@host/keys; connection"
            " strings of other forms are not taken"
        )
    return text


_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]{0,63}\Z")


def _variable(text: str) -> str:
    if text and not _VARIABLE.match(text):
        # The secret itself may have come here: it has to stay untold.
        raise ValueError("write the name of an environment variable, in capitals; the secret itself stands in that one")
    return text


def _address(text: str) -> str:
    if text:
        split_address(text)
    return text


Address = Annotated[str, AfterValidator(_address)]
"""HOST:PORT; empty for none."""

FilePath = Annotated[str, AfterValidator(_file_path)]
"""Path of a file or folder; empty where the setting says what is taken then."""


class AuthenticationSettings(Section):
    mode: Literal["api_key", "disabled"] = "api_key"
    """`disabled` gives every caller every scope: local development only, and only on loopback addresses."""
    database: Annotated[str, AfterValidator(_key_store)] = Field(default="", repr=False)
    """SQLite file or SQLAlchemy URL of the key store; empty for `keys.db` in the state directory."""
    pepper_file: FilePath = ""
    """File with the secrets that keys are hashed with, one a line, the newest first; empty for `pepper` in the state
    directory."""
    pepper_variable: Annotated[str, AfterValidator(_variable)] = ""
    """Name of the environment variable that holds these secrets in place of a file."""
    run_migrations_on_startup: bool = True
    """Brings the key store to this version's schema at start."""
    cache_seconds: float = Field(default=2.0, ge=0, le=60)
    """How long keys are trusted while the store cannot be asked; a change is seen within a quarter of a second."""
    failures_before_throttle: int = Field(default=10, ge=1)
    """Failures of one address with one key's id, or with ids that do not exist, before it has to wait with these."""
    throttle_seconds: float = Field(default=5.0, ge=0)
    """How long they have to wait, doubling with each further failure up to a minute; 0 for no throttle."""
    audit_writes: bool = True
    """Records every write: who, which tag, what MXAccess said, and what became of it."""
    audit_values: bool = False
    """Records the written values too; they may be secret themselves."""
    when_audit_fails: Literal["deny_writes", "go_on"] = "deny_writes"
    """When the store has taken no records for ten seconds, or half of the room for waiting ones is full: write nothing
    to the plant any more, or write on and count what is lost."""
    audit_retention_days: int = Field(default=400, ge=0)
    """Days that audit records are kept; 0 for ever."""


class WorkerSettings(Section):
    command: tuple[str, ...] = ()
    """Program and first arguments of a worker; empty for this Python with `-m mxgateway_worker`."""
    com_python: FilePath = ""
    """The 32-bit Python that runs workers of the backend `com`; `mxgateway worker provision` makes one."""
    com_packages: FilePath = ""
    """Folder with that Python's packages, as `mxgateway worker provision` lays them; empty when it has them itself."""
    working_directory: FilePath = ""
    """Working directory of workers; empty for the gateway's."""
    environment: dict[str, str] = Field(default_factory=dict, repr=False)
    """Variables that workers get beside what they need of the gateway's own."""
    backend: str = "simulator"
    """Backend of sessions that ask for none: com (MXAccess itself, on Windows), simulator or replay. An address that
    other machines reach is not served by the default: there the simulator has to be named."""
    allowed_backends: tuple[str, ...] = ()
    """Further backends that a session may ask for by name."""
    backend_options: dict[str, str] = Field(default_factory=dict, repr=False)
    """Options handed to the backend, such as `profile`."""
    other_backend_options: dict[str, dict[str, str]] = Field(default_factory=dict, repr=False)
    """Options of each further backend, by its name."""
    allowed_backend_options: tuple[str, ...] = ("profile",)
    """Backend options that callers may set; with fault injection allowed, all but those that name files."""
    sandbox: Literal["auto", "off", "required"] = "auto"
    """What workers give up before they begin, on Linux: all files but their own, the network, starting programs,
    looking into other processes. `auto` takes what the kernel has, `required` refuses to start with less than all;
    `mxgateway check-config` shows what is in force."""
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
    max_memory_bytes: int = Field(default=1024 * 1024 * 1024, ge=0)
    """Memory of one worker; one that reaches it ends, with its session and no other. 0 for no limit. Linux and Windows.
    A large recording to replay may need more."""
    pool_size: int = Field(default=2, ge=0, le=64)
    """Workers kept ready, so that a session opens at once; 0 for none."""
    simultaneous_starts: int = Field(default=4, ge=1, le=64)
    """Workers that may be starting at the same time."""


class SessionSettings(Section):
    default_command_timeout_seconds: float = Field(default=30.0, gt=0)
    """Limit of a command when neither the call nor the session says another."""
    max_command_timeout_seconds: float = Field(default=600.0, gt=0)
    """Longest limit that a caller may ask for."""
    max_sessions: int = Field(default=64, ge=1)
    """Sessions that may be open at once, of all callers together; each has a worker process of its own."""
    max_sessions_per_key: int = Field(default=0, ge=0)
    """Sessions that one key may have at once; 0 for three quarters of `max_sessions`, so that others find room."""
    max_pending_commands_per_session: int = Field(default=128, ge=1)
    """Commands under way on one session; more fail at once."""
    max_items_per_session: int = Field(default=MAX_SESSION_ITEMS, ge=1)
    """Items that one session may hold; what would add more fails with RESOURCE_EXHAUSTED, a bulk command as a whole."""
    max_registrations_per_session: int = Field(default=MAX_SESSION_REGISTRATIONS, ge=1)
    """Server handles that one session may hold at once."""
    default_lease_seconds: float = Field(default=1800.0, gt=0)
    """Life of a session without calls and streams; each call begins it anew."""
    lease_sweep_interval_seconds: float = Field(default=30.0, gt=0)
    """How often leases are looked at: a session ends at most so much later than its lease."""
    detach_grace_seconds: float = Field(default=30.0, ge=0)
    """Life of a session after its last stream broke off, or its client's last connection is gone, unless a call comes;
    0 for the lease only, which also rules sessions whose owner asked to keep them."""
    allow_multiple_event_subscribers: bool = True
    """Whether a session may have several event streams at once."""
    max_event_subscribers_per_session: int = Field(default=8, ge=1)
    """Event streams that one session may have at once, when it may have several."""


class EventSettings(Section):
    queue_capacity: int = Field(default=EVENT_QUEUE_CAPACITY, ge=1)
    """Events that may wait for one stream, or for the first stream of a session."""
    queue_max_bytes: int = Field(default=16 * 1024 * 1024, ge=1024)
    """The same in bytes."""
    backpressure_policy: PolicyName = "fail_fast"
    """What happens when they are more, unless session or stream say otherwise."""
    replay_buffer_capacity: int = Field(default=1024, ge=0)
    """Delivered events kept for streams that resume; 0 for none."""
    replay_retention_seconds: float = Field(default=300.0, ge=0)
    """Age after which they go; 0 for no age limit."""
    replay_max_bytes: int = Field(default=16 * 1024 * 1024, ge=1024)
    """Bytes of delivered events kept for streams that resume; the oldest go first."""
    require_subscriber: bool = False
    """Faults a session whose events overflow while nobody reads them, as the original does."""
    max_batch_events: int = Field(default=2000, ge=1)
    """Events in one message of StreamEventBatches, unless the stream asks for fewer."""
    max_batch_bytes: int = Field(default=1024 * 1024, ge=1024)
    """The same in bytes."""

    @property
    def policy(self) -> pb.BackpressurePolicy.ValueType:
        """`backpressure_policy` as the contract numbers it."""
        return POLICIES[self.backpressure_policy]


class ProtocolSettings(Section):
    max_grpc_message_bytes: int = Field(default=MAX_FRAME_BYTES, ge=64 * 1024)
    """Longest gRPC message, sent or received; a longer one fails with RESOURCE_EXHAUSTED."""
    max_metadata_bytes: int = Field(default=8192, ge=1024, le=1024 * 1024)
    """Headers of one call, all together; a call with more fails with RESOURCE_EXHAUSTED."""
    max_connections: int = Field(default=1000, ge=1)
    """Connections that may be open at once, of all clients together; fewer where the open files do not allow more."""
    max_connections_per_address: int = Field(default=0, ge=0)
    """The same of one address, or of one IPv6 network of 64 bits; 0 for half of all. Half of these may be strangers',
    who have shown no valid key; the oldest strangers have to go first. Windows: only calls are refused."""
    max_streams_per_connection: int = Field(default=0, ge=0)
    """Calls and streams at once on one connection; more wait in the client, or fail with UNAVAILABLE. 0 for four for
    each session that a key may have, but at least 200."""
    max_streams_per_key: int = Field(default=0, ge=0)
    """Streams of commands, events and news that one key may have at once; 0 for twice the streams of a connection."""
    handshake_timeout_seconds: float = Field(default=10.0, gt=0, le=600)
    """How long a new connection may take until TLS and HTTP/2 stand; then it is closed."""
    max_health_watches: int = Field(default=256, ge=0)
    """Watches of the health service, which need no key, of all clients together."""
    max_health_watches_per_address: int = Field(default=32, ge=0)
    """The same of one address, or of one IPv6 network of 64 bits."""
    max_request_bytes: int = Field(default=MAX_REQUEST_BYTES, ge=64 * 1024)
    """Longest request, or command, that neither writes nor is a bulk command; those may have the whole message."""
    reflection: bool = False
    """Offers gRPC server reflection (scope metadata:read)."""
    keepalive_seconds: float = Field(default=20.0, gt=0)
    """Interval of HTTP/2 pings that find dead peers."""
    keepalive_timeout_seconds: float = Field(default=10.0, gt=0)
    """How long the answer to such a ping may take; then the connection counts as broken."""
    shutdown_grace_seconds: float = Field(default=10.0, ge=0)
    """Limit of an orderly stop: streams end, workers close."""


class GalaxySettings(Section):
    connection_string: str = Field(default="", repr=False)
    """Galaxy database: the name of a shipped Galaxy, an SQLite file, a SQLAlchemy URL, or a connection string of SQL
    Server (ADO.NET, ODBC); empty for the shipped `plant`."""
    command_timeout_seconds: float = Field(default=60.0, gt=0)
    """Limit of one statement."""
    connect_timeout_seconds: float = Field(default=5.0, gt=0)
    """Limit of connecting to the database and logging in."""
    test_connection_timeout_seconds: float = Field(default=5.0, gt=0)
    """Limit of TestConnection as a whole; a database that takes longer is answered as not reachable."""
    poll_interval_seconds: float = Field(default=30.0, gt=0)
    """How often the time of the last deployment is looked at."""
    longest_read_retry_seconds: float = Field(default=600.0, gt=0)
    """A deployment that cannot be read is tried again after one poll interval, then after twice as long each time,
    up to this. Another deployment is read at once."""
    max_watches_per_key: int = Field(default=64, ge=1)
    """Streams of WatchDeployEvents that one key may have at once."""
    complete_array_names: bool = True
    """Appends `[]` to the bare name of an array in every command that names tags. With false names go to MXAccess as
    they are written, and it answers a bare one with detail 1003."""
    persist_snapshot: bool = True
    """Keeps the last good hierarchy in a file, so that browsing works at once after a start, database or not."""
    snapshot_cache_path: FilePath = ""
    """File of the last good hierarchy; empty for `galaxy-snapshot.jsonl.gz` in the state directory."""


class TlsSettings(Section):
    certificate_file: FilePath = ""
    """PEM certificate chain of the operator; with `key_file`. A new one is taken up without a restart. Empty for one of
    the gateway's own authority, which clients trust as `gateway-ca.pem`."""
    key_file: FilePath = ""
    """PEM private key of `certificate_file`, without a pass phrase."""
    client_certificates: Literal["off", "optional", "required"] = "off"
    """Whether clients show a certificate: `required` lets in no client without one by `listen`; `optional` opens a port
    of its own for those that have one (`listen_client_certificates`). Keys may be bound to certificates."""
    client_ca_file: FilePath = ""
    """PEM certificates of the authorities that sign the clients' certificates; a new file is taken up without a
    restart. Empty for the gateway's own authority: `mxgateway cert client` makes certificates then."""
    self_signed_directory: FilePath = ""
    """Where the gateway's own authority and certificate live; empty for `certs` in the state directory."""
    validity_years: int = Field(default=10, ge=1, le=100)
    """Years that the gateway's own authority is valid; its certificate gets a successor with the same key in time."""
    additional_dns_names: tuple[str, ...] = ()
    """Further names or addresses under which clients reach the gateway."""
    regenerate_if_expired: bool = True
    """Renews the gateway's own certificate before its end; off, a start after the end is refused."""
    expiry_warning_days: int = Field(default=30, ge=0, le=3650)
    """Days before the end of the certificate from which on the log warns of it, once a day."""


class HealthSettings(Section):
    require_galaxy: bool = False
    """Says NOT_SERVING as `mxgateway.ready` while no Galaxy can be served; else that only degrades the gateway."""


DEFAULT_OPERATIONS_LISTEN = "localhost:5002"


class OperationsSettings(Section):
    enabled: bool = True
    """Offers health over HTTP, for those who run the gateway."""
    listen: Address = DEFAULT_OPERATIONS_LISTEN
    """Address of HTTP with the certificate of `listen`, HOST:PORT; port 0 for any free one; empty for none. The
    default is left out with a warning when another program has it; an address that is set has to be free."""
    listen_plaintext: Address = ""
    """Address of HTTP without TLS; none unless asked for, and only on loopback addresses, as for the gateway's own."""
    recent_session_limit: int = Field(default=200, ge=0, le=10_000)
    """Sessions that are over and remembered, with their end and their totals."""
    recent_fault_limit: int = Field(default=100, ge=0, le=10_000)
    """Faults of sessions that are remembered."""


class MetricsSettings(Section):
    enabled: bool = True
    """Offers `/metrics` for Prometheus where `operations` listens."""
    access: Literal["key", "open"] = "key"
    """Who on other machines may read them: those with a key of the scope metadata:read, or everybody who gets there. On
    this machine no key is needed."""
    listen_plaintext: Address = ""
    """Address of HTTP without TLS for metrics and health alone, for a monitoring network; beyond loopback addresses
    only with `access = "open"`, since a key would travel in clear."""


class LoggingSettings(Section):
    level: Literal["debug", "info", "warning", "error"] = "info"
    """Least level of the records that are written."""
    format: Literal["console", "json"] = "console"
    """One line of text or of JSON for each record, on stderr."""
    file: FilePath = ""
    """File that gets the same lines, beside stderr; empty for none."""
    file_max_bytes: int = Field(default=20 * 1024 * 1024, ge=64 * 1024)
    """Length at which the file is put aside, as `.1`, and a new one begun."""
    file_count: int = Field(default=10, ge=1, le=1000)
    """Files put aside that are kept."""
    ring_records: int = Field(default=5000, ge=100, le=100_000)
    """Last records that are kept in memory, for `mxgateway diagnostics` and the pages of the log."""
    loop_lag_interval_seconds: float = Field(default=300.0, ge=0)
    """How often `event_loop_lag` tells how late the gateway's event loop runs; 0 for never."""
