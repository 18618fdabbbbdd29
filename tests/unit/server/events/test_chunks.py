"""Runs of events: cut at event boundaries, and read just enough."""

from __future__ import annotations

import pytest
from tests.support.event_chunks import chunk, event, sequences

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_protocol.batches import join_events
from mxgateway_server.errors import WorkerProtocolError
from mxgateway_server.events.chunks import EventChunk, read_head


@pytest.mark.parametrize("at", [1, 5, 9])
def test_a_split_gives_both_parts_and_the_drop_count_stays_in_front(at: int) -> None:
    first, rest = chunk(11, 10, dropped=3).split(at)
    assert sequences([first, rest]) == list(range(11, 21))
    assert (first.count, rest.count) == (at, 10 - at)
    assert (first.dropped_before, rest.dropped_before) == (3, 0)


def test_fit_counts_whole_events_within_the_bytes() -> None:
    whole = chunk(1, 10)
    size = len(whole.data) // 10
    assert whole.fit(len(whole.data)) == 10
    assert whole.fit(3 * size) == 3
    assert whole.fit(3 * size - 1) == 2
    assert whole.fit(size - 1) == 0
    assert whole.fit(-5) == 0


@pytest.mark.parametrize(
    "data",
    [b"", b"\x0a", b"\x0a\x05abc", b"\x12\x01a" * 3, b"\x0a\x01a", b"\x0a" + b"\xff" * 11, b"\xff" * 30, b"\x0a\x80"],
)
def test_what_is_no_run_of_events_is_the_workers_fault(data: bytes) -> None:
    """Whoever opens it: no reader meets an IndexError, or goes on beyond the end."""
    broken = EventChunk(first_sequence=1, count=3, data=data, received_ns=0)
    with pytest.raises(WorkerProtocolError):
        broken.split(2)
    for event_bytes in (b"\x08", b"\x12\x80", b"\x08" + b"\xff" * 11):
        with pytest.raises(WorkerProtocolError):
            read_head(event_bytes)


def test_events_longer_than_a_one_byte_length_are_cut_right() -> None:
    long = [pb.MxEvent(worker_sequence=n, raw_status="x" * 300).SerializeToString() for n in (1, 2, 3)]
    whole = EventChunk(first_sequence=1, count=3, data=join_events(long), received_ns=0)
    assert sequences(list(whole.split(2))) == [1, 2, 3]


@pytest.mark.parametrize(
    "made",
    [
        pb.MxEvent(family=pb.MX_EVENT_FAMILY_ON_WRITE_COMPLETE, session_id="s" * 200, server_handle=7, item_handle=300),
        pb.MxEvent(family=pb.MX_EVENT_FAMILY_ON_DATA_CHANGE, item_handle=2_000_000_000, quality=192),
        pb.MxEvent(server_handle=5, worker_sequence=9),
        pb.MxEvent(),
    ],
)
def test_the_head_is_what_parsing_gives(made: pb.MxEvent) -> None:
    head = read_head(made.SerializeToString())
    assert (head.family, head.server_handle, head.item_handle) == (made.family, made.server_handle, made.item_handle)


def test_the_head_of_an_ordinary_event() -> None:
    head = read_head(event(1, item=9))
    assert (head.family, head.server_handle, head.item_handle) == (1, 1, 9)
