"""Library and CLI against a real gateway with the simulator, over TLS."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from mxgateway import (
    GatewayClient,
    MxGatewayAuthenticationError,
    MxGatewayAuthorizationError,
    MxGatewayCommandError,
    MxGatewayConnectionError,
    MxGatewaySessionError,
    from_mx_value,
)
from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway.testing import LocalGateway
from mxgateway_cli import profiles
from mxgateway_contract.private_files import write_private
from mxgateway_worker.sandbox import probe

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.shares_processes, pytest.mark.timeout(120)]

TAG = "TestMachine_001.TestChangingInt"
TARGET = "TestChildObject.TestInt"


async def cli(gateway: LocalGateway, *arguments: str) -> tuple[int, str, str]:
    """Runs mxgw-py as a process with a profile of this gateway."""
    key_file = gateway.state_dir / "cli-key"
    write_private(key_file, gateway.api_key)
    profile = profiles.Profile(gateway.endpoint, ca_file=str(gateway.ca_file), api_key_file=str(key_file))
    path = profiles.save("default", profile, gateway.state_dir / "cli-profile.json")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mxgateway_cli", *arguments, "--profile", str(path)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def test_events_carry_the_callers_own_numbers(local_gateway: LocalGateway) -> None:
    async with await local_gateway.connect() as client, await client.open_session() as session:
        assert "client-handles" in session.capabilities
        handle = await session.register("test")
        async with session.stream_events() as stream:
            results = await session.subscribe_bulk(handle, [TAG, TARGET], client_handles=[41, 42])
            events = [await anext(stream) for _ in range(2)]
        seen = {event.item_handle: event.client_handle for event in events}
        assert seen.items() <= {(result.item_handle, number) for result, number in zip(results, (41, 42), strict=True)}


async def test_register_advise_and_live_values(local_gateway: LocalGateway) -> None:
    """The basic round delivers changing good values through batches over TLS, in unbroken order."""
    async with await local_gateway.connect() as client, await client.open_session() as session:
        handle = await session.register("test")
        item = await session.add_item(handle, TAG)
        async with session.stream_events() as stream:
            await session.advise(handle, item)
            events = [await anext(stream) for _ in range(3)]
        assert "event-batches" in session.capabilities
        assert [event.worker_sequence for event in events] == [1, 2, 3]
        assert all(event.quality == 192 and event.item_handle == item for event in events)
        values = [from_mx_value(event.value) for event in events]
        assert values == sorted(set(values))


async def test_write_is_confirmed_and_seen_by_others(local_gateway: LocalGateway) -> None:
    """A write is confirmed by OnWriteComplete, and another session reads the written value."""
    async with await local_gateway.connect() as client, await client.open_session() as session:
        outcome = await session.write_and_confirm(TARGET, 4711)
        assert outcome.completion.family == pb.MX_EVENT_FAMILY_ON_WRITE_COMPLETE
        async with await client.open_session() as other:
            handle = await other.register("reader")
            (result,) = await other.read_bulk(handle, [TARGET])
            assert from_mx_value(result.value) == 4711
            assert not result.was_cached


@pytest.mark.skipif(bool(probe().missing), reason="this kernel has no sandbox")
async def test_workers_run_in_their_sandbox(local_gateway: LocalGateway) -> None:
    """A session's worker has given up what it does not need, and still reads and writes the plant."""
    async with await local_gateway.connect() as client, await client.open_session() as session:
        status = await asyncio.to_thread(
            Path(f"/proc/{(await session.worker_info()).worker_process_id}/status").read_text
        )
        assert {"NoNewPrivs:\t1", "Seccomp:\t2"} <= set(status.splitlines())
        await session.write_and_confirm(TARGET, 12)


