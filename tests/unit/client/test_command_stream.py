"""The command stream: what waits travels together, and every outcome is the one of a unary call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest
from tests.support.fake_gateway import Abort, FakeGateway, failed, ok, running_fake
from tests.support.waiting import eventually

from mxgateway import (
    GatewayClient,
    MxAccessError,
    MxGatewayAuthorizationError,
    MxGatewayConnectionError,
    MxGatewayResourceError,
    MxGatewaySessionError,
    MxGatewayTimeoutError,
    MxGatewayTransportError,
    Session,
    command_stream,
)
from mxgateway.command_stream import WINDOW
from mxgateway.generated import mxaccess_gateway_pb2 as pb


@pytest.fixture
async def gateway() -> AsyncIterator[FakeGateway]:
    async with running_fake(FakeGateway(capabilities=("event-batches", "command-stream"))) as fake:
        yield fake


@pytest.fixture(autouse=True)
def no_stream_is_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine is; the tests of idle streams say otherwise."""
    monkeypatch.setattr(command_stream, "STALE_AFTER", float("inf"))


async def limited(gateway: FakeGateway) -> GatewayClient:
    return await GatewayClient.connect(endpoint=gateway.endpoint, plaintext=True, max_message_bytes=100_000)


async def test_announced_stream_is_used(gateway: FakeGateway, session: Session) -> None:
    """With the capability commands go over one stream that names its session once; Invoke is not called."""
    assert await session.register("n") == 1
    assert await session.add_item(1, "A.B") == 1
    assert (gateway.calls["InvokeStream"], gateway.calls.get("Invoke", 0)) == (1, 0)
    assert [batch.session_id for batch in gateway.batches if batch.session_id] == [session.session_id]
    assert gateway.metadata[-1]["authorization"].startswith("Bearer ")


async def test_concurrent_calls_travel_together(gateway: FakeGateway, session: Session) -> None:
    """Calls made at once share messages, keep their order, and each gets its own reply."""
    answers = await asyncio.gather(*(session.ping(str(n)) for n in range(50)))
    assert answers == [str(n) for n in range(50)]
    assert [sent.message for sent in gateway.commands_of("ping")] == answers
    assert len(gateway.batches) <= 5


async def test_window_bounds_what_is_under_way(gateway: FakeGateway, session: Session) -> None:
    """More commands than the window wait here, and all are answered in the end."""
    gateway.answer("ping", lambda request: None)
    tasks = [asyncio.ensure_future(session.ping(str(n))) for n in range(WINDOW + 20)]
    await eventually(lambda: len(gateway.commands) == WINDOW)
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(gateway.commands) == WINDOW
    for task in tasks[:20]:
        task.cancel()
    await eventually(lambda: len(gateway.commands) == WINDOW + 20)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_failures_are_those_of_a_unary_call(gateway: FakeGateway, session: Session) -> None:
    """Protocol statuses and MXAccess failures raise the same errors as over Invoke."""
    gateway.answer("write", pb.MxCommandReply(protocol_status=ok(), hresult=-2147024809))
    with pytest.raises(MxAccessError):
        await session.write(1, 2, 3)
    gateway.answer("advise", pb.MxCommandReply(protocol_status=failed(pb.PROTOCOL_STATUS_CODE_PERMISSION_DENIED, "no")))
    with pytest.raises(MxGatewayAuthorizationError, match="Advise: no"):
        await session.advise(1, 2)


