"""A session as its owner sees it in a list."""

from __future__ import annotations

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.access.authenticator import Caller
from mxgateway_server.sessions.session import Session


def summary(session: Session, caller: Caller, now: float) -> pb.SessionSummary:
    """What ListSessions tells of a session, at a monotonic time in seconds."""
    record, worker = session.record, session.worker
    made = pb.SessionSummary(
        session_id=record.session_id,
        client_session_name=record.name,
        state=record.state,
        owner_key_id=record.owner_key_id,
        is_own=(record.owner_key_id, record.owner_created_ns) == (caller.key_id, caller.created_ns),
        attached_streams=record.attached_streams,
        items=len(session.handles),
        backend_name="" if worker is None or worker.identity is None else worker.identity.backend_name,
        worker_process_id=session.worker_pid(),
        keep_when_disconnected=record.is_kept,
        is_connected=record.is_connected,
    )
    made.opened_at.FromNanoseconds(record.opened_ns)
    made.idle_time.FromNanoseconds(int(max(0.0, now - record.last_activity) * 1e9))
    if record.fault is not None:
        made.fault_reason = record.fault.reason
        made.fault_message = str(record.fault)
    return made