async def test_what_one_worker_writes_another_sees(local_gateway: LocalGateway) -> None:
    """Across two workers: a call that begins after a write sees it, and a subscription is told of it."""
    tag, watched = "TestChildObject.TestDouble", "TestChildObject.TestFloat"
    async with (
        await local_gateway.connect() as client,
        client.open_session() as writer,
        client.open_session() as reader,
        reader.subscribe([watched]) as changes,
    ):
        async with asyncio.timeout(20):
            async for _ in changes:
                break
            for number in range(20):
                # With something advised, and with a worker that looks by itself for nothing at all.
                await writer.write_and_confirm(tag, float(number))
                (reading,) = await reader.read([tag])
                assert reading.value == number
            await writer.write_and_confirm(watched, 4711.5)
            async for change in changes:
                if change.value == 4711.5:
                    break


async def test_a_plant_that_was_changed_is_seen_by_all(local_gateway: LocalGateway) -> None:
    """LocalPlant's calls return when each worker has seen the change: cached reads are as new as others."""
    tag = "SpareChildObject.TestInt"
    plant = local_gateway.plant
    async with (
        await local_gateway.connect() as client,
        client.open_session() as watching,
        client.open_session() as idle,
        watching.subscribe([tag]) as changes,
    ):
        async with asyncio.timeout(20):
            async for _ in changes:
                break
            for number in range(10):
                await asyncio.to_thread(plant.set, tag, number)
                assert [(await each.read([tag]))[0].value for each in (watching, idle)] == [number, number]
            await asyncio.to_thread(plant.undeploy, ["SpareChildObject"])
            assert not (await idle.read([tag]))[0].is_good
            assert not (await watching.read([tag]))[0].is_good
            await asyncio.to_thread(plant.deploy, ["SpareChildObject"])
            assert (await watching.read([tag]))[0].value == 9


async def test_read_of_an_advised_tag_is_cached(local_gateway: LocalGateway) -> None:
    """read_bulk answers an advised tag from its subscription, and a bad reference with its own failure."""
    async with await local_gateway.connect() as client, await client.open_session() as session:
        handle = await session.register("test")
        async with session.stream_events() as stream:
            await session.subscribe_bulk(handle, [TAG])
            await anext(stream)
            cached, fresh, bad = await session.read_bulk(handle, [TAG, TARGET, "Nothing.Here"])
        assert (cached.was_successful, cached.was_cached) == (True, True)
        assert (fresh.was_successful, fresh.was_cached) == (True, False)
        assert (bad.was_successful, bool(bad.error_message)) == (False, True)


async def test_refusals_are_typed(local_gateway: LocalGateway) -> None:
    """A wrong key, a missing key, a missing certificate and a closed session raise their own errors."""
    for key in (None, "mxgw_local_wrongsecret"):
        async with await local_gateway.connect(api_key=key) as client:
            with pytest.raises(MxGatewayAuthenticationError):
                await client.open_session()
    with pytest.raises(MxGatewayConnectionError, match="ca_file"):
        await GatewayClient.connect(endpoint=local_gateway.endpoint, api_key=local_gateway.api_key)
    async with await local_gateway.connect() as client:
        session = await client.open_session()
        await session.close()
        with pytest.raises(MxGatewaySessionError):
            await client.attach_session(session.session_id).ping()


async def test_missing_scope_is_an_authorization_error() -> None:
    """A key without a write scope may read but not write."""
    scopes = ("session:open", "session:close", "invoke:read", "events:read", "metadata:read")
    async with (
        LocalGateway.run("reference", scopes=scopes) as gateway,
        await gateway.connect() as client,
        await client.open_session() as session,
    ):
        with pytest.raises(MxGatewayAuthorizationError):
            await session.write_and_confirm(TARGET, 1)


