"""What watching the gateway costs: a scrape of the metrics at many sessions, a picture, and one number raised."""

from __future__ import annotations

import asyncio
import statistics
import time
import timeit
from collections.abc import Callable
from typing import Any

from mxgateway_contract.commands import COMMANDS
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_protocol.clock import SystemClock
from mxgateway_server.alarms.bands import PriorityBands
from mxgateway_server.alarms.model import Kind, State
from mxgateway_server.counters import Counters
from mxgateway_server.events.hub import EventHub
from mxgateway_server.events.ring import RingLimits
from mxgateway_server.events.subscriber import StreamIdentity, SubscriberLimits
from mxgateway_server.health import checks
from mxgateway_server.health.readiness import Judge
from mxgateway_server.operations.metric_table import Reading
from mxgateway_server.operations.metrics import render
from mxgateway_server.program import Program
from mxgateway_server.sessions.history import SessionCounters
from mxgateway_server.sessions.picture import session_status
from mxgateway_server.sessions.session import Session
from mxgateway_server.sessions.state import READY, SessionLimits, SessionRecord
from mxgateway_server.status import (
    AlarmsStatus,
    AuditStatus,
    GalaxyStatus,
    GatewayStatus,
    SessionTotals,
    WorkersStatus,
)
from mxgateway_server.telemetry.lag import LagFigures
from mxgateway_server.traffic import traffic_status

SESSIONS = 64
_ROUNDS = 30
_METHODS = 24
_CODES = ("OK", "CANCELLED", "UNAVAILABLE")


async def measure() -> dict[str, Any]:
    """Milliseconds of a scrape, of a picture of all sessions, and nanoseconds of what the paths of calls do for it."""
    sessions, counters = busy_sessions(SESSIONS), busy_counters()
    scrape, lines = [], 0
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        text = await asyncio.to_thread(render, reading(sessions, counters))
        scrape.append(time.perf_counter() - began)
        lines = text.count(b"\n")
    counts = counters.commands.of(pb.MX_COMMAND_KIND_PING)

    def raised() -> None:
        counts.started += 1

    def observed() -> None:
        counts.seconds.observe(0.002)

    return {
        "sessions": SESSIONS,
        "scrapeMilliseconds": round(statistics.median(scrape) * 1000, 2),
        "scrapeLines": lines,
        "pictureMilliseconds": round(_each(lambda: reading(sessions, counters), 20) * 1000, 3),
        "counterNanoseconds": round(_each(raised, 100_000) * 1e9, 1),
        "distributionNanoseconds": round(_each(observed, 100_000) * 1e9, 1),
    }


def _each(work: Callable[[], Any], number: int) -> float:
    return min(timeit.repeat(work, number=number, repeat=5)) / number


def busy_counters() -> Counters:
    """Counters of a gateway in which every kind of command was sent, and failed in several ways."""
    counters = Counters()
    for kind in COMMANDS:
        counts = counters.commands.of(kind)
        counts.started, counts.succeeded = 100, 90
        counts.mxaccess = counts.timeout = counts.canceled = 2
        counts.seconds.observe(0.002)
    for number in range(_METHODS):
        calls = counters.rpc(f"mxaccess_gateway.v1.MxAccessGateway/Method{number}")
        for code in _CODES:
            calls.codes[code] += 1
        if number < _METHODS // 2:
            calls.seconds.observe(0.01)
    return counters


def busy_sessions(number: int) -> list[Session]:
    """Sessions with a stream each."""
    clock, found = SystemClock(), []
    for index in range(number):
        record = SessionRecord(
            session_id=f"session-{index:032x}", owner_key_id="key", limits=SessionLimits(), opened_at=clock.monotonic()
        )
        record.move(READY)
        hub = EventHub(RingLimits(), SubscriberLimits(), pb.BACKPRESSURE_POLICY_DROP_OLDEST, max_subscribers=2)
        hub.join(0, pb.BACKPRESSURE_POLICY_UNSPECIFIED, lambda: None, identity=StreamIdentity(kind="batches"))
        found.append(Session(record, hub, clock, 30.0, lambda _: None))
    return found


def busy_alarms() -> AlarmsStatus:
    """A monitor that has counted every kind of change in every band."""
    bands = PriorityBands().names
    return AlarmsStatus(
        state="live",
        provider="alarmmgr",
        reason="none",
        is_uncertain=False,
        alarms=1000,
        newest_change=1_000_000,
        kept_changes=65_536,
        streams=50,
        filters=2,
        reopened=1,
        worker_pid=1,
        avoids_manager=False,
        poll_seconds=0.02,
        lag=10,
        states={(state.name.lower(), band): 1 for state in State if state.is_listed for band in bands},
        changes={(kind.name.lower(), band): 1 for kind in Kind if kind for band in bands},
        switches={("alarmmgr", "subtag", "poll_failed"): 1, ("subtag", "alarmmgr", "failback"): 1},
        rates={"north": 1, "south": 2},
        floods=("south",),
        history_waiting=0,
        history_lost=0,
    )


def reading(sessions: list[Session], counters: Counters) -> Reading:
    """What a scrape reads, with all checks made."""
    clock = SystemClock()
    now = clock.monotonic()
    totals = SessionCounters(opened=len(sessions))
    judge = Judge(checks.rules(galaxy_is_needed=False, audit_is_needed=True), now)
    traffic = traffic_status(counters, totals, sessions)
    status = GatewayStatus(
        taken_ns=clock.unix_ns(),
        uptime_seconds=1.0,
        is_stopping=False,
        health=judge.status(now),
        max_sessions=SESSIONS,
        sessions=tuple(session_status(session, now) for session in sessions),
        session_totals=SessionTotals(opened=len(sessions), closed=0, faulted=0, killed=0),
        workers=WorkersStatus(alive=0, starting=0, pooled=0, pool_size=0, started=0, failed=0),
        live_streams=len(sessions),
        galaxy=GalaxyStatus(
            status="healthy",
            reason="",
            objects=1,
            attributes=1,
            deploy_time=None,
            looked_ns=clock.unix_ns(),
            is_restored=False,
            failures=0,
            watches=0,
        ),
        audit=AuditStatus(waiting=0, lost=0, failures=0),
        certificate=None,
        traffic=traffic,
        alarms=busy_alarms(),
        program=Program().status,
    )
    lag = LagFigures(samples=100, p50=0.001, p99=0.002, longest=0.01)
    return Reading(status=status, traffic=traffic, counters=counters, lag=lag, backend="simulator")
