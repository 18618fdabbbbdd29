"""An address that cannot be listened on is told with its cause, before gRPC writes a word."""

from __future__ import annotations

import errno
import socket

import pytest

from mxgateway_server.errors import ConfigurationError
from mxgateway_server.rpc import ports
from mxgateway_server.rpc.ports import check_port


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0"])
def test_a_port_in_use_is_told(host: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"{host}:{taken.getsockname()[1]}"
        with pytest.raises(ConfigurationError, match=f"listen = {address} cannot be bound: the port is in use"):
            check_port("listen", address)
    check_port("listen", address)


@pytest.mark.parametrize("address", ["127.0.0.1:0", "localhost:0", "0.0.0.0:0"])
def test_any_free_port_is_right(address: str) -> None:
    check_port("listen", address)


@pytest.mark.parametrize(
    ("address", "words"),
    [("192.0.2.1:5001", "not this machine's"), ("no-such-host.invalid:5001", "the name is not known")],
)
def test_an_address_of_another_machine_is_told(address: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        check_port("listen_plaintext", address)


def test_a_port_that_may_not_be_used_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "_why_not", lambda family, place: errno.EACCES)
    with pytest.raises(ConfigurationError, match="above 1023"):
        check_port("listen", "127.0.0.1:80")


def test_a_kind_of_address_that_this_machine_does_not_speak_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    causes = {socket.AF_INET: None, socket.AF_INET6: errno.EADDRNOTAVAIL}
    places = [(family, socket.SOCK_STREAM, 6, "", ("x", 1)) for family in causes]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: places)
    monkeypatch.setattr(ports, "_why_not", lambda family, place: causes[family])
    check_port("listen", "localhost:1")
    causes[socket.AF_INET6] = errno.EADDRINUSE
    with pytest.raises(ConfigurationError, match="in use"):
        check_port("listen", "localhost:1")
