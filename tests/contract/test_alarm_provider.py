"""What every provider of alarms keeps: the simulator's alarm manager, and the COM consumer over a fake of it."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support.clock import ManualClock
from tests.support.direct_executor import DirectSession
from tests.support.fake_consumer import FakeConsumers

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract import hresults
from mxgateway_protocol.alarms.provider import (
    NOT_FOR_THIS_PROVIDER,
    AlarmName,
    AlarmProvider,
    AlarmSubscription,
    Operator,
    PollResult,
    ProviderError,
)
from mxgateway_protocol.alarms.records import AlarmRecord
from mxgateway_protocol.errors import MxComError
from mxgateway_simulator.alarm_manager import AlarmManager
from mxgateway_simulator.backend import SimulatorBackend
from mxgateway_simulator.building.builder import build_galaxy
from mxgateway_simulator.building.description_reader import parse_description
from mxgateway_simulator.faults import Faults
from mxgateway_worker.backends.com.alarm_consumer import ComAlarmProvider

GALAXY = """
galaxy: Provided
templates:
  $T: {attributes: {X: {type: Boolean, alarm: {Priority: 100, Msg: "It <tripped> & \\"fell\\""}}}}
instances:
  P: {template: $WinPlatform}
  E: {template: $AppEngine, host: P}
  Hall: {template: $Area, host: E}
  "O_[1..4]": {template: $T, area: Hall}
