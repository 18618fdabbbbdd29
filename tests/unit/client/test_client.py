"""GatewayClient: connecting, versions, keys on every call, retries, closing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import grpc
import pytest
from tests.support.fake_gateway import Abort, FakeGateway, failed
from tests.support.waiting import eventually
from tests.unit.client.conftest import API_KEY
from tests.unit.client.test_errors import details

from mxgateway import (
    ClientOptions,
    ConnectionState,
    GatewayClient,
    MxGatewayConnectionError,
    MxGatewayProtocolError,
    MxGatewayTimeoutError,
    MxGatewayTransportError,
    RetryPolicy,
)
from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway.replies import check_versions


async def test_both_forms_of_connect(gateway: FakeGateway) -> None:
    """connect takes keywords or options, but not both."""
    options = ClientOptions(endpoint=gateway.endpoint, plaintext=True)
    async with await GatewayClient.connect(options) as client:
        assert client.options is options
    async with await GatewayClient.connect(endpoint=gateway.endpoint, plaintext=True) as client:
        assert client.connection_state is ConnectionState.CONNECTED
    with pytest.raises(TypeError):
        await GatewayClient.connect(options, plaintext=True)
    with pytest.raises(TypeError):
        await GatewayClient.connect(endpoint="localhost:1", unknown=1)


async def test_key_travels_with_unary_calls_and_streams(gateway: FakeGateway, client: GatewayClient) -> None:
    """Every call carries `authorization: Bearer <key>`."""
    async with await client.open_session() as session:
        gateway.put(None)
        async for _ in session.stream_events():
            pass
        await session.ping()
    assert len(gateway.metadata) == 4
    assert {metadata["authorization"] for metadata in gateway.metadata} == {f"Bearer {API_KEY}"}


async def test_key_is_in_no_repr(client: GatewayClient) -> None:
    """The reprs of client and session do not show the key."""
    session = await client.open_session()
    assert "sentinel" not in repr(client) + repr(session) + repr(client.options)


async def test_unreachable_gateway_fails_at_once_with_its_cause() -> None:
    """A refused connection raises with address and cause, and leaves nothing open."""
    with pytest.raises(
        MxGatewayConnectionError, match=r"cannot reach 127\.0\.0\.1:1 without TLS: .*is the gateway running.*refused"
    ):
        await GatewayClient.connect(endpoint="127.0.0.1:1", plaintext=True)


async def test_tls_against_plaintext_says_what_is_wrong(gateway: FakeGateway) -> None:
    """TLS against a plaintext port fails and does not fall back."""
    with pytest.raises((MxGatewayConnectionError, MxGatewayTimeoutError), match=r"cannot reach|did not answer"):
        await GatewayClient.connect(endpoint=gateway.endpoint, connect_timeout=3)
    assert not gateway.requests


async def test_open_session_sends_its_settings(gateway: FakeGateway, client: GatewayClient) -> None:
    """The settings of open_session reach the request; a correlation id is made when none is given."""
    session = await client.open_session(
        client_session_name="me",
        requested_backend="simulator",
        command_timeout=timedelta(seconds=1.5),
        backend_options={"profile": "test"},
        backpressure_policy=pb.BACKPRESSURE_POLICY_CONFLATE,
    )
    sent = gateway.requests[0]
    assert (sent.client_session_name, sent.requested_backend) == ("me", "simulator")
    assert sent.command_timeout.ToTimedelta() == timedelta(seconds=1.5)
    assert dict(sent.backend_options) == {"profile": "test"}
    assert sent.client_correlation_id
    assert session.capabilities >= {"event-batches"}
    await client.open_session(command_timeout=2, correlation_id="mine")
    assert gateway.requests[1].command_timeout.seconds == 2
    assert gateway.requests[1].client_correlation_id == "mine"


async def test_other_protocol_version_is_refused_and_the_session_closed(
    gateway: FakeGateway, client: GatewayClient
) -> None:
    """A gateway of another protocol version raises, and the session it opened is closed again."""
    gateway.gateway_protocol_version = 99
    with pytest.raises(MxGatewayProtocolError, match="99"):
        await client.open_session()
    assert gateway.calls["CloseSession"] == 1
    assert (await client.open_session_raw(pb.OpenSessionRequest())).gateway_protocol_version == 99


@pytest.mark.parametrize(
    ("oldest", "newest", "fits"),
    [
        (0, 3, True),
        (3, 3, True),
        (2, 4, True),
        (3, 9, True),
        (0, 4, False),
        (0, 2, False),
        (4, 5, False),
        (2, 2, False),
    ],
)
def test_a_gateway_serves_every_client_from_the_oldest_that_it_names(oldest: int, newest: int, fits: bool) -> None:
    reply = pb.OpenSessionReply(minimum_client_protocol_version=oldest, gateway_protocol_version=newest)
    if fits:
        check_versions(reply)
    else:
        with pytest.raises(MxGatewayProtocolError, match=f"protocol version {newest}"):
            check_versions(reply)


async def test_refused_session_raises(gateway: FakeGateway, client: GatewayClient) -> None:
    """A protocol status that is no success raises from open_session and open_session_raw."""
    reply = pb.OpenSessionReply(protocol_status=failed(pb.PROTOCOL_STATUS_CODE_TIMEOUT, "no worker"))
    gateway.script("OpenSession", reply, reply)
    with pytest.raises(MxGatewayTimeoutError, match="no worker"):
        await client.open_session()
    with pytest.raises(MxGatewayTimeoutError):
        await client.open_session_raw(pb.OpenSessionRequest())


async def test_injected_stub_needs_no_connection() -> None:
    """A stub in place of the channel is called with timeout and metadata, and nothing is connected."""
    seen: dict[str, Any] = {}

    class Stub:
        async def OpenSession(self, request: Any, *, timeout: float | None, metadata: Any) -> pb.OpenSessionReply:
            seen.update(timeout=timeout, metadata=metadata)
            return pb.OpenSessionReply(
                session_id="s",
                gateway_protocol_version=3,
                protocol_status=failed(pb.PROTOCOL_STATUS_CODE_OK),
            )

    client = await GatewayClient.connect(endpoint="nowhere:1", api_key=API_KEY, stub=Stub())
    assert (await client.open_session()).session_id == "s"
    assert 0 < seen["timeout"] <= 30
    assert seen["metadata"] == (("authorization", f"Bearer {API_KEY}"),)
    await client.close()


async def test_closed_client_says_so(gateway: FakeGateway, client: GatewayClient) -> None:
    """Calls on a closed client raise a transport error; closing again does nothing."""
    session = await client.open_session()
    await client.close()
    await client.close()
    assert client.connection_state is ConnectionState.CLOSED
    for call in (session.ping(), client.open_session()):
        with pytest.raises(MxGatewayTransportError, match="closed"):
            await call
    with pytest.raises(MxGatewayTransportError, match="closed"):
        session.stream_events()


async def test_closing_the_client_fails_its_running_calls(gateway: FakeGateway, client: GatewayClient) -> None:
    """A call that runs while the client is closed raises a transport error and not CancelledError."""
    session = await client.open_session()
    gateway.script("Invoke", "hold")
    call = asyncio.ensure_future(session.ping())
    await eventually(lambda: gateway.calls.get("Invoke") == 1)
    await client.close()
    with pytest.raises(MxGatewayTransportError, match="closed"):
        await call


async def test_connection_states_are_observable(gateway: FakeGateway, client: GatewayClient) -> None:
    """connection_states yields the state now, and CLOSED at the end."""
    states, waiting = client.connection_states(), client.connection_states()
    assert await anext(states) is ConnectionState.CONNECTED
    assert await anext(waiting) is ConnectionState.CONNECTED
    waiter = asyncio.ensure_future(anext(waiting))
    await asyncio.sleep(0)
    await client.close()
    assert [state async for state in states] == [ConnectionState.CLOSED]
    assert await waiter is ConnectionState.CLOSED


@asynccontextmanager
async def retrying(gateway: FakeGateway, delays: list[float], policy: RetryPolicy) -> AsyncIterator[GatewayClient]:
    async with await GatewayClient.connect(endpoint=gateway.endpoint, plaintext=True, retry=policy) as client:

        async def sleep(seconds: float) -> None:
            delays.append(seconds)

        client._connection._sleep = sleep
        client._connection._jitter = lambda: 0.5
        yield client


UNAVAILABLE = Abort(grpc.StatusCode.UNAVAILABLE, "later")


async def test_calls_that_change_nothing_are_retried(gateway: FakeGateway) -> None:
    """With a policy a ping is repeated with growing delays until it succeeds."""
    delays: list[float] = []
    async with retrying(gateway, delays, RetryPolicy(max_attempts=4, initial_delay=0.1)) as client:
        gateway.script("Invoke", UNAVAILABLE, UNAVAILABLE)
        assert await client.attach_session("s").ping("x") == "x"
    assert delays == [0.05, 0.1]
    assert gateway.calls["Invoke"] == 3


async def test_retry_waits_as_long_as_the_gateway_asks(gateway: FakeGateway) -> None:
    """RetryInfo is a lower limit of the delay."""
    delays: list[float] = []
    async with retrying(gateway, delays, RetryPolicy(initial_delay=0.1)) as client:
        gateway.script("Invoke", Abort(grpc.StatusCode.UNAVAILABLE, "later", details("GATEWAY_STOPPING", 2.5)))
        await client.attach_session("s").ping()
    assert delays == [2.5]


async def test_attempts_are_bounded(gateway: FakeGateway) -> None:
    """After max_attempts the last error is raised; a delay beyond the deadline is not waited for."""
    delays: list[float] = []
    async with retrying(gateway, delays, RetryPolicy(max_attempts=2, initial_delay=0.1)) as client:
        gateway.script("Invoke", UNAVAILABLE, UNAVAILABLE)
        with pytest.raises(MxGatewayConnectionError):
            await client.attach_session("s").ping()
        assert gateway.calls["Invoke"] == 2
        gateway.script("Invoke", Abort(grpc.StatusCode.UNAVAILABLE, "later", details("X", 3600)))
        with pytest.raises(MxGatewayConnectionError):
            await client.attach_session("s").ping()
    assert delays == [0.05]


async def test_a_client_that_was_closed_while_an_attempt_failed_waits_for_no_other(gateway: FakeGateway) -> None:
    """The failure was there first, but its caller comes to know of it only after the closing."""
    delays: list[float] = []
    async with retrying(gateway, delays, RetryPolicy()) as client:

        async def fails_after_closing(*_: Any, **__: Any) -> pb.MxCommandReply:
            await client.close()
            raise grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), grpc.aio.Metadata(), "later")

        with pytest.raises(MxGatewayTransportError, match="closed"):
            await client._connection.unary(fails_after_closing, pb.MxCommandRequest(), "Ping", idempotent=True)
    assert delays == []


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.attach_session("s").write(1, 2, 3),
        lambda client: client.attach_session("s").write_bulk(1, [(1, 2)]),
        lambda client: client.attach_session("s").advise(1, 2),
        lambda client: client.attach_session("s").subscribe_bulk(1, ["A.B"]),
        lambda client: client.attach_session("s").register("n"),
        lambda client: client.attach_session("s").drain_events(),
        lambda client: client.attach_session("s").authenticate_user(1, "u", "p"),
        lambda client: client.open_session(),
    ],
)
async def test_what_changes_something_is_never_retried(gateway: FakeGateway, call: Any) -> None:
    """Writes, subscriptions, logins and session openings are sent once, with a policy too."""
    delays: list[float] = []
    async with retrying(gateway, delays, RetryPolicy()) as client:
        gateway.script("Invoke", UNAVAILABLE)
        gateway.script("OpenSession", UNAVAILABLE)
        with pytest.raises(MxGatewayConnectionError):
            await call(client)
    assert sum(gateway.calls.values()) == 1
    assert delays == []


async def test_nothing_is_retried_without_a_policy_nor_after_a_deadline(
    gateway: FakeGateway, client: GatewayClient
) -> None:
    """Without a policy one attempt is made; DEADLINE_EXCEEDED is never repeated."""
    gateway.script("Invoke", UNAVAILABLE)
    with pytest.raises(MxGatewayConnectionError):
        await client.attach_session("s").ping()
    delays: list[float] = []
    async with retrying(gateway, delays, RetryPolicy()) as patient:
        gateway.script("Invoke", Abort(grpc.StatusCode.DEADLINE_EXCEEDED, "slow"))
        with pytest.raises(MxGatewayTimeoutError):
            await patient.attach_session("s").ping()
    assert delays == []


async def test_alarm_calls(gateway: FakeGateway, client: GatewayClient) -> None:
    """The alarm rpcs take and give the generated messages."""
    alarms = [a async for a in client.query_active_alarms(pb.QueryActiveAlarmsRequest())]
    assert alarms[0].alarm_full_reference.endswith("TestAlarm001")
    feed = [m.WhichOneof("payload") async for m in client.stream_alarms(pb.StreamAlarmsRequest())]
    assert feed == ["active_alarm", "snapshot_complete"]
    reply = await client.acknowledge_alarm(pb.AcknowledgeAlarmRequest(client_correlation_id="c"))
    assert reply.correlation_id == "c"


async def test_sessions_are_listed_as_the_gateway_tells_them(gateway: FakeGateway) -> None:
    """list_sessions gives the summaries; own_only travels with the question."""
    gateway.script("ListSessions", pb.ListSessionsReply(sessions=[pb.SessionSummary(session_id="session-1")]))
    async with await GatewayClient.connect(endpoint=gateway.endpoint, plaintext=True) as client:
        assert [each.session_id for each in await client.list_sessions(own_only=True)] == ["session-1"]
    assert gateway.requests[-1].own_only
