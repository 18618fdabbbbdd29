"""Checks that hold against any gateway: a site's own, where the environment names one, else one of this machine.

MXGATEWAY_INTEGRATION=1 switches to the site's: MXGATEWAY_ENDPOINT, MXGATEWAY_API_KEY, MXGATEWAY_CA_FILE (or
MXGATEWAY_PLAINTEXT=1), MXGATEWAY_TEST_ITEM, and MXGATEWAY_TEST_WRITE_VALUE for the write, which is left out without it.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace

import pytest
from tests.support.quiet import falls_silent
from tests.support.shared_gateway import shared_gateway

from mxgateway import (
    ClientOptions,
    GatewayClient,
    MxAccessError,
    MxGatewayAuthenticationError,
    MxGatewaySessionError,
    Session,
    from_mx_value,
    is_status_failure,
)
from mxgateway.generated import mxaccess_gateway_pb2 as pb

pytestmark = [pytest.mark.shares_processes, pytest.mark.slow]

SITE_SWITCH = "MXGATEWAY_INTEGRATION"
AT_A_SITE = os.environ.get(SITE_SWITCH) == "1"
LOCAL_ONLY = pytest.mark.skipif(AT_A_SITE, reason="names tags of the simulator")


@dataclass(frozen=True)
class Target:
    """The gateway under test."""

    options: ClientOptions
    item: str
    write_value: str | None


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    if AT_A_SITE:
        options = ClientOptions(
            endpoint=os.environ.get("MXGATEWAY_ENDPOINT", "localhost:5000"),
            api_key=os.environ["MXGATEWAY_API_KEY"],
            ca_file=os.environ.get("MXGATEWAY_CA_FILE"),
            plaintext=os.environ.get("MXGATEWAY_PLAINTEXT") == "1",
        )
        item = os.environ.get("MXGATEWAY_TEST_ITEM", "TestChildObject.TestInt")
        yield Target(options, item, os.environ.get("MXGATEWAY_TEST_WRITE_VALUE"))
        return
    with shared_gateway() as gateway:
        options = ClientOptions(endpoint=gateway.endpoint, api_key=gateway.api_key, ca_file=gateway.ca_file)
        yield Target(options, "TestChildObject.TestInt", "424200")


@pytest.fixture
async def session(target: Target) -> AsyncIterator[Session]:
    async with (
        asyncio.timeout(50),
        await GatewayClient.connect(target.options) as client,
        await client.open_session(client_session_name="integration check") as opened,
    ):
        yield opened


def test_smoke_from_the_command_line(target: Target) -> None:
    options = target.options
    transport = ["--plaintext"] if options.plaintext else ["--ca-file", str(options.ca_file)] if options.ca_file else []
    done = subprocess.run(
        [
            *(sys.executable, "-m", "mxgateway_cli", "smoke", "--endpoint", options.endpoint, *transport),
            *("--api-key-env", "MXGATEWAY_API_KEY", "--item", target.item, "--json"),
        ],
        env={**os.environ, "MXGATEWAY_API_KEY": str(options.api_key)},
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["sessionId"].startswith("session-")
    assert str(options.api_key) not in done.stdout + done.stderr


async def test_the_capabilities_name_the_bulk_families(session: Session) -> None:
    assert {"bulk-read-commands", "bulk-write-commands"} <= session.capabilities


async def test_an_advised_item_delivers_its_value_and_then_reads_from_the_cache(
    session: Session, target: Target
) -> None:
    server = await session.register("integration check")
    item = await session.add_item(server, target.item)
    async with session.stream_events() as events:
        await session.advise(server, item)
        event = await anext(events)
    assert (event.family, event.item_handle) == (pb.MX_EVENT_FAMILY_ON_DATA_CHANGE, item)
    assert not any(is_status_failure(status) for status in event.statuses)
    [read] = await session.read_bulk(server, [target.item])
    assert (read.was_successful, read.was_cached, read.error_message) == (True, True, "")
    await session.unadvise(server, item)
    await session.remove_item(server, item)
    await session.unregister(server)


async def test_a_read_of_what_is_not_advised_is_a_snapshot(session: Session, target: Target) -> None:
    server = await session.register("integration check")
    [read] = await session.read_bulk(server, [target.item])
    assert (read.was_successful, read.was_cached) == (True, False)


async def test_a_written_value_completes_and_reads_back(session: Session, target: Target) -> None:
    if target.write_value is None:
        pytest.skip("MXGATEWAY_TEST_WRITE_VALUE is not set")
    value = int(target.write_value)
    server = await session.register("integration check")
    item = await session.add_item(server, target.item)
    async with session.stream_events() as events:
        await session.advise(server, item)
        await anext(events)
        await session.write(server, item, value)
        async for event in events:
            if event.family == pb.MX_EVENT_FAMILY_ON_WRITE_COMPLETE:
                assert not any(is_status_failure(status) for status in event.statuses)
                break
    [read] = await session.read_bulk(server, [target.item])
    assert from_mx_value(read.value) == value


async def test_a_handle_that_does_not_exist_is_refused_by_mxaccess(session: Session) -> None:
    server = await session.register("integration check")
    with pytest.raises(MxAccessError) as caught:
        await session.advise(server, 987654)
    assert caught.value.hresult == -2147024809
    assert caught.value.raw_reply.session_id == session.session_id


async def test_a_session_that_does_not_exist_is_refused(target: Target) -> None:
    async with await GatewayClient.connect(target.options) as client:
        with pytest.raises(MxGatewaySessionError):
            await client.attach_session("session-" + "0" * 32).ping()


async def test_a_call_without_key_is_refused(target: Target) -> None:
    async with await GatewayClient.connect(replace(target.options, api_key=None)) as client:
        with pytest.raises(MxGatewayAuthenticationError):
            await client.open_session(client_session_name="no key")


async def test_a_cancelled_bulk_call_leaves_the_session_usable(session: Session, target: Target) -> None:
    server = await session.register("integration check")
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(session.read_bulk(server, ["No.Such.Tag"], timeout_ms=20_000))
        # Until the call is on its way.
        await session.ping("before")
        running.cancel()
    assert running.cancelled()
    assert await session.state() == pb.SESSION_STATE_READY


@LOCAL_ONLY
async def test_after_un_advise_an_item_falls_silent(session: Session) -> None:
    server = await session.register("integration check")
    stopped, marker = [
        result.item_handle
        for result in await session.subscribe_bulk(
            server, ["TestMachine_001.TestChangingInt", "TestMachine_002.TestChangingInt"]
        )
    ]
    async with session.stream_events() as events:
        async for event in events:
            if event.item_handle == stopped:
                break
        await session.unadvise(server, stopped)
        # Both count once a second, so a window of the marker is one change of the other.
        assert await falls_silent(events, stopped, marker)
