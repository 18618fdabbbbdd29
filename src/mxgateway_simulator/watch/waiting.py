"""A thread that waits for changes where the executor cannot: it does nothing but ring."""

from __future__ import annotations

import logging
import threading
from typing import Protocol

from mxgateway_protocol.backend import Bell
from mxgateway_simulator.watch.counter import SharedCounter

logger = logging.getLogger(__name__)

_END_SECONDS = 5.0


class Wait(Protocol):
    """A wait that the kernel ends."""

    def wait(self) -> None:
        """Returns after a change since the last call, or after `end`. Only one thread calls it."""

    def end(self) -> None:
        """Ends the running `wait`, and any later one at once. Any thread may call it."""

    def close(self) -> None:
        """Gives back what it holds; nobody waits any more."""


class CounterWait:
    """Waits for the board's counter."""

    def __init__(self, counter: SharedCounter) -> None:
        self._counter = counter
        self._seen = counter.value
        self._is_over = False

    def wait(self) -> None:
        while not self._is_over and self._counter.value == self._seen:
            self._counter.wait(self._seen)
        self._seen = self._counter.value

    def end(self) -> None:
        self._is_over = True
        self._counter.wake()

    def close(self) -> None:
        self._counter.close()


class ThreadWatch:
    """Rings a bell for every change that a thread was told of, once until it is armed again."""

    period = 1.0

    def __init__(self, wait: Wait, bell: Bell) -> None:
        self._wait = wait
        self._bell = bell
        self.has_rung = False
        self._is_over = False
        self._armed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="board-watch", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            while not self._is_over:
                self._wait.wait()
                self._armed.wait()
                if not self._is_over:
                    self._armed.clear()
                    self.has_rung = True
                    self._bell.set()
        except OSError:
            logger.exception("the board cannot be watched any more; it is looked at now and then")
            self.period = 0.08

    def ask(self) -> None:
        """Nothing to be done: the thread says it at once."""

    def arm(self) -> None:
        self.has_rung = False
        self._armed.set()

    def close(self) -> None:
        self._is_over = True
        self._armed.set()
        while self._thread.is_alive():
            # Again and again: an end between the thread's last question and its wait would be lost.
            self._wait.end()
            self._thread.join(0.05)
        self._wait.close()
