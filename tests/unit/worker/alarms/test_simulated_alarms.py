"""The worker's alarms over the simulated plant: its alarm manager, its faults, and the attributes as the way out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.support.clock import ManualClock
from tests.unit.worker.alarms.alarm_session import AlarmSession, modes, transitions

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_simulator.backend import SimulatorBackend
from mxgateway_simulator.building.builder import build_galaxy
from mxgateway_simulator.building.description_reader import parse_description
from mxgateway_simulator.faults import Faults
from mxgateway_simulator.plant.deployment import Deployment
from mxgateway_simulator.plant.operation import PlantOperation

GALAXY = """
galaxy: Simulated
alarms: {latchedAreas: [Latched]}
templates:
  $T:
    attributes:
      X: {type: Boolean, alarm: {Priority: 100, Msg: It tripped}}
      V: {type: Float, value: 50.0, analog: {Hi: {Limit: 80, Priority: 20}}}
instances:
  P: {template: $WinPlatform}
  E: {template: $AppEngine, host: P}
  Site: {template: $Area, host: E}
  Hall: {template: $Area, host: E, area: Site}
  Latched: {template: $Area, host: E, area: Site}
  "O_[1..4]": {template: $T, area: Hall}
  U_1: {template: $T, area: Site}
  L_1: {template: $T, area: Latched}
