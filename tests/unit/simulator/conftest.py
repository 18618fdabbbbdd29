"""A plant, a clock and a recording sink for the tests of the simulator."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from tests.support.clock import ManualClock
from tests.unit.simulator.plant_session import PlantSession

from mxgateway_simulator.building.builder import build_galaxy
from mxgateway_simulator.building.description_reader import parse_description, read_description

MakeSession = Callable[..., PlantSession]
BuildGalaxy = Callable[[str], Path]


@pytest.fixture(scope="session")
def reference_galaxy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reference Galaxy's database; tests that change it copy it first."""
    path = tmp_path_factory.mktemp("galaxy") / "reference.db"
    build_galaxy(read_description("reference"), path)
    return path


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(unix_ns=1_750_000_000 * 10**9)


@pytest.fixture
def make_session(reference_galaxy: Path, clock: ManualClock, tmp_path: Path) -> Iterator[MakeSession]:
    """Makes sessions of one plant: they share Galaxy, board and clock."""
    sessions: list[PlantSession] = []

    def make(
        galaxy: Path | None = None, profile: str = "test", switches: Mapping[str, str] | None = None
    ) -> PlantSession:
        session = PlantSession(galaxy or reference_galaxy, tmp_path / "board.db", profile, switches or {}, clock)
        sessions.append(session)
        return session

    yield make
    for session in sessions:
        session.close()


@pytest.fixture(scope="module")
def reader(reference_galaxy: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlantSession]:
    """One session for all tests of a module that only read."""
    clock = ManualClock(unix_ns=1_750_000_000 * 10**9)
    session = PlantSession(reference_galaxy, tmp_path_factory.mktemp("board") / "board.db", "test", {}, clock)
    yield session
    session.close()


@pytest.fixture
def session(make_session: MakeSession) -> PlantSession:
    return make_session()


@pytest.fixture
def galaxy_of(tmp_path: Path) -> BuildGalaxy:
    """Builds a Galaxy in which an object O has the attributes given as YAML; called again, it builds it anew."""

    def build(attributes: str) -> Path:
        description = (
            f"{{galaxy: Small, templates: {{$T: {{attributes: {{{attributes}}}}}}}, instances: {{"
            "P: {template: $WinPlatform}, E: {template: $AppEngine, host: P}, A: {template: $Area, host: E},"
            " O: {template: $T, area: A}}}"
        )
        build_galaxy(parse_description(description, "small.yaml"), tmp_path / "small.db")
        return tmp_path / "small.db"

    return build
