"""What raises an alarm and what ends it: limits, rates, deviations, bad values, deadbands, and what is forced."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.unit.simulator.plant.alarm_lab import SECOND, T0, LabWorker, galaxy_at

from mxgateway_simulator.plant.alarms.states import AlarmState
from mxgateway_simulator.plant.entries import FORCED, STORM, TRACK, VALUE, Forced, Storm

GALAXY = """
galaxy: Conditions
templates:
  $T:
    attributes:
      V: {{type: Float, value: 50.0, {analog}}}
      B: {{type: Float, value: 50.0, badvalue: {{Priority: 30}}}}
      D: {{type: Boolean, alarm: {{Alarm.TimeDeadband: 5s}}}}
      Wave: {{type: Float, signal: {{kind: sine, low: 0, high: 100, period: 60s, phase: 0}}, analog: {{Hi: 90}}}}
instances:
  P: {{template: $WinPlatform}}
  E: {{template: $AppEngine, host: P}}
  A: {{template: $Area, host: E}}
  O: {{template: $T, area: A}}
"""
MakeWorker = Callable[..., LabWorker]


@pytest.fixture
def worker_of(tmp_path: Path) -> Iterator[MakeWorker]:
    """Makes a worker of a Galaxy whose attribute V has the analog alarms given."""
    made: list[LabWorker] = []

    def make(analog: str, **switches: Any) -> LabWorker:
        number = len(made)
        galaxy = galaxy_at(tmp_path / f"g{number}.db", GALAXY.format(analog=f"analog: {{{analog}}}"))
        made.append(LabWorker(galaxy, tmp_path / f"b{number}.db", **switches))
        return made[-1]

    yield make
    for worker in made:
        worker.close()


def seen(worker: LabWorker, alarm: str, values: list[float], step_ns: int = SECOND, anchor: str = "O.V") -> list[bool]:
    """Whether the alarm is there after each of some values, written one after the other."""
    found = []
    for place, value in enumerate(values):
        at = T0 + place * step_ns
        worker.write(anchor, value, at)
        found.append(worker.situation(alarm, at).status.in_alarm)
    return found


@pytest.mark.parametrize(
    ("hysteresis", "expected"),
    [
        ("on_return", [False, True, True, True, True, False, False]),
        ("both_sides", [False, False, True, True, True, False, False]),
        ("on_raise", [False, False, True, True, False, False, False]),
    ],
)
def test_a_limit_with_its_deadband(worker_of: MakeWorker, hysteresis: str, expected: list[bool]) -> None:
    """Equal to the limit is no alarm; where the deadband counts is a switch."""
    worker = worker_of("Hi: 80, ValueDeadband: 5", limit_deadband=hysteresis)
    assert seen(worker, "O.V.Hi", [80, 81, 86, 81, 76, 75, 74]) == expected


def test_each_limit_is_an_alarm_of_its_own(worker_of: MakeWorker) -> None:
    """HiHi does not end Hi; priorities, types, limits and values are those of each."""
    worker = worker_of(
        "LoLo: {Limit: 5, Priority: 10}, Lo: 20, Hi: {Limit: 80, Priority: 300}, HiHi: {Limit: 95, Priority: 20}"
    )
    worker.write("O.V", 97.5, T0)
    found = {
        alarm.key: alarm.situation(T0) for alarm in worker.tags.alarm_table().alarms if alarm.key.startswith("o.v.")
    }
    assert {key for key, now in found.items() if now.status.in_alarm} == {"o.v.hi", "o.v.hihi"}
    assert {key: now.priority for key, now in found.items()} == {
        "o.v.lolo": 10, "o.v.lo": 500, "o.v.hi": 300, "o.v.hihi": 20
    }  # fmt: skip
    hihi = worker.alarm("O.V.HiHi")
    assert (hihi.alarm_class, hihi.condition.judge.limit(T0)) == (("VALUE", "HIHI"), 95.0)
    assert found["o.v.hihi"].status.value == 97.5
    assert worker.read("O.V.HiHi.InAlarm", T0) is True
    assert worker.read("O.V.Lo.InAlarm", T0) is False


def test_a_time_deadband_delays_the_alarm(worker_of: MakeWorker) -> None:
    """h.28 It comes when it has held for so long, with time and value of its beginning; shorter is nothing at all."""
    worker = worker_of("Hi: 80, TimeDeadband: 5s")
    worker.write("O.V", 90.0, T0)
    worker.write("O.V", 91.0, T0 + 2 * SECOND)
    assert not worker.situation("O.V.Hi", T0 + 4 * SECOND).status.in_alarm
    now = worker.situation("O.V.Hi", T0 + 5 * SECOND)
    assert (now.status.in_alarm, now.status.on_ns, now.status.value) == (True, T0, 90.0)
    worker.write("O.V", 50.0, T0 + 60 * SECOND)
    worker.write("O.V", 90.0, T0 + 70 * SECOND)
    worker.write("O.V", 50.0, T0 + 74 * SECOND)
    status = worker.situation("O.V.Hi", T0 + 90 * SECOND).status
    assert (status.state, status.on_ns) == (AlarmState.UNACK_RTN, T0)


def test_the_end_of_a_time_deadband_can_be_the_alarms_time(worker_of: MakeWorker) -> None:
    worker = worker_of("Hi: 80, TimeDeadband: 5s", time_deadband_stamp="end")
    worker.write("O.V", 90.0, T0)
    assert worker.situation("O.V.Hi", T0 + 9 * SECOND).status.on_ns == T0 + 5 * SECOND
    worker.write("O.D", True, T0)
    assert not worker.situation("O.D", T0 + 4 * SECOND).status.in_alarm
    assert worker.situation("O.D", T0 + 5 * SECOND).status.in_alarm


def test_rates_of_change(worker_of: MakeWorker) -> None:
    """(value - last) by the evaluation period, in the unit that is set; both limits are positive."""
    worker = worker_of("IncreasingHi: 60, DecreasingHi: 60, EvalPeriod: 1s, RateUnits: 1")
    values = [50, 52, 52, 50, 50.5]
    assert seen(worker, "O.V.Roc.IncreasingHi", values) == [False, True, False, False, False]
    worker = worker_of("IncreasingHi: 60, DecreasingHi: 60, EvalPeriod: 1s, RateUnits: 1")
    assert seen(worker, "O.V.Roc.DecreasingHi", values) == [False, False, False, True, False]


def test_deviation_from_a_target(worker_of: MakeWorker) -> None:
    """Beyond the tolerance on either side; nothing while a new target is still settling."""
    worker = worker_of("Target: 50, Minor: 10, Major: {Tolerance: 20, Priority: 5}, Deadband: 2, SettlingPeriod: 10s")
    assert seen(worker, "O.V.Dev.Minor", [61, 59, 57, 39]) == [True, True, False, True]
    assert not worker.situation("O.V.Dev.Major", T0 + 3 * SECOND).status.in_alarm
    worker.write("O.V.Dev.Target", 80.0, T0 + 20 * SECOND)
    assert not worker.situation("O.V.Dev.Major", T0 + 29 * SECOND).status.in_alarm
    assert worker.situation("O.V.Dev.Major", T0 + 30 * SECOND).status.in_alarm


@pytest.mark.parametrize(("switch", "kept"), [("keep", True), ("clear", False)])
def test_bad_quality_is_an_alarm_of_its_own(worker_of: MakeWorker, switch: str, kept: bool) -> None:
    """Only the bad-value alarm follows it; the others keep their state, or lose it by a switch."""
    worker = worker_of("Hi: 80", bad_quality_alarm=switch)
    worker.write("O.V", 90.0, T0)
    for name in ("o.v", "o.b"):
        worker.write(name, 50.0, T0 + 10)
        held = worker.board.written(name)
        assert held is not None
        bad = replace(held, quality=0)
        worker.board.change(lambda edit, name=name, bad=bad: edit.put(VALUE, name, bad))
    assert worker.situation("O.V.Hi", T0 + 20).status.in_alarm is kept
    assert worker.situation("O.B.Bad", T0 + 5).status.in_alarm is False
    assert worker.situation("O.B.Bad", T0 + 20).status.in_alarm is True


def test_a_limit_that_is_written_counts_from_then_on(worker_of: MakeWorker) -> None:
    """The alarm begins with the write of the limit, not with the value that now is above it; late workers agree."""
    worker = worker_of("Hi: 80")
    worker.write("O.V", 70.0, T0)
    worker.write("O.V.Hi.Limit", 60.0, T0 + 100 * SECOND)
    status = worker.situation("O.V.Hi", T0 + 200 * SECOND).status
    assert (status.in_alarm, status.occurrence_ns) == (True, T0 + 100 * SECOND)


def test_what_moves_by_itself_is_the_same_in_every_worker(worker_of: MakeWorker, tmp_path: Path) -> None:
    """An alarm on a signal has the same occurrences for one that watches all the time and one that comes late."""
    worker = worker_of("Hi: 80")
    times = [T0 + step * SECOND // 2 for step in range(0, 400, 3)]
    watched = [worker.situation("O.Wave.Hi", at).status for at in times]
    assert sum(now.in_alarm for now in watched) in range(20, 60)
    for at, before in list(zip(times, watched, strict=True))[::20]:
        late = LabWorker(tmp_path / "g0.db", tmp_path / "b0.db")
        assert late.situation("O.Wave.Hi", at).status == before
        late.close()


def test_forced_alarms_come_and_go_as_told(worker_of: MakeWorker) -> None:
    """Whatever the attribute shows; for as long as was said, or until it is set otherwise."""
    worker = worker_of("Hi: 80")
    worker.board.change(lambda edit: edit.put(FORCED, "o.v.hi", Forced(True, T0, T0 + 30 * SECOND)))
    assert worker.situation("O.V.Hi", T0 + 29 * SECOND).status.in_alarm
    after = worker.situation("O.V.Hi", T0 + 30 * SECOND).status
    assert (after.state, after.occurrence_ns) == (AlarmState.UNACK_RTN, T0)
    worker.write("O.V", 99.0, T0 + 40 * SECOND)
    worker.board.change(lambda edit: edit.put(FORCED, "o.v.hi", Forced(False, T0 + 50 * SECOND)))
    assert not worker.situation("O.V.Hi", T0 + 500 * SECOND).status.in_alarm


def test_a_storm_strikes_its_share(tmp_path: Path) -> None:
    """Each alarm of the area at a place of its own within the storm, the same in every worker, and for so long."""
    text = """
