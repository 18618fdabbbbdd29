"""Modes, plant states, shelving and comments of alarms, and the counters of objects and areas against a recount."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.simulator.plant.alarm_lab import SECOND, T0, LabWorker, galaxy_at

from mxgateway_contract import failures
from mxgateway_protocol.alarms.shelving import shelve_command
from mxgateway_simulator.plant.alarms.counts import AlarmCounts, Standpoint, severity_of
from mxgateway_simulator.plant.alarms.operators import Operators, made_of
from mxgateway_simulator.plant.alarms.shelving import ShelveCommandError, parse_shelve_command
from mxgateway_simulator.plant.alarms.states import AlarmState, Mode
from mxgateway_simulator.plant.tags import Author

HOUR = 3600 * SECOND
GALAXY = """
galaxy: Modes
alarms:
  plantStates: {Cleaning: Silence}
  severities: [100, 200, 300]
templates:
  $T:
    attributes:
      X: {type: Boolean, alarm: {Priority: 100}}
      Y: {type: Boolean, alarm: {Priority: 250, DescAttrName: me.Note}}
      Z: {type: Boolean, alarm: {Priority: 999, DescAttrName: Something is wrong}}
      Note: {type: String, value: Look here}
    contains:
      Part: {template: $Inner}
  $Inner:
    attributes:
      X: {type: Boolean, alarm: {Priority: 1}}
instances:
  P: {template: $WinPlatform}
  E: {template: $AppEngine, host: P}
  Site: {template: $Area, host: E}
  Hall: {template: $Area, host: E, area: Site, attributes: {PlantState: Testing}}
  Yard: {template: $Area, host: E, area: Site}
  "O_[1..3]": {template: $T, area: Hall}
  "U_[1..2]": {template: $T, area: Yard}
