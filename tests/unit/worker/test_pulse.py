"""Heartbeats and the fault of a hung executor, by the clock."""

from __future__ import annotations

from tests.support.direct_executor import DirectSession
from tests.support.fake_backend import FakeBackend

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway.generated import mxaccess_worker_pb2 as wpb
from mxgateway_worker.executor import Running
from mxgateway_worker.pulse import WorkerPulse
from mxgateway_worker.watchdog import Watchdog


class Rig:
    def __init__(self) -> None:
        self.session = DirectSession(FakeBackend())
        self.clock = self.session.clock
        self.faulted = False
        self.pulse = WorkerPulse(
            executor=self.session.executor,
            events=self.session.events,
            watchdog=Watchdog(15, 75),
            interval=5.0,
            now=self.clock.monotonic(),
            is_faulted=lambda: self.faulted,
        )

    def due(self) -> list[wpb.WorkerEnvelope]:
        return self.pulse.due(self.clock.monotonic())

    def pass_time(self, seconds: int) -> list[wpb.WorkerEnvelope]:
        """What is sent while the time passes, asked for whenever the pulse wants."""
        sent: list[wpb.WorkerEnvelope] = []
        end = self.clock.monotonic() + seconds
        while self.pulse.next_due() <= end:
            self.clock.advance(max(0.0, self.pulse.next_due() - self.clock.monotonic()))
            sent += self.due()
        return sent


def test_the_first_heartbeat_comes_at_once_and_then_one_each_interval() -> None:
    """Nothing waits for the first interval."""
    rig = Rig()
    assert [envelope.WhichOneof("body") for envelope in rig.due()] == ["worker_heartbeat"]
    assert rig.due() == []
    assert len(rig.pass_time(10)) == 2


def test_heartbeats_of_several_workers_come_together_and_never_too_late() -> None:
    times = []
    for begin in (0.0, 0.3, 0.99):
        rig = Rig()
        rig.clock.advance(begin)
        rig.due()
        times.append(rig.pulse.next_due() - rig.clock.monotonic() + begin)
    assert {round(moment, 6) % 1.0 for moment in times} == {round(times[0], 6) % 1.0}
    assert all(4.0 < moment - begin <= 5.0 for moment, begin in zip(times, (0.0, 0.3, 0.99), strict=True))


def test_a_heartbeat_tells_state_queues_and_the_running_command() -> None:
    """Pid, state, last activity, pending commands, queue depth, sequence, current command and its age."""
    rig = Rig()
    rig.session.events.put(b"\x18\x01", 1, True)
    beat = rig.pulse.heartbeat(rig.clock.monotonic())
    assert (beat.state, beat.event_queue_depth, beat.event_sequence) == (wpb.WORKER_STATE_READY, 1, 0)
    assert beat.last_sta_activity.ToNanoseconds() == rig.clock.unix_ns()
    assert not beat.HasField("current_command_age")
    assert (beat.dropped_events_total, beat.refused_events_total) == (0, 0)
    rig.session.events.take_batch(9, 999)
    rig.session.executor.submit(rig.session.job("waiting"))
    rig.session.executor.running = Running("now", pb.MX_COMMAND_KIND_PING, rig.clock.monotonic())
    rig.clock.advance(1.5)
    beat = rig.pulse.heartbeat(rig.clock.monotonic())
    assert (beat.state, beat.pending_command_count, beat.event_sequence) == (wpb.WORKER_STATE_BUSY, 1, 1)
    assert beat.current_command_correlation_id == "now"
    assert beat.current_command_age.ToNanoseconds() == 1_500_000_000
    rig.faulted = True
    assert rig.pulse.heartbeat(rig.clock.monotonic()).state == wpb.WORKER_STATE_FAULTED


def test_a_hung_idle_executor_is_one_fault_between_the_heartbeats() -> None:
    """After the grace; heartbeats go on."""
    rig = Rig()
    sent = rig.pass_time(30)
    faults = [envelope.worker_fault for envelope in sent if envelope.HasField("worker_fault")]
    assert [fault.category for fault in faults] == [wpb.WORKER_FAULT_CATEGORY_STA_HUNG]
    assert len(sent) == 1 + 7


def test_a_long_command_is_a_fault_only_beyond_the_ceiling_and_names_it() -> None:
    """The fault has the command's correlation id and kind."""
    rig = Rig()
    rig.session.executor.running = Running("long", pb.MX_COMMAND_KIND_WRITE, rig.clock.monotonic())
    assert not any(envelope.HasField("worker_fault") for envelope in rig.pass_time(75))
    (fault,) = [envelope.worker_fault for envelope in rig.pass_time(5) if envelope.HasField("worker_fault")]
    assert (fault.correlation_id, fault.command_kind) == ("long", pb.MX_COMMAND_KIND_WRITE)


def test_a_heartbeat_tells_what_the_queue_dropped_and_refused() -> None:
    """Both totals live in the worker, and nobody else can know them."""
    rig = Rig()
    rig.session.events.dropped_total = 7
    rig.session.events.refused_total = 2
    beat = rig.pulse.heartbeat(rig.clock.monotonic())
    assert (beat.dropped_events_total, beat.refused_events_total) == (7, 2)
