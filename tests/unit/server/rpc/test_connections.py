"""Which connections are open: names of peers, the system's table, and what is not known."""

from __future__ import annotations

import asyncio
import socket
import struct
import sys

import pytest
import structlog
from tests.support.tcp_server import tcp_server
from tests.support.waiting import eventually

from mxgateway_server.rpc.connections import Connection, ConnectionWatch, LinuxSockets, Peer, peer_of
from mxgateway_server.rpc.surplus import ConnectionLimits
from mxgateway_server.rpc.windows_sockets import rows4, rows6


@pytest.mark.parametrize(
    ("name", "peer"),
    [
        ("ipv4:10.0.0.1:5000", Peer("10.0.0.1", 5000)),
        ("ipv6:%5B::1%5D:41000", Peer("::1", 41000)),
        ("ipv6:[fe80::1%eth0]:9", Peer("fe80::1", 9)),
        ("ipv6:%5B::ffff:10.0.0.1%5D:7", Peer("10.0.0.1", 7)),
        ("unix:/run/gateway.sock", None),
        ("ipv4:10.0.0.1", None),
        ("", None),
    ],
)
def test_a_peer_is_read_from_the_name_that_grpc_gives_it(name: str, peer: Peer | None) -> None:
    assert peer_of(name) == peer


class Table:
    """A system's table that says what the test says."""

    def __init__(self) -> None:
        self.open: list[Connection] = []
        self.fails = False
        self.ports: frozenset[int] = frozenset()
        self.closes = True
        self.closed: list[Connection] = []
        self.number_of_files = 0.0
        self.looks = 0

    def close(self, connection: Connection) -> bool:
        if self.closes:
            self.closed.append(connection)
        return self.closes

    def files(self) -> float:
        return self.number_of_files

    def accepted(self, ports: frozenset[int]) -> list[Connection]:
        self.ports = ports
        self.looks += 1
        if self.fails:
            raise OSError(24, "too many open files")
        return self.open


def test_a_connection_is_open_as_long_as_the_table_has_it() -> None:
    table = Table()
    watch = ConnectionWatch(table)
    watch.listen_on([5001, 5000])
    assert watch.is_open("ipv4:10.0.0.1:5") is None
    table.open = [Connection(1, Peer("10.0.0.1", 5))]
    assert watch.look() == table.open
    assert table.ports == {5000, 5001}
    assert watch.is_open("ipv4:10.0.0.1:5") is True
    assert watch.is_open("ipv4:10.0.0.1:6") is False
    assert watch.is_open("unix:x") is None
    table.open = []
    watch.look()
    assert watch.is_open("ipv4:10.0.0.1:5") is False


def test_a_table_that_cannot_be_read_tells_nothing_of_any_connection() -> None:
    table = Table()
    watch = ConnectionWatch(table)
    watch.listen_on([5001])
    watch.look()
    table.fails = True
    with structlog.testing.capture_logs() as lines:
        watch.look()
        watch.look()
    assert watch.is_open("ipv4:10.0.0.1:5") is None
    assert [line["event"] for line in lines] == ["connections_unknown"]


def test_a_system_without_a_table_knows_nothing() -> None:
    watch = ConnectionWatch(None)
    watch.listen_on([5001])
    assert watch.look() == []
    assert watch.is_open("ipv4:10.0.0.1:5") is None


@pytest.mark.skipif(sys.platform != "linux", reason="the table of Linux")
async def test_the_table_of_linux_has_the_connections_to_ones_own_ports_and_no_others() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    table = LinuxSockets()
    async with tcp_server(serve) as port:
        first = socket.create_connection(("127.0.0.1", port))
        second = socket.create_connection(("127.0.0.1", port))
        await eventually(lambda: len(table.accepted(frozenset({port}))) == 2)
        found = table.accepted(frozenset({port}))
        ends = {Peer(*each.getsockname()) for each in (first, second)}
        assert {each.peer for each in found} == ends
        assert len({each.number for each in found}) == 2
        assert table.accepted(frozenset({port + 1})) == []
        first.close()
        await eventually(lambda: len(table.accepted(frozenset({port}))) == 1)
        (left,) = table.accepted(frozenset({port}))
        assert left.peer == Peer(*second.getsockname())
        second.close()
        await eventually(lambda: not table.accepted(frozenset({port})))


