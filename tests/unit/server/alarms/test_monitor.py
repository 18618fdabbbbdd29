"""What the monitor decides: when workers are started, what their lists and events mean, and what it says of itself."""

from __future__ import annotations

import pytest
from tests.unit.server.alarms.alarm_parts import Room, alarm, report, snapshot, told

from mxgateway_server.alarms.backoff import BackOff
from mxgateway_server.alarms.model import Kind, Provider, State
from mxgateway_server.alarms.monitor import AskSnapshot, Close, MonitorTimes, Open, Speaker
from mxgateway_server.alarms.telling import MonitorState, Reason, ToldAlarm

SUBTAG = Speaker(provider=Provider.SUBTAG, reason=Reason.POLL_FAILED)
MANAGER = Speaker(provider=Provider.ALARMMGR, reason=Reason.RECOVERED)


def names(actions: list[object]) -> list[str]:
    return [type(action).__name__ for action in actions]


def test_a_start_opens_a_worker_asks_for_its_list_and_is_live_with_it() -> None:
    room = Room()
    assert room.monitor.status.state is MonitorState.STARTING
    _, actions = room.monitor.tick(room.now, room.now_ns)
    assert names(actions) == ["Open"]
    assert room.monitor.tick(room.now, room.now_ns) == ([], [])
    room.monitor.opened(room.now, room.now_ns)
    assert room.monitor.status.state is MonitorState.SYNCING
    assert names(room.monitor.subscribed()) == ["AskSnapshot"]
    assert room.list(alarm()) == []
    status = room.monitor.status
    assert (status.state, status.provider, status.is_uncertain) == (MonitorState.LIVE, Provider.ALARMMGR, False)


def test_a_list_of_which_something_may_be_missing_is_shown_once_a_provider_has_told_his() -> None:
    """What came right before a crash is not in it, and readers would take it for ended."""
    room = Room(is_restored=True, is_complete=False)
    room.book.restore([alarm("Old.Hi")])
    stream = room.join()
    assert "Alarm" not in room.arms(stream)
    room.begin(alarm("Old.Hi"), alarm("Late.Hi"))
    assert room.arms(stream).count("Alarm") == 2


def test_without_any_provider_such_a_list_is_shown_after_a_while_and_is_uncertain() -> None:
    room = Room(is_restored=True, is_complete=False)
    room.book.restore([alarm("Old.Hi")])
    stream = room.join()
    room.monitor.tick(room.now, room.now_ns)
    room.now += 14.9
    room.monitor.tick(room.now, room.now_ns)
    assert "Alarm" not in room.arms(stream)
    room.now += 0.2
    room.monitor.tick(room.now, room.now_ns)
    (told_alarm,) = [each for portion in room.read(stream) for each, _ in portion.items if isinstance(each, ToldAlarm)]
    assert told_alarm.is_uncertain


def test_a_list_that_was_closed_in_order_is_shown_at_once() -> None:
    room = Room(is_restored=True)
    room.book.restore([alarm("Old.Hi")])
    assert "Alarm" in room.arms(room.join())


def test_a_lost_worker_is_started_again_after_growing_waits_and_nothing_is_cleared() -> None:
    room = Room()
    room.begin(alarm())
    waits = []
    for _ in range(7):
        actions = room.monitor.lost(Reason.WORKER_LOST, "gone", room.now, room.now_ns)
        began = room.now
        while not room.monitor.tick(room.now, room.now_ns)[1]:
            room.now += 0.25
        waits.append(room.now - began)
    assert waits == [1.0, 2.0, 5.0, 10.0, 30.0, 30.0, 30.0]
    assert actions == []
    status = room.monitor.status
    assert (status.state, status.is_uncertain, status.provider) == (MonitorState.LOST, True, Provider.NONE)
    assert len(room.book) == 1


def test_the_waits_spread_and_begin_anew_after_a_good_while() -> None:
    chances = iter((0.0, 1.0, 0.5, 0.5))
    backoff = BackOff(lambda: next(chances))
    assert [round(backoff.failed(now), 3) for now in (0, 1)] == [0.8, 2.4]
    backoff.succeeded(10)
    backoff.succeeded(35)
    assert backoff.failed(39.9) == 5.0, "it had been good for less than half a minute"
    backoff.succeeded(50)
    chances = iter((0.5,))
    assert backoff.failed(80) == 1.0


