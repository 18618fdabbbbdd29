"""A worker under flood, with faults of its own, and over the simulator."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import pytest
from tests.support.worker_process import WorkerProcess

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway.generated import mxaccess_worker_pb2 as wpb
from mxgateway_protocol.contract import WorkerExit
from mxgateway_protocol.errors import PipeProtocolError
from mxgateway_server.workers.containment import ProcessGroups
from mxgateway_simulator.building.builder import build_galaxy
from mxgateway_simulator.building.description_reader import read_description

OK = pb.PROTOCOL_STATUS_CODE_OK


@pytest.fixture(scope="module")
def galaxy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("galaxy") / "reference.db"
    build_galaxy(read_description("reference"), path)
    return path


def subscribe(worker: WorkerProcess, *tags: str) -> pb.MxCommandReply:
    worker.command(pb.MxCommand(kind=pb.MX_COMMAND_KIND_REGISTER, register=pb.RegisterCommand(client_name="t")))
    command = pb.SubscribeBulkCommand(server_handle=1, tag_addresses=tags)
    return worker.command(pb.MxCommand(kind=pb.MX_COMMAND_KIND_SUBSCRIBE_BULK, subscribe_bulk=command))


@pytest.mark.skipif(sys.platform != "linux", reason="the limit of another process is Linux's")
def test_a_worker_that_reaches_its_memory_limit_ends_with_an_exit_code_that_says_so() -> None:
    with WorkerProcess() as worker:
        worker.make_ready()
        ties = ProcessGroups(memory=128 * 2**20)
        ties.adopt(worker.process.pid)
        # More than the limit, from a caller that the gateway's own limits would have stopped long before.
        with contextlib.suppress(BrokenPipeError):
            for _ in range(20):
                register = pb.RegisterCommand(client_name="x" * 15 * 2**20)
                worker.send_command(pb.MxCommand(kind=pb.MX_COMMAND_KIND_REGISTER, register=register))
        assert worker.wait_for_exit() == WorkerExit.OUT_OF_MEMORY
        assert "out of memory" in worker.log


def inject(fault: str, **parameters: str) -> pb.MxCommand:
    return pb.MxCommand(
        kind=pb.MX_COMMAND_KIND_INJECT_FAULT, inject_fault=pb.InjectFaultCommand(fault=fault, parameters=parameters)
    )


@pytest.mark.slow
def test_the_simulator_runs_in_a_worker_without_grpc_sqlalchemy_yaml_and_asyncio(galaxy: Path, tmp_path: Path) -> None:
    """Handshake, subscription, values, a write and a read over the simulator need none of them."""
    block = "import sys\nfor name in ('grpc', 'sqlalchemy', 'yaml', 'asyncio'): sys.modules[name] = None"
    options = {"galaxy": str(galaxy), "board": str(tmp_path / "board.db")}
    with WorkerProcess(backend="simulator", options=options, preload=block) as worker:
        worker.make_ready()
        reply = subscribe(worker, "TestMachine_001.TestChangingInt", "TestChildObject.TestInt")
        handle = reply.subscribe_bulk.results[1].item_handle
        worker.wait_for(lambda: {event.item_handle for event in worker.events} == {1, 2})
        write = pb.WriteCommand(server_handle=1, item_handle=handle, value=pb.MxValue(int32_value=77))
        assert worker.command(pb.MxCommand(kind=pb.MX_COMMAND_KIND_WRITE, write=write)).hresult == 0
        worker.wait_for(lambda: any(event.HasField("on_write_complete") for event in worker.events))
        worker.wait_for(lambda: any(event.value.int32_value == 77 for event in worker.events))
        read = pb.ReadBulkCommand(server_handle=1, tag_addresses=["TestChildObject.TestInt", "No.Such"])
        results = worker.command(pb.MxCommand(kind=pb.MX_COMMAND_KIND_READ_BULK, read_bulk=read)).read_bulk.results
        assert [(result.was_successful, result.was_cached) for result in results] == [(True, True), (False, False)]
        assert worker.shutdown() == WorkerExit.SUCCESS


def test_a_recording_runs_in_a_worker(tmp_path: Path) -> None:
    """`--backend replay` with a file plays it."""
    path = tmp_path / "recording.csv"
    path.write_text("tag,time,value,quality\nA.PV,2026-01-01T00:00:00Z,1.5,192\n")
    with WorkerProcess(backend="replay", options={"file": str(path)}) as worker:
        worker.make_ready()
        subscribe(worker, "A.PV")
        worker.wait_for(lambda: bool(worker.events))
        assert worker.events[0].value.double_value == 1.5
        assert worker.shutdown() == WorkerExit.SUCCESS


def test_wrong_backend_options_are_a_fault_that_names_them() -> None:
    """The gateway learns why there is no backend."""
    with WorkerProcess(backend="replay", options={"file": "x.csv", "colour": "red"}) as worker:
        worker.hello()
        assert worker.wait_for_exit() == WorkerExit.BACKEND_FAILED
        assert "colour" in worker.faults[0].diagnostic_message
        # It is none of the worker's faults, which is for the gateway to know.
        assert worker.faults[0].category == wpb.WORKER_FAULT_CATEGORY_BACKEND_CREATION_FAILED
        assert worker.faults[0].protocol_status.code == pb.PROTOCOL_STATUS_CODE_INVALID_REQUEST


def test_a_corrupt_frame_can_be_asked_for() -> None:
    """`corrupt_frame` sends bytes that are no frame, so that the other end's defence can be tested."""
    with WorkerProcess(arguments=["--allow-fault-injection"]) as worker:
        worker.make_ready()
        worker.send_command(inject("corrupt_frame"))
        with pytest.raises(PipeProtocolError):
            worker.wait_for(lambda: False)