"""
SITE = "\\\\NODE\\Galaxy!Site"


@pytest.fixture(scope="module")
def galaxy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("simulated") / "alarms.db"
    build_galaxy(parse_description(GALAXY, "alarms.yaml"), path)
    return path


class Worker(AlarmSession):
    """A session over the simulated plant, with a second one that stands for the rest of the world."""

    def __init__(self, galaxy: Path, board: Path, clock: ManualClock, **switches: str) -> None:
        self.faults = Faults()
        self.simulator = SimulatorBackend(
            galaxy=galaxy, board=board, profile="", switches=switches, faults=self.faults, clock=clock
        )
        super().__init__(self.simulator, clock)
        self.server = self.call("register", client_name="tests").register.server_handle

    def write(self, reference: str, **value: object) -> None:
        self.clock.advance(0.001)
        item = self.call("add_item", server_handle=self.server, item_definition=reference).add_item.item_handle
        self.call("advise", server_handle=self.server, item_handle=item)
        self.executor._pump()
        self.call("write", server_handle=self.server, item_handle=item, value=pb.MxValue(**value))  # type: ignore[arg-type]
        self.executor._pump()
        self.call("remove_item", server_handle=self.server, item_handle=item)
        self.taken()

    def set(self, name: str, on: bool) -> None:
        self.write(name, bool_value=on)

    def states(self) -> dict[str, str]:
        return {
            each.alarm_name: pb.AlarmState.Name(each.state).removeprefix("ALARM_STATE_")
            for each in self.listed().snapshots
        }

    def acknowledge(self, name: str, group: str = "Hall", **fields: object) -> pb.AcknowledgeAlarmReplyPayload:
        return self.call(
            "acknowledge_alarm_by_name", alarm_name=name, provider_name="Galaxy", group_name=group, **fields
        ).acknowledge_alarm


MakeWorker = Callable[..., Worker]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(unix_ns=1_750_000_000 * 10**9)


@pytest.fixture
def make_worker(galaxy: Path, tmp_path: Path, clock: ManualClock) -> Iterator[MakeWorker]:
    made: list[Worker] = []

    def make(galaxy_path: Path = galaxy, **switches: str) -> Worker:
        made.append(Worker(galaxy_path, tmp_path / "board.db", clock, **switches))
        return made[-1]

    yield make
    for worker in made:
        worker.executor._close(worker.backend)


@pytest.mark.parametrize("xml", ["true", "false"])
def test_an_alarm_from_its_raise_to_its_end(make_worker: MakeWorker, xml: str) -> None:
    """Written in one worker, told in another with all that belongs to it; as XML and as records alike."""
    plant, worker = make_worker(), make_worker(alarm_xml=xml)
    assert worker.subscribe(subscription_expression=SITE).protocol_status.code == pb.PROTOCOL_STATUS_CODE_OK
    worker.taken()
    plant.set("O_1.X", True)
    raised_ns = plant.clock.unix_ns()
    (event,) = [each.on_alarm_transition for each in worker.turn()]
    assert transitions([pb.MxEvent(on_alarm_transition=event)]) == [("RAISE", "O_1.X")]
    assert (event.alarm_full_reference, event.category, list(event.area_path)) == (
        "Galaxy!Hall.O_1.X", "Hall", ["Hall", "Site"]
    )  # fmt: skip
    assert (event.severity, event.description, event.alarm_class) == (100, "It tripped", "DSC")
    assert abs(event.original_raise_timestamp.ToNanoseconds() - raised_ns) < 100_000
    guid = event.alarm_guid
    assert worker.acknowledge("O_1.X", comment="seen", operator_user="anna", operator_node="PC1").native_status == 0
    (event,) = [each.on_alarm_transition for each in worker.turn(0.05)]
    assert (event.operator_user, event.operator_node, event.operator_comment) == ("anna", "PC1", "seen")
    assert (event.alarm_guid, event.state) == (guid, pb.ALARM_STATE_ACK_ALM)
    plant.set("O_1.X", False)
    assert transitions(worker.turn()) == [("CLEAR", "O_1.X")]
    assert worker.states() == {}


def test_a_late_worker_has_the_same_list(make_worker: MakeWorker) -> None:
    """h.23 h.24 GUIDs, states, operators and times as in the worker that saw it all, after a restart too."""
    plant, worker = make_worker(), make_worker()
    worker.subscribe(subscription_expression=SITE)
    plant.set("O_1.X", True)
    plant.set("O_2.X", True)
    plant.set("U_1.X", True)
    worker.turn()
    worker.acknowledge("O_2.X", comment="seen", operator_user="anna")
    plant.set("U_1.X", False)
    worker.turn()
    late = make_worker()
    late.subscribe(subscription_expression=SITE)
    assert worker.states() == {"O_1.X": "UNACK_ALM", "O_2.X": "ACK_ALM", "U_1.X": "UNACK_RTN"}
    assert late.listed().snapshots == worker.listed().snapshots


def test_analog_latched_and_shelved_alarms(make_worker: MakeWorker) -> None:
    """h.37 h.42 Names with dots; what is latched stays until it is dismissed; shelving is told with its end."""
    plant, worker = make_worker(), make_worker()
    worker.subscribe(subscription_expression=SITE)
    plant.write("O_1.V", float_value=95.5)
    plant.set("L_1.X", True)
    assert sorted(transitions(worker.turn())) == [("RAISE", "L_1.X"), ("RAISE", "O_1.V.Hi")]
    by_name = {each.alarm_name: each for each in worker.listed().snapshots}
    high = by_name["O_1.V.Hi"]
    assert (high.alarm_class, high.alarm_type_name, high.severity) == ("VALUE", "HI", 20)
    assert (high.current_value.string_value, high.limit_value.string_value) == ("95.5", "80")
    assert worker.acknowledge("L_1.X", "Latched").native_status == 0
    worker.turn()
    plant.set("L_1.X", False)
    assert transitions(worker.turn()) == [("LATCH", "L_1.X")]
    assert worker.acknowledge("O_1.V.Hi", dismiss=True).native_status != 0
    assert worker.acknowledge("L_1.X", "Latched", dismiss=True).native_status == 0
    assert transitions(worker.turn()) == [("DISMISS", "L_1.X")]
    worker.call("shelve_alarm", alarm_name="O_1.V.Hi", group_name="Hall", duration={"seconds": 60}, reason="repair")
    (event,) = worker.turn()
    assert (event.on_alarm_transition.shelved, event.on_alarm_transition.shelve_reason) == (True, "repair")
    assert transitions(worker.turn(61)) == [("UNSHELVE", "O_1.V.Hi")]


def test_modes_and_plant_states_are_told(make_worker: MakeWorker) -> None:
    """h.40 An area's change is told once for each alarm; h.39 what is disabled leaves the list."""
    plant, worker = make_worker(), make_worker()
    worker.subscribe(subscription_expression=SITE)
    for number in range(1, 5):
        plant.set(f"O_{number}.X", True)
    worker.turn()
    plant.write("Hall.PlantState", string_value="Testing")
    assert transitions(worker.turn()) == [("MODE", f"O_{number}.X") for number in range(1, 5)]
    plant.write("Hall.PlantState", string_value="Shutdown")
    assert [kind for kind, _ in transitions(worker.turn())] == ["CLEAR"] * 4
    before = worker.states()
    plant.write("Hall.PlantState", string_value="Running")
    assert [kind for kind, _ in transitions(worker.turn())] == ["RAISE"] * 4
    assert before == {}


