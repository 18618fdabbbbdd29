"""The worker's alarms with a scripted alarm manager: polls in the pump's turns, commands, storms, failures."""

from __future__ import annotations

import threading

import pytest
from tests.unit.worker.alarms.alarm_session import EXPRESSION, AlarmSession, modes, record, transitions

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_protocol.alarms.provider import Answer, Operator, ProviderError
from mxgateway_worker.executor import ThreadAffinityError

E_FAIL = -2147467259
OK = pb.PROTOCOL_STATUS_CODE_OK
INVALID = pb.PROTOCOL_STATUS_CODE_INVALID_REQUEST
ALARM_COMMANDS = (
    "subscribe_alarms",
    "unsubscribe_alarms",
    "query_active_alarms",
    "acknowledge_alarm",
    "acknowledge_alarm_by_name",
    "acknowledge_alarms_by_name",
    "shelve_alarm",
)


def by_name(name: str, **fields: object) -> pb.AcknowledgeAlarmByNameCommand:
    return pb.AcknowledgeAlarmByNameCommand(alarm_name=name, provider_name="Galaxy", group_name="Hall", **fields)  # type: ignore[arg-type]


def test_a_list_then_transitions() -> None:
    """The first list is told by a query; what changes afterwards by events; nothing by both."""
    session, manager = AlarmSession.scripted()
    manager.listed = [record(), record("Fan.Trip", "ACK_ALM")]
    assert session.subscribe().protocol_status.code == OK
    (mode,) = modes(session.taken())
    assert (mode.mode, mode.reason_code) == (pb.ALARM_PROVIDER_MODE_ALARMMGR, pb.ALARM_PROVIDER_REASON_STARTED)
    listed = session.listed()
    assert [each.alarm_full_reference for each in listed.snapshots] == ["Galaxy!Hall.Fan.Trip", "Galaxy!Hall.Pump.Trip"]
    assert [each.current_state for each in listed.snapshots] == [
        pb.ALARM_CONDITION_STATE_ACTIVE_ACKED,
        pb.ALARM_CONDITION_STATE_ACTIVE,
    ]
    assert (listed.total, listed.mode, listed.as_of_worker_sequence) == (2, pb.ALARM_PROVIDER_MODE_ALARMMGR, 1)
    manager.listed[0] = record(state="ACK_ALM", changed_ns=10**18 + 5)
    events = session.turn()
    assert transitions(events) == [("ACKNOWLEDGE", "Pump.Trip")]
    assert events[0].worker_sequence == 2
    assert session.listed().as_of_worker_sequence == 2
    assert session.turn() == []


def test_polls_come_at_their_interval_and_leave_time_for_commands() -> None:
    """A poll takes a quarter of the time at most."""
    session, manager = AlarmSession.scripted()
    session.subscribe(poll_interval={"nanos": 200_000_000})
    polls = manager.polls
    for _ in range(20):
        session.turn(0.1)
    assert manager.polls - polls == 10
    manager.takes = 1.0
    polls = manager.polls
    for _ in range(100):
        session.turn(0.1)
    assert 1 <= manager.polls - polls <= 4
    assert session.listed().poll.last_duration.seconds == 1


def test_a_first_list_that_takes_long_is_a_list_all_the_same() -> None:
    session, manager = AlarmSession.scripted()
    manager.listed, manager.takes = [record()], 35.0
    session.subscribe()
    (mode,) = modes(session.taken())
    assert mode.mode == pb.ALARM_PROVIDER_MODE_ALARMMGR
    assert session.listed().total == 1
    # The next one counts as failed, and the worker does not sleep for minutes because of it.
    for failures in (1, 2):
        polls = manager.polls
        for _ in range(11):
            session.turn(1.0)
        assert manager.polls - polls == 1
        assert session.listed().poll.consecutive_failures == failures
    manager.takes = 0.0
    session.turn(11.0)
    assert session.listed().poll.consecutive_failures == 0


