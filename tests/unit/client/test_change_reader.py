"""The pure half of a subscription: position, early events, gaps and marks."""

from __future__ import annotations

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from tests.support.fake_gateway import data_change, write_complete

from mxgateway.change_reader import ChangeReader
from mxgateway.data_change import DataChange
from mxgateway.generated import mxaccess_gateway_pb2 as pb


class Tags:
    """Tags that become known when they are put in."""

    def __init__(self, **tags: int) -> None:
        self.known = {handle: tag for tag, handle in tags.items()}
        self.is_reply_under_way = False
        self.version = 0
        self.is_numbering = False
        self.numbered: dict[int, str] = {}

    def tag_of(self, event: pb.MxEvent) -> str | None:
        if self.is_numbering and event.client_handle:
            return self.numbered.get(event.client_handle)
        return self.known.get(event.item_handle)

    def may_come_to_know(self, _event: pb.MxEvent) -> bool:
        return self.is_reply_under_way


def read_result(seconds: int) -> pb.BulkReadResult:
    result = pb.BulkReadResult(tag_address="A", was_successful=True, quality=192, value=pb.MxValue(int32_value=1))
    result.source_timestamp.FromSeconds(seconds)
    return result


def live(
    reader: ChangeReader, *events: pb.MxEvent, received: Timestamp | None = None
) -> tuple[list[DataChange], pb.MxEvent | None]:
    """What is live of a batch that has just come."""
    return reader.live_changes(events, 0, iter(events), received)


def test_the_position_moves_forward_only() -> None:
    """What comes again is not new; an event without a sequence moves nothing."""
    reader = ChangeReader(Tags(A=1))
    assert [reader.is_new(data_change(n)) for n in (1, 2, 2, 1, 0, 3)] == [True, True, False, False, True, True]
    assert reader.position == 3
    reader.begin_session()
    assert (reader.position, reader.is_new(data_change(1))) == (0, True)


def test_an_early_event_waits_for_its_reply_and_no_longer() -> None:
    """Its change comes when the item is known; without a reply under way an unknown item is none of ours."""
    tags = Tags()
    reader = ChangeReader(tags)
    assert reader.change(data_change(1, 5), False) is None
    assert reader.early_changes() == []
    tags.is_reply_under_way = True
    assert reader.change(data_change(2, 5), True) is None
    assert reader.change(data_change(3, 6), False) is None
    tags.is_reply_under_way, tags.known[5] = False, "A"
    (_, change), unknown = reader.early_changes()
    assert change is not None
    assert (change.tag, change.worker_sequence, change.replayed) == ("A", 2, True)
    assert unknown == (0, None)
    assert reader.early_changes() == []


def test_an_early_event_keeps_what_was_lost_before_it() -> None:
    """It takes that along while it waits; when the session is lost before the reply, the next change tells of it."""
    tags = Tags()
    lost = [0]

    def take_lost() -> int:
        return lost.pop() if lost else 0

    reader = ChangeReader(tags, take_lost)
    tags.is_reply_under_way = True
    reader.change(data_change(1, 5), False)
    lost.append(3)
    reader.change(data_change(5, 5), False)
    reader.change(data_change(6, 5), False)
    tags.known[5] = "A"
    assert [count for count, _ in reader.early_changes()] == [0, 3, 0]
    lost.append(4)
    reader.change(data_change(9, 7), False)
    assert reader.begin_session() == 4
    assert reader.begin_session() == 0


def test_marks_after_a_lost_session() -> None:
    """The first value of each renewed tag is recovered, once; a forgotten tag has no mark left."""
    reader = ChangeReader(Tags(A=1, B=2))
    reader.begin_session(renewed=["A", "B"])
    reader.forget(["B"])
    changes = [reader.change(data_change(n, handle), False) for n, handle in ((1, 1), (2, 1), (3, 2))]
    assert [each is not None and each.recovered for each in changes] == [True, False, False]


def test_what_is_older_than_the_value_read_again_is_history() -> None:
    """Until the first younger event, which ends the comparison."""
    reader = ChangeReader(Tags(A=1))
    assert reader.read_again("A", read_result(1_800_000_000)).recovered
    older = reader.change(data_change(1, 1), False)
    younger_event = data_change(2, 1)
    younger_event.source_timestamp.FromSeconds(1_900_000_000)
    younger = reader.change(younger_event, False)
    again = reader.change(data_change(3, 1), False)
    assert [each is not None and each.replayed for each in (older, younger, again)] == [True, False, False]


