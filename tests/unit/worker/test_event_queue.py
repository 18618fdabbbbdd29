"""The worker's event queue: bounds, policies, exact counts, sequences without holes."""

from __future__ import annotations

import random
import threading

import pytest

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_protocol.batches import split_events
from mxgateway_worker.event_queue import Batch, EventQueue, Policy, join_numbered


def body(number: int) -> bytes:
    return pb.MxEvent(quality=number).SerializeToString()


class Listener:
    def __init__(self) -> None:
        self.waiting = 0
        self.overflows: list[str] = []

    def wait(self) -> None:
        self.waiting += 1


def queue(
    policy: Policy, capacity: int = 3, capacity_bytes: int = 1 << 20, *, is_adding: bool = False
) -> tuple[EventQueue, Listener]:
    listener = Listener()
    return EventQueue(
        policy=policy,
        on_waiting=listener.wait,
        on_overflow=listener.overflows.append,
        capacity=capacity,
        capacity_bytes=capacity_bytes,
        is_adding=lambda: is_adding,
    ), listener


def events(batch: Batch | None) -> list[pb.MxEvent]:
    return [pb.MxEvent.FromString(event) for event in split_events(batch.data)] if batch else []


def test_events_leave_in_order_with_sequences_from_one() -> None:
    """A batch knows its first sequence and its count, and each event carries its own."""
    events_queue, listener = queue(Policy.FAIL_FAST)
    for number in (1, 2, 3):
        events_queue.put(body(number), number, True)
    assert (events_queue.depth, listener.waiting) == (3, 1)
    first = events_queue.take_batch(2, 1 << 20)
    assert first is not None
    assert (first.first_sequence, first.count, first.dropped_before) == (1, 2, 0)
    assert [(event.worker_sequence, event.quality) for event in events(first)] == [(1, 1), (2, 2)]
    assert [event.worker_sequence for event in events(events_queue.take_batch(9, 1 << 20))] == [3]
    assert events_queue.take_batch(9, 1 << 20) is None
    assert events_queue.sequence == 3


def test_a_batch_holds_at_least_one_event_whatever_its_bytes() -> None:
    """The byte limit ends a batch, but an event beyond it goes alone."""
    events_queue, _ = queue(Policy.FAIL_FAST)
    events_queue.put(body(1), 1, True)
    events_queue.put(body(2), 2, True)
    assert len(events(events_queue.take_batch(9, 1))) == 1


def test_fail_fast_reports_one_overflow_and_refuses_what_follows() -> None:
    """What waits is still sent; nothing after the overflow is accepted, even when there is room again."""
    events_queue, listener = queue(Policy.FAIL_FAST)
    for number in range(6):
        events_queue.put(body(number), number, True)
    assert len(listener.overflows) == 1
    assert len(events(events_queue.take_batch(9, 1 << 20))) == 3
    events_queue.put(body(9), 9, True)
    assert (events_queue.depth, events_queue.refused_total, events_queue.overflowed) == (0, 4, True)
    assert len(listener.overflows) == 1


def test_first_values_have_a_place_beyond_a_full_queue() -> None:
    """While items are advised a full queue keeps the latest of each item, in order and counted, and later is itself."""
    events_queue, listener = queue(Policy.FAIL_FAST, is_adding=True)
    for number in range(10):
        events_queue.put(body(number), number, True)
    events_queue.put(body(10), 0, True)
    events_queue.put(body(11), 9, True)
    events_queue.put(body(12), 9, False)
    assert (events_queue.depth, events_queue.last_sequence(), listener.overflows) == (12, 12, [])
    first = events_queue.take_batch(5, 1 << 20)
    assert first is not None
    assert (first.dropped_before, [event.quality for event in events(first)]) == (1, [0, 1, 2, 3, 4])
    events_queue.put(body(13), 13, True)
    drained = [pb.MxEvent.FromString(event) for event in events_queue.drain(0, 1 << 20)]
    assert [event.quality for event in drained] == [5, 6, 7, 8, 11, 10, 12, 13]
    assert [event.worker_sequence for event in drained] == list(range(6, 14))
    for number in range(4):
        events_queue.put(body(number), number, True)
    assert [event.quality for event in events(events_queue.take_batch(9, 1 << 20))] == [0, 1, 2, 3]