def test_a_storm_ends_no_session() -> None:
    """h.55 A hundred times as many raises at once as a turn may tell: no overflow, nothing lost, in order."""
    session, manager = AlarmSession.scripted(capacity=40)
    session.subscribe()
    session.taken()
    manager.listed = [record(f"O_{n:05d}.X") for n in range(2_000)]
    told: list[tuple[str, str]] = []
    while len(told) < 2_000:
        found = transitions(session.turn(0.01 if told else 0.5))
        assert len(found) <= 20
        told += found
        if len(told) % 500 == 0:
            listed = session.listed(limit=1)
            assert listed.total == listed.as_of_worker_sequence - 1
    assert told == [("RAISE", f"O_{n:05d}.X") for n in range(2_000)]
    assert session.overflows == []


def test_a_query_comes_in_pages_of_one_cut() -> None:
    """Pages of one token are of one moment, whatever happens meanwhile; a token that is not kept is refused."""
    session, manager = AlarmSession.scripted()
    manager.listed = [record(f"O_{n:02d}.X") for n in range(25)]
    session.subscribe()
    first = session.listed(limit=10)
    assert (len(first.snapshots), first.total, first.next_after) == (10, 25, "Galaxy!Hall.O_09.X")
    manager.listed = []
    session.turn()
    names = [each.alarm_name for each in first.snapshots]
    page = first
    while page.next_after:
        page = session.listed(limit=10, after_reference=page.next_after, cut_token=first.cut_token)
        assert page.as_of_worker_sequence == first.as_of_worker_sequence
        names += [each.alarm_name for each in page.snapshots]
    assert names == [f"O_{n:02d}.X" for n in range(25)]
    assert session.listed().total == 0
    reply = session.call("query_active_alarms", cut_token="0123")
    assert reply.protocol_status.code == INVALID
    assert "ask for the first page" in reply.protocol_status.message


def test_a_prefix_narrows_a_query() -> None:
    session, manager = AlarmSession.scripted()
    manager.listed = [record("A.X"), record("B.X")]
    session.subscribe()
    assert [each.alarm_name for each in session.listed(alarm_filter_prefix="GALAXY!hall.b").snapshots] == ["B.X"]


def test_the_alarm_manager_fails_and_recovers_without_a_transition() -> None:
    """h.2 h.3 h.8 Nobody is said to have cleared anything; reason and HRESULT are told, and the list stays."""
    session, manager = AlarmSession.scripted()
    manager.listed = [record()]
    session.subscribe(failover={"consecutive_failure_threshold": 2})
    session.taken()
    manager.fails = ProviderError("GetXmlCurrentAlarms2 fails", E_FAIL)
    events = [*session.turn(), *session.turn(), *session.turn()]
    (mode,) = modes(events)
    assert (mode.mode, mode.hresult, mode.reason_code) == (
        pb.ALARM_PROVIDER_MODE_UNSPECIFIED, E_FAIL, pb.ALARM_PROVIDER_REASON_POLL_FAILED
    )  # fmt: skip
    assert "GetXmlCurrentAlarms2 fails" in mode.reason
    listed = session.listed()
    assert (listed.total, listed.mode, listed.poll.consecutive_failures) == (1, 0, 3)
    manager.fails = None
    events += session.turn()
    assert modes(events)[-1].mode == pb.ALARM_PROVIDER_MODE_ALARMMGR
    assert transitions(events) == []


def test_what_happened_meanwhile_is_no_transition_of_the_recovery() -> None:
    """The list is another when it answers again; whoever keeps one compares."""
    session, manager = AlarmSession.scripted()
    manager.listed = [record()]
    session.subscribe(failover={"consecutive_failure_threshold": 1})
    manager.fails = ProviderError("no answer")
    session.turn()
    manager.fails, manager.listed = None, [record("Fan.Trip")]
    assert transitions(session.turn()) == []
    assert [each.alarm_name for each in session.listed().snapshots] == ["Fan.Trip"]


