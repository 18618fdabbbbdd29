"""The incoming half of the pipe, read by whichever thread is free.

What the reader thread takes from the pipe has to be handed to the executor, and that costs more than most commands. So
an executor that has nothing to do waits for the pipe itself and reads it; the reader thread reads what comes while the
executor works. The kernel decides: of those that wait with EPOLLEXCLUSIVE it wakes the first in line, which is the
executor, and passes over who does not wait. Where there is no epoll, the reader thread reads everything.
"""

from __future__ import annotations

import os
import select
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

from mxgateway_protocol.backend import Bell, Listening
from mxgateway_protocol.wakeup import Wakeup
from mxgateway_worker import stdio

READ_BYTES = 256 * 1024
_SHORT = 0.002
_LONG = 0.1


class Doorbell(Bell, Protocol):
    """How the executor waits, and how other threads end that."""

    def wait(self, timeout: float) -> None:
        """Waits for `set`, at most `timeout` seconds. A `set` before it is not lost."""


class Inbox(Protocol):
    """The pipe's incoming half."""

    @property
    def doorbell(self) -> Doorbell:
        """How the executor waits when nothing but work for it ends its waiting."""

    def read_all(self) -> None:
        """Hands all that comes to `take`, on this thread or on the executor's, until `take` wants no more."""


Take: TypeAlias = Callable[[bytes | OSError], bool]
"""Gets what was read (nothing at the end of the stream) or why nothing can be; False when it wants no more.

Never called by two threads at once. Must not raise.
"""


def open_inbox(fd: int, take: Take) -> Inbox:
    """The best inbox for this descriptor."""
    if sys.platform == "linux" and stdio.make_nonblocking(fd):
        return SharedInbox(fd, take)
    return BlockingInbox(fd, take)


class BlockingInbox:
    """An inbox that one thread reads."""

    def __init__(self, fd: int, take: Take) -> None:
        self._fd = fd
        self._take = take
        self.doorbell = Wakeup()

    def read_all(self) -> None:
        while True:
            data: bytes | OSError
            try:
                data = os.read(self._fd, READ_BYTES)
            except OSError as error:
                data = error
            if not self._take(data):
                return


if sys.platform == "linux":

    class _Listening:
        """A descriptor in the executor's epoll, asked for once at a time: what it tells is looked at in its own time,
        and until then it must not end the waiting again."""

        def __init__(self, epoll: select.epoll, descriptor: int, listeners: dict[int, Callable[[], None]]) -> None:
            self._epoll = epoll
            self._descriptor = descriptor
            self._listeners = listeners

        def again(self) -> None:
            self._epoll.modify(self._descriptor, select.EPOLLIN | select.EPOLLONESHOT)

        def end(self) -> None:
            self._epoll.unregister(self._descriptor)
            del self._listeners[self._descriptor]

    class SharedInbox:
        """An inbox that the reader thread and the executor share, and the executor's doorbell."""

        def __init__(self, fd: int, take: Take) -> None:
            self._fd = fd
            self._take = take
            self._reading = threading.Lock()
            self._is_over = False
            self._has_left = False
            self._is_rung = False
            self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
            self._end = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
            # They are asked in the order in which they are registered.
            self._executor = select.epoll()
            self._executor.register(self._bell, select.EPOLLIN)
            self._executor.register(fd, select.EPOLLIN | select.EPOLLEXCLUSIVE)
            self._executor_fds = [self._bell, fd]
            self._listeners: dict[int, Callable[[], None]] = {}
            self._reader = select.epoll()
            self._reader.register(self._end, select.EPOLLIN)
            self._reader.register(fd, select.EPOLLIN | select.EPOLLEXCLUSIVE)

        @property
        def doorbell(self) -> Doorbell:
            return self

        def set(self) -> None:
            if not self._is_rung:
                self._is_rung = True
                os.eventfd_write(self._bell, 1)

        def listen(self, descriptor: int, on_ready: Callable[[], None]) -> Listening:
            self._executor.register(descriptor, select.EPOLLONESHOT)
            self._listeners[descriptor] = on_ready
            return _Listening(self._executor, descriptor, self._listeners)

        def wait(self, timeout: float) -> None:
            for fd in self._ready(timeout):
                if fd == self._bell:
                    os.eventfd_read(self._bell)
                    # After the reading: whoever finds it rung meanwhile has put its work where it is seen next.
                    self._is_rung = False
                elif fd == self._fd:
                    self._read()
                else:
                    self._listeners[fd]()
            if self._is_over and not self._has_left:
                # The end of a stream is always ready.
                self._has_left = True
                self._executor.unregister(self._fd)
                self._executor_fds.remove(self._fd)

        def _ready(self, timeout: float) -> Sequence[int]:
            if timeout <= 0 and not self._is_rung:
                # An executor that has events without end: asking the system would hand the interpreter to another
                # thread each time, and the reader thread reads meanwhile.
                return ()
            if 0 < timeout < _SHORT:
                # epoll counts in milliseconds, which is late for an event that is due in less. That this wakes the
                # reader thread, too, matters little to an executor that is busy with events.
                return select.select(self._executor_fds, (), (), timeout)[0]
            # Rounded down, for the same reason: who is early waits again. After a long wait a fraction of a millisecond
            # matters less than waking twice.
            exact = timeout if timeout >= _LONG else int(timeout * 1000) / 1000
            return [fd for fd, _ in self._executor.poll(exact)]

        def read_all(self) -> None:
            while not self._is_over:
                self._reader.poll()
                self._read()

        def close(self) -> None:
            """Gives the descriptors back, but for the pipe's; nothing may wait any more."""
            self._executor.close()
            self._reader.close()
            os.close(self._bell)
            os.close(self._end)

        def _read(self) -> None:
            with self._reading:
                is_full = not self._is_over
                while is_full:
                    data: bytes | OSError
                    try:
                        data = os.read(self._fd, READ_BYTES)
                    except BlockingIOError:
                        return  # the other one was faster, or that was all
                    except OSError as error:
                        data = error
                    if not self._take(data):
                        self._is_over = True
                        os.eventfd_write(self._end, 1)
                        return
                    # What is left in the pipe now would wake nobody again while the executor works.
                    is_full = isinstance(data, bytes) and len(data) == READ_BYTES
