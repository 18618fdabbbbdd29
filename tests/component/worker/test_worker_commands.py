"""Commands and events through a real worker process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.support.worker_process import SESSION_ID, WorkerProcess

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway.generated import mxaccess_worker_pb2 as wpb
from mxgateway_contract import hresults
from mxgateway_protocol.contract import WorkerExit

OK = pb.PROTOCOL_STATUS_CODE_OK


@pytest.fixture
def worker() -> Iterator[WorkerProcess]:
    with WorkerProcess(arguments=["--allow-fault-injection"]) as process:
        yield process.make_ready()


def register(worker: WorkerProcess) -> int:
    reply = worker.command(
        pb.MxCommand(kind=pb.MX_COMMAND_KIND_REGISTER, register=pb.RegisterCommand(client_name="test"))
    )
    return reply.register.server_handle


def subscribe(worker: WorkerProcess, server: int, *tags: str) -> list[pb.SubscribeResult]:
    command = pb.SubscribeBulkCommand(server_handle=server, tag_addresses=tags)
    reply = worker.command(pb.MxCommand(kind=pb.MX_COMMAND_KIND_SUBSCRIBE_BULK, subscribe_bulk=command))
    return list(reply.subscribe_bulk.results)


def inject(worker: WorkerProcess, fault: str, **parameters: str) -> pb.MxCommand:
    return pb.MxCommand(
        kind=pb.MX_COMMAND_KIND_INJECT_FAULT, inject_fault=pb.InjectFaultCommand(fault=fault, parameters=parameters)
    )


def test_subscribed_tags_deliver_numbered_events(worker: WorkerProcess) -> None:
    """Each advised item gives its first value; sequences start at 1; a write completes and echoes."""
    server = register(worker)
    results = subscribe(worker, server, "Tank.Level", "Tank.Nothing")
    assert [result.was_successful for result in results] == [True, True]
    worker.wait_for(lambda: len(worker.events) == 2)
    level, nothing = worker.events
    assert (level.value.double_value, level.quality, level.session_id) == (1.5, 192, SESSION_ID)
    assert (nothing.statuses[0].success, nothing.statuses[0].detail) == (0, 6)
    write = pb.WriteCommand(
        server_handle=server, item_handle=results[0].item_handle, value=pb.MxValue(double_value=2.5)
    )
    reply = worker.command(pb.MxCommand(kind=pb.MX_COMMAND_KIND_WRITE, write=write))
    assert (reply.protocol_status.code, reply.hresult) == (OK, 0)
    worker.wait_for(lambda: len(worker.events) == 4)
    assert [event.worker_sequence for event in worker.events] == [1, 2, 3, 4]
    assert worker.events[2].WhichOneof("body") == "on_write_complete"
    assert worker.events[3].value.double_value == 2.5
    assert worker.batches[0].first_sequence == 1


def test_mxaccess_failure_is_data_in_the_reply(worker: WorkerProcess) -> None:
    """A failed call answers MXACCESS_FAILURE with its HRESULT and leaves the worker as it was."""
    reply = worker.command(
        pb.MxCommand(kind=pb.MX_COMMAND_KIND_ADVISE, advise=pb.AdviseCommand(server_handle=9, item_handle=9))
    )
    assert reply.protocol_status.code == pb.PROTOCOL_STATUS_CODE_MXACCESS_FAILURE
    assert reply.hresult == hresults.E_INVALIDARG
    assert reply.return_value.is_null
    assert worker.ping().protocol_status.code == OK


def beats_during(worker: WorkerProcess, correlation_id: str) -> list[wpb.WorkerHeartbeat]:
    """The heartbeats that came while this command was running."""
    return [beat for beat in worker.heartbeats if beat.current_command_correlation_id == correlation_id]


def test_heartbeats_come_while_a_call_hangs() -> None:
    """The executor hangs in a call: heartbeats go on and name the command and its age; a shutdown times out."""
    with WorkerProcess(
        arguments=[
            "--allow-fault-injection", "--heartbeat-interval", "0.02", "--heartbeat-grace", "0.05",
            "--stuck-ceiling", "0.1",
        ]
    ) as worker:  # fmt: skip
        worker.make_ready()
        worker.command(inject(worker, "hang_call"))
        worker.send_command(
            pb.MxCommand(kind=pb.MX_COMMAND_KIND_REGISTER, register=pb.RegisterCommand(client_name="x")), "stuck"
        )
        worker.wait_for(lambda: bool(worker.faults and beats_during(worker, "stuck")))
        beat = beats_during(worker, "stuck")[-1]
        assert beat.state == wpb.WORKER_STATE_BUSY
        assert beat.current_command_age.ToNanoseconds() > 0
        fault = worker.faults[0]
        assert (fault.category, fault.correlation_id) == (wpb.WORKER_FAULT_CATEGORY_STA_HUNG, "stuck")
        assert fault.command_kind == pb.MX_COMMAND_KIND_REGISTER
        assert worker.shutdown(grace=0.1) == WorkerExit.SHUTDOWN_TIMEOUT
        assert worker.envelopes[-1].worker_shutdown_ack.status.code == pb.PROTOCOL_STATUS_CODE_TIMEOUT


def test_queued_commands_are_cancelled_expired_and_settled() -> None:
    """Behind a hanging call, a queued command can be canceled, and shutdown answers what is left."""
    with WorkerProcess(arguments=["--allow-fault-injection", "--heartbeat-interval", "0.02"]) as worker:
        worker.make_ready()
        worker.command(inject(worker, "hang_call"))
        ping = pb.MxCommand(kind=pb.MX_COMMAND_KIND_PING, ping=pb.PingCommand(message="x"))
        register = pb.MxCommand(kind=pb.MX_COMMAND_KIND_REGISTER, register=pb.RegisterCommand(client_name="x"))
        worker.send_command(register, "running")
        worker.wait_for(lambda: bool(beats_during(worker, "running")))
        worker.send_command(ping, "cancelled")
        worker.send_command(ping, "left")
        worker.send(wpb.WorkerEnvelope(correlation_id="cancelled", worker_cancel=wpb.WorkerCancel(reason="bored")))
        worker.wait_for(lambda: "cancelled" in worker.replies)
        assert worker.replies["cancelled"].protocol_status.code == pb.PROTOCOL_STATUS_CODE_CANCELED
        assert worker.replies["cancelled"].protocol_status.message == "bored"
        worker.shutdown(grace=0.1)
        assert worker.replies["left"].protocol_status.code == pb.PROTOCOL_STATUS_CODE_WORKER_UNAVAILABLE
        assert "running" not in worker.replies


@pytest.mark.parametrize(
    ("fault", "parameters", "code"),
    [("crash", {}, -9), ("exit", {"code": "42"}, 42)],
)
def test_process_faults_end_the_process(
    worker: WorkerProcess, fault: str, parameters: dict[str, str], code: int
) -> None:
    """`crash` kills the process, `exit` ends it with a code, both without a word."""
    worker.send_command(inject(worker, fault, **parameters))
    assert worker.wait_for_exit() == code
    assert worker.faults == []


def test_unknown_faults_are_refused(worker: WorkerProcess) -> None:
    """A fault that nobody knows is an invalid request."""
    reply = worker.command(inject(worker, "rain"))
    assert reply.protocol_status.code == pb.PROTOCOL_STATUS_CODE_INVALID_REQUEST
    reply = worker.command(inject(worker, "crash", when="now"))
    assert reply.protocol_status.code == pb.PROTOCOL_STATUS_CODE_INVALID_REQUEST


def test_fault_injection_needs_permission() -> None:
    """Without --allow-fault-injection the kind is refused by name, and a start with a fault as well."""
    with WorkerProcess() as worker:
        worker.make_ready()
        reply = worker.command(inject(worker, "crash"))
        assert reply.protocol_status.code == pb.PROTOCOL_STATUS_CODE_INVALID_REQUEST
        assert "INJECT_FAULT" in reply.protocol_status.message
    with WorkerProcess(options={"fault": "crash"}) as worker:
        assert worker.wait_for_exit() == WorkerExit.INVALID_ARGUMENTS


def test_shutdown_command_is_answered_before_the_worker_ends(worker: WorkerProcess) -> None:
    """The reply comes first, the acknowledgement last."""
    worker.send_command(
        pb.MxCommand(kind=pb.MX_COMMAND_KIND_SHUTDOWN_WORKER, shutdown_worker=pb.ShutdownWorkerCommand()), "end"
    )
    assert worker.wait_for_exit() == WorkerExit.SUCCESS
    assert worker.replies["end"].protocol_status.code == OK
    assert worker.envelopes[-1].WhichOneof("body") == "worker_shutdown_ack"


def test_overflow_is_one_fault_under_fail_fast() -> None:
    """A flood beyond the queue gives one QueueOverflow fault; what was accepted arrives, and the worker answers."""
    arguments = ["--allow-fault-injection", "--event-queue-capacity", "10"]
    with WorkerProcess(arguments=arguments) as worker:
        worker.make_ready()
        server = register(worker)
        subscribe(worker, server, "Tank.Level")
        worker.command(inject(worker, "flood_events", count="20000"))
        worker.wait_for(lambda: bool(worker.faults))
        assert worker.ping().protocol_status.code == OK
        assert worker.shutdown() == WorkerExit.SUCCESS
        assert [fault.category for fault in worker.faults] == [wpb.WORKER_FAULT_CATEGORY_QUEUE_OVERFLOW]
        sequences = [event.worker_sequence for event in worker.events]
        assert sequences == list(range(1, len(sequences) + 1))


@pytest.mark.parametrize("policy", ["drop_oldest", "conflate"])
def test_dropping_policies_count_exactly(policy: str) -> None:
    """Every event of a flood is either delivered or counted as dropped, and the last value arrives."""
    arguments = ["--allow-fault-injection", "--event-queue-capacity", "10", "--backpressure-policy", policy]
    with WorkerProcess(arguments=arguments) as worker:
        worker.make_ready()
        server = register(worker)
        subscribe(worker, server, "Tank.Level")
        worker.command(inject(worker, "flood_events", count="5000"))
        worker.wait_for(lambda: len(worker.events) + sum(batch.dropped_events for batch in worker.batches) == 5001)
        assert worker.shutdown() == WorkerExit.SUCCESS
        sequences = [event.worker_sequence for event in worker.events]
        assert sequences == list(range(1, len(sequences) + 1))
        assert worker.events[-1].value.double_value == 4999.0
        assert worker.faults == []
