"""A number in memory that all processes of one board share: whoever changes the board changes it, and wakes who waits.

It need not count: it only has to differ after each change, whoever else changes it at the same time.
"""

from __future__ import annotations

import mmap
import os
import sys
from pathlib import Path

_SIZE = 8


class SharedCounter:
    """The counter beside a board.

    Raises:
        OSError: its file cannot be made or mapped.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
        try:
            if os.fstat(descriptor).st_size < _SIZE:
                os.ftruncate(descriptor, _SIZE)
            self._map = mmap.mmap(descriptor, _SIZE)
        finally:
            os.close(descriptor)
        self._futex = _futex(self._map) if sys.platform == "linux" else None

    @classmethod
    def beside(cls, board: Path) -> SharedCounter:
        """The counter of a board."""
        return cls(board.with_name(f"{board.name}-bell"))

    @property
    def value(self) -> bytes:
        return self._map[:4]

    def change(self) -> bytes:
        """Makes it differ from what it was, and wakes all that wait; returns what it is now."""
        now = os.urandom(4)
        self._map[:4] = now
        if self._futex is not None:
            self._futex.wake()
        elif sys.platform == "win32":
            # Closing the file is what makes Windows tell of the change.
            with self._path.open("r+b", buffering=0) as file:
                file.write(now)
        return now

    def wait(self, seen: bytes) -> None:
        """Waits, as long as it takes, until it is no longer `seen`; may return early.

        Raises:
            OSError: this system cannot do it.
        """
        if self._futex is None:
            raise OSError("no way to wait for shared memory here")
        self._futex.wait(int.from_bytes(seen, sys.byteorder))

    def wake(self) -> None:
        """Makes all that wait return early."""
        if self._futex is not None:
            self._futex.wake()

    def close(self) -> None:
        if self._futex is not None:
            self._futex.release()
        self._map.close()


if sys.platform == "linux":
    import ctypes
    import errno

    _WAIT, _WAKE = 0, 1
    _ALL = 2**31 - 1
    _NUMBERS = {"x86_64": 202, "aarch64": 98, "riscv64": 98, "loongarch64": 98, "ppc64le": 221, "s390x": 238}
    _NUMBERS_32 = {"x86_64": 240, "i686": 240, "i586": 240, "armv7l": 240, "aarch64": 240}

    class _Futex:
        """The kernel's wait on a word of shared memory."""

        def __init__(self, shared: mmap.mmap, number: int) -> None:
            self._number = number
            self._word: ctypes.c_uint32 | None = ctypes.c_uint32.from_buffer(shared)
            self._address = ctypes.addressof(self._word)
            self._syscall = ctypes.CDLL(None, use_errno=True).syscall
            self._syscall.restype = ctypes.c_long

        def wait(self, seen: int) -> None:
            if self._call(_WAIT, seen) == -1:
                number = ctypes.get_errno()
                if number not in (errno.EAGAIN, errno.EINTR):
                    raise OSError(number, os.strerror(number))

        def wake(self) -> None:
            self._call(_WAKE, _ALL)

        def release(self) -> None:
            self._word = None

        def _call(self, operation: int, value: int) -> int:
            return int(
                self._syscall(
                    ctypes.c_long(self._number), ctypes.c_void_p(self._address), ctypes.c_int(operation),
                    ctypes.c_uint32(value), ctypes.c_void_p(None), ctypes.c_void_p(None), ctypes.c_uint32(0),
                )
            )  # fmt: skip

    def _futex(shared: mmap.mmap) -> _Futex | None:
        machine = os.uname().machine
        number = (_NUMBERS if sys.maxsize > 2**32 else _NUMBERS_32).get(machine)
        return None if number is None else _Futex(shared, number)