def test_silenced_alarms_may_be_left_out(make_worker: MakeWorker) -> None:
    plant, worker = make_worker(), make_worker(silenced_in_list="false")
    worker.subscribe(subscription_expression=SITE)
    plant.set("O_1.X", True)
    plant.write("Hall.PlantState", string_value="Testing")
    worker.turn()
    assert worker.states() == {}


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        (SITE, {"O_1.X", "U_1.X"}),
        ("\\Galaxy!Hall", {"O_1.X"}),
        ("\\\\NODE\\galaxy!HALL", {"O_1.X"}),
        ("Galaxy!*", {"O_1.X", "U_1.X"}),
        ("\\Galaxy!Site!U_*", {"U_1.X"}),
        ("\\Galaxy!Site!*.x", {"O_1.X", "U_1.X"}),
    ],
)
def test_expressions(make_worker: MakeWorker, expression: str, names: set[str]) -> None:
    """An area with those in it, whatever the case; all areas; names that begin or end with something."""
    plant, worker = make_worker(), make_worker()
    plant.set("O_1.X", True)
    plant.set("U_1.X", True)
    worker.subscribe(subscription_expression=expression)
    assert set(worker.states()) == names


def test_several_expressions_and_areas_without_sub_areas(make_worker: MakeWorker) -> None:
    plant, worker = make_worker(), make_worker(alarm_sub_areas="false")
    for name in ("O_1.X", "U_1.X", "L_1.X"):
        plant.set(name, True)
    worker.subscribe(subscription_expression=SITE, subscription_expressions=[SITE, "\\Galaxy!Latched"])
    assert set(worker.states()) == {"U_1.X", "L_1.X"}


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"subscription_expression": "\\Galaxy!Hell"}, "did you mean Hall"),
        ({"subscription_expression": "Hall"}, "is none; write"),
        ({"subscription_expression": "\\Other!Hall"}, "is none; write"),
        ({"time_zone": "Europe/Atlantis"}, "there is no time zone"),
    ],
)
def test_what_can_never_work_is_refused_with_the_remedy(
    make_worker: MakeWorker, fields: dict[str, str], text: str
) -> None:
    """h.9"""
    reply = make_worker().subscribe(**{"subscription_expression": SITE, **fields})
    assert reply.protocol_status.code != pb.PROTOCOL_STATUS_CODE_OK
    assert text in (reply.protocol_status.message + reply.diagnostic_message)


def test_an_object_that_is_undeployed_in_alarm(galaxy: Path, tmp_path: Path, make_worker: MakeWorker) -> None:
    """h.35 It is gone with its object, and raised again with it."""
    own = tmp_path / "own.db"
    own.write_bytes(galaxy.read_bytes())
    plant, worker = make_worker(own), make_worker(own)
    worker.subscribe(subscription_expression=SITE)
    plant.set("O_1.X", True)
    worker.turn()
    Deployment(own, datetime(2026, 1, 1, tzinfo=UTC)).undeploy(["O_1"])
    assert transitions(worker.turn()) == [("CLEAR", "O_1.X")]
    Deployment(own, datetime(2026, 1, 2, tzinfo=UTC)).deploy(["O_1"])
    assert transitions(worker.turn()) == [("RAISE", "O_1.X")]


