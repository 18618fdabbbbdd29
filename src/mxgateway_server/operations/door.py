"""Who may stay of those that are connected to the HTTP listener. Without I/O: it calls what ends a connection.

As at the port of gRPC strangers go first: a connection is a stranger's until somebody who is signed in asks over it. Of
the address that has the most of them the oldest goes, and those that have had an answer and are nobody go before those
that have not: whoever has just come has the time to say who he is. Last goes who has said his word and waits for the
gateway: a flood whose work it is to let the gateway wait drives out itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

MOST_OF_A_NAME = 32
"""Connections of one key that are safe; a browser has six and one for its live figures."""


@dataclass(eq=False, slots=True)
class Guest:
    """One connection.

    Attributes:
        address: where it comes from; all that one machine may use counts as one.
        end: ends it at once.
        name: who is signed in over it; empty for a stranger.
        waits: whether it is the gateway's turn, not his.
    """

    address: str
    end: Callable[[], None]
    name: str = ""
    waits: bool = False


class _Strangers:
    """Those of one address, in the order in which they came; apart, those that have had an answer."""

    def __init__(self) -> None:
        self.heard: dict[Guest, None] = {}
        self.unheard: dict[Guest, None] = {}

    def __len__(self) -> int:
        return len(self.heard) + len(self.unheard)

    def oldest(self) -> Guest:
        """Of those that the gateway waits for, if there are any."""
        heard, unheard = iter(self.heard), iter(self.unheard)
        idle = next(heard, None) or next((guest for guest in unheard if not guest.waits), None)
        return idle or next(iter(self.unheard))

    @property
    def all_wait(self) -> bool:
        return not self.heard and all(guest.waits for guest in self.unheard)

    def leave(self, guest: Guest) -> None:
        self.heard.pop(guest, None)
        self.unheard.pop(guest, None)


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
        # By address: under a flood one is chosen for each that comes.
        self._strangers: dict[str, _Strangers] = {}
        self.turned_away = 0

    def __len__(self) -> int:
        return len(self._guests)

    def __contains__(self, guest: Guest) -> bool:
        return guest in self._guests

    def enter(self, guest: Guest) -> None:
        """Lets one more in, and ends one when they are too many then: perhaps this one."""
        self._guests[guest] = None
        self._strangers.setdefault(guest.address, _Strangers()).unheard[guest] = None
        if len(self._guests) <= self._most:
            return
        surplus = self._surplus(guest)
        self.leave(surplus)
        self.turned_away += 1
        surplus.end()

    def leave(self, guest: Guest) -> None:
        """It has ended."""
        self._guests.pop(guest, None)
        self._no_stranger(guest)

    def introduce(self, guest: Guest, name: str) -> None:
        """Somebody is signed in over this connection, so it stays. Beyond so many of one name it may go as before."""
        if guest.name == name or guest not in self._guests:
            return
        is_safe = bool(name) and sum(each.name == name for each in self._guests) < MOST_OF_A_NAME
        guest.name = name if is_safe else ""
        self._no_stranger(guest)
        if not is_safe:
            self._strangers.setdefault(guest.address, _Strangers()).heard[guest] = None

    def heard(self, guest: Guest) -> None:
        """It has had an answer. Whoever is still a stranger then goes before those that have not."""
        of_address = self._strangers.get(guest.address)
        if of_address is not None and guest in of_address.unheard:
            del of_address.unheard[guest]
            of_address.heard[guest] = None

    def _no_stranger(self, guest: Guest) -> None:
        of_address = self._strangers.get(guest.address)
        if of_address is not None:
            of_address.leave(guest)
            if not len(of_address):
                del self._strangers[guest.address]

    def _surplus(self, newcomer: Guest) -> Guest:
        # Who has just come is the youngest of his address, so it is he only where nobody else of it is left; and of
        # equals another address gives way, for he must have the time to say who he is.
        most = max(map(len, self._strangers.values()))
        fullest = max(
            (address for address, strangers in self._strangers.items() if len(strangers) == most),
            key=lambda each: (each != newcomer.address, not self._strangers[each].all_wait),
        )
        return self._strangers[fullest].oldest()
