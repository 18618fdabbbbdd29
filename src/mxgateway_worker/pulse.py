"""What a worker sends at fixed times: heartbeats, and a fault when the executor hangs."""

from __future__ import annotations

import os
from collections.abc import Callable

from mxgateway_contract.filetime import NS_PER_SECOND
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract.generated import mxaccess_worker_pb2 as wpb
from mxgateway_worker import usage
from mxgateway_worker.event_queue import EventQueue
from mxgateway_worker.executor import Executor
from mxgateway_worker.watchdog import Watchdog

_JUST_AFTER = 0.001
_WHILE_HUNG = 1.0
_TOGETHER = 1.0


def _with_others(due: float, interval: float) -> float:
    """A moment before `due` at which other workers beat, too: the gateway wakes once for many of them."""
    return due - due % _TOGETHER if interval >= 2 * _TOGETHER else due


class WorkerPulse:
    """Heartbeats at a fixed interval, the first at once. The watchdog is asked with each, and when the executor would
    just count as hung: nothing wakes a worker in between.

    Args:
        interval: seconds between heartbeats.
        is_faulted: whether the worker has reported a fault.
    """

    def __init__(
        self,
        executor: Executor,
        events: EventQueue,
        watchdog: Watchdog,
        interval: float,
        now: float,
        is_faulted: Callable[[], bool],
    ) -> None:
        self._executor = executor
        self._events = events
        self._watchdog = watchdog
        self._interval = interval
        self._next_beat = now
        self._next_check = now
        self._is_faulted = is_faulted

    def next_due(self) -> float:
        return min(self._next_beat, self._next_check)

    def due(self, now: float) -> list[wpb.WorkerEnvelope]:
        envelopes = []
        if now >= self.next_due():
            fault = self._check(now)
            if fault is not None:
                envelopes.append(fault)
        if now >= self._next_beat:
            self._next_beat = _with_others(now + self._interval, self._interval)
            envelopes.append(wpb.WorkerEnvelope(worker_heartbeat=self.heartbeat(now)))
        return envelopes

    def _check(self, now: float) -> wpb.WorkerEnvelope | None:
        running = self._executor.running
        started = running.started if running else None
        last_activity = self._executor.last_activity
        reason = self._watchdog.check(now, last_activity, started)
        due = self._watchdog.due(last_activity, started) + _JUST_AFTER
        # One that hangs already is looked at for its recovery.
        self._next_check = due if due > now else now + min(_WHILE_HUNG, self._interval)
        if reason is None:
            return None
        fault = wpb.WorkerFault(
            category=wpb.WORKER_FAULT_CATEGORY_STA_HUNG,
            diagnostic_message=reason,
            protocol_status=pb.ProtocolStatus(code=pb.PROTOCOL_STATUS_CODE_WORKER_UNAVAILABLE, message=reason),
        )
        if running is not None:
            fault.correlation_id = running.correlation_id
            fault.command_kind = pb.MxCommandKind.ValueType(running.kind)
        return wpb.WorkerEnvelope(worker_fault=fault)

    def heartbeat(self, now: float) -> wpb.WorkerHeartbeat:
        executor, running = self._executor, self._executor.running
        if executor.stopping:
            state = wpb.WORKER_STATE_SHUTTING_DOWN
        elif self._is_faulted():
            state = wpb.WORKER_STATE_FAULTED
        else:
            state = wpb.WORKER_STATE_BUSY if running else wpb.WORKER_STATE_READY
        beat = wpb.WorkerHeartbeat(
            worker_process_id=os.getpid(),
            state=state,
            pending_command_count=executor.pending,
            event_queue_depth=self._events.depth,
            event_sequence=self._events.sequence,
            dropped_events_total=self._events.dropped_total,
            refused_events_total=self._events.refused_total,
        )
        beat.resident_bytes = usage.resident_bytes()
        beat.cpu_time.FromNanoseconds(usage.cpu_ns())
        beat.last_sta_activity.FromNanoseconds(executor.last_activity_ns)
        if running is not None:
            beat.current_command_correlation_id = running.correlation_id
            beat.current_command_age.FromNanoseconds(round(max(0.0, now - running.started) * NS_PER_SECOND))
        return beat
