"""Whether an address can be listened on, asked before gRPC is, whose core writes lines of its own to stderr."""

from __future__ import annotations

import errno
import os
import socket
import sys
from typing import NamedTuple

from mxgateway_server.config.addresses import split_address
from mxgateway_server.errors import ConfigurationError


class Refusal(NamedTuple):
    """Why an address cannot be listened on, and the remedy."""

    cause: str
    remedy: str


_CAUSES = {
    errno.EADDRINUSE: Refusal(
        "the port is in use, by another program or gateway", "choose another, or port 0 for any free one"
    ),
    errno.EACCES: Refusal("the gateway may not use this port", "choose one above 1023, or give it the right to"),
    errno.EADDRNOTAVAIL: Refusal("the address is not this machine's", "choose one that is, or 0.0.0.0 for all"),
}
_UNKNOWN_NAME = Refusal("the name is not known", "write a name or address of this machine")


def check_port(setting: str, address: str) -> None:
    """Tries to bind `HOST:PORT`, and lets it go again.

    Raises:
        ConfigurationError: it cannot be bound; the text names the setting, the cause and the remedy.
    """
    refusal = why_not_listen(address)
    if refusal is not None:
        raise ConfigurationError(f"{setting} = {address} cannot be bound: {refusal.cause}; {refusal.remedy}")


def why_not_listen(address: str) -> Refusal | None:
    """Tries to bind `HOST:PORT`, and lets it go again; None where it can be bound."""
    host, port = split_address(address)
    try:
        places = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError:
        return _UNKNOWN_NAME
    causes = [_why_not(family, place) for family, _, _, _, place in places]
    taken = errno.EADDRINUSE in causes or errno.EACCES in causes
    # A name may have an address of a kind that this machine does not speak.
    if not taken and None in causes:
        return None
    cause = next(number for number in (errno.EADDRINUSE, errno.EACCES, *causes) if number in causes)
    text = os.strerror(cause) if cause else "it is no address"
    return _CAUSES.get(cause or 0, Refusal(text, "choose another address"))


def _why_not(family: int, place: tuple[object, ...]) -> int | None:
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            if sys.platform == "win32":
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
            else:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind(place)
            # Two may be bound where the option above is set; to listen is for one.
            probe.listen(1)
    except OSError as error:
        return error.errno or errno.EADDRNOTAVAIL
    return None
