"""A worker's inside without threads: commands run where the test runs, time moves when told."""

from __future__ import annotations

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_protocol.backend import Backend
from mxgateway_protocol.batches import split_events
from mxgateway_protocol.contract import MAX_FRAME_BYTES
from mxgateway_worker.calls import USUAL_LIMITS, SessionLimits
from mxgateway_worker.dispatcher import Dispatcher
from mxgateway_worker.event_queue import EventQueue, Policy
from mxgateway_worker.executor import Executor, Job
from mxgateway_worker.sink import SessionSink
from tests.support.clock import ManualClock

SESSION_ID = "session-" + "1" * 32


class WaitlessBackend:
    """Another backend whose waiting moves the clock instead."""

    def __init__(self, backend: Backend, clock: ManualClock) -> None:
        self._backend = backend
        self._clock = clock

    def __getattr__(self, name: str) -> object:
        return getattr(self._backend, name)

    @property
    def is_passive(self) -> bool:
        return False

    def wait(self, timeout: float) -> None:
        self._clock.advance(max(timeout, 0.001))

    def wake(self) -> None:
        pass


class DirectSession:
    """Dispatcher, sink and queue over a backend, on the calling thread.

    Attributes:
        settled: commands that were answered without running.
        shutdowns: grace periods of ShutdownWorker commands.
    """

    def __init__(
        self,
        backend: Backend,
        policy: Policy = Policy.FAIL_FAST,
        capacity: int = 10_000,
        clock: ManualClock | None = None,
        limits: SessionLimits = USUAL_LIMITS,
        max_frame_bytes: int = MAX_FRAME_BYTES,
    ) -> None:
        self.clock = clock or ManualClock()
        self.settled: list[tuple[str, int, str]] = []
        self.lost: list[Exception] = []
        self.overflows: list[str] = []
        self.shutdowns: list[float] = []
        self.events = EventQueue(
            policy, lambda: None, self.overflows.append, capacity, is_adding=lambda: self.sink.is_adding()
        )
        self.sink = SessionSink(self.events, self.clock, SESSION_ID)
        self.executor = Executor(
            self.clock,
            lambda job: None,
            lambda job, code, text: self.settled.append((job.correlation_id, code, text)),
            self.lost.append,
        )
        self.executor.adopt_thread()
        self.backend: Backend = WaitlessBackend(backend, self.clock)  # type: ignore[assignment]
        self.backend.open(self.sink)
        self.executor.attach(self.backend)
        self.dispatcher = Dispatcher(
            backend=self.backend,
            sink=self.sink,
            events=self.events,
            executor=self.executor,
            clock=self.clock,
            session_id=SESSION_ID,
            default_read_timeout=5.0,
            limits=limits,
            max_frame_bytes=max_frame_bytes,
            faults=None,
            on_shutdown=self.shutdowns.append,
        )

    def command(self, command: pb.MxCommand, expires: float | None = None) -> pb.MxCommandReply:
        return pb.MxCommandReply.FromString(self.dispatcher.execute("c1", command, expires))

    def call(self, payload: str, **fields: object) -> pb.MxCommandReply:
        """Executes the command with this payload arm."""
        kind = pb.MxCommandKind.Value(f"MX_COMMAND_KIND_{payload.upper()}")
        command = pb.MxCommand(kind=kind)
        getattr(command, payload).SetInParent()
        message = getattr(command, payload)
        message.MergeFrom(type(message)(**fields))
        return self.command(command)

    def pump(self) -> list[pb.MxEvent]:
        """Pumps once and returns all events that wait."""
        self.backend.pump()
        batch = self.events.take_batch(100_000, 1 << 30)
        return [pb.MxEvent.FromString(event) for event in split_events(batch.data)] if batch else []

    def job(self, correlation_id: str, expires: float | None = None) -> Job:
        return Job(correlation_id, pb.MxCommand(kind=pb.MX_COMMAND_KIND_PING), expires)
