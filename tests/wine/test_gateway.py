"""A gateway on this machine whose workers own the COM object: what any gateway does, and how COM's failures look."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from tests.integration.test_any_gateway import SITE_SWITCH
from tests.support.fleeting import command_line
from tests.support.waiting import eventually
from tests.wine.conftest import ROOT, configuration

from mxgateway import (
    ClientOptions,
    GatewayClient,
    MxGatewayError,
    MxGatewaySessionError,
    MxGatewayTimeoutError,
    MxGatewayWorkerError,
    Session,
    from_mx_value,
)
from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway.testing import LocalGateway

pytestmark = [pytest.mark.shares_processes, pytest.mark.slow, pytest.mark.timeout(240)]

TAG = "TestChildObject.TestInt"
MOVING = "TestMachine_001.TestChangingInt"


def test_what_holds_against_any_gateway_holds_over_com(gateway: LocalGateway) -> None:
    """The checks that a site runs against its own gateway, all of them."""
    environment = {
        **os.environ,
        SITE_SWITCH: "1",
        "MXGATEWAY_ENDPOINT": gateway.endpoint,
        "MXGATEWAY_API_KEY": gateway.api_key,
        "MXGATEWAY_CA_FILE": str(gateway.ca_file),
        "MXGATEWAY_TEST_ITEM": TAG,
        "MXGATEWAY_TEST_WRITE_VALUE": "424200",
    }
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/integration/test_any_gateway.py"]
    run = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=200)
    assert run.returncode == 0, run.stdout


async def test_values_of_every_kind_arrive_as_the_simulator_sends_them(session: Session) -> None:
    """The table was exported from the simulator, so through COM the same Python values come out again."""
    server = await session.register("kinds")
    tags = ["TestBool", "TestInt", "TestFloat", "TestDouble", "TestString", "TestIntArray[]", "TestStringArray[]"]
    results = await session.read_bulk(server, [f"TestChildObject.{tag}" for tag in tags])
    values = [from_mx_value(result.value) for result in results]
    assert [type(value) for value in values] == [bool, int, float, float, str, list, list]


async def test_a_subscription_follows_a_moving_tag(client: GatewayClient) -> None:
    values = []
    async with client.subscribe([MOVING]) as changes:
        async for change in changes:
            values.append(change.value)
            if len(values) == 4:
                break
    assert values == sorted(values)
    assert values[-1] > values[0]


async def test_sessions_see_one_plant(client: GatewayClient, session: Session) -> None:
    """What one worker writes another's clients see, as in a Galaxy; and an object taken off scan is off for all."""
    async with client.subscribe([TAG]) as changes:
        await session.write_and_confirm(TAG, 271_828)
        async for change in changes:
            if change.value == 271_828:
                break
        for state, is_good in (("off", False), ("on", True)):
            await session.inject_fault("scan", {"object": "TestChildObject", "state": state})
            async for change in changes:
                if change.is_good is is_good:
                    break


async def test_a_session_with_other_options_than_the_pools_gets_a_fresh_worker(client: GatewayClient) -> None:
    """LMXProxy is made once in a process; the pooled worker stays for a session that it fits."""
    async with await client.open_session(backend_options={"time": "local"}) as other:
        local = await other.worker_info()
        async with (
            await client.open_session(backend_options={"time": "utc"}) as same,
            await client.open_session() as plain,
        ):
            pids = {(await session.worker_info()).worker_process_id for session in (same, plain)}
        assert local.worker_process_id not in pids
        # The node's zone is UTC here, so both say the same; that the option is taken is what counts.
        (reading,) = await other.read([TAG])
        assert not reading.error


async def test_a_call_that_hangs_costs_its_own_session_only(client: GatewayClient, session: Session) -> None:
    """The hang is found by the heartbeats; told apart from a crash; other sessions go on meanwhile."""
    other = await client.open_session(client_session_name="hangs")
    await other.inject_fault("hang_call", {"method": "advise", "seconds": "600"})
    server = await other.register("hang")
    item = await other.add_item(server, TAG)
    with pytest.raises(MxGatewayError) as caught:
        await other.advise(server, item)
    assert isinstance(caught.value, MxGatewayWorkerError | MxGatewaySessionError | MxGatewayTimeoutError)
    assert await session.ping("still here") == "still here"
    with pytest.raises(MxGatewaySessionError, match="hangs"):
        await other.ping("gone")
    await other.close()


