"""Which connections clients have to this gateway now.

gRPC tells the peer of a call, but not when a connection ends. The system knows, so its table of sockets is looked at
once in a while: a client that has crashed, or was cut off, is known to be gone soon after.
"""

from __future__ import annotations

import os
import socket
import stat
import sys
from collections.abc import Iterable
from urllib.parse import unquote

from mxgateway_server.logs import get_logger
from mxgateway_server.rpc.sockets import Connection, Peer, SocketTable, plain_address

logger = get_logger(__name__)


def peer_of(name: str) -> Peer | None:
    """The far end that gRPC names as `ipv4:10.0.0.1:5000` or `ipv6:[::1]:5000`; None for anything else."""
    kind, _, rest = unquote(name).partition(":")
    host, separator, port = rest.rpartition(":")
    if kind not in ("ipv4", "ipv6") or not separator or not port.isdecimal():
        return None
    return Peer(plain_address(host.strip("[]")), int(port))


class ConnectionWatch:
    """What was open when it was looked last.

    Args:
        table: None where the system has no table to look at; then nothing is known of any connection.
    """

    def __init__(self, table: SocketTable | None) -> None:
        self._table = table
        self._ports: frozenset[int] = frozenset()
        self._open: frozenset[Peer] | None = None

    def listen_on(self, ports: Iterable[int]) -> None:
        """These are the gateway's own ports."""
        self._ports = frozenset(ports)

    def look(self) -> list[Connection]:
        """Looks at the system's table; the connections that are open now."""
        if self._table is None or not self._ports:
            return []
        try:
            found = self._table.accepted(self._ports)
        except OSError as error:
            # Not known is not gone: no session ends because of it.
            if self._open is not None:
                logger.warning("connections_unknown", error=error)
            self._open = None
            return []
        self._open = frozenset(connection.peer for connection in found)
        return found

    def is_open(self, name: str) -> bool | None:
        """Whether the connection that gRPC names so was there at the last look; None when that is not known."""
        peer = peer_of(name)
        return None if self._open is None or peer is None else peer in self._open


class LinuxSockets:
    """This process's own file table, where each socket has a number that no other has while it is open."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[int, Peer] | None] = {}

    def accepted(self, ports: frozenset[int]) -> list[Connection]:
        known: dict[int, tuple[int, Peer] | None] = {}
        found = []
        for name in os.listdir("/proc/self/fd"):
            descriptor = int(name)
            try:
                status = os.fstat(descriptor)
                if not stat.S_ISSOCK(status.st_mode):
                    continue
                number = status.st_ino
                # Ends do not change while a socket is open, so each is asked once.
                ends = self._known[number] if number in self._known else _ends(descriptor)
            except OSError:
                continue  # closed between the look at the table and the look at the file
            known[number] = ends
            if ends is not None and ends[0] in ports:
                found.append(Connection(number, ends[1]))
        self._known = known
        return found


def _ends(descriptor: int) -> tuple[int, Peer] | None:
    """Local port and far end of a connected TCP socket; None for any other socket."""
    # A copy of the descriptor: gRPC may close its own at any moment.
    with socket.socket(fileno=os.dup(descriptor)) as copy:
        if copy.family not in (socket.AF_INET, socket.AF_INET6) or copy.type != socket.SOCK_STREAM:
            return None
        try:
            address, port = copy.getpeername()[:2]
        except OSError:
            return None
        return copy.getsockname()[1], Peer(plain_address(address), port)


def system_sockets() -> SocketTable | None:
    """The table of this system; None where there is none that can be read."""
    if os.name == "nt":
        from mxgateway_server.rpc.windows_sockets import WindowsSockets

        return WindowsSockets()
    return LinuxSockets() if sys.platform.startswith("linux") else None
