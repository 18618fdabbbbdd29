"""Which sessions want somebody's attention, and why, in words. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from mxgateway_server.sessions.picture import SessionStatus

BACKLOG_SHARE = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionRules:
    """What counts.

    Attributes:
        heartbeat_seconds: how often a worker says that it is alive.
        call_seconds: a call that runs longer wants attention.
        lease_seconds: so long before its end a lease does.
    """

    heartbeat_seconds: float
    call_seconds: float = 10.0
    lease_seconds: float = 120.0


def attention(session: SessionStatus, rules: AttentionRules, *, dropped: float) -> list[str]:
    """Why a session wants attention; empty when it does not.

    Args:
        session: as it is now.
        rules: what counts.
        dropped: events a second that it loses.
    """
    found: list[str] = []
    worker = session.worker
    if session.fault:
        found.append(f"faulted: {session.fault}")
    if dropped > 0:
        found.append("drops events: a reader is too slow, or nobody reads")
    backlog = [each for each in session.event_streams if each.waiting_events > each.capacity * BACKLOG_SHARE]
    if backlog:
        fullest = max(backlog, key=lambda stream: stream.waiting_events)
        found.append(f"backlog: {fullest.waiting_events} of {fullest.capacity} events wait for one stream")
    if worker is not None and worker.heartbeat_age_seconds > 2.5 * rules.heartbeat_seconds:
        found.append(f"its worker has said nothing for {worker.heartbeat_age_seconds:.0f} s")
    if worker is not None and worker.call_age_seconds > rules.call_seconds:
        found.append(f"a call has been running for {worker.call_age_seconds:.0f} s")
    is_used = session.attached_streams or session.commands_under_way
    if not is_used and session.lease_seconds < rules.lease_seconds:
        found.append(f"its lease ends in {max(0, session.lease_seconds):.0f} s")
    return found
