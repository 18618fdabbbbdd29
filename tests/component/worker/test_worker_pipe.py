"""The worker's end of its pipe: whatever way the bytes come, whoever reads them, and what their end costs."""

from __future__ import annotations

import selectors
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.worker_process import DEADLINE, NONCE, WorkerProcess

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway.generated import mxaccess_worker_pb2 as wpb
from mxgateway_contract.constants import WORKER_PROTOCOL_VERSION
from mxgateway_protocol.contract import WorkerExit
from mxgateway_protocol.envelopes import EnvelopeWriter

OK = pb.PROTOCOL_STATUS_CODE_OK
CANCELED = pb.PROTOCOL_STATUS_CODE_CANCELED
ARGUMENTS = ["--allow-fault-injection", "--heartbeat-interval", "0.02"]
REGISTER = pb.MxCommand(kind=pb.MX_COMMAND_KIND_REGISTER, register=pb.RegisterCommand(client_name="x"))
# A passive backend's executor reads the pipe itself while it has nothing else to do, where that is possible.
WAYS: dict[str, dict[str, Any]] = {
    "passive": {"options": {"passive": "1"}},
    "waits itself": {},
    "passive, blocking pipe": {
        "options": {"passive": "1"},
        "preload": "from mxgateway_worker import stdio; stdio.make_nonblocking = lambda fd: False",
    },
}


@pytest.fixture(params=WAYS)
def worker(request: pytest.FixtureRequest) -> Iterator[WorkerProcess]:
    with WorkerProcess(arguments=ARGUMENTS, **WAYS[request.param]) as process:
        yield process.make_ready()


def frame_of(worker: WorkerProcess, command: pb.MxCommand, correlation_id: str) -> bytes:
    body = wpb.WorkerEnvelope(correlation_id=correlation_id, worker_command=wpb.WorkerCommand(command=command))
    return worker._out.frame(body)


def ping_frame(worker: WorkerProcess, correlation_id: str, message: str = "x") -> bytes:
    ping = pb.MxCommand(kind=pb.MX_COMMAND_KIND_PING, ping=pb.PingCommand(message=message))
    return frame_of(worker, ping, correlation_id)


def cancel_frame(worker: WorkerProcess, correlation_id: str) -> bytes:
    return worker._out.frame(
        wpb.WorkerEnvelope(correlation_id=correlation_id, worker_cancel=wpb.WorkerCancel(reason="bored"))
    )


def arm_hang(worker: WorkerProcess) -> None:
    """The next MXAccess call hangs for good."""
    fault = pb.InjectFaultCommand(fault="hang_call")
    worker.command(pb.MxCommand(kind=pb.MX_COMMAND_KIND_INJECT_FAULT, inject_fault=fault))


def hang(worker: WorkerProcess) -> None:
    arm_hang(worker)
    worker.send_command(REGISTER, "stuck")
    worker.wait_for(lambda: any(beat.current_command_correlation_id == "stuck" for beat in worker.heartbeats[-1:]))


def beat_for(worker: WorkerProcess, beats: int) -> None:
    """Lets some time pass, as the worker counts it."""
    until = len(worker.heartbeats) + beats
    worker.wait_for(lambda: len(worker.heartbeats) >= until)


def test_a_frame_may_be_cut_anywhere(worker: WorkerProcess) -> None:
    length = len(ping_frame(worker, "id"))
    for cut in range(1, length):
        data = ping_frame(worker, f"c{cut}")
        worker.send_bytes(data[:cut])
        worker.send_bytes(data[cut:])
    worker.wait_for(lambda: len(worker.replies) == length - 1)
    assert worker.reply_order == [f"c{cut}" for cut in range(1, length)]
    assert worker.shutdown() == WorkerExit.SUCCESS


def test_bytes_may_come_one_by_one(worker: WorkerProcess) -> None:
    names = [f"c{number}" for number in range(20)]
    for byte in b"".join(ping_frame(worker, name, "y" * 100) for name in names):
        worker.send_bytes(bytes((byte,)))
    worker.wait_for(lambda: len(worker.replies) == len(names))
    assert worker.reply_order == names


def test_a_frame_of_many_reads_comes_whole_between_others(worker: WorkerProcess) -> None:
    size = 5_000_000
    data = ping_frame(worker, "a") + ping_frame(worker, "long", "y" * size) + ping_frame(worker, "z")
    sender = threading.Thread(target=worker.send_bytes, args=(data,))
    sender.start()
    worker.wait_for(lambda: len(worker.replies) == 3)
    sender.join(DEADLINE)
    assert worker.reply_order == ["a", "long", "z"]
    assert worker.replies["long"].ByteSize() > size
    assert worker.shutdown() == WorkerExit.SUCCESS


def test_a_cancel_gets_through_to_what_waits_behind_a_hung_call(worker: WorkerProcess) -> None:
    """In one write with both, where the executor itself read it, and later, when only the reader can."""
    arm_hang(worker)
    together = frame_of(worker, REGISTER, "stuck") + ping_frame(worker, "first") + cancel_frame(worker, "first")
    worker.send_bytes(together)
    worker.wait_for(lambda: "first" in worker.replies)
    worker.send_bytes(ping_frame(worker, "second"))
    worker.wait_for(lambda: any(beat.pending_command_count == 1 for beat in worker.heartbeats[-1:]))
    worker.send_bytes(cancel_frame(worker, "second"))
    worker.wait_for(lambda: "second" in worker.replies)
    assert [worker.replies[name].protocol_status.code for name in ("first", "second")] == [CANCELED, CANCELED]
    assert "stuck" not in worker.replies


