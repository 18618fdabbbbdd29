"""What the ring keeps for streams to come, and what it lets go."""

from __future__ import annotations

from tests.support.event_chunks import chunk, sequences

from mxgateway_server.events.ring import EventRing, RingLimits

BIG = 1 << 20


def test_delivered_events_go_when_they_are_old_and_undelivered_ones_stay() -> None:
    ring = EventRing(RingLimits(delivered_events=100, undelivered_events=100, max_bytes=BIG, retention=10.0))
    ring.append(chunk(1), True, 0.0)
    ring.append(chunk(2), False, 1.0)
    ring.expire(10.5)
    assert sequences(ring.after(0)) == [2]
    ring.expire(1000.0)
    assert sequences(ring.after(0)) == [2]
    assert ring.has_gap_after(0)
    assert not ring.has_gap_after(1)


def test_the_ring_keeps_within_its_bytes_but_always_the_youngest_chunk() -> None:
    one = len(chunk(1, 10).data)
    ring = EventRing(RingLimits(delivered_events=1000, undelivered_events=1000, max_bytes=2 * one, retention=0.0))
    for n in range(5):
        ring.append(chunk(1 + 10 * n, 10), True, 0.0)
        assert ring.size_bytes <= 2 * one
    ring = EventRing(RingLimits(delivered_events=1000, undelivered_events=1000, max_bytes=1, retention=0.0))
    ring.append(chunk(1, 10), True, 0.0)
    assert ring.count == 10


def test_the_ring_holds_at_least_its_count_and_at_most_one_chunk_more() -> None:
    ring = EventRing(RingLimits(delivered_events=25, undelivered_events=1000, max_bytes=BIG, retention=0.0))
    for n in range(20):
        ring.append(chunk(1 + 10 * n, 10), True, 0.0)
    assert 25 <= ring.count <= 35
