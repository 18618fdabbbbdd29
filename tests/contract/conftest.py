"""Every backend that runs here, for the suites that each must pass.

`MXGATEWAY_CONTRACT_BACKENDS=com` runs them on the COM object: in a 32-bit Windows Python that has the stand-in.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support.clock import ManualClock, PassingTime
from tests.support.fake_backend import FakeBackend

from mxgateway_protocol.backend import Backend
from mxgateway_simulator.backend import SimulatorBackend
from mxgateway_simulator.faults import Faults
from mxgateway_worker.backends.com import create_backend as create_com_backend
from mxgateway_worker.backends.replay import ReplayBackend

BACKENDS = os.environ.get("MXGATEWAY_CONTRACT_BACKENDS", "fake simulator replay").split()


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


REFERENCES["com"] = REFERENCES["simulator"]


@pytest.fixture(scope="session")
def contract_galaxy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # A worker's Python has no SQLAlchemy, and needs none for the other backends.
    from mxgateway_simulator.building.builder import build_galaxy
    from mxgateway_simulator.building.description_reader import read_description

    path = tmp_path_factory.mktemp("contract") / "reference.db"
    build_galaxy(read_description("reference"), path)
    return path


@pytest.fixture(params=BACKENDS)
def backend_case(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BackendCase]:
    made: list[Backend] = []
    name: str = request.param
    clock = PassingTime(lambda seconds: made[-1].wait(seconds)) if name == "com" else ManualClock()

    def make() -> Backend:
        backend: Backend
        if name == "fake":
            backend = FakeBackend()
        elif name == "simulator":
            galaxy = request.getfixturevalue("contract_galaxy")
            backend = SimulatorBackend(
                galaxy=galaxy, board=tmp_path / "board.db", profile="test", switches={}, faults=Faults(), clock=clock
            )
        elif name == "com":
            backend = create_com_backend({})
        else:
            recording = tmp_path / "recording.csv"
            recording.write_text("tag,time,value,quality,type\nTank.Level,2026-01-01T00:00:00Z,1.5,192,double\n")
            backend = ReplayBackend(recording, clock=clock)
        made.append(backend)
        return backend

    tag, writable = {
        "fake": ("Tank.Level", "Tank.Level"),
        "simulator": ("TestMachine_001.TestChangingInt", "TestChildObject.TestInt"),
        "com": ("TestMachine_001.TestChangingInt", "TestChildObject.TestInt"),
        "replay": ("Tank.Level", ""),
    }[name]
    yield BackendCase(name, clock, make, tag, writable, REFERENCES[name])
    for backend in made:
        backend.close()
