"""A sample of a process that has just gone."""

from __future__ import annotations

import asyncio

import psutil
import pytest
from soak.ending import told
from soak.run import take


def gone() -> None:
    raise psutil.NoSuchProcess(1)


async def test_the_load_is_what_tells_why_a_process_is_gone() -> None:
    """On a slow machine the sample saw it first, and its report said no more than that."""

    async def load() -> None:
        raise RuntimeError("the worker process ended (signal 9)")

    async def both() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(take(gone, 60))
            group.create_task(load())

    with pytest.raises(ExceptionGroup) as failed:
        await both()
    assert told(failed.value) == ("RuntimeError: the worker process ended (signal 9)",)


async def test_a_process_that_nobody_misses_is_told_all_the_same() -> None:
    with pytest.raises(psutil.NoSuchProcess):
        await take(gone, 0)