def test_what_needs_somebody_is_tried_again_each_minute() -> None:
    room = Room()
    room.monitor.tick(room.now, room.now_ns)
    room.monitor.opened(room.now, room.now_ns)
    actions = room.monitor.lost(Reason.MISCONFIGURED, "no such area", room.now, room.now_ns, -5)
    assert [action.reason for action in actions if isinstance(action, Close)] == [Reason.MISCONFIGURED]
    status = room.monitor.status
    assert (status.state, status.text, status.hresult) == (MonitorState.FAILED, "no such area", -5)
    assert room.monitor.tick(room.now + 59, room.now_ns)[1] == []
    assert names(room.monitor.tick(room.now + 60, room.now_ns)[1]) == ["Open"]


def test_a_worker_without_a_list_in_time_is_given_up() -> None:
    room = Room()
    room.monitor.tick(room.now, room.now_ns)
    room.monitor.opened(room.now, room.now_ns)
    room.monitor.subscribed()
    assert room.monitor.tick(room.now + 29, room.now_ns)[1] == []
    _, actions = room.monitor.tick(room.now + 30, room.now_ns)
    assert names(actions) == ["Close"]
    assert room.monitor.status.reason is Reason.NO_SNAPSHOT


def test_the_time_for_the_first_list_begins_with_the_subscription() -> None:
    """A large plant takes a while to be subscribed; what is in time after that is no reason to begin anew."""
    room = Room()
    room.monitor.tick(room.now, room.now_ns)
    room.monitor.opened(room.now, room.now_ns)
    assert room.monitor.tick(room.now + 45, room.now_ns) == ([], [])
    room.monitor.subscribed(room.now + 45)
    assert room.monitor.tick(room.now + 70, room.now_ns) == ([], [])
    assert names(room.monitor.tick(room.now + 75, room.now_ns)[1]) == ["Close"]


def test_a_hole_in_the_events_ends_the_worker() -> None:
    """Edge case 19: what was lost on the way is asked anew, so that the list is the truth again."""
    room = Room()
    room.begin()
    room.tell(report(Kind.RAISE, alarm("A.A")))
    room.number += 1
    assert room.tell(report(Kind.RAISE, alarm("C.C"))) == []
    assert room.monitor.status.reason is Reason.EVENTS_LOST
    room.now += 1
    room.begin(alarm("A.A"), alarm("B.B"), alarm("C.C"))
    assert {each.source.name for each in room.book.cut()} == {"A.A", "B.B", "C.C"}


def test_a_list_that_knows_more_than_has_come_waits_for_the_events() -> None:
    room = Room()
    room.begin()
    _, actions = room.monitor.tick(room.now + 31, room.now_ns)
    assert names(actions) == ["AskSnapshot"]
    assert room.list(alarm("A.A"), as_of=1) == []
    assert len(room.book) == 0
    assert told(room.tell(report(Kind.RAISE, alarm("A.A")))) == [("RAISE", "UNACK_ALM", "LIVE")]


def test_events_that_stay_away_are_found_by_comparison_and_dropped_when_they_come() -> None:
    room = Room()
    room.begin()
    room.monitor.tick(room.now + 31, room.now_ns)
    room.list(alarm("A.A", State.ACK_ALM), as_of=2)
    changes, _ = room.monitor.tick(room.now + 36, room.now_ns)
    assert told(changes) == [("RAISE", "UNACK_ALM", "RECONCILE"), ("ACKNOWLEDGE", "ACK_ALM", "RECONCILE")]
    assert room.tell(report(Kind.RAISE, alarm("A.A"))) == []
    assert room.tell(report(Kind.ACKNOWLEDGE, alarm("A.A", State.ACK_ALM))) == []
    assert told(room.tell(report(Kind.CLEAR, alarm("A.A", State.ACK_RTN)))) == [("CLEAR", "ACK_RTN", "LIVE")]


def test_a_list_and_the_last_event_in_it_are_one_word() -> None:
    """What the list says more than that event counts; and the event, when it comes late, says nothing any more."""
    room = Room()
    room.begin()
    room.monitor.tick(room.now + 31, room.now_ns)
    room.tell(report(Kind.RAISE, alarm("A.A")))
    assert told(room.list(alarm("A.A", priority=7), as_of=1)) == [("UPDATE", "UNACK_ALM", "RECONCILE")]
    room.monitor.tick(room.now + 62, room.now_ns)
    room.list(alarm("A.A", State.ACK_ALM, priority=7), as_of=2)
    changes, _ = room.monitor.tick(room.now + 70, room.now_ns)
    assert told(changes) == [("ACKNOWLEDGE", "ACK_ALM", "RECONCILE")]
    assert room.tell(report(Kind.UPDATE, alarm("A.A", State.ACK_ALM, priority=9))) == []


