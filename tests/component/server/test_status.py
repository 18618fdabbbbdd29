"""Every counter of a running gateway can be read from its status."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import grpc
import pytest
from tests.support.gateway import LiveGateway, fake_settings, live_gateway
from tests.support.waiting import eventually

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.sessions.picture import WorkerStatus
from mxgateway_server.status import to_json


def worker(gateway: LiveGateway) -> WorkerStatus:
    found = gateway.session().worker
    assert found is not None
    return found


async def test_an_idle_gateway_has_its_pool_and_nothing_else(tmp_path: Path) -> None:
    async with live_gateway(fake_settings(tmp_path, worker__pool_size=1)) as gateway:
        await eventually(lambda: gateway.status().workers.pooled == 1)
        status = gateway.status()
        assert (status.sessions, status.live_streams, status.is_stopping) == ((), 0, False)
        workers = status.workers
        assert (workers.alive, workers.pool_size, workers.started, workers.failed) == (1, 1, 1, 0)
        await eventually(lambda: gateway.status().galaxy.status == "unavailable")
        assert gateway.status().galaxy.reason
        assert gateway.status().audit.lost == 0


async def test_what_a_session_does_shows(tmp_path: Path) -> None:
    async with live_gateway(fake_settings(tmp_path)) as gateway:
        session = await gateway.open(client_session_name="night shift")
        stream = gateway.stub.StreamEvents(pb.StreamEventsRequest(session_id=session), metadata=gateway.auth)
        await stream.initial_metadata()
        await gateway.invoke(session, "ADD_ITEM", server_handle=1, item_definition="Tank.Level")
        await gateway.ping(session, "emit 3")
        status = gateway.session(session)
        assert (status.name, status.owner_key_id, status.state) == ("night shift", "tester", "ready")
        assert (status.commands_started, status.events_received, status.items) == (2, 3, 1)
        assert (status.attached_streams, len(status.event_streams), gateway.status().live_streams) == (1, 1, 1)
        (events,) = status.event_streams
        assert (events.kind, events.key_id, events.delivered_events) == ("events", "tester", 3)
        assert (status.events_delivered, status.events_dropped) == (3, 0)
        (live,) = gateway.status().streams
        assert (live.method, live.key_id) == ("mxaccess_gateway.v1.MxAccessGateway/StreamEvents", "tester")
        assert live.peer == events.peer == status.peer
        assert worker(gateway).heartbeats == 1
        waiting = asyncio.ensure_future(gateway.ping(session, "silent"))
        await eventually(lambda: gateway.session().commands_under_way == 1)
        assert worker(gateway).in_flight == 1
        json.dumps(to_json(gateway.status()))
        await gateway.close(session)
        with pytest.raises(grpc.aio.AioRpcError):
            await waiting
        totals = gateway.status().session_totals
        assert (totals.opened, totals.closed, totals.faulted) == (1, 1, 0)
        (ended,) = gateway.status().ended_sessions
        assert (ended.session_id, ended.name, ended.reason, ended.is_clean) == (
            session,
            "night shift",
            "client-close",
            True,
        )
        assert (ended.commands_started, ended.events_received, ended.events_delivered) == (3, 3, 3)
        traffic = gateway.status().traffic
        assert traffic is not None
        counts = {each.name: (each.started, each.succeeded, each.worker) for each in traffic.commands}
        assert counts == {"add_item": (1, 1, 0), "ping": (2, 1, 1)}
        assert (traffic.events_received, traffic.events_delivered, dict(traffic.sessions_closed)) == (
            3,
            3,
            {"client-close": 1},
        )
        assert traffic.calls["mxaccess_gateway.v1.MxAccessGateway/OpenSession"] == {"OK": 1}
        invoked = traffic.calls["mxaccess_gateway.v1.MxAccessGateway/Invoke"]
        assert (invoked["OK"], sum(invoked.values())) == (2, 3)


async def test_what_a_worker_counts_shows(tmp_path: Path) -> None:
    async with live_gateway(fake_settings(tmp_path)) as gateway:
        session = await gateway.open()
        await gateway.ping(session, "unasked")
        await gateway.ping(session, "count 7 2")
        told = worker(gateway)
        assert (told.unknown_replies, told.late_replies) == (1, 0)
        assert (told.dropped_events, told.refused_events, told.queued_events) == (7, 2, 3)
        assert (told.state, told.pending_commands, told.heartbeats) == ("busy", 2, 2)
        lines = "\n".join(f"line {number}" for number in range(80))
        await gateway.invoke(session, "PING", message=f"stderr {lines}")
        await eventually(lambda: worker(gateway).suppressed_lines > 0)


async def test_faults_and_ends_by_force_are_counted(tmp_path: Path) -> None:
    async with live_gateway(fake_settings(tmp_path)) as gateway:
        session = await gateway.open()
        with pytest.raises(grpc.aio.AioRpcError):
            await gateway.ping(session, "fault hung")
        assert gateway.session(session).fault == "WORKER_HUNG"
        await gateway.close(session)
        totals = gateway.status().session_totals
        assert (totals.faulted, totals.killed, totals.closed) == (1, 1, 1)
        (fault,) = gateway.status().faults
        assert (fault.session_id, fault.owner_key_id, fault.reason) == (session, "tester", "WORKER_HUNG")
        (ended,) = gateway.status().ended_sessions
        assert (ended.reason, ended.fault) == ("fault", "WORKER_HUNG")


async def test_taking_the_picture_asks_nobody(tmp_path: Path) -> None:
    async with live_gateway(fake_settings(tmp_path)) as gateway:
        session = await gateway.open()
        await gateway.ping(session, "emit 5")
        before = gateway.session(session)
        for _ in range(100):
            gateway.status()
        after = gateway.session(session)
        assert (before.commands_started, before.events_received) == (after.commands_started, after.events_received)
        assert before.kept_events == after.kept_events
