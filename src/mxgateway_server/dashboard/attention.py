"""Which sessions want somebody's attention, and why, in words. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from mxgateway_server.sessions.picture import SessionStatus

BACKLOG_SHARE = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionRules:
    """What counts.

    Attributes:
        queue_capacity: events that may wait for one stream.
        heartbeat_seconds: how often a worker says that it is alive.
        lease_seconds: life of a session without calls and streams.
    """

    queue_capacity: int
    heartbeat_seconds: float
    lease_seconds: float


def attention(session: SessionStatus, rules: AttentionRules, *, dropped: float, silence: float) -> list[str]:
    """Why a session wants attention; empty when it does not.

    Args:
        session: as it is now.
        rules: what counts.
        dropped: events a second that it loses.
        silence: seconds since its worker's last heartbeat was seen.
    """
    found: list[str] = []
    if session.fault:
        found.append(f"faulted: {session.fault}")
    if dropped > 0:
        found.append("drops events: a reader is too slow")
    fullest = max((stream.waiting_events for stream in session.event_streams), default=0)
    if fullest > rules.queue_capacity * BACKLOG_SHARE:
        found.append(f"backlog: {fullest} events wait for one stream")
    if session.worker is not None and silence > 2.5 * rules.heartbeat_seconds:
        found.append(f"its worker has said nothing for {silence:.0f} s")
    left = rules.lease_seconds - session.idle_seconds
    if not session.attached_streams and not session.commands_under_way and left < 120:
        found.append(f"its lease ends in {max(0, left):.0f} s")
    return found
