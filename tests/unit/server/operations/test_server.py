"""The HTTP listener: begun and ended by the gateway, with the certificate of the moment, and bounded."""

from __future__ import annotations

import asyncio
import datetime
import importlib
import re
import signal
import socket
import ssl
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from tests.support.http import fetch
from tests.support.waiting import eventually

from mxgateway_server.certificates.automatic import AutomaticCertificate
from mxgateway_server.certificates.presented import HostNames, ServerCertificate
from mxgateway_server.errors import ConfigurationError
from mxgateway_server.health.readiness import CheckStatus, HealthStatus
from mxgateway_server.operations import connections, turnstile
from mxgateway_server.operations import server as module
from mxgateway_server.operations.app import health_routes, operations_app
from mxgateway_server.operations.connections import greet
from mxgateway_server.operations.door import Door
from mxgateway_server.operations.server import HttpEndpoint, OperationsServer
from mxgateway_server.operations.turnstile import Turnstile


async def _hello(_: Request) -> Response:
    return PlainTextResponse("hello")


HELLO = operations_app([Route("/hello", _hello)])


def endpoint(app: Any = HELLO, address: str = "127.0.0.1:0", **given: Any) -> HttpEndpoint:
    return HttpEndpoint(
        **{"setting": "operations.listen", "address": address, "is_tls": False, "is_asked_for": True, "app": app}
        | given
    )


@asynccontextmanager
async def serving(
    endpoint: HttpEndpoint, certificate: Any = None
) -> AsyncIterator[tuple[str, OperationsServer, asyncio.Task[None]]]:
    server = OperationsServer([endpoint], certificate)
    (url,) = server.start()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(server.run())
        try:
            yield url, server, task
        finally:
            await server.stop()


async def test_what_is_listed_is_served_and_nothing_else() -> None:
    async with serving(endpoint()) as (url, _, _):
        assert url.startswith("http://127.0.0.1:")
        assert (await fetch(f"{url}/hello")).body == b"hello"
        assert (await fetch(f"{url}/")).status == 404
        assert (await fetch(f"{url}/hello/more")).status == 404
        assert (await fetch(f"{url}/hello", method="POST")).status == 405
        assert "server" not in (await fetch(f"{url}/hello")).headers


async def test_signals_are_left_to_the_gateway() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    async with serving(endpoint()) as (url, _, _):
        await fetch(f"{url}/hello")
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


