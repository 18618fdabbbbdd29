"""The executor thread: order, cancel, expiry, shutdown, and a backend that fails."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
from tests.support.clock import ManualClock
from tests.support.fake_backend import FakeBackend
from tests.support.waiting import wait_until

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_protocol.clock import SystemClock
from mxgateway_protocol.errors import BackendLostError
from mxgateway_protocol.wakeup import Wakeup
from mxgateway_worker.executor import Executor, Job


class NullSink:
    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_: None


class Doorbell:
    """Waits until it is rung, however long that takes: a lost wake-up is not made good by the next tick."""

    def __init__(self) -> None:
        self._wakeup = Wakeup()
        self.waits = 0
        self.rung = 0
        self.on_wait: Callable[[], bool] = lambda: False

    def wait(self, _timeout: float) -> None:
        self.waits += 1
        if not self.on_wait():
            self._wakeup.wait(60)

    def set(self) -> None:
        self.rung += 1
        self._wakeup.set()


class Rig:
    """An executor whose commands wait until they are let go."""

    def __init__(self, capacity: int = 10, *, is_passive: bool = False) -> None:
        self.ran: list[str] = []
        self.settled: list[tuple[str, int]] = []
        self.lost: list[Exception] = []
        self.let_go = threading.Event()
        self.error: Exception | None = None
        self.doorbell = Doorbell()
        self.lingered = 0
        self.may_end = threading.Event()
        self.may_end.set()
        self.backend = FakeBackend(is_passive=is_passive)
        self.backend.open(NullSink())  # type: ignore[arg-type]
        self.executor = Executor(
            clock=SystemClock(), run=self.run,
            settle=lambda job, code, _: self.settled.append((job.correlation_id, code)),
            on_lost=self.lost.append, capacity=capacity, doorbell=self.doorbell, linger=self.linger,
        )  # fmt: skip

    def run(self, job: Job) -> None:
        self.executor.check_thread()
        if self.error is not None:
            raise self.error
        self.let_go.wait(10)
        self.ran.append(job.correlation_id)

    def linger(self) -> None:
        self.lingered += 1
        self.may_end.wait(60)

    def submit(self, *names: str, expires: float | None = None) -> None:
        for name in names:
            self.executor.submit(Job(name, pb.MxCommand(kind=pb.MX_COMMAND_KIND_PING), expires))


@pytest.fixture(params=[False, True], ids=["waits itself", "passive"])
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    rig = Rig(is_passive=request.param)
    rig.executor.call(lambda: rig.executor.attach(rig.backend))
    rig.executor.start()
    yield rig
    rig.let_go.set()
    assert rig.executor.stop(10)


def hold(rig: Rig) -> None:
    rig.submit("held")
    wait_until(lambda: rig.executor.running is not None)


def test_commands_run_in_order_and_are_seen_while_they_run(rig: Rig) -> None:
    """The running command has its id, kind and start; the rest is pending."""
    hold(rig)
    rig.submit("a", "b")
    running = rig.executor.running
    assert running is not None
    assert (running.correlation_id, running.kind, rig.executor.pending) == ("held", pb.MX_COMMAND_KIND_PING, 2)
    rig.let_go.set()
    wait_until(lambda: len(rig.ran) == 3)
    assert rig.ran == ["held", "a", "b"]
    wait_until(lambda: rig.executor.running is None)


def test_who_waits_is_woken(rig: Rig) -> None:
    """By its doorbell when the backend is passive, else by the backend, and by nothing of the other's."""
    rig.let_go.set()
    wait_until(lambda: rig.executor._backend is not None)
    rung = rig.doorbell.rung
    for number in range(20):
        rig.submit(f"c{number}")
        wait_until(lambda number=number: len(rig.ran) == number + 1 and rig.executor.running is None)  # type: ignore[misc]
    assert rig.lost == []
    if not rig.backend.is_passive:
        assert (rig.doorbell.waits, rig.doorbell.rung) == (0, rung)


def test_what_the_executor_submits_itself_runs_without_a_bell() -> None:
    """As it does when it reads the pipe; other threads' commands ring."""
    rig = Rig(is_passive=True)
    rig.let_go.set()
    read = threading.Event()

    def on_wait() -> bool:
        if read.is_set():
            return False
        read.set()
        rig.submit("own")
        return True

    rig.executor.call(lambda: rig.executor.attach(rig.backend))
    rig.doorbell.on_wait = on_wait
    rig.executor.start()
    wait_until(lambda: rig.ran == ["own"])
    assert rig.doorbell.rung == 1
    rig.submit("other's")
    wait_until(lambda: rig.ran == ["own", "other's"])
    assert rig.doorbell.rung == 2
    assert rig.executor.stop(10)


def test_cancel_removes_queued_work_only(rig: Rig) -> None:
    """A queued command is settled as canceled; the running one is not touched; unknown ids are no error."""
    hold(rig)
    rig.submit("a", "b")
    assert rig.executor.cancel("a", "")
    assert not rig.executor.cancel("held", "")
    assert not rig.executor.cancel("never", "")
    rig.let_go.set()
    wait_until(lambda: len(rig.ran) == 2)
    assert rig.ran == ["held", "b"]
    assert rig.settled == [("a", pb.PROTOCOL_STATUS_CODE_CANCELED)]


def test_queued_work_whose_time_is_up_is_dropped_with_timeout(rig: Rig) -> None:
    """It is answered when its turn comes, without being run."""
    hold(rig)
    rig.submit("late", expires=0.0)
    rig.submit("timely", expires=1e12)
    rig.let_go.set()
    wait_until(lambda: len(rig.ran) == 2)
    assert rig.ran == ["held", "timely"]
    assert rig.settled == [("late", pb.PROTOCOL_STATUS_CODE_TIMEOUT)]


def test_a_full_queue_and_a_used_id_are_refused_at_once(rig: Rig) -> None:
    """Each refusal has its own status and leaves the queue as it was."""
    hold(rig)
    rig.submit(*(str(number) for number in range(10)))
    rig.submit("3", "more")
    assert rig.settled == [
        ("3", pb.PROTOCOL_STATUS_CODE_INVALID_REQUEST),
        ("more", pb.PROTOCOL_STATUS_CODE_RESOURCE_EXHAUSTED),
    ]
    assert rig.executor.pending == 10


def test_stop_settles_the_queue_lets_the_running_end_and_closes_the_backend(rig: Rig) -> None:
    """The backend is closed on its own thread, after the last command."""
    hold(rig)
    rig.submit("left")
    assert not rig.executor.stop(0.01)
    assert rig.settled == [("left", pb.PROTOCOL_STATUS_CODE_WORKER_UNAVAILABLE)]
    rig.submit("after")
    assert rig.settled[1] == ("after", pb.PROTOCOL_STATUS_CODE_WORKER_UNAVAILABLE)
    assert not rig.backend.closed
    rig.let_go.set()
    assert rig.executor.stop(10)
    assert rig.ran == ["held"]
    assert rig.backend.closed


def test_a_failing_pump_is_survived_and_a_dead_one_ends_the_thread() -> None:
    """One failure is logged; three in a row mean that the backend is lost."""
    rig = Rig()
    pumps: list[int] = []

    def pump() -> float:
        pumps.append(1)
        if len(pumps) != 3:
            raise RuntimeError("no pump")
        return 0.0

    rig.backend.pump = pump  # type: ignore[method-assign]
    rig.executor.call(lambda: rig.executor.attach(rig.backend))
    rig.executor.start()
    wait_until(lambda: bool(rig.lost))
    assert len(pumps) == 6
    assert isinstance(rig.lost[0], BackendLostError)
    assert rig.executor.stop(10)
    assert not rig.backend.closed


def test_a_lost_backend_ends_the_thread_without_closing_it() -> None:
    """There is nothing left to close."""
    rig = Rig()
    rig.error = BackendLostError("gone")
    rig.executor.call(lambda: rig.executor.attach(rig.backend))
    rig.executor.start()
    rig.submit("a")
    wait_until(lambda: bool(rig.lost))
    assert rig.executor.stop(10)
    assert not rig.backend.closed
    assert rig.executor.is_lost


def test_the_thread_of_a_lost_backend_may_stay_and_nobody_waits_for_it() -> None:
    """The end of an apartment's thread has COM destroy what is in it, which may hang."""
    rig = Rig()
    rig.may_end.clear()
    rig.error = BackendLostError("gone")
    rig.executor.call(lambda: rig.executor.attach(rig.backend))
    rig.executor.start()
    rig.submit("a")
    wait_until(lambda: rig.lingered == 1)
    assert rig.executor.stop(60)
    assert rig.executor._thread.is_alive()
    rig.may_end.set()
    rig.executor._thread.join(60)


def test_a_backend_that_breaks_down_while_it_is_closed_is_lost(rig: Rig) -> None:
    def close(deadline: float | None = None) -> None:
        raise BackendLostError("gone")

    rig.backend.close = close  # type: ignore[method-assign]
    assert rig.executor.stop(10)
    assert [str(error) for error in rig.lost] == ["gone"]
    assert rig.executor.is_lost
    wait_until(lambda: rig.lingered == 1)
    rig.executor._thread.join(60)


def test_a_thread_that_ends_in_order_does_not_linger(rig: Rig) -> None:
    assert rig.executor.stop(10)
    assert not rig.executor._thread.is_alive()
    assert (rig.lingered, rig.executor.is_lost) == (0, False)


def test_stopping_gives_the_backend_a_deadline_within_its_grace() -> None:
    """Part of the grace is left for what comes after single items: releasing the object itself."""
    deadlines: list[float | None] = []

    class Slow(FakeBackend):
        def close(self, deadline: float | None = None) -> None:
            deadlines.append(deadline)
            super().close(deadline)

    clock = ManualClock()
    executor = Executor(clock, lambda job: None, lambda job, code, text: None, lambda error: None)
    executor.start()
    executor.call(lambda: executor.attach(Slow()))
    assert executor.stop(10.0)
    (deadline,) = deadlines
    assert deadline is not None
    assert clock.monotonic() < deadline < clock.monotonic() + 10.0