"""


@pytest.fixture(scope="module")
def galaxy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return galaxy_at(tmp_path_factory.mktemp("modes") / "modes.db", GALAXY)


@pytest.fixture
def worker(galaxy: Path, tmp_path: Path) -> Iterator[LabWorker]:
    worker = LabWorker(galaxy, tmp_path / "board.db")
    yield worker
    worker.close()


def mode(worker: LabWorker, alarm: str, at: int = T0) -> str:
    return worker.situation(alarm, at).mode.name


def test_the_most_restrictive_mode_counts(worker: LabWorker) -> None:
    """b.4 Own command, inhibit, container, area and plant state: Disabled before Silenced before Enabled."""
    assert (mode(worker, "O_1.X"), mode(worker, "U_1.X")) == ("SILENCED", "ENABLED")
    worker.write("Site.AlarmModeCmd", 1, T0)
    assert mode(worker, "U_1_Part.X") == "SILENCED"
    worker.write("U_1.AlarmInhibit", True, T0)
    assert (mode(worker, "U_1_Part.X"), mode(worker, "U_2_Part.X")) == ("DISABLED", "SILENCED")
    worker.write("Site.AlarmModeCmd", 0, T0)
    worker.write("U_2.X.AlarmModeCmd", 2, T0)
    assert (mode(worker, "U_2.X"), mode(worker, "U_2.Y")) == ("DISABLED", "ENABLED")
    assert worker.read("U_2.X.AlarmMode", T0) == 2
    assert worker.read("U_1.AlarmMode", T0) == 2
    assert worker.read("Hall.PlantStateAlarmMode", T0) == 1


@pytest.mark.parametrize(
    ("state", "expected"),
    [("Running", "ENABLED"), ("maintenance", "DISABLED"), ("Startup", "SILENCED"), ("Shutdown", "DISABLED"),
     ("Testing", "SILENCED"), ("Cleaning", "SILENCED")],
)  # fmt: skip
def test_plant_states_change_the_modes_of_an_area(worker: LabWorker, state: str, expected: str) -> None:
    """b.4 h.40 Those of every Galaxy, and the one that this Galaxy adds."""
    assert worker.write("Yard.PlantState", state, T0) is None
    assert mode(worker, "U_1_Part.X") == expected


def test_an_unknown_plant_state_is_refused(worker: LabWorker) -> None:
    assert worker.write("Yard.PlantState", "Holiday", T0) == failures.OUT_OF_RANGE
    assert worker.read("Yard.PlantState", T0) == "Running"


def test_mode_numbers_are_a_switch(galaxy: Path, tmp_path: Path) -> None:
    worker = LabWorker(galaxy, tmp_path / "b.db", alarm_mode_numbers="from_1")
    worker.write("U_1.X.AlarmModeCmd", 2, T0)
    assert (mode(worker, "U_1.X"), worker.read("U_1.X.AlarmMode", T0)) == ("SILENCED", 2)
    assert list(worker.binding("U_1.X.AlarmModeCmd").tag.enum) == ["", "Enable", "Silence", "Disable"]
    worker.close()


def test_silenced_alarms_go_on(worker: LabWorker) -> None:
    """h.40 Silencing in alarm changes the mode, not the occurrence."""
    worker.write("U_1.X", True, T0)
    before = worker.situation("U_1.X", T0).status
    worker.write("Yard.AlarmModeCmd", 1, T0 + 5)
    now = worker.situation("U_1.X", T0 + 5)
    assert (now.mode, now.status, now.is_listed) == (Mode.SILENCED, before, True)


def test_shelving_ends_by_itself(worker: LabWorker) -> None:
    """b.5 The writer's command shelves one alarm; the attributes tell; at its stop time it is over."""
    worker.write("U_1.X", True, T0)
    by = Author("anna", "PC1")
    assert worker.write("U_1.X.AlarmShelveCmd", "Duration=0.5;Reason='pump in repair'", T0, by) is None
    now = worker.situation("U_1.X", T0 + 60 * SECOND)
    assert now.shelved is not None
    assert now.next_ns == T0 + HOUR // 2
    names = ("Shelved", "ShelveReason", "ShelveStartTime", "ShelveStopTime", "ShelveUser", "ShelveNode")
    assert [worker.read(f"U_1.X.Alarm{name}", T0 + 1) for name in names] == [
        True, "pump in repair", T0, T0 + HOUR // 2, "anna", "PC1"
    ]  # fmt: skip
    assert worker.situation("U_1.Y", T0 + 1).shelved is None
    assert worker.situation("U_1.X", T0 + HOUR // 2).shelved is None
    worker.write("U_1.X.AlarmShelveCmd", "Duration=2", T0 + HOUR)
    worker.write("U_1.X.AlarmShelveCmd", "Duration=0", T0 + HOUR + 1)
    assert worker.situation("U_1.X", T0 + HOUR + 2).shelved is None


@pytest.mark.parametrize(
    ("text", "hours", "reason"),
    [
        ("Duration=0.5;Reason='pump in repair'", 0.5, "pump in repair"),
        ('duration = 2 ; reason = "it\'s a \\\\ here"', 2, "it's a \\\\ here"),
        ("Reason='first';Duration=1", 1, "first"),
        ("Duration=0", 0, ""),
    ],
)
def test_shelve_commands(text: str, hours: float, reason: str) -> None:
    """Hours, whole or not; the reason in quotes of either kind, which may hold the other."""
    assert parse_shelve_command(text) == (round(hours * HOUR), reason)
    assert parse_shelve_command(shelve_command(hours, reason)) == (round(hours * HOUR), reason)


@pytest.mark.parametrize(
    "text",
    ["", "Reason='x'", "Duration=", "Duration=x", "Duration=-1", "Duration=nan", "Duration=1;Duration=2", "Hours=1",
     "Duration='1'", "Duration=1;Reason=x", f"Duration=1;Reason='{'x' * 201}'", "Duration=1;Reason='x' y",
     "Duration=1e9"],
)  # fmt: skip
def test_what_is_no_shelve_command_changes_nothing(worker: LabWorker, text: str) -> None:
    with pytest.raises(ShelveCommandError):
        parse_shelve_command(text)
    assert worker.write("U_1.X.AlarmShelveCmd", text, T0) == failures.OUT_OF_RANGE
    assert worker.situation("U_1.X", T0).shelved is None


@pytest.mark.parametrize(
    "comment",
    ["", "x" * 256, "a \"quoted\" 'comment'", "two\nlines", "Grüße 圧力 \U0001f37a", "!.%"],
    ids=["empty", "longest", "quotes", "newline", "Unicode", "marks"],
)
def test_comments_are_kept_as_they_are(worker: LabWorker, comment: str) -> None:
    """h.38 Any text acknowledges, the empty one too."""
    worker.write("U_1.X", True, T0)
    assert worker.write("U_1.X.AckMsg", comment, T0 + 1, Author("anna", "PC1")) is None
    ack = worker.situation("U_1.X", T0 + 2).status.acknowledgement
    assert ack is not None
    assert (ack.comment, ack.user, ack.node) == (comment, "anna", "PC1")
    assert worker.read("U_1.X.AckMsg", T0 + 2) == comment


def test_a_comment_of_257_characters_is_cut_or_refused(galaxy: Path, tmp_path: Path, worker: LabWorker) -> None:
    """h.38"""
    worker.write("U_1.X", True, T0)
    worker.write("U_1.X.AckMsg", "x" * 257, T0 + 1)
    assert worker.read("U_1.X.AckMsg", T0 + 2) == "x" * 256
    strict = LabWorker(galaxy, tmp_path / "strict.db", alarm_long_comment="refuse")
    strict.write("U_1.X", True, T0)
    assert strict.write("U_1.X.AckMsg", "x" * 257, T0 + 1) == failures.OUT_OF_RANGE
    assert strict.situation("U_1.X", T0 + 2).status.state is AlarmState.UNACK_ALM
    strict.close()


def test_acknowledging_again_or_nothing(galaxy: Path, tmp_path: Path) -> None:
    """h.27 The first acknowledgement stands; both may answer detail 1015 by a switch."""
    for again, answer in (("success", None), ("fails", failures.ACKED_ALREADY)):
        worker = LabWorker(galaxy, tmp_path / f"{again}.db", ack_again=again, ack_inactive=again)
        assert worker.write("U_1.X.AckMsg", "nothing there", T0) == answer
        worker.write("U_1.X", True, T0 + 1)
        assert worker.write("U_1.X.AckMsg", "first", T0 + 2) is None
        assert worker.write("U_1.X.AckMsg", "second", T0 + 3) == answer
        ack = worker.situation("U_1.X", T0 + 4).status.acknowledgement
        assert ack is not None
        assert (ack.comment, ack.time_ns) == ("first", T0 + 2)
        worker.close()


def test_the_message_is_what_the_reference_leads_to(worker: LabWorker) -> None:
    """b.2 The text of another attribute, the reference itself where it leads nowhere, else the object's description."""
    assert [worker.alarm(name).description for name in ("U_1.Y", "U_1.Z", "U_1.X")] == [
        "Look here",
        "Something is wrong",
        "",
    ]
    worker.write("U_1.Note", "Look there", T0)
    worker.write("U_1.ShortDesc", "A unit", T0)
    assert [worker.alarm(name).description for name in ("U_1.Y", "U_1.X", "U_2.Y")] == [
        "Look there",
        "A unit",
        "Look here",
    ]


def test_people_in_the_control_room_acknowledge(tmp_path: Path) -> None:
    """Which occurrences, when and by whom is the same in every worker; what somebody else did before counts."""
    operators = made_of({"acknowledge": 0.5, "after": ["10s", "20s"], "names": ["anna", "bert"]})
    done = [operators.acknowledgement(seed, T0 + seed * SECOND) for seed in range(400)]
    found = [ack for ack in done if ack is not None]
    assert 150 < len(found) < 250
    assert all(10 * SECOND <= ack.time_ns - ack.occurrence_ns <= 20 * SECOND for ack in found)
    assert {ack.user for ack in found} == {"anna", "bert"}
    assert Operators().acknowledgement(1, T0) is None
    text = GALAXY.replace("alarms:\n", "alarms:\n  operators: {acknowledge: 1, after: [10s, 10s]}\n")
    worker = LabWorker(galaxy_at(tmp_path / "staffed.db", text), tmp_path / "b.db")
    worker.write("U_1.X", True, T0)
    assert worker.situation("U_1.X", T0).next_ns == T0 + 10 * SECOND
    assert worker.situation("U_1.X", T0 + 10 * SECOND).status.state is AlarmState.ACK_ALM
    worker.write("U_1.Y", True, T0)
    worker.write("U_1.Y.AckMsg", "mine", T0 + SECOND, Author("carla"))
    ack = worker.situation("U_1.Y", T0 + 60 * SECOND).status.acknowledgement
    assert ack is not None
    assert (ack.user, ack.comment) == ("carla", "mine")
    worker.close()


@pytest.mark.parametrize("spec", [{"acknowledge": 2}, {"after": ["10s"]}, {"after": ["20s", "10s"]}, {"names": []}])
def test_operators_that_make_no_sense(spec: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"acknowledge|after|names"):
        made_of(spec)


# ------------------------------------------------------------------------------------------------------------- roll-ups


def recounted(worker: LabWorker, place: str, at: int) -> AlarmCounts:
    """The counters of an object or area, counted anew from all its alarms."""
    counts = AlarmCounts()
    for alarm in worker.tags.alarm_table().alarms:
        lineage = [owner.name for owner in alarm.owner.lineage()]
        if place not in lineage:
            continue
        now = alarm.situation(at)
        status = now.status
        severity = severity_of(now.priority, (100, 200, 300))
        point = Standpoint(status.state, now.mode, now.shelved is not None, status.in_alarm, status.acked, severity)
        counts.count(point, 1, is_local=lineage[0] == place)
    return counts


def figures(counts: AlarmCounts) -> tuple[object, ...]:
    return counts.by_severity(active_bit_with_rtn=False), counts.most_urgent, counts.active, counts.unacknowledged


@pytest.mark.parametrize("seed", range(6))
def test_counters_are_what_counting_anew_gives(worker: LabWorker, seed: int) -> None:
    """b.6 After every write to alarms, modes, shelves and priorities, for objects, containers and areas."""
    chosen = random.Random(seed)
    objects = ("O_1", "O_3", "U_1", "U_1_Part", "O_2_Part")
    table = worker.tags.alarm_table()
    for step in range(60):
        at = T0 + step * SECOND
        reference, value = chosen.choice(
            [
                (f"{chosen.choice(objects)}.X", chosen.random() < 0.6),
                (f"{chosen.choice(objects)}.X", True),
                (f"{chosen.choice(objects)}.X.AckMsg", "seen"),
                (f"{chosen.choice(objects)}.X.Priority", chosen.choice([1, 150, 250, 400])),
                (f"{chosen.choice(objects)}.X.AlarmShelveCmd", f"Duration={chosen.choice([0, 0.002])}"),
                (f"{chosen.choice(('Site', 'Hall', 'Yard', 'O_1'))}.AlarmModeCmd", chosen.choice([0, 0, 1, 2])),
                ("Hall.PlantState", chosen.choice(["Running", "Shutdown"])),
            ]
        )
        worker.write(reference, value, at)
        table.advance(at)
        for place in ("site", "hall", "yard", "o_1", "u_1", "u_1_part"):
            assert figures(table.counts(place)) == figures(recounted(worker, place, at)), (step, place, reference)


def test_roll_ups_of_an_area_have_no_limit(tmp_path: Path) -> None:
    """b.6 An area with two thousand alarms sums them up as one with two."""
    text = """
galaxy: Large
templates:
  $T: {attributes: {X: {type: Boolean, value: true, alarm: {Priority: 600}}}}
instances:
  P: {template: $WinPlatform}
  E: {template: $AppEngine, host: P}
  A: {template: $Area, host: E}
  "O_[0001..2000]": {template: $T, area: A}
"""
    worker = LabWorker(galaxy_at(tmp_path / "large.db", text), tmp_path / "b.db")
    assert worker.read("A.AlarmsActive", T0) == 2000
    assert worker.read("A.AlarmCntsBySeverity[]", T0)[:8] == (0, 0, 2000, 0, 0, 0, 2000, 0)
    worker.write("A.AlarmAggregationStateCmd", False, T0 + 1)
    assert worker.read("A.AlarmsActive", T0 + 1) == 0
    assert worker.read("A.AlarmMostUrgentAcked", T0 + 1) is True
    worker.close()