def test_the_tables_of_windows_are_read_row_by_row() -> None:
    def port(number: int) -> int:
        return socket.htons(number)

    row = struct.pack(
        "=I4sI4sII", 5, socket.inet_aton("127.0.0.1"), port(5001), socket.inet_aton("10.0.0.1"), port(41000), 77
    )
    assert rows4(struct.pack("=I", 2) + row + row) == [(5001, Peer("10.0.0.1", 41000), 77)] * 2
    assert rows4(struct.pack("=I", 0)) == []
    local, mapped = socket.inet_pton(socket.AF_INET6, "::1"), socket.inet_pton(socket.AF_INET6, "::ffff:10.0.0.2")
    row = struct.pack("=16sII16sIIII", local, 0, port(5001), mapped, 0, port(9), 5, 77)
    assert rows6(struct.pack("=I", 1) + row) == [(5001, Peer("10.0.0.2", 9), 77)]


LIMITS = ConnectionLimits(total=8, per_address=4, strangers=2)


def test_the_surplus_of_an_address_is_closed_and_whoever_showed_a_key_stays() -> None:
    table = Table()
    watch = ConnectionWatch(table, LIMITS)
    watch.listen_on([5001])
    table.open = [Connection(n, Peer("10.0.0.1", n)) for n in range(4)]
    watch.meet("ipv4:10.0.0.1:0")
    with structlog.testing.capture_logs() as lines:
        watch.look()
    # The same of those that came since the last look, in the system's order.
    assert [each.number for each in table.closed] == [1]
    assert (lines[0]["event"], lines[0]["address"], watch.closed) == ("connections_closed", "10.0.0.1", 1)
    assert "protocol.max_connections_per_address" in lines[0]["remedy"]
    assert not watch.is_refused("ipv4:10.0.0.1:1")


def test_where_connections_cannot_be_closed_their_calls_are_refused_until_they_are_few_enough() -> None:
    table = Table()
    table.closes = False
    watch = ConnectionWatch(table, LIMITS)
    watch.listen_on([5001])
    table.open = [Connection(n, Peer("10.0.0.1", n)) for n in range(5)]
    for n in range(5):
        watch.meet(f"ipv4:10.0.0.1:{n}")
    watch.look()
    assert [watch.is_refused(f"ipv4:10.0.0.1:{n}") for n in range(5)] == [False] * 4 + [True]
    del table.open[0]
    watch.look()
    assert not watch.is_refused("ipv4:10.0.0.1:4")


def test_between_the_looks_only_many_more_files_are_a_reason_to_look() -> None:
    table = Table()
    watch = ConnectionWatch(table, LIMITS)
    watch.listen_on([5001])
    table.number_of_files = 50
    watch.look_if_filling()
    watch.look_if_filling()
    assert table.looks == 1
    table.number_of_files = 60
    watch.look_if_filling()
    assert table.looks == 1
    table.number_of_files = 100
    table.open = [Connection(n, Peer("10.0.0.1", n)) for n in range(40)]
    watch.look_if_filling()
    assert (table.looks, len(table.closed)) == (2, 38)
    # Near a limit it is looked each time.
    watch.look_if_filling()
    assert table.looks == 3
    table.open, table.number_of_files = [], 50
    watch.look_if_filling()
    watch.look_if_filling()
    assert table.looks == 4


@pytest.mark.skipif(sys.platform != "linux", reason="the table of Linux")
async def test_on_linux_one_connection_is_closed_and_no_other() -> None:
    received: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append(await reader.read())
        writer.close()

    table = LinuxSockets()
    async with tcp_server(serve) as port:
        kept = socket.create_connection(("127.0.0.1", port))
        surplus = socket.create_connection(("127.0.0.1", port))
        surplus.settimeout(5)
        await eventually(lambda: len(table.accepted(frozenset({port}))) == 2)
        (one,) = [each for each in table.accepted(frozenset({port})) if each.peer == Peer(*surplus.getsockname())]
        assert table.close(one)
        assert await asyncio.to_thread(surplus.recv, 1) == b""
        surplus.close()
        await eventually(lambda: len(table.accepted(frozenset({port}))) == 1)
        # Once more, of what is gone: nothing happens, to the one that has its number now neither.
        assert table.close(one)
        kept.sendall(b"still here")
        kept.close()
        await eventually(lambda: b"still here" in received)