def test_what_happened_since_the_list_was_made_is_not_undone_by_it() -> None:
    room = Room()
    room.begin(alarm("A.A"))
    room.monitor.tick(room.now + 31, room.now_ns)
    room.tell(report(Kind.RAISE, alarm("B.B")), report(Kind.REMOVE, alarm("A.A")))
    assert room.list(alarm("A.A"), as_of=0) == []
    assert [each.source.name for each in room.book.cut()] == ["B.B"]


def test_events_before_the_first_list_count_from_where_it_ends() -> None:
    room = Room()
    room.monitor.tick(room.now, room.now_ns)
    room.monitor.opened(room.now, room.now_ns)
    room.monitor.subscribed()
    room.tell(report(Kind.RAISE, alarm("A.A")), report(Kind.RAISE, alarm("B.B")))
    changes = room.list(alarm("A.A"), as_of=1)
    assert [each.alarm.source.name for each in changes] == ["B.B"]
    assert len(room.book) == 2


def test_the_list_is_compared_at_each_interval_and_after_every_switch() -> None:
    room = Room(times=MonitorTimes(reconcile=10))
    room.begin()
    assert room.monitor.tick(room.now + 9.9, room.now_ns)[1] == []
    assert names(room.monitor.tick(room.now + 10, room.now_ns)[1]) == ["AskSnapshot"]
    assert room.monitor.tick(room.now + 25, room.now_ns)[1] == [], "one is on its way"
    assert room.monitor.switched(SUBTAG, room.now_ns) == []
    changes, actions = room.monitor.snapshot(snapshot(alarm("Old.Hi")), room.now, room.now_ns)
    assert (changes, names(actions)) == ([], ["AskSnapshot"]), "it was made before the switch, perhaps"
    changes = room.list(alarm("A.A"), provider=Provider.SUBTAG)
    assert told(changes) == [("RAISE", "UNACK_ALM", "SWITCH")]
    assert room.monitor.status.state is MonitorState.DEGRADED


def test_a_forced_provider_is_no_degraded_one() -> None:
    room = Room(is_forced=True)
    room.begin(provider=Provider.SUBTAG)
    status = room.monitor.status
    assert (status.state, status.is_degraded, status.is_forced) == (MonitorState.LIVE, False, True)


def test_a_silent_worker_makes_the_list_uncertain_and_the_next_list_good_again() -> None:
    """Edge case 20: not before the whole of it is there."""
    room = Room()
    room.begin(alarm())
    room.monitor.switched(Speaker(reason=Reason.POLL_FAILED), room.now_ns)
    assert (room.monitor.status.state, room.monitor.status.is_uncertain) == (MonitorState.LOST, True)
    assert room.monitor.tick(room.now + 100, room.now_ns)[1] == []
    assert names(room.monitor.switched(MANAGER, room.now_ns)) == ["AskSnapshot"]
    assert room.monitor.status.is_uncertain
    room.list(alarm())
    assert not room.monitor.status.is_uncertain
    assert room.book.log.newest == 0


def test_lists_that_do_not_come_are_counted_and_the_third_in_a_row_ends_the_worker() -> None:
    """Edge case 2, on the gateway's side."""
    room = Room()
    room.begin(alarm())
    for _ in range(2):
        room.now += 31
        assert names(room.monitor.tick(room.now, room.now_ns)[1]) == ["AskSnapshot"]
        assert room.monitor.snapshot_failed("E_FAIL", room.now, room.now_ns) == []
    assert room.monitor.status.state is MonitorState.LIVE
    room.now += 31
    room.monitor.tick(room.now, room.now_ns)
    assert names(room.monitor.snapshot_failed("E_FAIL", room.now, room.now_ns)) == ["Close"]
    assert room.monitor.counters.failed_snapshots == 3
    assert len(room.book) == 1


