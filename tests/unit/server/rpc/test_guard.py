"""The gate before every method: who is let in, what everybody else is told, and what is written down of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import grpc
import grpc.aio
import pytest
import structlog
from sqlalchemy.exc import OperationalError
from tests.support.clock import ManualClock

from mxgateway_server.access.audit import AuditLog
from mxgateway_server.access.authenticator import Authenticator, Caller
from mxgateway_server.access.callers import current_call
from mxgateway_server.access.records import AuditRecord
from mxgateway_server.access.refusal_log import RefusalLog
from mxgateway_server.access.scopes import Scope
from mxgateway_server.access.shares import LARGE_BODY, Shares
from mxgateway_server.counters import Counters
from mxgateway_server.errors import AuthenticationError, KeyRefusal, OwnerMismatchError, SessionNotFoundError
from mxgateway_server.rpc.connections import ConnectionWatch
from mxgateway_server.rpc.errors import CORRELATION_KEY
from mxgateway_server.rpc.guard import Guard, peer_host
from mxgateway_server.rpc.live_streams import LiveStreams

SERVICE = "mxaccess_gateway.v1.MxAccessGateway"
CLOSE = f"/{SERVICE}/CloseSession"
STREAM = f"/{SERVICE}/StreamEvents"
HEALTH = "grpc.health.v1.Health"
CALLERS = {
    "admin": Caller(key_id="admin", scopes=frozenset({Scope.ADMIN})),
    "closer": Caller(key_id="closer", scopes=frozenset({Scope.SESSION_CLOSE})),
    "streamer": Caller(key_id="streamer", scopes=frozenset({Scope.EVENTS_READ})),
    "reader": Caller(key_id="reader", scopes=frozenset({Scope.INVOKE_READ})),
}


class Doorkeeper:
    """Knows callers by their header."""

    def known(self, header: str) -> Caller | None:
        return None

    async def authenticate(self, header: str, address: str) -> Caller:
        assert address == "127.0.0.1"
        if header == "broken":
            raise OperationalError("SELECT", {}, OSError("disk"))
        if header == "odd":
            raise LookupError("secret words")
        if header not in CALLERS:
            kind = KeyRefusal.THROTTLED if header == "hurried" else KeyRefusal.SECRET_MISMATCH
            raise AuthenticationError(kind, "someone", waits=2.0)
        return CALLERS[header]


class Notebook:
    """An audit that only remembers."""

    def __init__(self) -> None:
        self.failures: list[AuditRecord] = []
        self.denials: list[AuditRecord] = []
        self.add_failure = self.failures.append
        self.add_denial = self.denials.append


class House:
    """One method behind a guard, and what is known of its calls."""

    def __init__(self, channel: grpc.aio.Channel, audit: Notebook, shares: Shares) -> None:
        self._channel = channel
        self.audit = audit
        self.shares = shares
        self.correlation_id = ""

    async def ring(self, header: str | None, method: str = CLOSE, **metadata: str) -> tuple[grpc.StatusCode, str]:
        """The outcome of one call."""
        shown = [(name.replace("_", "-"), value) for name, value in metadata.items()]
        if header is not None:
            shown.append(("authorization", header))
        call = self._channel.unary_unary(method)(b"x", metadata=tuple(shown))
        code, text = await call.code(), await call.details()
        self.correlation_id = str(dict(await call.trailing_metadata())[CORRELATION_KEY])
        return code, text or ""


@asynccontextmanager
async def house(
    answer: Callable[[], Awaitable[bytes]],
    *,
    has_keys: bool = True,
    counters: Counters | None = None,
    connections: ConnectionWatch | None = None,
) -> AsyncIterator[House]:
    async def handle(_: bytes, __: Any) -> bytes:
        return await answer()

    async def write(_: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> None:
        await context.write(await answer())

    audit, clock, shares = Notebook(), ManualClock(), Shares()
    guard = Guard(
        cast(Authenticator, Doorkeeper()) if has_keys else None,
        cast(AuditLog, audit),
        LiveStreams(),
        RefusalLog(clock),
        connections or ConnectionWatch(None),
        shares,
        counters=counters,
    )
    handlers = {
        "CloseSession": grpc.unary_unary_rpc_method_handler(handle),
        "StreamEvents": grpc.unary_stream_rpc_method_handler(write),
    }
    public = {"Check": grpc.unary_unary_rpc_method_handler(handle)}
    services = [
        grpc.method_handlers_generic_handler(SERVICE, handlers),
        grpc.method_handlers_generic_handler(HEALTH, public),
    ]
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((guard.over(services),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield House(channel, audit, shares)
    await server.stop(None)


async def fine() -> bytes:
    return b"done"


async def test_who_is_let_in_and_what_the_others_are_told() -> None:
    """By scope; nobody learns why a key is not taken; a store that cannot be asked is no refusal."""
    async with house(fine) as door:
        outcomes = {
            header: (await door.ring(header))[0].name
            for header in ("admin", "closer", "reader", "nobody", "hurried", "", "broken", "odd")
        }
        assert outcomes == {
            "admin": "PERMISSION_DENIED",
            "closer": "OK",
            "reader": "PERMISSION_DENIED",
            "nobody": "UNAUTHENTICATED",
            "hurried": "UNAUTHENTICATED",
            "": "UNAUTHENTICATED",
            "broken": "UNAVAILABLE",
            "odd": "UNAVAILABLE",
        }
        assert "secret words" not in (await door.ring("odd"))[1]
        assert (await door.ring("nobody"))[1] == (await door.ring("hurried"))[1] == (await door.ring(None))[1]


async def test_refusals_are_in_the_audit_with_key_method_and_correlation() -> None:
    """What is throttled is not: it would be a way to fill the audit."""
    async with house(fine) as door:
        await door.ring("reader")
        (denied,) = door.audit.denials
        assert (denied.key_id, denied.remote_address, denied.correlation_id) == (
            "reader",
            "127.0.0.1",
            door.correlation_id,
        )
        assert denied.details["method"] == CLOSE
        assert "session:close" in denied.details["reason"]
        await door.ring("hurried")
        assert door.audit.failures == []
        await door.ring("nobody")
        (failure,) = door.audit.failures
        assert (failure.key_id, failure.outcome) == ("someone", KeyRefusal.SECRET_MISMATCH)


async def test_a_method_that_nobody_has_tells_strangers_no_more_than_others() -> None:
    async with house(fine) as door:
        for method in (f"/{SERVICE}/Nothing", "/other.Service/Method", f"/{SERVICE}/" + "x" * 5000):
            assert (await door.ring("nobody", method))[0] is grpc.StatusCode.UNAUTHENTICATED
            assert (await door.ring("reader", method))[0] is grpc.StatusCode.UNIMPLEMENTED


async def test_a_connection_that_is_too_many_and_cannot_be_closed_is_told_so() -> None:
    """Where the system lets nobody close it; a stranger hears of his key, and nothing of connections."""

    class Crowded(ConnectionWatch):
        def is_refused(self, name: str) -> bool:
            return True

    async with house(fine, connections=Crowded(None)) as door:
        code, text = await door.ring("closer")
        assert (code, "protocol.max_connections_per_address" in text) == (grpc.StatusCode.RESOURCE_EXHAUSTED, True)
        assert (await door.ring("nobody"))[0] is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize("method", [CLOSE, STREAM])
async def test_a_large_request_holds_a_place_of_its_key_until_the_call_ends(method: str) -> None:
    held: list[int] = []
    who = "closer" if method == CLOSE else "streamer"

    async def look() -> bytes:
        held.append(door.shares.of(who).bodies)
        return b"done"

    async with house(look) as door:
        call = door._channel.stream_stream(method)(iter([bytes(LARGE_BODY + 1)]), metadata=(("authorization", who),))
        assert [reply async for reply in call] == [b"done"]
        assert (held, door.shares.of(who).bodies) == ([1], 0)


async def test_a_call_that_needs_no_key_has_little_time_for_its_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else strangers hold the few places that they have for as long as they like; whoever has a key may be slow."""
    monkeypatch.setattr("mxgateway_server.rpc.guard.MAX_STRANGER_SECONDS", 0.05)
    async with house(fine) as door:
        slow = door._channel.stream_unary(CLOSE)(metadata=(("authorization", "closer"),))
        stranger = door._channel.stream_unary(f"/{HEALTH}/Check")()
        assert await stranger.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert not slow.done()
        await slow.write(b"x")
        assert await slow == b"done"


