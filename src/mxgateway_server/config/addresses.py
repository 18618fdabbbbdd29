"""Addresses to listen on, as settings write them."""

from __future__ import annotations

import ipaddress
import re


def split_address(address: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT` or `[IPv6]:PORT`.

    Raises:
        ValueError: it is not one.
    """
    host, separator, port = address.rpartition(":")
    if not separator or not host or not (port.isascii() and port.isdecimal()) or int(port) > 65535:
        raise ValueError("write HOST:PORT with a port from 0 to 65535, such as 0.0.0.0:5001")
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise ValueError("write an IPv6 address in brackets, as in [::1]:5001")
    host = host.strip("[]")
    if not re.fullmatch(r"[\w.:%-]+", host):
        raise ValueError("write HOST:PORT with a name or an IP address, such as 0.0.0.0:5001")
    return host, int(port)


def join_address(host: str, port: int) -> str:
    """`HOST:PORT`, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def address_of_before(wanted: str, before: str | None) -> str:
    """Where to listen after an upgrade: of any free port, the one that the program before got, for clients know it."""
    host, port = split_address(wanted)
    return before if before and port == 0 and split_address(before)[0] == host else wanted


def is_loopback(address: str) -> bool:
    """Whether only this machine reaches `HOST:PORT`; of names, only `localhost` is known to be."""
    host, _ = split_address(address)
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
