"""The life of a session: its states, its lease, and who owns it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.errors import GatewayError, GatewayUpgradingError, SessionFaultedError, SessionNotReadyError

State: TypeAlias = pb.SessionState.ValueType

CREATING = pb.SESSION_STATE_CREATING
STARTING_WORKER = pb.SESSION_STATE_STARTING_WORKER
WAITING_FOR_PIPE = pb.SESSION_STATE_WAITING_FOR_PIPE
HANDSHAKING = pb.SESSION_STATE_HANDSHAKING
INITIALIZING_WORKER = pb.SESSION_STATE_INITIALIZING_WORKER
READY = pb.SESSION_STATE_READY
CLOSING = pb.SESSION_STATE_CLOSING
CLOSED = pb.SESSION_STATE_CLOSED
FAULTED = pb.SESSION_STATE_FAULTED

_STARTING = (CREATING, STARTING_WORKER, WAITING_FOR_PIPE, HANDSHAKING, INITIALIZING_WORKER)


def _transitions() -> dict[int, frozenset[int]]:
    table: dict[int, frozenset[int]] = {}
    for index, state in enumerate(_STARTING):
        # A pooled worker has most of the start behind it, so steps forward may be skipped.
        table[state] = frozenset({*_STARTING[index + 1 :], READY, CLOSING, CLOSED, FAULTED})
    table[READY] = frozenset({CLOSING, FAULTED})
    table[CLOSING] = frozenset({CLOSED})
    table[FAULTED] = frozenset({CLOSED})
    table[CLOSED] = frozenset()
    return table


TRANSITIONS = _transitions()
"""State → states that may follow. Closed is terminal; from Faulted only Closed is left."""


FAULT_MEMORY = 60.0
"""Seconds that a faulted session stays known without calls, so that its owner learns what happened."""


class CloseReason(StrEnum):
    """Why a session ended."""

    CLIENT = "client-close"
    LEASE_EXPIRED = "lease-expired"
    DETACH_GRACE_EXPIRED = "detach-grace-expired"
    MADE_ROOM = "made-room"
    KEY_ENDED = "key-ended"
    GATEWAY_SHUTDOWN = "gateway-shutdown"
    START_FAILED = "start-failed"
    FAULT = "fault"
    ADMIN_KILL = "admin-kill"
    OPERATOR_CLOSE = "operator-close"

    @property
    def meaning(self) -> str:
        """The same in words, for whoever asks for the session later."""
        return _MEANINGS[self]


_MEANINGS = {
    CloseReason.CLIENT: "somebody closed it",
    CloseReason.LEASE_EXPIRED: "nobody used it for its lease",
    CloseReason.DETACH_GRACE_EXPIRED: "its client was gone for longer than the grace",
    CloseReason.MADE_ROOM: "its client was gone, and its key wanted another",
    CloseReason.KEY_ENDED: "the API key that opened it is not valid any more",
    CloseReason.GATEWAY_SHUTDOWN: "the gateway stopped",
    CloseReason.START_FAILED: "its worker did not start",
    CloseReason.FAULT: "it had failed",
    CloseReason.ADMIN_KILL: "an administrator ended it",
    CloseReason.OPERATOR_CLOSE: "an operator closed it",
}


def state_name(state: int) -> str:
    return pb.SessionState.Name(state).removeprefix("SESSION_STATE_").lower()  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """Times that rule a session's life, in seconds.

    Attributes:
        lease: life without a unary call or an attached stream.
        detach_grace: life after the last stream broke off, or after the last connection of the client is gone, unless
            a call comes; 0 for no such limit.
    """

    lease: float = 1800.0
    detach_grace: float = 30.0


MAX_PEERS = 16
"""Connections of a client that a session remembers; of more it forgets the oldest."""

GONE_FOR_SURE = 2.0
"""Seconds without a connection after which a session may make room for another of its key: a client that comes back at
once keeps it."""


@dataclass(slots=True, kw_only=True)
class SessionRecord:
    """One session as a state machine; `now` is a monotonic time in seconds.

    Attributes:
        owner_key_id: key that opened it; only that key and admins may use it.
        owner_created_ns: when that key was made, for one that is made anew under the same id.
        is_kept: whether its owner asked to keep it while nobody is connected: only the lease ends it then.
        is_apart: whether it takes no place of the others, is waited for by no drain, and is not handed on.
        opened_ns: when it was opened, nanoseconds since 1970 UTC.
        fault: why it is faulted.
        peers: the connections over which it was used, as gRPC names them, oldest first.
        last_peer: the connection that it began to be used over last.
        is_frozen: whether it takes nothing at the moment, because the gateway is about to be replaced.
        gone_since: since when none of these connections is there any more; None while one is, or may be.
    """

    session_id: str
    owner_key_id: str
    limits: SessionLimits
    opened_at: float
    name: str = ""
    owner_created_ns: int = 0
    is_kept: bool = False
    is_apart: bool = False
    opened_ns: int = 0
    state: State = CREATING
    fault: GatewayError | None = None
    close_reason: CloseReason | None = None
    last_activity: float = field(init=False)
    attached_streams: int = 0
    detached_at: float | None = None
    calls_waiting: int = 0
    peers: dict[str, None] = field(default_factory=dict)
    last_peer: str = ""
    gone_since: float | None = None
    is_frozen: bool = False

    def __post_init__(self) -> None:
        self.last_activity = self.opened_at

    def move(self, state: State) -> bool:
        """Changes the state; False when the present one does not allow it (then nothing changes)."""
        if state not in TRANSITIONS[self.state]:
            return False
        self.state = state
        return True

    def fail(self, error: GatewayError, now: float) -> bool:
        """Faults the session; only the first fault is kept."""
        if not self.move(FAULTED):
            return False
        self.fault = error
        self.last_activity = now
        return True

    @property
    def is_live(self) -> bool:
        """Whether it still counts against a limit of sessions."""
        return self.state not in (CLOSED, FAULTED) and self.close_reason is not CloseReason.MADE_ROOM

    def require_ready(self) -> None:
        """Raises unless the session takes commands and streams.

        Raises:
            SessionFaultedError, SessionNotReadyError: with the state and, for a fault, its cause.
            GatewayUpgradingError: it takes nothing for a moment.
        """
        if self.is_frozen:
            raise GatewayUpgradingError
        if self.state == READY:
            return
        if self.state == FAULTED:
            assert self.fault is not None
            raise SessionFaultedError(self.fault)
        raise SessionNotReadyError(f"the session is {state_name(self.state)}, not ready")

    def touch(self, now: float) -> None:
        """A unary call or a command of the stream: the caller is alive, so the lease starts anew."""
        self.last_activity = now
        self.detached_at = None

    def met(self, peer: str) -> None:
        """The caller uses this connection."""
        if peer and peer not in self.peers:
            self.peers[peer] = None
            if len(self.peers) > MAX_PEERS:
                del self.peers[next(iter(self.peers))]
            self.last_peer = peer
        self.gone_since = None

    def look_for_peers(self, now: float, is_open: Callable[[str], bool | None]) -> None:
        """Notes which of its connections are gone.

        Args:
            is_open: whether a connection is there; None when that cannot be told, which counts as being there.
        """
        if self.attached_streams or (not self.peers and self.gone_since is None):
            # Without a connection that it knows nothing can be said; a stream has one for sure.
            self.gone_since = None
            return
        for peer in [peer for peer in self.peers if is_open(peer) is False]:
            del self.peers[peer]
        if self.peers:
            self.gone_since = None
        elif self.gone_since is None:
            self.gone_since = now

    @property
    def is_connected(self) -> bool:
        """Whether a connection of its client is there, or may be."""
        return self.attached_streams > 0 or self.gone_since is None

    def is_abandoned(self, now: float) -> bool:
        """Whether its client is gone for sure, and nothing of it is left to wait for."""
        return (
            self.state == READY
            and not (self.is_kept or self.attached_streams or self.calls_waiting)
            and self.gone_since is not None
            and now - self.gone_since >= GONE_FOR_SURE
        )

    def begin_call(self) -> None:
        """A command is under way: until its end the session does not expire."""
        self.calls_waiting += 1

    def end_call(self, now: float) -> None:
        """A command was answered or given up; the times that run against the session begin anew."""
        self.calls_waiting -= 1
        self.last_activity = now
        if self.detached_at is not None:
            self.detached_at = now
        if self.gone_since is not None:
            self.gone_since = now

    def attach(self, now: float, peer: str = "") -> None:
        """A stream of events or commands began, over this connection."""
        self.attached_streams += 1
        self.met(peer)
        self.touch(now)

    def detach(self, now: float) -> None:
        """A stream of events or commands ended."""
        self.attached_streams -= 1
        self.last_activity = now
        if self.attached_streams == 0:
            self.detached_at = now

    def expired(self, now: float) -> CloseReason | None:
        """Why the sweep should close the session now; None when it should not."""
        if self.state == FAULTED:
            return CloseReason.FAULT if now - self.last_activity >= FAULT_MEMORY else None
        if self.state != READY or self.attached_streams or self.calls_waiting:
            return None
        grace = self.limits.detach_grace
        if grace > 0 and not self.is_kept:
            for since in (self.detached_at, self.gone_since):
                if since is not None and now - since >= grace:
                    return CloseReason.DETACH_GRACE_EXPIRED
        if now - self.last_activity >= self.limits.lease:
            return CloseReason.LEASE_EXPIRED
        return None
