"""Sessions as one gateway program hands them on to the next: durations instead of moments of a clock."""

from __future__ import annotations

from dataclasses import dataclass

from mxgateway_server.events.kept import KeptHub
from mxgateway_server.workers.kept import KeptWorker


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptItem:
    """What an item handle stands for."""

    server_handle: int
    item_handle: int
    definition: str
    context: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptWrite:
    """A write that MXAccess took and whose completion has not come: what the audit will say of it."""

    server_handle: int
    item_handle: int
    target: str
    key_id: str
    address: str
    correlation_id: str
    kind: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptSession:
    """An open session. Times are seconds that have passed, unless they end in `_ns`.

    Attributes:
        lease, detach_grace: times that rule its life.
        age: since it was opened.
        idle: since it was used last.
        detached: since its last stream ended; below 0 for none that counts.
        gone: since its client was known to be gone; below 0 while it was there, or may have been.
    """

    session_id: str
    owner_key_id: str
    owner_created_ns: int
    name: str
    is_kept: bool
    last_peer: str
    opened_ns: int
    lease: float
    detach_grace: float
    age: float
    idle: float
    detached: float
    gone: float
    command_timeout: float
    worker_version: int
    commands_started: int
    events_received: int
    event_bytes_received: int
    events_dropped_by_worker: int
    items: tuple[KeptItem, ...]
    writes: tuple[KeptWrite, ...]
    hub: KeptHub
    worker: KeptWorker


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptEnd:
    """What is remembered of a session that is over; see ClosedSession."""

    session_id: str
    owner_key_id: str
    owner_created_ns: int
    cause: str
    text: str
