from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Iterator

import pytest
from tests.support.asyncio_debug import asyncio_findings, debug_running_loop
from tests.support.fake_gateway import FakeGateway, running_fake

from mxgateway import GalaxyRepositoryClient, GatewayClient, Session

API_KEY = "mxgw_test_sentinelsecret"


@pytest.fixture(autouse=True)
def asyncio_debug(request: pytest.FixtureRequest) -> Iterator[None]:
    """Runs each test in asyncio's debug mode, and fails what leaves an exception or a channel, or is slow."""
    with asyncio_findings() as found:
        if inspect.iscoroutinefunction(getattr(request, "function", None)):
            request.getfixturevalue("debug_loop")
        yield
    assert found == []


@pytest.fixture
async def debug_loop() -> None:
    debug_running_loop()


@pytest.fixture
async def gateway() -> AsyncIterator[FakeGateway]:
    async with running_fake() as fake:
        yield fake


@pytest.fixture
async def client(gateway: FakeGateway) -> AsyncIterator[GatewayClient]:
    async with await GatewayClient.connect(endpoint=gateway.endpoint, plaintext=True, api_key=API_KEY) as connected:
        yield connected


@pytest.fixture
async def session(client: GatewayClient) -> AsyncIterator[Session]:
    async with await client.open_session(client_session_name="test") as opened:
        yield opened


@pytest.fixture
async def galaxy(gateway: FakeGateway) -> AsyncIterator[GalaxyRepositoryClient]:
    async with await GalaxyRepositoryClient.connect(
        endpoint=gateway.endpoint, plaintext=True, api_key=API_KEY
    ) as connected:
        yield connected