async def test_without_keys_everybody_may() -> None:
    async with house(fine, has_keys=False) as door:
        assert (await door.ring(None))[0] is grpc.StatusCode.OK


@pytest.mark.parametrize("given", ["mine-1", "x" * 5000])
async def test_the_correlation_is_the_callers_where_it_is_sound(given: str) -> None:
    """Else one of the gateway's own: it stands in logs."""
    async with house(fine) as door:
        code, _ = await door.ring("closer", **{CORRELATION_KEY.replace("-", "_"): given})
        assert code is grpc.StatusCode.OK
        assert (door.correlation_id == given) == (given == "mine-1")
        first = door.correlation_id
        await door.ring("closer")
        assert door.correlation_id not in ("", first)


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (SessionNotFoundError("no such session"), grpc.StatusCode.NOT_FOUND, "no such session"),
        (ZeroDivisionError("secret words"), grpc.StatusCode.INTERNAL, "the gateway's log has it"),
        (NotImplementedError("secret words"), grpc.StatusCode.UNIMPLEMENTED, "does not have the method"),
    ],
)
async def test_an_error_is_told_as_far_as_it_is_the_callers_business(
    error: Exception, code: grpc.StatusCode, told: str
) -> None:
    async def fail() -> bytes:
        raise error

    async with house(fail) as door:
        got, text = await door.ring("closer")
        assert (got, told in text, "secret" in text) == (code, True, False)
        assert error.__traceback__ is None, "frames would keep the request"


