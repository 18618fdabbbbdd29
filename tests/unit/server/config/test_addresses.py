"""Addresses to listen on."""

from __future__ import annotations

import pytest

from mxgateway_server.config.addresses import is_loopback, split_address


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
