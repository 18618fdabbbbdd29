"""A real worker process, driven over its pipe as a gateway does."""

from __future__ import annotations

import os
import selectors
import shlex
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway.generated import mxaccess_worker_pb2 as wpb
from mxgateway_contract.constants import WORKER_PROTOCOL_VERSION
from mxgateway_protocol.batches import split_events
from mxgateway_protocol.contract import NONCE_VARIABLE
from mxgateway_protocol.envelopes import EnvelopeReader, EnvelopeWriter
from mxgateway_protocol.frames import FrameDecoder, encode_frame

ROOT = Path(__file__).parents[2]
# Another Python to run workers on, such as a Windows one under Wine, and where it finds the code.
PYTHON = shlex.split(os.environ.get("MXGATEWAY_TEST_PYTHON", "")) or [sys.executable]
PYTHONPATH = os.environ.get("MXGATEWAY_TEST_PYTHONPATH", str(ROOT))
NONCE = "0123456789abcdef"
FAKE_BACKEND = "tests.support.fake_backend:create_backend"
SESSION_ID = "session-" + "0" * 32
DEADLINE = 20.0


class WorkerProcess:
    """Starts `python -m mxgateway_worker` and speaks the pipe's protocol with it; a context manager.

    Everything that arrives is kept: replies by correlation id, events in order, heartbeats and faults in lists. All
    waits have a deadline and fail with what had arrived and the worker's log.
    """

    def __init__(
        self,
        *,
        backend: str = FAKE_BACKEND,
        options: Mapping[str, str] | None = None,
        arguments: Sequence[str] = (),
        session_id: str = SESSION_ID,
        nonce: str | None = NONCE,
        protocol_version: int = WORKER_PROTOCOL_VERSION,
        preload: str = "",
    ) -> None:
        self._start = ["-m", "mxgateway_worker"]
        if preload:
            self._start = [
                "-c",
                f"{preload}\nimport sys\nfrom mxgateway_worker.main import main\nsys.exit(main())",
            ]
        self._arguments = [
            "--session-id",
            session_id,
            "--protocol-version",
            str(protocol_version),
            "--backend",
            backend,
            *(["--allow-backend-path"] if ":" in backend else []),
            *(part for name, value in (options or {}).items() for part in ("--option", f"{name}={value}")),
            *arguments,
        ]
        self._nonce = nonce
        self._out = EnvelopeWriter(session_id)
        self._in = EnvelopeReader(session_id)
        self._decoder = FrameDecoder()
        self._numbers = 0
        self.envelopes: deque[wpb.WorkerEnvelope] = deque()
        self.replies: dict[str, pb.MxCommandReply] = {}
        self.reply_order: list[str] = []
        self.events: list[pb.MxEvent] = []
        self.batches: list[wpb.WorkerEventBatch] = []
        self.heartbeats: list[wpb.WorkerHeartbeat] = []
        self.faults: list[wpb.WorkerFault] = []
        self.ended = False
        self.log = ""

    @property
    def command_line(self) -> list[str]:
        """Arguments of the Python that runs the worker."""
        return [*self._start, *self._arguments]

    @property
    def environment(self) -> dict[str, str]:
        environment = {name: value for name, value in os.environ.items() if name != NONCE_VARIABLE}
        environment["PYTHONPATH"] = PYTHONPATH
        if self._nonce is not None:
            environment[NONCE_VARIABLE] = self._nonce
        return environment

    def __enter__(self) -> WorkerProcess:
        self.process = subprocess.Popen(
            [*PYTHON, *self.command_line],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.environment,
            bufsize=0,
        )
        self._stdin, self._stdout, self._stderr = self.process.stdin, self.process.stdout, self.process.stderr
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._stdout, selectors.EVENT_READ, self._take_frames)
        self._selector.register(self._stderr, selectors.EVENT_READ, self._take_log)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(DEADLINE)
        self._selector.close()
        for stream in (self._stdin, self._stdout, self._stderr):
            stream.close()

    # ----------------------------------------------------------------------------------------------------- receiving

    def _take_frames(self) -> bool:
        data = os.read(self._stdout.fileno(), 1 << 20)
        for payload in self._decoder.feed(data):
            self._take_envelope(self._in.parse(payload))
        return bool(data)

    def _take_log(self) -> bool:
        data = os.read(self._stderr.fileno(), 1 << 16)
        self.log += data.decode(errors="replace")
        return bool(data)

    def _take_envelope(self, envelope: wpb.WorkerEnvelope) -> None:
        body = envelope.WhichOneof("body")
        if body == "worker_command_reply":
            self.replies[envelope.correlation_id] = pb.MxCommandReply.FromString(
                envelope.worker_command_reply.reply_data
            )
            self.reply_order.append(envelope.correlation_id)
        elif body == "worker_event_batch":
            batch = envelope.worker_event_batch
            self.batches.append(batch)
            self.events += [pb.MxEvent.FromString(event) for event in split_events(batch.batch)]
        elif body == "worker_heartbeat":
            self.heartbeats.append(envelope.worker_heartbeat)
        elif body == "worker_fault":
            self.faults.append(envelope.worker_fault)
        elif body == "worker_assigned" and envelope.worker_assigned.status.code == pb.PROTOCOL_STATUS_CODE_OK:
            # The last envelope with the placeholder's session id.
            self._in.session_id = self._out.session_id
        self.envelopes.append(envelope)

    def read_once(self, timeout: float) -> bool:
        """Takes what has arrived, waiting up to `timeout` seconds for it; False when nothing came."""
        came = False
        for key, _ in self._selector.select(timeout):
            if not key.data():
                self._selector.unregister(key.fileobj)
                if key.fileobj is self._stdout:
                    self.ended = True
            came = True
        return came

    def wait_for(self, condition: Callable[[], bool], deadline: float = DEADLINE) -> None:
        """Reads until the condition holds."""
        end = time.monotonic() + deadline
        while not condition():
            left = end - time.monotonic()
            if left <= 0 or not self._selector.get_map():
                bodies = [envelope.WhichOneof("body") for envelope in self.envelopes]
                raise AssertionError(f"it did not come; got {bodies[-20:]}, log:\n{self.log}")
            self.read_once(left)

    def wait_for_exit(self, deadline: float = DEADLINE) -> int:
        """Reads to the end of the pipe and returns the exit code."""
        self.wait_for(lambda: not self._selector.get_map(), deadline)
        return self.process.wait(deadline)

    # ------------------------------------------------------------------------------------------------------- sending

    def send_bytes(self, data: bytes) -> None:
        self._stdin.write(data)

    def send(self, envelope: wpb.WorkerEnvelope) -> None:
        self._stdin.write(self._out.frame(envelope))

    def send_payload(self, payload: bytes) -> None:
        """A frame around any payload."""
        self._stdin.write(encode_frame(payload))

    def close_stdin(self) -> None:
        self._stdin.close()

    def hello(self, nonce: str = NONCE, version: int = WORKER_PROTOCOL_VERSION) -> None:
        hello = wpb.GatewayHello(supported_protocol_version=version, nonce=nonce, gateway_version="test")
        self.send(wpb.WorkerEnvelope(gateway_hello=hello))

    def wait_for_body(self, body: str) -> wpb.WorkerEnvelope:
        """Reads until an envelope with this body has come, and returns the first of them."""
        self.wait_for(lambda: any(envelope.WhichOneof("body") == body for envelope in self.envelopes))
        return next(envelope for envelope in self.envelopes if envelope.WhichOneof("body") == body)

    def make_ready(self) -> WorkerProcess:
        """The handshake up to WorkerReady."""
        self.hello()
        self.wait_for_body("worker_ready")
        return self

    def send_command(self, command: pb.MxCommand, correlation_id: str = "", time_left: float | None = None) -> str:
        self._numbers += 1
        correlation_id = correlation_id or f"c{self._numbers}"
        envelope = wpb.WorkerEnvelope(correlation_id=correlation_id, worker_command=wpb.WorkerCommand(command=command))
        if time_left is not None:
            envelope.worker_command.time_left.FromNanoseconds(round(time_left * 1e9))
        self.send(envelope)
        return correlation_id

    def command(self, command: pb.MxCommand, time_left: float | None = None) -> pb.MxCommandReply:
        """Sends a command and waits for its reply."""
        correlation_id = self.send_command(command, time_left=time_left)
        self.wait_for(lambda: correlation_id in self.replies)
        return self.replies[correlation_id]

    def ping(self, message: str = "ping") -> pb.MxCommandReply:
        return self.command(pb.MxCommand(kind=pb.MX_COMMAND_KIND_PING, ping=pb.PingCommand(message=message)))

    def assign(self, session_id: str, **options: str) -> None:
        """Gives the worker to a session; later envelopes carry its id."""
        self.send(wpb.WorkerEnvelope(worker_assign=wpb.WorkerAssign(session_id=session_id, backend_options=options)))
        self._out.session_id = session_id

    def shutdown(self, grace: float = 5.0) -> int:
        """Ends the worker in order; returns the exit code."""
        envelope = wpb.WorkerEnvelope(worker_shutdown=wpb.WorkerShutdown(reason="test"))
        envelope.worker_shutdown.grace_period.FromNanoseconds(round(grace * 1e9))
        self.send(envelope)
        return self.wait_for_exit()