"""
HALL = AlarmSubscription(("\\\\NODE\\Galaxy!Hall",), time_zone="UTC")


class Provided:
    """A provider, and the plant that it tells of."""

    def __init__(self, kind: str, galaxy: Path, board: Path) -> None:
        self.clock = ManualClock(unix_ns=1_750_000_000 * 10**9)
        self.faults = Faults()
        self.backend = SimulatorBackend(
            galaxy=galaxy, board=board, profile="", switches={}, faults=self.faults, clock=self.clock
        )
        self.session = DirectSession(self.backend, clock=self.clock)
        self.server = self.session.call("register", client_name="tests").register.server_handle
        self.consumers = FakeConsumers(self._manager)
        self.thread = threading.get_ident()
        self.provider: AlarmProvider = (
            self._manager() if kind == "simulator" else ComAlarmProvider(self.consumers.make, self._check_thread)
        )

    def _manager(self) -> AlarmManager:
        manager = self.backend.alarm_provider()
        assert isinstance(manager, AlarmManager)
        return manager

    def _check_thread(self) -> None:
        if threading.get_ident() != self.thread:
            raise RuntimeError("another thread")

    def set(self, name: str, on: bool) -> None:
        self.clock.advance(1.0)
        session = self.session
        item = session.call("add_item", server_handle=self.server, item_definition=name).add_item.item_handle
        session.call("advise", server_handle=self.server, item_handle=item)
        session.executor._pump()
        session.call("write", server_handle=self.server, item_handle=item, value=pb.MxValue(bool_value=on))
        session.executor._pump()
        session.call("remove_item", server_handle=self.server, item_handle=item)

    def poll(self) -> PollResult:
        self.clock.advance(0.5)
        return self.provider.poll(self.clock.unix_ns())

    def close(self) -> None:
        self.provider.close()
        self.session.executor._close(self.backend)


Make = Callable[[str], Provided]


@pytest.fixture(scope="module")
def galaxy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("provided") / "g.db"
    build_galaxy(parse_description(GALAXY, "g.yaml"), path)
    return path


@pytest.fixture
def make(galaxy: Path, tmp_path: Path) -> Iterator[Make]:
    made: list[Provided] = []

    def new(kind: str) -> Provided:
        made.append(Provided(kind, galaxy, tmp_path / f"{kind}.board.db"))
        return made[-1]

    yield new
    for each in made:
        each.close()


@pytest.fixture(params=["simulator", "com"])
def provided(request: pytest.FixtureRequest, make: Make) -> Provided:
    return make(request.param)


def named(records: object) -> list[tuple[str, str]]:
    return [(each.name, each.state) for each in records]  # type: ignore[attr-defined]


def test_after_a_subscription_everything_is_told_and_then_what_changes(provided: Provided) -> None:
    provided.set("O_1.X", True)
    provided.provider.subscribe(HALL)
    assert named(provided.poll().fresh) == [("O_1.X", "UNACK_ALM")]
    assert provided.poll() == PollResult((), (), 1)
    provided.set("O_2.X", True)
    assert named(provided.poll().fresh) == [("O_2.X", "UNACK_ALM")]
    provided.set("O_2.X", False)
    changed = provided.poll()
    assert (named(changed.fresh), named(changed.gone), changed.total) == (
        [("O_2.X", "UNACK_RTN")], [("O_2.X", "UNACK_ALM")], 2
    )  # fmt: skip


def test_an_acknowledgement_means_one_alarm_and_tells_who_made_it(provided: Provided) -> None:
    provided.provider.subscribe(HALL)
    provided.set("O_1.X", True)
    provided.set("O_3.X", True)
    provided.poll()
    operator = Operator("anna", "PC1", "PLANT", "Anna A.")
    answer = provided.provider.acknowledge(AlarmName("O_1.X", "Galaxy", "Hall"), 'seen <it> & "noted"', operator)
    assert answer.native_status == 0
    (record,) = provided.poll().fresh
    assert (record.name, record.state, record.user, record.user_node, record.comment) == (
        "O_1.X", "ACK_ALM", "anna", "PC1", "seen <it> & \"noted\""
    )  # fmt: skip
    unknown = provided.provider.acknowledge(AlarmName("O_9.X", "Galaxy", "Hall"), "", operator)
    assert unknown.native_status != 0
    assert unknown.text
    provided.set("O_1.X", False)
    assert named(provided.poll().gone) == [("O_1.X", "ACK_ALM")]


def test_a_poll_that_fails_says_why_and_the_next_one_tells_what_was_missed(provided: Provided) -> None:
    provided.provider.subscribe(HALL)
    provided.set("O_1.X", True)
    provided.poll()
    provided.set("O_2.X", True)
    provided.faults.set("fail_poll", {"hresult": "0x80070005", "times": "5"})
    for _ in range(5):
        with pytest.raises(ProviderError) as failed:
            provided.poll()
        assert (failed.value.hresult, failed.value.is_broken_answer) == (hresults.E_ACCESSDENIED, False)
    assert named(provided.poll().fresh) == [("O_2.X", "UNACK_ALM")]


@pytest.mark.parametrize("at", [0, 1, 40, 120])
def test_a_broken_answer_is_no_list_and_ends_nothing(provided: Provided, at: int) -> None:
    """Edge case 52, for providers."""
    provided.provider.subscribe(HALL)
    provided.set("O_1.X", True)
    provided.poll()
    provided.set("O_2.X", True)
    provided.faults.set("break_alarm_xml", {"at": str(at), "times": "4"})
    for _ in range(4):
        with pytest.raises(ProviderError) as failed:
            provided.poll()
        assert failed.value.is_broken_answer
    result = provided.poll()
    assert (named(result.fresh), result.gone) == ([("O_2.X", "UNACK_ALM")], [])


def test_a_list_that_is_longer_than_was_asked_for_is_asked_for_again_until_it_is_whole(provided: Provided) -> None:
    """Edge case 15."""
    provided.provider.subscribe(HALL._replace(max_records=1))
    for number in range(1, 5):
        provided.set(f"O_{number}.X", True)
    result = provided.poll()
    assert (len(result.fresh), result.is_truncated) == (4, False)
    provided.set("O_4.X", False)
    assert named(provided.poll().fresh) == [("O_4.X", "UNACK_RTN")]


def test_without_a_subscription_there_is_no_list(provided: Provided) -> None:
    name, operator = AlarmName("O_1.X", "Galaxy", "Hall"), Operator()
    provided.provider.close()
    for _ in range(2):
        with pytest.raises(ProviderError) as failed:
            provided.poll()
        assert failed.value.hresult == hresults.E_FAIL
        with pytest.raises(ProviderError):
            provided.provider.acknowledge(name, "", operator)
        provided.provider.subscribe(HALL)
        assert provided.poll().total == 0
        provided.provider.close()
        provided.provider.close()


@pytest.mark.parametrize(
    "wrong",
    [
        HALL._replace(expressions=("Hall",)),
        HALL._replace(expressions=("\\\\NODE\\Galaxy!Hall 2",)),
        HALL._replace(time_zone="Nowhere/Land"),
    ],
)
def test_what_can_never_work_is_said_to_be_so(provided: Provided, wrong: AlarmSubscription) -> None:
    with pytest.raises(ProviderError) as failed:
        provided.provider.subscribe(wrong)
    assert failed.value.is_misconfigured


def test_both_read_the_same_records(make: Make) -> None:
    """Names, times, texts and operators, of every state."""
    told: dict[str, list[AlarmRecord]] = {}
    for kind in ("simulator", "com"):
        provided = make(kind)
        provided.provider.subscribe(HALL)
        for number in range(1, 5):
            provided.set(f"O_{number}.X", True)
        provided.provider.acknowledge(AlarmName("O_2.X", "Galaxy", "Hall"), "b", Operator("b", "PC"))
        provided.set("O_3.X", False)
        # The identity of a plant is part of its GUIDs, and both are built from one file.
        told[kind] = sorted(provided.poll().fresh, key=lambda each: each.name)
    assert told["com"] == told["simulator"]
    assert {each.state for each in told["com"]} == {"UNACK_ALM", "ACK_ALM", "UNACK_RTN"}


# ------------------------------------------------------------------------------------------- of the COM consumer alone


def test_two_consumers_are_registered_before_anything_else_and_given_back(make: Make) -> None:
    provided = make("com")
    provided.provider.subscribe(HALL)
    reading, acknowledging = provided.consumers.made
    begin = ["InitializeConsumer", "RegisterConsumer", "Subscribe"]
    assert [call[0] for call in reading.calls] == [*begin, "SetXmlAlarmQuery"]
    assert [call[0] for call in acknowledging.calls] == begin
    assert reading.calls[1][1] == 0, "no window"
    query = str(reading.calls[3][1])
    assert query == (
        '<QUERIES FROM_PRIORITY="1" TO_PRIORITY="999" ALARM_STATE="ALL" DISPLAY_MODE="Summary">'
        "<QUERY><NODE>NODE</NODE><PROVIDER>Galaxy</PROVIDER><GROUP>Hall</GROUP></QUERY></QUERIES>"
    )
    provided.provider.close()
    for each in (reading, acknowledging):
        assert [call[0] for call in each.calls[-2:]] == ["DeregisterConsumer", "UninitializeConsumer"]
    assert provided.consumers.open == []


def test_a_consumer_whose_subscribe_wants_something_else_works_by_its_query(make: Make) -> None:
    provided = make("com")
    provided.consumers.takes_expressions = False
    provided.provider.subscribe(HALL)
    provided.set("O_1.X", True)
    assert named(provided.poll().fresh) == [("O_1.X", "UNACK_ALM")]
    assert provided.provider.acknowledge(AlarmName("O_1.X", "Galaxy", "Hall"), "", Operator("a")).native_status == 0


@pytest.mark.parametrize("method", ["InitializeConsumer", "RegisterConsumer", "Subscribe", "SetXmlAlarmQuery"])
def test_whatever_fails_in_a_registration_is_told_with_its_hresult_and_leaves_nothing_behind(
    make: Make, method: str
) -> None:
    """Edge case 3."""
    provided = make("com")
    for failure, hresult in ((MxComError(hresults.E_ACCESSDENIED, "no"), hresults.E_ACCESSDENIED), (7, None)):
        provided.consumers.fails = {method: failure}
        with pytest.raises(ProviderError) as failed:
            provided.provider.subscribe(HALL)
        assert (failed.value.hresult, failed.value.is_misconfigured) == (hresult, False)
        assert method in str(failed.value)
        assert provided.consumers.open == []
    provided.consumers.fails = {}
    provided.provider.subscribe(HALL)


def test_a_consumer_that_fails_again_and_again_is_made_anew_and_nothing_is_told_twice(make: Make) -> None:
    provided = make("com")
    provided.provider.subscribe(HALL)
    provided.set("O_1.X", True)
    provided.poll()
    provided.consumers.fails = {"GetXmlCurrentAlarms2": 3}
    for _ in range(3):
        with pytest.raises(ProviderError, match="answered 3"):
            provided.poll()
    assert len(provided.consumers.made) == 2
    provided.consumers.fails = {}
    result = provided.poll()
    assert (result.fresh, result.gone) == ((), ())
    assert (len(provided.consumers.made), len(provided.consumers.open)) == (4, 2)


def test_what_the_consumer_cannot_do_is_said(make: Make) -> None:
    provided = make("com")
    provided.provider.subscribe(HALL)
    name = AlarmName("O_1.X", "Galaxy", "Hall")
    assert provided.provider.dismiss(name, Operator()) == NOT_FOR_THIS_PROVIDER
    assert provided.provider.shelve(name, 1.0, "why", Operator()) == NOT_FOR_THIS_PROVIDER


def test_case_1_every_entry_refuses_a_thread_that_is_not_the_apartments(make: Make) -> None:
    provided = make("com")
    provided.provider.subscribe(HALL)
    name, operator, provider = AlarmName("O_1.X", "Galaxy", "Hall"), Operator(), provided.provider
    entries: dict[str, Callable[[], object]] = {
        "subscribe": lambda: provider.subscribe(HALL),
        "poll": lambda: provider.poll(0),
        "acknowledge": lambda: provider.acknowledge(name, "", operator),
        "dismiss": lambda: provider.dismiss(name, operator),
        "shelve": lambda: provider.shelve(name, 1.0, "", operator),
        "close": provider.close,
    }
    public = {each for each in vars(ComAlarmProvider) if not each.startswith("_")}
    assert set(entries) == public, "whatever is added is tried here, too"
    refused: list[str] = []

    def elsewhere() -> None:
        for entry, call in entries.items():
            try:
                call()
            except RuntimeError:
                refused.append(entry)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join(10)
    assert refused == list(entries)
    assert len(provided.consumers.open) == 2, "nothing happened to them"


def test_the_list_that_is_there_at_first_is_spared_by_the_collector_before_it_works_again(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    provided = make("simulator")
    provided.provider.subscribe(HALL)
    done: list[str] = []
    for name in ("disable", "freeze", "enable"):
        real: Callable[[], None] = getattr(gc, name)
        monkeypatch.setattr(gc, name, _told(done, name, real))
    assert gc.isenabled()
    provided.poll()
    assert gc.isenabled()
    # Else it would look at all of the list at once, which takes as long as making it.
    assert done.index("freeze") < done.index("enable")
    del done[:]
    provided.set("O_1.X", True)
    assert len(provided.poll().fresh) == 1
    assert "freeze" not in done


def _told(done: list[str], name: str, real: Callable[[], None]) -> Callable[[], None]:
    def call() -> None:
        done.append(name)
        real()

    return call
