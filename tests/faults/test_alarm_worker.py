"""The alarm monitor with a real worker over the simulator: killed in the middle, it is back and nothing was cleared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.support.alarm_gateway import live
from tests.support.gateway import LiveGateway, live_gateway

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.config.settings import Settings
from mxgateway_server.config.sources import load

pytestmark = pytest.mark.slow


async def until_status(feed: Any, state: int) -> list[pb.AlarmFeedMessage]:
    found: list[pb.AlarmFeedMessage] = []
    while True:
        found.append(await feed.read())
        if found[-1].WhichOneof("payload") == "provider_status" and found[-1].provider_status.state == state:
            return found


async def rows(gateway: LiveGateway) -> dict[str, pb.ActiveAlarmSnapshot]:
    call = gateway.stub.QueryActiveAlarms(pb.QueryActiveAlarmsRequest(), metadata=gateway.auth)
    return {row.alarm_full_reference: row async for row in call}


def settings(state: Path, **more: Any) -> Settings:
    return load(
        None,
        {
            "state_dir": str(state),
            "listen": "",
            "listen_plaintext": "127.0.0.1:0",
            "galaxy.connection_string": "reference",
            "worker.pool_size": 0,
            "alarms.enabled": True,
            "alarms.default_area": "TestArea",
            "alarms.poll_interval_ms": 50,
            **more,
        },
    )


async def test_case_54_a_killed_worker_is_back_within_seconds_and_no_alarm_has_vanished(tmp_path: Path) -> None:
    """Nobody acknowledges here, so no alarm can leave the list: one that did would be a false clear."""
    async with live_gateway(settings(tmp_path)) as gateway:
        await live(gateway)
        before: dict[str, pb.ActiveAlarmSnapshot] = {}
        while not before:
            before = await rows(gateway)
        request = pb.StreamAlarmsRequest(include_extended=True)
        feed = gateway.stub.StreamAlarms(request, metadata=gateway.auth)
        await until_status(feed, pb.ALARM_MONITOR_STATE_LIVE)
        alarms = gateway.status().alarms
        assert alarms is not None
        psutil.Process(alarms.worker_pid).kill()
        (*_, lost) = await until_status(feed, pb.ALARM_MONITOR_STATE_LOST)
        assert lost.provider_status.reason_code == pb.ALARM_PROVIDER_REASON_WORKER_LOST
        meanwhile = await rows(gateway)
        assert set(before) <= set(meanwhile)
        assert all(row.uncertain for row in meanwhile.values())
        found = await until_status(feed, pb.ALARM_MONITOR_STATE_LIVE)
        gone = [
            each.transition
            for each in found
            if each.HasField("transition") and each.transition.state == pb.ALARM_STATE_ACK_RTN
        ]
        assert gone == []
        after = await rows(gateway)
        assert set(before) <= set(after)
        assert not any(row.uncertain for row in after.values())
        alarms = gateway.status().alarms
        assert alarms is not None
        assert (alarms.state, alarms.reopened) == ("live", 1)


async def test_an_alarm_manager_that_takes_its_workers_along_is_left_for_the_attributes(tmp_path: Path) -> None:
    """Three workers end in their first poll; the fourth does without, lists the same plant, and acknowledges in it."""
    crashing = settings(tmp_path, **{"worker.backend_options": {"fault.crash_poll": "times=0"}})
    async with live_gateway(crashing) as gateway:
        feed = gateway.stub.StreamAlarms(pb.StreamAlarmsRequest(include_extended=True), metadata=gateway.auth)
        (*_, degraded) = await until_status(feed, pb.ALARM_MONITOR_STATE_DEGRADED)
        told = degraded.provider_status
        assert (told.mode, told.reason_code) == (pb.ALARM_PROVIDER_MODE_SUBTAG, pb.ALARM_PROVIDER_REASON_WORKER_LOST)
        assert "ended 3 times with the alarm manager" in told.reason
        alarms = gateway.status().alarms
        assert alarms is not None
        assert (alarms.reopened, alarms.avoids_manager) == (3, True), "restarts are bounded"
        listed: dict[str, pb.ActiveAlarmSnapshot] = {}
        while not any(row.state == pb.ALARM_STATE_UNACK_ALM for row in listed.values()):
            listed = await rows(gateway)
        assert all(row.degraded for row in listed.values())
        reference = next(name for name, row in listed.items() if row.state == pb.ALARM_STATE_UNACK_ALM)
        request = pb.AcknowledgeAlarmRequest(alarm_full_reference=reference, comment="seen", operator_user="anna")
        request.wait_for_transition.FromSeconds(10)
        reply = await gateway.stub.AcknowledgeAlarm(request, metadata=gateway.auth)
        assert reply.outcome == pb.ALARM_ACK_OUTCOME_ACKNOWLEDGED, reply.diagnostic_message
        assert gateway.status().alarms.reopened == 3  # type: ignore[union-attr]
