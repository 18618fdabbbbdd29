"""Streams as cursors: snapshots, changes, gaps, signs of life, and what readers share."""

from __future__ import annotations

import random
from typing import Any

import pytest
from tests.unit.server.alarms.alarm_parts import EPOCH, Room, alarm, report, source

from mxgateway_server.alarms import feed as feed_module
from mxgateway_server.alarms.encoding import batch_of, messages_of
from mxgateway_server.alarms.feed import AlarmFeed, FeedLimits, Wish
from mxgateway_server.alarms.filters import make_filter
from mxgateway_server.alarms.groups import Everything, FilterGroup, PortionLimits
from mxgateway_server.alarms.model import Alarm, AlarmSource, Change, Kind, Origin, Provider, State
from mxgateway_server.alarms.monitor import Speaker
from mxgateway_server.alarms.notes import MOST_NOTES, NoteBoard
from mxgateway_server.alarms.subscriber import LagPolicy
from mxgateway_server.alarms.telling import (
    GapReason,
    LeftReason,
    Position,
    Reach,
    ToldAlarm,
    ToldChange,
    ToldFlood,
    ToldGap,
    ToldLeft,
)
from mxgateway_server.errors import AlarmLagError, AlarmStreamLimitError


def storm(room: Room, count: int, name: str = "Storm.Hi") -> None:
    """Changes of one alarm: it goes on and off, never acknowledged."""
    for number in range(1, count + 1):
        kind, state = (Kind.CLEAR, State.UNACK_RTN) if number % 2 == 0 else (Kind.RETRIGGER, State.UNACK_ALM)
        room.tell(report(kind, alarm(name, state, number=(number + 1) // 2)))


def test_a_snapshot_is_cut_at_the_moment_when_it_begins_and_what_comes_then_follows_it() -> None:
    room = Room()
    room.begin(*(alarm(f"T{number}.Hi") for number in range(120)))
    stream = room.join()
    first = stream.take(room.monitor.status, room.now, has_list=True)
    assert first is not None
    assert len(first.items) == 50
    room.tell(report(Kind.ACKNOWLEDGE, alarm("T1.Hi", State.ACK_ALM)))
    arms = room.arms(stream)
    assert arms == ["Alarm"] * 70 + ["Marker", "Status", "Change"]
    assert stream.sequence == 1


def test_equal_streams_get_the_very_same_portions() -> None:
    room = Room()
    room.begin()
    streams = [room.join(filter=make_filter(areas=["Line1"])) for _ in range(3)]
    for stream in streams:
        room.read(stream)
    storm(room, 20)
    portions = [room.read(stream)[0] for stream in streams]
    assert portions[0] is portions[1] is portions[2]
    assert room.feed.groups == 1
    other = room.join(filter=make_filter(areas=["Line1"]), is_extended=True)
    assert room.feed.groups == 2
    for stream in (*streams, other):
        room.feed.leave(stream)
        room.feed.leave(stream)
    assert (len(room.feed), room.feed.groups) == (0, 0)


@pytest.mark.parametrize("wish", [{}, {"is_extended": True}, {"filter": make_filter(priority_min=1, priority_max=900)}])
def test_a_stream_that_comes_later_than_the_others_goes_no_further_than_they_did(wish: dict[str, Any]) -> None:
    room = Room()
    room.begin()
    status = room.monitor.status
    prompt, slow = room.join(**wish), room.join(**wish)
    for stream in (prompt, slow):
        room.read(stream)
    storm(room, 20)
    reach = Reach(20, room.notes.newest)
    first = prompt.take(status, room.now, has_list=True, reach=reach)
    # What came meanwhile is for the next time, when it is for both.
    storm(room, 4, "Other.Hi")
    assert prompt.take(status, room.now, has_list=True, reach=reach) is None
    assert first is not None
    assert slow.take(status, room.now, has_list=True, reach=reach) is first
    assert (prompt.sequence, slow.sequence, slow.lag) == (20, 20, 4)
    (second,), (same,) = room.read(prompt), room.read(slow)
    assert second is same
    assert [sequence for _, sequence in second.items] == [21, 22, 23, 24]


def test_a_list_that_is_newer_than_what_others_have_been_told_is_followed_by_what_comes_after_it() -> None:
    room = Room()
    room.begin(alarm())
    storm(room, 3)
    stream, before = room.join(), Reach(1, 0)
    while stream.take(room.monitor.status, room.now, has_list=True, reach=before) is not None:
        pass
    assert (stream.sequence, stream.is_live) == (3, True)
    storm(room, 1, "Other.Hi")
    assert stream.take(room.monitor.status, room.now, has_list=True, reach=before) is None
    assert room.arms(stream) == ["Change"]


WANTED: list[dict[str, Any]] = [
    {},
    {"areas": ["Line1"]},
    {"areas": ["Plant"]},
    {"references": ["*T1*", "nothing.*"]},
    {"objects": ["T2"], "classes": ["VALUE"]},
    {"prefix": "Galaxy!Line2"},
    {"references": ["nothing.*"]},
]


@pytest.mark.parametrize("max_messages", [0, 1, 7])
@pytest.mark.parametrize("wanted", WANTED, ids=str)
def test_a_filter_of_names_alone_is_told_what_the_long_way_tells(wanted: dict[str, Any], max_messages: int) -> None:
    room, chance = Room(changes=2000), random.Random(repr((wanted, max_messages)))
    sources = [source(f"T{n}.Hi", f"Line{n % 3}", alarm_class=("VALUE", "DSC")[n % 2]) for n in range(8)]
    room.begin(*(alarm(source=each, number=0) for each in sources[:4]))
    short, long = (
        room.join(filter=make_filter(**wanted), is_extended=True, max_messages=max_messages) for _ in range(2)
    )
    # Of a group by itself, which knows the long way only.
    long.group = FilterGroup(
        make_filter(**wanted), Everything(), room.book, room.notes, PortionLimits(messages=50), is_extended=True
    )
    long.group._is_of_sources = False
    assert short.group._is_of_sources
    room.read(short), room.read(long)
    shortened = 0
    kinds = [Kind.RAISE, Kind.ACKNOWLEDGE, Kind.CLEAR, Kind.RETRIGGER, Kind.REMOVE, Kind.UPDATE]
    for number in range(400):
        of = chance.choice(sources)
        if chance.random() < 0.1:
            # Another class of the same alarm: another source.
            of = source(of.name, of.area, alarm_class=chance.choice(("VALUE", "DSC")))
        told = alarm(source=of, state=chance.choice(list(State)), number=number // 40, comment=str(number))
        room.tell(report(chance.choice(kinds), told))
        if number % 100 == 50:
            room.notes.add(room.book.log.newest, ToldFlood("all", 1, 0, 9))
        if chance.random() < 0.2:
            found, expected = room.read(short), room.read(long)
            assert [list(each.items) for each in found] == [list(each.items) for each in expected]
            assert list(map(batch_of, found)) == list(map(batch_of, expected))
            assert list(map(messages_of, found)) == list(map(messages_of, expected))
            assert [each.sequence for each in found] == [each.sequence for each in expected]
            assert short.sequence == long.sequence == room.book.log.newest
            shortened += sum(bool(each.changes) for each in found)
    assert shortened >= 10 or wanted == WANTED[-1]


def test_portions_are_kept_for_those_who_keep_up_and_not_for_ever() -> None:
    room = Room(changes=10_000)
    room.begin()
    stream = room.join(max_messages=1)
    room.read(stream)
    storm(room, 500)
    assert len(room.read(stream)) == 500
    assert len(stream.group._portions) <= 4


@pytest.mark.parametrize("policy", list(LagPolicy))
def test_case_43_a_stream_that_is_too_slow_gets_what_its_policy_says(policy: LagPolicy) -> None:
    room = Room(changes=100)
    room.begin(alarm("Storm.Hi", State.UNACK_RTN, number=0))
    stream = room.join(policy=policy, is_extended=True)
    room.read(stream)
    storm(room, 250)
    if policy is LagPolicy.DISCONNECT:
        with pytest.raises(AlarmLagError) as lagged:
            room.read(stream)
        assert (lagged.value.epoch, lagged.value.sequence, lagged.value.oldest) == (EPOCH, 0, 150)
        return
    items = [item for portion in room.read(stream) for item in portion.items]
    gap, at = items[0]
    assert isinstance(gap, ToldGap)
    assert (gap.lost, gap.reason, gap.oldest.sequence) == (150, GapReason.LAGGED, 150)
    if policy is LagPolicy.GAP:
        assert at == 150
        assert [sequence for _, sequence in items[1:]] == list(range(151, 251))
    else:
        assert at is None
        assert [type(each).__name__ for each, _ in items[1:]] == ["ToldAlarm", "ToldMarker", "ToldStatus"]
    assert stream.sequence == 250


def test_an_old_client_that_is_too_slow_gets_a_new_list_and_no_word_that_it_does_not_know() -> None:
    room = Room(changes=100)
    room.begin()
    stream = room.join()
    room.read(stream)
    storm(room, 250)
    assert room.arms(stream) == ["Alarm", "Marker", "Status"]


def test_only_who_misses_a_change_has_a_gap() -> None:
    """A cursor, and a position that comes back, right before the oldest change that is kept, and one before that."""
    for count, gaps in ((100, []), (101, ["Gap"])):
        room = Room(changes=100)
        room.begin()
        stream = room.join(is_extended=True, policy=LagPolicy.GAP)
        room.read(stream)
        storm(room, count)
        back = room.join(is_extended=True, snapshot_on_gap=True, resume_after=Position(EPOCH, 0, stream.group.number))
        assert room.arms(stream) == [*gaps, *["Change"] * 100]
        resumed = ["Status", *["Change"] * 100, "Position"]
        assert room.arms(back) == (["Gap", "Alarm", "Marker", "Status"] if gaps else resumed)


def test_a_change_of_the_history_that_leaves_the_filter_is_told_as_left() -> None:
    """The list before it is not kept, so it is told to whoever has the alarm, and does no harm to others."""
    room = Room()
    room.begin()
    group = room.join(filter=make_filter(priority_max=200), is_extended=True).group
    quiet = Change(7, Kind.UPDATE, Origin.LIVE, alarm(priority=300), None, True, is_before_known=False)
    (left,) = group.told_of(quiet)
    assert isinstance(left, ToldLeft)
    assert (left.reference, left.reason) == ("Galaxy!Line1.Tank.Hi", LeftReason.FILTER)


@pytest.mark.parametrize(
    ("position", "reason"),
    [
        (Position("f" * 32, 1), GapReason.EPOCH),
        (Position(EPOCH, 99), GapReason.FUTURE),
        (Position(EPOCH, 4), GapReason.FUTURE),
        (Position(EPOCH, 1, 5), GapReason.FILTER),
    ],
)
def test_case_46_a_position_that_does_not_fit_is_a_gap_and_a_snapshot(position: Position, reason: GapReason) -> None:
    room = Room()
    room.begin()
    storm(room, 3)
    stream = room.join(resume_after=position, snapshot_on_gap=True)
    items = [item for portion in room.read(stream) for item in portion.items]
    gap = items[0][0]
    assert isinstance(gap, ToldGap)
    assert (gap.requested, gap.reason) == (position, reason)
    assert [type(each).__name__ for each, _ in items[1:]] == ["ToldAlarm", "ToldMarker", "ToldStatus"]


def test_without_on_gap_a_position_is_ignored() -> None:
    room = Room()
    room.begin()
    storm(room, 3)
    assert room.arms(room.join(resume_after=Position(EPOCH, 2))) == ["Alarm", "Marker", "Status"]


def test_a_resumed_stream_is_told_the_status_what_it_missed_and_that_it_has_caught_up() -> None:
    room = Room()
    room.begin()
    storm(room, 3)
    stream = room.join(resume_after=Position(EPOCH, 1), snapshot_on_gap=True, is_extended=True)
    assert room.arms(stream) == ["Status", "Change", "Change", "Position"]
    assert room.arms(stream) == []


def test_a_position_that_memory_has_let_go_is_served_by_the_history_up_to_its_limit() -> None:
    room = Room(changes=100)
    room.begin()
    storm(room, 250)
    room.feed.oldest_in_history = 10
    stream = room.join(resume_after=Position(EPOCH, 20), snapshot_on_gap=True)
    assert stream.past is not None
    assert (stream.past.sequence, stream.past.until) == (20, 150)
    assert room.arms(stream) == ["Status"]
    # Of kinds that this reader does not know, so that there is nothing to send.
    kept = [Change(number, Kind.UPDATE, Origin.LIVE, alarm(), alarm(), True) for number in range(21, 151)]
    assert stream.take_past(kept[:100]) is None
    assert stream.take_past(kept[100:]) is None
    assert room.arms(stream)[-1] == "Position"
    older = room.join(resume_after=Position(EPOCH, 9), snapshot_on_gap=True)
    assert room.arms(older)[0] == "Gap"


def test_more_than_the_history_gives_at_once_is_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "MOST_FROM_HISTORY", 100)
    room = Room(changes=10)
    room.begin()
    storm(room, 250)
    room.feed.oldest_in_history = 0
    near = room.join(resume_after=Position(EPOCH, 150), snapshot_on_gap=True)
    assert near.past is not None
    far = room.join(resume_after=Position(EPOCH, 149), snapshot_on_gap=True)
    assert far.past is None
    assert room.arms(far)[0] == "Gap"


def test_a_stream_that_lags_while_it_catches_up_has_not_caught_up() -> None:
    for policy, arms in ((LagPolicy.RESYNC, ["Gap", "Alarm", "Marker", "Status"]), (LagPolicy.GAP, ["Gap", "Change"])):
        room = Room(changes=100)
        room.begin()
        storm(room, 50)
        wish = Wish(resume_after=Position(EPOCH, 1), snapshot_on_gap=True, policy=policy, is_extended=True)
        stream = room.feed.join("key", wish, room.now)
        assert stream.take(room.monitor.status, room.now, has_list=True) is not None
        storm(room, 250)
        found = room.arms(stream)
        assert found[: len(arms)] == arms
        assert "Position" not in found


def test_a_portion_stands_behind_all_that_was_looked_at_for_it() -> None:
    """What follows and is not for this stream need not be looked at again when it goes on."""
    room = Room()
    room.begin()
    stream = room.join(filter=make_filter(objects=["Mine"]), is_extended=True)
    room.read(stream)
    room.tell(report(Kind.RAISE, alarm("Mine.Hi")))
    storm(room, 20, name="Other.Hi")
    (portion,) = room.read(stream)
    assert (len(portion.items), portion.sequence, stream.sequence) == (1, 21, 21)


def test_who_takes_everything_is_told_what_one_is_told_whose_filter_takes_everything() -> None:
    room = Room()
    room.begin()
    for is_extended in (True, False):
        groups = [
            room.join(filter=wanted, is_extended=is_extended).group
            for wanted in (make_filter(), make_filter(references=["*"]))
        ]
        for kind in Kind:
            for is_listed in (True, False):
                for before, is_before_known in ((alarm(), True), (None, True), (None, False)):
                    if kind is not Kind.RAISE and is_listed and before is None and is_before_known:
                        # What was not in the list comes into it with a raise.
                        continue
                    facts = (1, kind, Origin.LIVE, alarm(), before, is_listed)
                    change = Change(*facts, is_before_known=is_before_known)
                    told = [group.told_of(change) for group in groups]
                    assert told[0] == told[1], facts


@pytest.mark.parametrize("lost", ["in the middle", "at the end", "all"])
def test_what_the_history_has_lost_is_a_gap_and_never_silence(lost: str) -> None:
    room = Room(changes=2)
    room.begin()
    storm(room, 9)
    room.feed.oldest_in_history = 0
    stream = room.join(is_extended=True, snapshot_on_gap=True, resume_after=Position(EPOCH, 1))
    past = stream.past
    assert past is not None
    assert past.until == 7
    changes = [Change(number, Kind.UPDATE, Origin.LIVE, alarm(), None, True) for number in range(2, 8)]
    given = {"in the middle": [*changes[:2], *changes[3:]], "at the end": changes[:3], "all": []}[lost]
    portion = stream.take_past(given)
    assert portion is not None
    if lost == "at the end":
        assert len(portion.items) == 3
        assert stream.past is not None
        portion = stream.take_past([])
        assert portion is not None
    assert portion.items == []
    assert stream.past is None
    assert room.arms(stream) == ["Gap", "Alarm", "Marker", "Status"]


def test_a_sign_of_life_comes_only_when_nothing_else_did() -> None:
    room = Room()
    room.begin()
    stream = room.join(is_extended=True, position_interval=15.0)
    room.read(stream)
    assert stream.next_sign(room.now) == 15.0
    room.now += 14.9
    assert room.arms(stream) == []
    room.now += 0.2
    assert room.arms(stream) == ["Position"]
    assert room.arms(stream) == []
    assert room.join(position_interval=15.0).next_sign(room.now) is None, "an old client would not know it"


def test_what_crosses_a_filters_border_leaves_and_enters() -> None:
    room = Room()
    room.begin(alarm(priority=100))
    extended = room.join(filter=make_filter(priority_max=200), is_extended=True)
    plain = room.join(filter=make_filter(priority_max=200))
    room.read(extended), room.read(plain)
    room.tell(report(Kind.UPDATE, alarm(priority=300)))
    room.tell(report(Kind.ACKNOWLEDGE, alarm(state=State.ACK_ALM, priority=300)))
    room.tell(report(Kind.UPDATE, alarm(state=State.ACK_ALM, priority=50)))
    left, entered = (item for portion in room.read(extended) for item, _ in portion.items)
    assert isinstance(left, ToldLeft)
    assert left.reason is LeftReason.FILTER
    assert isinstance(entered, ToldAlarm)
    told = [item for portion in room.read(plain) for item, _ in portion.items]
    assert [each.kind for each in told if isinstance(each, ToldChange)] == [Kind.CLEAR, Kind.RAISE, Kind.ACKNOWLEDGE]


class Sight:
    """A key that sees the alarms of some objects."""

    number = 4711

    def __init__(self, *names: str, least_urgent: int = 999) -> None:
        self.names = set(names)
        self.least_urgent = least_urgent

    def sees_source(self, source: AlarmSource) -> bool:
        return source.name in self.names

    def sees(self, alarm: Alarm) -> bool:
        return self.sees_source(alarm.source) and alarm.priority <= self.least_urgent


def test_case_48_when_what_a_key_may_see_has_changed_its_streams_begin_anew() -> None:
    room = Room()
    room.begin(alarm("A.A"), alarm("B.B"))
    sight = Sight("A.A", "B.B")
    limited, free = room.join(viewer=sight, is_extended=True), room.join(is_extended=True)
    room.read(limited), room.read(free)
    sight.names = {"A.A"}
    room.feed.sight_changed()
    assert room.arms(limited) == ["Gap", "Alarm", "Marker", "Status"]
    assert room.arms(free) == []
    room.tell(report(Kind.ACKNOWLEDGE, alarm("B.B", State.ACK_ALM)))
    assert room.arms(limited) == []


@pytest.mark.parametrize("is_extended", [False, True])
def test_an_alarm_that_becomes_one_that_is_not_to_be_seen_leaves_without_a_word_of_what_it_is_now(
    is_extended: bool,
) -> None:
    room = Room()
    room.begin(alarm("A.A", priority=100), alarm("B.B", priority=900, comment="seen"))
    limited = room.join(viewer=Sight("A.A", "B.B", least_urgent=500), is_extended=is_extended)
    assert room.arms(limited) == ["Alarm", "Marker", "Status"]
    room.tell(
        report(Kind.UPDATE, alarm("A.A", priority=501, description="hidden")),
        report(Kind.ACKNOWLEDGE, alarm("B.B", State.ACK_ALM, priority=900)),
        report(Kind.CLEAR, alarm("A.A", State.UNACK_RTN, priority=501)),
    )
    (told,) = [each for portion in room.read(limited) for each, _ in portion.items]
    if is_extended:
        assert told == ToldLeft("Galaxy!Line1.A.A", LeftReason.HIDDEN)
    else:
        assert isinstance(told, ToldChange)
        assert (told.kind, told.change.alarm.priority, told.change.alarm.description) == (Kind.CLEAR, 100, "")


def test_an_alarm_that_ends_as_one_that_is_not_to_be_seen_tells_nothing_of_its_end() -> None:
    room = Room()
    room.begin(alarm("A.A", State.ACK_ALM, priority=100))
    limited = room.join(viewer=Sight("A.A", least_urgent=500), is_extended=True)
    room.read(limited)
    room.tell(report(Kind.CLEAR, alarm("A.A", State.ACK_RTN, priority=600)))
    assert room.arms(limited) == ["Left"]


def test_a_limited_reader_hears_of_no_flood_and_resumes_from_no_history_that_cannot_tell_what_it_saw() -> None:
    room = Room(changes=2)
    room.begin()
    limited = room.join(viewer=Sight("A.A"), is_extended=True)
    room.read(limited)
    room.notes.add(0, ToldFlood("all", 1, 0, 11))
    assert room.arms(limited) == []
    storm(room, 9, "A.A")
    room.feed.oldest_in_history = 0
    for least_urgent, arm in ((999, True), (500, False)):
        viewer = Sight("A.A", least_urgent=least_urgent)
        after = Position(EPOCH, 1, viewer.number)
        stream = room.join(viewer=viewer, is_extended=True, snapshot_on_gap=True, resume_after=after)
        assert (stream.past is not None) is arm


def test_case_44_a_thousand_streams_open_and_close_in_a_storm_and_none_misses_its_place() -> None:
    room = Room(changes=100_000)
    room.feed = AlarmFeed(room.book, room.notes, FeedLimits(streams_of_key=2000, portion=PortionLimits(messages=50)))
    room.begin()
    streams = []
    for number in range(1000):
        storm(room, 1, f"T{number}.Hi")
        stream = room.feed.join(f"key{number % 7}", Wish(is_extended=bool(number % 2)), room.now)
        streams.append(stream)
        if number % 3 == 0:
            room.feed.leave(streams[number // 2])
    kept = room.feed.subscribers
    for stream in kept:
        marked = [sequence for portion in room.read(stream) for each, sequence in portion.items if sequence is not None]
        # From the cut of its list on, each change and none twice.
        assert list(dict.fromkeys(marked)) == list(range(marked[0], room.book.log.newest + 1))
        assert stream.sequence == room.book.log.newest
        room.feed.leave(stream)
    assert (len(room.feed), room.feed.groups, room.feed._of_key) == (0, 0, {})


def test_the_lag_is_that_of_the_slowest_stream_that_has_its_list() -> None:
    room = Room()
    room.begin(alarm())
    assert room.feed.lag == 0
    quick, slow = room.join(), room.join()
    room.read(quick)
    room.read(slow)
    storm(room, 7)
    room.read(quick)
    assert (quick.lag, slow.lag, room.feed.lag) == (0, 7, 7)
    waiting = room.join()
    assert waiting.lag == 0
    past = room.join(
        resume_after=Position(EPOCH, 2, slow.group.number), snapshot_on_gap=True, filter=make_filter(areas=["Line1"])
    )
    past.resume_from_past(2, 4)
    assert past.lag == 5
    room.feed.leave(slow)
    assert room.feed.lag == 5


def test_limits_name_their_settings() -> None:
    room = Room()
    room.feed = AlarmFeed(room.book, room.notes, FeedLimits(streams_of_key=1, groups=2))
    room.join()
    with pytest.raises(AlarmStreamLimitError, match=r"alarms\.streams\.per_key"):
        room.join()
    room.feed.join("other", Wish(filter=make_filter(text="a")), room.now)
    with pytest.raises(AlarmStreamLimitError, match=r"alarms\.streams\.filter_groups"):
        room.feed.join("third", Wish(filter=make_filter(text="b")), room.now)


def test_statuses_and_floods_stand_at_their_place_among_the_changes() -> None:
    room = Room()
    room.begin()
    extended, plain = room.join(is_extended=True), room.join()
    room.read(extended), room.read(plain)
    storm(room, 2)
    room.notes.add(room.book.log.newest, ToldFlood("all", 1, 0, 11))
    storm(room, 1, "Other.Hi")
    room.monitor.switched(Speaker(provider=Provider.SUBTAG), room.now_ns)
    assert room.arms(extended) == ["Change", "Change", "Flood", "Change", "Status"]
    assert room.arms(plain) == ["Change", "Change", "Change", "Status"]


def test_old_notes_go() -> None:
    board = NoteBoard()
    for number in range(MOST_NOTES * 3):
        board.add(number, ToldFlood("all", 1, 0, number))
    assert board.newest == MOST_NOTES * 3
    assert len(list(board.after(0))) <= MOST_NOTES
    assert [at for at, _ in board.after(board.newest - 2)] == [MOST_NOTES * 3 - 2, MOST_NOTES * 3 - 1]
