"""Signals around an upgrade: none of those that come between two programs of a process is lost (Linux)."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterable, Iterator

if sys.platform == "linux":
    HELD = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGUSR2)
    _MOST = 4096

    @contextlib.contextmanager
    def signals_held() -> Iterator[int]:
        """Within the block nobody hears signals; a program that begins there does, and else this one does behind it.

        They are blocked in the main thread, and stay so when it begins another program. But they come to a process, so
        a thread that blocks none may take one: Python notes its number in a pipe, which is another one here than the
        loop's. What is yielded is its end to read from, for the next program.
        """
        reader, writer = os.pipe()
        for end in (reader, writer):
            os.set_blocking(end, False)
        before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, HELD)
        try:
            yield reader
        finally:
            signal.set_wakeup_fd(before)
            os.close(writer)
            _send(numbers_in(reader))
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def numbers_in(reader: int) -> tuple[int, ...]:
        """Numbers of the signals that such a pipe holds, each once; closes it."""
        try:
            return tuple(dict.fromkeys(os.read(reader, _MOST)))
        except OSError:
            return ()  # it is empty, or was none
        finally:
            with contextlib.suppress(OSError):
                os.close(reader)

    def let_signals_in(came: Iterable[int]) -> bool:
        """Signals are heard again, now that there is somebody for them, and those that came meanwhile, too.

        Args:
            came: numbers of those that the program before had noted.

        Returns:
            Whether another upgrade was asked for meanwhile. That is over with this one.
        """
        numbers = set(came)
        while signal.sigtimedwait((signal.SIGUSR2,), 0) is not None:
            numbers.add(signal.SIGUSR2)
        _send(numbers - {signal.SIGUSR2})
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD)
        return signal.SIGUSR2 in numbers

    def _send(numbers: Iterable[int]) -> None:
        for number in numbers:
            if number in HELD:
                os.kill(os.getpid(), number)
