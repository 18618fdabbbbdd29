"""A worker's life inside this process, over real pipes: what may be said when, and why and how it ends."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from tests.support.fake_backend import FakeBackend
from tests.support.waiting import wait_until

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway.generated import mxaccess_worker_pb2 as wpb
from mxgateway_contract.constants import WORKER_PROTOCOL_VERSION
from mxgateway_protocol.clock import SystemClock
from mxgateway_protocol.contract import WorkerExit
from mxgateway_protocol.envelopes import EnvelopeReader, EnvelopeWriter
from mxgateway_protocol.errors import BackendLostError, BackendOptionError, MxComError
from mxgateway_protocol.frames import FrameDecoder
from mxgateway_worker import worker as module
from mxgateway_worker.arguments import WorkerSettings
from mxgateway_worker.logs import KeyValueFormatter
from mxgateway_worker.worker import Worker

POOL = "pool-" + "0" * 32
SESSION = "session-" + "1" * 32
NONCE = "n" * 32


class Rig:
    """A worker on threads of this process, and the gateway's end of its pipes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, opens_once: bool = False, **settings: Any) -> None:
        self._opens_once = opens_once
        self.made: list[tuple[dict[str, str], FakeBackend]] = []
        self.error: Exception | None = None
        monkeypatch.setattr(module, "load_factory", lambda name: self.create)
        into, self._send_fd = os.pipe()
        self._receive_fd, out = os.pipe()
        self._fds = [into, out, self._receive_fd]
        settings.setdefault("shutdown_grace", 5.0)
        self.worker = Worker(
            settings=WorkerSettings(POOL, "fake", NONCE, **settings),
            read_fd=into,
            write_fd=out,
            clock=SystemClock(),
            formatter=KeyValueFormatter(POOL),
        )
        self.writer = EnvelopeWriter(POOL)
        self._reader = EnvelopeReader(POOL)
        self.bodies: list[wpb.WorkerEnvelope] = []
        self.code: WorkerExit | None = None
        self._threads = [threading.Thread(target=self._run), threading.Thread(target=self._read)]

    def create(self, options: Any) -> FakeBackend:
        if self.error is not None:
            raise self.error
        self.made.append((dict(options), FakeBackend(opens_once=self._opens_once)))
        return self.made[-1][1]

    def _run(self) -> None:
        self.code = self.worker.run()
        os.close(self._fds[1])

    def _read(self) -> None:
        decoder = FrameDecoder()
        while data := os.read(self._receive_fd, 65536):
            for payload in decoder.feed(data):
                envelope = wpb.WorkerEnvelope.FromString(payload)
                if envelope.WhichOneof("body") != "worker_heartbeat":
                    self.bodies.append(envelope)

    def __enter__(self) -> Rig:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.hang_up()
        # The worker's reader is a daemon: a process ends without it, this one has to wait until it has seen the end.
        for thread in (*self._threads, self.worker._reader):
            thread.join(20)
        for fd in (self._fds[0], self._receive_fd):
            os.close(fd)

    def hang_up(self) -> None:
        """Ends the worker's input, as a gateway does that is gone."""
        if self._send_fd >= 0:
            os.close(self._send_fd)
            self._send_fd = -1

    def raw(self, data: bytes) -> None:
        os.write(self._send_fd, data)

    def send(self, **body: Any) -> None:
        self.raw(self.writer.frame(wpb.WorkerEnvelope(**body)))

    def names(self) -> list[str]:
        return [str(envelope.WhichOneof("body")) for envelope in self.bodies]

    def wait_for(self, body: str, count: int = 1) -> Any:
        wait_until(lambda: self.names().count(body) >= count, failure=lambda: f"only {self.names()}")
        return getattr([each for each in self.bodies if each.WhichOneof("body") == body][count - 1], body)

    def ended(self) -> WorkerExit:
        self._threads[0].join(20)
        assert self.code is not None, "the worker did not end"
        self._threads[1].join(20)
        return self.code

    def greet(self) -> Rig:
        self.send(gateway_hello=wpb.GatewayHello(supported_protocol_version=WORKER_PROTOCOL_VERSION, nonce=NONCE))
        self.wait_for("worker_ready")
        return self

    def ping(self, correlation_id: str = "1") -> None:
        ping = pb.MxCommand(kind=pb.MX_COMMAND_KIND_PING, ping=pb.PingCommand(message="hello"))
        self.send(correlation_id=correlation_id, worker_command=wpb.WorkerCommand(command=ping))

    def assign(self, session_id: str = SESSION, **options: str) -> None:
        self.send(worker_assign=wpb.WorkerAssign(session_id=session_id, backend_options=options))


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Rig]:
    return lambda **settings: Rig(monkeypatch, **settings)


