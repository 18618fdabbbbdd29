"""The audit loses nothing, and a storm does not fill it."""

from __future__ import annotations

import asyncio

import pytest
import structlog
from tests.support.clock import ManualClock
from tests.support.waiting import eventually

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


async def test_refusals_never_displace_what_was_done(store: KeyStore, clock: ManualClock) -> None:
    log = AuditLog(store, clock)
    log.add(AuditRecord(event="write", key_id="mes", target="Tank.SP"))
    for number in range(20_000):
        log.add_denial(AuditRecord(event="denied", key_id=f"k{number % 50}"))
        log.add_failure(AuditRecord(event="authentication-failed", remote_address=f"10.0.{number % 200}.1"))
    log.add(AuditRecord(event="write", key_id="mes", target="Oven.SP"))
    log.close()
    await log.run()
    assert [record.target for record in await store.read_audit(key_id="mes")] == ["Tank.SP", "Oven.SP"]


async def test_refusals_have_a_lane_of_their_own_that_is_full_by_itself(
    store: KeyStore, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not only because few of them are kept at all."""
    monkeypatch.setattr("mxgateway_server.access.audit.MAX_WAITING", 4)
    monkeypatch.setattr("mxgateway_server.access.audit.MAX_DENIALS", 4)
    log = AuditLog(store, clock)
    for number in range(4):
        log.add(AuditRecord(event="write", key_id="mes", target=f"t{number}"))
    for number in range(10):
        log.add_denial(AuditRecord(event="denied", key_id=f"k{number}"))
    assert log.lost == 6
    log.close()
    await log.run()
    assert [record.target for record in await store.read_audit(key_id="mes")] == ["t0", "t1", "t2", "t3"]


async def test_of_one_keys_refusals_some_are_kept_and_the_others_counted(store: KeyStore, clock: ManualClock) -> None:
    log = AuditLog(store, clock)
    for _ in range(1000):
        log.add_denial(AuditRecord(event="denied", key_id="k"))
    clock.advance(10)
    log.add_denial(AuditRecord(event="denied", key_id="k"))
    log.add_denial(AuditRecord(event="denied", key_id="other"))
    log.close()
    await log.run()
    records = await store.read_audit(limit=2000)
    assert [len([record for record in records if record.key_id == key]) for key in ("k", "other")] == [101, 1]
    assert records[-2].details == {"suppressed_before": 900}


async def test_what_came_first_is_stored_first_whichever_lane_it_took(store: KeyStore, clock: ManualClock) -> None:
    log = AuditLog(store, clock)
    for number in range(6):
        add = log.add_denial if number % 2 else log.add
        add(AuditRecord(event="x", key_id="k", target=str(number)))
        clock.advance(1)
    log.close()
    await log.run()
    assert [record.target for record in await store.read_audit()] == list("012345")


class Refusing:
    """A store that takes nothing until it is told to."""

    is_well = False

    async def record(self, records: list[AuditRecord]) -> None:
        if not self.is_well:
            raise OSError(28, "no space left")


@pytest.mark.parametrize("denies", [True, False])
async def test_writes_wait_for_a_store_that_takes_no_records_unless_settings_say_go_on(
    clock: ManualClock, monkeypatch: pytest.MonkeyPatch, denies: bool
) -> None:
    monkeypatch.setattr("mxgateway_server.access.audit.RETRY_SECONDS", 0.001)
    disk = Refusing()
    log = AuditLog(disk, clock, denies=denies)  # type: ignore[arg-type]
    async with asyncio.TaskGroup() as group:
        group.create_task(log.run())
        log.add(AuditRecord(event="write", key_id="k"))
        await eventually(lambda: log.failures > 0)
        # A moment is bridged: nothing is lost, and the plant is not stopped for it.
        assert log.has_room
        clock.advance(10)
        assert log.has_room is not denies
        disk.is_well = True
        await eventually(lambda: log.waiting == 0)
        assert log.has_room
        log.close()


async def test_writes_stop_before_what_was_done_is_lost(clock: ManualClock) -> None:
    log = AuditLog(Refusing(), clock, denies=True)  # type: ignore[arg-type]
    taken = 0
    while log.has_room:
        log.add(AuditRecord(event="write", key_id="k"))
        taken += 1
    assert (taken, log.lost) == (10_000, 0)


async def test_what_follows_a_transaction_gathers_for_the_next(
    clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of many writes in a row each had a transaction of its own, which cost more than the write."""
    monkeypatch.setattr("mxgateway_server.access.audit.GATHER_SECONDS", 600.0)
    stored: list[int] = []

    class Counting:
        async def record(self, records: list[AuditRecord]) -> None:
            stored.append(len(records))

    log = AuditLog(Counting(), clock)  # type: ignore[arg-type]
    async with asyncio.TaskGroup() as group:
        group.create_task(log.run())
        for _ in range(50):
            log.add(AuditRecord(event="write", key_id="k"))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        # The first one did not wait for others.
        assert stored == [1]
        log.close()
    assert stored == [1, 49]


async def test_many_that_wait_are_stored_without_a_pause(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mxgateway_server.access.audit.GATHER_SECONDS", 600.0)
    stored: list[int] = []

    class Counting:
        async def record(self, records: list[AuditRecord]) -> None:
            stored.append(len(records))

    log = AuditLog(Counting(), clock)  # type: ignore[arg-type]
    for _ in range(1700):
        log.add(AuditRecord(event="write", key_id="k"))
    async with asyncio.TaskGroup() as group:
        group.create_task(log.run())
        await eventually(lambda: len(stored) == 3)
        assert (stored, log.waiting) == ([500, 500, 500], 200)
        log.close()
    assert stored[3:] == [200]


async def test_what_is_being_stored_waits_until_it_is(clock: ManualClock) -> None:
    """Also when the store then refuses it: it is counted once, whichever way."""
    begun, may_end = asyncio.Event(), asyncio.Event()
    told: list[Exception | None] = [OSError("not now"), None]

    class Slow:
        async def record(self, records: list[AuditRecord]) -> None:
            begun.set()
            await may_end.wait()
            if (error := told.pop(0)) is not None:
                raise error

    log = AuditLog(Slow(), clock)  # type: ignore[arg-type]
    log.add(AuditRecord(event="write", key_id="k"))
    async with asyncio.TaskGroup() as group:
        group.create_task(log.run())
        await begun.wait()
        assert log.waiting == 1
        may_end.set()
        await eventually(lambda: log.failures == 1)
        assert log.waiting == 1
        log.close()
    assert (log.waiting, told) == (0, [])


@pytest.mark.parametrize(("took", "paused"), [(0.001, 0.02), (0.03, 0.12), (5.0, 0.25)])
async def test_storing_takes_the_smaller_part_of_the_time(
    clock: ManualClock, monkeypatch: pytest.MonkeyPatch, took: float, paused: float
) -> None:
    pauses: list[float] = []

    class Slow:
        async def record(self, records: list[AuditRecord]) -> None:
            clock.advance(took)

    log = AuditLog(Slow(), clock)  # type: ignore[arg-type]

    async def rest(seconds: float) -> None:
        pauses.append(seconds)
        log.close()

    monkeypatch.setattr(log, "_rest", rest)
    log.add(AuditRecord(event="write", key_id="k"))
    await log.run()
    assert pauses == [pytest.approx(paused)]
