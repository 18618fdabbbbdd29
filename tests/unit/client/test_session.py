"""Session: each MXAccess method sends its command, reads its payload, and raises what the contract says."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.support.fake_gateway import FakeGateway, data_change, failed, ok
from tests.support.waiting import eventually

from mxgateway import (
    GatewayClient,
    MxAccessError,
    MxGatewayCommandError,
    MxGatewayProtocolError,
    MxGatewaySessionError,
    MxGatewayTimeoutError,
    MxGatewayWorkerError,
    Session,
)
from mxgateway.generated import mxaccess_gateway_pb2 as pb

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

ITEM_CALLS: list[tuple[str, tuple[Any, ...], str, dict[str, Any], Any]] = [
    ("register", ("name",), "register", {"client_name": "name"}, 1),
    ("unregister", (1,), "unregister", {"server_handle": 1}, None),
    ("add_item", (1, "A.B"), "add_item", {"server_handle": 1, "item_definition": "A.B"}, 1),
    ("add_item2", (1, "Me.B", "A"), "add_item2", {"item_definition": "Me.B", "item_context": "A"}, 1),
    ("remove_item", (1, 2), "remove_item", {"server_handle": 1, "item_handle": 2}, None),
    ("advise", (1, 2), "advise", {"server_handle": 1, "item_handle": 2}, None),
    ("advise_supervisory", (1, 2), "advise_supervisory", {"server_handle": 1, "item_handle": 2}, None),
    ("unadvise", (1, 2), "un_advise", {"server_handle": 1, "item_handle": 2}, None),
    ("add_buffered_item", (1, "A.B", "C"), "add_buffered_item", {"item_context": "C"}, 1),
    (
        "set_buffered_update_interval",
        (1, 250),
        "set_buffered_update_interval",
        {"update_interval_milliseconds": 250},
        None,
    ),
    ("write", (1, 2, 5), "write", {"item_handle": 2, "user_id": 0}, None),
    ("write", (1, 2, 5, 9), "write", {"user_id": 9}, None),
    ("write2", (1, 2, 5, MOMENT, 9), "write2", {"item_handle": 2, "user_id": 9}, None),
    ("write_secured", (1, 2, 3, 4, 5), "write_secured", {"current_user_id": 3, "verifier_user_id": 4}, None),
    ("write_secured2", (1, 2, 3, 4, 5, MOMENT), "write_secured2", {"current_user_id": 3, "verifier_user_id": 4}, None),
    ("authenticate_user", (1, "u", "p"), "authenticate_user", {"verify_user": "u", "verify_user_password": "p"}, 7),
    ("archestra_user_to_id", (1, "{guid}"), "archestra_user_to_id", {"user_id_guid": "{guid}"}, 7),
    ("ping", ("hello",), "ping", {"message": "hello"}, "hello"),
    ("state", (), "get_session_state", {}, pb.SESSION_STATE_READY),
    ("shutdown_worker", (), "shutdown_worker", {}, None),
    ("inject_fault", ("crash", {"a": "b"}), "inject_fault", {"fault": "crash"}, None),
]


@pytest.mark.parametrize(("method", "arguments", "arm", "fields", "result"), ITEM_CALLS)
async def test_method_sends_its_command(
    gateway: FakeGateway,
    session: Session,
    method: str,
    arguments: tuple[Any, ...],
    arm: str,
    fields: dict[str, Any],
    result: Any,
) -> None:
    """Each single-item method sends the command of its name with its arguments and returns the payload's value."""
    assert await getattr(session, method)(*arguments) == result
    request = gateway.commands[-1]
    assert request.command.WhichOneof("payload") == arm
    assert request.command.kind == pb.MxCommandKind.Value(f"MX_COMMAND_KIND_{arm.upper()}")
    assert request.session_id == session.session_id
    payload = getattr(request.command, arm)
    assert {name: getattr(payload, name) for name in fields} == fields


async def test_timestamped_write_sends_value_and_time(gateway: FakeGateway, session: Session) -> None:
    """write2 carries the value and the aware time as UTC."""
    await session.write2(1, 2, 1.5, MOMENT)
    sent = gateway.commands_of("write2")[0]
    assert sent.value.double_value == 1.5
    assert sent.timestamp_value.timestamp_value.ToDatetime(tzinfo=UTC) == MOMENT
    assert sent.timestamp_value.data_type == pb.MX_DATA_TYPE_TIME


async def test_timestamp_of_another_type_is_refused(session: Session) -> None:
    """A write time that is neither datetime nor MxValue is a TypeError before anything is sent."""
    with pytest.raises(TypeError, match="aware datetime"):
        await session.write2(1, 2, 1.5, "2026-01-01")  # type: ignore[arg-type]


