"""This process's TCP connections on Windows, from the table of the IP helper library."""

from __future__ import annotations

import ctypes
import ipaddress
import os
import socket
import struct

from mxgateway_server.rpc.sockets import Connection, Peer, plain_address

_OWNER_PID_CONNECTIONS = 4
_TOO_SMALL = 122
_AF_INET, _AF_INET6 = 2, 23
# State, local address, local port, remote address, remote port, process id; ports in network order.
_ROW4 = struct.Struct("=I4sI4sII")
# Local address, scope, local port, remote address, scope, remote port, state, process id.
_ROW6 = struct.Struct("=16sII16sIIII")


class WindowsSockets:
    """Connections by their ends, which are unique while they are open."""

    def accepted(self, ports: frozenset[int]) -> list[Connection]:
        found = []
        for local, peer, pid in (*rows4(_table(_AF_INET)), *rows6(_table(_AF_INET6))):
            if pid == os.getpid() and local in ports:
                found.append(Connection(hash((local, peer)), peer))
        return found

    def close(self, connection: Connection) -> bool:
        # Windows ends a connection for administrators only; calls over it are refused instead.
        return False

    def files(self) -> float:
        return 0.0


def rows4(table: bytes) -> list[tuple[int, Peer, int]]:
    """Local port, far end and process of each row of an IPv4 table."""
    rows = []
    for _, _, local, address, port, pid in _rows(table, _ROW4):
        rows.append((_port(local), Peer(str(ipaddress.IPv4Address(address)), _port(port)), pid))
    return rows


def rows6(table: bytes) -> list[tuple[int, Peer, int]]:
    """The same of an IPv6 table."""
    rows = []
    for _, _, local, address, _, port, _, pid in _rows(table, _ROW6):
        name = plain_address(str(ipaddress.IPv6Address(address)))
        mapped = ipaddress.IPv6Address(address).ipv4_mapped
        rows.append((_port(local), Peer(str(mapped) if mapped else name, _port(port)), pid))
    return rows


def _rows(table: bytes, row: struct.Struct) -> list[tuple[int, ...]]:
    (count,) = struct.unpack_from("=I", table)
    return [row.unpack_from(table, 4 + index * row.size) for index in range(count)]


def _port(number: int) -> int:
    return socket.ntohs(number & 0xFFFF)


def _table(family: int) -> bytes:
    get = ctypes.WinDLL("iphlpapi").GetExtendedTcpTable  # type: ignore[attr-defined]
    size = ctypes.c_ulong(64 * 1024)
    while True:
        buffer = ctypes.create_string_buffer(size.value)
        # The size that is wanted comes back when it is more; connections may have come meanwhile, so again.
        result = get(buffer, ctypes.byref(size), False, family, _OWNER_PID_CONNECTIONS, 0)
        if result != _TOO_SMALL:
            break
    if result:
        raise OSError(result, "the table of connections cannot be read")
    return buffer.raw
