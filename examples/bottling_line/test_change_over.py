"""A test of one's own program against a Galaxy of one's own."""

from __future__ import annotations

import asyncio

import pytest
from change_over import slow_down

from mxgateway import GatewayClient
from mxgateway.testing import LocalGateway


async def test_the_filler_reaches_its_set_point(gateway: LocalGateway) -> None:
    async with (
        asyncio.timeout(30),
        await GatewayClient.connect(
            endpoint=gateway.endpoint, api_key=gateway.api_key, ca_file=gateway.ca_file
        ) as client,
    ):
        assert await slow_down(client, "Filler_01", 40.0) == pytest.approx(40.0, abs=0.5)
