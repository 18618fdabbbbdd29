"""A worker's alarms over the COM consumer: the whole way of the commands, and the attributes when it cannot be had."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.clock import ManualClock
from tests.support.fake_consumer import FakeConsumers
from tests.unit.worker.alarms.alarm_session import AlarmSession, modes, transitions
from tests.unit.worker.alarms.test_simulated_alarms import GALAXY, Worker

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract import hresults
from mxgateway_protocol.alarms.provider import AlarmProvider
from mxgateway_protocol.errors import MxComError
from mxgateway_simulator.alarm_manager import AlarmManager
from mxgateway_simulator.backend import SimulatorBackend
from mxgateway_simulator.building.builder import build_galaxy
from mxgateway_simulator.building.description_reader import parse_description
from mxgateway_simulator.faults import Faults
from mxgateway_worker.backends.com.alarm_consumer import ComAlarmProvider

HALL = "\\\\NODE\\Galaxy!Hall"
ALARMMGR, SUBTAG = pb.ALARM_PROVIDER_MODE_ALARMMGR, pb.ALARM_PROVIDER_MODE_SUBTAG


class ConsumerBackend(SimulatorBackend):
    """The simulated plant with the COM consumer in the place of its own alarm manager."""

    consumers: FakeConsumers

    def alarm_provider(self) -> AlarmProvider:
        manager = super().alarm_provider

        def make() -> AlarmManager:
            made = manager()
            assert isinstance(made, AlarmManager)
            return made

        if not hasattr(self, "consumers"):
            self.consumers = FakeConsumers(make)
        return ComAlarmProvider(self.consumers.make, lambda: None)


class ComWorker(Worker):
    """A worker whose alarms come from the consumer."""

    def __init__(self, galaxy: Path, board: Path, clock: ManualClock) -> None:
        self.faults = Faults()
        self.simulator = ConsumerBackend(
            galaxy=galaxy, board=board, profile="", switches={}, faults=self.faults, clock=clock
        )
        AlarmSession.__init__(self, self.simulator, clock)
        self.simulator.alarm_provider()
        self.server = self.call("register", client_name="tests").register.server_handle

    @property
    def consumers(self) -> FakeConsumers:
        assert isinstance(self.simulator, ConsumerBackend)
        return self.simulator.consumers


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[ComWorker]:
    path = tmp_path / "alarms.db"
    build_galaxy(parse_description(GALAXY, "alarms.yaml"), path)
    made = ComWorker(path, tmp_path / "board.db", ManualClock(unix_ns=1_750_000_000 * 10**9))
    yield made
    made.executor._close(made.backend)


def subscribe(worker: ComWorker) -> pb.MxCommandReply:
    reference = "O_1.X"
    target = pb.AlarmSubtagTarget(
        alarm_full_reference=f"Galaxy!Hall.{reference}",
        source_object_reference=reference,
        active_subtag=f"{reference}.InAlarm",
        acked_subtag=f"{reference}.Acked",
        ack_comment_subtag=f"{reference}.AckMsg",
        time_on_subtag=f"{reference}.TimeAlarmOn",
        time_acked_subtag=f"{reference}.TimeAlarmAcked",
        area="Hall",
    )
    return worker.subscribe(subscription_expression=HALL, watch_list=[target], time_zone="UTC")


def test_an_alarm_from_its_raise_to_its_end(worker: ComWorker) -> None:
    assert subscribe(worker).protocol_status.code == pb.PROTOCOL_STATUS_CODE_OK
    worker.until(lambda: worker.listed().mode == ALARMMGR)
    worker.set("O_1.X", True)
    assert transitions(worker.turn()) == [("RAISE", "O_1.X")]
    fields = {"operator_user": "anna", "operator_node": "PC1", "operator_domain": "PLANT"}
    assert worker.acknowledge("O_1.X", comment="seen", **fields).native_status == 0
    (event,) = [each.on_alarm_transition for each in worker.turn(0.05)]
    assert (event.operator_user, event.operator_node, event.operator_domain) == ("anna", "PC1", "PLANT")
    (_, acknowledging) = worker.consumers.open
    assert acknowledging.calls[-1] == ("AlarmAckByName", "O_1.X", "Galaxy", "Hall", "seen", "anna", "PC1")
    worker.set("O_1.X", False)
    assert transitions(worker.turn()) == [("CLEAR", "O_1.X")]
    worker.call("unsubscribe_alarms")
    assert worker.consumers.open == []


def test_a_consumer_that_cannot_be_had_gives_way_to_the_attributes_and_is_tried_again(worker: ComWorker) -> None:
    worker.consumers.refused = MxComError(hresults.REGDB_E_CLASSNOTREG, "not registered")
    assert subscribe(worker).protocol_status.code == pb.PROTOCOL_STATUS_CODE_OK
    events = worker.until(lambda: worker.listed().mode == SUBTAG)
    mode = modes(events)[-1]
    assert (mode.reason_code, mode.hresult) == (
        pb.ALARM_PROVIDER_REASON_SUBSCRIBE_FAILED, hresults.REGDB_E_CLASSNOTREG
    )  # fmt: skip
    worker.set("O_1.X", True)
    worker.until(lambda: worker.states() == {"O_1.X": "UNACK_ALM"})
    worker.consumers.refused = None
    events = worker.until(lambda: worker.listed().mode == ALARMMGR, seconds=5.0)
    assert transitions(events) == [], "the plant has not changed"
    assert worker.states() == {"O_1.X": "UNACK_ALM"}
    worker.set("O_2.X", True)
    assert transitions(worker.turn()) == [("RAISE", "O_2.X")]


def test_a_consumer_that_stops_answering_gives_way_likewise(worker: ComWorker) -> None:
    subscribe(worker)
    worker.until(lambda: worker.listed().mode == ALARMMGR)
    worker.set("O_1.X", True)
    worker.turn()
    worker.consumers.fails = {"GetXmlCurrentAlarms2": MxComError(hresults.E_FAIL, "gone")}
    events = worker.until(lambda: worker.listed().mode == SUBTAG)
    assert (modes(events)[-1].reason_code, modes(events)[-1].hresult) == (
        pb.ALARM_PROVIDER_REASON_POLL_FAILED, hresults.E_FAIL
    )  # fmt: skip
    assert transitions(events) == []
    # By the attributes now: the consumer is not asked.
    before = len(worker.consumers.made)
    assert worker.acknowledge("O_1.X", comment="seen").native_status == 0
    assert len(worker.consumers.made) == before
    worker.until(lambda: worker.states() == {"O_1.X": "ACK_ALM"})


def test_an_alarm_is_shelved_by_its_attribute_as_the_consumer_has_no_call_for_it(worker: ComWorker) -> None:
    subscribe(worker)
    worker.until(lambda: worker.listed().mode == ALARMMGR)
    worker.set("O_1.X", True)
    worker.turn()

    def shelve(source: str, seconds: int) -> pb.AcknowledgeAlarmReplyPayload:
        command = pb.ShelveAlarmCommand(source_object_reference=source, alarm_name=source, reason="it's in repair")
        command.duration.FromSeconds(seconds)
        return worker.call("shelve_alarm", **{field.name: value for field, value in command.ListFields()}).shelve_alarm

    for _ in range(3):
        assert shelve("O_1.X", 3600).native_status == 0
        assert ("SHELVE", "O_1.X") in transitions(worker.until(lambda: worker.listed().snapshots[0].shelved))
        assert worker.listed().snapshots[0].shelve_reason == "it's in repair"
        assert shelve("O_1.X", 0).native_status == 0
        worker.until(lambda: not worker.listed().snapshots[0].shelved)
    refused = shelve("Nowhere.X", 60)
    assert refused.native_status != 0
    assert refused.provider_text
    worker.turn()
    attributes = worker.dispatcher._alarms._service.attributes
    assert (attributes._once, attributes._to_drop) == ([], []), "nothing stays of what was written once"


def test_a_wrong_expression_is_said_at_once_with_its_remedy(worker: ComWorker) -> None:
    reply = worker.subscribe(subscription_expression="\\\\NODE\\Galaxy!Hall!Pump*")
    assert reply.protocol_status.code != pb.PROTOCOL_STATUS_CODE_OK
    assert "filter in the alarm calls" in reply.diagnostic_message


def test_a_storm_ends_no_session(worker: ComWorker) -> None:
    subscribe(worker)
    worker.until(lambda: worker.listed().mode == ALARMMGR)
    names = ["O_1.X", "O_2.X", "O_3.X", "O_4.X"]
    for number in range(60):
        worker.set(names[number % 4], number // 4 % 2 == 0)
        if number % 7 == 0:
            worker.faults.set("break_alarm_xml", {"at": "60"})
        if number % 9 == 0:
            worker.consumers.fails = {"GetXmlCurrentAlarms2": 3} if number % 2 else {}
        worker.turn(0.5)
    worker.consumers.fails = {}
    for name in names:
        worker.set(name, False)
    worker.until(
        lambda: set(worker.states().values()) <= {"UNACK_RTN"} and worker.listed().mode == ALARMMGR, seconds=10
    )
    assert len(worker.consumers.open) == 2
    assert worker.call("ping", message="x").protocol_status.code == pb.PROTOCOL_STATUS_CODE_OK
