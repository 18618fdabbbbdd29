"""`client.read` and `client.write`: one session for all, opened anew when it is lost; reads repeated, writes never."""

from __future__ import annotations

import asyncio
from typing import cast

import grpc
import pytest
from tests.support.fake_gateway import Abort, FakeGateway, failed, write_complete
from tests.support.limits import LONG, TimeLimits
from tests.support.waiting import eventually

from mxgateway import (
    MAX_BULK_ITEMS,
    GatewayClient,
    MxAccessError,
    MxGatewayAuthorizationError,
    MxGatewayConnectionError,
    MxGatewayTimeoutError,
    MxGatewayTransportError,
    Readings,
    Session,
    from_mx_value,
    kept_session,
)
from mxgateway.generated import mxaccess_gateway_pb2 as pb

BREAK = Abort(grpc.StatusCode.UNAVAILABLE, "connection lost")
LOST = pb.MxCommandReply(protocol_status=failed(pb.PROTOCOL_STATUS_CODE_SESSION_NOT_FOUND, "no such session"))


async def confirm(gateway: FakeGateway, count: int, **event: int) -> None:
    """Completes the write with this number, once it has arrived."""
    await eventually(lambda: len(gateway.commands_of("write")) >= count)
    gateway.put(write_complete(count, gateway.commands_of("write")[count - 1].item_handle, **event))


async def test_tags_are_read_as_python_values(gateway: FakeGateway, client: GatewayClient) -> None:
    """In the order asked for; a tag that cannot be read says why and has no value."""
    reply = pb.MxCommandReply(protocol_status=pb.ProtocolStatus(code=pb.PROTOCOL_STATUS_CODE_OK))
    good = reply.read_bulk.results.add(tag_address="A.B", was_successful=True, quality=192)
    good.value.CopyFrom(pb.MxValue(int32_value=7))
    good.source_timestamp.FromSeconds(1_700_000_000)
    reply.read_bulk.results.add(tag_address="A.C", was_successful=False, error_message="no such tag", quality=0)
    gateway.answer("read_bulk", reply)
    readings = await client.read(["A.B", "A.C"])
    assert [(each.tag, each.value, each.is_good, each.error) for each in readings] == [
        ("A.B", 7, True, ""),
        ("A.C", None, False, "no such tag"),
    ]
    assert repr(readings[0]) == "<Reading A.B=7, Good, 2023-11-14T22:13:20+00:00>"
    assert repr(readings[1]) == "<Reading A.C: no such tag>"
    assert repr(readings).startswith("<Readings 2: A.B: 7, Good (192)")
    assert "no such tag" in readings._repr_html_()


async def test_one_session_serves_all_calls(gateway: FakeGateway, client: GatewayClient) -> None:
    """Also two first ones at once; it is closed with the client."""
    await asyncio.gather(client.read(["A.B"]), client.read(["A.C"]))
    await asyncio.gather(client.write("A.B", 5), confirm(gateway, 1))
    await client.read([])
    await client.close()
    assert (gateway.calls["OpenSession"], gateway.calls["CloseSession"]) == (1, 1)
    assert len(gateway.commands_of("register")) == 2  # one for reads, one for writes


async def test_any_number_of_tags_is_read(gateway: FakeGateway, client: GatewayClient) -> None:
    """In calls of at most the contract's size."""
    readings = await client.read(f"A.B{n}" for n in range(MAX_BULK_ITEMS + 5))
    assert [each.tag for each in readings[-2:]] == [f"A.B{MAX_BULK_ITEMS + 3}", f"A.B{MAX_BULK_ITEMS + 4}"]
    assert [len(each.tag_addresses) for each in gateway.commands_of("read_bulk")] == [MAX_BULK_ITEMS, 5]


@pytest.mark.parametrize("failure", [LOST, BREAK])
async def test_a_read_is_repeated(gateway: FakeGateway, client: GatewayClient, failure: object) -> None:
    """In a new session when the old one is gone, in the same one when the connection was."""
    gateway.answer("read_bulk", lambda _: failure if len(gateway.commands_of("read_bulk")) == 1 else None)
    assert (await client.read(["A.B"]))[0].is_good
    assert gateway.calls["OpenSession"] == (2 if failure is LOST else 1)


async def test_a_gateway_that_is_away_is_waited_for(gateway: FakeGateway, client: GatewayClient) -> None:
    gateway.script("OpenSession", BREAK, BREAK)
    assert (await client.read(["A.B"], timeout=20))[0].is_good


@pytest.mark.parametrize("hangs", [False, True])
async def test_the_last_error_is_told_and_not_that_time_is_over(hangs: bool) -> None:
    """Whether time is over before the next try or within it."""

    class Away:
        """A session whose calls break; the second one hangs."""

        calls = 0

        async def read(self, _tags: object, *, timeout_ms: int) -> Readings:
            self.calls += 1
            if hangs and self.calls > 1:
                await asyncio.Event().wait()
            raise MxGatewayConnectionError("connection lost", retryable=True)

    async def open_session() -> Session:
        return cast("Session", Away())

    async def at_once(_delay: float) -> None:
        pass

    kept = kept_session.KeptSession(open_session, at_once)
    with pytest.raises(MxGatewayConnectionError, match="connection lost"):
        await kept.read(["A.B"], 0, 0.5)