def test_an_alarm_manager_that_begins_anew_is_no_storm(make_worker: MakeWorker) -> None:
    """h.32 Other GUIDs for the same alarms are taken over in silence."""
    plant, worker = make_worker(), make_worker()
    worker.subscribe(subscription_expression=SITE)
    for number in range(1, 5):
        plant.set(f"O_{number}.X", True)
    worker.turn()
    before = {each.alarm_name: each.alarm_guid for each in worker.listed().snapshots}
    worker.faults.set("restart_alarm_provider", {})
    assert worker.turn() == []
    after = {each.alarm_name: each.alarm_guid for each in worker.listed().snapshots}
    assert before.keys() == after.keys()
    assert not set(before.values()) & set(after.values())


@pytest.mark.parametrize("fault", [("break_alarm_xml", {"at": "300"}), ("cut_alarm_list", {"records": "1"}),
                                   ("fail_poll", {}), ("break_alarm_xml", {"at": "0"})])  # fmt: skip
def test_a_bad_poll_clears_nothing(make_worker: MakeWorker, fault: tuple[str, dict[str, str]]) -> None:
    """h.15 h.52 Broken, cut or failed: what was there stays, and the next poll goes on."""
    plant, worker = make_worker(), make_worker()
    worker.subscribe(subscription_expression=SITE)
    for number in range(1, 5):
        plant.set(f"O_{number}.X", True)
    worker.turn()
    plant.set("O_3.X", False)
    worker.faults.set(*fault)
    worker.turn()
    assert len(worker.states()) == 4
    assert worker.states()["O_1.X"] == "UNACK_ALM"
    worker.turn()
    assert worker.states()["O_3.X"] == "UNACK_RTN"


def test_a_refused_acknowledgement_is_data(make_worker: MakeWorker) -> None:
    worker = make_worker()
    worker.subscribe(subscription_expression=SITE)
    worker.set("O_1.X", True)
    worker.faults.set("refuse_ack", {})
    assert worker.acknowledge("O_1.X").native_status == -55
    worker.faults.set("refuse_ack", {"hresult": "0x80004005"})
    assert worker.acknowledge("O_1.X").hresult == -2147467259
    assert worker.acknowledge("O_9.X").native_status == 1
    assert worker.acknowledge("O_1.X", "Yard").native_status == 1
    assert worker.acknowledge("O_1.X").native_status == 0


# ----------------------------------------------------------------------------------------------------------- attributes


def watch_list(*names: str, times: bool = True) -> list[pb.AlarmSubtagTarget]:
    times_of = (
        {"time_on_subtag": "TimeAlarmOn", "time_off_subtag": "TimeAlarmOff", "time_acked_subtag": "TimeAlarmAcked"}
        if times
        else {}
    )
    return [
        pb.AlarmSubtagTarget(
            alarm_full_reference=f"Galaxy!Hall.{name}",
            source_object_reference=name,
            area="Hall",
            active_subtag=f"{name}.InAlarm",
            acked_subtag=f"{name}.Acked",
            ack_comment_subtag=f"{name}.AckMsg",
            priority_subtag=f"{name}.Priority",
            **{field: f"{name}.{attribute}" for field, attribute in times_of.items()},
        )
        for name in names
    ]


ALL = [f"O_{number}.X" for number in range(1, 5)]


def by_attributes(worker: Worker, *names: str, times: bool = True, **fields: object) -> list[pb.MxEvent]:
    """Subscribes with a watch list, and lets its attributes tell."""
    worker.subscribe(
        subscription_expression=SITE,
        watch_list=watch_list(*(names or ALL), times=times),
        failover={
            "consecutive_failure_threshold": 3, "failback_probe_interval_seconds": 30, "failback_stable_probes": 3
        },
        **fields,
    )  # fmt: skip
    return [*worker.taken(), *worker.turn(), *worker.turn()]


