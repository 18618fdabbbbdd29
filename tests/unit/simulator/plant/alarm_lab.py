"""Workers of one plant without sessions around them: each has its own view of Galaxy and board, as a process has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mxgateway_contract.status import MxStatus
from mxgateway_simulator.building.builder import build_galaxy
from mxgateway_simulator.building.description_reader import parse_description
from mxgateway_simulator.plant.alarms.alarm import Alarm, AlarmSituation
from mxgateway_simulator.plant.board import Board, Edit
from mxgateway_simulator.plant.galaxy_file import GalaxyFile
from mxgateway_simulator.plant.plant import Plant
from mxgateway_simulator.plant.plant_tags import PlantTags
from mxgateway_simulator.plant.tags import NOBODY, Author, Binding
from mxgateway_simulator.switches import Switches

SECOND = 10**9
T0 = 1_750_000_000 * SECOND


def galaxy_at(path: Path, text: str) -> Path:
    """Builds a Galaxy from the text of a description."""
    build_galaxy(parse_description(text, f"{path.stem}.yaml"), path)
    return path


class LabWorker:
    """One worker's view of the plant."""

    def __init__(self, galaxy: Path, board: Path, **switches: Any) -> None:
        self.galaxy = GalaxyFile(galaxy)
        self.board = Board(board, self.galaxy.settings.get("build_id", ""))
        configured = {name[7:]: value for name, value in self.galaxy.settings.items() if name.startswith("switch.")}
        chosen = Switches.parse({name: str(value) for name, value in switches.items()}, Switches.parse(configured))
        self.plant = Plant(self.galaxy, self.board, chosen, node="LAB")
        self.tags = PlantTags(self.plant)

    def close(self) -> None:
        self.board.close()
        self.galaxy.close()

    def binding(self, reference: str) -> Binding:
        found = self.tags.resolve(reference)
        assert isinstance(found, Binding), (reference, found)
        return found

    def write(self, reference: str, value: Any, now_ns: int, by: Author = NOBODY) -> MxStatus | None:
        """Writes as a session does, with all that a write means; returns why it is refused."""
        binding = self.binding(reference)
        refused: list[MxStatus | None] = []

        def edit(changes: Edit) -> None:
            refused.append(self.plant.store(changes, binding, value, now_ns, now_ns, by))

        self.board.change(edit)
        return refused[0]

    def read(self, reference: str, t_ns: int) -> Any:
        self.board.poll()
        return self.plant.read(self.binding(reference), t_ns)[0].value

    def alarm(self, name: str) -> Alarm:
        """An alarm by its full name, as `Tank.Level.Hi`."""
        (found,) = (alarm for alarm in self.tags.alarm_table().alarms if alarm.key == name.casefold())
        return found

    def situation(self, name: str, t_ns: int) -> AlarmSituation:
        self.board.poll()
        return self.alarm(name).situation(t_ns)
