"""Requests are taken after their caller is known, one at a time, no longer than they may be, and are not kept."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from grpc_reflection.v1alpha import reflection_pb2_grpc
from tests.support.gateway import LiveGateway, bearer, command, create_key, fake_settings, live_gateway
from tests.support.guarded import open_guard
from tests.support.waiting import eventually

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract.commands import Scope
from mxgateway_contract.constants import MAX_BULK_ITEMS, MAX_REQUEST_BYTES
from mxgateway_server.access.scopes import PER_COMMAND, PUBLIC, RPC_SCOPES
from mxgateway_server.access.shares import FEWEST_BODIES
from mxgateway_server.errors import InvalidRequestError
from mxgateway_server.rpc import command_stream

GATEWAY = "/mxaccess_gateway.v1.MxAccessGateway/"
INVOKE, INVOKE_STREAM = GATEWAY + "Invoke", GATEWAY + "InvokeStream"
REFLECTION = "ServerReflectionInfo"
NOBODY: tuple[tuple[str, str], ...] = ()
LARGE = (("grpc.max_send_message_length", 32 * 1024 * 1024),)


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[LiveGateway]:
    async with live_gateway(fake_settings(tmp_path, protocol__reflection=True)) as live:
        yield live


async def outcome(call: Any) -> tuple[grpc.StatusCode, str]:
    try:
        async with asyncio.timeout(20):
            await (call.read() if hasattr(call, "read") else call)
    except grpc.aio.AioRpcError as error:
        return error.code(), error.details() or ""
    return grpc.StatusCode.OK, ""


async def test_no_method_waits_for_the_request_of_a_caller_whom_it_refuses(gateway: LiveGateway) -> None:
    """On the wire every call is a stream of messages: these never send one, and are answered all the same."""
    narrow = bearer(await create_key(gateway.settings, "narrow", [str(Scope.SESSION_CLOSE)]))
    for method, needed in RPC_SCOPES.items():
        if needed == PUBLIC or "v1.ServerReflection/" in method:
            continue
        call = gateway.channel.stream_stream(method)()
        assert (await outcome(call))[0] is grpc.StatusCode.UNAUTHENTICATED, method
        if Scope.SESSION_CLOSE not in needed:
            call = gateway.channel.stream_stream(method)(metadata=narrow)
            assert (await outcome(call))[0] is grpc.StatusCode.PERMISSION_DENIED, method


async def test_a_call_needs_a_request_and_takes_one(gateway: LiveGateway) -> None:
    open_session = gateway.channel.stream_unary(GATEWAY + "OpenSession")
    code, text = await outcome(open_session(iter(()), metadata=gateway.auth))
    assert (code, text) == (grpc.StatusCode.INVALID_ARGUMENT, "the call has no request")
    # What comes behind the one request is never read, and whether it ends is not waited for.
    opening = open_session(metadata=gateway.auth)
    await opening.write(b"")
    reply = pb.OpenSessionReply.FromString(await opening)
    again = pb.MxCommandRequest(session_id=reply.session_id, command=command("PING", message="once"))
    answered = gateway.channel.stream_unary(INVOKE)(iter([again.SerializeToString()] * 3), metadata=gateway.auth)
    assert pb.MxCommandReply.FromString(await answered).protocol_status.code == pb.PROTOCOL_STATUS_CODE_OK
    gone = gateway.channel.stream_unary(INVOKE)(metadata=gateway.auth)
    await eventually(lambda: gateway_bodies(gateway) == 1)
    gone.cancel()
    await eventually(lambda: gateway_bodies(gateway) == 0)


def gateway_bodies(gateway: LiveGateway, key_id: str = "tester") -> int:
    return gateway.gateway.parts.shares.of(key_id).bodies


async def test_a_request_that_is_too_long_for_its_method_is_refused_with_the_name_of_the_limit(
    gateway: LiveGateway,
) -> None:
    long = b"\x0a" + b"\x81\x80\x40" + b"x" * (MAX_REQUEST_BYTES + 1)
    async with grpc.aio.insecure_channel(gateway.running.endpoints[0].address, options=LARGE) as channel:
        for method, needed in RPC_SCOPES.items():
            if needed is PER_COMMAND or "v1.ServerReflection/" in method:
                continue
            code, text = await outcome(channel.unary_stream(method)(long, metadata=gateway.auth))
            assert code is grpc.StatusCode.RESOURCE_EXHAUSTED, method
            assert "protocol.max_request_bytes" in text


async def test_bytes_that_are_no_message_of_a_stream_are_an_invalid_argument(gateway: LiveGateway) -> None:
    session = await gateway.open()
    first = pb.MxCommandBatch(session_id=session).SerializeToString()
    for requests in ([b"\xff\xff\xff"], [first, b"\xff\xff\xff"], [first, b"\xff\xff\xff" + bytes(100_000)]):
        code, text = await outcome(gateway.channel.stream_stream(INVOKE_STREAM)(iter(requests), metadata=gateway.auth))
        assert (code, text) == (grpc.StatusCode.INVALID_ARGUMENT, "the request is not the message of this method")
    stub = reflection_pb2_grpc.ServerReflectionStub(gateway.channel)  # type: ignore[no-untyped-call]
    method = stub.ServerReflectionInfo._method.decode()
    code, _ = await outcome(gateway.channel.stream_stream(method)(iter([b"\xff\xff\xff"]), metadata=gateway.auth))
    assert code is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("size", [0, 200], ids=["short", "long"])
async def test_a_message_of_a_command_stream_may_hold_a_thousand_commands(gateway: LiveGateway, size: int) -> None:
    session = await gateway.open()

    def message(number: int) -> bytes:
        pings = [
            pb.MxStreamCommand(correlation_id=str(each), command=command("PING", message="x" * size))
            for each in range(number)
        ]
        return pb.MxCommandBatch(session_id=session, commands=pings).SerializeToString()

    stream = gateway.channel.stream_stream(INVOKE_STREAM)
    code, text = await outcome(stream(iter([message(MAX_BULK_ITEMS + 1)]), metadata=gateway.auth))
    assert (code, str(MAX_BULK_ITEMS) in text) == (grpc.StatusCode.INVALID_ARGUMENT, True)
    answered: list[str] = []
    async for data in stream(iter([message(MAX_BULK_ITEMS)]), metadata=gateway.auth):
        answered += [reply.correlation_id for reply in pb.MxCommandReplyBatch.FromString(data).replies]
    assert sorted(map(int, answered)) == list(range(MAX_BULK_ITEMS))


async def test_others_have_their_turn_between_the_commands_of_one_message(
    gateway: LiveGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With no time for a turn, each command has one of its own; the order stays."""
    monkeypatch.setattr(command_stream, "TURN_SECONDS", -1.0)
    begun: list[int] = []
    turns = 0
    real = command_stream.CommandStream._begin

    def begin(stream: Any, session: Any, streamed: pb.MxStreamCommand) -> None:
        begun.append(turns)
        real(stream, session, streamed)

    monkeypatch.setattr(command_stream.CommandStream, "_begin", begin)
    session = await gateway.open()
    commands = [pb.MxStreamCommand(correlation_id=str(number), command=command("PING")) for number in range(50)]
    batch = pb.MxCommandBatch(session_id=session, commands=commands).SerializeToString()
    stream = gateway.channel.stream_stream(INVOKE_STREAM)(iter([batch]), metadata=gateway.auth)

    async def count_turns() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    counting = asyncio.create_task(count_turns())
    answered = [
        reply.correlation_id async for data in stream for reply in pb.MxCommandReplyBatch.FromString(data).replies
    ]
    counting.cancel()
    assert answered == [str(number) for number in range(50)]
    assert len(set(begun)) == 50