def test_a_change_over_and_back_is_no_transition(make_worker: MakeWorker) -> None:
    """h.30 h.31 The plant stands still: two changes of mode, not one transition, and the same list throughout."""
    plant, worker = make_worker(), make_worker()
    plant.set("O_1.X", True)
    plant.set("O_2.X", True)
    plant.set("O_3.X", True)
    plant.set("O_3.X", False)
    plant.write("O_2.X.AckMsg", string_value="seen")
    by_attributes(worker)
    before = worker.states()
    worker.faults.set("fail_poll", {"times": "0"})
    events = worker.until(lambda: worker.listed().mode == pb.ALARM_PROVIDER_MODE_SUBTAG, most=6)
    assert worker.states() == before == {"O_1.X": "UNACK_ALM", "O_2.X": "ACK_ALM", "O_3.X": "UNACK_RTN"}
    assert all(each.degraded and each.guid_derived for each in worker.listed().snapshots)
    worker.faults.set("clear", {})
    events += worker.until(lambda: worker.listed().mode == pb.ALARM_PROVIDER_MODE_ALARMMGR, seconds=5)
    assert worker.states() == before
    assert [mode.mode for mode in modes(events)] == [pb.ALARM_PROVIDER_MODE_SUBTAG, pb.ALARM_PROVIDER_MODE_ALARMMGR]
    assert transitions(events) == []


def test_a_change_back_with_a_cut_list_takes_nothing_back(make_worker: MakeWorker) -> None:
    """What the cut answer lacks is as the attributes have told meanwhile, not as the last whole answer was."""
    plant, worker = make_worker(), make_worker()
    # The cut answer holds the oldest.
    for name in ("O_2.X", "O_1.X", "O_4.X"):
        plant.set(name, True)
    by_attributes(worker, "O_1.X", "O_2.X", "O_3.X")
    assert set(worker.states()) == {"O_1.X", "O_2.X", "O_4.X"}
    worker.faults.set("fail_poll", {"times": "0"})
    worker.until(lambda: worker.listed().mode == pb.ALARM_PROVIDER_MODE_SUBTAG, most=6)
    assert transitions(_raise(plant, worker, "O_1.X", False)) == [("CLEAR", "O_1.X")]
    assert transitions(_raise(plant, worker, "O_3.X", True)) == [("RAISE", "O_3.X")]
    worker.faults.set("clear", {})
    worker.faults.set("cut_alarm_list", {"records": "1", "times": "0"})
    events = worker.until(lambda: worker.listed().mode == pb.ALARM_PROVIDER_MODE_ALARMMGR, seconds=5)
    assert transitions(events) == []
    listed = worker.listed()
    assert listed.truncated
    # Of O_4 the attributes know nothing, so the manager's last word stands.
    assert worker.states() == {"O_1.X": "UNACK_RTN", "O_2.X": "UNACK_ALM", "O_3.X": "UNACK_ALM", "O_4.X": "UNACK_ALM"}
    derived = {each.alarm_name: each.guid_derived for each in listed.snapshots}
    assert derived == {"O_1.X": True, "O_2.X": False, "O_3.X": True, "O_4.X": False}
    worker.faults.set("clear", {})
    worker.turn()
    assert not worker.listed().truncated
    assert not any(each.guid_derived for each in worker.listed().snapshots)


