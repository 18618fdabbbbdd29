"""inotify, listened to by the executor itself: no thread, and no call while nothing happens."""

from __future__ import annotations

import ctypes
import os
import select
from pathlib import Path

from mxgateway_protocol.backend import Bell

_IN_MODIFY, _IN_CLOSE_WRITE = 0x2, 0x8
_READ_BYTES = 4096


class InotifyWatch:
    """Rings when the board's log grows, or somebody has written the Galaxy.

    Raises:
        OSError: the system gives no more of them (fs.inotify.max_user_instances), or `bell` cannot listen to one.
    """

    period = 5.0

    def __init__(self, board: Path, galaxy: Path, bell: Bell) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = _checked(libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        try:
            for path, events in ((f"{board}-wal", _IN_MODIFY), (str(galaxy), _IN_MODIFY | _IN_CLOSE_WRITE)):
                _checked(libc.inotify_add_watch(self._descriptor, os.fsencode(path), ctypes.c_uint32(events)))
            self.has_rung = False
            self._poll = select.poll()
            self._poll.register(self._descriptor, select.POLLIN)
            self._listening = bell.listen(self._descriptor, self._ring)
            if self._listening is None:
                raise OSError("the worker cannot wait for a descriptor")
        except BaseException:
            os.close(self._descriptor)
            raise

    def _ring(self) -> None:
        self.has_rung = True

    def ask(self) -> None:
        self.has_rung = self.has_rung or bool(self._poll.poll(0))

    def arm(self) -> None:
        try:
            while len(os.read(self._descriptor, _READ_BYTES)) > _READ_BYTES // 2:
                pass
        except BlockingIOError:
            pass
        self.has_rung = False
        assert self._listening is not None
        self._listening.again()

    def close(self) -> None:
        assert self._listening is not None
        self._listening.end()
        os.close(self._descriptor)


def _checked(result: int) -> int:
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
