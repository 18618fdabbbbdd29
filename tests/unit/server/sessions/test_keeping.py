"""A session that is handed on: what comes back of it, and how time runs for it."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest
from tests.support.clock import ManualClock
from tests.support.event_chunks import chunk, sequences

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract.references import ItemReference
from mxgateway_server.errors import GatewayUpgradingError, WorkerHungError
from mxgateway_server.events.hub import EventHub
from mxgateway_server.events.ring import RingLimits
from mxgateway_server.events.subscriber import SubscriberLimits
from mxgateway_server.sessions.keeping import keep_session, kept_ends, resume_session, resumed_record
from mxgateway_server.sessions.kept import KeptSession
from mxgateway_server.sessions.session import Session
from mxgateway_server.sessions.state import CLOSED, READY, CloseReason, SessionLimits, SessionRecord
from mxgateway_server.sessions.table import ClosedSession
from mxgateway_server.workers.client import WorkerClient
from mxgateway_server.workers.kept import KeptWorker

RING = RingLimits(delivered_events=100, undelivered_events=100, retention=60.0)
LATER = 5_000.0
"""What the clock of another program says: the two have nothing in common."""

WORKER = KeptWorker(
    pid=42, stdin=3, stdout=4, stderr=5, unparsed=b"\x01", unlogged=b"half", sent_envelopes=7, seen_envelopes=8,
    next_command=9, max_frame_bytes=1000, version="1", backend_name="fake", prog_id="", class_id="", heartbeats=2,
    last_heartbeat=b"", late_replies=1, unknown_replies=0, suppressed_lines=0, last_lines=("a word",),
)  # fmt: skip


class Worker:
    @property
    def handing_on(self) -> Worker:
        return self

    def keep(self) -> KeptWorker:
        return WORKER


def session_of(record: SessionRecord, clock: ManualClock) -> Session:
    hub = EventHub(RING, SubscriberLimits(), pb.BACKPRESSURE_POLICY_DROP_OLDEST, 8)
    return Session(record=record, hub=hub, clock=clock, command_timeout=7.0, on_fault=lambda _: None)


def handed_on() -> tuple[KeptSession, Session, SessionRecord]:
    """A session that is kept, the same in the next program, and its record there."""
    clock = ManualClock()
    record = SessionRecord(
        session_id="session-1",
        owner_key_id="line4",
        owner_created_ns=11,
        name="night shift",
        is_kept=True,
        opened_ns=12,
        limits=SessionLimits(lease=100.0, detach_grace=30.0),
        opened_at=clock.monotonic(),
        state=READY,
    )
    session = session_of(record, clock)
    session.worker = cast(WorkerClient, Worker())
    session.handles.restore({(1, 2): ItemReference("Level", "Tank"), (1, 3): ItemReference("Pump.State")})
    session.commands_started, session.events_received = 5, 6
    record.attach(clock.monotonic(), "ipv4:10.0.0.1:4000")
    stream = session.hub.join(0, 0, lambda: None)
    session.hub.publish(chunk(1, 3), clock.monotonic())
    stream.take(10, 1 << 20)
    session.hub.leave(stream)
    record.detach(clock.monotonic())
    clock.advance(4.0)
    session.hub.publish(chunk(4, 2), clock.monotonic())
    clock.advance(2.0)
    kept = keep_session(session, (), clock.monotonic())
    again = resumed_record(kept, LATER)
    resumed = session_of(again, clock)
    resume_session(resumed, kept, RING, LATER)
    return kept, resumed, again


def test_whose_it_is_and_what_its_handles_stand_for_comes_back() -> None:
    _, resumed, record = handed_on()
    assert (record.session_id, record.owner_key_id, record.owner_created_ns) == ("session-1", "line4", 11)
    assert (record.name, record.is_kept, record.opened_ns, record.state) == ("night shift", True, 12, READY)
    assert record.limits == SessionLimits(lease=100.0, detach_grace=30.0)
    assert (resumed.command_timeout, resumed.commands_started, resumed.events_received) == (7.0, 5, 6)
    assert resumed.handles.items == {(1, 2): ItemReference("Level", "Tank"), (1, 3): ItemReference("Pump.State")}
    assert resumed.handles.reference(1, 2) == "Tank.Level"


def test_events_go_on_where_they_were_for_old_readers_and_new_ones() -> None:
    _, resumed, _ = handed_on()
    hub = resumed.hub
    assert hub.totals.delivered == 3
    resuming = hub.join(2, 0, lambda: None).take(10, 1 << 20)
    assert resuming is not None
    assert resuming.gap is None
    assert sequences(list(resuming.chunks)) == [3, 4, 5]
    # What came after the last stream had ended is new to a fresh one, and to no other.
    kept, again, _ = handed_on()
    fresh = again.hub.join(0, 0, lambda: None).take(10, 1 << 20)
    assert fresh is not None
    assert sequences(list(fresh.chunks)) == [4, 5]
    assert kept.hub.policy == pb.BACKPRESSURE_POLICY_DROP_OLDEST
    again.hub.publish(chunk(6, 1), LATER + 1)
    assert again.hub.ring.last_sequence == 6


def test_old_events_are_as_old_as_they_were() -> None:
    _, resumed, _ = handed_on()
    # Three events are six seconds old; they may get sixty.
    resumed.hub.expire(LATER + 53.9)
    assert resumed.hub.ring.oldest_available == 1
    resumed.hub.expire(LATER + 54.1)
    assert resumed.hub.ring.oldest_available == 4
    assert resumed.hub.ring.has_gap_after(2)


def test_time_goes_on_from_what_had_passed_and_not_from_the_clock() -> None:
    kept, _, record = handed_on()
    assert (kept.age, kept.idle, kept.detached) == (6.0, 6.0, 6.0)
    free = replace(kept, is_kept=False)
    assert resumed_record(free, LATER).expired(LATER + 23.9) is None
    assert resumed_record(free, LATER).expired(LATER + 24.1) is CloseReason.DETACH_GRACE_EXPIRED
    assert record.expired(LATER + 93.9) is None
    assert record.expired(LATER + 94.1) is CloseReason.LEASE_EXPIRED


def test_who_had_a_connection_and_no_stream_is_not_missed_before_his_next_call() -> None:
    kept, _, _ = handed_on()
    quiet = resumed_record(replace(kept, is_kept=False, detached=-1.0, gone=-1.0), LATER)
    quiet.look_for_peers(LATER + 50, lambda _: False)
    assert quiet.expired(LATER + 50) is None
    gone = resumed_record(replace(kept, is_kept=False, detached=-1.0, gone=29.0), LATER)
    gone.look_for_peers(LATER + 2, lambda _: False)
    assert gone.expired(LATER + 2) is CloseReason.DETACH_GRACE_EXPIRED


def test_a_frozen_session_takes_nothing_and_says_when_to_come_back() -> None:
    _, _, record = handed_on()
    record.is_frozen = True
    with pytest.raises(GatewayUpgradingError, match="your session stays") as refused:
        record.require_ready()
    assert (refused.value.reason, refused.value.grpc_status, refused.value.retry_after) == (
        *("GATEWAY_STOPPING", "UNAVAILABLE"),
        1.0,
    )
    record.is_frozen = False
    record.require_ready()


def test_of_what_is_over_or_has_failed_the_reason_is_remembered() -> None:
    _, _, record = handed_on()
    record.fail(WorkerHungError("nothing came"), LATER)
    closed = ClosedSession("line5", CLOSED, "client-close", "somebody closed it", owner_created_ns=7)
    first, second = kept_ends({"session-0": closed}, [record])
    assert (first.session_id, first.owner_key_id, first.cause) == ("session-0", "line5", "client-close")
    assert (first.owner_created_ns, second.owner_created_ns) == (7, record.owner_created_ns)
    assert (second.session_id, second.cause) == ("session-1", "WORKER_HUNG")
    assert "nothing came" in second.text
