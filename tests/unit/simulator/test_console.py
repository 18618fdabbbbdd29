"""The plant operated by JSON lines: values, qualities, times, scan states, engines, deployment, and all forgotten."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mxgateway_simulator.console import PlantConsole
from mxgateway_simulator.places import board_path
from mxgateway_simulator.plant.board import Board
from mxgateway_simulator.plant.entries import ENGINE, SCAN, Written
from mxgateway_simulator.plant.galaxy_file import GalaxyFile

NOW = 1_800_000_000_000_000_000
TAG = "TestChildObject.TestInt"


class Console:
    """Sends one request at a time."""

    def __init__(self, galaxy: Path, place: Path) -> None:
        self.board_file = place / "plant.board.db"
        self.galaxy = galaxy
        self.now, self.pauses = NOW, 0
        self._console = PlantConsole(galaxy, self.board_file, lambda: self.now, self.pause)

    def pause(self, seconds: float) -> None:
        self.pauses += 1
        self.now += round(seconds * 1e9)

    def __call__(self, **request: Any) -> dict[str, Any]:
        (answer,) = self._console.answers([json.dumps(request), "\n"])
        return dict(json.loads(answer))

    def board(self) -> Board:
        with closing(GalaxyFile(self.galaxy)) as galaxy:
            return Board(self.board_file, galaxy.settings.get("build_id", ""))

    def written(self, tag: str) -> Written | None:
        with closing(self.board()) as board:
            return board.written(tag.casefold())


@pytest.fixture
def console(reference_galaxy: Path, tmp_path: Path) -> Console:
    return Console(reference_galaxy, tmp_path)


def test_value_quality_and_time_are_set(console: Console) -> None:
    """Each where it is given; the name comes back as the Galaxy spells it."""
    assert console(op="set", tag=TAG.upper(), value={"int32Value": 7}, quality=64, timeNs=5) == {"ok": TAG}
    held = console.written(TAG)
    assert held is not None
    assert (held.value, held.quality, held.time_ns, held.written_ns) == (7, 64, 5, NOW)
    console(op="set", tag=TAG, quality=0)
    held = console.written(TAG)
    assert held is not None
    assert (held.value, held.quality, held.time_ns) == (7, 0, NOW)


def test_a_quality_alone_keeps_the_configured_value(console: Console) -> None:
    """Also of a tag that nobody has written."""
    console(op="set", tag="TestChildObject.TestString", quality=24)
    held = console.written("TestChildObject.TestString")
    assert held is not None
    assert isinstance(held.value, str)
    assert held.quality == 24


@pytest.mark.parametrize(
    ("tag", "value", "stored"),
    [
        ("TestChildObject.TestInt", {"stringValue": "12"}, 12),
        ("TestChildObject.TestDouble", {"int32Value": 3}, 3.0),
        ("TestChildObject.TestBool", {"boolValue": True}, True),
        ("TestChildObject.TestString", {"stringValue": "text"}, "text"),
        ("TestChildObject.TestDuration", {"doubleValue": 1.5}, 1.5),
        ("TestChildObject.TestIntArray[]", {"arrayValue": {"int32Values": {"values": [1, 2]}}}, (1, 2)),
    ],
)
def test_values_are_made_to_fit(console: Console, tag: str, value: Any, stored: Any) -> None:
    """As MXAccess coerces them."""
    assert "ok" in console(op="set", tag=tag, value=value)
    held = console.written(tag.removesuffix("[]"))
    assert held is not None
    assert held.value == stored


def test_a_secured_tag_can_be_set(console: Console) -> None:
    """The console is the plant, not one of its users."""
    assert console(op="set", tag="TestMachine_001.ProtectedValue", value={"int32Value": 3}) == {
        "ok": "TestMachine_001.ProtectedValue"
    }


def test_scan_engine_and_reset(console: Console) -> None:
    """States stand on the board until all is forgotten."""
    assert console(op="scan", object="testchildobject", on=False) == {"ok": "TestChildObject"}
    assert console(op="set", tag=TAG, value={"int32Value": 7}) == {"ok": TAG}
    with closing(console.board()) as board:
        entry = board.switched(SCAN, "testchildobject")
        assert entry is not None
        assert not entry.is_on
    assert console(op="reset") == {"ok": 2}
    assert console.written(TAG) is None
    assert console(op="reset") == {"ok": 0}
    refused = console(op="engine", object="TestChildObject", on=False)
    assert "no engine" in refused["error"]
    with closing(GalaxyFile(console.galaxy)) as galaxy:
        assert galaxy.object_by_tag("DevAppEngine") is not None
    assert console(op="engine", object="DevAppEngine", on=False) == {"ok": "DevAppEngine"}
    with closing(console.board()) as board:
        assert board.switched(ENGINE, "devappengine") is not None


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        ({"op": "set", "tag": "No.Such", "value": {}}, "No.Such: "),
        ({"op": "set", "tag": TAG, "value": {"stringValue": "twelve"}}, "cannot hold this value"),
        ({"op": "set", "tag": TAG, "value": {"unknown": 1}}, "unknown"),
        ({"op": "set", "tag": TAG, "quality": 70000}, "no OPC quality"),
        ({"op": "set", "tag": f"{TAG}.quality", "value": {"int32Value": 1}}, "property"),
        ({"op": "set", "value": {}}, "tag is missing"),
        ({"op": "scan", "object": "No_Such", "on": True}, "no instance"),
        ({"op": "burn"}, "op is none of alarm, deploy, engine"),
        ({}, "op is none of"),
    ],
)
def test_what_cannot_be_done_is_told(console: Console, request_: dict[str, Any], text: str) -> None:
    """One line, and the console goes on."""
    assert text in console(**request_)["error"]
    assert console(op="reset") == {"ok": 0}


def test_a_line_that_is_no_json(reference_galaxy: Path, tmp_path: Path) -> None:
    """It is answered like any other."""
    console = PlantConsole(reference_galaxy, tmp_path / "b.db", lambda: NOW)
    answers = list(console.answers(["{", "7", '{"op": "reset"}']))
    assert ["error" in each for each in map(json.loads, answers)] == [True, True, False]


def test_the_board_stands_beside_the_galaxy_unless_told(reference_galaxy: Path) -> None:
    """As for all other commands."""
    assert PlantConsole(reference_galaxy, None, lambda: NOW)._board == board_path(reference_galaxy)


def test_it_waits_until_every_session_has_seen_what_was_done(reference_galaxy: Path, tmp_path: Path) -> None:
    """As long as a session is behind and not longer than asked; without a session, or without asking, not at all."""
    console = Console(Path(shutil.copy(reference_galaxy, tmp_path / "reference.db")), tmp_path)
    console(op="set", tag=TAG, value={"int32Value": 1}, settle=1.0)
    assert console.pauses == 0
    command = [sys.executable, "-c", _BEHIND, str(console.board_file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as session:
        assert session.stdin is not None
        assert session.stdout is not None
        assert session.stdout.readline() == "ready\n"
        console(op="set", tag=TAG, value={"int32Value": 2})
        assert console.pauses == 0
        console(op="set", tag=TAG, value={"int32Value": 3}, settle=0.01)
        assert console.pauses == 20
        caught_up = console.pause

        def pause(_: float) -> None:
            caught_up(0)
            assert session.stdin is not None
            assert session.stdout is not None
            session.stdin.write("look\n")
            session.stdin.flush()
            session.stdout.readline()

        console._console._pause = pause
        assert console(op="undeploy", objects=["TestChildObject"], settle=3600.0) == {"ok": ["TestChildObject"]}
        assert console.pauses == 21
        session.stdin.close()


_BEHIND = """
import sys
from pathlib import Path
from mxgateway_simulator.plant.board import Board
from mxgateway_simulator.watch.turns import Turn
path = Path(sys.argv[1])
import sqlite3
build_id = sqlite3.connect(path).execute("SELECT value FROM board WHERE name = 'build_id'").fetchone()[0]
board, turn = Board(path, build_id), Turn(path)
turn.saw(board.sequence)
print("ready", flush=True)
for _ in sys.stdin:
    board.poll()
    turn.saw(board.sequence)
    print("seen", flush=True)
"""
