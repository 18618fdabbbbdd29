"""The alarm's state machine: seeded sequences in two workers, against an oracle made of the table of transitions."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.unit.simulator.plant.alarm_lab import SECOND, T0, LabWorker, galaxy_at

from mxgateway_simulator.plant.alarms.states import AlarmState

GALAXY = """
galaxy: States
templates:
  $T:
    attributes:
      X: {type: Boolean, alarm: {Priority: 100}}
instances:
  P: {template: $WinPlatform}
  E: {template: $AppEngine, host: P}
  Site: {template: $Area, host: E}
  Hall: {template: $Area, host: E, area: Site}
  O: {template: $T, area: Hall}
"""
LISTED = ("UNACK_ALM", "ACK_ALM", "UNACK_RTN", "LATCHED")


@pytest.fixture(scope="module")
def galaxy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return galaxy_at(tmp_path_factory.mktemp("states") / "states.db", GALAXY)


@dataclass
class Oracle:
    """One alarm as the table of transitions has it: state after state, event after event."""

    latches: bool = False
    state: str = "NORMAL"
    condition: bool = False
    acked: bool = False
    disabled: set[str] = field(default_factory=set)
    off_scan: bool = False
    on_ns: int = 0
    occurrences: int = 0

    @property
    def counts(self) -> bool:
        return not self.disabled and not self.off_scan

    def _raise(self, now: int) -> None:
        self.state, self.acked, self.on_ns = "UNACK_ALM", False, now
        self.occurrences += 1

    def set_condition(self, on: bool, now: int) -> None:
        if on == self.condition:
            return
        self.condition = on
        if not self.counts:
            return
        if on:
            self._raise(now)
        elif self.state == "UNACK_ALM":
            self.state = "UNACK_RTN"
        elif self.state == "ACK_ALM":
            self.state = "LATCHED" if self.latches else "NORMAL"

    def acknowledge(self) -> None:
        if self.state == "UNACK_ALM":
            self.state, self.acked = "ACK_ALM", True
        elif self.state == "UNACK_RTN":
            self.state, self.acked = "NORMAL", True

    def dismiss(self) -> None:
        if self.state == "LATCHED":
            self.state = "NORMAL"

    def _counts_again(self, before: bool, now: int) -> None:
        if before and not self.counts:
            self.state = "NORMAL"
        elif self.counts and not before and self.condition:
            self._raise(now)

    def disable(self, place: str, now: int) -> None:
        before = self.counts
        self.disabled.add(place)
        self._counts_again(before, now)

    def enable(self, place: str, now: int) -> None:
        before = self.counts
        self.disabled.discard(place)
        self._counts_again(before, now)

    def scan(self, on: bool, now: int) -> None:
        before = self.counts
        self.off_scan = not on
        self._counts_again(before, now)


class Run:
    """A sequence of events on both sides: the oracle, and one of two workers of the same plant."""

    def __init__(self, galaxy: Path, board: Path, seed: int, latches: bool) -> None:
        self.random = random.Random(seed)
        self.workers = [LabWorker(galaxy, board, alarm_latching=str(latches).lower()) for _ in range(2)]
        self.oracle = Oracle(latches)
        self.now = T0

    def close(self) -> None:
        for worker in self.workers:
            worker.close()

    def step(self) -> None:
        self.now += self.random.choice([1, 10**6, SECOND // 3, 5 * SECOND, 200 * SECOND])
        worker = self.random.choice(self.workers)
        event = self.random.choices(["condition", "ack", "mode", "scan", "dismiss"], [5, 4, 2, 1, 2])[0]
        getattr(self, f"_{event}")(worker)

    def _condition(self, worker: LabWorker) -> None:
        on = self.random.random() < 0.5
        worker.write("O.X", on, self.now)
        self.oracle.set_condition(on, self.now)

    def _ack(self, worker: LabWorker) -> None:
        if self.oracle.state in ("UNACK_ALM", "UNACK_RTN", "ACK_ALM"):
            assert worker.write("O.X.AckMsg", "seen", self.now) is None
            self.oracle.acknowledge()

    def _mode(self, worker: LabWorker) -> None:
        place = self.random.choice(["O.X.AlarmInhibit", "O.AlarmModeCmd", "Hall.AlarmInhibit", "Site.PlantState"])
        on = self.random.random() < 0.5
        if place.endswith("PlantState"):
            value: object = self.random.choice(["Maintenance", "Shutdown"] if on else ["Running", "Testing"])
        else:
            value = (2 if on else self.random.choice([0, 1])) if place.endswith("Cmd") else on
        assert worker.write(place, value, self.now) is None
        (self.oracle.disable if on else self.oracle.enable)(place, self.now)

    def _scan(self, worker: LabWorker) -> None:
        on = self.random.random() < 0.6
        worker.write("O.ScanStateCmd", on, self.now)
        self.oracle.scan(on, self.now)

    def _dismiss(self, worker: LabWorker) -> None:
        from mxgateway_simulator.plant.alarms.attributes import dismiss

        alarm = worker.alarm("O.X")
        worker.board.poll()
        done: list[bool] = []
        worker.board.change(lambda edit: done.append(dismiss(alarm, edit, self.now)))
        assert done == [self.oracle.state == "LATCHED"]
        self.oracle.dismiss()

    def check(self, guids: dict[str, int]) -> None:
        found = [worker.situation("O.X", self.now).status for worker in self.workers]
        assert found[0] == found[1]
        status, oracle = found[0], self.oracle
        state = (
            status.state.name.replace("ACK_RTN", "NORMAL") if status.state is AlarmState.ACK_RTN else status.state.name
        )
        assert state == oracle.state
        assert status.in_alarm == (oracle.condition and oracle.counts)
        assert status.condition == oracle.condition
        if oracle.state in LISTED:
            assert status.acked == oracle.acked
            assert status.occurrence_ns == oracle.on_ns
            guid = self.workers[0].alarm("O.X").guid(status.occurrence_ns)
            assert self.workers[1].alarm("O.X").guid(status.occurrence_ns) == guid
            assert guids.setdefault(guid, oracle.occurrences) == oracle.occurrences


@pytest.fixture
def run(galaxy: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Run]:
    seed, latches = request.param
    run = Run(galaxy, tmp_path / "board.db", seed, latches)
    yield run
    run.close()


@pytest.mark.parametrize("run", [(seed, seed % 2 == 1) for seed in range(24)], indirect=True)
def test_seeded_sequences_go_as_the_table_of_transitions_says(run: Run) -> None:
    """States, Acked, InAlarm and GUIDs after every event, in both workers; a GUID stands for one occurrence."""
    guids: dict[str, int] = {}
    for _ in range(40):
        run.step()
        run.check(guids)


@pytest.mark.parametrize("run", [(1, False)], indirect=True)
def test_a_restart_finds_everything_as_it_was(run: Run, galaxy: Path, tmp_path: Path) -> None:
    """h.23 A worker that opens the plant later sees state, occurrence, acknowledgement and comment as before."""
    for _ in range(60):
        run.step()
        before = run.workers[0].situation("O.X", run.now)
        late = LabWorker(galaxy, tmp_path / "board.db")
        assert late.situation("O.X", run.now) == before
        late.close()


def test_an_acknowledgement_is_of_one_occurrence(galaxy: Path, tmp_path: Path) -> None:
    """h.17 What returned unacknowledged and comes again is not acknowledged by what was said before."""
    worker = LabWorker(galaxy, tmp_path / "board.db")
    worker.write("O.X", True, T0)
    first = worker.situation("O.X", T0).status.occurrence_ns
    worker.write("O.X", False, T0 + 1)
    worker.write("O.X", True, T0 + 2)
    assert worker.write("O.X.AckMsg", "the second", T0 + 2) is None
    second = worker.situation("O.X", T0 + 3).status
    assert (second.state, second.acknowledgement is not None) == (AlarmState.ACK_ALM, True)
    assert second.occurrence_ns != first
    worker.write("O.X", False, T0 + 4)
    worker.write("O.X", True, T0 + 5)
    assert worker.situation("O.X", T0 + 5).status.state is AlarmState.UNACK_ALM
    assert worker.read("O.X.AckMsg", T0 + 5) == "the second"
    worker.close()


def test_disabled_in_alarm_and_enabled_again_is_a_new_occurrence(galaxy: Path, tmp_path: Path) -> None:
    """h.39 It leaves the list, and comes back with another GUID; the time is that of the enable, unless kept."""
    for switch, on_ns in (("new", T0 + 20), ("old_time", T0)):
        worker = LabWorker(galaxy, tmp_path / f"{switch}.db", alarm_on_enable=switch)
        worker.write("O.X", True, T0)
        before = worker.situation("O.X", T0).status
        worker.write("O.X.AlarmInhibit", True, T0 + 10)
        disabled = worker.situation("O.X", T0 + 10)
        assert (disabled.is_listed, disabled.status.in_alarm, disabled.status.condition) == (False, False, True)
        worker.write("O.X.AlarmInhibit", False, T0 + 20)
        after = worker.situation("O.X", T0 + 20).status
        assert (after.state, after.on_ns) == (AlarmState.UNACK_ALM, on_ns)
        assert after.occurrence_ns != before.occurrence_ns
        worker.close()


def test_writing_the_same_value_again_is_no_new_alarm(galaxy: Path, tmp_path: Path) -> None:
    """However often the condition is written, the alarm stays the one that began with the first time."""
    worker = LabWorker(galaxy, tmp_path / "board.db")
    worker.write("O.X", True, T0)
    for second in range(1, 20):
        worker.write("O.X", True, T0 + second * SECOND)
    assert worker.situation("O.X", T0 + 60 * SECOND).status.occurrence_ns == T0
    late = LabWorker(galaxy, tmp_path / "board.db")
    assert late.situation("O.X", T0 + 3600 * SECOND).status.occurrence_ns == T0
    late.close()
    worker.close()


def test_a_stopped_engine_keeps_what_was_acknowledged(galaxy: Path, tmp_path: Path) -> None:
    """While the engine is stopped its alarms are gone; after the start all that was acknowledged is as before."""
    from mxgateway_simulator.plant.operation import PlantOperation

    worker = LabWorker(galaxy, tmp_path / "board.db")
    worker.write("O.X", True, T0)
    worker.write("O.X.AckMsg", "seen", T0 + 1)
    before = worker.situation("O.X", T0 + 2).status
    operation = PlantOperation(galaxy, tmp_path / "board.db")
    operation.set_running("E", False, T0 + 10)
    assert not worker.situation("O.X", T0 + 11).is_listed
    operation.set_running("E", True, T0 + 20)
    assert worker.situation("O.X", T0 + 21).status == before
    worker.close()
