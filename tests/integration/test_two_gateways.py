"""Two gateways on one machine with one state directory: each is asked by itself, and nothing of one is the other's."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from benches.gateway_process import GatewayProcess
from tests.support.upgraded_gateway import small_site
from tests.support.waiting import eventually, wait_until

from mxgateway_server.control.client import NoGatewayError, ask
from mxgateway_server.control.place import pid_of, sockets

pytestmark = [
    pytest.mark.shares_processes,
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.skipif(os.name != "posix", reason="the control socket is POSIX's"),
]


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[GatewayProcess, GatewayProcess]]:
    site = small_site(tmp_path)
    log = tmp_path / "gateway.log"
    settings = {"allow_shared_state": "true", "worker.pool_size": "0", "logging.file": str(log)}
    first = GatewayProcess(site, settings, ("--no-operations",))
    try:
        second = GatewayProcess(site, settings, ("--no-operations",))
    except BaseException:
        first.stop()
        raise
    # A gateway says that it serves before it can be asked.
    wait_until(lambda: len(sockets(site.state_dir)) == 2, 60.0)
    yield first, second
    for each in (first, second):
        each.stop()


async def test_each_is_asked_by_itself_and_knows_only_its_own(two: tuple[GatewayProcess, GatewayProcess]) -> None:
    first, second = two
    state = first.site.state_dir
    assert first.address != second.address
    assert sorted(map(pid_of, sockets(state))) == sorted((first.pid, second.pid))
    with pytest.raises(NoGatewayError, match=rf"name one with --pid, of (?=.*{first.pid})(?=.*{second.pid})"):
        await asyncio.to_thread(ask, state, "status")
    async with await first.client() as client, await client.open_session() as session:
        mine = await asyncio.to_thread(ask, state, "status", pid=first.pid)
        others = await asyncio.to_thread(ask, state, "status", pid=second.pid)
        assert [each["sessionId"] for each in mine["sessions"]] == [session.session_id]
        assert others["sessions"] == []
        await asyncio.to_thread(ask, state, "log-level", pid=second.pid, level="debug", seconds=60)
        assert (await asyncio.to_thread(ask, state, "status", pid=first.pid))["log"]["level"] == mine["log"]["level"]
        await asyncio.to_thread(ask, state, "drain", pid=second.pid, seconds=0)
        await eventually(lambda: second.returncode == 0, 60.0)
        await session.ping()
    # The one that is left needs no name.
    await asyncio.to_thread(ask, state, "status")
    # Both have told of themselves in the one file that the settings name.
    told = (first.site.folder / "gateway.log").read_text()
    assert all(each.address in told for each in two)


async def test_what_a_killed_one_leaves_stands_in_nobodys_way(two: tuple[GatewayProcess, GatewayProcess]) -> None:
    first, second = two
    state = first.site.state_dir
    second.process.send_signal(signal.SIGKILL)
    await asyncio.to_thread(second.wait)
    assert len(sockets(state)) == 2
    assert (await asyncio.to_thread(ask, state, "status"))["sessions"] == []
    with pytest.raises(NoGatewayError, match="no gateway runs"):
        await asyncio.to_thread(ask, state, "status", pid=second.pid)
