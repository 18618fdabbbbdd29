"""What is remembered of sessions that are over, and of what went wrong: the last few of each."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from mxgateway_server.counters import Tally

MAX_TEXT = 500
"""Characters of a reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedSession:
    """A session that is over.

    Attributes:
        owner_key_id: the key that opened it.
        name: the name that its client gave it.
        peer: the connection that it was used over last, as gRPC names it; empty when that is not known.
        opened_ns: when it was opened, nanoseconds since 1970 UTC; `ended_ns` likewise.
        reason: why it ended, as a stable word such as `client-close`.
        is_clean: whether its worker ended in order.
        fault: why it was faulted, as a stable word; empty when it was not.
        fault_text: the same in words.
        commands_started: commands that it had, `items` handles at its end.
        events_received: events from its worker; `events_delivered` and `events_dropped` by its streams.
    """

    session_id: str
    owner_key_id: str
    name: str
    peer: str
    opened_ns: int
    ended_ns: int
    reason: str
    is_clean: bool
    fault: str
    fault_text: str
    worker_pid: int
    commands_started: int
    events_received: int
    events_delivered: int
    events_dropped: int
    items: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentFault:
    """Something that went wrong with a session.

    Attributes:
        at_ns: when, nanoseconds since 1970 UTC.
        reason: a stable word, such as `WORKER_HUNG`.
        text: the same in words.
    """

    at_ns: int
    session_id: str
    owner_key_id: str
    name: str
    worker_pid: int
    reason: str
    text: str


@dataclass(slots=True, kw_only=True)
class SessionCounters:
    """Totals since the gateway started, of sessions that are over; those of open ones come on top.

    Attributes:
        opened, closed, faulted: sessions.
        killed: sessions whose worker had to be ended by force.
        killed_by_cause: the same by cause: `admin`, `fault`, `shutdown_timeout`.
        closed_by_reason: closed ones by the word for why.
        faulted_by_reason: faulted ones likewise.
        commands_started, events_received, event_bytes_received: what they had.
        dropped_by_worker, dropped_by_stream, dropped_unread: events that were lost, by where.
        delivered: events handed to streams.
        overflows: streams that were ended because they were too slow.
    """

    opened: int = 0
    closed: int = 0
    faulted: int = 0
    killed: int = 0
    killed_by_cause: Tally = field(default_factory=Tally)
    closed_by_reason: Tally = field(default_factory=Tally)
    faulted_by_reason: Tally = field(default_factory=Tally)
    commands_started: int = 0
    events_received: int = 0
    event_bytes_received: int = 0
    dropped_by_worker: int = 0
    dropped_by_stream: int = 0
    dropped_unread: int = 0
    delivered: int = 0
    overflows: int = 0


class SessionHistory:
    """The last ended sessions and faults, the youngest last."""

    def __init__(self, max_sessions: int = 200, max_faults: int = 100) -> None:
        self._ended: deque[EndedSession] = deque(maxlen=max_sessions)
        self._faults: deque[RecentFault] = deque(maxlen=max_faults)

    def add_ended(self, session: EndedSession) -> None:
        """Remembers a session that is over."""
        self._ended.append(session)

    def add_fault(self, fault: RecentFault) -> None:
        """Remembers what went wrong."""
        self._faults.append(fault)

    @property
    def ended(self) -> tuple[EndedSession, ...]:
        """The last sessions that ended, the youngest last."""
        return tuple(self._ended)

    @property
    def faults(self) -> tuple[RecentFault, ...]:
        """The last faults, the youngest last."""
        return tuple(self._faults)
