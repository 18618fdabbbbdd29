"""A connection of the gateway as the system's table of sockets has it, and who asks for such a table."""

from __future__ import annotations

from typing import NamedTuple, Protocol

_MAPPED = "::ffff:"


class Peer(NamedTuple):
    """The far end of a connection."""

    address: str
    port: int


class Connection(NamedTuple):
    """An accepted connection; `number` tells it apart from every other that is open."""

    number: int
    peer: Peer


class SocketTable(Protocol):
    """The system's table of this process's sockets."""

    def accepted(self, ports: frozenset[int]) -> list[Connection]:
        """The connections to these local ports."""

    def close(self, connection: Connection) -> bool:
        """Ends a connection that the last `accepted` found; False when this system does not let the gateway do that."""

    def files(self) -> float:
        """A cheap lower bound for the number of open files, which grows when there are many more of them."""


def plain_address(address: str) -> str:
    """An IPv4 address as such, also when an IPv6 socket has it, and without the zone of an IPv6 one."""
    address = address.partition("%")[0]
    return address[len(_MAPPED) :] if address.lower().startswith(_MAPPED) and "." in address else address
