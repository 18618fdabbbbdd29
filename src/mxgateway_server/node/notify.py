"""Notices to systemd: ready, alive, stopping. Datagrams to the socket that the unit names; else there are none."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
import time
from collections.abc import Callable, Mapping


class Notifier:
    """Tells systemd how the service is doing; does nothing where no systemd asked.

    Args:
        environment: where NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID stand.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        self.watchdog_seconds = _watchdog(environment)

    @property
    def is_asked(self) -> bool:
        """Whether a systemd listens."""
        return self._address.startswith(("/", "@"))

    def ready(self, status: str = "") -> None:
        """The service does what it is for."""
        self._send("READY=1", status)

    def alive(self, status: str = "") -> None:
        """The service is well: the time of its watchdog begins anew."""
        self._send("WATCHDOG=1", status)

    def replacing(self, seconds: float) -> None:
        """The service goes on as another program, which says `ready` within these seconds."""
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000 if sys.platform == "linux" else 0
        self._send(f"RELOADING=1\nMONOTONIC_USEC={now}\nEXTEND_TIMEOUT_USEC={round(seconds * 1e6)}", "upgrading")
        # The time of the watchdog runs on: it begins anew right before.
        self._send("WATCHDOG=1", "")

    def stopping(self) -> None:
        """The service ends in order."""
        self._send("STOPPING=1", "stopping")

    async def keep_alive(self, is_alive: Callable[[], bool], status: Callable[[], str]) -> None:
        """Says `alive` three times in the watchdog's period, as long as that is so; returns where nobody asked."""
        if not self.is_asked or not self.watchdog_seconds:
            return
        while True:
            await asyncio.sleep(self.watchdog_seconds / 3)
            if is_alive():
                self.alive(status())

    def _send(self, word: str, status: str) -> None:
        if not self.is_asked:
            return
        lines = [word, *([f"STATUS={status}"] if status else [])]
        # An abstract socket's name begins with NUL.
        address = "\0" + self._address[1:] if self._address[0] == "@" else self._address
        # Who does not listen, or whose socket is full, must not end the service.
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            sender.sendto("\n".join(lines).encode(), address)


def _watchdog(environment: Mapping[str, str]) -> float:
    try:
        for_this = int(environment.get("WATCHDOG_PID") or os.getpid()) == os.getpid()
        return int(environment.get("WATCHDOG_USEC", "0")) / 1e6 if for_this else 0.0
    except ValueError:
        return 0.0
