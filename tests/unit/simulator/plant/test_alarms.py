"""Alarm extensions: sub-attributes, acknowledging, disabling, and what objects and areas say of the alarms below."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.simulator.conftest import BuildGalaxy, MakeSession
from tests.unit.simulator.plant_session import Change, PlantSession, boolean, i4, text

from mxgateway_simulator.building.builder import build_galaxy
from mxgateway_simulator.building.description_reader import parse_description

SECOND = 10**9

PLANT = """
galaxy: Alarms
templates:
  $T:
    attributes:
      High: {type: Boolean, alarm: {Priority: 100}}
      Low: {type: Boolean, alarm: {Priority: 600}}
instances:
  P: {template: $WinPlatform}
  E: {template: $AppEngine, host: P}
  Site: {template: $Area, host: E}
  Hall: {template: $Area, host: E, area: Site}
  One: {template: $T, area: Hall}
  Two: {template: $T, area: Site}
  Bare: {template: $UserDefined, area: Hall}
"""


@pytest.fixture(scope="module")
def alarm_galaxy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("alarms") / "alarms.db"
    build_galaxy(parse_description(PLANT, "alarms.yaml"), path)
    return path


@pytest.fixture
def plant(make_session: MakeSession, alarm_galaxy: Path) -> PlantSession:
    return make_session(alarm_galaxy)


def set_alarm(session: PlantSession, anchor: str, on: bool) -> None:
    session.write(session.advised(anchor), boolean(on))


def values(session: PlantSession, anchor: str, *names: str) -> list[object]:
    return [session.read(f"{anchor}.{name}").value for name in names]


def counts(
    active: tuple[int, ...] = (0, 0, 0, 0),
    unack_alm: tuple[int, ...] = (0, 0, 0, 0),
    unack_rtn: tuple[int, ...] = (0, 0, 0, 0),
    bits: int = 0,
) -> tuple[int, ...]:
    """The 13 elements of AlarmCntsBySeverity."""
    return (*active, *unack_alm, *unack_rtn, bits)


def test_an_alarm_goes_through_its_states(plant: PlantSession) -> None:
    """Raised, acknowledged by writing AckMsg, gone, raised again: attributes and times follow."""
    states = ("InAlarm", "Acked", "AckMsg")
    times = ("TimeAlarmOn", "TimeAlarmOff", "TimeAlarmAcked")
    assert values(plant, "One.High", *states) == [False, False, ""]
    plant.clock.advance(1)
    raised = plant.clock.unix_ns()
    set_alarm(plant, "One.High", True)
    assert values(plant, "One.High", *states) == [True, False, ""]
    plant.clock.advance(1)
    acked = plant.clock.unix_ns()
    plant.write(plant.advised("One.High.AckMsg"), text("seen"))
    assert values(plant, "One.High", *states) == [True, True, "seen"]
    assert values(plant, "One.High", "TimeAlarmOn", "TimeAlarmAcked") == [raised, acked]
    plant.clock.advance(1)
    gone = plant.clock.unix_ns()
    set_alarm(plant, "One.High", False)
    assert values(plant, "One.High", *states) == [False, True, "seen"]
    assert values(plant, "One.High", *times) == [raised, gone, acked]
    plant.clock.advance(1)
    set_alarm(plant, "One.High", True)
    assert values(plant, "One.High", "InAlarm", "Acked") == [True, False]


def test_an_alarm_that_went_unacknowledged_stays_so(plant: PlantSession) -> None:
    set_alarm(plant, "One.High", True)
    plant.clock.advance(1)
    set_alarm(plant, "One.High", False)
    assert values(plant, "One.High", "InAlarm", "Acked") == [False, False]


def test_a_comment_has_256_characters_at_most(plant: PlantSession) -> None:
    set_alarm(plant, "One.High", True)
    plant.write(plant.advised("One.High.AckMsg"), text("x" * 300))
    assert len(plant.read("One.High.AckMsg").value) == 256


@pytest.mark.parametrize(
    ("switch", "value"),
    [
        ("One.High.AlarmInhibit", boolean(True)),
        ("One.High.AlarmModeCmd", i4(2)),
        ("One.AlarmInhibit", boolean(True)),
        ("One.AlarmModeCmd", i4(2)),
        ("Hall.AlarmInhibit", boolean(True)),
        ("Site.AlarmModeCmd", i4(2)),
    ],
)
def test_disabled_alarms_are_not_in_alarm(plant: PlantSession, switch: str, value: object) -> None:
    """Disabled by itself, its object, its area or the area around that: InAlarm is false, with good quality."""
    set_alarm(plant, "One.High", True)
    watched = plant.advised("One.High.InAlarm")
    plant.write(plant.advised(switch), value)  # type: ignore[arg-type]
    found = plant.read("One.High.InAlarm")
    assert (found.value, found.quality, found.status.success) == (False, 192, -1)
    assert plant.read("Two.High.InAlarm").status.success == -1
    assert watched


def test_objects_and_areas_sum_up_their_alarms(plant: PlantSession) -> None:
    """The most urgent alarm that is active or not acknowledged, and the active ones by severity."""
    names = ("AlarmMostUrgentSeverity", "AlarmMostUrgentAcked", "AlarmMostUrgentInAlarm", "AlarmCntsBySeverity[]")
    nothing = [0, True, False, counts()]
    assert values(plant, "One", *names) == values(plant, "Site", *names) == values(plant, "Bare", *names) == nothing
    hall, site = plant.advised("Hall.AlarmMostUrgentSeverity"), plant.advised("Site.AlarmCntsBySeverity[]")
    set_alarm(plant, "One.Low", True)
    set_alarm(plant, "Two.High", True)
    set_alarm(plant, "One.High", True)
    events = [event for event in plant.advance(1.1) if isinstance(event, Change)]
    assert events == []  # what is written is seen at once, by the writer's own items too
    one = counts(active=(1, 0, 1, 0), unack_alm=(1, 0, 1, 0), bits=1 + 4 + 16 + 64)
    assert values(plant, "One", *names) == [1, False, True, one]
    hall = counts(active=(1, 0, 1, 0), unack_alm=(1, 0, 1, 0))
    assert values(plant, "Hall", *names) == [1, False, True, hall]
    site = counts(active=(2, 0, 1, 0), unack_alm=(2, 0, 1, 0))
    assert values(plant, "Site", *names, "AlarmsActive", "AlarmsUnacked") == [1, False, True, site, 3, 3]
    plant.clock.advance(1)
    plant.write(plant.advised("One.High.AckMsg"), text("seen"))
    one = counts(active=(1, 0, 1, 0), unack_alm=(0, 0, 1, 0), bits=1 + 4 + 64)
    assert values(plant, "One", *names) == [3, False, True, one]  # what is not acknowledged is more urgent
    assert values(plant, "Site", "AlarmMostUrgentAcked", "AlarmsUnacked") == [False, 2]
    plant.clock.advance(1)
    set_alarm(plant, "One.High", False)
    one = counts(active=(0, 0, 1, 0), unack_alm=(0, 0, 1, 0), bits=4 + 64)
    assert values(plant, "One", *names) == [3, False, True, one]
    plant.write(plant.advised("One.Low.Priority"), i4(-7))
    one = counts(active=(1, 0, 0, 0), unack_alm=(1, 0, 0, 0), bits=1 + 16)
    assert values(plant, "One", *names) == [1, False, True, one]
    assert hall
    assert site


def test_roll_ups_move_with_alarms_that_move_by_themselves(make_session: MakeSession, galaxy_of: BuildGalaxy) -> None:
    """An advised roll-up changes as its alarm does: an object's at once, an area's within a second."""
    session = make_session(
        galaxy_of("X: {type: Boolean, signal: {kind: toggle, trueFor: 5s, falseFor: 5s}, alarm: {Priority: 1}}")
    )
    alarm, own = session.advised("O.X.InAlarm"), session.advised("O.AlarmMostUrgentInAlarm")
    area = session.advised("A.AlarmMostUrgentInAlarm")
    seen: dict[int, list[tuple[int, object]]] = {alarm: [], own: [], area: []}
    for _ in range(40 * 31):
        for event in session.advance(0.025):
            seen[event.item].append((session.clock.unix_ns(), event.value))
    assert (
        [value for _, value in seen[alarm]] == [value for _, value in seen[own]] == [value for _, value in seen[area]]
    )
    assert len(seen[alarm]) == 6
    for (at, _), (own_at, _), (area_at, _) in zip(seen[alarm], seen[own], seen[area], strict=True):
        assert own_at == at
        assert at <= area_at <= at + SECOND + 25 * 10**6