def test_a_flood_is_an_overflow_while_items_are_advised_too() -> None:
    """One item's changes, completions without end and bytes beyond the bound are nobody's first values."""
    for length, (number_of_items, is_data_change) in ((1, (1, True)), (1, (1, False)), (300, (100, True))):
        events_queue, listener = queue(Policy.FAIL_FAST, capacity_bytes=2000, is_adding=True)
        for number in range(100):
            events_queue.put(body(1) * length, number % number_of_items, is_data_change)
        assert len(listener.overflows) == 1
        assert events_queue.depth + events_queue.dropped_total + events_queue.refused_total == 100


def test_items_advised_for_long_fault_nobody_while_a_slow_reader_takes_something() -> None:
    """However many changes are replaced until all items are there: each batch that leaves shows that it is no flood."""
    events_queue, listener = queue(Policy.FAIL_FAST, capacity=9, is_adding=True)
    taken = 0
    for turn in range(50):
        for number in range(9):
            events_queue.put(body(turn), number, True)
        taken += len(events(events_queue.take_batch(1, 1 << 20)))
    assert listener.overflows == []
    left = events(events_queue.take_batch(99, 1 << 20))
    assert [event.quality for event in left][-1] == 49
    assert taken + len(left) + events_queue.dropped_total == 450
    for number in range(20):
        events_queue.put(body(number), 1, True)
    assert len(listener.overflows) == 1


def test_the_queue_is_bounded_by_bytes_too() -> None:
    """Few but long events overflow as many short ones do."""
    events_queue, listener = queue(Policy.FAIL_FAST, capacity=100, capacity_bytes=10)
    for _ in range(3):
        events_queue.put(b"\x1a\x04abcd", 1, True)
    assert len(listener.overflows) == 1
    assert events_queue.depth == 1


def test_drop_oldest_counts_what_it_drops() -> None:
    """The newest events stay, the batch tells how many went before it, and sequences have no hole."""
    events_queue, listener = queue(Policy.DROP_OLDEST)
    for number in range(10):
        events_queue.put(body(number), 1, number % 2 == 0)
    batch = events_queue.take_batch(9, 1 << 20)
    assert batch is not None
    assert (batch.first_sequence, batch.count, batch.dropped_before) == (1, 3, 7)
    assert [event.quality for event in events(batch)] == [7, 8, 9]
    events_queue.put(body(10), 1, True)
    following = events_queue.take_batch(9, 1 << 20)
    assert following is not None
    assert (following.first_sequence, following.dropped_before) == (4, 0)
    assert listener.overflows == []


def test_conflate_keeps_the_latest_data_change_of_each_item() -> None:
    """A waiting data change is replaced in its place; replaced ones are counted."""
    events_queue, listener = queue(Policy.CONFLATE)
    for number, item in enumerate((1, 2, 1, 3, 2, 1)):
        events_queue.put(body(number), item, True)
    batch = events_queue.take_batch(9, 1 << 20)
    assert batch is not None
    assert [event.quality for event in events(batch)] == [5, 4, 3]
    assert (batch.dropped_before, events_queue.dropped_total, listener.overflows) == (3, 3, [])


def test_conflate_never_drops_or_overtakes_a_completion() -> None:
    """A data change after a write completion of its item stays behind it."""
    events_queue, _ = queue(Policy.CONFLATE)
    events_queue.put(body(1), 1, True)
    events_queue.put(body(2), 1, False)
    events_queue.put(body(3), 1, True)
    events_queue.put(body(4), 1, True)
    assert [event.quality for event in events(events_queue.take_batch(9, 1 << 20))] == [1, 2, 4]
    assert events_queue.dropped_total == 1


def test_conflate_overflows_when_completions_pile_up() -> None:
    """Completions are never dropped, so beyond the capacity they are an overflow."""
    events_queue, listener = queue(Policy.CONFLATE)
    for number in range(4):
        events_queue.put(body(number), 1, False)
    assert len(listener.overflows) == 1


def test_an_event_that_left_is_not_replaced() -> None:
    """Under conflate, a data change after its forerunner has left is an event of its own."""
    events_queue, _ = queue(Policy.CONFLATE)
    events_queue.put(body(1), 1, True)
    events_queue.take_batch(9, 1 << 20)
    events_queue.put(body(2), 1, True)
    assert [event.quality for event in events(events_queue.take_batch(9, 1 << 20))] == [2]
    assert events_queue.dropped_total == 0


