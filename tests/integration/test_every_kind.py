"""Every command kind goes through every layer of a running system: validator, scope map, worker, model."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from tests.support.shared_gateway import shared_gateway

from mxgateway import MxGatewayCommandError, Session
from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway.testing import LocalGateway
from mxgateway_contract.commands import COMMANDS, Command, Group

pytestmark = [pytest.mark.shares_processes, pytest.mark.slow]

NOT_AVAILABLE = {
    "SUBSCRIBE_ALARMS",
    "UNSUBSCRIBE_ALARMS",
    "ACKNOWLEDGE_ALARM",
    "QUERY_ACTIVE_ALARMS",
    "ACKNOWLEDGE_ALARM_BY_NAME",
    "ACKNOWLEDGE_ALARMS_BY_NAME",
    "SHELVE_ALARM",
}
"""Kinds that are refused by name. Alarms are the alarm monitor's, never a session's."""

VALUE = pb.MxValue(data_type=pb.MX_DATA_TYPE_INTEGER, variant_type="VT_I4", int32_value=5)
MOMENT = pb.MxValue(data_type=pb.MX_DATA_TYPE_TIME, variant_type="VT_DATE")
MOMENT.timestamp_value.FromSeconds(1_700_000_000)
TAG = "TestChildObject.TestInt"


@pytest.fixture(scope="module")
def gateway() -> Iterator[LocalGateway]:
    with shared_gateway("reference", ["--allow-fault-injection"]) as running:
        yield running


@pytest.fixture
async def session(gateway: LocalGateway) -> AsyncIterator[Session]:
    async with await gateway.connect() as client, await client.open_session() as opened:
        yield opened


def filled(command: Command, server: int, item: int, user: int) -> pb.MxCommand:
    """A command of this kind that MXAccess can carry out."""
    known: dict[str, Any] = {
        "client_name": "every kind",
        "server_handle": server,
        "item_handle": item,
        "item_definition": TAG,
        "item_context": "TestChildObject",
        "update_interval_milliseconds": 100,
        "value": VALUE,
        "timestamp_value": MOMENT,
        "user_id": user,
        "current_user_id": user,
        "verifier_user_id": user,
        "verify_user": "operator1",
        "verify_user_password": "operator1",
        "user_id_guid": "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
        "fault": "clear",
        "message": "hello",
        "alarm_guid": "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
    }
    request = pb.MxCommand(kind=command.kind)
    payload = getattr(request, command.payload)
    payload.SetInParent()
    for field in payload.DESCRIPTOR.fields:
        if field.name == "tag_addresses":
            payload.tag_addresses.append("SpareChildObject.TestInt")
        elif field.name == "item_handles":
            payload.item_handles.append(item)
        elif field.name == "entries":
            entry = payload.entries.add()
            for part in entry.DESCRIPTOR.fields:
                put(entry, part.name, known[part.name])
        elif field.name in known:
            put(payload, field.name, known[field.name])
    return request


def put(message: Any, name: str, value: Any) -> None:
    if isinstance(value, pb.MxValue):
        getattr(message, name).CopyFrom(value)
    else:
        setattr(message, name, value)


@pytest.mark.parametrize("command", COMMANDS.values(), ids=lambda c: c.name)
async def test_the_kind_is_carried_out_and_answered_in_its_own_form(session: Session, command: Command) -> None:
    server = await session.register("every kind")
    user = await session.authenticate_user(server, "operator1", "operator1")
    item = await session.add_item(server, TAG)
    async with session.stream_events() as events:
        if "ADVISE" not in command.name or "UN" in command.name:
            await session.advise(server, item)
            # The type has to be known before a write.
            await anext(events)
        request = filled(command, server, item, user)
        if command.name in NOT_AVAILABLE:
            with pytest.raises(MxGatewayCommandError, match=command.name) as refused:
                await session.invoke_raw(request)
            assert refused.value.raw_reply.protocol_status.code == pb.PROTOCOL_STATUS_CODE_INVALID_REQUEST
            return
        reply = await session.invoke_raw(request)
    assert reply.kind == command.kind
    assert reply.protocol_status.code == pb.PROTOCOL_STATUS_CODE_OK, reply
    assert reply.WhichOneof("payload") == (command.reply or None)
    if command.group is Group.BULK:
        (result,) = getattr(reply, command.reply).results
        assert result.was_successful, result
    if command.group is Group.COM:
        assert reply.hresult == 0


async def test_a_kind_of_the_future_is_refused_by_its_number(session: Session) -> None:
    command = pb.MxCommand(kind=pb.MxCommandKind.ValueType(77), ping=pb.PingCommand())
    with pytest.raises(Exception, match="77") as caught:
        await session.invoke_raw(command)
    assert type(caught.value).__name__.startswith("MxGateway")
    assert await session.ping("still there") == "still there"
