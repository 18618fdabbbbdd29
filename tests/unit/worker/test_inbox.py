"""The pipe's incoming half: who reads it, what its end looks like, and that no wake-up is lost."""

from __future__ import annotations

import fcntl
import os
import select
import sys
import threading
from collections.abc import Callable, Iterator

import pytest
from tests.support.waiting import wait_until

from mxgateway_worker.inbox import READ_BYTES, BlockingInbox, open_inbox

if sys.platform != "linux":
    pytest.skip("there is no epoll", allow_module_level=True)

from mxgateway_worker.inbox import SharedInbox


class Pipe:
    """A pipe, and what was taken from it, by which thread."""

    def __init__(self) -> None:
        self.read_fd, self.write_fd = os.pipe()
        self.taken: list[tuple[int, bytes | OSError]] = []
        self.refuses = False
        self.on_take: Callable[[], None] = lambda: None

    def take(self, data: bytes | OSError) -> bool:
        self.taken.append((threading.get_ident(), data))
        self.on_take()
        return bool(data) and not isinstance(data, OSError) and not self.refuses

    @property
    def data(self) -> list[bytes | OSError]:
        return [data for _, data in self.taken]

    def close_writer(self) -> None:
        if self.write_fd >= 0:
            os.close(self.write_fd)
            self.write_fd = -1


class Shared(Pipe):
    """The same with a shared inbox and its reader thread."""

    def __init__(self) -> None:
        super().__init__()
        inbox = open_inbox(self.read_fd, self.take)
        assert isinstance(inbox, SharedInbox)
        self.inbox = inbox
        self.reader = threading.Thread(target=self.inbox.read_all, name="test-reader")
        self.reader.start()

    def end(self) -> None:
        self.close_writer()
        # Whoever is first meets the end; if that is the executor, the reader is told.
        self.inbox.wait(0)
        self.reader.join(10)
        assert not self.reader.is_alive()
        self.inbox.close()
        os.close(self.read_fd)


@pytest.fixture
def shared() -> Iterator[Shared]:
    shared = Shared()
    yield shared
    shared.end()


def waits_for(thread: threading.Thread, epoll: select.epoll) -> bool:
    """Whether the thread sleeps in a call with this epoll as its first argument."""
    with open(f"/proc/self/task/{thread.native_id}/syscall") as file:
        fields = file.read().split()
    return len(fields) > 1 and int(fields[1], 16) == epoll.fileno()


def test_a_waiting_executor_reads_itself(shared: Shared) -> None:
    """The reader thread is left asleep, though it was the first to wait."""
    count = 20

    def execute() -> None:
        while len(shared.taken) < count:
            shared.inbox.wait(10)

    executor = threading.Thread(target=execute)
    executor.start()
    for number in range(count):
        wait_until(lambda: waits_for(shared.reader, shared.inbox._reader))
        wait_until(lambda: waits_for(executor, shared.inbox._executor))
        os.write(shared.write_fd, b"m%d" % number)
        wait_until(lambda number=number: len(shared.taken) == number + 1)  # type: ignore[misc]
    executor.join(10)
    assert shared.taken == [(executor.ident, b"m%d" % number) for number in range(count)]


def test_the_reader_reads_while_the_executor_works(shared: Shared) -> None:
    """A cancel must come through while a command runs."""
    for number in range(20):
        os.write(shared.write_fd, b"x")
        wait_until(lambda number=number: len(shared.taken) == number + 1)  # type: ignore[misc]
    assert {thread for thread, _ in shared.taken} == {shared.reader.ident}


def test_who_comes_second_finds_nothing_and_goes_on(shared: Shared) -> None:
    """Both may be woken for the same bytes."""
    shared.inbox._read()
    assert shared.taken == []
    os.write(shared.write_fd, b"x")
    wait_until(lambda: shared.data == [b"x"])


def test_the_end_is_told_once_and_ends_the_reader(shared: Shared) -> None:
    """Whoever meets it; afterwards the executor waits as ever."""
    shared.close_writer()
    while not shared.taken:
        shared.inbox.wait(0.05)
    shared.reader.join(10)
    assert not shared.reader.is_alive()
    shared.inbox.wait(0)
    shared.inbox.set()
    shared.inbox.wait(10)
    assert shared.data == [b""]


