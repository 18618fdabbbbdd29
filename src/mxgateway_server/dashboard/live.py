"""The newest frame for everybody who looks on, and how it goes over the wire as server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

RETRY_MILLISECONDS = 2000


def framed(event: str, data: bytes, number: int | None = None) -> bytes:
    """One server-sent event; `data` is one line of JSON."""
    head = f"event: {event}\n" if number is None else f"event: {event}\nid: {number}\n"
    return head.encode() + b"data: " + data + b"\n\n"


PREAMBLE = f"retry: {RETRY_MILLISECONDS}\n\n".encode()
PING = b": still here\n\n"


@dataclass(slots=True)
class Frame:
    """One picture; it is encoded when the first asks for it, and once for all."""

    number: int
    encode: Callable[[], bytes] = field(repr=False)
    _event: bytes | None = None
    _data: bytes | None = None

    @property
    def data(self) -> bytes:
        """The JSON."""
        if self._data is None:
            self._data = self.encode()
        return self._data

    @property
    def event(self) -> bytes:
        """The JSON as a server-sent event."""
        if self._event is None:
            self._event = framed("frame", self.data, self.number)
        return self._event


class Feed:
    """The newest frame. Readers have no queue: one who is slow sees fewer frames, and each sees the newest."""

    def __init__(self) -> None:
        self._frame: Frame | None = None
        self._news = asyncio.Event()
        self.is_ended = False

    @property
    def newest(self) -> Frame | None:
        return self._frame

    def publish(self, frame: Frame) -> None:
        """Takes the place of the frame before."""
        self._frame = frame
        self._wake()

    def end(self) -> None:
        """Ends every reader."""
        self.is_ended = True
        self._wake()

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def newer(self, number: int) -> Frame | None:
        """The newest frame, as soon as it is newer than that of this number; None at the end."""
        while True:
            if self.is_ended:
                return None
            if self._frame is not None and self._frame.number > number:
                return self._frame
            await self._news.wait()
