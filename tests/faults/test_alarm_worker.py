"""The alarm monitor with a real worker over the simulator: killed in the middle, it is back and nothing was cleared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.support.alarm_gateway import live
from tests.support.gateway import LiveGateway, live_gateway

from mxgateway.generated import mxaccess_gateway_pb2 as pb
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


async def test_case_54_a_killed_worker_is_back_within_seconds_and_no_alarm_has_vanished(tmp_path: Path) -> None:
    """Nobody acknowledges here, so no alarm can leave the list: one that did would be a false clear."""
    settings = load(
        None,
        {
            "state_dir": str(tmp_path),
            "listen": "",
            "listen_plaintext": "127.0.0.1:0",
            "galaxy.connection_string": "reference",
            "worker.pool_size": 0,
            "alarms.enabled": True,
            "alarms.default_area": "TestArea",
            "alarms.poll_interval_ms": 50,
        },
    )
    async with live_gateway(settings) as gateway:
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
