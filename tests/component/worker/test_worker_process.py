"""A real worker process over its pipe: handshake, heartbeats, commands, and every way to end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import psutil
import pytest
from tests.support.fleeting import lives
from tests.support.waiting import wait_until
from tests.support.worker_process import NONCE, SESSION_ID, WorkerProcess

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway.generated import mxaccess_worker_pb2 as wpb
from mxgateway_protocol.contract import CLASS_ID, PROG_ID, WorkerExit
from mxgateway_protocol.envelopes import EnvelopeWriter


def test_handshake_gives_hello_then_ready_then_a_heartbeat_at_once() -> None:
    """Hello carries version, nonce and pid; ready the backend's identity; the first heartbeat does not wait."""
    with WorkerProcess(arguments=["--heartbeat-interval", "3600"]) as worker:
        worker.hello()
        worker.wait_for(lambda: bool(worker.heartbeats))
        bodies = [envelope.WhichOneof("body") for envelope in worker.envelopes]
        assert bodies == ["worker_hello", "worker_ready", "worker_heartbeat"]
        hello, ready = worker.envelopes[0].worker_hello, worker.envelopes[1].worker_ready
        assert (hello.protocol_version, hello.nonce, hello.worker_process_id) == (1, NONCE, worker.process.pid)
        assert (ready.mxaccess_progid, ready.mxaccess_clsid, ready.backend_name) == (PROG_ID, CLASS_ID, "fake")
        assert worker.heartbeats[0].state == wpb.WORKER_STATE_READY
        assert worker.shutdown() == WorkerExit.SUCCESS


def test_ping_is_echoed_and_shutdown_is_acknowledged_last() -> None:
    """Ping answers with its message; WorkerShutdownAck is the last envelope and the exit code is 0."""
    with WorkerProcess() as worker:
        worker.make_ready()
        reply = worker.ping("hello")
        assert (reply.protocol_status.code, reply.diagnostic_message) == (pb.PROTOCOL_STATUS_CODE_OK, "hello")
        assert reply.session_id == SESSION_ID
        assert worker.shutdown() == WorkerExit.SUCCESS
        assert worker.envelopes[-1].worker_shutdown_ack.status.code == pb.PROTOCOL_STATUS_CODE_OK


def test_end_of_input_ends_the_worker() -> None:
    """A worker whose gateway is gone ends by itself."""
    with WorkerProcess() as worker:
        worker.make_ready()
        worker.close_stdin()
        assert worker.wait_for_exit() == WorkerExit.GATEWAY_GONE


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to send")
def test_sigterm_ends_the_worker_in_order() -> None:
    """SIGTERM closes the backend and ends with 0."""
    with WorkerProcess() as worker:
        worker.make_ready()
        worker.process.send_signal(signal.SIGTERM)
        assert worker.wait_for_exit() == WorkerExit.SUCCESS


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"nonce": None}, WorkerExit.MISSING_NONCE),
        ({"protocol_version": 9}, WorkerExit.INVALID_PROTOCOL_VERSION),
        ({"backend": "nothing"}, WorkerExit.INVALID_ARGUMENTS),
        ({"arguments": ["--what"]}, WorkerExit.INVALID_ARGUMENTS),
        ({"arguments": ["--heartbeat-interval", "-1"]}, WorkerExit.INVALID_ARGUMENTS),
    ],
)
def test_bad_start_ends_with_its_own_code(settings: dict[str, object], code: WorkerExit) -> None:
    """Arguments and environment are checked before anything is touched."""
    with WorkerProcess(**settings) as worker:  # type: ignore[arg-type]
        assert worker.wait_for_exit() == code
        assert worker.log.startswith("mxgateway_worker: ")


def test_wrong_nonce_is_refused() -> None:
    """A gateway without the nonce gets a fault and the worker ends; the nonce is not in the log."""
    with WorkerProcess() as worker:
        worker.hello(nonce="guess")
        assert worker.wait_for_exit() == WorkerExit.NONCE_REFUSED
        assert worker.faults[0].category == wpb.WORKER_FAULT_CATEGORY_PROTOCOL_VIOLATION
        assert NONCE not in worker.log


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x00\x00\x00\x00", WorkerExit.PROTOCOL_VIOLATION),
        (b"\xff\xff\xff\xff", WorkerExit.PROTOCOL_VIOLATION),
        (b"\x03\x00\x00\x00abc", WorkerExit.PROTOCOL_VIOLATION),
        (b"\x02\x00\x00\x00\x08\x07", WorkerExit.INVALID_PROTOCOL_VERSION),
    ],
)
def test_bad_frames_end_the_worker_with_a_fault(data: bytes, code: WorkerExit) -> None:
    """Garbage, zero and over-long lengths and other versions each end the worker at once and say why."""
    with WorkerProcess() as worker:
        worker.make_ready()
        worker.send_bytes(data)
        assert worker.wait_for_exit() == code
        assert worker.faults[0].category == wpb.WORKER_FAULT_CATEGORY_PROTOCOL_VIOLATION
        assert worker.faults[0].protocol_status.code == pb.PROTOCOL_STATUS_CODE_PROTOCOL_VIOLATION