async def test_suspend_and_activate_return_the_status(session: Session) -> None:
    """suspend and activate hand back the MXSTATUS_PROXY of the call."""
    assert (await session.suspend(1, 2)).category == pb.MX_STATUS_CATEGORY_PENDING
    assert (await session.activate(1, 2)).success == -1


async def test_worker_info_and_drain_events(gateway: FakeGateway, session: Session) -> None:
    """worker_info and drain_events return the generated payloads."""
    gateway.events = [data_change(1), data_change(2)]
    assert (await session.worker_info()).worker_process_id == 4711
    assert [event.worker_sequence for event in await session.drain_events(1)] == [1]
    assert len(await session.drain_events()) == 2
    with pytest.raises(ValueError, match="max_events"):
        await session.drain_events(-1)


async def test_every_call_has_its_own_correlation_id(gateway: FakeGateway, session: Session) -> None:
    """Two calls never share a correlation id."""
    await session.ping()
    await session.ping()
    ids = [request.client_correlation_id for request in gateway.commands]
    assert all(ids)
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (pb.PROTOCOL_STATUS_CODE_INVALID_REQUEST, MxGatewayCommandError),
        (pb.PROTOCOL_STATUS_CODE_SESSION_NOT_FOUND, MxGatewaySessionError),
        (pb.PROTOCOL_STATUS_CODE_SESSION_NOT_READY, MxGatewaySessionError),
        (pb.PROTOCOL_STATUS_CODE_WORKER_UNAVAILABLE, MxGatewayWorkerError),
        (pb.PROTOCOL_STATUS_CODE_TIMEOUT, MxGatewayTimeoutError),
        (pb.PROTOCOL_STATUS_CODE_CANCELED, MxGatewayCommandError),
        (pb.PROTOCOL_STATUS_CODE_PROTOCOL_VIOLATION, MxGatewayWorkerError),
        (pb.PROTOCOL_STATUS_CODE_UNSPECIFIED, MxGatewayProtocolError),
    ],
)
async def test_protocol_status_becomes_its_error(
    gateway: FakeGateway, session: Session, code: int, error: type[Exception]
) -> None:
    """Each protocol status that is no success raises the error of its class with the raw reply, raw call or not."""
    gateway.answer("advise", pb.MxCommandReply(protocol_status=failed(code, "why")))
    with pytest.raises(error) as caught:
        await session.advise(1, 2)
    assert caught.value.raw_reply.protocol_status.code == code  # type: ignore[attr-defined]
    assert caught.value.correlation_id == gateway.commands[-1].client_correlation_id  # type: ignore[attr-defined]
    with pytest.raises(error):
        await session.invoke_raw(gateway.commands[-1].command)


def mxaccess_failures() -> list[pb.MxCommandReply]:
    bad = pb.MxStatusProxy(success=0, category=pb.MX_STATUS_CATEGORY_SECURITY_ERROR, detail=321)
    odd = pb.MxStatusProxy(success=-1, category=pb.MX_STATUS_CATEGORY_OPERATIONAL_ERROR, detail=902)
    return [
        pb.MxCommandReply(protocol_status=failed(pb.PROTOCOL_STATUS_CODE_MXACCESS_FAILURE), hresult=-2147220992),
        pb.MxCommandReply(protocol_status=ok(), hresult=-2147024809),
        pb.MxCommandReply(protocol_status=ok(), hresult=0, statuses=[bad]),
        pb.MxCommandReply(protocol_status=ok(), statuses=[odd]),
    ]


@pytest.mark.parametrize("reply", mxaccess_failures())
async def test_mxaccess_failure_raises_only_where_checked(
    gateway: FakeGateway, session: Session, reply: pb.MxCommandReply
) -> None:
    """An MXAccess failure raises MxAccessError from helpers and invoke, but stays in the reply of invoke_raw."""
    gateway.answer("write", reply)
    with pytest.raises(MxAccessError) as caught:
        await session.write(1, 2, 5)
    assert caught.value.raw_reply.statuses == reply.statuses
    assert caught.value.hresult == (reply.hresult if reply.HasField("hresult") else None)
    assert isinstance(caught.value, MxGatewayCommandError)
    command = gateway.commands[-1].command
    with pytest.raises(MxAccessError):
        await session.invoke(command)
    assert (await session.invoke_raw(command)).statuses == reply.statuses


