"""The watch over the client's tests sees what it is there for."""

from __future__ import annotations

import asyncio
import logging
import threading
import time

import grpc.aio
import pytest
from tests.support.asyncio_debug import EARLIER_LOOP, EVERY_SLOW_CALLBACK, asyncio_findings

from mxgateway import GatewayClient


def test_an_exception_that_nobody_retrieves_is_found() -> None:
    """A task that failed unseen."""

    async def fail() -> None:
        raise ValueError("nobody looks")

    async def main() -> None:
        task = asyncio.ensure_future(fail())
        await asyncio.sleep(0)
        assert task.done()

    with asyncio_findings() as found:
        asyncio.run(main())
    assert len(found) == 1
    assert "never retrieved" in found[0]
    assert "nobody looks" in found[0]


def test_a_channel_that_is_not_closed_is_found() -> None:
    """A client that was connected and forgotten."""

    async def main() -> None:
        nonlocal client
        client = await GatewayClient.connect(endpoint="localhost:1", plaintext=True, connect_timeout=None)

    async def closed() -> None:
        async with grpc.aio.insecure_channel("localhost:1"):
            pass

    client: GatewayClient | None = None
    with asyncio_findings() as found:
        asyncio.run(main())
    assert [each[:16] for each in found] == ["unclosed channel"]
    with asyncio_findings() as found:
        asyncio.run(closed())
    assert found == []


def test_the_late_end_of_an_earlier_call_is_not_this_tests() -> None:
    """gRPC tells it in whatever loop reads its queue next; any other exception there is found."""
    logger = logging.getLogger("asyncio")
    with asyncio_findings() as found:
        logger.error("%s(...)()", EARLIER_LOOP, exc_info=RuntimeError("Event loop is closed"))
    assert found == []
    with asyncio_findings() as found:
        logger.error("%s(...)()", EARLIER_LOOP, exc_info=RuntimeError("something else"))
        logger.error("Exception in callback ours()", exc_info=RuntimeError("Event loop is closed"))
    assert len(found) == 2


@pytest.mark.slow
def test_a_callback_that_works_too_long_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work of more than 100 ms is found; waiting for the processor is not, unless it is asked for."""

    async def work() -> None:
        end = time.thread_time() + 0.12
        while time.thread_time() < end:
            pass

    async def wait() -> None:
        # The callback blocks without using the processor: a lock that nobody releases in time.
        threading.Event().wait(0.12)

    with asyncio_findings() as found:
        asyncio.run(work())
    assert "Executing" in found[0]
    with asyncio_findings() as found:
        asyncio.run(wait())
    assert found == []
    monkeypatch.setenv(EVERY_SLOW_CALLBACK, "1")
    with asyncio_findings() as found:
        asyncio.run(wait())
    assert len(found) == 1
