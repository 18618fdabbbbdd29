from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.support.asyncio_debug import asyncio_findings
from tests.support.fake_gateway import FakeGateway, running_fake

from mxgateway._sync.loop_thread import LOOP
from mxgateway.sync import GatewayClient, Session

API_KEY = "mxgw_test_sentinelsecret"


@pytest.fixture(autouse=True)
def asyncio_debug() -> Iterator[None]:
    """Runs each test in asyncio's debug mode, and fails what leaves an exception or a channel, or is slow."""
    with asyncio_findings() as found:
        yield
    assert found == []


@pytest.fixture
def gateway() -> Iterator[FakeGateway]:
    """A fake gateway on the background thread's own loop: gRPC has one poller for all loops of a process."""
    context = running_fake()
    run = LOOP.acquire()
    fake = LOOP.run(context.__aenter__)
    try:
        yield fake
    finally:
        LOOP.run(lambda: context.__aexit__(None, None, None))
        LOOP.release(run)


@pytest.fixture
def client(gateway: FakeGateway) -> Iterator[GatewayClient]:
    with GatewayClient.connect(endpoint=gateway.endpoint, plaintext=True, api_key=API_KEY) as connected:
        yield connected


@pytest.fixture
def session(client: GatewayClient) -> Iterator[Session]:
    with client.open_session(client_session_name="test") as opened:
        yield opened