def test_live_changes_end_at_an_event_that_is_more_than_the_next_value() -> None:
    """The first value of a tag, one of no tag, one that came before, a completion, one that is no live one, a gap."""
    reader = ChangeReader(Tags(A=1, B=2))
    reader.change(data_change(1, 1), False)
    reader.resume()
    replayed, completion = data_change(9, 1), write_complete(10, 1)
    replayed.origin = pb.MX_EVENT_ORIGIN_REPLAYED
    gap = pb.MxEvent(replay_gap=pb.ReplayGap(dropped_events=3))
    others = [data_change(3, 2), data_change(5, 3), data_change(2, 1), replayed, completion, gap]
    batch = [data_change(2, 1), *others[:2], data_change(6, 1), data_change(7, 1), *others[2:], data_change(11, 1)]
    events, start = iter(batch), 0
    found = []
    while True:
        changes, other = reader.live_changes(batch, start, events, None)
        found.append([each.worker_sequence for each in changes])
        if other is None:
            break
        assert other is others.pop(0)
        start += len(changes) + 1
    assert others == []
    assert found == [[2], [], [6, 7], [], [], [], [11]]
    assert reader.position == 11


@pytest.mark.parametrize("is_numbering", [False, True])
def test_replayed_events_are_looked_for_where_there_can_be_any(is_numbering: bool) -> None:
    """On a stream that goes on where another broke off, and behind a value that was read again; in no new session."""
    tags = Tags(A=1, B=2)
    tags.is_numbering, tags.numbered = is_numbering, {1: "A", 2: "B"}

    def event(sequence: int, handle: int, origin: pb.MxEventOrigin) -> pb.MxEvent:
        made = data_change(sequence, handle)
        made.client_handle, made.origin = handle * is_numbering, origin
        return made

    def is_seen(reader: ChangeReader, sequence: int) -> bool:
        """Two live ones are live changes, and a replayed one between them comes by itself."""
        origins = (pb.MX_EVENT_ORIGIN_LIVE, pb.MX_EVENT_ORIGIN_REPLAYED, pb.MX_EVENT_ORIGIN_LIVE)
        batch = [event(sequence + n, 1, origin) for n, origin in enumerate(origins)]
        changes, other = live(reader, *batch)
        assert changes
        return other is batch[1]

    reader = ChangeReader(tags)
    for handle in (1, 2):
        reader.change(event(handle, handle, pb.MX_EVENT_ORIGIN_LIVE), False)
    assert not is_seen(reader, 10)
    reader.resume()
    assert is_seen(reader, 20)
    reader.begin_session()
    reader.change(event(1, 1, pb.MX_EVENT_ORIGIN_LIVE), False)
    assert not is_seen(reader, 10)
    recovered = event(0, 2, pb.MX_EVENT_ORIGIN_RECOVERED)
    assert live(reader, recovered) == ([], recovered)
    reader.change(recovered, False)
    assert is_seen(reader, 20)


def test_live_changes_leave_out_tags_with_a_mark_until_it_is_given() -> None:
    """Renewed after a lost session, read again after a gap, without a value, wanted no more."""
    reader = ChangeReader(Tags(A=1, B=2, C=3))

    def is_live(sequence: int, handle: int) -> bool:
        changes, other = live(reader, data_change(sequence, handle))
        if other is not None:
            reader.is_new(other)
            reader.change(other, False)
        return bool(changes)

    assert [is_live(1, 1), is_live(2, 1)] == [False, True]
    reader.begin_session(renewed=["A"])
    assert [is_live(1, 1), is_live(2, 1)] == [False, True]
    reader.read_again("A", read_result(1_800_000_000))
    assert [is_live(3, 1), is_live(4, 1)] == [False, False]
    reader.read_again("A", read_result(1_600_000_000))
    assert [is_live(5, 1), is_live(6, 1)] == [False, True]
    reader.forget(["A"])
    assert [is_live(7, 1), is_live(8, 1)] == [False, True]
    wrong = data_change(9, 2)
    wrong.statuses[0].MergeFrom(pb.MxStatusProxy(category=pb.MX_STATUS_CATEGORY_CONFIGURATION_ERROR))
    reader.change(wrong, False)
    assert [is_live(10, 2), is_live(11, 2)] == [False, True]


def test_live_changes_are_of_the_tag_that_the_item_has_now() -> None:
    """What is known of an item ends where the items say so: its handle may be given to another tag, or to none."""
    tags = Tags(A=1, B=2)
    reader = ChangeReader(tags)
    for event in (data_change(1, 1), data_change(2, 2)):
        reader.change(event, False)
    events = [data_change(n, handle) for n, handle in ((3, 1), (4, 2), (5, 1))]
    assert [each.tag for each in live(reader, *events)[0]] == ["A", "B", "A"]
    tags.known[1] = "B"
    del tags.known[2]
    tags.version += 1
    assert [each.tag for each in live(reader, data_change(6, 1))[0]] == ["B"]
    assert live(reader, data_change(7, 2))[0] == []


