"""A key store of its own for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.clock import ManualClock
from tests.support.key_store import PEPPER

from mxgateway_server.access.store import KeyStore


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def store(tmp_path: Path, clock: ManualClock) -> AsyncIterator[KeyStore]:
    opened = await KeyStore.open(str(tmp_path / "keys.db"), PEPPER, clock)
    yield opened
    await opened.close()