def test_it_greets_gets_ready_answers_and_acknowledges_its_end_last(start: Callable[..., Rig]) -> None:
    with start() as rig:
        rig.greet().ping("a")
        reply = rig.wait_for("worker_command_reply")
        assert pb.MxCommandReply.FromString(reply.reply_data).diagnostic_message == "hello"
        # A grace that no system call takes is a long one.
        rig.send(worker_shutdown=wpb.WorkerShutdown(reason="test", grace_period=Duration(seconds=2**60)))
        assert rig.ended() is WorkerExit.SUCCESS
        assert rig.worker.threads_ended
        assert rig.names() == ["worker_hello", "worker_ready", "worker_command_reply", "worker_shutdown_ack"]
        assert rig.bodies[-1].worker_shutdown_ack.status.code == pb.PROTOCOL_STATUS_CODE_OK
        assert rig.made[0][1].closed


def test_the_nonce_is_asked_for_before_a_backend_is_made(start: Callable[..., Rig]) -> None:
    with start() as rig:
        rig.send(gateway_hello=wpb.GatewayHello(supported_protocol_version=WORKER_PROTOCOL_VERSION, nonce="guess"))
        assert rig.ended() is WorkerExit.NONCE_REFUSED
        assert rig.made == []
        (fault,) = rig.bodies
        assert fault.worker_fault.category == wpb.WORKER_FAULT_CATEGORY_PROTOCOL_VIOLATION
        assert NONCE not in str(fault)


def test_another_version_is_refused_by_its_own_code(start: Callable[..., Rig]) -> None:
    with start() as rig:
        rig.send(gateway_hello=wpb.GatewayHello(supported_protocol_version=99, nonce=NONCE))
        assert rig.ended() is WorkerExit.INVALID_PROTOCOL_VERSION


@pytest.mark.parametrize(
    "body",
    [
        {"worker_command": wpb.WorkerCommand()},
        {"worker_cancel": wpb.WorkerCancel()},
        {"worker_assign": wpb.WorkerAssign(session_id=SESSION)},
        {"worker_shutdown": wpb.WorkerShutdown()},
        {"worker_ready": wpb.WorkerReady()},
    ],
    ids=lambda body: next(iter(body)),
)
def test_nothing_but_the_greeting_may_come_first(start: Callable[..., Rig], body: dict[str, Any]) -> None:
    with start() as rig:
        rig.send(**body)
        assert rig.ended() is WorkerExit.PROTOCOL_VIOLATION
        assert rig.made == []


def test_it_is_greeted_once(start: Callable[..., Rig]) -> None:
    with start() as rig:
        rig.greet()
        rig.send(gateway_hello=wpb.GatewayHello(supported_protocol_version=WORKER_PROTOCOL_VERSION, nonce=NONCE))
        assert rig.ended() is WorkerExit.PROTOCOL_VIOLATION
        assert len(rig.made) == 1


@pytest.mark.parametrize(("length", "is_taken"), [(256, True), (257, False)])
def test_a_correlation_id_has_a_longest_length(start: Callable[..., Rig], length: int, is_taken: bool) -> None:
    with start() as rig:
        rig.greet().ping("x" * length)
        if is_taken:
            rig.wait_for("worker_command_reply")
        else:
            assert rig.ended() is WorkerExit.PROTOCOL_VIOLATION


def test_the_end_of_the_input_is_the_gateways_end(start: Callable[..., Rig]) -> None:
    with start() as rig:
        rig.greet()
        rig.hang_up()
        assert rig.ended() is WorkerExit.GATEWAY_GONE
        assert "worker_shutdown_ack" not in rig.names(), "nobody asked"
        assert rig.made[0][1].closed


