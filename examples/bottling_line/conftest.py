"""One gateway with the bottling line for all tests of this folder."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mxgateway.testing import LocalGateway

LINE = Path(__file__).with_name("line.yaml")


@pytest.fixture(scope="session")
def gateway() -> Iterator[LocalGateway]:
    ready: list[LocalGateway] = []
    started, stop = threading.Event(), threading.Event()

    async def run() -> None:
        async with LocalGateway.run(LINE) as running:
            ready.append(running)
            started.set()
            await asyncio.to_thread(stop.wait)

    def work() -> None:
        try:
            asyncio.run(run())
        finally:
            started.set()

    thread = threading.Thread(target=work)
    thread.start()
    started.wait()
    assert ready, "the gateway did not start; the error above has its log"
    try:
        yield ready[0]
    finally:
        stop.set()
        thread.join()