async def test_a_caller_who_is_gone_when_a_message_is_sent_is_no_error() -> None:
    """gRPC fails the sending before it cancels the handler; nobody must look for a fault in the log then."""
    counters = Counters()

    async def fail() -> bytes:
        raise grpc.aio.InternalError("Failed 'execute_batch'")

    with structlog.testing.capture_logs() as told:
        async with house(fail, counters=counters) as door:
            call = door._channel.unary_stream(STREAM)(b"x", metadata=(("authorization", "streamer"),))
            await call.code()
    assert dict(counters.stream_ends) == {"client": 1}
    assert dict(counters.rpc(STREAM.removeprefix("/")).codes) == {"CANCELLED": 1}
    assert [(each["event"], each["log_level"]) for each in told] == [("stream_not_delivered", "info")]


async def test_another_keys_session_is_a_denial_in_the_audit() -> None:
    async def fail() -> bytes:
        raise OwnerMismatchError("session-7")

    async with house(fail) as door:
        assert (await door.ring("closer"))[0] is grpc.StatusCode.PERMISSION_DENIED
        (denied,) = door.audit.denials
        assert (denied.key_id, denied.session_id) == ("closer", "session-7")


async def test_a_handler_knows_who_calls() -> None:
    async def who() -> bytes:
        call = current_call()
        return f"{call.caller.key_id} {call.method}".encode()

    async with house(who) as door:
        call = door._channel.unary_unary(CLOSE)(b"x", metadata=(("authorization", "closer"),))
        assert await call == f"closer {CLOSE}".encode()


@pytest.mark.parametrize(
    ("peer", "host"),
    [
        ("ipv4:10.0.0.1:5000", "10.0.0.1"),
        ("ipv6:[::1]:5000", "::1"),
        ("ipv6:%5B2001:db8::1%5D:5000", "2001:db8::1"),
        ("unix:/run/gateway.sock", "unix:/run/gateway.sock"),
        ("", ""),
    ],
)
def test_the_host_of_a_peer(peer: str, host: str) -> None:
    assert peer_host(peer) == host