async def test_a_command_that_is_too_long_in_a_long_message_is_refused_alone(gateway: LiveGateway) -> None:
    session = await gateway.open()
    many = pb.MxValue(array_value=pb.MxArray(int32_values=pb.Int32Array(values=[1] * 300_000)))
    commands = [
        pb.MxStreamCommand(correlation_id="before", command=command("PING")),
        pb.MxStreamCommand(correlation_id="many", command=command("WRITE", value=many)),
        pb.MxStreamCommand(correlation_id="long", command=command("PING", message="x" * (MAX_REQUEST_BYTES + 1))),
        pb.MxStreamCommand(correlation_id="after", command=command("PING")),
    ]
    batch = pb.MxCommandBatch(session_id=session, commands=commands).SerializeToString()
    replies = {}
    async with grpc.aio.insecure_channel(gateway.running.endpoints[0].address, options=LARGE) as channel:
        async for data in channel.stream_stream(INVOKE_STREAM)(iter([batch]), metadata=gateway.auth):
            for reply in pb.MxCommandReplyBatch.FromString(data).replies:
                replies[reply.correlation_id] = (reply.protocol_status.code, reply.kind)
    assert replies == {
        "before": (pb.PROTOCOL_STATUS_CODE_OK, pb.MX_COMMAND_KIND_PING),
        "many": (pb.PROTOCOL_STATUS_CODE_INVALID_REQUEST, pb.MX_COMMAND_KIND_WRITE),
        "long": (pb.PROTOCOL_STATUS_CODE_RESOURCE_EXHAUSTED, pb.MX_COMMAND_KIND_PING),
        "after": (pb.PROTOCOL_STATUS_CODE_OK, pb.MX_COMMAND_KIND_PING),
    }


