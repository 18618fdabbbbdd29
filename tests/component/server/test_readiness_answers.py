"""One break after the other, and what gRPC health, HTTP and metrics answer to each: never more, never less."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.support.clock import ManualClock
from tests.support.dashboard import Browser
from tests.support.gateway import LiveGateway, fake_settings, live_gateway, open_store
from tests.support.http import fetch
from tests.support.small_disk import small_disk
from tests.support.stopped_process import stop_process
from tests.support.waiting import eventually

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.access.audit import AuditLog
from mxgateway_server.access.records import AuditRecord
from mxgateway_server.health import checks
from mxgateway_server.health.readiness import Rule
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


def audit_of(gateway: LiveGateway) -> AuditLog:
    return next(each for each in gateway.gateway.parts.background if isinstance(each, AuditLog))


async def a_locked_store(gateway: LiveGateway, clock: ManualClock) -> None:
    """Another process holds the writers' lock: who has a key is let in, and nothing can be recorded."""
    audit = audit_of(gateway)
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


async def test_on_a_disk_that_is_really_full_callers_are_served_and_nothing_recorded_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mxgateway_server.access.audit.RETRY_SECONDS", 0.02)
    clock = ManualClock()
    with small_disk(tmp_path / "state") as disk:
        async with live_gateway(fake_settings(disk.folder, **HTTP), clock=clock) as gateway:
            await look(gateway, clock, 1)
            await gateway.perform("watch-disk")
            assert await answers(gateway) == (200, "ready", set(), set())
            browser = Browser(gateway.running.urls[0])
            assert (await browser.sign_in({"key": gateway.key})).status == 200
            disk.fill()
            await gateway.perform("watch-disk")
            assert await answers(gateway) == (200, "degraded", {"disk"}, set())
            audit = audit_of(gateway)
            for number in range(300):
                audit.add(AuditRecord(event="write", key_id="tester", target=f"Tank_{number}.L" + 500 * "x"))
            await eventually(lambda: audit.failures > 0)
            await look(gateway, clock, 32)
            assert await answers(gateway) == (503, "not_ready", {"disk", "audit", "all"}, {READY})
            told = (await fetch(f"{gateway.running.urls[0]}/health/ready")).json()["checks"]
            assert ("0 MiB" in told["disk"]["reason"], "disk is full" in told["audit"]["remedy"]) == (True, True)
            # Who has a key is served, and pages go on; what would have to be stored is refused with a remedy.
            await gateway.ping(await gateway.open())
            assert (await browser.get("/api/v1/boot")).status == 200
            made = {"keyId": "k", "displayName": "k" * 200, "scopes": ["dashboard:view"], "days": 1}
            refused = await browser.post("/api/v1/keys", made)
            assert (refused.status, "room" in refused.json()["remedy"]) == (503, True)
            disk.make_room()
            await eventually(lambda: not audit.failures and not audit.waiting)
            await gateway.perform("watch-disk")
            await look(gateway, clock, 1)
            assert (await answers(gateway))[:2] == (200, "ready")
            assert (await browser.post("/api/v1/keys", made)).status == 200
            store = await open_store(gateway.settings)
            try:
                stored = await store.read_audit(event="write", limit=1000)
            finally:
                await store.close()
            assert len(stored) == 300 - audit.lost == 300


async def test_a_loop_that_is_really_blocked_is_not_ready_until_it_keeps_up_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the clocks of the machine; only the patience of the check is made short."""
    monkeypatch.setattr("mxgateway_server.health.watcher._LAG_ROUNDS", 2)
    usual = checks.rules
    short = Rule(name=checks.LOOP, is_needed=True, down_after=0.5, up_after=0.5)
    monkeypatch.setattr(
        checks, "rules", lambda **given: [short if each.name == checks.LOOP else each for each in usual(**given)]
    )
    blocking = threading.Event()
    async with live_gateway(fake_settings(tmp_path, **HTTP)) as gateway:

        def is_down() -> bool:
            return not gateway.status().health.is_ok(checks.LOOP)

        await gateway.perform("watch-health")
        for _ in range(20):
            # Nothing else runs in this loop meanwhile: no call, no probe, no duty.
            blocking.wait(2.2)
            await asyncio.sleep(0)
            await gateway.perform("watch-health")
            if is_down():
                break
        assert await answers(gateway) == (503, "not_ready", {"loop", "all"}, {READY})
        (url,) = gateway.running.urls
        told = (await fetch(f"{url}/health/ready")).json()["checks"]["loop"]
        assert ("behind with its work" in told["reason"], "CPU" in told["remedy"]) == (True, True)
        await eventually(lambda: not is_down(), deadline=40.0)
        assert (await answers(gateway))[0] == 200


async def test_a_process_that_stands_still_answers_nobody_and_is_no_worse_for_it_afterwards(tmp_path: Path) -> None:
    """Stopped by a signal, as by a debugger or a machine that sleeps: probes time out, and nothing is judged by it."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mxgateway_server", "serve", "--state-dir", str(tmp_path), "--no-tls"),
        *("--listen-plaintext", "127.0.0.1:0", "--announce", "--stop-on-stdin-close", "--galaxy", "reference"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ
        | {
            "MXGATEWAY__OPERATIONS__LISTEN": "",
            "MXGATEWAY__OPERATIONS__LISTEN_PLAINTEXT": "127.0.0.1:0",
            "MXGATEWAY__WORKER__POOL_SIZE": "0",
        },
    )
    try:
        assert process.stdout is not None
        (url,) = json.loads(await process.stdout.readline())["http"]
        assert (await fetch(f"{url}/health/live")).status == 200
        await stop_process(process.pid)
        for path in ("/health/live", "/health/ready"):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1.0):
                    await fetch(url + path)
        process.send_signal(signal.SIGCONT)
        assert (await fetch(f"{url}/health/live")).status == 200
        ready = await fetch(f"{url}/health/ready")
        assert (ready.status, ready.json()["checks"]["loop"]["ok"]) == (200, True)
    finally:
        process.send_signal(signal.SIGCONT)
        if process.stdin is not None:
            process.stdin.close()
        await process.wait()
