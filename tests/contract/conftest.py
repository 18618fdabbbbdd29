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
from mxgateway_simulator.builder import build_galaxy
from mxgateway_simulator.description_reader import read_description
from mxgateway_simulator.faults import Faults
from mxgateway_worker.backends.replay import ReplayBackend


@dataclass
class BackendCase:
    """One backend with references that it knows.

    Attributes:
        make: makes a backend that is not open yet, on the clock.
        tag: a reference that has a value; `writable`: one that takes a float, empty when none does.
        has_buffers: whether AddBufferedItem delivers.
    """

    name: str
    clock: ManualClock
    make: Callable[[], Backend]
    tag: str
    writable: str


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
    yield BackendCase(request.param, clock, make, tag, writable)
    for backend in made:
        backend.close()
