"""The last data change of each advised item once more, for a stream that has lost some."""

from __future__ import annotations

import pytest
from tests.support.direct_executor import DirectSession
from tests.support.fake_backend import FakeBackend

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_worker.event_queue import Policy

TAGS = ["Tank.Level", "Tank.Count"]


@pytest.fixture
def session() -> DirectSession:
    made = DirectSession(FakeBackend())
    made.call("register", client_name="test")
    return made


def last_values(session: DirectSession, after: int = 0) -> pb.DrainEventsReply:
    return session.call("drain_events", last_values=True, after_item=after).drain_events


def shown(event: pb.MxEvent) -> tuple[object, ...]:
    """All that a change says but when and how it comes."""
    stamp = event.source_timestamp.ToNanoseconds()
    statuses = tuple(status.SerializeToString() for status in event.statuses)
    value = event.value.SerializeToString()
    return event.family, event.item_handle, event.client_handle, value, event.quality, stamp, statuses


def test_each_advised_item_tells_its_last_change_again_and_nothing_is_taken_out(session: DirectSession) -> None:
    session.call("subscribe_bulk", server_handle=1, tag_addresses=TAGS, client_handles=[7, 8])
    session.call("add_item", server_handle=1, item_definition="Tank.Level")
    first = session.pump()
    session.call("write", server_handle=1, item_handle=1, value=pb.MxValue(double_value=2.5))
    (newest, *_) = [event for event in session.pump() if event.family == pb.MX_EVENT_FAMILY_ON_DATA_CHANGE]
    drained = last_values(session)
    assert session.pump() == []
    assert [shown(event) for event in drained.events] == [shown(newest), shown(first[1])]
    assert {(event.origin, event.worker_sequence) for event in drained.events} == {(pb.MX_EVENT_ORIGIN_RECOVERED, 0)}
    # What waited then was older, or the same.
    assert drained.as_of_worker_sequence >= newest.worker_sequence
    assert drained.next_after == 0


def test_an_item_that_is_not_advised_any_more_tells_nothing(session: DirectSession) -> None:
    session.call("subscribe_bulk", server_handle=1, tag_addresses=TAGS)
    session.pump()
    session.call("un_advise", server_handle=1, item_handle=1)
    assert [event.item_handle for event in last_values(session).events] == [2]


def test_what_does_not_fit_into_one_reply_comes_with_the_next(session: DirectSession) -> None:
    session.call("subscribe_bulk", server_handle=1, tag_addresses=TAGS)
    session.pump()
    session.dispatcher._drain_bytes = 10
    first = last_values(session)
    assert [event.item_handle for event in first.events] == [1]
    second = last_values(session, first.next_after)
    assert ([event.item_handle for event in second.events], second.next_after) == ([2], 0)


def test_a_queue_that_drops_does_not_say_what_waiting_events_will_be_numbered() -> None:
    session = DirectSession(FakeBackend(), policy=Policy.DROP_OLDEST)
    session.call("register", client_name="test")
    session.call("subscribe_bulk", server_handle=1, tag_addresses=TAGS)
    assert last_values(session).as_of_worker_sequence == 0
    session.pump()
    assert last_values(session).as_of_worker_sequence == 2
