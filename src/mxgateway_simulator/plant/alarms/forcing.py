"""What is forced upon an alarm's condition from outside: single alarms set by hand, and storms over whole areas."""

from __future__ import annotations

from collections.abc import Sequence

from mxgateway_simulator.plant.board import Board
from mxgateway_simulator.plant.entries import FORCED, STORM, Forced, Key, Storm
from mxgateway_simulator.plant.signals import NEVER, uniform


def storm_number(seed: int, storm_seed: int) -> float:
    """The number from 0 to 1 that decides whether an alarm takes part in a storm."""
    return uniform(seed ^ storm_seed, 0)


class Forcing:
    """The forcing of one alarm.

    Args:
        seed: of the alarm.
        places: names of the areas whose storms strike it, an empty one for the whole Galaxy.
    """

    __slots__ = ("_board", "_key", "_places", "_seed")

    def __init__(self, board: Board, key: str, seed: int, places: Sequence[str]) -> None:
        self._board = board
        self._key = key
        self._seed = seed
        self._places = places

    @property
    def keys(self) -> frozenset[Key]:
        return frozenset({(FORCED, self._key), *((STORM, name) for name in self._places)})

    def windows(self) -> list[tuple[int, int, bool]]:
        """From when to when the condition is forced to what; the first of those that overlap wins."""
        found: list[tuple[int, int, bool]] = []
        if not self._board.holds(FORCED) and not self._board.holds(STORM):
            return found
        forced = self._board.get(FORCED, self._key)
        if isinstance(forced, Forced):
            found.append((forced.from_ns, forced.until_ns or NEVER, forced.is_on))
        for place in self._places:
            storm = self._board.get(STORM, place)
            if isinstance(storm, Storm) and storm_number(self._seed, storm.seed) < storm.share:
                start = storm.from_ns + int(uniform(self._seed ^ storm.seed, 1) * storm.within_ns)
                found.append((start, start + storm.for_ns, True))
        return found
