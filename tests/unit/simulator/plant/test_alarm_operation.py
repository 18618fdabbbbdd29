"""`mxgateway galaxy alarm …` and the console of test kits: what happens to the plant, and what is said of mistakes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.unit.simulator.plant.alarm_lab import SECOND, T0, LabWorker, galaxy_at

from mxgateway_server.cli.galaxy import galaxy as command
from mxgateway_simulator.console import PlantConsole
from mxgateway_simulator.plant.alarm_operation import AlarmOperation
from mxgateway_simulator.plant.alarms.states import AlarmState, Mode

GALAXY = """
galaxy: Operated
alarms: {latchedAreas: [Yard]}
templates:
  $T:
    attributes:
      X: {type: Boolean, alarm: {Msg: It tripped}}
      V: {type: Float, value: 50.0, analog: {Hi: 80}}
instances:
  P: {template: $WinPlatform}
  E: {template: $AppEngine, host: P}
  Hall: {template: $Area, host: E}
  Yard: {template: $Area, host: E}
  "O_[1..5]": {template: $T, area: Hall}
  U_1: {template: $T, area: Yard}
"""


class Plant:
    """A Galaxy, its board, and a worker that looks at the clock's time."""

    def __init__(self, folder: Path) -> None:
        self.database = galaxy_at(folder / "operated.db", GALAXY)
        self.board = folder / "operated.board.db"
        self.worker = LabWorker(self.database, self.board)
        self.runner = CliRunner()

    def run(self, *arguments: str) -> str:
        verb, *rest = arguments
        result = self.runner.invoke(command, ["alarm", verb, "--galaxy", str(self.database), *rest])
        assert result.exit_code == 0, result.output
        return result.output

    def refused(self, *arguments: str) -> str:
        verb, *rest = arguments
        result = self.runner.invoke(command, ["alarm", verb, "--galaxy", str(self.database), *rest])
        assert result.exit_code != 0
        return result.output

    def state(self, name: str, later: int = 0) -> str:
        now = self.now + later * SECOND
        return self.worker.situation(name, now).status.state.name

    @property
    def now(self) -> int:
        return time.time_ns()


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    plant = Plant(tmp_path)
    yield plant
    plant.worker.close()


def test_alarms_are_raised_cleared_acknowledged_and_released(plant: Plant) -> None:
    assert plant.run("raise", "o_1.x", "O_1.V.Hi") == "raised: O_1.X, O_1.V.Hi\n"
    assert [plant.state(name) for name in ("O_1.X", "O_1.V.Hi")] == ["UNACK_ALM", "UNACK_ALM"]
    assert plant.run("ack", "--comment", "seen", "--operator", "anna", "O_1.X") == "acknowledged: O_1.X\n"
    ack = plant.worker.situation("O_1.X", plant.now).status.acknowledgement
    assert ack is not None
    assert (ack.user, ack.comment, plant.state("O_1.X")) == ("anna", "seen", "ACK_ALM")
    plant.run("clear", "O_1.X", "O_1.V.Hi")
    assert [plant.state(name) for name in ("O_1.X", "O_1.V.Hi")] == ["ACK_RTN", "UNACK_RTN"]
    plant.run("release", "O_1.X")
    assert plant.run("raise", "--for", "30s", "O_2.X") == "raised: O_2.X\n"
    assert [plant.state("O_2.X"), plant.state("O_2.X", later=31)] == ["UNACK_ALM", "UNACK_RTN"]


def test_a_storm_of_so_many_alarms(plant: Plant) -> None:
    """Exactly as many as asked for, of that area; fewer are said to be fewer."""
    assert plant.run("storm", "--area", "hall", "--count", "4", "--within", "10s").startswith(
        "4 alarms of hall come up"
    )
    names = [f"O_{number}.{alarm}" for number in range(1, 6) for alarm in ("X", "V.Hi")]
    states = [plant.state(name, later=12) for name in names]
    assert states.count("UNACK_ALM") == 4
    assert plant.state("U_1.X", later=12) == "NORMAL"
    assert "there are no more than 12" in plant.run("storm", "--count", "500")


def test_a_second_storm_leaves_what_the_first_has_left_behind(tmp_path: Path) -> None:
    """What came up unacknowledged is in the list still when another storm has taken the first one's place."""
    database = galaxy_at(tmp_path / "storms.db", GALAXY)
    now = [T0]
    operation = AlarmOperation(database, tmp_path / "storms.board.db", lambda: now[0])
    operation.storm("Hall", 10, SECOND, 5 * SECOND, 1)
    now[0] += 60 * SECOND
    operation.storm("Hall", 1, SECOND, 5 * SECOND, 2)
    now[0] += 60 * SECOND
    assert [record.state for record in operation.listed("Hall")] == ["UNACK_RTN"] * 10


