"""Addresses to listen on."""

from __future__ import annotations

import pytest

from mxgateway_server.config.addresses import address_of_before, is_loopback, join_address, split_address


@pytest.mark.parametrize(
    ("address", "parts"),
    [("localhost:0", ("localhost", 0)), ("[::1]:5001", ("::1", 5001)), ("0.0.0.0:1", ("0.0.0.0", 1))],
)
def test_addresses_are_split(address: str, parts: tuple[str, int]) -> None:
    assert split_address(address) == parts


@pytest.mark.parametrize("address", ["", "x", ":1", "x:", "x:65536", "x:-1", "x:١", "::1:5001", "[::1:5001"])
def test_what_is_no_address_is_refused_without_repeating_it(address: str) -> None:
    with pytest.raises(ValueError, match=r"HOST:PORT|brackets") as caught:
        split_address(address)
    assert "65536" not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "loopback"),
    [
        ("localhost:1", True),
        ("127.3.2.1:1", True),
        ("[::1]:1", True),
        ("0.0.0.0:1", False),
        ("[::]:1", False),
        ("localhost.example:1", False),
    ],
)
def test_loopback_is_told_from_the_network(address: str, loopback: bool) -> None:
    assert is_loopback(address) is loopback


@pytest.mark.parametrize("address", ["127.0.0.1:5001", "[::1]:0", "plant.example:65535"])
def test_what_was_split_is_joined_again(address: str) -> None:
    assert join_address(*split_address(address)) == address


@pytest.mark.parametrize(
    ("wanted", "before", "address"),
    [
        ("127.0.0.1:0", "127.0.0.1:5001", "127.0.0.1:5001"),
        ("127.0.0.1:6000", "127.0.0.1:5001", "127.0.0.1:6000"),
        ("127.0.0.1:0", None, "127.0.0.1:0"),
        ("0.0.0.0:0", "127.0.0.1:5001", "0.0.0.0:0"),
        ("[::1]:0", "[::1]:5001", "[::1]:5001"),
    ],
)
def test_of_any_free_port_an_upgrade_keeps_the_one_that_it_got(wanted: str, before: str | None, address: str) -> None:
    assert address_of_before(wanted, before) == address