@pytest.mark.parametrize("is_asked_for", [True, False])
async def test_a_taken_port_is_an_error_only_where_it_was_asked_for(is_asked_for: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        free = endpoint(setting="operations.listen_plaintext")
        server = OperationsServer([free, endpoint(address=address, is_asked_for=is_asked_for)], None)
        if is_asked_for:
            with pytest.raises(ConfigurationError, match=r"operations\.listen = .* port is in use"):
                server.start()
        else:
            assert len(server.start()) == 1
        server.close()


@pytest.mark.parametrize("is_asked_for", [True, False])
async def test_after_an_upgrade_an_address_that_somebody_has_is_looked_for_until_it_is_free(
    is_asked_for: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sessions depend on this start, and they need no HTTP."""
    monkeypatch.setattr(module, "BIND_AGAIN_SECONDS", 0.01)
    looks = Counter[str]()
    bind = module._bind

    def counted(setting: str, address: str) -> list[socket.socket]:
        looks[address] += 1
        return bind(setting, address)

    monkeypatch.setattr(module, "_bind", counted)
    taken = socket.create_server(("127.0.0.1", 0))
    address = f"127.0.0.1:{taken.getsockname()[1]}"
    server = OperationsServer([endpoint(is_asked_for=is_asked_for)], None)
    assert server.start({"operations.listen": address}) == []
    assert server.addresses == {"operations.listen": address}, "the next upgrade looks there, too"
    async with asyncio.TaskGroup() as group:
        group.create_task(server.run())
        await eventually(lambda: looks[address] >= 4)
        taken.close()
        # As a page that was open keeps asking where it was.
        await eventually(lambda: bool(server._bound))
        assert (await fetch(f"http://{address}/hello")).body == b"hello"
        await server.stop()


async def test_who_waits_for_an_address_stops_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        server = OperationsServer([endpoint(address=address)], None)
        server.start({"listen": "127.0.0.1:1"})
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            running = group.create_task(server.run())
            await server.stop()
        assert running.done()


async def test_an_address_that_comes_free_while_all_stops_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """To look at it may take long; nobody serves there any more, and nobody waits for it."""
    monkeypatch.setattr(module, "BIND_AGAIN_SECONDS", 0.01)
    bind, found = module._bind, threading.Event()
    looks: list[list[socket.socket]] = []

    def slow(setting: str, address: str) -> list[socket.socket]:
        looks.append(bind(setting, address))
        found.wait(30)
        return looks[-1]

    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        server = OperationsServer([endpoint(address=address)], None)
        server.start({"listen": "127.0.0.1:1"})
    monkeypatch.setattr(module, "_bind", slow)
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        group.create_task(server.run())
        await eventually(lambda: bool(looks))
        await server.stop()
        found.set()
    assert all(each.fileno() == -1 for each in looks[-1])


async def test_a_default_that_the_program_before_did_not_get_is_not_looked_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        server = OperationsServer([endpoint(address=address, is_asked_for=False)], None)
        assert server.start({"listen": "127.0.0.1:1"}) == []
        assert server.addresses == {}
        await server.run()


async def test_after_an_upgrade_a_free_port_is_the_one_of_before() -> None:
    """Pages that are open find the gateway again."""
    first = OperationsServer([endpoint()], None)
    (url,) = first.start()
    first.close()
    second = OperationsServer([endpoint()], None)
    assert second.start(first.addresses) == [url]
    second.close()


async def test_localhost_has_one_port_for_both_kinds_of_addresses() -> None:
    async with serving(endpoint(address="localhost:0")) as (url, _, _):
        assert (await fetch(f"{url}/hello")).status == 200
        assert (await fetch(url.replace("localhost", "127.0.0.1") + "/hello")).status == 200


async def test_who_never_ends_his_request_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 0.02)
    async with serving(endpoint()) as (url, _, _):
        host, _, port = url.removeprefix("http://").partition(":")
        for sent in (b"", b"GET /hello HTTP/1.1\r\n", b"POST /hello HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nx"):
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(sent)
            async with asyncio.timeout(10):
                await _read_to_the_end(reader)
            writer.close()


async def test_more_headers_than_anybody_sends_are_refused_before_they_are_read() -> None:
    few = b"GET /hello HTTP/1.1\r\nhost: x\r\n" + b"a:b\r\n" * (connections.MOST_HEADERS - 2) + b"\r\n"
    many = few.removesuffix(b"\r\n") + b"a:b\r\n" * 2 + b"\r\n"
    body = b"POST /hello HTTP/1.1\r\nhost: x\r\ncontent-length: 300\r\n\r\n" + b"\n" * 300
    async with serving(endpoint()) as (url, _, _):
        host, _, port = url.removeprefix("http://").partition(":")
        for before, expected in (
            (b"", b"HTTP/1.1 200"),
            # It comes behind another one, in one piece with it.
            (few, b"HTTP/1.1 200 HTTP/1.1 200"),
            # Lines of a body are no headers.
            (body, b"HTTP/1.1 405 HTTP/1.1 200"),
        ):
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(before + few + many + few)
            async with asyncio.timeout(10):
                answers = await _read_to_the_end(reader)
            statuses = b" ".join(re.findall(rb"HTTP/1.1 \d+", answers))
            assert statuses == expected + b" HTTP/1.1 431"
            writer.close()
        # A head that is not even complete.
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(many.removesuffix(b"\r\n"))
        async with asyncio.timeout(10):
            assert b" 431 " in await _read_to_the_end(reader)
        writer.close()


async def test_requests_that_are_sent_in_one_piece_take_their_turns_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sends a hundred requests at once is one of many in line with each of them."""
    entered: list[bool] = []
    enter = Turnstile.enter

    def watch(self: Turnstile, work: Callable[[], None], address: str, *, is_first: bool) -> bool:
        entered.append(is_first)
        return enter(self, work, address, is_first=is_first)

    monkeypatch.setattr(Turnstile, "enter", watch)
    async with serving(endpoint()) as (url, _, _):
        host, _, port = url.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /hello HTTP/1.1\r\nhost: x\r\n\r\n" * 20)
        async with asyncio.timeout(10):
            for _ in range(20):
                await reader.readuntil(b"hello")
        writer.close()
    assert entered == [True] + [False] * 19


async def test_of_too_many_connections_the_oldest_strangers_go_and_who_is_signed_in_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def sign_in(request: Request) -> Response:
        request.scope["state"]["introduce"]("anna")
        return PlainTextResponse("hello, Anna")

    app = operations_app([Route("/hello", _hello), Route("/sign-in", sign_in)])
    monkeypatch.setattr(module, "OF_OPERATIONS", 2)
    async with serving(endpoint(app)) as (url, server, _):
        host, _, port = url.removeprefix("http://").partition(":")
        anna = await asyncio.open_connection(host, int(port))
        anna[1].write(b"GET /sign-in HTTP/1.1\r\nhost: x\r\n\r\n")
        await _read_until(anna[0], b"Anna")
        stranger = await asyncio.open_connection(host, int(port))
        assert (await fetch(f"{url}/hello")).body == b"hello"
        async with asyncio.timeout(10):
            assert await _read_to_the_end(stranger[0]) == b""
        anna[1].write(b"GET /hello HTTP/1.1\r\nhost: x\r\n\r\n")
        await _read_until(anna[0], b"hello")
        assert server.door.turned_away == 1
        for _, writer in (anna, stranger):
            writer.close()


async def test_who_waits_for_his_answer_keeps_his_place_before_who_asks_for_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun, goes_on = asyncio.Event(), asyncio.Event()

    async def slow(_: Request) -> Response:
        begun.set()
        await goes_on.wait()
        return PlainTextResponse("at last")

    app = operations_app([Route("/hello", _hello), Route("/slow", slow)])
    monkeypatch.setattr(module, "OF_OPERATIONS", 2)
    async with serving(endpoint(app)) as (url, server, _):
        host, _, port = url.removeprefix("http://").partition(":")
        patient = await asyncio.open_connection(host, int(port))
        patient[1].write(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n")
        await begun.wait()
        idle = await asyncio.open_connection(host, int(port))
        assert (await fetch(f"{url}/hello")).body == b"hello"
        async with asyncio.timeout(10):
            assert await _read_to_the_end(idle[0]) == b""
        goes_on.set()
        await _read_until(patient[0], b"at last")
        # Now it is the others' turn, and he is the oldest.
        others = [await asyncio.open_connection(host, int(port)) for _ in range(2)]
        await eventually(lambda: server.door.turned_away == 2)
        assert await _read_to_the_end(patient[0]) == b""
        for _, writer in (patient, idle, *others):
            writer.close()


async def test_half_a_request_waits_for_nothing_once_it_was_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turnstile, "A_TURN", 0)
    async with serving(endpoint()) as (url, server, _):
        host, _, port = url.removeprefix("http://").partition(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /hello HTTP/1.1\r\n")
        await eventually(lambda: len(server._turnstile) == 1)
        (guest,) = server.door._guests
        assert guest.waits
        monkeypatch.setattr(turnstile, "A_TURN", 1)
        server._turnstile._turn_later()
        await eventually(lambda: not guest.waits)
        writer.close()


async def test_who_stands_in_line_to_greet_keeps_his_place_before_who_says_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "OF_OPERATIONS", 2)
    # Nobody gets on.
    monkeypatch.setattr(turnstile, "A_TURN", 0)
    keeper = SimpleNamespace(current=made(tmp_path))
    async with serving(endpoint(address="localhost:0", is_tls=True), keeper) as (url, server, _):
        port = int(url.rpartition(":")[2])
        begun = await asyncio.open_connection("localhost", port)
        begun[1].write(b"\x16")
        await eventually(lambda: len(server._turnstile) == 1)
        silent = [await asyncio.open_connection("localhost", port) for _ in range(3)]
        await eventually(lambda: server.door.turned_away == 2)
        for reader, _ in silent[:2]:
            assert await _read_to_the_end(reader) == b""
        assert len(server._turnstile) == 1
        for _, writer in (begun, *silent):
            writer.close()


async def test_who_does_not_greet_is_counted_at_once_and_let_go(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A TLS connection is a file before TLS begins."""
    monkeypatch.setattr(module, "OF_OPERATIONS", 2)
    current = made(tmp_path)
    trusting = ssl.create_default_context(cafile=str(current.ca_file))
    keeper = SimpleNamespace(current=current)
    async with serving(endpoint(address="localhost:0", is_tls=True), keeper) as (url, server, _):
        port = int(url.rpartition(":")[2])
        silent = [await asyncio.open_connection("localhost", port) for _ in range(4)]
        await eventually(lambda: server.door.turned_away == 2)
        for reader, _ in silent[:2]:
            assert await _read_to_the_end(reader) == b""
        silent[2][1].write(b"GET /hello HTTP/1.1\r\n\r\n")
        assert b"HTTP" not in await _read_to_the_end(silent[2][0])
        assert (await fetch(f"{url}/hello", context=trusting)).body == b"hello"
        monkeypatch.setattr(connections, "HANDSHAKE_SECONDS", 0.02)
        late = await asyncio.open_connection("localhost", port)
        async with asyncio.timeout(10):
            assert await _read_to_the_end(late[0]) == b""
        for _, writer in (*silent, late):
            writer.close()
        await eventually(lambda: not len(server.door))


def test_it_works_on_uvloop_as_well(tmp_path: Path) -> None:
    """The gateway takes it where it is installed; it begins to read at another moment."""
    uvloop = pytest.importorskip("uvloop") if sys.platform == "win32" else importlib.import_module("uvloop")

    async def ask() -> bytes:
        current = made(tmp_path)
        trusting = ssl.create_default_context(cafile=str(current.ca_file))
        keeper = SimpleNamespace(current=current)
        async with serving(endpoint(address="localhost:0", is_tls=True), keeper) as (url, server, _):
            _, silent = await asyncio.open_connection("localhost", int(url.rpartition(":")[2]))
            answer = await fetch(f"{url}/hello", context=trusting)
            await eventually(lambda: len(server.door) == 1)
            silent.close()
            return answer.body

    assert asyncio.Runner(loop_factory=uvloop.new_event_loop).run(ask()) == b"hello"


async def test_who_takes_nothing_of_an_answer_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "STALL_SECONDS", 0.05)
    monkeypatch.setattr(connections, "FLUSH_SECONDS", 0.05)

    async def much(_: Request) -> Response:
        return PlainTextResponse("x" * 20_000_000)

    async with serving(endpoint(operations_app([Route("/much", much)]))) as (url, server, _):
        host, _, port = url.removeprefix("http://").partition(":")
        for asked in (b"GET /much HTTP/1.1\r\nhost: x\r\n\r\n", b"GET /much HTTP/1.0\r\nhost: x\r\n\r\n"):
            _, writer = await asyncio.open_connection(host, int(port), limit=1)
            writer.write(asked)
            await eventually(lambda: len(server.door) == 1)
            await eventually(lambda: not len(server.door))
            writer.close()


async def test_a_stream_that_heeds_the_end_ends_with_the_gateway() -> None:
    begun = asyncio.Event()

    async def endless(_: Request) -> Response:
        async def lines() -> AsyncIterator[bytes]:
            yield b"one\n"
            begun.set()
            await server.ending.wait()
            yield b"end\n"

        return StreamingResponse(lines())

    async with serving(endpoint(operations_app([Route("/stream", endless)]))) as (url, server, task):
        async with asyncio.TaskGroup() as group:
            answer = group.create_task(fetch(f"{url}/stream"))
            await begun.wait()
            await server.stop()
        assert answer.result().body == b"one\nend\n"
        async with asyncio.timeout(module.GRACE_SECONDS):
            await task


async def _read_until(reader: asyncio.StreamReader, text: bytes) -> None:
    async with asyncio.timeout(10):
        await reader.readuntil(text)


async def _read_to_the_end(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except ConnectionError:
        return b""


def made(folder: Path) -> ServerCertificate:
    source = AutomaticCertificate(folder, HostNames(), validity_years=1, renews=True)
    return source.load(datetime.datetime.now(datetime.UTC))


async def test_a_new_certificate_holds_from_the_next_handshake_on(tmp_path: Path) -> None:
    first, second = made(tmp_path / "first"), made(tmp_path / "second")
    keeper = SimpleNamespace(current=first)
    async with serving(endpoint(address="localhost:0", is_tls=True), keeper) as (url, _, _):
        for current, other in ((first, second), (second, first)):
            keeper.current = current
            trusting = ssl.create_default_context(cafile=str(current.ca_file))
            assert (await fetch(f"{url}/hello", context=trusting)).body == b"hello"
            with pytest.raises(ssl.SSLCertVerificationError):
                await fetch(f"{url}/hello", context=ssl.create_default_context(cafile=str(other.ca_file)))


def health(readiness: str) -> HealthStatus:
    check = CheckStatus(
        name="disk", is_ok=readiness == "ready", is_needed=False, since_seconds=3.0, reason="full", remedy="make room"
    )
    return HealthStatus(readiness=readiness, checks=(check,))


@pytest.mark.parametrize(("readiness", "status"), [("ready", 200), ("degraded", 200), ("not_ready", 503)])
async def test_readiness_is_told_to_all_and_its_reasons_to_this_machine(readiness: str, status: int) -> None:
    app = operations_app(health_routes(lambda: health(readiness), lambda: True))
    async with serving(endpoint(app)) as (url, _, _):
        answer = await fetch(f"{url}/health/ready")
        assert (answer.status, answer.json()["status"]) == (status, readiness)
        assert answer.json()["checks"]["disk"]["remedy"] == "make room"
        assert answer.headers["cache-control"] == "no-store"
        for header in ("Forwarded", "X-Forwarded-For", "X-Real-IP"):
            by_proxy = await fetch(f"{url}/health/ready", headers={header: "127.0.0.1"})
            assert (by_proxy.status, by_proxy.json()) == (status, {"status": readiness})


@pytest.mark.parametrize(("is_alive", "status"), [(True, 200), (False, 503)])
async def test_liveness_asks_nothing_of_others(is_alive: bool, status: int) -> None:
    app = operations_app(health_routes(lambda: health("not_ready"), lambda: is_alive))
    async with serving(endpoint(app)) as (url, _, _):
        assert (await fetch(f"{url}/health/live")).status == status


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        (("192.0.2.7", 1), "192.0.2.7"),
        (("2001:db8:1:2:3::4", 1, 0, 0), "2001:db8:1:2::/64"),
        (None, ""),
    ],
)
async def test_all_addresses_that_one_machine_may_use_count_as_one(
    monkeypatch: pytest.MonkeyPatch, peer: tuple[Any, ...] | None, address: str
) -> None:
    seen: list[str] = []

    class Connected:
        def getpeername(self) -> tuple[Any, ...]:
            if peer is None:
                raise OSError("it has gone")
            return peer

        def close(self) -> None:
            seen.append("closed")

    door = Door(1)
    monkeypatch.setattr(Door, "enter", lambda self, guest: seen.append(guest.address))

    async def gone(*_: Any, **__: Any) -> None:
        raise ConnectionResetError

    monkeypatch.setattr(asyncio.get_running_loop(), "connect_accepted_socket", gone)
    greeting = greet(cast(socket.socket, Connected()), door, Turnstile(), None, lambda _: asyncio.Protocol())
    await asyncio.create_task(greeting)
    assert seen == [address, "closed"]
