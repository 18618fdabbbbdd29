"""The honest client, a process of its own: pings, fresh connections and confirmed writes, until its input ends; on
demand a browser beside it, with pages on fresh connections and a kept one, and the live figures.

A line of input says that the flood begins. Prints one JSON object: for each sort of call the seconds it took and the
errors, those before that line under `quiet`.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

from attack.browser import Browser
from attack.target import HONEST, Target
from mxgateway import GatewayClient

TAG = "TestChildObject.TestInt"
_PERIODS = {"steady": 0.05, "fresh": 0.2, "write": 0.25}
_PAGES = {"page": 0.25, "kept": 0.2}
_FRAME = "frame"
"""How late the live figures come, one a second."""
_FRAME_SECONDS = 1.0
_EACH = {**_PERIODS, **_PAGES}


class Honest:
    """Calls at fixed times, whatever the ones before took, so that a standstill is seen by all that it delays."""

    def __init__(self, target: Target, *, browses: bool = False) -> None:
        self._browser = Browser(target) if browses else None
        sorts = [*_PERIODS, *((*_PAGES, _FRAME) if browses else ())]
        self._settings: dict[str, Any] = {
            "endpoint": target.address,
            "api_key": target.keys[HONEST],
            "ca_file": target.ca_file,
            "call_timeout": 20.0,
            "connect_timeout": 20.0,
        }
        self._stop = asyncio.Event()
        self.seconds: dict[str, list[float]] = {sort: [] for sort in sorts}
        self.errors: dict[str, list[str]] = {sort: [] for sort in sorts}
        self.quiet: dict[str, list[float]] = {sort: [] for sort in sorts}

    async def run(self) -> None:
        async with (
            await GatewayClient.connect(**self._settings) as client,
            await client.open_session(client_session_name="honest") as session,
            session.subscribe([TAG]) as changes,
        ):
            await session.ping("ready")
            await changes.write(TAG, 42)
            if self._browser is not None:
                await self._browser.sign_in(HONEST)
            print("ready", flush=True)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._wait_for_end())
                group.create_task(self._repeat("steady", lambda: session.ping("honest"), group))
                group.create_task(self._repeat("fresh", self._fresh, group))
                group.create_task(self._in_turn("write", lambda: changes.write(TAG, 43)))
                if self._browser is not None:
                    group.create_task(self._browse(self._browser, group))

    async def _browse(self, browser: Browser, group: asyncio.TaskGroup) -> None:
        async with browser.connected() as kept:
            following = group.create_task(self._follow(browser))
            group.create_task(self._repeat("page", browser.fresh, group))
            await self._in_turn("kept", lambda: browser.kept(kept))
        following.cancel()

    async def _follow(self, browser: Browser) -> None:
        last: float | None = None
        try:
            async for _ in browser.frames():
                now = time.perf_counter()
                if last is not None:
                    self.seconds[_FRAME].append(round(max(0.0, now - last - _FRAME_SECONDS), 5))
                last = now
        except Exception as error:  # noqa: BLE001 - as below
            self.errors[_FRAME].append(f"{type(error).__name__}: {error}"[:200])

    async def _wait_for_end(self) -> None:
        await asyncio.to_thread(sys.stdin.readline)
        self.quiet, self.seconds = self.seconds, {sort: [] for sort in self.seconds}
        await asyncio.to_thread(sys.stdin.read)
        self._stop.set()

    async def _fresh(self) -> None:
        async with await GatewayClient.connect(**self._settings):
            pass

    async def _repeat(self, sort: str, call: Callable[[], Awaitable[Any]], group: asyncio.TaskGroup) -> None:
        due = time.perf_counter()
        while not self._stop.is_set():
            group.create_task(self._once(sort, call))
            due += _EACH[sort]
            await self._pause(due)

    async def _in_turn(self, sort: str, call: Callable[[], Awaitable[Any]]) -> None:
        while not self._stop.is_set():
            due = time.perf_counter() + _EACH[sort]
            await self._once(sort, call)
            await self._pause(due)

    async def _pause(self, due: float) -> None:
        try:
            async with asyncio.timeout(max(0.0, due - time.perf_counter())):
                await self._stop.wait()
        except TimeoutError:
            return

    async def _once(self, sort: str, call: Callable[[], Awaitable[Any]]) -> None:
        began = time.perf_counter()
        try:
            await call()
        except Exception as error:  # noqa: BLE001 - whatever it is, the honest client felt it
            self.errors[sort].append(f"{type(error).__name__}: {error}"[:200])
        else:
            self.seconds[sort].append(round(time.perf_counter() - began, 5))


def main() -> int:
    async def work() -> None:
        honest = Honest(Target.inherited(), browses="browse" in sys.argv[1:])
        await honest.run()
        found = {
            sort: {"seconds": honest.seconds[sort], "errors": honest.errors[sort], "quiet": honest.quiet[sort]}
            for sort in honest.seconds
        }
        print(json.dumps(found), flush=True)

    asyncio.run(work())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
