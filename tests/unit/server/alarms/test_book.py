"""The list and its numbered changes: what reports and comparisons make of it."""

from __future__ import annotations

import pytest
from tests.unit.server.alarms.alarm_parts import SECOND, T0, alarm, guid, new_book, report, snapshot, source, told

from mxgateway_server.alarms.bands import PriorityBands
from mxgateway_server.alarms.book import AlarmBook, is_occurrence
from mxgateway_server.alarms.log import ChangeLog, LogLimits
from mxgateway_server.alarms.model import Kind, Mode, Origin, Provider, State
from mxgateway_server.alarms.occurrences import is_same_occurrence


def test_each_change_has_the_next_number_and_the_alarm_before_and_after() -> None:
    book = new_book(last=41)
    (raised,) = book.report(report(Kind.RAISE, alarm()), T0)
    (acked,) = book.report(report(Kind.ACKNOWLEDGE, alarm(state=State.ACK_ALM, operator_user="anna")), T0)
    assert (raised.sequence, acked.sequence, book.log.newest) == (42, 43, 43)
    assert raised.before is None
    assert acked.before is raised.alarm
    assert book.alarms[raised.alarm.key] is acked.alarm
    assert acked.alarm.sequence == 43


def test_a_report_of_what_is_known_changes_nothing_and_is_counted() -> None:
    book = new_book()
    book.report(report(Kind.RAISE, alarm()), T0)
    assert book.report(report(Kind.RAISE, alarm()), T0) == []
    assert book.counters.repeated == 1


def test_alarms_and_changes_are_counted_by_state_kind_and_band_of_priorities() -> None:
    book = AlarmBook(ChangeLog(LogLimits(), "e" * 32), PriorityBands((10, 20)))
    book.report(report(Kind.RAISE, alarm("A.Hi", priority=10)), T0)
    book.report(report(Kind.RAISE, alarm("B.Hi", priority=11)), T0)
    book.report(report(Kind.RAISE, alarm("C.Hi", priority=21)), T0)
    book.report(report(Kind.ACKNOWLEDGE, alarm("B.Hi", State.ACK_ALM, priority=11)), T0)
    book.report(report(Kind.UPDATE, alarm("A.Hi", priority=999)), T0)
    assert {place: count for place, count in book.states.items() if count} == {
        (State.UNACK_ALM, "21-999"): 2,
        (State.ACK_ALM, "11-20"): 1,
    }
    assert book.counters.changes == {
        (Kind.RAISE, "1-10"): 1,
        (Kind.RAISE, "11-20"): 1,
        (Kind.RAISE, "21-999"): 1,
        (Kind.ACKNOWLEDGE, "11-20"): 1,
        (Kind.UPDATE, "21-999"): 1,
    }
    book.report(report(Kind.CLEAR, alarm("B.Hi", State.ACK_RTN, priority=11)), T0)
    assert not book.states[State.ACK_ALM, "11-20"]


def test_every_priority_is_in_one_band() -> None:
    bands = PriorityBands((249, 499, 999))
    assert bands.names == ("1-249", "250-499", "500-999")
    assert [bands.name_of(each) for each in (0, 1, 249, 250, 999, 5000)] == [
        *("1-249", "1-249", "1-249", "250-499", "500-999", "500-999")
    ]


def test_case_16_an_alarm_that_came_again_unseen_has_the_clear_that_must_have_been() -> None:
    book = new_book()
    book.report(report(Kind.RAISE, alarm(number=1)), T0)
    changes = book.report(report(Kind.RETRIGGER, alarm(number=2)), T0)
    assert told(changes) == [("CLEAR", "UNACK_RTN", "INFERRED"), ("RETRIGGER", "UNACK_ALM", "LIVE")]
    assert [each.alarm.guid for each in changes] == [guid(1), guid(2)]
    assert changes[0].alarm.cleared_ns == changes[1].alarm.raised_ns


def test_an_acknowledgement_of_an_unknown_alarm_brings_the_raise_that_must_have_been() -> None:
    book = new_book()
    acked = alarm(state=State.ACK_ALM, acknowledged_ns=T0 + 99 * SECOND, operator_user="anna")
    changes = book.report(report(Kind.ACKNOWLEDGE, acked), T0)
    assert told(changes) == [("RAISE", "UNACK_ALM", "INFERRED"), ("ACKNOWLEDGE", "ACK_ALM", "LIVE")]
    assert (changes[0].alarm.operator_user, changes[0].alarm.changed_ns) == ("", acked.raised_ns)


def test_news_of_an_occurrence_that_is_over_changes_nothing() -> None:
    book = new_book()
    book.report(report(Kind.RAISE, alarm(number=5)), T0)
    assert book.report(report(Kind.ACKNOWLEDGE, alarm(state=State.ACK_ALM, number=1)), T0) == []
    assert book.counters.stale == 1


def test_a_worker_that_tells_kinds_only_is_understood() -> None:
    book = new_book()
    for kind, state in (
        (Kind.RAISE, "UNACK_ALM"),
        (Kind.CLEAR, "UNACK_RTN"),
        (Kind.RETRIGGER, "UNACK_ALM"),
        (Kind.ACKNOWLEDGE, "ACK_ALM"),
        (Kind.CLEAR, "ACK_RTN"),
    ):
        (change,) = book.report(report(kind, alarm(state=State.UNKNOWN)), T0)
        assert (change.kind, change.alarm.state.name) == (kind, state)
    assert not len(book)


def test_what_a_change_does_not_tell_stays_known_within_an_occurrence_and_goes_with_it() -> None:
    book = new_book()
    book.report(report(Kind.RAISE, alarm(description="too high", mode=Mode.ENABLED)), T0)
    acked = alarm(state=State.ACK_ALM, operator_user="anna", comment="seen", description="")
    (change,) = book.report(report(Kind.ACKNOWLEDGE, acked), T0)
    assert (change.alarm.description, change.alarm.mode) == ("too high", Mode.ENABLED)
    (change,) = book.report(report(Kind.CLEAR, alarm(state=State.ACK_RTN)), T0)
    assert (change.alarm.operator_user, change.alarm.comment) == ("anna", "seen")
    (change,) = book.report(report(Kind.RAISE, alarm(number=2, description="too high")), T0)
    assert (change.alarm.operator_user, change.alarm.comment) == ("", "")


def test_modes_and_shelving_and_texts_have_changes_of_their_own() -> None:
    book = new_book()
    book.report(report(Kind.RAISE, alarm(mode=Mode.ENABLED)), T0)
    both = alarm(mode=Mode.SILENCED, is_shelved=True, state=State.ACK_ALM)
    assert [each.kind for each in book.report(report(Kind.MODE, both), T0)] == [
        *(Kind.ACKNOWLEDGE, Kind.MODE, Kind.SHELVE)
    ]
    text = alarm(mode=Mode.SILENCED, is_shelved=True, state=State.ACK_ALM, description="other")
    assert [each.kind for each in book.report(report(Kind.UPDATE, text), T0)] == [Kind.UPDATE]


def test_case_36_references_that_differ_in_case_are_one_alarm() -> None:
    book = new_book()
    book.report(report(Kind.RAISE, alarm("Tank.Hi")), T0)
    book.report(report(Kind.CLEAR, alarm("TANK.HI", State.UNACK_RTN)), T0)
    assert len(book) == 1


def test_case_14_records_of_the_same_moment_are_all_kept() -> None:
    book = new_book()
    for number in range(5):
        book.report(report(Kind.RAISE, alarm(f"Tank{number}.Hi", changed_ns=T0, raised_ns=T0)), T0)
    assert len(book) == 5


# ---------------------------------------------------------------------------------------------------------- comparing


def test_the_first_list_is_taken_as_it_is() -> None:
    book = new_book()
    book.adopt(snapshot(alarm("A.A"), alarm("B.B", State.ACK_RTN)))
    assert (len(book), book.log.newest) == (1, 0)


@pytest.mark.parametrize("origin", [Origin.RECONCILE, Origin.SWITCH, Origin.RESTART])
def test_case_18_a_comparison_removes_what_is_dead_adds_what_is_new_and_says_where_from(origin: Origin) -> None:
    book = new_book()
    dead, acked, returned = alarm("A.A"), alarm("B.B"), alarm("C.C", State.UNACK_RTN)
    book.adopt(snapshot(dead, acked, returned))
    changes = book.meet(snapshot(alarm("B.B", State.ACK_ALM), alarm("D.D", State.UNACK_RTN, number=0)), origin, T0)
    found = [(each.alarm.source.name, *entry) for each, entry in zip(changes, told(changes), strict=True)]
    assert sorted(found) == sorted(
        [
            ("A.A", "CLEAR", "ACK_RTN", origin.name),
            ("B.B", "ACKNOWLEDGE", "ACK_ALM", origin.name),
            ("C.C", "ACKNOWLEDGE", "ACK_RTN", origin.name),
            ("D.D", "RAISE", "UNACK_ALM", origin.name),
            ("D.D", "CLEAR", "UNACK_RTN", origin.name),
        ]
    )


def test_case_26_an_alarm_that_was_acknowledged_and_has_returned_is_gone() -> None:
    book = new_book()
    book.adopt(snapshot(alarm(state=State.UNACK_RTN)))
    (change,) = book.report(report(Kind.ACKNOWLEDGE, alarm(state=State.ACK_RTN)), T0)
    assert not change.is_listed
    assert not len(book)


@pytest.mark.parametrize("more", [{"is_truncated": True}, {"provider": Provider.NONE}])
def test_case_15_a_list_that_is_cut_ends_no_alarm(more: dict[str, object]) -> None:
    book = new_book()
    book.adopt(snapshot(alarm("A.A"), alarm("B.B")))
    assert book.meet(snapshot(alarm("A.A"), **more), Origin.RECONCILE, T0) == []
    assert len(book) == 2


@pytest.mark.parametrize("origin", list(Origin))
def test_what_a_cut_list_leaves_out_is_doubtful_unless_events_came_without_a_hole(origin: Origin) -> None:
    book = new_book()
    book.adopt(snapshot(alarm("A.A"), alarm("B.B")))
    assert book.meet(snapshot(alarm("A.A"), is_truncated=True), origin, T0) == []
    is_uncertain = {each.source.name: each.is_uncertain for each in book.cut()}
    assert is_uncertain == {"A.A": False, "B.B": origin is not Origin.RECONCILE}


def test_case_31_an_alarm_outside_the_watch_list_stays_and_is_uncertain_until_it_is_told_of_again() -> None:
    book = new_book()
    book.adopt(snapshot(alarm("A.A"), alarm("B.B"), alarm("C.C", State.LATCHED), alarm("D.D", State.UNACK_RTN)))
    keys = {each.source.name: key for key, each in book.alarms.items()}
    watched = frozenset(keys[name] for name in ("A.A", "C.C", "D.D"))
    by_attributes = snapshot(
        alarm("A.A", guid=guid(77), is_guid_derived=True),
        provider=Provider.SUBTAG,
        watched=watched,
        returned_are_visible=False,
    )
    assert book.meet(by_attributes, Origin.SWITCH, T0) == []
    uncertain = {each.source.name for each in book.alarms.values() if each.is_uncertain}
    assert uncertain == {"B.B", "C.C", "D.D"}
    assert book.alarms[keys["A.A"]].guid == guid(1), "the alarm manager's GUID is worth more than a made one"
    whole = snapshot(alarm("A.A"), alarm("B.B"), alarm("C.C", State.LATCHED), alarm("D.D", State.UNACK_RTN))
    assert book.meet(whole, Origin.SWITCH, T0) == []
    assert not any(each.is_uncertain for each in book.alarms.values())


def test_case_32_new_guids_of_a_restarted_provider_are_adopted_silently_and_the_old_ones_still_name_it() -> None:
    book = new_book()
    book.adopt(snapshot(alarm(number=1)))
    raised = alarm(number=1).raised_ns
    assert book.meet(snapshot(alarm(number=9, raised_ns=raised + SECOND)), Origin.SWITCH, T0) == []
    (found,) = book.cut()
    assert (found.guid, found.raised_ns) == (guid(9), raised)
    assert book.by_guid(guid(1)) is found
    assert is_occurrence(found, guid(1), 0)
    assert is_occurrence(found, guid(9), raised + SECOND)
    assert not is_occurrence(found, guid(2), 0)


def test_a_list_without_starts_is_compared_by_guid_unless_the_provider_is_another() -> None:
    for origin, count in ((Origin.RECONCILE, 2), (Origin.SWITCH, 0)):
        book = new_book()
        book.adopt(snapshot(alarm(number=1, raised_ns=0)))
        assert len(book.meet(snapshot(alarm(number=2, raised_ns=0)), origin, T0)) == count


def test_a_former_guid_names_the_occurrence_all_the_same() -> None:
    known = alarm(number=2, raised_ns=0, former_guids=(guid(1),))
    assert is_same_occurrence(known, alarm(number=1, raised_ns=0))
    assert not is_same_occurrence(known, alarm(number=3, raised_ns=0))


def test_a_former_guid_is_kept_from_one_change_to_the_next() -> None:
    book = new_book()
    book.adopt(snapshot(alarm(former_guids=(guid(9),))))
    book.report(report(Kind.ACKNOWLEDGE, alarm(state=State.ACK_ALM)), T0)
    found = book.by_guid(guid(9))
    assert found is not None
    assert (found.state, found.all_guids) == (State.ACK_ALM, (guid(1), guid(9)))


