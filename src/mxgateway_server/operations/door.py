"""Who may stay of those that are connected to the HTTP listener. Without I/O: it calls what ends a connection.

As at the port of gRPC strangers go first: a connection is a stranger's until somebody who is signed in asks over it. Of
the address that has the most of them the oldest goes, so that whoever has just come has the time to say who he is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

MOST_OF_A_NAME = 32
"""Connections of one key that are safe; a browser has six and one for its live figures."""


@dataclass(eq=False, slots=True)
class Guest:
    """One connection.

    Attributes:
        address: where it comes from.
        end: ends it at once.
        name: who is signed in over it; empty for a stranger.
    """

    address: str
    end: Callable[[], None]
    name: str = ""


class Door:
    """All connections of the listener, whatever its addresses are.

    Args:
        most: how many there may be.

    Attributes:
        turned_away: how many had to go.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._guests: dict[Guest, None] = {}
        self.turned_away = 0

    def __len__(self) -> int:
        return len(self._guests)

    def __contains__(self, guest: Guest) -> bool:
        return guest in self._guests

    def enter(self, guest: Guest) -> None:
        """Lets one more in, and ends one when they are too many then: perhaps this one."""
        self._guests[guest] = None
        if len(self._guests) <= self._most:
            return
        surplus = self._surplus(guest)
        del self._guests[surplus]
        self.turned_away += 1
        surplus.end()

    def leave(self, guest: Guest) -> None:
        """It has ended."""
        self._guests.pop(guest, None)

    def introduce(self, guest: Guest, name: str) -> None:
        """Somebody is signed in over this connection, so it stays. Beyond so many of one name it may go as before."""
        if guest.name == name or guest not in self._guests:
            return
        guest.name = name if sum(each.name == name for each in self._guests) < MOST_OF_A_NAME else ""

    def _surplus(self, newcomer: Guest) -> Guest:
        strangers = [guest for guest in self._guests if not guest.name and guest is not newcomer]
        if not strangers:
            return newcomer
        by_address = Counter(guest.address for guest in strangers)
        by_address[newcomer.address] += 1
        # Who has just come is the youngest of his address, so it is he only where nobody else of it is left.
        fullest = max(by_address, key=by_address.__getitem__)
        return next((guest for guest in strangers if guest.address == fullest), newcomer)
