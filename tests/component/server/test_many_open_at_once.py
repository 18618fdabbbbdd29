"""Many sessions that open at once: each opens, or is told when to come back; none runs into its deadline."""

from __future__ import annotations

import asyncio
from pathlib import Path

import grpc
import grpc.aio
from google.rpc import error_details_pb2  # type: ignore[import-untyped]
from grpc_status import rpc_status
from tests.support.gateway import LiveGateway, fake_settings, live_gateway
from tests.support.waiting import eventually

from mxgateway.generated import mxaccess_gateway_pb2 as pb

CALLERS = 60


async def outcome(gateway: LiveGateway, timeout: float) -> str:
    try:
        await gateway.stub.OpenSession(pb.OpenSessionRequest(), metadata=gateway.auth, timeout=timeout)
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
            return error.code().name
        status = rpc_status.from_call(error)
        assert status is not None
        info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
        assert status.details[0].Unpack(info)
        assert status.details[1].Unpack(retry)
        assert info.reason == "SESSION_START_BUSY"
        assert retry.retry_delay.ToNanoseconds() >= 10**9
        return "told"
    return "opened"


async def test_each_opens_or_is_told_when_to_come_back(tmp_path: Path) -> None:
    settings = fake_settings(
        tmp_path, sessions__max_sessions=200, sessions__max_sessions_per_key=200, worker__simultaneous_starts=1
    )
    async with live_gateway(settings) as gateway:
        outcomes = await asyncio.gather(*(outcome(gateway, 5.0) for _ in range(CALLERS)))
        assert set(outcomes) <= {"opened", "told"}
        assert {"opened", "told"} <= set(outcomes)
        status = gateway.status()
        assert len(status.sessions) == outcomes.count("opened")
        assert status.workers.starting == 0


async def test_a_pool_serves_those_whom_a_start_would_keep_waiting(tmp_path: Path) -> None:
    async with live_gateway(fake_settings(tmp_path, worker__pool_size=1)) as gateway:
        await eventually(lambda: gateway.status().workers.pooled == 1)
        assert await outcome(gateway, 1.0) == "opened"