def test_shelving_dismissing_modes_and_plant_states(plant: Plant) -> None:
    plant.run("raise", "U_1.X")
    assert plant.run("shelve", "--hours", "0.5", "--reason", "repair", "U_1.X") == "shelved for 0.5 h: U_1.X\n"
    shelved = plant.worker.situation("U_1.X", plant.now).shelved
    assert shelved is not None
    assert shelved.reason == "repair"
    plant.run("unshelve", "U_1.X")
    assert plant.worker.situation("U_1.X", plant.now).shelved is None
    assert "U_1.X is not latched" in plant.refused("dismiss", "U_1.X")
    plant.run("ack", "U_1.X")
    plant.run("clear", "U_1.X")
    assert plant.state("U_1.X") == "LATCHED"
    plant.run("dismiss", "U_1.X")
    assert plant.state("U_1.X") == "ACK_RTN"
    assert plant.run("mode", "hall", "silence") == "Hall: Silence\n"
    assert plant.worker.situation("O_1.X", plant.now).mode is Mode.SILENCED
    assert plant.run("plant-state", "Yard", "Maintenance") == "Yard: Maintenance\n"
    assert plant.worker.situation("U_1.X", plant.now).mode is Mode.DISABLED


def test_the_list_is_shown(plant: Plant) -> None:
    assert plant.run("list") == "no alarms\n"
    plant.run("raise", "O_1.X")
    line = json.loads(plant.run("list", "--json"))
    assert (line["state"], line["reference"], line["description"]) == ("UNACK_ALM", "Galaxy!Hall.O_1.X", "It tripped")
    assert plant.run("list", "--area", "Yard") == "no alarms\n"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("raise", "O_1.X", "O_9.X"), "there is no alarm 'O_9.X'"),
        (("raise", "O_1.V.LoLo"), "is not turned on"),
        (("raise", "O_1.V"), "there is no alarm"),
        (("raise", "--for", "soon", "O_1.X"), "no duration"),
        (("storm", "--area", "Hell"), "did you mean Hall?"),
        (("plant-state", "Hall", "Holiday"), "there is no plant state 'Holiday'"),
        (("mode", "Nothing", "Enable"), "neither an alarm nor an object"),
        (("shelve", "--reason", "x" * 201, "O_1.X"), "O_1.X"),
    ],
)
def test_mistakes_are_told_in_one_line_and_change_nothing(plant: Plant, arguments: tuple[str, ...], text: str) -> None:
    assert text in plant.refused(*arguments)
    assert plant.state("O_1.X") == "NORMAL"


def test_the_console_of_test_kits(tmp_path: Path) -> None:
    """The same by JSON lines."""
    database = galaxy_at(tmp_path / "kit.db", GALAXY)
    now = [T0]
    console = PlantConsole(database, tmp_path / "kit.board.db", lambda: now[0])
    worker = LabWorker(database, tmp_path / "kit.board.db")

    def ask(**request: object) -> dict[str, object]:
        (answer,) = console.answers([json.dumps(request)])
        return json.loads(answer)  # type: ignore[no-any-return]

    assert ask(op="alarm", **{"raise": ["O_1.X"]}, seconds=10) == {"ok": ["O_1.X"]}
    assert worker.situation("O_1.X", T0 + 9 * SECOND).status.state is AlarmState.UNACK_ALM
    now[0] += SECOND
    assert ask(op="alarm", acknowledge=["O_1.X"], comment="seen", user="anna") == {"ok": ["O_1.X"]}
    assert worker.situation("O_1.X", T0 + 2 * SECOND).status.state is AlarmState.ACK_ALM
    assert ask(op="alarm", shelve=["O_1.X"], hours=0.5, reason="r") == {"ok": ["O_1.X"]}
    assert ask(op="alarm", clear=["O_1.X"]) == {"ok": ["O_1.X"]}
    assert ask(op="alarm", release=["O_1.X"]) == {"ok": ["O_1.X"]}
    assert ask(op="storm", area="Hall", count=3, within=5, seconds=5) == {"ok": 3}
    assert "is not latched" in str(ask(op="alarm", dismiss=["O_1.X"])["error"])
    assert "there is no alarm" in str(ask(op="alarm", **{"raise": ["Nope.X"]})["error"])
    assert "is needed" in str(ask(op="alarm")["error"])
    worker.close()
