"""What a thread is busy with, so that another one can end it."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Any, Protocol


class HasSocket(Protocol):
    """A connection; its socket is None before it is opened and after it is closed."""

    socket: Any


class Question:
    """One asking, which another thread may give up."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connections: list[HasSocket] = []
        self._is_over = False

    def hold(self, connection: HasSocket) -> None:
        """This connection is about to be opened for it.

        Raises:
            OSError: it was given up.
        """
        with self._lock:
            self._check()
            self._connections.append(connection)

    def go_on(self) -> None:
        """A held connection has a socket that can wait now.

        Raises:
            OSError: it was given up, and maybe before there was anything to be ended.
        """
        with self._lock:
            self._check()

    def release(self, connection: HasSocket) -> None:
        """The connection is over."""
        with self._lock:
            self._connections.remove(connection)

    def give_up(self) -> None:
        """Ends what waits on its connections, at once; nothing where nothing does."""
        with self._lock:
            self._is_over = True
            for connection in self._connections:
                if connection.socket is not None:
                    with contextlib.suppress(OSError):
                        # Not the method of a TLS socket, which would take its state from the thread that reads.
                        socket.socket.shutdown(connection.socket, socket.SHUT_RDWR)

    def _check(self) -> None:
        if self._is_over:
            raise TimeoutError("the directory took too long as a whole")
