"""From a session to what is handed on of it to another program, and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mxgateway_contract.references import ItemReference
from mxgateway_server.events.ring import RingLimits
from mxgateway_server.sessions.kept import KeptEnd, KeptItem, KeptSession, KeptWrite
from mxgateway_server.sessions.session import Session
from mxgateway_server.sessions.state import READY, SessionLimits, SessionRecord
from mxgateway_server.sessions.table import ClosedSession, why_closed


def keep_session(session: Session, writes: tuple[KeptWrite, ...], now: float) -> KeptSession:
    """A session that is ready, frozen and quiet, and its worker, which is held.

    Args:
        writes: writes of the session whose completion has not come.
        now: the monotonic clock's time, in seconds.
    """
    record, worker = session.record, session.worker
    assert worker is not None
    return KeptSession(
        session_id=record.session_id,
        owner_key_id=record.owner_key_id,
        owner_created_ns=record.owner_created_ns,
        name=record.name,
        is_kept=record.is_kept,
        last_peer=record.last_peer,
        opened_ns=record.opened_ns,
        lease=record.limits.lease,
        detach_grace=record.limits.detach_grace,
        age=now - record.opened_at,
        idle=max(0.0, now - record.last_activity),
        detached=_seconds_since(record.detached_at, now),
        gone=_seconds_since(record.gone_since, now),
        command_timeout=session.command_timeout,
        worker_version=session.worker_version,
        commands_started=session.commands_started,
        events_received=session.events_received,
        event_bytes_received=session.event_bytes_received,
        events_dropped_by_worker=session.events_dropped_by_worker,
        items=tuple(
            KeptItem(server_handle=server, item_handle=item, definition=what.definition, context=what.context)
            for (server, item), what in session.handles.items.items()
        ),
        writes=writes,
        hub=session.hub.keep(now),
        worker=worker.handing_on.keep(),
    )


def resumed_record(kept: KeptSession, now: float) -> SessionRecord:
    """The record of a session that another program has kept.

    All connections went with that program, and nobody is blamed for it: who had a stream has his grace to begin another
    one, and who had none need not show up before his next call.
    """
    record = SessionRecord(
        session_id=kept.session_id,
        owner_key_id=kept.owner_key_id,
        limits=SessionLimits(lease=kept.lease, detach_grace=kept.detach_grace),
        opened_at=now - kept.age,
        name=kept.name,
        owner_created_ns=kept.owner_created_ns,
        is_kept=kept.is_kept,
        opened_ns=kept.opened_ns,
        state=READY,
    )
    record.last_peer = kept.last_peer
    record.last_activity = now - kept.idle
    record.detached_at = None if kept.detached < 0 else now - kept.detached
    record.gone_since = None if kept.gone < 0 else now - kept.gone
    return record


def _seconds_since(moment: float | None, now: float) -> float:
    return -1.0 if moment is None else max(0.0, now - moment)


def resume_session(session: Session, kept: KeptSession, ring: RingLimits, now: float) -> None:
    """Gives a session what another program has kept of it, but for its worker and the writes under way."""
    session.worker_version = kept.worker_version
    session.commands_started = kept.commands_started
    session.events_received = kept.events_received
    session.event_bytes_received = kept.event_bytes_received
    session.events_dropped_by_worker = kept.events_dropped_by_worker
    session.handles.restore(
        {(each.server_handle, each.item_handle): ItemReference(each.definition, each.context) for each in kept.items}
    )
    session.hub.resume(kept.hub, ring, now)


def kept_ends(ended: Mapping[str, ClosedSession], failed: Iterable[SessionRecord]) -> tuple[KeptEnd, ...]:
    """What is remembered of sessions that are over, and of those that have failed."""
    ends = [
        KeptEnd(
            session_id=session_id,
            owner_key_id=each.owner_key_id,
            owner_created_ns=each.owner_created_ns,
            cause=each.cause,
            text=each.text,
        )
        for session_id, each in ended.items()
    ]
    for record in failed:
        cause, text = why_closed(record)
        ends.append(
            KeptEnd(
                session_id=record.session_id,
                owner_key_id=record.owner_key_id,
                owner_created_ns=record.owner_created_ns,
                cause=cause,
                text=text,
            )
        )
    return tuple(ends)