def test_a_violation_is_told_of_while_a_call_hangs(worker: WorkerProcess) -> None:
    hang(worker)
    worker.send_bytes(b"\xff" * 100)
    assert worker.wait_for_exit() == WorkerExit.PROTOCOL_VIOLATION
    assert [fault.category for fault in worker.faults] == [wpb.WORKER_FAULT_CATEGORY_PROTOCOL_VIOLATION]


if sys.platform == "linux":

    def wakes(worker: WorkerProcess) -> dict[str, int]:
        """How often each thread went to sleep until now; one that runs in circles is counted by its CPU time, too."""
        found = {}
        tasks = Path(f"/proc/{worker.process.pid}/task")
        for task in tasks.iterdir():
            try:
                status = (task / "status").read_text()
                fields = (task / "stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue  # a thread that has ended, or ends just now
            ticks = int(fields[11]) + int(fields[12])
            switches = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
            found[task.name] = int(switches["voluntary_ctxt_switches"]) + ticks
        return found

    def busy_threads(worker: WorkerProcess, beats: int) -> int:
        """How many threads do anything to speak of while so many heartbeats leave the worker."""
        before = wakes(worker)
        beat_for(worker, beats)
        after = wakes(worker)
        return sum(after[task] - before[task] > beats // 3 for task in after if task in before)

    def test_who_has_nothing_to_do_sleeps(worker: WorkerProcess) -> None:
        """The writer sends the heartbeats, and nothing else wakes."""
        worker.ping()
        assert busy_threads(worker, 60) == 1

    def test_the_end_of_the_pipe_costs_nothing_while_a_call_hangs(worker: WorkerProcess) -> None:
        """An ended pipe is always ready: who waits for it again would run in circles."""
        hang(worker)
        worker.close_stdin()
        assert busy_threads(worker, 60) == 1


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        ours = socket.create_connection(server.getsockname())
        return ours, server.accept()[0]


class SocketWorker(WorkerProcess):
    """Its input is a socket, as some event loops make it."""

    pair: Callable[[], tuple[socket.socket, socket.socket]] = staticmethod(socket.socketpair)

    def __enter__(self) -> WorkerProcess:
        ours, theirs = self.pair()
        self.process = subprocess.Popen(
            [sys.executable, *self.command_line],
            stdin=theirs.fileno(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.environment,
            bufsize=0,
        )
        theirs.close()
        # Closing one of these resets the connection.
        if ours.family == socket.AF_INET:
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._stdin = ours.makefile("wb", buffering=0)
        ours.close()
        self._stdout, self._stderr = self.process.stdout, self.process.stderr
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._stdout, selectors.EVENT_READ, self._take_frames)
        self._selector.register(self._stderr, selectors.EVENT_READ, self._take_log)
        return self


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="needs sockets as descriptors")
@pytest.mark.parametrize("way", WAYS)
def test_the_input_may_be_a_socket(way: str) -> None:
    with SocketWorker(arguments=ARGUMENTS, **WAYS[way]) as worker:
        worker.make_ready()
        worker.send_bytes(b"".join(ping_frame(worker, f"c{number}", "y" * 1000) for number in range(50)))
        worker.wait_for(lambda: len(worker.replies) == 50)
        assert worker.reply_order == [f"c{number}" for number in range(50)]
        worker.close_stdin()
        assert worker.wait_for_exit() == WorkerExit.GATEWAY_GONE


@pytest.mark.skipif(sys.platform == "win32", reason="needs sockets as descriptors")
@pytest.mark.parametrize("way", WAYS)
def test_an_input_that_fails_is_the_gateways_end(way: str) -> None:
    """Here a connection that is reset."""

    class Reset(SocketWorker):
        pair = staticmethod(tcp_pair)

    with Reset(arguments=ARGUMENTS, **WAYS[way]) as worker:
        worker.make_ready()
        worker.close_stdin()
        assert worker.wait_for_exit() == WorkerExit.GATEWAY_GONE
        assert "reading the pipe failed" in worker.log
        assert worker.faults == []


def test_the_input_may_be_a_file(tmp_path: Path) -> None:
    """What was recorded is worked off; the file's end is the gateway's."""
    worker, out, path = WorkerProcess(), EnvelopeWriter("session-" + "0" * 32), tmp_path / "input"
    hello = wpb.GatewayHello(supported_protocol_version=WORKER_PROTOCOL_VERSION, nonce=NONCE, gateway_version="test")
    path.write_bytes(out.frame(wpb.WorkerEnvelope(gateway_hello=hello)))
    with open(path, "rb") as file:
        done = subprocess.run(
            [sys.executable, *worker.command_line],
            stdin=file,
            capture_output=True,
            env=worker.environment,
            timeout=DEADLINE,
            check=False,
        )
    assert done.returncode == WorkerExit.GATEWAY_GONE
    assert done.stdout