def test_a_poll_that_takes_too_long_counts_as_failed() -> None:
    session, manager = AlarmSession.scripted()
    session.subscribe(failover={"consecutive_failure_threshold": 1})
    session.taken()
    manager.takes = 11.0
    (mode,) = modes(session.turn())
    assert mode.reason_code == pb.ALARM_PROVIDER_REASON_POLL_TOO_SLOW


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ProviderError("no list", is_broken_answer=True), pb.ALARM_PROVIDER_REASON_BROKEN_RECORDS),
        (ProviderError("no answer", E_FAIL), pb.ALARM_PROVIDER_REASON_POLL_FAILED),
    ],
)
def test_the_reason_is_one_of_a_closed_list(error: ProviderError, reason: int) -> None:
    session, manager = AlarmSession.scripted()
    session.subscribe(failover={"consecutive_failure_threshold": 1})
    session.taken()
    manager.fails = error
    assert modes(session.turn())[0].reason_code == reason


def test_a_subscription_that_fails_is_tried_again() -> None:
    session, manager = AlarmSession.scripted()
    manager.fails_to_subscribe = ProviderError("Subscribe fails", E_FAIL)
    assert session.subscribe(failover={"consecutive_failure_threshold": 1}).protocol_status.code == OK
    (mode,) = modes(session.taken())
    assert (mode.mode, mode.reason_code) == (0, pb.ALARM_PROVIDER_REASON_SUBSCRIBE_FAILED)
    manager.fails_to_subscribe = None
    assert modes(session.turn())[0].mode == pb.ALARM_PROVIDER_MODE_ALARMMGR


def test_a_subscription_that_can_never_work_is_refused() -> None:
    """With the text of what is wrong, and nothing is left open."""
    session, manager = AlarmSession.scripted()
    manager.fails_to_subscribe = ProviderError("there is no time zone 'X'", is_misconfigured=True)
    reply = session.subscribe()
    assert (reply.protocol_status.code, "no time zone" in reply.protocol_status.message) == (INVALID, True)
    assert session.call("acknowledge_alarm_by_name", alarm_name="A").protocol_status.code == INVALID
    for fields in ({"subscription_expression": ""}, {"date_order": "ydm"}):
        assert session.subscribe(**fields).protocol_status.code == INVALID


def test_unsubscribing_stops_and_may_be_repeated() -> None:
    session, manager = AlarmSession.scripted()
    session.subscribe()
    for _ in range(2):
        assert session.call("unsubscribe_alarms").protocol_status.code == OK
    assert not manager.is_open
    polls = manager.polls
    session.turn(10)
    assert manager.polls == polls


def test_a_bug_in_a_turn_ends_nothing() -> None:
    """Whatever a turn meets, the session goes on and the next turn tries again."""
    session, manager = AlarmSession.scripted()
    session.subscribe()
    session.taken()
    manager.fails = ValueError("nobody thought of that")  # type: ignore[assignment]
    session.turn()
    session.turn()
    manager.fails, manager.listed = None, [record()]
    assert transitions(session.turn()) == [("RAISE", "Pump.Trip")]


# -------------------------------------------------------------------------------------------------------- acknowledging


def test_acknowledging_by_name_and_by_guid() -> None:
    """A GUID is looked up in the list and goes by name, as the alarm manager's own call for it does not work."""
    session, manager = AlarmSession.scripted()
    manager.listed = [record(guid="6a021ad7-b168-5090-a370-802c3c712211")]
    session.subscribe()
    reply = session.call(
        "acknowledge_alarm_by_name",
        alarm_name="Pump.Trip", provider_name="Galaxy", group_name="Hall", comment="seen", operator_user="anna",
        operator_node="PC1", operator_domain="PLANT", operator_full_name="Anna A.",
    )  # fmt: skip
    assert (reply.acknowledge_alarm.native_status, reply.WhichOneof("payload")) == (0, "acknowledge_alarm")
    session.call("acknowledge_alarm", alarm_guid="{6A021AD7-B168-5090-A370-802C3C712211}", comment="again")
    assert manager.asked == [
        ("acknowledge Pump.Trip", "seen", Operator("anna", "PC1", "PLANT", "Anna A.")),
        ("acknowledge Pump.Trip", "again", Operator()),
    ]
    reply = session.call("acknowledge_alarm", alarm_guid="6a021ad7-0000-5090-a370-802c3c712211")
    assert reply.acknowledge_alarm.native_status == -1
    assert "no alarm of the list" in reply.acknowledge_alarm.provider_text


