"""One break after the other, and what gRPC health, HTTP and metrics answer to each: never more, never less."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.support.clock import ManualClock
from tests.support.gateway import LiveGateway, fake_settings, live_gateway
from tests.support.http import fetch
from tests.support.waiting import eventually

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.access.audit import AuditLog
from mxgateway_server.health.watcher import GALAXY, GATEWAY, LIVE, READY

HTTP = {"operations__enabled": True, "operations__listen": "", "operations__listen_plaintext": "127.0.0.1:0"}


async def answers(gateway: LiveGateway) -> tuple[int, str, set[str], set[str]]:
    """HTTP's status and word, the checks that the metrics call down, and the gRPC services that do not serve."""
    (url,) = gateway.running.urls
    ready = await fetch(f"{url}/health/ready")
    assert (await fetch(f"{url}/health/live")).status == 200
    text = (await fetch(f"{url}/metrics")).body.decode()
    down = {
        line.partition('check="')[2].partition('"')[0]
        for line in text.splitlines()
        if line.startswith("mxgateway_ready{") and line.endswith(" 0.0")
    }
    stub = health_pb2_grpc.HealthStub(gateway.channel)  # type: ignore[no-untyped-call]
    silent = set()
    for service in ("", GATEWAY, GALAXY, LIVE, READY):
        answer = await stub.Check(health_pb2.HealthCheckRequest(service=service))
        if answer.status != health_pb2.HealthCheckResponse.SERVING:
            silent.add(service)
    return ready.status, ready.json()["status"], down, silent


async def look(gateway: LiveGateway, clock: ManualClock, seconds: int, step: float = 1.0) -> None:
    for _ in range(seconds):
        clock.advance(step)
        await gateway.perform("check-keys")
        await gateway.perform("watch-health")


async def test_each_break_has_its_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = ManualClock()

    async def gone(*_: Any) -> Any:
        raise OSError("the disk is gone")

    # How long a writer waits for another process, and until it asks again.
    monkeypatch.setattr("mxgateway_server.access.database.WRITER_WAIT_MS", 20)
    monkeypatch.setattr("mxgateway_server.access.audit.RETRY_SECONDS", 0.02)
    async with live_gateway(fake_settings(tmp_path, **HTTP), clock=clock) as gateway:
        await look(gateway, clock, 1)
        assert await answers(gateway) == (200, "ready", set(), set())
        with monkeypatch.context() as patch:
            patch.setattr("mxgateway_server.access.store.KeyStore.keys_version", gone)
            await look(gateway, clock, 18)
            assert await answers(gateway) == (503, "not_ready", {"store", "all"}, {"", GATEWAY, GALAXY, READY})
        await look(gateway, clock, 1)
        assert (await answers(gateway))[0] == 200
        # Its database is an empty file: no Galaxy can be served.
        await look(gateway, clock, 62)
        assert await answers(gateway) == (200, "degraded", {"galaxy"}, {GALAXY})
        with monkeypatch.context() as patch:
            patch.setattr(gateway.gateway.parts.health, "_free_bytes", lambda _: 1024)
            await gateway.perform("watch-disk")
            assert await answers(gateway) == (200, "degraded", {"galaxy", "disk"}, {GALAXY})
        await gateway.perform("watch-disk")
        await a_locked_store(gateway, clock)
        await look(gateway, clock, 12, 4.0)
        assert await answers(gateway) == (503, "not_ready", {"galaxy", "loop", "all"}, {GALAXY, READY})
        await look(gateway, clock, 30)
        assert (await answers(gateway))[:2] == (200, "degraded")
        await gateway.open()
        gateway.gateway.drain(600)
        await look(gateway, clock, 1)
        assert await answers(gateway) == (503, "not_ready", {"galaxy", "stopping", "all"}, {GALAXY, READY})


async def a_locked_store(gateway: LiveGateway, clock: ManualClock) -> None:
    """Another process holds the writers' lock: who has a key is let in, and nothing can be recorded."""
    audit = next(each for each in gateway.gateway.parts.background if isinstance(each, AuditLog))
    with closing(sqlite3.connect(gateway.settings.state_path / "keys.db", isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(grpc.aio.AioRpcError):
            await gateway.stub.ListSessions(pb.ListSessionsRequest())
        await eventually(lambda: audit.failures > 0)
        await look(gateway, clock, 32)
        assert await answers(gateway) == (503, "not_ready", {"galaxy", "audit", "all"}, {GALAXY, READY})
        await gateway.stub.ListSessions(pb.ListSessionsRequest(), metadata=gateway.auth)
        holder.execute("ROLLBACK")
    await eventually(lambda: not audit.failures)
    await look(gateway, clock, 1)
    assert (await answers(gateway))[:2] == (200, "degraded")


async def test_a_worker_program_that_is_wrong_takes_no_new_clients(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mxgateway_server.workers.pool._FIRST_RETRY", 0.01)
    settings = fake_settings(tmp_path, **HTTP, worker__pool_size=1, worker__command=("/bin/false",))
    async with live_gateway(settings) as gateway:
        await eventually(lambda: not gateway.gateway.parts.pool.can_serve)
        await gateway.perform("watch-health")
        assert await answers(gateway) == (503, "not_ready", {"workers", "all"}, {"", GATEWAY, READY})
        (url,) = gateway.running.urls
        told = (await fetch(f"{url}/health/ready")).json()["checks"]["workers"]
        assert "mxgateway doctor" in told["remedy"]