def test_drained_events_have_their_sequences_and_are_not_sent_again() -> None:
    """DrainEvents takes what was not sent; the next batch goes on after it. Zero means all."""
    events_queue, _ = queue(Policy.FAIL_FAST, capacity=10)
    for number in range(5):
        events_queue.put(body(number), 1, True)
    drained = [pb.MxEvent.FromString(event).worker_sequence for event in events_queue.drain(2, 1 << 20)]
    assert drained == [1, 2]
    batch = events_queue.take_batch(1, 1 << 20)
    assert batch is not None
    assert batch.first_sequence == 3
    assert len(events_queue.drain(0, 1 << 20)) == 2
    assert events_queue.drain(0, 1 << 20) == []


def test_a_policy_changes_only_before_the_first_event() -> None:
    """A pooled worker learns its policy when it is assigned."""
    events_queue, _ = queue(Policy.FAIL_FAST)
    events_queue.use_policy(Policy.CONFLATE)
    events_queue.put(body(1), 1, True)
    with pytest.raises(RuntimeError):
        events_queue.use_policy(Policy.FAIL_FAST)


@pytest.mark.parametrize("first", [1, 126, 127, 128, 16381, 16382, 16383, 16384, 32766, 2**21 - 2, 2**28 - 2, 2**35])
def test_numbered_batches_are_what_protobuf_builds(first: int) -> None:
    """Over every change of a varint's length the joined bytes are the batch that protobuf serialises."""
    bodies = [body(number) for number in (1, 2, 3, 4, 5)] + [b"", body(2**31 - 1) * 30]
    expected = pb.MxEventBatch()
    for offset, part in enumerate(bodies):
        event = expected.events.add()
        event.MergeFromString(part)
        event.worker_sequence = first + offset
    assert pb.MxEventBatch.FromString(join_numbered(bodies, first)) == expected


@pytest.mark.parametrize(("policy", "is_adding"), [*((policy, False) for policy in Policy), (Policy.FAIL_FAST, True)])
def test_every_event_is_delivered_or_counted(policy: Policy, is_adding: bool) -> None:
    """Random puts and takes: delivered, dropped and refused events add up to those put in, and order holds per item."""
    for seed in range(30):
        chance = random.Random(seed)
        events_queue, _ = queue(policy, capacity=5, is_adding=is_adding)
        delivered: list[tuple[int, int]] = []
        dropped = 0
        total = 200
        for number in range(total):
            item = chance.randrange(4)
            event = pb.MxEvent(item_handle=item, quality=number).SerializeToString()
            events_queue.put(event, item, chance.random() < 0.8)
            if chance.random() < 0.2:
                batch = events_queue.take_batch(chance.randrange(1, 6), 1 << 20)
                dropped += batch.dropped_before if batch else 0
                delivered += [(event.item_handle, event.quality) for event in events(batch)]
        while (batch := events_queue.take_batch(3, 1 << 20)) is not None:
            dropped += batch.dropped_before
            delivered += [(event.item_handle, event.quality) for event in events(batch)]
        assert len(delivered) + dropped + events_queue.refused_total == total
        assert dropped == events_queue.dropped_total
        assert events_queue.sequence == len(delivered)
        for item in range(4):
            of_item = [quality for handle, quality in delivered if handle == item]
            assert of_item == sorted(of_item)


def test_putting_while_another_thread_takes_loses_nothing() -> None:
    """Every event leaves once and in order, and a taker that looks before it sleeps is woken for each."""
    total = 20_000
    woken = threading.Event()
    events_queue = EventQueue(Policy.FAIL_FAST, woken.set, pytest.fail, total)
    putting = threading.Thread(target=lambda: [events_queue.put(body(n), n, True) for n in range(1, total + 1)])
    putting.start()
    taken: list[pb.MxEvent] = []
    while len(taken) < total:
        woken.clear()
        if not events_queue.depth:
            assert woken.wait(10)
        taken += events(events_queue.take_batch(500, 1 << 20))
    putting.join()
    assert [(event.worker_sequence, event.quality) for event in taken] == [(n, n) for n in range(1, total + 1)]
