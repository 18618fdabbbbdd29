"""Which connections clients have to this gateway now, and the end of those that are too many.

gRPC tells the peer of a call, but not when a connection ends. The system knows, so its table of sockets is looked at
once in a while: a client that has crashed, or was cut off, is known to be gone soon after. gRPC bounds connections in
all, but not those of an address; the same look finds what one address has too many.
"""

from __future__ import annotations

import errno
import itertools
import math
import os
import socket
import stat
import sys
from collections import Counter
from collections.abc import Iterable
from urllib.parse import unquote

from mxgateway_server.logs import get_logger
from mxgateway_server.rpc.sockets import Connection, Peer, SocketTable, plain_address
from mxgateway_server.rpc.surplus import ConnectionLimits, Seen, is_crowded, origin, surplus

logger = get_logger(__name__)


def peer_of(name: str) -> Peer | None:
    """The far end that gRPC names as `ipv4:10.0.0.1:5000` or `ipv6:[::1]:5000`; None for anything else."""
    kind, _, rest = unquote(name).partition(":")
    host, separator, port = rest.rpartition(":")
    if kind not in ("ipv4", "ipv6") or not separator or not port.isdecimal():
        return None
    return Peer(plain_address(host.strip("[]")), int(port))


_STDERR = 2
_MORE = 24
"""So many more open files than at the last look are a reason to look again."""


class ConnectionWatch:
    """What was open when it was looked last.

    Args:
        table: None where the system has no table to look at; then nothing is known of any connection.
        limits: None for none.

    Attributes:
        closed: connections that were closed because they were too many.
    """

    def __init__(self, table: SocketTable | None, limits: ConnectionLimits | None = None) -> None:
        self._table = table
        self._limits = limits
        self._ports: frozenset[int] = frozenset()
        self._open: frozenset[Peer] | None = None
        self._known: set[str] = set()
        self._orders: dict[int, int] = {}
        self._numbers = itertools.count()
        self._surplus: frozenset[Peer] = frozenset()
        self._files = -math.inf
        self._is_crowded = False
        self.closed = 0

    def listen_on(self, ports: Iterable[int]) -> None:
        """These are the gateway's own ports."""
        self._ports = frozenset(ports)

    def look(self) -> list[Connection]:
        """Looks at the system's table, and closes what is too many; the connections that were open."""
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
        self._bound(found)
        return found

    def look_if_filling(self) -> None:
        """Looks if there may be many more connections than at the last look, or were near a limit then; cheap."""
        if self._table is None or self._limits is None:
            return
        files = self._table.files()
        if self._is_crowded or files >= self._files + _MORE:
            self.look()
            self._files = files
        else:
            self._files = min(self._files, files)

    def meet(self, name: str) -> None:
        """A call with a valid key came over the connection that gRPC names so."""
        self._known.add(name)

    def is_refused(self, name: str) -> bool:
        """Whether the connection that gRPC names so is too many, and cannot be closed on this system."""
        return bool(self._surplus) and peer_of(name) in self._surplus

    def is_open(self, name: str) -> bool | None:
        """Whether the connection that gRPC names so was there at the last look; None when that is not known."""
        peer = peer_of(name)
        return None if self._open is None or peer is None else peer in self._open

    def _bound(self, found: list[Connection]) -> None:
        limits = self._limits
        if limits is None:
            return
        assert self._table is not None
        known = {peer: name for name in self._known if (peer := peer_of(name)) is not None}
        self._known = {name for peer, name in known.items() if self._open is not None and peer in self._open}
        orders = self._orders
        # The system hands out the lowest free number, so of those that came since the last look the order is kept, too.
        self._orders = {n: orders[n] if n in orders else next(self._numbers) for n in (each.number for each in found)}
        seen = [Seen(each, self._orders[each.number], each.peer in known) for each in found]
        self._is_crowded = is_crowded(seen, limits)
        excess = surplus(seen, limits) if self._is_crowded else []
        left = [each.peer for each in excess if not self._table.close(each)]
        self._surplus = frozenset(left)
        if len(left) < len(excess):
            self.closed += len(excess) - len(left)
            addresses = Counter(origin(each.peer.address) for each in excess)
            ((address, count),) = addresses.most_common(1)
            logger.warning(
                "connections_closed",
                closed=len(excess) - len(left),
                address=address,
                of_address=count,
                open=len(found),
                remedy="keep strangers away by a firewall, or raise protocol.max_connections_per_address",
            )


class LinuxSockets:
    """This process's own file table, where each socket has a number that no other has while it is open."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[int, Peer] | None] = {}
        self._descriptors: dict[int, int] = {}

    def accepted(self, ports: frozenset[int]) -> list[Connection]:
        known: dict[int, tuple[int, Peer] | None] = {}
        self._descriptors = {}
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
                self._descriptors[number] = descriptor
        self._known = known
        return found

    def close(self, connection: Connection) -> bool:
        descriptor = self._descriptors.get(connection.number)
        if descriptor is None:
            return True
        try:
            copy = os.dup(descriptor)
        except OSError:
            return True  # it is gone
        try:
            # gRPC may have closed its own meanwhile, and the number may be another file's by now.
            if os.fstat(copy).st_ino == connection.number:
                with socket.socket(fileno=copy) as ours:
                    copy = -1
                    # gRPC reads the end of it then, and closes the file itself.
                    ours.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # it ends by itself
        finally:
            if copy >= 0:
                os.close(copy)
        return True

    def files(self) -> float:
        try:
            lowest_free = os.dup(_STDERR)
        except OSError as error:
            # Without a standard error there is nothing to tell it by.
            return 0.0 if error.errno == errno.EBADF else math.inf
        os.close(lowest_free)
        return lowest_free


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