def test_who_wants_no_more_gets_no_more(shared: Shared) -> None:
    """After a violation of the protocol nothing is read, though more is there."""
    shared.refuses = True
    os.write(shared.write_fd, b"bad")
    while not shared.taken:
        shared.inbox.wait(0.05)
    shared.reader.join(10)
    os.write(shared.write_fd, b"more")
    shared.inbox.wait(0)
    assert shared.data == [b"bad"]


class WatchedLock:
    """A lock that tells who has come to it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.comers: list[int] = []

    def __enter__(self) -> None:
        self.comers.append(threading.get_ident())
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def test_a_reader_ends_when_the_executor_meets_what_ends_the_reading(shared: Shared) -> None:
    """No more comes that would wake it, and the pipe is still open."""
    shared.refuses = True
    wait_until(lambda: waits_for(shared.reader, shared.inbox._reader))
    executor = threading.Thread(target=shared.inbox.wait, args=(10,))
    executor.start()
    wait_until(lambda: waits_for(executor, shared.inbox._executor))
    os.write(shared.write_fd, b"bad")
    executor.join(10)
    shared.reader.join(10)
    assert not shared.reader.is_alive()
    assert shared.taken == [(executor.ident, b"bad")]


def test_what_comes_while_one_takes_waits_until_it_is_done(shared: Shared) -> None:
    """Else a cancel could overtake its command, and two threads would cut frames from one buffer."""
    lock = shared.inbox._reading = WatchedLock()  # type: ignore[assignment]
    taking, go_on = threading.Event(), threading.Event()
    inside, most = 0, 0

    def on_take() -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        taking.set()
        go_on.wait(10)
        inside -= 1

    shared.on_take = on_take
    executor = threading.Thread(target=shared.inbox.wait, args=(10,))
    executor.start()
    wait_until(lambda: waits_for(executor, shared.inbox._executor))
    wait_until(lambda: waits_for(shared.reader, shared.inbox._reader))
    os.write(shared.write_fd, b"first")
    assert taking.wait(10)
    os.write(shared.write_fd, b"second")
    wait_until(lambda: shared.reader.ident in lock.comers or len(shared.taken) == 2)
    go_on.set()
    wait_until(lambda: len(shared.taken) == 2 and inside == 0)
    executor.join(10)
    assert shared.taken == [(executor.ident, b"first"), (shared.reader.ident, b"second")]
    assert most == 1


def test_nothing_is_left_in_the_pipe_when_the_executor_goes_to_work(shared: Shared) -> None:
    """What is more than one read takes was announced once, to the executor; the reader is not woken for it again."""
    size = 3 * READ_BYTES
    fcntl.fcntl(shared.write_fd, fcntl.F_SETPIPE_SZ, 4 * READ_BYTES)
    wait_until(lambda: waits_for(shared.reader, shared.inbox._reader))
    executor = threading.Thread(target=shared.inbox.wait, args=(10,))
    executor.start()
    wait_until(lambda: waits_for(executor, shared.inbox._executor))
    assert os.write(shared.write_fd, bytes(size)) == size
    executor.join(10)
    wait_until(lambda: sum(len(data) for data in shared.data if isinstance(data, bytes)) == size)


def test_the_end_of_a_pipe_costs_an_executor_that_goes_on_nothing(shared: Shared) -> None:
    """It waits its whole time, though an ended pipe is always ready."""
    shared.close_writer()
    shared.reader.join(10)
    shared.inbox.wait(0)
    assert shared.inbox._executor.poll(0) == []
    assert shared.inbox._ready(0.001) == []
    shared.inbox.wait(0)
    assert shared.data == [b""]


def test_the_bell_is_sticky_and_several_count_as_one(shared: Shared) -> None:
    shared.inbox.set()
    shared.inbox.set()
    shared.inbox.wait(10)
    done = threading.Event()

    def wait_long() -> None:
        shared.inbox.wait(10)
        done.set()

    waiter = threading.Thread(target=wait_long)
    waiter.start()
    assert not done.is_set()
    shared.inbox.set()
    waiter.join(10)
    assert done.is_set()
    assert shared.taken == []


class CountingEpoll:
    """Notes how long somebody wants to wait, and does not."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    def poll(self, timeout: float) -> list[tuple[int, int]]:
        self.waits.append(timeout)
        return []

    def close(self) -> None:
        pass