async def test_deadline_cancels_in_the_gateway(gateway: FakeGateway, session: Session) -> None:
    """A call that times out raises, tells the gateway, and a late reply is ignored; the stream goes on."""
    gateway.answer("ping", lambda request: None)
    ping = pb.MxCommand(kind=pb.MX_COMMAND_KIND_PING, ping=pb.PingCommand())
    waiting = asyncio.ensure_future(session.invoke(ping, timeout=30.0))
    await eventually(lambda: len(gateway.commands) == 1)
    commands = session._commands
    assert commands is not None
    (pending,) = commands._under_way.values()
    pending.deadline = asyncio.get_running_loop().time()
    commands._look_at_deadlines()
    with pytest.raises(MxGatewayTimeoutError, match="no reply within 30 s"):
        await waiting
    late = gateway.commands[-1].client_correlation_id
    await eventually(lambda: late in [i for b in gateway.batches for i in b.cancel_correlation_ids])
    del gateway.answers["ping"]
    assert await session.ping("x") == "x"
    sent = next(c for b in gateway.batches for c in b.commands)
    assert sent.timeout.ToMilliseconds() == 30_000


async def test_a_shorter_deadline_that_comes_later_ends_first(gateway: FakeGateway, client: GatewayClient) -> None:
    """All deadlines of a stream share a timer, which closing the session stops."""
    session = await client.open_session()
    gateway.answer("ping", lambda request: None)
    ping = pb.MxCommand(kind=pb.MX_COMMAND_KIND_PING, ping=pb.PingCommand())
    long = asyncio.ensure_future(session.invoke(ping, timeout=30.0))
    await eventually(lambda: len(gateway.commands) == 1)
    with pytest.raises(MxGatewayTimeoutError, match=r"no reply within 0\.02 s"):
        await session.invoke(ping, timeout=0.02)
    assert not long.done()
    commands = session._commands
    assert commands is not None
    (pending,) = commands._under_way.values()
    assert commands._timer_at == pending.deadline
    await session.close()
    with pytest.raises(MxGatewaySessionError):
        await long
    assert commands._timer is None


async def test_cancelling_a_task_cancels_its_command(gateway: FakeGateway, session: Session) -> None:
    """Cancelling the waiting task tells the gateway and leaves other calls alone."""
    gateway.answer("ping", lambda request: None)
    task = asyncio.ensure_future(session.ping())
    await eventually(lambda: len(gateway.commands) == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await eventually(lambda: any(batch.cancel_correlation_ids for batch in gateway.batches))
    assert await session.register("n") == 1


async def test_broken_stream_fails_what_waits_and_is_reopened(gateway: FakeGateway, session: Session) -> None:
    """A stream that breaks fails its calls with the typed error, once each; the next call opens a new one."""
    gateway.answer("ping", lambda request: Abort(grpc.StatusCode.UNAVAILABLE, "going away"))
    results = await asyncio.gather(*(session.ping() for _ in range(3)), return_exceptions=True)
    assert all(isinstance(result, MxGatewayConnectionError) for result in results)
    assert len({result.correlation_id for result in results}) == 3  # type: ignore[union-attr]
    sent = len(gateway.commands)
    del gateway.answers["ping"]
    assert await session.ping("again") == "again"
    assert len(gateway.commands) == sent + 1
    assert gateway.calls["InvokeStream"] == 2


async def test_gateway_without_the_rpc_gets_unary_calls(gateway: FakeGateway, session: Session) -> None:
    """UNIMPLEMENTED switches this session to unary calls for good."""
    gateway.script("InvokeStream", Abort(grpc.StatusCode.UNIMPLEMENTED, "no"))
    with pytest.raises(MxGatewayTransportError):
        await session.ping()
    assert await session.ping("x") == "x"
    assert gateway.calls["Invoke"] == 1


async def test_same_correlation_id_twice_goes_unary(gateway: FakeGateway, session: Session) -> None:
    """A caller's own correlation id that is under way already cannot go over the stream, so it goes as a unary call."""
    gateway.answer("advise", lambda request: None if len(gateway.commands) == 1 else gateway.reply(request))
    command = pb.MxCommand(kind=pb.MX_COMMAND_KIND_ADVISE, advise=pb.AdviseCommand())
    first = asyncio.ensure_future(session.invoke(command, correlation_id="mine"))
    await eventually(lambda: len(gateway.commands) == 1)
    await session.invoke(command, correlation_id="mine")
    assert gateway.calls["Invoke"] == 1
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)


