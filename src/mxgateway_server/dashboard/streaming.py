"""The live path: the newest frame by GET, and each further one as a server-sent event."""

from __future__ import annotations

import asyncio
import json
from collections import Counter

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from mxgateway_protocol.clock import Clock
from mxgateway_server.dashboard.calls import NO_STORE, Call, ProblemError
from mxgateway_server.dashboard.gate import Gate
from mxgateway_server.dashboard.live import PING, PREAMBLE, Feed, framed
from mxgateway_server.dashboard.logins import Login

PING_SECONDS = 15.0
CHECK_SECONDS = 5.0
SLOW_SECONDS = 15.0
_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]


class LiveStreams:
    """Streams of frames, bounded in all and by key.

    Attributes:
        slow: streams that ended because their reader took nothing.
    """

    def __init__(self, feed: Feed, gate: Gate, clock: Clock, *, most: int, most_per_key: int) -> None:
        self._feed = feed
        self._gate = gate
        self._clock = clock
        self._most = most
        self._most_per_key = most_per_key
        self._by_key: Counter[str] = Counter()
        self.slow = 0

    def __len__(self) -> int:
        return self._by_key.total()

    def reconfigure(self, *, most: int, most_per_key: int) -> None:
        """Other bounds from now on; what is open stays."""
        self._most, self._most_per_key = most, most_per_key

    async def snapshot(self, call: Call) -> Response:
        """The newest frame."""
        frame = self._feed.newest
        if frame is None:
            raise ProblemError(503, "STARTING", "the gateway has just begun; try again", retry_after=1.0)
        return Response(frame.data, 200, NO_STORE, "application/json")

    async def live(self, call: Call) -> ASGIApp:
        """All frames from the newest on, until somebody ends it."""
        login = call.login
        assert login is not None
        key_id = login.key.key_id
        if len(self) >= self._most or self._by_key[key_id] >= self._most_per_key:
            raise ProblemError(
                503,
                "STREAM_LIMIT",
                "there are too many open pages (dashboard.max_streams, dashboard.max_streams_per_key)",
                "close some; pages of one browser share one stream",
                retry_after=10.0,
            )

        async def stream(scope: Scope, receive: Receive, send: Send) -> None:
            self._by_key[key_id] += 1
            try:
                if await self._stream(login, receive, send) and (abort := scope.get("state", {}).get("abort")):
                    # An end in order would wait for the reader, too.
                    abort()
            finally:
                self._by_key[key_id] -= 1
                self._by_key += Counter()

        return stream

    async def _stream(self, login: Login, receive: Receive, send: Send) -> bool:
        """Sends frames until somebody ends it; whether that was since its reader took nothing."""
        async with asyncio.TaskGroup() as group:
            gone = group.create_task(_until_gone(receive))
            sending = group.create_task(self._send_all(login, send))
            await asyncio.wait((gone, sending), return_when=asyncio.FIRST_COMPLETED)
            gone.cancel()
            sending.cancel()
        return not sending.cancelled() and sending.result()

    async def _send_all(self, login: Login, send: Send) -> bool:
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        await self._put(send, PREAMBLE)
        number, checked, sent = 0, self._clock.monotonic(), self._clock.monotonic()
        why = "stopping"
        while True:
            try:
                async with asyncio.timeout(CHECK_SECONDS):
                    frame = await self._feed.newer(number)
            except TimeoutError:
                frame = self._feed.newest
                if frame is None or frame.number <= number:
                    frame = None
                    if self._clock.monotonic() - sent >= PING_SECONDS:
                        await self._put(send, PING)
                        sent = self._clock.monotonic()
            else:
                if frame is None:
                    break
            now = self._clock.monotonic()
            if now - checked >= CHECK_SECONDS:
                checked = now
                if not await self._goes_on(login):
                    why = "signed-out"
                    break
            if frame is not None:
                if not await self._put(send, frame.event):
                    self.slow += 1
                    return True
                number, sent = frame.number, now
        end = json.dumps({"reason": why}).encode()
        await send({"type": "http.response.body", "body": framed("end", end), "more_body": False})
        return False

    async def _goes_on(self, login: Login) -> bool:
        try:
            return await self._gate.is_alive(login)
        except ProblemError:
            # A store that does not answer ends nothing.
            return True

    async def _put(self, send: Send, data: bytes) -> bool:
        """Sends; False when the reader takes nothing any more."""
        try:
            async with asyncio.timeout(SLOW_SECONDS):
                await send({"type": "http.response.body", "body": data, "more_body": True})
        except TimeoutError:
            return False
        return True


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
