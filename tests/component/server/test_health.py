"""What a gateway says of itself while something that it needs is broken, and again when it is mended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.support.clock import ManualClock
from tests.support.gateway import LiveGateway, fake_settings, live_gateway

from mxgateway_server.health.watcher import GALAXY, GATEWAY, LIVE, READY, SERVICES


async def silent(gateway: LiveGateway) -> set[str]:
    """The health services that do not say SERVING."""
    stub = health_pb2_grpc.HealthStub(gateway.channel)  # type: ignore[no-untyped-call]
    found = set()
    for service in SERVICES:
        answer = await stub.Check(health_pb2.HealthCheckRequest(service=service))
        if answer.status != health_pb2.HealthCheckResponse.SERVING:
            found.add(service)
    return found


async def look(gateway: LiveGateway, clock: ManualClock, seconds: int) -> None:
    """Looks now, and then each second."""
    for second in range(seconds + 1):
        clock.advance(min(second, 1))
        await gateway.perform("check-keys")
        await gateway.perform("watch-health")


def problems(gateway: LiveGateway) -> dict[str, str]:
    return {check.name: check.remedy for check in gateway.status().health.checks if not check.is_ok}


async def test_each_dependency_is_told_of_and_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Key store, Galaxy, audit and disk, one after the other; the table of the documentation."""
    clock = ManualClock()

    async def broken(*_: Any) -> Any:
        raise OSError("the disk is gone")

    async with live_gateway(fake_settings(tmp_path), clock=clock) as gateway:
        await look(gateway, clock, 1)
        assert await silent(gateway) == set()

        with monkeypatch.context() as patch:
            patch.setattr("mxgateway_server.access.store.KeyStore.keys_version", broken)
            await look(gateway, clock, 17)
            assert {"", GATEWAY, GALAXY, READY} <= await silent(gateway)
            assert LIVE not in await silent(gateway)
            assert "authentication.database" in problems(gateway)["store"]
        await look(gateway, clock, 0)
        assert "store" not in problems(gateway)

        # The fixture's Galaxy database is an empty file, so nothing has ever been loaded from it.
        await look(gateway, clock, 61)
        assert await silent(gateway) == {GALAXY}
        assert gateway.status().health.readiness == "degraded"
        assert "galaxy.connection_string" in problems(gateway)["galaxy"]

        with monkeypatch.context() as patch:
            patch.setattr(gateway.gateway.parts.health, "_free_bytes", lambda _: 1024)
            await gateway.perform("watch-disk")
            assert "state_dir" in problems(gateway)["disk"]
            assert await silent(gateway) == {GALAXY}
        await gateway.perform("watch-disk")
        assert "disk" not in problems(gateway)


async def test_a_stalled_loop_is_not_ready_and_is_alive(tmp_path: Path) -> None:
    """Each round of the watch comes far too late for half a minute."""
    clock = ManualClock()
    async with live_gateway(fake_settings(tmp_path), clock=clock) as gateway:
        await gateway.perform("watch-health")
        for _ in range(12):
            clock.advance(4.0)
            await gateway.perform("check-keys")
            await gateway.perform("watch-health")
        assert "CPU" in problems(gateway)["loop"]
        found = await silent(gateway)
        assert READY in found
        assert not {LIVE, "", GATEWAY} & found


async def test_an_unknown_service_is_not_found(tmp_path: Path) -> None:
    async with live_gateway(fake_settings(tmp_path)) as gateway:
        stub = health_pb2_grpc.HealthStub(gateway.channel)  # type: ignore[no-untyped-call]
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Check(health_pb2.HealthCheckRequest(service="mxgateway.nothing"))
        assert caught.value.code() == grpc.StatusCode.NOT_FOUND
