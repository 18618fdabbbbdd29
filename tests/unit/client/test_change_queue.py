"""The queue of a subscription: each overflow policy, and no loss without a trace."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.fake_gateway import data_change

from mxgateway import MxGatewayOverflowError, OverflowPolicy
from mxgateway.change_queue import ChangeQueue
from mxgateway.data_change import DataChange, change_of


def change(number: int) -> DataChange:
    return change_of("A.B", data_change(number), sequence=number)


def drained(queue: ChangeQueue) -> list[tuple[int, int]]:
    """Value and lost_before of all that waits."""
    found = []
    while (each := queue.take()) is not None:
        found.append((each.value, each.lost_before))
    return found


def test_drop_oldest_marks_the_place() -> None:
    """The change after the dropped ones says how many were lost before it."""
    queue = ChangeQueue(2, OverflowPolicy.DROP_OLDEST)
    for number in range(1, 6):
        queue.put(change(number))
    assert drained(queue) == [(4, 3), (5, 0)]
    assert queue.dropped == 3


def test_drop_newest_marks_the_next_that_is_kept() -> None:
    """What is dropped is counted on the next change that finds room."""
    queue = ChangeQueue(2, OverflowPolicy.DROP_NEWEST)
    for number in range(1, 5):
        queue.put(change(number))
    assert queue.take() is not None
    queue.put(change(5))
    assert drained(queue) == [(2, 0), (5, 2)]


def test_many_are_taken_at_once_where_nothing_is_to_be_decided() -> None:
    """They fit, and nothing was lost before them; else the queue takes none of them."""
    queue = ChangeQueue(3, OverflowPolicy.DROP_OLDEST)
    assert queue.put_all([change(1), change(2)])
    assert not queue.put_all([change(3), change(4)])
    assert queue.put_all([change(3)])
    assert queue.put_all([])
    assert drained(queue) == [(1, 0), (2, 0), (3, 0)]
    queue.lose(5)
    assert not queue.put_all([change(6)])
    assert drained(queue) == []


def test_many_that_pass_the_capacity_are_warned_of() -> None:
    queue = ChangeQueue(2, OverflowPolicy.WARN)
    assert not queue.put_all([change(1), change(2), change(3)])
    assert [bool(queue.put(change(number))) for number in (1, 2, 3)] == [False, False, True]


def test_warn_keeps_all_and_warns_at_each_doubling() -> None:
    """Nothing is dropped; a warning comes when the length passes the capacity and each doubling of it."""
    queue = ChangeQueue(2, OverflowPolicy.WARN)
    warned = [number for number in range(1, 20) if queue.put(change(number))]
    assert warned == [3, 5, 9, 17]
    assert len(queue) == 19
    assert queue.dropped == 0


def test_disconnect_raises() -> None:
    """A full queue raises, and keeps what it has."""
    queue = ChangeQueue(1, OverflowPolicy.DISCONNECT)
    queue.put(change(1))
    with pytest.raises(MxGatewayOverflowError, match="DISCONNECT"):
        queue.put(change(2))
    assert drained(queue) == [(1, 0)]


def test_discarded_changes_leave_what_was_lost_before_them() -> None:
    """Changes of a tag that is wanted no more go; the count of lost ones stays in its place."""
    queue = ChangeQueue(10, OverflowPolicy.DROP_OLDEST)
    for number, tag, lost in ((1, "A.B", 2), (2, "C.D", 1), (3, "A.B", 4), (4, "C.D", 0), (5, "A.B", 3)):
        queue.lose(lost)
        queue.put(replace(change(number), tag=tag))
    queue.discard(["A.B"])
    assert len(queue) == 2
    queue.put(replace(change(6), tag="C.D"))
    assert drained(queue) == [(2, 3), (4, 4), (6, 3)]
    assert queue.dropped == 0


def test_a_queue_needs_room() -> None:
    """A capacity below one is refused."""
    with pytest.raises(ValueError, match="queue_size"):
        ChangeQueue(0, OverflowPolicy.WARN)


@given(
    st.sampled_from([OverflowPolicy.DROP_OLDEST, OverflowPolicy.DROP_NEWEST]),
    st.integers(1, 4),
    st.lists(st.sampled_from(["put", "put", "take", "lose"]), max_size=60),
)
def test_every_change_is_delivered_or_counted(policy: OverflowPolicy, capacity: int, steps: list[str]) -> None:
    """Whatever the order of puts and takes: what came in is what came out plus what lost_before counts."""
    queue = ChangeQueue(capacity, policy)
    came = 0
    out: list[tuple[int, int]] = []
    for step in steps:
        if step == "put":
            came += 1
            queue.put(change(came))
        elif step == "lose":
            came += 1
            queue.lose(1)
        elif (taken := queue.take()) is not None:
            out.append((taken.value, taken.lost_before))
    out += drained(queue)
    came += 1
    queue.put(change(came))
    out += drained(queue)
    assert len(out) + sum(lost for _, lost in out) == came
    assert [value for value, _ in out] == sorted(value for value, _ in out)
    position = 0
    for value, lost in out:
        position += lost + 1
        assert value <= came
    assert position == came


def test_a_change_shows_itself_in_one_line() -> None:
    """What a print or a log line needs: tag, value, quality, time, and what is special about it."""
    shown = repr(change_of("A.B", data_change(7, 5), sequence=7, replayed=True))
    assert shown.startswith("<DataChange A.B=7, Good, ")
    assert shown.endswith(", replayed>")
    assert "\n" not in shown


def test_while_filling_the_latest_of_each_tag_is_kept() -> None:
    """Nobody can consume yet: a constant's only value is not driven out by what changes all the time."""
    queue = ChangeQueue(2, OverflowPolicy.DROP_OLDEST)
    queue.make_room(3)
    queue.is_filling = True
    for tag, sequence in (("constant", 1), ("fast", 2), *(("fast", n) for n in range(3, 20)), ("late", 20)):
        queue.put(change_of(tag, data_change(sequence)))
    waiting = queue.take_all()
    assert [each.tag for each in waiting if each.tag != "fast"] == ["constant", "late"]
    assert sum(each.lost_before + 1 for each in waiting) == 20
    assert queue.dropped == 20 - len(waiting)
    assert len(queue) == 0