@pytest.mark.parametrize("seconds", [7200, -7200])
def test_values_go_on_when_the_clock_is_set(galaxy: Path, seconds: int) -> None:
    """Stamps follow the clock, forward and back; sequences, calls and signals take no harm."""
    with WorkerProcess(
        backend="simulator", options={"galaxy": str(galaxy)}, arguments=["--allow-fault-injection"]
    ) as worker:
        worker.make_ready()
        subscribe(worker, "TestMachine_001.TestChangingInt")
        worker.wait_for(lambda: len(worker.events) >= 2)
        before = len(worker.events)
        assert worker.command(inject("clock_jump", seconds=str(seconds))).protocol_status.code == OK
        worker.wait_for(lambda: len(worker.events) >= before + 3)
        jumped = worker.events[-1].worker_timestamp.ToSeconds() - worker.events[0].worker_timestamp.ToSeconds()
        assert abs(jumped - seconds) < 600
        assert (
            abs(worker.events[-1].source_timestamp.ToSeconds() - worker.events[-1].worker_timestamp.ToSeconds()) < 600
        )
        assert [event.worker_sequence for event in worker.events] == list(range(1, len(worker.events) + 1))
        assert worker.shutdown() == WorkerExit.SUCCESS


@pytest.mark.parametrize("parameters", [{"seconds": "soon"}, {"seconds": "nan"}, {"seconds": "1e12"}, {"minutes": "1"}])
def test_a_clock_is_not_set_by_nonsense(parameters: dict[str, str]) -> None:
    with WorkerProcess(arguments=["--allow-fault-injection"]) as worker:
        worker.make_ready()
        reply = worker.command(inject("clock_jump", **parameters))
        assert reply.protocol_status.code == pb.PROTOCOL_STATUS_CODE_INVALID_REQUEST
        assert worker.shutdown() == WorkerExit.SUCCESS


def test_a_fault_can_be_set_from_the_start(galaxy: Path, tmp_path: Path) -> None:
    """`--option fault=…` injects once the backend is open."""
    with WorkerProcess(options={"fault": "exit:code=33"}, arguments=["--allow-fault-injection"]) as worker:
        worker.hello()
        assert worker.wait_for_exit() == 33