def test_bytes_that_are_no_frame_end_it_with_a_fault(start: Callable[..., Rig]) -> None:
    with start() as rig:
        rig.greet().raw(b"\xff\xff\xff\x7f")
        assert rig.ended() is WorkerExit.PROTOCOL_VIOLATION
        assert rig.names()[-1] == "worker_fault"


def test_the_first_reason_to_end_is_the_one_that_counts(start: Callable[..., Rig]) -> None:
    with start() as rig:
        rig.greet()
        rig.worker.request_stop("SIGTERM")
        rig.hang_up()
        assert rig.ended() is WorkerExit.SUCCESS


@pytest.mark.parametrize(
    ("error", "status", "hresult"),
    [
        (BackendOptionError("no such option 'x'"), pb.PROTOCOL_STATUS_CODE_INVALID_REQUEST, None),
        (MxComError(-2147221164, "class not registered"), pb.PROTOCOL_STATUS_CODE_WORKER_UNAVAILABLE, -2147221164),
        (RuntimeError("broken"), pb.PROTOCOL_STATUS_CODE_WORKER_UNAVAILABLE, None),
    ],
)
def test_a_backend_that_cannot_be_made_is_told_with_its_cause(
    start: Callable[..., Rig], error: Exception, status: int, hresult: int | None
) -> None:
    with start() as rig:
        rig.error = error
        rig.send(gateway_hello=wpb.GatewayHello(supported_protocol_version=WORKER_PROTOCOL_VERSION, nonce=NONCE))
        assert rig.ended() is WorkerExit.BACKEND_FAILED
        fault = rig.bodies[-1].worker_fault
        assert fault.category == wpb.WORKER_FAULT_CATEGORY_BACKEND_CREATION_FAILED
        assert fault.protocol_status.code == status
        assert (fault.hresult if fault.HasField("hresult") else None) == hresult
        assert "worker_ready" not in rig.names()


def test_an_assignment_with_the_same_options_keeps_the_backend_and_takes_the_sessions_id(
    start: Callable[..., Rig],
) -> None:
    with start(options={"galaxy": "a"}) as rig:
        rig.greet().assign(galaxy="a")
        assert rig.wait_for("worker_assigned").status.code == pb.PROTOCOL_STATUS_CODE_OK
        rig.writer.session_id = SESSION
        rig.ping()
        rig.wait_for("worker_command_reply")
        assert rig.bodies[-1].session_id == SESSION
        assert [options for options, _ in rig.made] == [{"galaxy": "a"}]


def test_an_assignment_with_other_options_closes_the_backend_that_was_opened_ahead(start: Callable[..., Rig]) -> None:
    with start(options={"galaxy": "a", "speed": "1"}) as rig:
        rig.greet().assign(galaxy="b")
        rig.wait_for("worker_assigned")
        (_, first), (options, second) = rig.made
        assert options == {"galaxy": "b", "speed": "1"}, "the rest of the gateway's options stays"
        assert (first.closed, second.closed) == (True, False)


def test_a_backend_that_opens_once_keeps_its_options_and_takes_a_session_that_wants_these(
    start: Callable[..., Rig],
) -> None:
    """LMXProxy, of which nobody knows whether a process may make it twice."""
    with start(options={"time": "utc"}, opens_once=True) as rig:
        rig.greet().assign(time="local")
        refused = rig.wait_for("worker_assigned").status
        assert refused.code == pb.PROTOCOL_STATUS_CODE_INVALID_REQUEST
        assert "opens once" in refused.message
        rig.assign(time="utc")
        assert rig.wait_for("worker_assigned", 2).status.code == pb.PROTOCOL_STATUS_CODE_OK
        ((_, backend),) = rig.made
        assert not backend.closed


@pytest.mark.parametrize("how", ["twice", "after a command", "without an id", "with a fault"])
def test_an_assignment_that_may_not_be_is_refused_and_the_worker_goes_on(start: Callable[..., Rig], how: str) -> None:
    with start() as rig:
        rig.greet()
        if how == "twice":
            rig.assign()
            rig.wait_for("worker_assigned")
            rig.writer.session_id = SESSION
            rig.assign("session-" + "2" * 32)
        elif how == "after a command":
            rig.ping()
            rig.assign()
        elif how == "without an id":
            rig.assign("")
        else:
            rig.assign(fault="hang")
        count = 2 if how == "twice" else 1
        refused = rig.wait_for("worker_assigned", count)
        assert refused.status.code == pb.PROTOCOL_STATUS_CODE_INVALID_REQUEST
        assert refused.status.message
        rig.ping("after")
        rig.wait_for("worker_command_reply", 2 if how == "after a command" else 1)