galaxy: Storm
templates:
  $T: {attributes: {X: {type: Boolean, alarm: true}}}
instances:
  P: {template: $WinPlatform}
  E: {template: $AppEngine, host: P}
  A: {template: $Area, host: E}
  B: {template: $Area, host: E}
  "In_[001..200]": {template: $T, area: A}
  "Out_[001..020]": {template: $T, area: B}
"""
    galaxy = galaxy_at(tmp_path / "storm.db", text)
    workers = [LabWorker(galaxy, tmp_path / "b.db") for _ in range(2)]
    storm = Storm(T0 + SECOND, 20 * SECOND, 10 * SECOND, 0.5, seed=3)
    workers[0].board.change(lambda edit: edit.put(STORM, "a", storm))
    raised: list[list[tuple[str, int]]] = []
    for worker in workers:
        worker.board.poll()
        table = worker.tags.alarm_table()
        table.advance(T0)
        table.advance(T0 + 40 * SECOND)
        struck = [entry for entry in table.entries.values() if entry.now.status.state is AlarmState.UNACK_RTN]
        raised.append(sorted((entry.alarm.key, entry.now.status.occurrence_ns) for entry in struck))
    assert raised[0] == raised[1]
    assert 70 <= len(raised[0]) <= 130
    assert all(key.startswith("in_") for key, _ in raised[0])
    assert all(T0 + SECOND <= at < T0 + 21 * SECOND for _, at in raised[0])
    for worker in workers:
        worker.close()


def test_the_short_way_finds_what_following_finds(tmp_path: Path) -> None:
    """Alarms on signals that go on and off are not followed step by step; it makes no difference."""
    text = """