def test_command_before_the_handshake_is_a_violation() -> None:
    """Nothing but a hello may come first."""
    with WorkerProcess() as worker:
        worker.send_command(pb.MxCommand(kind=pb.MX_COMMAND_KIND_PING))
        assert worker.wait_for_exit() == WorkerExit.PROTOCOL_VIOLATION
        assert worker.faults[0].exception_type == "BodyError"


def test_backend_that_cannot_be_opened_is_a_fault_with_its_hresult() -> None:
    """No WorkerReady comes, but a fault with the HRESULT, and the worker ends."""
    with WorkerProcess(options={"fail_open": "1"}) as worker:
        worker.hello()
        assert worker.wait_for_exit() == WorkerExit.BACKEND_FAILED
        assert worker.faults[0].category == wpb.WORKER_FAULT_CATEGORY_BACKEND_CREATION_FAILED
        assert worker.faults[0].hresult == -2147221164


def test_pooled_worker_takes_the_session_of_its_assignment() -> None:
    """WorkerAssigned is the last envelope with the placeholder's id; replies after it carry the session's."""
    with WorkerProcess() as worker:
        worker.make_ready()
        session_id = "session-" + "a" * 32
        worker.assign(session_id)
        reply = worker.ping()
        assert reply.session_id == session_id
        assert worker.wait_for_body("worker_assigned").session_id == SESSION_ID
        assert worker.shutdown() == WorkerExit.SUCCESS
        assert worker.envelopes[-1].session_id == session_id


@pytest.mark.skipif(sys.platform != "linux", reason="the parent-death signal is Linux's")
def test_a_worker_dies_with_its_parent_even_when_its_pipe_stays_open() -> None:
    """The parent is killed while someone else holds the pipe: the parent-death signal ends the worker."""
    script = (
        "import subprocess, sys\n"
        "worker = subprocess.Popen(sys.argv[1:], stdin=0, stdout=subprocess.PIPE)\n"
        "worker.stdout.read(4)\n"
        "print(worker.pid, flush=True)\n"
        "sys.stdin.close()\n"
        "worker.wait()\n"
    )
    read_end, write_end = os.pipe()
    worker = WorkerProcess()
    parent = subprocess.Popen(
        [sys.executable, "-c", script, sys.executable, *worker.command_line],
        stdin=read_end,
        stdout=subprocess.PIPE,
        env=worker.environment,
    )
    try:
        os.close(read_end)
        hello = wpb.GatewayHello(supported_protocol_version=1, nonce=NONCE)
        os.write(write_end, EnvelopeWriter(SESSION_ID).frame(wpb.WorkerEnvelope(gateway_hello=hello)))
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
        parent.wait(10)
        wait_until(lambda: not lives(child))
    finally:
        parent.kill()
        parent.wait(10)
        if parent.stdout is not None:
            parent.stdout.close()
        os.close(write_end)


def test_stray_prints_do_not_reach_the_pipe() -> None:
    """What anything prints to stdout goes to the log."""
    preload = (
        "import mxgateway_worker.stdio as stdio\n"
        "take_over = stdio.take_over\n"
        "def noisy():\n"
        "    fds = take_over()\n"
        "    print('stray text', flush=True)\n"
        "    return fds\n"
        "stdio.take_over = noisy"
    )
    with WorkerProcess(preload=preload) as worker:
        worker.make_ready()
        assert worker.shutdown() == WorkerExit.SUCCESS
        assert "stray text" in worker.log


def test_worker_starts_without_grpc_sqlalchemy_yaml_and_asyncio() -> None:
    """The worker runs where these do not exist, as on 32-bit Python."""
    names = ("grpc", "sqlalchemy", "yaml", "asyncio")
    block = f"import sys\nfor name in {names!r}: sys.modules[name] = None"
    with WorkerProcess(preload=block) as worker:
        worker.make_ready()
        assert worker.ping().protocol_status.code == pb.PROTOCOL_STATUS_CODE_OK
        assert worker.shutdown() == WorkerExit.SUCCESS