def test_live_changes_are_told_apart_by_numbers_where_there_are_some() -> None:
    """An item's handle may be another's by then; events without a number have nothing but that handle."""
    tags = Tags(C=1, D=2)
    tags.is_numbering, tags.numbered = True, {7: "A", 8: "B"}
    reader = ChangeReader(tags)

    def numbered(sequence: int, item: int, number: int) -> pb.MxEvent:
        event = data_change(sequence, item)
        event.client_handle = number
        return event

    for sequence, (item, number) in enumerate([(1, 7), (1, 8), (1, 0), (2, 0)], 1):
        assert reader.change(numbered(sequence, item, number), False) is not None
    events = [numbered(5, 1, 7), numbered(6, 1, 8), numbered(7, 1, 0), numbered(8, 2, 0), numbered(9, 1, 7)]
    for _ in range(2):
        changes, other = live(reader, *events)
        assert [each.tag for each in changes] == ["A", "B", "C", "D", "A"]
        assert other is None
        reader.position = 0
    tags.numbered[7], tags.version = "B", 1
    assert [each.tag for each in live(reader, numbered(10, 1, 7))[0]] == ["B"]


def test_live_changes_of_one_item_or_number_are_not_those_of_another_server() -> None:
    tags = Tags(A=1)
    reader = ChangeReader(tags)
    assert reader.change(data_change(1, 1), False) is not None
    assert [each.tag for each in live(reader, data_change(2, 1))[0]] == ["A"]
    strange = data_change(3, 1)
    strange.server_handle = 99
    tags.known.clear()
    changes, other = live(reader, strange)
    assert (changes, other) == ([], strange)


def test_live_changes_say_when_the_gateway_received_them() -> None:
    reader = ChangeReader(Tags(A=1))
    reader.change(data_change(1, 1), False)
    changes, _ = live(reader, data_change(2, 1), received=Timestamp(seconds=5))
    assert changes[0].raw.gateway_receive_timestamp.seconds == 5


@pytest.mark.parametrize(
    ("gap", "lost"),
    [
        (pb.ReplayGap(dropped_events=7), 7),
        (pb.ReplayGap(requested_after_sequence=1, oldest_available_sequence=50), 48),
        (pb.ReplayGap(requested_after_sequence=9, oldest_available_sequence=9), 0),
    ],
)
def test_losses_are_counted(gap: pb.ReplayGap, lost: int) -> None:
    """By the gateway's count, else by the hole in the sequence; never less than nothing."""
    reader = ChangeReader(Tags())
    assert (reader.lose(gap), reader.gaps, reader.lost) == (lost, 1, lost)


def test_what_conflation_replaced_is_not_read_again() -> None:
    """But for the first gap of a stream, and where the gateway does not say how many it dropped."""
    reader = ChangeReader(Tags())
    dropped, hole = pb.ReplayGap(dropped_events=3), pb.ReplayGap(oldest_available_sequence=9)
    assert not reader.has_to_read(dropped, is_first=False, is_conflated=True)
    assert reader.has_to_read(dropped, is_first=True, is_conflated=True)
    assert reader.has_to_read(dropped, is_first=False, is_conflated=False)
    assert reader.has_to_read(hole, is_first=False, is_conflated=True)


def test_a_reference_that_does_not_exist_is_known_by_its_first_value() -> None:
    """Until a value without a failure comes; a later failure is the plant's own."""
    reader = ChangeReader(Tags(A=1, B=2))
    failed = pb.MxStatusProxy(success=0, category=pb.MX_STATUS_CATEGORY_CONFIGURATION_ERROR, detail=6)
    wrong, later = data_change(1, 1), data_change(4, 2)
    for event in (wrong, later):
        del event.statuses[:]
        event.statuses.append(failed)
    reader.change(wrong, False)
    reader.change(data_change(2, 2), False)
    assert list(reader.unresolved) == ["A"]
    assert "detail 6" in reader.unresolved["A"]
    reader.change(later, False)
    assert list(reader.unresolved) == ["A"]
    reader.change(data_change(5, 1), False)
    assert reader.unresolved == {}
    reader.change(wrong, False)
    assert reader.unresolved == {}
    reader.begin_session()
    reader.change(wrong, False)
    reader.forget(["A"])
    assert reader.unresolved == {}
