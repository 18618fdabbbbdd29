"""How long a reader may take nothing of what it is sent: one timer for a stream, however many messages it gets."""

from __future__ import annotations

import asyncio
from types import TracebackType

from mxgateway_server.errors import AlarmStreamLimitError


class Patience:
    """Around the work of one task that sends; a message that takes too long ends that.

    A timer for each message would cost as much as half the message.

    Args:
        seconds: for one message.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._since: float | None = None
        self._is_over = False

    def __enter__(self) -> Patience:
        task = asyncio.current_task()
        assert task is not None
        self._task, self._cancelling = task, task.cancelling()
        self._timer = self._loop.call_later(self._seconds, self._look)
        return self

    def __exit__(self, kind: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        """Ends it.

        Raises:
            AlarmStreamLimitError: the reader took nothing for too long.
        """
        self._timer.cancel()
        if not self._is_over:
            return
        # Who was cancelled by others as well does as they say.
        is_ours = self._task.uncancel() <= self._cancelling
        if is_ours and (kind is None or issubclass(kind, asyncio.CancelledError)):
            raise AlarmStreamLimitError(
                f"the reader has taken nothing for {self._seconds:g} s (setting alarms.streams.silent_reader_seconds)"
            ) from None

    def begin(self) -> None:
        """A message is on its way."""
        self._since = self._loop.time()

    def end(self) -> None:
        """The reader has taken it."""
        self._since = None

    def _look(self) -> None:
        now = self._loop.time()
        since = now if self._since is None else self._since
        if now - since >= self._seconds and self._since is not None:
            self._is_over = True
            self._task.cancel()
        else:
            self._timer = self._loop.call_at(since + self._seconds, self._look)
