"""Operating a simulated plant from outside a session: scan state, engines, and what was written to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from mxgateway_simulator.classifications import ENGINE_CATEGORIES
from mxgateway_simulator.errors import SimulatorError
from mxgateway_simulator.places import board_path
from mxgateway_simulator.plant.board import Board, Edit
from mxgateway_simulator.plant.built_in_attributes import put_switched
from mxgateway_simulator.plant.entries import ENGINE, SCAN
from mxgateway_simulator.plant.galaxy_file import GalaxyFile, GalaxyObject


class OperationError(SimulatorError):
    """An object that cannot be operated like this."""


class PlantOperation:
    """Changes what all sessions of a Galaxy see.

    Args:
        galaxy: path of the Galaxy's database.
        board: path of its board; the default stands beside the Galaxy.
    """

    def __init__(self, galaxy: str | Path, board: str | Path | None = None) -> None:
        self._galaxy = Path(galaxy)
        self._board = Path(board) if board else board_path(self._galaxy)

    @contextmanager
    def _opened(self) -> Iterator[tuple[GalaxyFile, Board]]:
        with (
            closing(GalaxyFile(self._galaxy)) as galaxy,
            closing(Board(self._board, galaxy.settings.get("build_id", ""))) as board,
        ):
            yield galaxy, board

    def set_scan(self, tag: str, on: bool, now_ns: int) -> str:
        """Puts an object on scan, or takes it off; returns its name as the Galaxy spells it.

        Raises:
            SimulatorError: there is no such object, or the board cannot be changed.
        """
        with self._opened() as (galaxy, board):
            obj = _find(galaxy, tag)
            board.change(lambda edit: put_switched(edit, SCAN, obj.tag_name.casefold(), on, now_ns))
            return obj.tag_name

    def set_running(self, tag: str, on: bool, now_ns: int) -> str:
        """Starts or stops an engine or a platform, and with it all that it hosts.

        Raises:
            SimulatorError: there is no such engine, or the board cannot be changed.
        """
        with self._opened() as (galaxy, board):
            obj = _find(galaxy, tag)
            if obj.category_id not in ENGINE_CATEGORIES:
                raise OperationError(f"{obj.tag_name} is no engine or platform; use scan on|off for other objects")
            board.change(lambda edit: put_switched(edit, ENGINE, obj.tag_name.casefold(), on, now_ns))
            return obj.tag_name

    def reset(self) -> int:
        """Forgets all writes, acknowledgements and states; returns how many entries there were."""
        with self._opened() as (_, board):
            keys = list(board.entries())

            def forget(edit: Edit) -> None:
                for kind, name in keys:
                    edit.put(kind, name, None)

            board.change(forget)
            return len(keys)


def _find(galaxy: GalaxyFile, tag: str) -> GalaxyObject:
    obj = galaxy.object_by_tag(tag)
    if obj is None:
        raise OperationError(f"there is no instance {tag!r} in this Galaxy")
    return obj
