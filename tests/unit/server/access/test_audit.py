"""The audit loses nothing, and a storm does not fill it."""

from __future__ import annotations

import asyncio

import pytest
import structlog
from tests.support.clock import ManualClock

from mxgateway_server.access.audit import AuditLog
from mxgateway_server.access.records import AuditRecord
from mxgateway_server.access.store import KeyStore


async def test_audit_records_are_stored_together_in_order_and_before_the_end(
    store: KeyStore, clock: ManualClock
) -> None:
    log = AuditLog(store, clock)
    for number in range(1200):
        log.add(AuditRecord(event="write", key_id="k", target=f"t{number}", details={"kind": "WRITE"}))
    log.close()
    await log.run()
    records = await store.read_audit(limit=2000)
    assert [record.target for record in records] == [f"t{number}" for number in range(1200)]
    assert records[0].at_ns == clock.unix_ns()


async def test_targets_are_kept_without_what_a_database_or_terminal_chokes_on(store: KeyStore) -> None:
    await store.record([AuditRecord(event="denied", key_id="k", target="Tank\x00.PV\x1b[2J\nok" + "x" * 2000)])
    (kept,) = await store.read_audit()
    assert kept.target.startswith("Tank\\x00.PV\\x1b[2J\\nokxx")
    assert len(kept.target) == 1100


async def test_a_failing_store_loses_nothing_while_it_recovers(store: KeyStore, clock: ManualClock) -> None:
    class Failing:
        def __init__(self) -> None:
            self.failures = 1

        async def record(self, records: list[AuditRecord]) -> None:
            if self.failures:
                self.failures -= 1
                raise OSError(28, "no space left")
            await store.record(records)

    log = AuditLog(Failing(), clock)  # type: ignore[arg-type]
    async with asyncio.TaskGroup() as group:
        group.create_task(log.run())
        log.add(AuditRecord(event="denied", key_id="k"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        log.add(AuditRecord(event="denied", key_id="l"))
        log.close()
    assert [record.key_id for record in await store.read_audit()] == ["k", "l"]


async def test_a_store_that_is_not_well_is_asked_once_in_a_while_however_many_records_come(
    clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mxgateway_server.access.audit.RETRY_SECONDS", 600.0)
    asked = []

    class Full:
        async def record(self, records: list[AuditRecord]) -> None:
            asked.append(len(records))
            raise OSError(28, "no space left")

    log = AuditLog(Full(), clock)  # type: ignore[arg-type]
    with structlog.testing.capture_logs() as lines:
        async with asyncio.TaskGroup() as group:
            group.create_task(log.run())
            for _ in range(200):
                log.add(AuditRecord(event="write", key_id="k"))
                await asyncio.sleep(0)
            assert asked == [1]
            log.close()
    assert asked == [1, 200]
    assert [line["event"] for line in lines] == ["audit_store_failed", "audit_records_lost"]
    assert lines[-1]["lost"] == 200


async def test_a_storm_of_bad_keys_does_not_fill_the_audit(store: KeyStore, clock: ManualClock) -> None:
    log = AuditLog(store, clock)
    for _ in range(1000):
        log.add_failure(AuditRecord(event="authentication-failed", remote_address="10.0.0.1", details={"method": "m"}))
    clock.advance(1)
    log.add_failure(AuditRecord(event="authentication-failed", remote_address="10.0.0.1", details={"method": "m"}))
    log.close()
    await log.run()
    records = await store.read_audit(limit=2000)
    assert len(records) == 21
    assert records[-1].details == {"method": "m", "suppressed_before": 980}


async def test_old_audit_records_can_be_removed(store: KeyStore) -> None:
    await store.record(
        [AuditRecord(event="write", key_id="k", at_ns=5), AuditRecord(event="write", key_id="k", at_ns=15)]
    )
    assert await store.prune_audit(10) == 1
    assert [record.at_ns for record in await store.read_audit()] == [15]
