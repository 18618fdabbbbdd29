"""When the changes of many tags are told."""

from __future__ import annotations

import pytest
from tests.unit.simulator.conftest import BuildGalaxy, MakeSession
from tests.unit.simulator.plant_session import Buffered, Change

from mxgateway_protocol.variants import DataType


@pytest.mark.parametrize(
    ("every", "turn_ms", "late_ms"), [("1s", 0, 0), ("1s", 30, 30), ("1s", 4000, 500), ("100ms", 80, 50)]
)
def test_a_session_is_told_when_it_is_its_turn(
    make_session: MakeSession, galaxy_of: BuildGalaxy, every: str, turn_ms: int, late_ms: int
) -> None:
    """Later than the change by its place in the row, at most by half the interval; stamped with the change."""
    session = make_session(galaxy_of(f"X: {{type: Integer, signal: {{kind: counter, every: {every}}}}}"))
    session.backend._lmx.use_turn(turn_ms * 10**6)
    session.advised("O.X")
    session.pump()
    late: list[int] = []
    for _ in range(2200):
        events = session.advance(0.001, 0.001)
        late += [session.clock.unix_ns() - event.timestamp_ns for event in events if isinstance(event, Change)]
    assert len(late) >= 2
    assert {round(ns / 10**6) for ns in late} <= {late_ms, late_ms - 1, late_ms + 1}


def test_slow_tags_change_at_few_instants(make_session: MakeSession, galaxy_of: BuildGalaxy) -> None:
    """So that a session with many of them wakes twice a second, not for each."""
    names = [f"X{n}" for n in range(12)]
    attributes = ", ".join(f"{name}: {{type: Integer, signal: {{kind: counter, every: 1s}}}}" for name in names)
    session = make_session(galaxy_of(attributes))
    for name in names:
        session.advised(f"O.{name}")
    changes = [event for event in session.advance(3.0) if isinstance(event, Change)]
    assert len(changes) >= 24
    assert len({event.timestamp_ns % 10**9 for event in changes}) <= 2


@pytest.mark.parametrize(
    ("switch", "integer", "elapsed"),
    [("vartype", DataType.INTEGER, DataType.DOUBLE), ("galaxy", DataType.INTEGER, DataType.ELAPSED_TIME)],
)
def test_the_data_type_of_a_change_is_what_com_tells_or_the_galaxys(
    make_session: MakeSession, galaxy_of: BuildGalaxy, switch: str, integer: int, elapsed: int
) -> None:
    """OnDataChange carries no data type; OnBufferedDataChange does."""
    galaxy = galaxy_of("X: {type: ElapsedTime, buffer: true}, Y: {type: Integer}")
    session = make_session(galaxy, switches={"event_data_type": switch})
    told = [session.read(reference).variant.data_type for reference in ("O.X", "O.Y")]
    assert told == [elapsed, integer]
    session.backend.add_buffered_item(1, "O.X", "")
    (buffered,) = session.pump()
    assert isinstance(buffered, Buffered)
    assert buffered.data_type == DataType.ELAPSED_TIME