def test_after_a_whole_list_a_change_back_is_the_managers_alone(make_worker: MakeWorker) -> None:
    """An answer that was cut once says nothing of one that is whole."""
    plant, worker = make_worker(), make_worker()
    for name in ("O_1.X", "O_2.X"):
        plant.set(name, True)
    by_attributes(worker, "O_1.X", "O_2.X")
    worker.faults.set("cut_alarm_list", {"records": "1", "times": "1"})
    # Else nothing has changed, and nothing is asked for.
    _raise(plant, worker, "O_3.X", True)
    assert worker.listed().truncated
    worker.turn()
    assert not worker.listed().truncated
    worker.faults.set("fail_poll", {"times": "0"})
    worker.until(lambda: worker.listed().mode == pb.ALARM_PROVIDER_MODE_SUBTAG, most=6)
    worker.faults.set("clear", {})
    worker.until(lambda: worker.listed().mode == pb.ALARM_PROVIDER_MODE_ALARMMGR, seconds=5)
    assert set(worker.states()) == {"O_1.X", "O_2.X", "O_3.X"}
    assert not any(each.guid_derived for each in worker.listed().snapshots)


def test_a_manager_that_is_cut_for_ever_takes_nothing_back_however_often_it_comes_back(
    make_worker: MakeWorker,
) -> None:
    """Through three changes over and back the list is the plant's, as far as anybody can know it."""
    plant, worker = make_worker(), make_worker()
    plant.set("O_1.X", True)
    plant.set("O_4.X", True)
    by_attributes(worker, "O_1.X", "O_2.X", "O_3.X")
    worker.faults.set("cut_alarm_list", {"records": "1", "times": "0"})
    expected = {"O_1.X": "UNACK_ALM", "O_4.X": "UNACK_ALM"}
    for name, on, state in (("O_2.X", True, "UNACK_ALM"), ("O_3.X", True, "UNACK_ALM"), ("O_2.X", False, "UNACK_RTN")):
        worker.faults.set("fail_poll", {"times": "0"})
        worker.until(lambda: worker.listed().mode == pb.ALARM_PROVIDER_MODE_SUBTAG, most=6)
        told = transitions(_raise(plant, worker, name, on))
        assert told == [("RAISE" if on else "CLEAR", name)]
        expected[name] = state
        worker.faults.set("clear", {})
        worker.faults.set("cut_alarm_list", {"records": "1", "times": "0"})
        events = worker.until(lambda: worker.listed().mode == pb.ALARM_PROVIDER_MODE_ALARMMGR, seconds=5)
        assert transitions(events) == []
        assert worker.listed().truncated
        assert worker.states() == expected
        for _ in range(3):
            assert transitions(worker.turn()) == []
        assert worker.states() == expected
    worker.faults.set("clear", {})
    # The first whole list: what everybody knows already is told by nobody again, but for what only the manager tells.
    assert transitions([*worker.turn(), *worker.turn()]) == [("UPDATE", "O_2.X"), ("UPDATE", "O_3.X")]
    assert not worker.listed().truncated
    assert worker.states() == expected


def test_the_first_whole_list_after_a_cut_change_back_tells_only_what_nobody_has_told(make_worker: MakeWorker) -> None:
    """The manager's own list is as old as its last whole answer, and what came since was told by the attributes."""
    plant, worker = make_worker(), make_worker()
    for name in ("O_2.X", "O_1.X", "O_3.X"):
        plant.set(name, True)
    plant.set("O_1.X", False)
    by_attributes(worker, "O_1.X", "O_2.X", "O_3.X")
    assert worker.states() == {"O_1.X": "UNACK_RTN", "O_2.X": "UNACK_ALM", "O_3.X": "UNACK_ALM"}
    worker.faults.set("fail_poll", {"times": "0"})
    worker.until(lambda: worker.listed().mode == pb.ALARM_PROVIDER_MODE_SUBTAG, most=6)
    for name, on, told in (("O_1.X", True, "RETRIGGER"), ("O_1.X", False, "CLEAR"), ("O_3.X", False, "CLEAR")):
        assert transitions(_raise(plant, worker, name, on)) == [(told, name)]
    worker.faults.set("clear", {})
    worker.faults.set("cut_alarm_list", {"records": "1", "times": "0"})
    worker.until(lambda: worker.listed().mode == pb.ALARM_PROVIDER_MODE_ALARMMGR, seconds=5)
    assert worker.listed().truncated
    expected = {"O_1.X": "UNACK_RTN", "O_2.X": "UNACK_ALM", "O_3.X": "UNACK_RTN"}
    assert worker.states() == expected
    # Of this nobody has told yet.
    plant.set("O_2.X", False)
    worker.faults.set("clear", {})
    told = transitions([*worker.turn(), *worker.turn()])
    # Besides, texts that the attributes did not have.
    assert sorted(told) == [("CLEAR", "O_2.X"), ("UPDATE", "O_1.X"), ("UPDATE", "O_3.X")]
    assert not worker.listed().truncated
    assert worker.states() == {**expected, "O_2.X": "UNACK_RTN"}
    assert not any(each.guid_derived for each in worker.listed().snapshots)