async def test_close_fails_what_still_waits(gateway: FakeGateway, client: GatewayClient) -> None:
    """Closing the session ends the stream, and a call that still waits raises a session error."""
    session = await client.open_session()
    gateway.answer("ping", lambda request: None)
    call = asyncio.ensure_future(session.ping())
    await eventually(lambda: len(gateway.commands) == 1)
    await session.close()
    with pytest.raises(MxGatewaySessionError):
        await call
    await eventually(lambda: gateway.streams_open == 0)


async def test_closing_the_client_fails_what_still_waits(gateway: FakeGateway, client: GatewayClient) -> None:
    """Closing the client under a session fails its calls with a transport error and leaves no task."""
    session = await client.open_session()
    gateway.answer("ping", lambda request: None)
    call = asyncio.ensure_future(session.ping())
    await eventually(lambda: len(gateway.commands) == 1)
    await client.close()
    with pytest.raises(MxGatewayTransportError):
        await call


async def test_a_command_above_the_limit_is_refused_alone(gateway: FakeGateway) -> None:
    """Over the stream gRPC would end every call that is under way with it; so it is refused before, and named."""
    async with await limited(gateway) as client, await client.open_session() as own:
        too_long = pb.MxCommandRequest(command=pb.MxCommand(ping=pb.PingCommand(message="x" * 100_001)))
        others = [asyncio.ensure_future(own.ping(str(n))) for n in range(10)]
        for call in (
            lambda: own.write(1, 1, "x" * 100_001),
            lambda: own.write_bulk(1, [(1, "x" * 60_000), (2, "x" * 60_000)]),
            lambda: client.invoke_raw(too_long),
        ):
            with pytest.raises(MxGatewayResourceError, match=r"limit of a message, 100000 \(max_mess") as caught:
                await call()
            assert (caught.value.grpc_code, caught.value.retryable) == (grpc.StatusCode.RESOURCE_EXHAUSTED, False)
        assert [await each for each in others] == [str(n) for n in range(10)]
        assert gateway.commands_of("write") == []


async def test_commands_that_fit_alone_are_not_joined_beyond_the_limit(gateway: FakeGateway) -> None:
    """What waits travels in one message, as far as that stays within the limit."""
    async with await limited(gateway) as client, await client.open_session() as own:
        texts = ["x" * 60_000 for _ in range(5)]
        assert await asyncio.gather(*map(own.ping, texts)) == texts
        assert await own.ping("x" * 99_000)


async def test_a_stream_that_stood_idle_is_replaced(
    gateway: FakeGateway, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy may be ending it just when the command comes; commands that follow closely share one, also at once."""
    assert await session.ping("1") == "1"
    assert await session.ping("2") == "2"
    assert gateway.calls["InvokeStream"] == 1
    monkeypatch.setattr(command_stream, "STALE_AFTER", 0.0)
    assert await session.ping("3") == "3"
    await eventually(lambda: gateway.streams_open == 1)
    assert gateway.calls["InvokeStream"] == 2
    assert await asyncio.gather(*(session.ping(str(n)) for n in range(20))) == [str(n) for n in range(20)]
    await eventually(lambda: gateway.streams_open == 1)
    assert len(gateway.commands_of("ping")) == 23


async def test_a_command_under_way_keeps_its_stream(
    gateway: FakeGateway, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long it takes: the stream is not idle."""
    monkeypatch.setattr(command_stream, "STALE_AFTER", 0.0)
    gateway.answer("add_item", None)  # no reply for now
    adding = asyncio.ensure_future(session.add_item(1, "A.B"))
    await eventually(lambda: len(gateway.commands_of("add_item")) == 1)
    assert await session.ping("x") == "x"
    assert gateway.calls["InvokeStream"] == 1
    adding.cancel()
    await asyncio.wait([adding])
