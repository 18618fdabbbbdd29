from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from mxgateway.testing import LocalGateway


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def local_gateway() -> AsyncIterator[LocalGateway]:
    """One gateway with the reference Galaxy for the tests of a module."""
    async with LocalGateway.run("reference") as gateway:
        yield gateway