def test_attributes_tell_every_transition(make_worker: MakeWorker) -> None:
    """Raised, acknowledged, returned, raised again, in whatever order the attributes come; acknowledged by AckMsg."""
    plant, worker = make_worker(), make_worker()
    by_attributes(worker, forced_mode=pb.ALARM_PROVIDER_MODE_SUBTAG)
    (raised,) = _raise(plant, worker, "O_1.X", True)
    assert transitions([raised]) == [("RAISE", "O_1.X")]
    assert (raised.on_alarm_transition.severity, raised.on_alarm_transition.degraded) == (100, True)
    payload = worker.acknowledge("O_1.X", comment="by attribute", operator_user="anna")
    assert (payload.native_status, payload.status.success) == (0, -1)
    events = worker.turn()
    assert transitions(events) == [("ACKNOWLEDGE", "O_1.X")]
    assert events[0].on_alarm_transition.operator_user == "anna"
    assert transitions(_raise(plant, worker, "O_1.X", False)) == [("CLEAR", "O_1.X")]
    assert transitions(_raise(plant, worker, "O_1.X", True)) == [("RAISE", "O_1.X")]
    assert transitions(_raise(plant, worker, "O_1.X", False)) == [("CLEAR", "O_1.X")]
    assert worker.states() == {"O_1.X": "UNACK_RTN"}
    assert transitions(_raise(plant, worker, "O_1.X", True)) == [("RETRIGGER", "O_1.X")]


def _raise(plant: Worker, worker: Worker, name: str, on: bool) -> list[pb.MxEvent]:
    worker.clock.advance(3)
    plant.set(name, on)
    return worker.turn()


def test_many_are_acknowledged_by_their_attributes_together(make_worker: MakeWorker) -> None:
    plant, worker = make_worker(), make_worker()
    by_attributes(worker, forced_mode=pb.ALARM_PROVIDER_MODE_SUBTAG)
    for name in ALL:
        plant.set(name, True)
    worker.turn()
    alarms = [
        pb.AcknowledgeAlarmByNameCommand(alarm_name=name, provider_name="Galaxy", group_name="Hall")
        for name in (*ALL, "O_9.X")
    ]
    reply = worker.call("acknowledge_alarms_by_name", alarms=alarms).acknowledge_alarms_by_name
    assert [each.native_status for each in reply.results] == [0, 0, 0, 0, -1]
    assert "not among those" in reply.results[-1].provider_text
    worker.turn()
    assert set(worker.states().values()) == {"ACK_ALM"}


def test_an_acknowledgement_that_is_refused_says_so(make_worker: MakeWorker) -> None:
    """Details such as 1015 pass on; without an attribute that acknowledges it is refused with the setting's name."""
    plant, worker = make_worker(), make_worker(ack_again="fails")
    by_attributes(worker, forced_mode=pb.ALARM_PROVIDER_MODE_SUBTAG)
    plant.set("O_1.X", True)
    worker.turn()
    assert worker.acknowledge("O_1.X").native_status == 0
    payload = worker.acknowledge("O_1.X")
    assert (payload.native_status, payload.status.detail) == (-1, 1015)
    targets = watch_list("O_1.X")
    targets[0].ack_comment_subtag = ""
    worker.subscribe(subscription_expression=SITE, watch_list=targets, forced_mode=pb.ALARM_PROVIDER_MODE_SUBTAG)
    worker.turn()
    assert "ack_comment" in worker.acknowledge("O_1.X").provider_text


