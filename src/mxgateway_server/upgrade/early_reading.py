"""Reads on from the workers' pipes while the rest of the new program is loaded, which takes seconds.

A worker whose pipe is full fills its queue, and under `fail_fast` a full queue is the end of its session. What is read
here is no more than bytes; they are looked at when the worker is taken over.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import threading
from collections.abc import Sequence

MAX_EARLY_BYTES = 64 * 1024 * 1024
"""Bytes of one pipe; what is beyond stays in it."""
_AT_ONCE = 256 * 1024


class EarlyReader:
    """Reads until `stop`, in a thread of its own: there is no event loop yet.

    Args:
        pipes: descriptors that bytes come from, none of which blocks.
    """

    def __init__(self, pipes: Sequence[int]) -> None:
        self._read: dict[int, bytearray] = {pipe: bytearray() for pipe in pipes}
        self._wake, self._waker = os.pipe()
        self._thread = threading.Thread(target=self._run, name="early-reader", daemon=True)
        self._thread.start()

    def stop(self) -> dict[int, bytes]:
        """Ends the reading; what has come of each pipe. To be called once."""
        os.write(self._waker, b"x")
        self._thread.join()
        os.close(self._waker)
        os.close(self._wake)
        return {pipe: bytes(data) for pipe, data in self._read.items()}

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._wake, selectors.EVENT_READ)
            for pipe in self._read:
                with contextlib.suppress(OSError, ValueError):
                    selector.register(pipe, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fd == self._wake:
                        return
                    if not self._take(key.fd):
                        selector.unregister(key.fd)

    def _take(self, pipe: int) -> bool:
        """Whether more may come."""
        try:
            data = os.read(pipe, _AT_ONCE)
        except BlockingIOError:
            return True
        except OSError:
            return False
        self._read[pipe] += data
        # The end of a pipe is seen again by whoever takes it over.
        return bool(data) and len(self._read[pipe]) < MAX_EARLY_BYTES
