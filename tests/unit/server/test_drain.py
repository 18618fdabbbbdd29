"""A drain: whom it waits for before the gateway stops."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from tests.support.waiting import eventually

from mxgateway_server.controls import Drain


class Sessions:
    """The sessions that there are, and whether new ones may open."""

    def __init__(self, *sessions: Any) -> None:
        self.sessions = sessions
        self.is_draining = False

    def __len__(self) -> int:
        return len(self.sessions)

    def drain(self) -> None:
        self.is_draining = True


def session(*, is_apart: bool) -> Any:
    return SimpleNamespace(record=SimpleNamespace(is_apart=is_apart), ended=asyncio.Event())


async def test_a_client_is_waited_for_and_a_watch_list_that_somebody_looks_at_is_not() -> None:
    client, watched = session(is_apart=False), session(is_apart=True)
    sessions, stopped = Sessions(watched, client), asyncio.Event()
    health = SimpleNamespace(watch_end=lambda: None)
    drain = Drain(sessions, health, stopped.set)  # type: ignore[arg-type]
    async with asyncio.TaskGroup() as group:
        group.create_task(drain.run())
        drain.begin(1000.0)
        await eventually(lambda: sessions.is_draining)
        for _ in range(5):
            await asyncio.sleep(0)
        assert not stopped.is_set()
        client.ended.set()
        await eventually(stopped.is_set)
        assert not watched.ended.is_set()
        await drain.stop()
