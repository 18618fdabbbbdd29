"""Whether a session can be handed on at this moment: nothing of it may be half done."""

from __future__ import annotations

from collections.abc import Sequence

from mxgateway_server.commands.command_audit import is_half_told
from mxgateway_server.sessions.session import Session
from mxgateway_server.sessions.state import FAULTED, READY, state_name


def under_way(session: Session) -> str:
    """What has to end before the session can be handed on, or is left behind; empty when nothing has to."""
    record, worker = session.record, session.worker
    if record.state == FAULTED or record.is_apart:
        return ""
    if record.state != READY:
        return f"it is {state_name(record.state)}"
    if worker is None or not worker.handing_on.is_possible:
        return "its worker is ending"
    if worker.in_flight:
        return f"{worker.in_flight} commands are under way"
    if worker.unsent_bytes:
        return f"its worker has not read {worker.unsent_bytes} bytes"
    return "a write is not recorded yet" if is_half_told(session.writes) else ""


def hindrances(sessions: Sequence[Session]) -> dict[str, str]:
    """Sessions that cannot be handed on yet, and why."""
    return {session.session_id: why for session in sessions if (why := under_way(session))}