def test_a_reply_that_no_frame_holds_is_refused_in_its_place(start: Callable[..., Rig]) -> None:
    with start(max_frame_bytes=5000) as rig:
        rig.greet()
        command = pb.MxCommand(kind=pb.MX_COMMAND_KIND_PING, ping=pb.PingCommand(message="x" * 1000))
        rig.send(correlation_id="big", worker_command=wpb.WorkerCommand(command=command))
        reply = pb.MxCommandReply.FromString(rig.wait_for("worker_command_reply").reply_data)
        assert (reply.correlation_id, reply.protocol_status.code) == ("big", pb.PROTOCOL_STATUS_CODE_RESOURCE_EXHAUSTED)
        assert "protocol.max_grpc_message_bytes" in reply.protocol_status.message


def test_a_backend_that_hangs_at_its_end_costs_the_grace_and_its_own_exit_code(start: Callable[..., Rig]) -> None:
    with start() as rig:
        rig.greet()
        backend = rig.made[0][1]
        backend.hanging = True
        register = pb.MxCommand(kind=pb.MX_COMMAND_KIND_REGISTER, register=pb.RegisterCommand(client_name="x"))
        rig.send(correlation_id="1", worker_command=wpb.WorkerCommand(command=register))
        wait_until(lambda: "register" in backend.calls)
        shutdown = wpb.WorkerShutdown(reason="test")
        shutdown.grace_period.FromMilliseconds(50)
        rig.send(worker_shutdown=shutdown)
        code = rig.ended()
        backend.hang.set()
        assert code is WorkerExit.SHUTDOWN_TIMEOUT
        assert not rig.worker.threads_ended
        assert rig.bodies[-1].worker_shutdown_ack.status.code == pb.PROTOCOL_STATUS_CODE_TIMEOUT


def test_a_backend_that_breaks_down_at_work_ends_the_process_without_its_cleanup(start: Callable[..., Rig]) -> None:
    """Leaving in order would wait for the thread that such a backend must keep."""
    with start() as rig:
        rig.greet()

        def break_down() -> float:
            raise BackendLostError("access violation")

        rig.made[0][1].pump = break_down  # type: ignore[method-assign]
        rig.ping()
        assert rig.ended() is WorkerExit.BACKEND_FAILED
        assert not rig.worker.threads_ended
        assert "access violation" in rig.wait_for("worker_fault").diagnostic_message


def test_a_backend_that_breaks_down_at_its_end_is_not_acknowledged_as_closed(start: Callable[..., Rig]) -> None:
    with start() as rig:
        rig.greet()

        def break_down(deadline: float | None = None) -> None:
            raise BackendLostError("access violation")

        rig.made[0][1].close = break_down  # type: ignore[method-assign]
        rig.send(worker_shutdown=wpb.WorkerShutdown(reason="test"))
        assert rig.ended() is WorkerExit.BACKEND_FAILED
        assert not rig.worker.threads_ended
        status = rig.bodies[-1].worker_shutdown_ack.status
        assert (status.code, status.message) == (
            pb.PROTOCOL_STATUS_CODE_TIMEOUT,
            "the backend broke down before it was closed",
        )


def test_on_windows_short_replies_are_written_at_once_and_events_pump_by_pump(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pipe there can be told not to block."""
    read_fd, write_fd = os.pipe()
    try:
        monkeypatch.setattr("sys.platform", "win32")
        ways = module._ways_to_write_some(write_fd)
        monkeypatch.undo()
        assert ways["is_paced"] is True
        assert (ways["write_some"](b"x" * 4096), ways["write_some"](b"x" * 4097)) == (4096, 0)
        assert "is_paced" not in module._ways_to_write_some(write_fd)
    finally:
        os.close(read_fd)
        os.close(write_fd)