async def test_a_key_whose_requests_do_not_come_waits_and_no_other_does(gateway: LiveGateway) -> None:
    other = bearer(await create_key(gateway.settings, "slow", [str(scope) for scope in Scope]))
    slow = [gateway.channel.stream_unary(INVOKE)(metadata=other) for _ in range(3 * FEWEST_BODIES)]
    await eventually(lambda: gateway_bodies(gateway, "slow") == FEWEST_BODIES)
    session = await gateway.open()
    assert (await gateway.ping(session)).protocol_status.code == pb.PROTOCOL_STATUS_CODE_OK
    for call in slow:
        call.cancel()
    await eventually(lambda: gateway_bodies(gateway, "slow") == 0)


class Request:
    """Stands for a parsed message; can be watched to be gone."""


async def test_a_request_that_is_refused_is_let_go_at_once() -> None:
    """Without the garbage collector, which may not look for minutes at what is old."""
    watched: list[weakref.ref[Request]] = []

    def parse(_: bytes) -> Request:
        request = Request()
        watched.append(weakref.ref(request))
        return request

    def deeper(request: Request) -> None:
        try:
            raise KeyError(str(request))
        except KeyError as error:
            raise InvalidRequestError("no") from error

    async def unary(request: Request, _: Any) -> bytes:
        deeper(request)
        return b""

    async def stream(request: Request, _: Any) -> AsyncIterator[bytes]:
        yield b"first"
        deeper(request)

    async def broken(request: Request, _: Any) -> bytes:
        raise RuntimeError(f"{request} was not expected")

    handlers = {
        "Unary": grpc.unary_unary_rpc_method_handler(unary, parse, None),
        "Stream": grpc.unary_stream_rpc_method_handler(stream, parse, None),
        "Broken": grpc.unary_unary_rpc_method_handler(broken, parse, None),
    }
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((open_guard().over((grpc.method_handlers_generic_handler("test", handlers),)),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    gc.collect()
    gc.disable()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            for name, make in (
                ("Unary", channel.unary_unary),
                ("Broken", channel.unary_unary),
                ("Stream", channel.unary_stream),
            ):
                call = make(f"/test/{name}")(b"x")
                with pytest.raises(grpc.aio.AioRpcError):
                    await all_of(call)
        await eventually(all_gone(watched))
    finally:
        gc.enable()
        await server.stop(0)
    assert len(watched) == 3


async def all_of(call: Any) -> None:
    if not hasattr(call, "read"):
        await call
        return
    while await call.read() is not grpc.aio.EOF:
        pass


def all_gone(watched: list[weakref.ref[Request]]) -> Callable[[], bool]:
    return lambda: all(each() is None for each in watched)
