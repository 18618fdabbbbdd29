"""The HTTP example over a restart of its gateway: it goes on as if nothing had been, and no write is sent twice."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from benches.gateway_process import Site
from tests.support.restarted_gateway import RestartedGateway

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
TAG = "TestChildObject.TestInt"

pytestmark = [pytest.mark.shares_processes, pytest.mark.slow, pytest.mark.timeout(150)]


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[RestartedGateway]:
    running = RestartedGateway(Site.prepare(tmp_path, Path("reference")))
    yield running
    running.stop()


@pytest.fixture
def address(gateway: RestartedGateway) -> Iterator[str]:
    """Where the example listens."""
    variables = {"MXGATEWAY_ENDPOINT": gateway.address, "MXGATEWAY_API_KEY": gateway.site.api_key}
    with subprocess.Popen(
        [sys.executable, "http_endpoint.py", "--plaintext", "--port", "0"],
        cwd=EXAMPLES,
        env=os.environ | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield _address(process)
        finally:
            process.send_signal(signal.SIGKILL)


def _address(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.search(r"http://[\d.]+:\d+", line):
            return found[0]
    raise AssertionError("it does not listen")


def _fetch(url: str, body: bytes | None = None) -> tuple[int, Any]:
    request = urllib.request.Request(url, body, method="GET" if body is None else "PUT")
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


async def fetch(url: str, body: bytes | None = None) -> tuple[int, Any]:
    return await asyncio.to_thread(_fetch, url, body)


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL there")
async def test_requests_go_on_over_a_restart_of_the_gateway(gateway: RestartedGateway, address: str) -> None:
    """Before, after, and a read that is asked while the gateway is away: it waits for the gateway's return."""
    url = f"{address}/tags/{TAG}"
    assert (await fetch(url, b"41"))[0] == 200
    assert (await fetch(url))[1]["value"] == 41
    await gateway.kill()
    meanwhile = asyncio.ensure_future(fetch(url))
    await gateway.restart()
    status, body = await meanwhile
    assert (status, body["value"]) == (200, 41)
    assert (await fetch(url, b"42"))[0] == 200
    many = await asyncio.gather(*(fetch(url) for _ in range(10)))
    assert [(status, body["value"]) for status, body in many] == [(200, 42)] * 10
    await gateway.kill()
    await gateway.restart()
    # A write first this time: its session is replaced before anything is sent.
    assert (await fetch(url, b"43")) == (200, {"tag": TAG, "value": 43, "written": True})
    assert (await fetch(url))[1]["value"] == 43