def test_no_wait_is_rounded_up_to_milliseconds(shared: Shared) -> None:
    """An event that is due in half a millisecond would be late; a wait that ends early is waited out by another."""
    real, counting = shared.inbox._executor, CountingEpoll()
    shared.inbox._executor = counting  # type: ignore[assignment]
    for timeout in (0.0, 0.0004, 0.0019, 0.0026, 1.0):
        shared.inbox.wait(timeout)
    shared.inbox._executor = real
    assert counting.waits == [0.002, 1.0]


def test_a_wait_of_nothing_asks_the_system_only_for_the_bell(shared: Shared) -> None:
    """An executor with events without end would hand the interpreter over each time; the reader thread reads."""
    real, counting = shared.inbox._executor, CountingEpoll()
    shared.inbox._executor = counting  # type: ignore[assignment]
    shared.inbox.wait(0)
    assert counting.waits == []
    shared.inbox.set()
    shared.inbox.wait(0)
    assert counting.waits == [0.0]
    shared.inbox._executor = real
    shared.inbox.wait(0)
    assert not shared.inbox._is_rung
    os.write(shared.write_fd, b"x")
    wait_until(lambda: bool(shared.taken))
    assert shared.taken == [(shared.reader.ident, b"x")]


def test_a_short_wait_reads_and_hears_the_bell(shared: Shared) -> None:
    shared.inbox.set()
    while shared.inbox._is_rung:
        shared.inbox.wait(0.001)
    os.write(shared.write_fd, b"x")
    while not shared.taken:
        shared.inbox.wait(0.001)
    assert shared.data == [b"x"]
    shared.close_writer()
    while len(shared.taken) == 1:
        shared.inbox.wait(0.001)
    shared.inbox.wait(0.001)
    assert shared.data == [b"x", b""]


def test_who_rings_while_the_bell_is_read_does_not_silence_it(shared: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.eventfd_read

    def ringing(fd: int) -> int:
        shared.inbox.set()
        return real(fd)

    shared.inbox.set()
    with monkeypatch.context() as patch:
        patch.setattr(os, "eventfd_read", ringing)
        shared.inbox.wait(10)
    shared.inbox.set()
    assert shared.inbox._executor.poll(0) == [(shared.inbox._bell, select.EPOLLIN)]


def test_a_failure_of_reading_is_told() -> None:
    """An inbox whose descriptor turns bad gives the error once, in both kinds."""
    pipe = Pipe()
    other_read, other_write = os.pipe()
    try:
        inbox = SharedInbox(pipe.read_fd, pipe.take)
        # A directory can be polled no more than read; the write end of a pipe can be polled.
        os.dup2(other_write, pipe.read_fd)
        inbox._read()
        inbox.read_all()
        inbox.close()
        assert [type(data) for data in pipe.data] == [OSError]
        BlockingInbox(pipe.read_fd, pipe.take).read_all()
        assert [type(data) for data in pipe.data] == [OSError, OSError]
    finally:
        for fd in (pipe.read_fd, pipe.write_fd, other_read, other_write):
            os.close(fd)


def test_a_blocking_inbox_reads_to_the_end() -> None:
    pipe = Pipe()
    try:
        os.write(pipe.write_fd, b"one")
        pipe.close_writer()
        BlockingInbox(pipe.read_fd, pipe.take).read_all()
        assert pipe.data == [b"one", b""]
    finally:
        os.close(pipe.read_fd)


def test_what_cannot_be_made_nonblocking_is_read_by_one_thread(tmp_path: object) -> None:
    """A file, for example: others may share it."""
    with open(f"{tmp_path}/file", "wb+") as file:
        assert isinstance(open_inbox(file.fileno(), lambda _: False), BlockingInbox)
