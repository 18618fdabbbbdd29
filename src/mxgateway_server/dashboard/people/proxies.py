"""Proxies in front: whom they let in, and whom they ask for; headers of anybody else do not count. Pure."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Sequence
from typing import Protocol

from mxgateway_server.config.dashboard_sections import ProxyLoginSettings
from mxgateway_server.dashboard.people.persons import Door, Person, is_name

MAX_HOPS = 32


class Headers(Protocol):
    """Headers of a request, names in any case, repeated ones one by one."""

    def getlist(self, key: str) -> list[str]: ...


class TrustedProxies:
    """The addresses from which what proxies add is believed.

    Args:
        networks: addresses and networks.
    """

    def __init__(self, networks: Sequence[str]) -> None:
        self._networks = [ipaddress.ip_network(each, strict=False) for each in networks]

    def trusts(self, address: str) -> bool:
        """Whether the other end of a connection is one of them."""
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        return any(found in network for network in self._networks)

    def client(self, peer: str, headers: Headers) -> str:
        """Who asks: the last address of X-Forwarded-For that is no proxy of ours; what stands before it anybody can
        write."""
        if not self._networks or not self.trusts(peer):
            return peer
        hops = [hop.strip() for line in headers.getlist("x-forwarded-for") for hop in line.split(",")]
        found = peer
        for hop in reversed(hops[-MAX_HOPS:]):
            try:
                found = str(ipaddress.ip_address(hop))
            except ValueError:
                break
            if not self.trusts(found):
                break
        return found


class ProxyDoor:
    """Takes a proxy's word for who somebody is.

    Args:
        secret: what the proxy has to send along; empty for nothing.

    Attributes:
        dropped: requests with the header of a name that did not count.
    """

    def __init__(self, options: ProxyLoginSettings, proxies: TrustedProxies, secret: str) -> None:
        self._options = options
        self._proxies = proxies
        self._secret = secret
        self.dropped = 0

    def person(self, peer: str, headers: Headers) -> Person | None:
        """Whom the proxy at the other end of the connection has let in."""
        names = headers.getlist(self._options.user_header)
        if not names:
            return None
        name = _text(names[0])
        if len(names) != 1 or not self._proxies.trusts(peer) or not self._knows(headers) or not is_name(name):
            self.dropped += 1
            return None
        groups = [
            group.strip()
            for line in headers.getlist(self._options.groups_header)
            for group in _text(line).split(self._options.groups_separator)
        ]
        return Person(door=Door.PROXY, name=name, groups=tuple(filter(None, groups)))

    def _knows(self, headers: Headers) -> bool:
        if not self._secret:
            return True
        shown = headers.getlist(self._options.secret_header)
        return len(shown) == 1 and hmac.compare_digest(shown[0].encode(), self._secret.encode())


def _text(value: str) -> str:
    # HTTP gives bytes as Latin-1; proxies send names in UTF-8.
    try:
        return value.encode("latin-1").decode().strip()
    except UnicodeError:
        return value.strip()
