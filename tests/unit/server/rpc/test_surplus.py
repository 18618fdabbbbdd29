"""Which connections have to go when there are too many: strangers before others, and never whoever has just come."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxgateway_server.rpc.sockets import Connection, Peer
from mxgateway_server.rpc.surplus import ConnectionLimits, Seen, is_crowded, origin, surplus

LIMITS = ConnectionLimits(total=12, per_address=6, strangers=3)


def seen(order: int, address: str = "10.0.0.1", *, is_known: bool = False) -> Seen:
    return Seen(Connection(order, Peer(address, order)), order, is_known)


def closed(connections: list[Seen], limits: ConnectionLimits = LIMITS) -> list[int]:
    return sorted(each.number for each in surplus(connections, limits))


@pytest.mark.parametrize(
    ("connections", "gone"),
    [
        pytest.param([seen(n) for n in range(3)], [], id="as many strangers as there may be"),
        pytest.param([seen(n) for n in range(5)], [0, 1], id="the oldest strangers go"),
        pytest.param(
            [*(seen(n) for n in range(5)), seen(5, is_known=True)],
            [0, 1],
            id="strangers go, whoever has shown a key stays",
        ),
        pytest.param(
            [*(seen(n, is_known=True) for n in range(5)), *(seen(n) for n in range(5, 8))],
            [5, 6],
            id="the address is full: strangers first",
        ),
        pytest.param([seen(n, is_known=True) for n in range(8)], [6, 7], id="of those with a key the newest go"),
        pytest.param(
            [*(seen(n, "10.0.0.1") for n in range(5)), *(seen(n, "10.0.0.2") for n in range(5, 8))],
            [0, 1],
            id="an address pays for itself alone",
        ),
        pytest.param(
            [seen(n, f"2001:db8::{n:x}") for n in range(1, 6)], [1, 2], id="a network of IPv6 counts as one address"
        ),
    ],
)
def test_who_goes(connections: list[Seen], gone: list[int]) -> None:
    assert closed(connections) == gone
    assert is_crowded(connections, LIMITS)


def test_when_all_together_are_too_many_the_address_with_the_most_gives_up() -> None:
    limits = ConnectionLimits(total=7, per_address=6, strangers=6)
    many = [seen(n, "10.0.0.1", is_known=True) for n in range(6)]
    few = [seen(n, "10.0.0.2", is_known=True) for n in range(6, 9)]
    assert closed([*many, *few], limits) == [4, 5]


@given(
    st.lists(st.tuples(st.sampled_from(["10.0.0.1", "10.0.0.2", "::1", "fe80::2"]), st.booleans()), max_size=40),
    st.integers(1, 20),
    st.integers(1, 10),
    st.integers(0, 5),
)
def test_what_is_left_keeps_every_limit(
    given: list[tuple[str, bool]], total: int, address: int, strangers: int
) -> None:
    limits = ConnectionLimits(total, address, strangers)
    connections = [seen(n, name, is_known=known) for n, (name, known) in enumerate(given)]
    gone = {each.number for each in surplus(connections, limits)}
    left = [each for each in connections if each.order not in gone]
    by_origin = Counter(origin(each.connection.peer.address) for each in left)
    unknown = Counter(origin(each.connection.peer.address) for each in left if not each.is_known)
    assert len(left) <= total
    assert all(count <= address for count in by_origin.values())
    assert all(count <= strangers for count in unknown.values())
    # Nobody is closed without need.
    if not gone:
        return
    assert is_crowded(connections, limits)


def test_few_connections_are_no_crowd() -> None:
    assert not is_crowded([seen(0), *(seen(n, is_known=True) for n in range(1, 5))], LIMITS)
    assert not is_crowded([], LIMITS)