def test_who_came_to_speak_in_place_of_whom_and_why_is_counted() -> None:
    room = Room()
    room.begin(alarm())
    for provider, reason in ((Provider.SUBTAG, Reason.POLL_FAILED), (Provider.ALARMMGR, Reason.RECOVERED)):
        room.tell(None)
        room.monitor.switched(Speaker(provider=provider, reason=reason), room.now_ns)
        room.list(alarm(), provider=provider)
    room.monitor.lost(Reason.WORKER_LOST, "gone", room.now, room.now_ns)
    assert room.monitor.counters.switches == {
        (Provider.NONE, Provider.ALARMMGR, Reason.STARTED): 1,
        (Provider.ALARMMGR, Provider.SUBTAG, Reason.POLL_FAILED): 1,
        (Provider.SUBTAG, Provider.ALARMMGR, Reason.RECOVERED): 1,
        (Provider.ALARMMGR, Provider.NONE, Reason.WORKER_LOST): 1,
    }


def test_a_first_list_that_is_cut_is_served_as_not_whole_until_a_whole_one_comes() -> None:
    room = Room()
    room.begin(alarm("A.A"), is_truncated=True)
    status = room.monitor.status
    assert (status.state, status.is_uncertain) == (MonitorState.LIVE, True)
    room.now += 31
    room.monitor.tick(room.now, room.now_ns)
    room.list(alarm("A.A"), alarm("B.B"))
    assert not room.monitor.status.is_uncertain
    assert room.monitor.counters.truncated_snapshots == 1


def test_a_list_that_is_cut_again_is_not_whole_by_that_and_a_whole_one_is_not_undone_by_a_cut() -> None:
    room = Room()
    room.begin(alarm("A.A"), is_truncated=True)
    for more, is_uncertain in (({"is_truncated": True}, True), ({}, False), ({"is_truncated": True}, False)):
        room.now += 31
        room.monitor.tick(room.now, room.now_ns)
        room.list(alarm("A.A"), **more)
        assert room.monitor.status.is_uncertain is is_uncertain


def test_case_41_a_shelving_that_ended_while_nobody_looked_is_right_at_the_return() -> None:
    room = Room()
    room.begin(alarm(is_shelved=True, mode=1))
    room.monitor.lost(Reason.WORKER_LOST, "gone", room.now, room.now_ns)
    room.now += 1
    room.begin(alarm(is_shelved=False, mode=1))
    assert [each.kind for each in room.book.log.after(0, 10)] == [Kind.UNSHELVE]


@pytest.mark.parametrize("count", [5, 5000])
def test_case_40_an_area_that_is_silenced_is_one_change_for_each_of_its_alarms(count: int) -> None:
    room = Room(changes=10_000)
    room.begin(*(alarm(f"T{number}.Hi", mode=1) for number in range(count)))
    changes = room.tell(*(report(Kind.MODE, alarm(f"T{number}.Hi", mode=2)) for number in range(count)))
    assert {each.kind for each in changes} == {Kind.MODE}
    assert len(changes) == count


def test_late_words_of_a_worker_that_is_gone_say_nothing() -> None:
    room = Room()
    room.begin(alarm())
    room.monitor.lost(Reason.WORKER_LOST, "gone", room.now, room.now_ns)
    assert room.tell(report(Kind.REMOVE, alarm())) == []
    assert room.list() == []
    assert room.monitor.switched(SUBTAG, room.now_ns) == []
    assert room.monitor.subscribed() == []
    assert room.monitor.snapshot_failed("late", room.now, room.now_ns) == []
    assert len(room.book) == 1


def test_observers_are_told_of_everything_in_order() -> None:
    seen: list[str] = []

    class Observer:
        def adopted(self, alarms: object, sequence: int) -> None:
            seen.append("adopted")

        def changed(self, change: object) -> None:
            seen.append("changed")

        def status_changed(self, status: object) -> None:
            seen.append(status.state.name)  # type: ignore[attr-defined]

    room = Room(observers=(Observer(),))
    room.begin(alarm())
    room.tell(report(Kind.ACKNOWLEDGE, alarm(state=State.ACK_ALM)))
    assert seen == ["SYNCING", "adopted", "LIVE", "changed"]
    assert isinstance(AskSnapshot(), AskSnapshot)
    assert isinstance(Open(), Open)


def lose(room: Room, times: int = 1, text: str = "signal 11") -> None:
    """Workers that end as soon as they have subscribed."""
    for _ in range(times):
        while not room.monitor.tick(room.now, room.now_ns)[1]:
            room.now += 0.5
        room.monitor.opened(room.now, room.now_ns)
        room.monitor.uses_manager(room.now, has_attributes=True)
        room.monitor.lost(Reason.WORKER_LOST, text, room.now, room.now_ns)


