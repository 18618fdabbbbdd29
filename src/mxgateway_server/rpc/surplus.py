"""Which connections are too many: pure.

Strangers go first, since they have nothing to lose: a connection is a stranger's until a call with a valid key came
over it. Of strangers the oldest go, so that in a flood whoever has just come has the time to show a key. Of the others
the newest go: what works goes on working.
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from mxgateway_server.rpc.sockets import Connection

_V6_NETWORK_BITS = 64


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Connections at most.

    Attributes:
        total: of all addresses together.
        per_address: of one address.
        strangers: of one address that have shown no key.
    """

    total: int
    per_address: int
    strangers: int


@dataclass(frozen=True, slots=True)
class Seen:
    """A connection at a look.

    Attributes:
        order: tells which came first: it is greater for those that were seen later.
        is_known: whether a call with a valid key came over it.
    """

    connection: Connection
    order: int
    is_known: bool


@lru_cache(4096)
def origin(address: str) -> str:
    """What counts as one address: for IPv6 its network of 64 bits, all of which one machine may use."""
    if ":" not in address:
        return address
    try:
        return str(ipaddress.ip_network((address, _V6_NETWORK_BITS), strict=False))
    except ValueError:
        return address


def surplus(seen: Iterable[Seen], limits: ConnectionLimits) -> list[Connection]:
    """The connections to close, so that every limit holds."""
    by_origin: defaultdict[str, list[Seen]] = defaultdict(list)
    for each in seen:
        by_origin[origin(each.connection.peer.address)].append(each)
    closed: list[Seen] = []
    # Those to close first stand last.
    kept = {name: sorted(group, key=_worth) for name, group in by_origin.items()}
    for group in kept.values():
        strangers = sum(not each.is_known for each in group)
        count = max(strangers - limits.strangers, len(group) - limits.per_address)
        closed += [group.pop() for _ in range(count)]
    count = sum(map(len, kept.values())) - limits.total
    for _ in range(count):
        # The address with the most gives up one.
        closed.append(max(kept.values(), key=len).pop())
    return [each.connection for each in closed]


def is_crowded(seen: Sequence[Seen], limits: ConnectionLimits) -> bool:
    """Whether a limit may be reached soon."""
    strangers = sum(not each.is_known for each in seen)
    return 2 * strangers > limits.strangers or 10 * len(seen) > 9 * min(limits.total, limits.per_address)


def _worth(each: Seen) -> tuple[bool, int]:
    """Sorts the oldest known one first, and the oldest stranger last."""
    return not each.is_known, each.order if each.is_known else -each.order
