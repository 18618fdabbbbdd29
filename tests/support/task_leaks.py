"""Which tasks a test left behind."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from tests.support.waiting import eventually


def belongs_to_grpc(task: asyncio.Task[Any]) -> bool:
    """Whether it is what gRPC runs for a call or a server, not a task of ours that waits for one."""
    coroutine = task.get_coro()
    code = getattr(coroutine, "cr_code", None)
    return getattr(coroutine, "__module__", "") == "grpc._cython.cygrpc" or (
        code is not None
        and Path(code.co_filename).parts[-3:-1] == ("grpc", "aio")
        # What is public, a program may have made a task of.
        and code.co_name.startswith("_")
    )


async def check_tasks(before: set[asyncio.Task[Any]]) -> None:
    """Fails when a task runs that did not run `before`.

    A task of ours has to be over. One of gRPC's may end a moment later: the end of a cancelled call comes from a thread
    of gRPC's, and so does the word that the last answer of a stopped server was sent.
    """

    def left() -> set[asyncio.Task[Any]]:
        return {t for t in asyncio.all_tasks() - before if t is not asyncio.current_task() and not t.done()}

    # One turn for tasks whose cancellation the test has asked for.
    for _ in range(10):
        await asyncio.sleep(0)
    ours = {task for task in left() if not belongs_to_grpc(task)}
    assert not ours, f"tasks left behind: {ours}"
    await eventually(lambda: not left(), failure=lambda: f"calls left behind: {left()}")