def test_an_acknowledgement_is_looked_for_at_once() -> None:
    session, manager = AlarmSession.scripted()
    manager.listed = [record()]
    session.subscribe(poll_interval={"seconds": 60})
    session.taken()
    session.call("acknowledge_alarm_by_name", alarm_name="Pump.Trip", provider_name="Galaxy", group_name="Hall")
    manager.listed = [record(state="ACK_ALM", changed_ns=10**18 + 5)]
    assert transitions(session.turn(0.03)) == [("ACKNOWLEDGE", "Pump.Trip")]


def test_many_are_acknowledged_in_order_and_one_result_each() -> None:
    """h.21 One that fails does not stop the others."""
    session, manager = AlarmSession.scripted()
    session.subscribe()
    reply = session.call("acknowledge_alarms_by_name", alarms=[by_name(f"O_{n}.X") for n in range(3)])
    assert [each.native_status for each in reply.acknowledge_alarms_by_name.results] == [0, 0, 0]
    assert [what for what, _, _ in manager.asked] == [f"acknowledge O_{n}.X" for n in range(3)]
    reply = session.call("acknowledge_alarms_by_name", alarms=[by_name("O.X")] * 1001)
    assert reply.protocol_status.code == INVALID
    assert "1000" in reply.protocol_status.message


@pytest.mark.parametrize(
    ("answer", "status", "hresult"),
    [(Answer(-55, "stub"), -55, None), (ProviderError("AlarmAckByName fails", E_FAIL), -1, E_FAIL)],
)
def test_what_the_alarm_manager_answers_is_data(
    answer: Answer | ProviderError, status: int, hresult: int | None
) -> None:
    """A failure of its call is no failure of the command."""
    session, manager = AlarmSession.scripted()
    session.subscribe()
    manager.answers = answer
    reply = session.call("acknowledge_alarm_by_name", alarm_name="A.X")
    payload = reply.acknowledge_alarm
    assert (reply.protocol_status.code, payload.native_status) == (OK, status)
    assert (payload.hresult if payload.HasField("hresult") else None) == hresult


def test_dismissing_and_shelving() -> None:
    session, manager = AlarmSession.scripted()
    session.subscribe()
    session.call("acknowledge_alarm_by_name", alarm_name="A.X", dismiss=True)
    session.call("shelve_alarm", alarm_name="A.X", duration={"seconds": 5400}, reason="repair", operator_user="anna")
    session.call("shelve_alarm", alarm_name="A.X")
    assert manager.asked == [
        ("dismiss A.X", "", Operator()),
        ("shelve A.X 1.5", "repair", Operator("anna")),
        ("shelve A.X 0", "", Operator()),
    ]


@pytest.mark.parametrize("command", ALARM_COMMANDS)
def test_no_alarm_command_runs_on_another_thread(command: str) -> None:
    """h.1 Each of them is refused at its entry, as the alarm manager belongs to the executor's thread."""
    session, _ = AlarmSession.scripted()
    session.subscribe()
    caught: list[BaseException] = []

    def call() -> None:
        try:
            session.call(command)
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is what is looked for
            caught.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    assert [type(error) for error in caught] == [ThreadAffinityError]


def test_turns_and_the_end_belong_to_the_thread_too() -> None:
    """h.1"""
    session, _ = AlarmSession.scripted()
    session.subscribe()
    service = session.dispatcher._alarms._service
    caught: list[str] = []

    def call() -> None:
        for function in (service.turn, service.close):
            try:
                function()
            except ThreadAffinityError:
                caught.append(function.__name__)

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    assert caught == ["turn", "close"]


def test_the_end_of_the_worker_closes_the_alarm_manager_first() -> None:
    session, manager = AlarmSession.scripted()
    session.subscribe()
    session.executor._close(session.backend)
    assert not manager.is_open


def test_the_same_expression_again_only_changes_the_rest() -> None:
    session, manager = AlarmSession.scripted()
    manager.listed = [record()]
    session.subscribe()
    session.taken()
    polls = manager.polls
    session.subscribe(poll_interval={"seconds": 5})
    assert manager.polls == polls
    assert session.listed().total == 1
    session.subscribe(subscription_expression=f"{EXPRESSION}2")
    assert manager.polls == polls + 1
