"""The picture of how the gateway is doing: what a session's part of it says, and its form as JSON."""

from __future__ import annotations

import json
from datetime import datetime

import pytest
from tests.support.clock import ManualClock
from tests.support.event_chunks import chunk

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.errors import WorkerHungError
from mxgateway_server.events.hub import EventHub
from mxgateway_server.events.ring import RingLimits
from mxgateway_server.events.subscriber import SubscriberLimits
from mxgateway_server.health.readiness import HealthStatus
from mxgateway_server.program import Program
from mxgateway_server.sessions.picture import session_status
from mxgateway_server.sessions.session import Session
from mxgateway_server.sessions.state import READY, SessionLimits, SessionRecord
from mxgateway_server.status import (
    AuditStatus,
    GalaxyStatus,
    GatewayStatus,
    SessionTotals,
    WorkersStatus,
    to_json,
)


def session(clock: ManualClock) -> Session:
    record = SessionRecord(
        session_id="session-1",
        owner_key_id="line4",
        limits=SessionLimits(),
        opened_at=clock.monotonic(),
        name="night shift",
    )
    record.move(READY)
    limits = SubscriberLimits(max_events=2, max_bytes=10_000)
    hub = EventHub(RingLimits(), limits, pb.BACKPRESSURE_POLICY_DROP_OLDEST, max_subscribers=2)
    return Session(record=record, hub=hub, clock=clock, command_timeout=30.0, on_fault=lambda _: None)


async def test_a_session_tells_its_age_its_streams_and_what_waits_for_them() -> None:
    clock = ManualClock()
    one = session(clock)
    clock.advance(5)
    one.touch()
    one.hub.join(0, pb.BACKPRESSURE_POLICY_UNSPECIFIED, lambda: None)
    one.record.attach(clock.monotonic())
    one.hub.publish(chunk(1, 5), clock.monotonic())
    clock.advance(2.5)
    status = session_status(one, clock.monotonic())
    assert (status.session_id, status.owner_key_id, status.name) == ("session-1", "line4", "night shift")
    assert (status.state, status.fault, status.worker) == ("ready", "", None)
    assert (status.age_seconds, status.idle_seconds) == (7.5, 2.5)
    assert (status.attached_streams, status.kept_events) == (1, 5)
    (stream,) = status.event_streams
    assert (stream.policy, stream.waiting_events, stream.dropped_events) == ("drop_oldest", 2, 3)
    assert stream.waiting_bytes > 0


async def test_a_session_that_failed_says_why() -> None:
    clock = ManualClock()
    one = session(clock)
    one.fail(WorkerHungError("nothing came from the worker"))
    status = session_status(one, clock.monotonic())
    assert (status.state, status.fault) == ("faulted", "WORKER_HUNG")


def picture() -> GatewayStatus:
    clock = ManualClock()
    return GatewayStatus(
        taken_ns=5,
        uptime_seconds=1.5,
        is_stopping=False,
        health=HealthStatus(readiness="ready", checks=()),
        certificate=None,
        max_sessions=64,
        sessions=(session_status(session(clock), clock.monotonic()),),
        session_totals=SessionTotals(opened=1, closed=0, faulted=0, killed=0),
        workers=WorkersStatus(alive=2, starting=0, pooled=1, pool_size=1, started=2, failed=0),
        live_streams=0,
        galaxy=GalaxyStatus(
            status="healthy",
            reason="",
            objects=10,
            attributes=100,
            deploy_time=datetime(2024, 5, 1, 12, 30),
            looked_ns=3,
            is_restored=False,
            failures=0,
            watches=0,
        ),
        audit=AuditStatus(waiting=0, lost=0, failures=0),
        program=Program().status,
    )


async def test_a_picture_cannot_be_changed() -> None:
    status = picture()
    with pytest.raises(AttributeError):
        status.is_stopping = True  # type: ignore[misc]


async def test_a_picture_as_json_has_every_field_in_camel_case_and_keeps_their_order() -> None:
    status = picture()
    tree = json.loads(json.dumps(to_json(status)))
    assert list(tree) == [
        "takenNs",
        "uptimeSeconds",
        "isStopping",
        "health",
        "maxSessions",
        "sessions",
        "sessionTotals",
        "workers",
        "liveStreams",
        "galaxy",
        "audit",
        "certificate",
        "alarms",
        "streams",
        "spareWorkers",
        "traffic",
        "endedSessions",
        "faults",
        "log",
        "program",
    ]
    assert tree["galaxy"]["deployTime"] == "2024-05-01T12:30:00"
    assert tree["sessions"][0]["sessionId"] == "session-1"
    assert tree["sessions"][0]["worker"] is None
    assert json.dumps(to_json(status)) == json.dumps(to_json(picture()))


async def test_a_session_is_found_by_its_id() -> None:
    status = picture()
    assert status.session("session-1") is status.sessions[0]
    assert status.session("session-2") is None