def test_bad_quality_makes_uncertain_and_no_transition(galaxy: Path, tmp_path: Path, make_worker: MakeWorker) -> None:
    """c.4 An object that is off scan tells nothing about its alarms."""
    plant, worker = make_worker(), make_worker()
    plant.set("O_1.X", True)
    by_attributes(worker, forced_mode=pb.ALARM_PROVIDER_MODE_SUBTAG)
    operation = PlantOperation(galaxy, tmp_path / "board.db")
    operation.set_scan("O_1", False, worker.clock.unix_ns())
    assert transitions([*worker.turn(), *worker.turn()]) == []
    (alarm,) = worker.listed().snapshots
    assert (alarm.uncertain, alarm.state) == (True, pb.ALARM_STATE_UNACK_ALM)


def test_without_times_returned_alarms_are_not_seen_at_first_sight(make_worker: MakeWorker) -> None:
    """c.4 InAlarm and Acked both false is an alarm that returned, or one that never was: only the times tell."""
    plant, worker = make_worker(), make_worker()
    plant.set("O_1.X", True)
    plant.set("O_1.X", False)
    by_attributes(worker, times=False, forced_mode=pb.ALARM_PROVIDER_MODE_SUBTAG)
    listed = worker.listed()
    assert (listed.total, listed.poll.returned_are_invisible, listed.poll.watched) == (0, True, 4)
    plant.set("O_2.X", True)
    plant.set("O_2.X", False)
    worker.turn()
    other = make_worker()
    by_attributes(other, forced_mode=pb.ALARM_PROVIDER_MODE_SUBTAG)
    assert other.states() == {"O_1.X": "UNACK_RTN", "O_2.X": "UNACK_RTN"}


def test_closing_undoes_only_what_was_done(make_worker: MakeWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    """h.5 What was only added is not un-advised; no call of the end fails, no event of the items reached anybody."""
    plant, worker = make_worker(), make_worker(unadvise_unadvised="e_invalidarg", remove_advised="e_invalidarg")
    events = by_attributes(worker)
    plant.set("O_1.X", True)
    events += worker.turn()
    assert {event.family for event in events} <= {
        pb.MX_EVENT_FAMILY_ON_ALARM_TRANSITION, pb.MX_EVENT_FAMILY_ON_ALARM_PROVIDER_MODE_CHANGED
    }  # fmt: skip
    failed: list[str] = []
    monkeypatch.setattr("mxgateway_worker.alarms.attribute_provider.logger.info", lambda *args: failed.append(args[0]))
    worker.subscribe(subscription_expression=SITE, watch_list=watch_list("O_1.X"))
    assert worker.listed().poll.watched == 1
    worker.call("unsubscribe_alarms")
    assert failed == []
    assert worker.listed().poll.watched == 0


def test_an_attribute_that_does_not_exist_leaves_its_alarm_out(make_worker: MakeWorker) -> None:
    worker = make_worker()
    worker.set("O_1.X", True)
    by_attributes(worker, "O_1.X", "O_77.X", forced_mode=pb.ALARM_PROVIDER_MODE_SUBTAG)
    assert worker.states() == {"O_1.X": "UNACK_ALM"}


def test_failover_speaks_within_four_seconds(make_worker: MakeWorker) -> None:
    """Threshold 3 at half a second: the attributes speak after the third failure, with their whole list."""
    plant, worker = make_worker(), make_worker()
    plant.set("O_1.X", True)
    by_attributes(worker)
    worker.faults.set("fail_poll", {"times": "0"})
    began = worker.clock.monotonic()
    worker.until(lambda: worker.listed().mode == pb.ALARM_PROVIDER_MODE_SUBTAG, seconds=0.1)
    assert worker.clock.monotonic() - began <= 4
    assert worker.states() == {"O_1.X": "UNACK_ALM"}