async def test_status_left_at_defaults_is_no_failure(gateway: FakeGateway, session: Session) -> None:
    """A status entry that nobody filled (success 0, category unspecified) does not fail the call."""
    gateway.answer("write", pb.MxCommandReply(protocol_status=ok(), hresult=0, statuses=[pb.MxStatusProxy()]))
    await session.write(1, 2, 5)


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("register", ("n",)),
        ("add_item", (1, "A.B")),
        ("add_item2", (1, "A.B", "")),
        ("add_buffered_item", (1, "A.B", "")),
        ("suspend", (1, 2)),
        ("activate", (1, 2)),
        ("authenticate_user", (1, "u", "p")),
        ("archestra_user_to_id", (1, "g")),
        ("state", ()),
        ("worker_info", ()),
        ("drain_events", ()),
        ("subscribe_bulk", (1, ["A.B"])),
        ("write_bulk", (1, [(1, 2)])),
        ("read_bulk", (1, ["A.B"])),
    ],
)
async def test_success_without_payload_raises(
    gateway: FakeGateway, session: Session, method: str, arguments: tuple[Any, ...]
) -> None:
    """A reply that says OK but lacks the payload raises, and never becomes handle 0 nor the return value."""
    reply = pb.MxCommandReply(protocol_status=ok(), hresult=0, return_value=pb.MxValue(int32_value=12))
    for arm in [each.name for each in pb.MxCommand.DESCRIPTOR.oneofs_by_name["payload"].fields]:
        gateway.answer(arm, reply)
    with pytest.raises(MxGatewayProtocolError, match="payload"):
        await getattr(session, method)(*arguments)


async def test_close_is_idempotent_and_sends_one_request(gateway: FakeGateway, client: GatewayClient) -> None:
    """Concurrent and later closes share one request and its reply."""
    session = await client.open_session()
    replies = await asyncio.gather(*(session.close() for _ in range(5)))
    replies.append(await session.close())
    assert gateway.calls["CloseSession"] == 1
    assert all(reply.final_state == pb.SESSION_STATE_CLOSED for reply in replies)
    assert session.closed


async def test_failed_close_may_be_repeated(gateway: FakeGateway, client: GatewayClient) -> None:
    """A close that the gateway did not answer raises, and the next one asks again."""
    session = await client.open_session()
    gateway.script("CloseSession", pb.CloseSessionReply(protocol_status=failed(pb.PROTOCOL_STATUS_CODE_TIMEOUT)))
    with pytest.raises(MxGatewayTimeoutError):
        await session.close()
    assert (await session.close()).final_state == pb.SESSION_STATE_CLOSED


async def test_leaving_the_block_keeps_the_first_error(gateway: FakeGateway, client: GatewayClient) -> None:
    """When the body fails and the close fails too, the body's error is raised with a note of the other."""
    gateway.script("CloseSession", pb.CloseSessionReply(protocol_status=failed(pb.PROTOCOL_STATUS_CODE_TIMEOUT)))
    with pytest.raises(KeyError) as caught:
        async with await client.open_session():
            raise KeyError("first")
    assert "closing the session failed too" in caught.value.__notes__[0]


async def test_cancelling_a_call_cancels_it_on_the_wire(gateway: FakeGateway, session: Session) -> None:
    """Cancelling the task ends the gRPC call, raises CancelledError, and leaves the session usable."""
    gateway.script("Invoke", "hold")
    task = asyncio.ensure_future(session.ping())
    await eventually(lambda: gateway.calls.get("Invoke") == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await eventually(lambda: gateway.cancelled == ["Invoke"])
    assert await session.ping("still here") == "still here"


async def test_deadline_becomes_a_timeout_error(gateway: FakeGateway, session: Session) -> None:
    """A call whose deadline is over raises an error that is a TimeoutError and is not retryable."""
    gateway.script("Invoke", "hold")
    with pytest.raises(MxGatewayTimeoutError) as caught:
        await session.invoke(pb.MxCommand(kind=pb.MX_COMMAND_KIND_PING, ping=pb.PingCommand()), timeout=0.05)
    assert isinstance(caught.value, TimeoutError)
    assert not caught.value.retryable


async def test_attached_session_uses_the_given_id(gateway: FakeGateway, client: GatewayClient) -> None:
    """attach_session sends nothing and works on the session of that id."""
    session = client.attach_session("session-x")
    assert not gateway.requests
    await session.ping()
    assert gateway.commands[0].session_id == "session-x"


@pytest.mark.parametrize("simulated", [True, False])
async def test_session_and_subscription_tell_simulated_values(
    gateway: FakeGateway, client: GatewayClient, simulated: bool
) -> None:
    """What OpenSession's reply says of the values, a program can ask; an attached session does not know it."""
    gateway.is_simulated = simulated
    session = await client.open_session()
    assert session.is_simulated is simulated
    subscription = session.subscribe([])
    assert not subscription.is_simulated
    async with subscription:
        assert subscription.is_simulated is simulated
    assert not client.attach_session("session-x").is_simulated


async def test_each_test_of_the_client_runs_in_debug_mode(session: Session) -> None:
    """asyncio's debug mode is on for the whole client suite, and 100 ms make a callback slow."""
    loop = asyncio.get_running_loop()
    assert loop.get_debug()
    assert loop.slow_callback_duration == 0.1
    assert await session.ping("hello") == "hello"