def test_a_frozen_worker_falls_silent() -> None:
    """After `hang` not even the reply is written, while the process lives on until its input ends."""
    with WorkerProcess(arguments=["--allow-fault-injection", "--heartbeat-interval", "0.01"]) as worker:
        worker.make_ready()
        worker.wait_for(lambda: len(worker.heartbeats) > 2)
        worker.send_command(inject("hang"), "hang")
        # What was under way arrives; then nothing comes for many heartbeat intervals.
        while worker.read_once(0.3):
            pass
        assert "hang" not in worker.replies
        assert worker.process.poll() is None
        worker.close_stdin()
        assert worker.wait_for_exit() == WorkerExit.GATEWAY_GONE


def test_a_reader_that_does_not_read_costs_bounded_memory_only() -> None:
    """The pipe is full, the queue bounded by policy; once the reader reads, every event is there or counted."""
    arguments = ["--allow-fault-injection", "--backpressure-policy", "drop_oldest", "--event-queue-capacity", "500"]
    with WorkerProcess(arguments=arguments) as worker:
        worker.make_ready()
        subscribe(worker, "Tank.Level")
        # More than a pipe holds.
        worker.send_command(inject("flood_events", count="20000"))
        worker.send_command(inject("flood_events", count="20000"))
        worker.wait_for(lambda: len(worker.events) + sum(batch.dropped_events for batch in worker.batches) == 40_001)
        sequences = [event.worker_sequence for event in worker.events]
        assert sequences == list(range(1, len(sequences) + 1))
        assert worker.shutdown() == WorkerExit.SUCCESS


def test_a_second_assignment_is_refused_and_changes_nothing() -> None:
    """A worker belongs to one session; after a command it cannot be assigned at all."""
    with WorkerProcess() as worker:
        worker.make_ready()
        worker.ping()
        assign = wpb.WorkerAssign(session_id="session-" + "b" * 32)
        worker.send(wpb.WorkerEnvelope(worker_assign=assign))
        refused = worker.wait_for_body("worker_assigned").worker_assigned.status
        assert refused.code == pb.PROTOCOL_STATUS_CODE_INVALID_REQUEST
        assert worker.ping().protocol_status.code == OK
        assert worker.shutdown() == WorkerExit.SUCCESS


def test_an_assignment_with_other_options_opens_another_backend(tmp_path: Path) -> None:
    """Options of the session come on top of those that the worker was started with."""
    first, second = tmp_path / "a.csv", tmp_path / "b.csv"
    first.write_text("tag,time,value\nA.PV,2026-01-01T00:00:00Z,1.5\n")
    second.write_text("tag,time,value\nA.PV,2026-01-01T00:00:00Z,2.5\n")
    with WorkerProcess(backend="replay", options={"file": str(first)}) as worker:
        worker.make_ready()
        worker.assign("session-" + "c" * 32, file=str(second))
        subscribe(worker, "A.PV")
        worker.wait_for(lambda: bool(worker.events))
        assert worker.events[0].value.double_value == 2.5
        assert worker.events[0].session_id == "session-" + "c" * 32
        assert worker.shutdown() == WorkerExit.SUCCESS


def test_an_assignment_whose_backend_cannot_open_is_answered_and_ends_the_worker() -> None:
    """The refusal carries the placeholder's id, and the fault names the cause."""
    with WorkerProcess() as worker:
        worker.make_ready()
        worker.assign("session-" + "d" * 32, fail_open="1")
        assert worker.wait_for_exit() == WorkerExit.BACKEND_FAILED
        assigned = worker.wait_for_body("worker_assigned").worker_assigned
        assert assigned.status.code == pb.PROTOCOL_STATUS_CODE_WORKER_UNAVAILABLE
        assert worker.faults[0].category == wpb.WORKER_FAULT_CATEGORY_BACKEND_CREATION_FAILED
