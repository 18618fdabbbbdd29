"""Waking one waiting thread, several times cheaper than by threading.Event: each command of a session is handed over
twice, and the handing over is most of what it costs."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Wakeup:
    """A sticky wake-up for one waiting thread: a `set` before the `wait` is not lost, and several count as one."""

    def __init__(self) -> None:
        # Held while there is nothing to wake up for.
        self._asleep = threading.Lock()
        self._asleep.acquire()

    def set(self) -> None:
        """Ends the running `wait`, or the next one at once. Any thread may call it."""
        try:
            self._asleep.release()
        except RuntimeError:
            return  # set already

    def wait(self, timeout: float | None = None) -> None:
        """Waits for a `set`, at most `timeout` seconds; takes the `set` with it."""
        self._asleep.acquire(timeout=-1 if timeout is None else max(0.0, timeout))

    def listen(self, descriptor: int, on_ready: Callable[[], None]) -> None:
        """Nothing but `set` and time ends a wait."""
        return