def test_two_seconds_apart_is_the_same_start_and_more_is_not() -> None:
    for apart, is_same in ((2 * SECOND, True), (-2 * SECOND, True), (2 * SECOND + 1, False), (-2 * SECOND - 1, False)):
        told = alarm(number=2, raised_ns=T0 + apart)
        assert is_same_occurrence(alarm(number=1, raised_ns=T0), told) is is_same


def test_who_names_an_occurrence_by_guid_and_start_means_both() -> None:
    """Some alarm managers give one GUID to all occurrences of an alarm."""
    now = alarm(number=1)
    assert is_occurrence(now, guid(1), now.raised_ns)
    assert is_occurrence(now, "", now.raised_ns)
    assert not is_occurrence(now, guid(1), now.raised_ns - 60 * SECOND)
    assert not is_occurrence(now, guid(2), now.raised_ns)


def test_case_34_an_alarm_that_moved_is_removed_there_and_raised_here() -> None:
    book = new_book()
    book.adopt(snapshot(alarm(number=3, source=source("Tank.Hi", "Line1"))))
    changes = book.meet(snapshot(alarm(number=3, source=source("Tank.Hi", "Line2"))), Origin.RECONCILE, T0)
    assert sorted((each.kind.name, each.alarm.source.area, each.alarm.guid) for each in changes) == [
        ("RAISE", "Line2", guid(3)),
        ("REMOVE", "Line1", guid(3)),
    ]


def test_case_35_an_alarm_of_an_object_that_is_not_deployed_is_removed_and_comes_back_as_a_raise() -> None:
    book = new_book()
    book.adopt(snapshot(alarm()))
    assert told(book.meet(snapshot(), Origin.RECONCILE, T0, lambda _: False)) == [("REMOVE", "ACK_RTN", "RECONCILE")]
    assert told(book.meet(snapshot(alarm()), Origin.RECONCILE, T0)) == [("RAISE", "UNACK_ALM", "RECONCILE")]


def test_case_39_an_alarm_that_was_disabled_and_enabled_is_removed_and_raised_as_another_occurrence() -> None:
    book = new_book()
    book.report(report(Kind.RAISE, alarm(number=1)), T0)
    (gone,) = book.report(report(Kind.REMOVE, alarm(number=1, mode=Mode.DISABLED)), T0)
    (back,) = book.report(report(Kind.RAISE, alarm(number=2)), T0)
    assert [(each.kind, each.is_listed, each.alarm.guid) for each in (gone, back)] == [
        (Kind.REMOVE, False, guid(1)),
        (Kind.RAISE, True, guid(2)),
    ]


def test_the_newest_of_two_records_of_one_reference_is_the_entry() -> None:
    book = new_book()
    book.adopt(snapshot())
    changes = book.meet(snapshot(alarm(number=1), alarm(number=4), alarm(number=2)), Origin.RECONCILE, T0)
    assert [each.alarm.guid for each in changes] == [guid(4)]


def test_what_was_told_since_the_list_was_made_is_newer_than_the_list() -> None:
    book = new_book()
    book.report(report(Kind.RAISE, alarm("A.A")), T0)
    assert book.meet(snapshot(), Origin.RECONCILE, T0, newer={alarm("A.A").key}) == []
    assert len(book) == 1


def test_a_comparison_that_finds_nothing_changes_nothing_and_makes_no_new_alarms() -> None:
    book = new_book()
    book.adopt(snapshot(*(alarm(f"T{number}.Hi") for number in range(10))))
    before = book.cut()
    assert book.meet(snapshot(*(alarm(f"T{number}.Hi") for number in range(10))), Origin.RECONCILE, T0) == []
    assert all(one is other for one, other in zip(before, book.cut(), strict=True))


# ------------------------------------------------------------------------------------------------------------ look-ups


def test_alarms_are_found_by_guid_by_object_and_by_the_guid_of_what_they_were() -> None:
    book = new_book()
    book.adopt(snapshot(alarm("A.A", number=1), alarm("A.A", number=2, source=source("A.A", "Line2"))))
    assert [each.source.area for each in book.by_object("a.a")] == ["Line1", "Line2"]
    book.report(report(Kind.CLEAR, alarm("A.A", State.UNACK_RTN)), T0)
    book.report(report(Kind.RETRIGGER, alarm("A.A", number=7)), T0)
    assert book.by_guid(guid(1)) is None
    found = book.by_guid(guid(7))
    assert found is not None
    assert book.successor(guid(1)) is found
    book.report(report(Kind.REMOVE, alarm("A.A", number=7)), T0)
    assert (book.by_guid(guid(7)), book.successor(guid(1)), len(book.by_object("A.A"))) == (None, None, 1)
