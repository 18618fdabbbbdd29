"""Everything that leaves the worker, in three lanes and by one thread.

Control (heartbeats, handshake, faults) goes first, then command replies, then events. Each turn sends all control and
replies that wait and at most one batch of events, so no flood of events delays a heartbeat by more than one batch.

A reply that finds nothing before it is written by the thread that has it, as far as the pipe takes it without blocking:
handing it over would cost more than the call that it answers.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract.generated import mxaccess_worker_pb2 as wpb
from mxgateway_contract.varints import varint
from mxgateway_protocol.clock import Clock
from mxgateway_protocol.envelopes import EnvelopeWriter
from mxgateway_protocol.wakeup import Wakeup
from mxgateway_protocol.wire import delimited, key, timestamp
from mxgateway_worker import memory
from mxgateway_worker.event_queue import Batch, EventQueue

logger = logging.getLogger(__name__)

_REPLY_FIELD = wpb.WorkerEnvelope.WORKER_COMMAND_REPLY_FIELD_NUMBER
_REPLY_DATA = key(wpb.WorkerCommandReply.REPLY_DATA_FIELD_NUMBER, 2)
_STATUS_CODE = key(wpb.WorkerCommandReply.STATUS_CODE_FIELD_NUMBER, 0)
_WAIT_TIME = key(wpb.WorkerCommandReply.WAIT_TIME_FIELD_NUMBER, 2)
_WORK_TIME = key(wpb.WorkerCommandReply.WORK_TIME_FIELD_NUMBER, 2)
_OK = pb.PROTOCOL_STATUS_CODE_OK
_BATCH_FIELD = wpb.WorkerEnvelope.WORKER_EVENT_BATCH_FIELD_NUMBER

BATCH_EVENTS = 2048
BATCH_BYTES = 512 * 1024
_FEW_EVENTS = 64
_LONGEST_PUMP = 0.02
"""Seconds that events wait for the end of a pump, where that paces the writer."""


def reply_times(waited: float, worked: float) -> bytes:
    """How long a command waited in the worker and how long it ran, in seconds, as fields of its reply."""
    # A Duration is written like a Timestamp.
    return b"".join(
        delimited(field, timestamp(max(0, int(seconds * 1e9))))
        for field, seconds in ((_WAIT_TIME, waited), (_WORK_TIME, worked))
    )


class Pulse(Protocol):
    """What the writer sends by the clock."""

    def due(self, now: float) -> list[wpb.WorkerEnvelope]:
        """The envelopes that are due at `now`, seconds of the monotonic clock."""

    def next_due(self) -> float:
        """When `due` wants to be called next."""


@dataclass(frozen=True, slots=True)
class SessionChange:
    """From the next frame on envelopes carry this session id."""

    session_id: str


@dataclass(frozen=True, slots=True)
class RawFrame:
    """Bytes that go out as they are, for tests of the other end."""

    data: bytes


Control: TypeAlias = wpb.WorkerEnvelope | SessionChange | RawFrame


def batch_body(batch: Batch) -> bytes:
    """A serialised WorkerEventBatch."""
    body = (
        b"\x0a"
        + varint(len(batch.data))
        + batch.data
        + b"\x10"
        + varint(batch.first_sequence)
        + b"\x18"
        + varint(batch.count)
    )
    return body + b"\x20" + varint(batch.dropped_before) if batch.dropped_before else body


class Writer:
    """Owns the outgoing half of the pipe.

    Args:
        write: writes all bytes, blocking; raises OSError when the gateway is gone.
        on_broken: called from the thread that writes when it does.
        write_some: writes what the pipe takes at once and returns how many bytes that were; None where a pipe cannot
            do that, so that all is left to the writer thread.
        is_paced: whether the writer thread sends the events of a pump when it is over, also when they are many. Where
            each event takes the interpreter's lock anew, as in callbacks of COM, a thread that sends beside them
            costs more by being woken than by sending.
    """

    def __init__(
        self,
        write: Callable[[bytes], None],
        envelopes: EnvelopeWriter,
        clock: Clock,
        on_broken: Callable[[Exception], None],
        write_some: Callable[[bytes], int] | None = None,
        *,
        is_paced: bool = False,
    ) -> None:
        self._write = write
        self._is_paced = is_paced
        self._write_some = write_some
        self._envelopes = envelopes
        self._clock = clock
        self._on_broken = on_broken
        self._events: EventQueue | None = None
        self._pulse: Pulse | None = None
        self._lock = threading.Lock()
        # Held by who numbers frames and writes them; taken before `_lock`.
        self._sending = threading.Lock()
        self._wakeup = Wakeup()
        # What the pipe did not take of a frame that is written in part.
        self._rest = b""
        self._control: list[Control] = []
        self._replies: list[tuple[str, bytes, int, bytes]] = []
        self._is_closing = False
        # Both belong to the executor's thread.
        self._is_gathering = False
        self._has_few = True
        # Whether this turn of the writer's thread has waited for the end of a pump.
        self._has_waited = False
        self._is_frozen = False
        self._last: wpb.WorkerEnvelope | None = None
        self._thread = threading.Thread(target=self._run, name="worker-writer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def start_events(self, events: EventQueue) -> None:
        """From now on sends what waits in the queue."""
        with self._lock:
            self._events = events
        self._wakeup.set()

    def start_pulse(self, pulse: Pulse) -> None:
        """From now on sends what the pulse gives, its first envelopes at once."""
        with self._lock:
            self._pulse = pulse
        self._wakeup.set()

    def stop_pulse(self) -> None:
        with self._lock:
            self._pulse = None

    def send(self, *items: Control) -> None:
        """Puts items into the control lane, in order and together."""
        with self._lock:
            self._control.extend(items)
        self._wakeup.set()

    def reply(
        self, correlation_id: str, reply: bytes, code: int = _OK, *, more_follow: bool = False, times: bytes = b""
    ) -> None:
        """Sends a serialised MxCommandReply at once, with the replies that wait before it, if nothing else does.

        Args:
            code: the code of its protocol status.
            more_follow: whether many replies are a moment away; then they gather in their lane.
            times: what `reply_times` gives, for a command that asked for it.
        """
        with self._lock:
            self._replies.append((correlation_id, reply, code, times))
        if more_follow or self._write_some is None or not self._sending.acquire(blocking=False):
            self._wakeup.set()
            return
        try:
            is_all = self._reply_now(self._write_some)
        except OSError as error:
            self._on_broken(error)
            return
        finally:
            self._sending.release()
        if not is_all:
            self._wakeup.set()

    def _reply_now(self, write_some: Callable[[bytes], int]) -> bool:
        """Whether the writer's thread is left nothing to do."""
        with self._lock:
            if self._control or self._rest or self._is_closing or self._is_frozen:
                return False
            replies, self._replies = self._replies, []
        if not replies:
            return True
        data = self._reply_frames(replies)
        written = write_some(data)
        if written == len(data):
            return True
        self._rest = data[written:]
        return False

    def _reply_frames(self, replies: list[tuple[str, bytes, int, bytes]]) -> bytes:
        completed = delimited(b"\x12", timestamp(self._clock.unix_ns()))
        frames = [
            self._envelopes.frame_body(
                _REPLY_FIELD,
                delimited(_REPLY_DATA, reply) + completed + _STATUS_CODE + varint(code) + times,
                correlation_id,
            )
            for correlation_id, reply, code, times in replies
        ]
        return frames[0] if len(frames) == 1 else b"".join(frames)

    def events_waiting(self) -> None:
        """Tells that the event queue is no longer empty; called by the executor's thread."""
        if not self._is_gathering:
            self._wakeup.set()

    def gather(self) -> None:
        """Begins a pump: its events leave with `send_gathered`, unless the last pump had so many that sending them has
        to go on beside it, which a paced writer never does. The executor's thread calls both."""
        self._is_gathering = self._has_few or self._is_paced

    def send_gathered(self) -> None:
        """Ends a pump: sends its events at once, as `reply` does and for the same reason."""
        events = self._events
        waiting = events.depth if events is not None else 0
        self._has_few = waiting <= _FEW_EVENTS
        if not self._is_gathering:
            return
        self._is_gathering = False
        if not waiting:
            return
        # Many take longer to write than the executor has time for.
        is_for_thread = self._is_paced and not self._has_few
        if is_for_thread or self._write_some is None or not self._sending.acquire(blocking=False):
            self._wakeup.set()
            return
        try:
            is_all = self._events_now(self._write_some)
        except OSError as error:
            self._on_broken(error)
            return
        finally:
            self._sending.release()
        if not is_all:
            self._wakeup.set()

    def _events_now(self, write_some: Callable[[bytes], int]) -> bool:
        """Whether the writer's thread is left nothing to do."""
        events = self._events
        with self._lock:
            if self._control or self._replies or self._rest or self._is_closing or self._is_frozen or events is None:
                return False
        batch = events.take_batch(BATCH_EVENTS, BATCH_BYTES)
        if batch is None:
            return True
        data = self._envelopes.frame_body(_BATCH_FIELD, batch_body(batch))
        written = write_some(data)
        self._rest = data[written:]
        return not self._rest and not events.depth

    def freeze(self) -> None:
        """Stops writing for good, as a worker does that hangs as a whole; for tests of the other end."""
        with self._lock:
            self._is_frozen = True

    def finish(self, last: wpb.WorkerEnvelope | None, timeout: float) -> bool:
        """Sends what waits, then `last`, and ends the thread; False when that takes longer than `timeout` seconds."""
        with self._lock:
            self._is_closing = True
            self._last = last
        self._wakeup.set()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            while self._turn():
                pass
        except MemoryError:
            memory.end_out_of_memory()
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing can be sent any more
            self._on_broken(error)

    def _idle(self) -> float | None:
        """How long there is nothing to do, in seconds: 0 when there is something, None for no end in sight."""
        if self._is_frozen:
            return None
        if self._control or self._replies or self._rest or self._is_closing:
            return 0
        until_pulse = None if self._pulse is None else max(0.0, self._pulse.next_due() - self._clock.monotonic())
        if self._events is None or not self._events.depth:
            return until_pulse
        if not (self._is_paced and self._is_gathering) or self._has_waited:
            return 0
        return _LONGEST_PUMP if until_pulse is None else min(_LONGEST_PUMP, until_pulse)

    def _turn(self) -> bool:
        """Waits for something to send and sends it; False when all is sent for good."""
        self._has_waited = False
        while True:
            with self._lock:
                wait = self._idle()
            if wait == 0:
                with self._sending:
                    return self._send()
            self._wakeup.wait(wait)
            # A pump that does not end, because a call inside it hangs, holds its events back no longer.
            self._has_waited = True

    def _send(self) -> bool:
        """Sends all that waits, at most one batch of events; False when that was all for good."""
        with self._lock:
            if self._is_frozen:
                return True
            control, self._control = self._control, []
            replies, self._replies = self._replies, []
            events, pulse, closing = self._events, self._pulse, self._is_closing
        batch = events.take_batch(BATCH_EVENTS, BATCH_BYTES) if events is not None else None
        rest, self._rest = self._rest, b""
        frames = [rest] if rest else []
        envelopes = self._envelopes
        for item in control:
            if isinstance(item, SessionChange):
                envelopes.session_id = item.session_id
            elif isinstance(item, RawFrame):
                frames.append(item.data)
            else:
                frames.append(envelopes.frame(item))
        if pulse is not None and pulse.next_due() <= (now := self._clock.monotonic()):
            frames += [envelopes.frame(envelope) for envelope in pulse.due(now)]
        if replies:
            frames.append(self._reply_frames(replies))
        if batch is not None:
            frames.append(envelopes.frame_body(_BATCH_FIELD, batch_body(batch)))
        done = closing and not control and not replies and batch is None
        if done and self._last is not None:
            frames.append(envelopes.frame(self._last))
        if frames:
            self._write(frames[0] if len(frames) == 1 else b"".join(frames))
        return not done