@pytest.mark.parametrize("where", ["call", "event", "thread"])
async def test_a_crash_ends_its_own_session_only(client: GatewayClient, session: Session, where: str) -> None:
    """An access violation in a call or an event is told as such; one on LMXProxy's own thread takes the process."""
    other = await client.open_session(client_session_name="crashes")
    server = await other.register("crash")
    item = await other.add_item(server, TAG)

    async def break_down() -> None:
        await other.inject_fault("access_violation", {"where": where})
        await other.advise(server, item)
        for _ in range(10_000):
            await other.ping("alive?")

    with pytest.raises(MxGatewayError) as caught:
        await break_down()
    text = str(caught.value)
    if where == "thread":
        assert "exit" in text or "ended" in text, text
    else:
        assert "access violation" in text, text
    assert await session.ping("still here") == "still here"
    await other.close()


async def test_a_flood_does_not_hold_commands_back(session: Session) -> None:
    """Pings are answered while nine thousand events pour in."""
    server = await session.register("flood")
    item = await session.add_item(server, "Sim.Burst.9000")
    await session.advise(server, item)
    for number in range(20):
        assert await session.ping(str(number)) == str(number)


async def _start(client: GatewayClient, under_way: asyncio.Event) -> None:
    under_way.set()
    await client.open_session()


async def _idle(client: GatewayClient, under_way: asyncio.Event) -> None:
    await client.open_session()
    under_way.set()


async def _hang(client: GatewayClient, under_way: asyncio.Event) -> None:
    session = await client.open_session()
    await session.inject_fault("hang_call", {"method": "register", "seconds": "600"})
    under_way.set()
    await session.register("hangs")


async def _flood(client: GatewayClient, under_way: asyncio.Event) -> None:
    session = await client.open_session(backpressure_policy=pb.BACKPRESSURE_POLICY_DROP_OLDEST)
    await session.subscribe_bulk(await session.register("flood"), ["Sim.Burst.100000000"])
    async with session.stream_events(backpressure_policy=pb.BACKPRESSURE_POLICY_DROP_OLDEST) as events:
        async for _ in events:
            under_way.set()


async def _close(client: GatewayClient, under_way: asyncio.Event) -> None:
    session = await client.open_session()
    server = await session.register("closes")
    await session.subscribe_bulk(server, [TAG, MOVING])
    under_way.set()
    await session.close()


async def test_killing_the_gateway_at_any_moment_leaves_no_worker(plant_table: Path, tmp_path: Path) -> None:
    """The pipe's end is what ends them: workers that start, wait, hang in a call, flood, or are being closed."""
    settings = configuration(tmp_path, plant_table)
    async with LocalGateway.run(
        "reference", arguments=["--config", str(settings), "--allow-fault-injection"]
    ) as running:
        options = ClientOptions(endpoint=running.endpoint, api_key=running.api_key, ca_file=running.ca_file)
        async with await GatewayClient.connect(options) as connected:
            scenes = (_idle, _hang, _flood, _close, _start)
            under_way = [asyncio.Event() for _ in scenes]
            acts = [
                asyncio.create_task(scene(connected, event)) for scene, event in zip(scenes, under_way, strict=True)
            ]
            doomed = psutil.Process(running.pid)
            try:
                async with asyncio.timeout(60):
                    for event in under_way:
                        await event.wait()
                workers = [
                    child
                    for child in doomed.children(recursive=True)
                    if "mxgateway_worker" in command_line(child).split()
                ]
                assert len(workers) >= 4
                doomed.kill()
                await eventually(
                    lambda: not any(worker.is_running() for worker in workers),
                    failure=lambda: f"left: {[worker for worker in workers if worker.is_running()]}",
                )
            finally:
                for act in acts:
                    act.cancel()
                await asyncio.gather(*acts, return_exceptions=True)