async def test_galaxy_is_browsed(local_gateway: LocalGateway) -> None:
    """The Galaxy client sees objects with references that can be advised."""
    async with await local_gateway.connect_galaxy() as galaxy:
        assert await galaxy.test_connection()
        assert await galaxy.get_last_deploy_time() is not None
        objects = {each.tag_name: each async for each in galaxy.iter_hierarchy(page_size=10)}
        assert TAG in [a.full_tag_reference for a in objects["TestMachine_001"].attributes]
        roots = await galaxy.browse(include_attributes=False)
        assert {"DEV", "TestArea"} <= {node.object.tag_name for node in roots}
        async with galaxy.watch_deploy_events() as events:
            assert (await anext(events)).object_count == len(objects)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("read", TAG, "--json"), '"wasSuccessful": true'),
        (("write", TARGET, "12"), "-> 12, complete"),
        (("watch", "TestMachine_00*.TestChangingInt", "--max-events", "3"), "TestMachine_00"),
        (("browse", "TestArea"), "TestMachine_020"),
        (("smoke", "--item", TARGET, "--value", "8", "--json"), '"closeStatus": "SESSION_STATE_CLOSED"'),
        (("galaxy-last-deploy",), "T"),
        (("tags", "export", "TestMachine_001.TestChangingInt"), TAG),
        (("bench-read-bulk", "--duration-seconds", "0.5", "--warmup-seconds", "0.1"), '"failedCalls": 0'),
    ],
)
async def test_cli_commands(local_gateway: LocalGateway, arguments: tuple[str, ...], expected: str) -> None:
    """Commands that people use work against a real gateway through a profile, and never show the key."""
    code, out, err = await cli(local_gateway, *arguments)
    assert code == 0, err
    assert expected in out
    assert local_gateway.api_key not in out + err


async def test_session_over_several_invocations(local_gateway: LocalGateway) -> None:
    """A session opened by one process is used and closed by others of the same key."""

    async def step(*arguments: str) -> Any:
        code, out, err = await cli(local_gateway, *arguments, "--json")
        assert code == 0, err
        return json.loads(out)

    session = ("--session-id", (await step("open-session"))["sessionId"])
    server = (*session, "--server-handle", str((await step("register", *session))["serverHandle"]))
    item = (*server, "--item-handle", str((await step("add-item", *server, "--item", TARGET))["itemHandle"]))
    await step("advise", *item)
    assert (await step("stream-events", *session, "--max-events", "1"))["events"][0]["quality"] == 192
    await step("write", *item, "--type", "int32", "--value", "123")
    assert (await step("close-session", *session))["finalState"] == "SESSION_STATE_CLOSED"


async def test_stopping_the_gateway_is_orderly(tmp_path: Path) -> None:
    """stop() ends the gateway with 0, also with sessions open, and the folder is gone after the block."""
    async with LocalGateway.run("reference") as gateway:
        async with await gateway.connect() as client:
            await client.open_session()
            assert await gateway.stop() == 0
        assert gateway.exit_code == 0
    assert not gateway.state_dir.exists()


async def test_name_in_the_certificate_counts(local_gateway: LocalGateway) -> None:
    """The certificate has to be for the host that was asked for; server_name_override replaces that name, for tests."""
    async with await local_gateway.connect(server_name_override="localhost") as client:
        assert await client.open_session()
    with pytest.raises(MxGatewayConnectionError, match="cannot reach"):
        await local_gateway.connect(server_name_override="another.example")


async def test_alarm_calls_say_that_there_is_no_provider(local_gateway: LocalGateway) -> None:
    """Each alarm call of a gateway without an alarm provider fails with the reason NO_ALARM_PROVIDER."""
    async with await local_gateway.connect() as client:
        with pytest.raises(MxGatewayCommandError) as acknowledge:
            await client.acknowledge_alarm(pb.AcknowledgeAlarmRequest())
        with pytest.raises(MxGatewayCommandError) as query:
            await anext(client.query_active_alarms(pb.QueryActiveAlarmsRequest()))
        with pytest.raises(MxGatewayCommandError) as stream:
            await anext(client.stream_alarms(pb.StreamAlarmsRequest()))
    for caught in (acknowledge, query, stream):
        assert caught.value.reason == "NO_ALARM_PROVIDER"
        assert "this gateway keeps no alarms; set alarms.enabled" in str(caught.value)
