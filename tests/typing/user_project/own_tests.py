"""A user's own test against a real gateway."""

from __future__ import annotations

from typing import assert_type

from mxgateway import ClientOptions, GatewayClient
from mxgateway.testing import LocalGateway


async def can_be_read(tag: str) -> bool:
    async with LocalGateway.run() as local:
        assert_type(local.options(call_timeout=5.0), ClientOptions)
        async with await local.connect() as client, await client.open_session() as session:
            assert_type(client, GatewayClient)
            server = await session.register("test")
            return (await session.read_bulk(server, [tag]))[0].was_successful
