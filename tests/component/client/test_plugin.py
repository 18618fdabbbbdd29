"""The pytest plugin for users' own tests, used as a user would."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

CONFTEST = 'pytest_plugins = ["mxgateway.testing.plugin"]\n'
TEST = """
from mxgateway import from_mx_value
from mxgateway.sync import GatewayClient


async def test_async(mx_gateway):
    async with await mx_gateway.connect() as client, await client.open_session() as session:
        handle = await session.register("t")
        [result] = await session.read_bulk(handle, ["TestChildObject.TestInt"])
        assert result.was_successful


def test_blocking(mx_gateway):
    with GatewayClient.connect(mx_gateway.options()) as client, client.open_session() as session:
        handle = session.register("t")
        [result] = session.read_bulk(handle, ["TestChildObject.TestInt"])
        assert from_mx_value(result.value) is not None
"""


def test_fixture_serves_async_and_blocking_tests(tmp_path: Path) -> None:
    """One gateway serves asynchronous and blocking tests of a user's own suite, and is gone afterwards."""
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_line.py").write_text(TEST)
    (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout
