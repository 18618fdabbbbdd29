"""What an attribute of the configuration holds, at any time: as configured, or as written since."""

from __future__ import annotations

from typing import Any

from mxgateway_simulator.plant.board import Board
from mxgateway_simulator.plant.entries import Written


class Setting:
    """One attribute.

    Args:
        name: its name on the board.
    """

    __slots__ = ("_configured", "name")

    def __init__(self, name: str, configured: Any) -> None:
        self.name = name
        self._configured = configured

    def entry(self, board: Board) -> Written | None:
        """What was written to it."""
        return board.written(self.name)

    def at(self, board: Board, at_ns: int) -> Any:
        """What it held at a time."""
        entry = board.written(self.name)
        if entry is None:
            return self._configured
        if at_ns >= entry.written_ns or not entry.steps:
            return entry.value
        value = entry.steps[0].value
        for step_ns, written in entry.steps:
            if step_ns <= at_ns:
                value = written
        return value

    def number(self, board: Board, at_ns: int) -> float:
        """What it held as a number; 0 for what is none."""
        value = self.at(board, at_ns)
        return float(value) if isinstance(value, (int, float)) else 0.0
