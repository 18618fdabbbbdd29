"""Every backend that runs here, for the suites that each must pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support.clock import ManualClock
from tests.support.fake_backend import FakeBackend

from mxgateway_protocol.backend import Backend
from mxgateway_simulator.backend import SimulatorBackend
from mxgateway_simulator.building.builder import build_galaxy
from mxgateway_simulator.building.description_reader import read_description
from mxgateway_simulator.faults import Faults
from mxgateway_worker.backends.replay import ReplayBackend


@dataclass
class BackendCase:
    """One backend with references that it knows.

    Attributes:
        make: makes a backend that is not open yet, on the clock.
        tag: a reference that has a value; `writable`: one that takes a float, empty when none does.
        references: what a fuzzer may ask for: known names with all sorts of endings.
        has_buffers: whether AddBufferedItem delivers.
    """

    name: str
    clock: ManualClock
    make: Callable[[], Backend]
    tag: str
    writable: str
    references: tuple[str, ...]


ENDINGS = (
    *(15 * ("",)),
    *("[]", "[]", "[]", "[-1]", "[0]", "[1]", "[2]", "[32768]", "[1].31", "[].Quality", ".00", ".31", ".32"),
    *(".Value", ".Type", ".Quality", ".Dimension1", ".SecurityClassification", ".Locked", ".Category", ".Time"),
    *(
        ".Name",
        ".property(Buffer)",
        ".property(Name)",
        ".InAlarm",
        ".AckMsg",
        ".Acked",
        ".AlarmInhibit",
        ".AlarmModeCmd",
    ),
)
ZOO = [f"TestChildObject.{name}" for name in (
    "TestBool", "TestInt", "TestFloat", "TestDouble", "TestString", "TestDateTime", "TestDuration", "TestReference",
    "TestStatus", "TestDataTypeEnum", "TestSecurityEnum", "TestQualityType", "TestEnum", "TestStruct",
    "TestInternationalString", "TestBigString", "TestBoolArray", "TestIntArray", "TestFloatArray", "TestDoubleArray",
    "TestStringArray", "TestDateTimeArray", "TestDurationArray", "TestMovingArray", "ClassSecuredWrite",
    "RangedValue", "LockedValue", "ScanStateCmd", "attribute(TestIntArray)",
)]  # fmt: skip
MACHINE = [f"TestMachine_001.{name}" for name in (
    "TestChangingInt", "TestAlarm001", "TestAlarm002", "TestHistoryValue", "TestText", "State", "DelmiaReceiver.Error",
)]  # fmt: skip
PLACES = ["DevAppEngine.ScanState", "DevPlatform.ScanState", "TestArea.InAlarm", "Me.TestInt", "MyArea.ScanState"]
REFERENCES: dict[str, tuple[str, ...]] = {
    "fake": ("Tank.Level", "Tank.Count", "tank.level"),
    "simulator": tuple(name + ending for name in (*ZOO, *MACHINE, *PLACES) for ending in ENDINGS),
    "replay": ("Tank.Level", "TANK.LEVEL", "Tank.Level.Quality"),
}


@pytest.fixture(scope="session")
def contract_galaxy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("contract") / "reference.db"
    build_galaxy(read_description("reference"), path)
    return path


@pytest.fixture(params=["fake", "simulator", "replay"])
def backend_case(request: pytest.FixtureRequest, contract_galaxy: Path, tmp_path: Path) -> Iterator[BackendCase]:
    clock = ManualClock()
    made: list[Backend] = []

    def make() -> Backend:
        backend: Backend
        if request.param == "fake":
            backend = FakeBackend()
        elif request.param == "simulator":
            backend = SimulatorBackend(contract_galaxy, tmp_path / "board.db", "test", {}, Faults(), clock)
        else:
            recording = tmp_path / "recording.csv"
            recording.write_text("tag,time,value,quality,type\nTank.Level,2026-01-01T00:00:00Z,1.5,192,double\n")
            backend = ReplayBackend(recording, clock=clock)
        made.append(backend)
        return backend

    tag, writable = {
        "fake": ("Tank.Level", "Tank.Level"),
        "simulator": ("TestMachine_001.TestChangingInt", "TestChildObject.TestInt"),
        "replay": ("Tank.Level", ""),
    }[request.param]
    yield BackendCase(request.param, clock, make, tag, writable, REFERENCES[request.param])
    for backend in made:
        backend.close()