def reopened(room: Room, *, has_attributes: bool = True) -> bool:
    """The next worker; whether it subscribes with the alarm manager."""
    while not room.monitor.tick(room.now, room.now_ns)[1]:
        room.now += 0.5
    room.monitor.opened(room.now, room.now_ns)
    room.number = 0
    uses = room.monitor.uses_manager(room.now, has_attributes=has_attributes)
    room.monitor.subscribed()
    return uses


def test_an_alarm_manager_that_ends_its_workers_is_left_alone_and_nothing_is_cleared() -> None:
    """After three of them the attributes speak: degraded, with the reason, and what they do not watch is uncertain."""
    room = Room()
    room.begin(alarm("Tank.Hi"), alarm("Other.Hi"))
    room.monitor.uses_manager(room.now, has_attributes=True)
    room.monitor.lost(Reason.WORKER_LOST, "signal 11", room.now, room.now_ns)
    lose(room)
    assert reopened(room), "two are no reason yet"
    room.monitor.lost(Reason.WORKER_LOST, "signal 11", room.now, room.now_ns)
    assert not reopened(room)
    room.monitor.switched(Speaker(provider=Provider.SUBTAG, is_forced=True, reason=Reason.FORCED), room.now_ns)
    listed = {"provider": Provider.SUBTAG, "watched": frozenset({"galaxy!line1.tank.hi"})}
    # The first was asked for before the attributes spoke.
    assert room.list(alarm("Tank.Hi"), **listed) + room.list(alarm("Tank.Hi"), **listed) == []
    status = room.monitor.status
    assert (status.state, status.provider, status.reason) == (
        *(MonitorState.DEGRADED, Provider.SUBTAG),
        Reason.WORKER_LOST,
    )
    assert not status.is_forced
    assert "ended 3 times with the alarm manager (signal 11)" in status.text
    assert {each.source.name: each.is_uncertain for each in room.book.cut()} == {"Tank.Hi": False, "Other.Hi": True}


def test_trials_of_an_alarm_manager_are_rarer_each_time_and_a_passed_one_ends_it() -> None:
    room = Room()
    lose(room, 3)
    waits = []
    for _ in range(6):
        assert not reopened(room)
        room.list(alarm(), provider=Provider.SUBTAG)
        began = room.now
        while names(room.monitor.tick(room.now, room.now_ns)[1]) != ["Resubscribe"]:
            room.now += 10.0
        assert room.monitor.uses_manager(room.now, has_attributes=True)
        waits.append(round((room.now - began) / 60))
        room.monitor.lost(Reason.WORKER_LOST, "signal 11", room.now, room.now_ns)
    assert waits == [5, 10, 20, 40, 60, 60]
    assert not reopened(room)
    room.list(alarm(), provider=Provider.SUBTAG)
    room.now += 3600.0
    assert names(room.monitor.tick(room.now, room.now_ns)[1]) == ["Resubscribe"]
    room.monitor.subscribed()
    room.monitor.switched(MANAGER, room.now_ns)
    room.list(alarm())
    room.list(alarm())
    assert room.monitor.status.state is MonitorState.LIVE
    room.now += 61.0
    room.list(alarm())
    assert room.monitor.trust.text == ""
    lose(room, 2)
    assert reopened(room), "the count begins anew"


def test_an_alarm_manager_is_not_avoided_without_anything_in_its_place() -> None:
    """No attributes, a setting that asks for it, or workers that were lost long after each other or without it."""
    room = Room()
    lose(room, 3)
    assert reopened(room, has_attributes=False)
    forced = Room(is_forced=True)
    lose(forced, 5)
    assert reopened(forced)
    slow = Room()
    for _ in range(5):
        lose(slow)
        slow.now += 400.0
    assert reopened(slow)
    other = Room()
    for _ in range(5):
        assert reopened(other)
        other.monitor.lost(Reason.NO_SNAPSHOT, "no list", other.now, other.now_ns)
    assert reopened(other)
    killed = Room()
    for _ in range(5):
        assert reopened(killed)
        killed.monitor.lost(Reason.WORKER_LOST, "signal 9", killed.now, killed.now_ns, is_from_outside=True)
    assert reopened(killed)