async def test_a_refusal_is_not_repeated(gateway: FakeGateway, client: GatewayClient) -> None:
    """Waiting would not help."""
    gateway.answer("read_bulk", Abort(grpc.StatusCode.PERMISSION_DENIED, "not allowed"))
    with pytest.raises(MxGatewayAuthorizationError):
        await client.read(["A.B"])
    assert len(gateway.commands_of("read_bulk")) == 1


async def test_a_write_is_confirmed_and_its_tag_stays(gateway: FakeGateway, client: GatewayClient) -> None:
    """The second write of a tag adds nothing."""
    first, _ = await asyncio.gather(client.write("A.B", 5), confirm(gateway, 1))
    assert (first.tag, first.old, first.new) == ("A.B", 0, 5)
    await asyncio.gather(client.write("A.B", lambda before: from_mx_value(before.value) + 1), confirm(gateway, 2))
    assert from_mx_value(gateway.commands_of("write")[1].value) == 1
    assert len(gateway.commands_of("add_item_bulk")) == 1
    with pytest.raises(MxAccessError, match="1008"):
        await asyncio.gather(client.write("A.B", 7), confirm(gateway, 3, success=0, detail=1008))


async def test_a_session_lost_before_the_write_is_replaced(gateway: FakeGateway, client: GatewayClient) -> None:
    """Nothing was sent yet, so all of it can be done again."""
    gateway.answer("add_item_bulk", lambda _: LOST if len(gateway.commands_of("add_item_bulk")) == 1 else None)
    outcome, _ = await asyncio.gather(client.write("A.B", 5), confirm(gateway, 1))
    assert outcome.new == 5
    assert (gateway.calls["OpenSession"], len(gateway.commands_of("write"))) == (2, 1)


@pytest.mark.parametrize("failure", [LOST, BREAK])
async def test_a_write_that_was_sent_is_never_repeated(
    gateway: FakeGateway, client: GatewayClient, failure: object
) -> None:
    """Whatever became of it: the error goes to the caller, and the next call works."""
    gateway.answer("write", lambda _: failure if len(gateway.commands_of("write")) == 1 else None)
    with pytest.raises(Exception, match=r"lost|no such session"):
        await client.write("A.B", 5, timeout=5)
    assert len(gateway.commands_of("write")) == 1
    await asyncio.gather(client.write("A.B", 6), confirm(gateway, 2))


async def test_a_session_lost_after_the_write_was_sent(gateway: FakeGateway, client: GatewayClient) -> None:
    """The outcome is unknown, and it is told at once."""
    writing = asyncio.ensure_future(client.write("A.B", 5))
    await eventually(lambda: len(gateway.commands_of("write")) == 1)
    gateway.answer("get_session_state", LOST)
    gateway.put(BREAK)
    with pytest.raises(MxGatewayTransportError, match="outcome is unknown"):
        await writing
    assert len(gateway.commands_of("write")) == 1


async def test_a_completion_that_does_not_come(
    gateway: FakeGateway, client: GatewayClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The text says whether the write was sent."""
    limits = TimeLimits(monkeypatch)
    writing = asyncio.ensure_future(client.write("A.B", 5, timeout=LONG))
    await eventually(lambda: len(gateway.commands_of("write")) == 1)
    limits.run_out()
    with pytest.raises(MxGatewayTimeoutError, match="outcome is unknown"):
        await writing
    gateway.answer("read_bulk", lambda _: asyncio.sleep(30))
    with pytest.raises(MxGatewayTimeoutError, match="nothing was written"):
        await client.write("A.C", 5, timeout=0.05)


async def test_a_tag_that_is_refused(gateway: FakeGateway, client: GatewayClient) -> None:
    """An error of MXAccess, with the reason."""
    reply = pb.MxCommandReply(protocol_status=pb.ProtocolStatus(code=pb.PROTOCOL_STATUS_CODE_OK))
    reply.add_item_bulk.results.add(tag_address="A.B", was_successful=False, error_message="denied")
    gateway.answer("add_item_bulk", reply)
    with pytest.raises(MxAccessError, match="denied"):
        await client.write("A.B", 5)


async def test_written_tags_do_not_pile_up(
    gateway: FakeGateway, client: GatewayClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tags that were written last stay advised; older ones go."""
    monkeypatch.setattr(kept_session, "MAX_WRITTEN", 2)
    for number, tag in enumerate(["A.B", "A.C", "A.D"], 1):
        await asyncio.gather(client.write(tag, number), confirm(gateway, number))
    assert client._kept is not None
    assert client._kept._writer is not None
    assert client._kept._writer.tags == ("A.C", "A.D")


async def test_a_supervisory_write(gateway: FakeGateway, client: GatewayClient) -> None:
    """AdviseSupervisory in place of Advise, and the item goes afterwards."""
    gateway.announces_streams = True
    gateway.answer("advise_supervisory", lambda request: _first_value(gateway, request))
    await asyncio.gather(client.write("A.B", 5, supervisory=True), confirm(gateway, 1))
    assert len(gateway.commands_of("unsubscribe_bulk")) == 1


def _first_value(gateway: FakeGateway, request: pb.MxCommandRequest) -> pb.MxCommandReply:
    from tests.support.fake_gateway import data_change

    gateway.put(data_change(1, request.command.advise_supervisory.item_handle))
    return gateway.reply(request)


async def test_wrong_arguments(client: GatewayClient) -> None:
    """Before anything is sent."""
    with pytest.raises(TypeError, match="list"):
        await client.read("A.B")
    with pytest.raises(TypeError):
        await client.write(7, 5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="NaN"):
        await client.write("A.B", float("nan"))
