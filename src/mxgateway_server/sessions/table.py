"""All sessions of the gateway: room, ownership, expiry, and the memory of closed ones."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

from mxgateway_server.errors import OwnerMismatchError, SessionLimitError, SessionNotFoundError
from mxgateway_server.sessions.state import CLOSED, CloseReason, SessionLimits, SessionRecord, State

CLOSED_MEMORY = 1024
"""How many closed sessions are remembered, so that closing again is answered as the first time."""

MAX_APART = 16
"""How many sessions there may be that the gateway itself needs, beside all others."""

MAX_CAUSE_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class ClosedSession:
    """What is left of a closed session.

    Attributes:
        owner_created_ns: when the key of its owner was made: another key of the same id learns nothing of it.
        cause: stable word for why it was closed: a CloseReason, or the reason of what it failed with.
        text: the same in words.
    """

    owner_key_id: str
    state: State
    cause: str
    text: str
    owner_created_ns: int = 0

    def is_of(self, key_id: str, created_ns: int) -> bool:
        """Whether this key has had it."""
        return (self.owner_key_id, self.owner_created_ns) == (key_id, created_ns)


class SessionTable:
    """Sessions by id, with the limit on how many there may be."""

    def __init__(self, max_sessions: int, limits: SessionLimits, max_sessions_per_key: int = 0) -> None:
        self._max_sessions = max_sessions
        self._max_per_key = max_sessions_per_key
        self._limits = limits
        self._records: dict[str, SessionRecord] = {}
        self._closed: OrderedDict[str, ClosedSession] = OrderedDict()

    def reconfigure(self, max_sessions: int, limits: SessionLimits, max_sessions_per_key: int) -> None:
        """Takes other bounds, for sessions that open from now on."""
        self._max_sessions, self._limits, self._max_per_key = max_sessions, limits, max_sessions_per_key

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[SessionRecord]:
        return iter(list(self._records.values()))

    def create(
        self,
        session_id: str,
        owner_key_id: str,
        now: float,
        name: str = "",
        *,
        is_kept: bool = False,
        is_apart: bool = False,
        opened_ns: int = 0,
    ) -> SessionRecord:
        """Takes a place for a session before its worker starts.

        Raises:
            SessionLimitError: there is no room, in the gateway or for this key.
        """
        live = [record for record in self._records.values() if record.is_live and record.is_apart == is_apart]
        if is_apart:
            if len(live) >= MAX_APART:
                raise SessionLimitError(
                    f"{MAX_APART} watch lists are shown already, each with a worker of its own; wait until one ends",
                    retry_after=5.0,
                )
        elif self._max_per_key:
            held = sum(1 for record in live if record.owner_key_id == owner_key_id)
            if held >= self._max_per_key:
                raise SessionLimitError(
                    f"this key has its {self._max_per_key} sessions (setting sessions.max_sessions_per_key); close "
                    "one: mxgw-py sessions lists them",
                    retry_after=1.0,
                )
        if not is_apart and len(live) >= self._max_sessions:
            raise SessionLimitError(
                f"the gateway has its {self._max_sessions} sessions (setting sessions.max_sessions); close one",
                retry_after=1.0,
            )
        record = SessionRecord(
            session_id=session_id,
            owner_key_id=owner_key_id,
            limits=self._limits,
            opened_at=now,
            name=name,
            is_kept=is_kept,
            is_apart=is_apart,
            opened_ns=opened_ns,
        )
        self._records[session_id] = record
        return record

    def find(self, session_id: str, key_id: str, is_admin: bool, created_ns: int = 0) -> SessionRecord:
        """The session, for its owner or an admin.

        Args:
            created_ns: when the key was made; one that is made anew under the same id is another.

        Raises:
            SessionNotFoundError: no such session, or it is closed.
            OwnerMismatchError: it belongs to another key.
        """
        record = self._records.get(session_id)
        if record is None:
            closed = self._closed.get(session_id)
            if closed is not None and (is_admin or closed.is_of(key_id, created_ns)):
                raise SessionNotFoundError(f"the session is closed ({closed.text}); open another", cause=closed.cause)
            raise SessionNotFoundError("no such session; open one with OpenSession")
        if (record.owner_key_id, record.owner_created_ns) != (key_id, created_ns) and not is_admin:
            raise OwnerMismatchError(session_id)
        return record

    def find_closed(self, session_id: str, key_id: str, is_admin: bool, created_ns: int = 0) -> ClosedSession | None:
        """What is remembered of a closed session, for its owner or an admin."""
        closed = self._closed.get(session_id)
        if closed is None or not (is_admin or closed.is_of(key_id, created_ns)):
            return None
        return closed

    def end_of(self, session_id: str) -> str:
        """Why a session that was there is not any more, in words; empty for one that nobody remembers."""
        closed = self._closed.get(session_id)
        return "" if closed is None else closed.text

    def remove(self, session_id: str) -> None:
        """Forgets a session that has ended but for its final state."""
        record = self._records.pop(session_id, None)
        if record is None:
            return
        self._closed[session_id] = ClosedSession(
            record.owner_key_id, CLOSED, *why_closed(record), record.owner_created_ns
        )
        while len(self._closed) > CLOSED_MEMORY:
            self._closed.popitem(last=False)

    def resume(self, record: SessionRecord) -> None:
        """Takes a session that another program of this process has opened, whatever the limits are now."""
        self._records[record.session_id] = record

    @property
    def ended(self) -> dict[str, ClosedSession]:
        """What is remembered of sessions that are over, the oldest first."""
        return dict(self._closed)

    def remember(self, session_id: str, ended: ClosedSession) -> None:
        """Remembers a session that another program of this process has closed."""
        self._closed[session_id] = ended

    def abandoned(self, owner_key_id: str, now: float) -> SessionRecord | None:
        """The session of this key whose client has been gone for longest; None when all may still be wanted."""
        gone = [each for each in self._records.values() if each.owner_key_id == owner_key_id and each.is_abandoned(now)]
        return min(gone, key=lambda each: each.gone_since or now, default=None)

    def discard(self, session_id: str) -> None:
        """Gives back the place of a session that never got ready; nothing is remembered."""
        self._records.pop(session_id, None)

    def expired(self, now: float) -> list[tuple[SessionRecord, CloseReason]]:
        """The sessions that the sweep should close now, each with the reason."""
        found = []
        for record in self._records.values():
            reason = record.expired(now)
            if reason is not None:
                found.append((record, reason))
        return found


def why_closed(record: SessionRecord) -> tuple[str, str]:
    """Why a session is over, as a stable word and in words."""
    fault, reason = record.fault, record.close_reason
    if fault is not None:
        return fault.reason, f"it had failed: {fault.reason}: {fault}"[:MAX_CAUSE_CHARACTERS]
    if reason is None:
        return "", "closed"
    return str(reason), f"{reason}: {reason.meaning}"