galaxy: Short
templates:
  $T:
    attributes:
      X: {type: Boolean, signal: {kind: toggle, trueFor: 7s, falseFor: 11s}, alarm: true}
      Y: {type: Boolean, signal: {kind: toggle, trueFor: 7s, falseFor: 11s}, alarm: {ActiveAlarmState: false}}
      Z: {type: Boolean, signal: {kind: storm, members: 0.4, within: 20s, every: 60s, for: 9s}, alarm: true}
instances:
  P: {template: $WinPlatform}
  E: {template: $AppEngine, host: P}
  A: {template: $Area, host: E}
  "O_[01..20]": {template: $T, area: A}
"""
    worker = LabWorker(galaxy_at(tmp_path / "short.db", text), tmp_path / "b.db")
    chosen = random.Random(4)
    for alarm in worker.tags.alarm_table().alarms:
        at = T0 + chosen.randrange(10**6) * SECOND // 7
        simple = alarm.condition._simple_run(at)
        assert simple is not None
        followed = alarm.condition.track(at).run
        assert simple[0]._replace(off_ns=0) == followed._replace(off_ns=0)
        assert followed.is_on or simple[0].off_ns == followed.off_ns
        assert simple[1] > at
    worker.close()


def test_a_long_past_on_a_moving_value_survives_a_restart(worker_of: MakeWorker, tmp_path: Path) -> None:
    """What a table has seen end long ago is on the board, where no worker could work it out any more."""
    worker = worker_of("Hi: 80")
    table = worker.tags.alarm_table()
    table.stores = True
    at = T0
    table.advance(at)
    while not (status := worker.situation("O.Wave.Hi", at).status).on_ns or status.in_alarm:
        at += SECOND
        table.advance(at)
        table.store(at)
    for _ in range(5):
        at += SECOND
        table.advance(at)
        table.store(at)
    worker.write("O.Wave", 10.0, at)
    assert worker.board.get(TRACK, "o.wave.hi") is not None
    late = LabWorker(tmp_path / "g0.db", tmp_path / "b0.db")
    assert late.situation("O.Wave.Hi", at + 10**6 * SECOND).status.occurrence_ns == status.occurrence_ns
    late.close()
