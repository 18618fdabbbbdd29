"""What happens because time passes, with a time that the test turns on by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import structlog
from sqlalchemy.exc import OperationalError
from tests.support.clock import ManualClock
from tests.support.gateway import fake_settings
from tests.support.waiting import eventually

from mxgateway_server.access.authenticator import Caller
from mxgateway_server.access.records import Rehashed
from mxgateway_server.upkeep import Duties, Duty, Upkeep, until_beat


class Hours:
    """Sleeps that end when the test says so; it knows how long each of them was to be."""

    def __init__(self) -> None:
        self.asleep: dict[float, asyncio.Future[None]] = {}

    async def sleep(self, seconds: float) -> None:
        self.asleep[seconds] = asyncio.get_running_loop().create_future()
        await self.asleep[seconds]

    def end(self, seconds: float) -> None:
        self.asleep.pop(seconds).set_result(None)


def noting(notes: list[str], name: str, error: Exception | None = None) -> Callable[[], Awaitable[None]]:
    async def work() -> None:
        notes.append(name)
        if error is not None:
            raise error

    return work


async def test_each_duty_has_a_period_of_its_own() -> None:
    notes: list[str] = []
    hours = Hours()
    upkeep = Upkeep(
        [
            Duty(name="often", period=1, work=noting(notes, "often")),
            Duty(name="seldom", period=60, work=noting(notes, "seldom")),
            Duty(name="first", period=3600, work=noting(notes, "first"), at_start=True),
        ],
        hours.sleep,
    )
    async with asyncio.TaskGroup() as group:
        group.create_task(upkeep.run())
        await eventually(lambda: set(hours.asleep) == {1, 60, 3600})
        assert notes == ["first"]
        for _ in range(2):
            hours.end(1)
            await eventually(lambda: 1 in hours.asleep)
        hours.end(60)
        await eventually(lambda: 60 in hours.asleep)
        assert notes == ["first", "often", "often", "seldom"]
        await upkeep.stop()


async def test_a_duty_that_waits_holds_no_other_one_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mxgateway_server.upkeep.LAST_ROUND_SECONDS", 0.0)
    notes: list[str] = []
    hours = Hours()

    async def wait() -> None:
        await asyncio.get_running_loop().create_future()

    upkeep = Upkeep(
        [
            Duty(name="stuck", period=9, work=wait, at_start=True),
            Duty(name="free", period=1, work=noting(notes, "free")),
        ],
        hours.sleep,
    )
    async with asyncio.TaskGroup() as group:
        group.create_task(upkeep.run())
        await eventually(lambda: 1 in hours.asleep)
        hours.end(1)
        await eventually(lambda: notes == ["free"])
        await upkeep.stop()


async def test_what_has_a_last_round_gets_it_when_the_others_have_ended() -> None:
    notes: list[str] = []
    upkeep = Upkeep(
        [
            Duty(name="save", period=5, work=noting(notes, "save"), at_end=True),
            Duty(name="look", period=5, work=noting(notes, "look")),
        ],
        Hours().sleep,
    )
    await upkeep.stop()
    await upkeep.run()
    assert notes == ["save"]


@pytest.mark.parametrize(
    ("error", "event"),
    [
        (OperationalError("SELECT", {}, Exception("locked")), "key_store_failed"),
        (OSError(28, "no space left"), "key_store_failed"),
        (RuntimeError("a mistake of ours"), "upkeep_failed"),
    ],
    ids=["database", "disk", "unexpected"],
)
async def test_a_failed_round_is_told_and_tried_again(error: Exception, event: str) -> None:
    notes: list[str] = []
    hours = Hours()
    upkeep = Upkeep([Duty(name="fails", period=1, work=noting(notes, "fails", error))], hours.sleep)
    with structlog.testing.capture_logs() as lines:
        async with asyncio.TaskGroup() as group:
            group.create_task(upkeep.run())
            for _ in range(2):
                await eventually(lambda: 1 in hours.asleep)
                hours.end(1)
            await eventually(lambda: len(notes) == 2)
            await upkeep.stop()
    assert [(line["event"], line["duty"]) for line in lines] == [(event, "fails")] * 2


# ------------------------------------------------------------------------------------------------------------- duties


class Looker:
    """Sessions and pool, as far as upkeep looks at them."""

    def __init__(self) -> None:
        self.checks = self.sweeps = 0
        self.owners: list[tuple[str, int]] = [("good", 0), ("gone", 0)]
        self.closed: list[tuple[str, int]] = []

    def end_of_keys(self, is_valid: Callable[[str, int], bool]) -> None:
        self.closed = [owner for owner in self.owners if not is_valid(*owner)]

    def check_workers(self) -> None:
        self.checks += 1

    check = check_workers

    def sweep(self) -> None:
        self.sweeps += 1


class Keys:
    """Store, authenticator and streams in one, as far as upkeep uses them."""

    def __init__(self) -> None:
        self.valid = {"good"}
        self.callers = (Caller(key_id="good", scopes=frozenset()), Caller(key_id="gone", scopes=frozenset()))
        self.ended: list[str] = []
        self.looks = 0
        self.used = {"good": 5}
        self.stored: dict[str, int] = {}
        self.rehashed: dict[str, Rehashed] = {}
        self.stored_hashes: dict[str, Rehashed] = {}
        self.fails = False
        self.pruned_before: list[int] = []

    async def look(self) -> None:
        self.looks += 1
        if self.fails:
            raise OSError(5, "input/output error")

    def is_key_valid(self, key_id: str, created_ns: int) -> bool:
        return key_id in self.valid

    def is_still_valid(self, caller: Caller) -> bool:
        return caller.key_id in self.valid

    def end(self, caller: Caller) -> None:
        self.ended.append(caller.key_id)

    def take_used(self) -> dict[str, int]:
        used, self.used = self.used, {}
        return used

    def take_rehashed(self) -> dict[str, Rehashed]:
        rehashed, self.rehashed = self.rehashed, {}
        return rehashed

    def put_back_rehashed(self, rehashed: dict[str, Rehashed]) -> None:
        self.rehashed |= rehashed

    async def rehash(self, rehashed: dict[str, Rehashed]) -> None:
        if self.fails:
            raise OSError(28, "no space left")
        self.stored_hashes |= rehashed

    def put_back_used(self, used: dict[str, int]) -> None:
        self.used |= used

    async def mark_used(self, used: dict[str, int]) -> None:
        if self.fails:
            raise OSError(28, "no space left")
        self.stored |= used

    async def prune_audit(self, before_ns: int) -> int:
        self.pruned_before.append(before_ns)
        return 0


def duties(tmp_path: Path, clock: ManualClock, looker: Any, keys: Any, **flags: Any) -> Duties:
    settings = fake_settings(tmp_path, **flags)
    return Duties(
        settings,
        clock,
        sessions=looker,
        pool=looker,
        store=keys,
        authenticator=None if settings.authentication.mode == "disabled" else keys,
        streams=keys,
        connections=keys,
    )


def test_the_settings_say_which_duties_there_are(tmp_path: Path) -> None:
    def names(**flags: Any) -> dict[str, float]:
        made = duties(tmp_path, ManualClock(), Looker(), Keys(), **flags)
        return {duty.name: duty.period for duty in made.all()}

    everything = names(sessions__lease_sweep_interval_seconds=7)
    assert everything == {
        "check-workers": 1.0,
        "watch-connections": 1.0,
        "bound-connections": 0.125,
        "sweep-sessions": 7.0,
        "check-keys": 0.25,
        "save-key-use": 5.0,
        "prune-audit": 3600.0,
    }
    assert set(everything) - set(names(authentication__mode="disabled")) == {"check-keys", "save-key-use"}
    assert "prune-audit" not in names(authentication__audit_retention_days=0)


async def test_workers_are_not_judged_right_after_this_process_stood_still(tmp_path: Path) -> None:
    clock, looker = ManualClock(), Looker()
    made = duties(tmp_path, clock, looker, Keys(), worker__heartbeat_interval_seconds=5)
    clock.advance(1)
    await made.check_workers()
    assert looker.checks == 2
    clock.advance(60)
    await made.check_workers()
    assert looker.checks == 2
    for _ in range(10):
        clock.advance(1)
        await made.check_workers()
    assert looker.checks == 4


async def test_streams_of_keys_that_are_not_valid_any_more_end(tmp_path: Path) -> None:
    keys, looker = Keys(), Looker()
    await duties(tmp_path, ManualClock(), looker, keys).check_keys()
    assert (keys.ended, keys.looks) == (["gone"], 1)
    assert looker.closed == [("gone", 0)]


async def test_streams_end_by_the_clock_also_while_the_store_cannot_be_asked(tmp_path: Path) -> None:
    keys = Keys()
    keys.fails = True
    with pytest.raises(OSError):
        await duties(tmp_path, ManualClock(), Looker(), keys).check_keys()
    assert keys.ended == ["gone"]


async def test_a_duty_that_fails_again_and_again_is_told_twice_a_minute() -> None:
    async def fail() -> None:
        raise OSError(28, "no space left")

    upkeep = Upkeep([Duty(name="often", period=0.25, work=fail)])
    with structlog.testing.capture_logs() as lines:
        for _ in range(240):
            await upkeep.perform("often")
    assert [line["event"] for line in lines] == ["key_store_failed"] * 2


async def test_hashes_that_could_not_be_stored_are_stored_in_the_next_round(tmp_path: Path) -> None:
    keys = Keys()
    keys.rehashed = {"good": Rehashed(b"old", b"new", "0" * 16)}
    made = duties(tmp_path, ManualClock(), Looker(), keys)
    keys.fails = True
    with pytest.raises(OSError):
        await made.save_key_use()
    keys.fails = False
    await made.save_key_use()
    assert (keys.stored_hashes.keys(), keys.rehashed) == ({"good"}, {})


async def test_uses_that_could_not_be_stored_are_stored_in_the_next_round(tmp_path: Path) -> None:
    keys = Keys()
    made = duties(tmp_path, ManualClock(), Looker(), keys)
    keys.fails = True
    with pytest.raises(OSError):
        await made.save_key_use()
    keys.fails = False
    await made.save_key_use()
    assert keys.stored == {"good": 5}
    await made.save_key_use()


async def test_the_audit_loses_what_is_older_than_it_is_kept(tmp_path: Path) -> None:
    clock, keys = ManualClock(), Keys()
    await duties(tmp_path, clock, Looker(), keys, authentication__audit_retention_days=3).prune_audit()
    assert keys.pruned_before == [clock.unix_ns() - 3 * 24 * 3600 * 10**9]


async def test_a_round_under_way_comes_to_its_end_when_the_gateway_stops() -> None:
    """A connection of the key store whose making is broken off would stay open."""
    begun, may_end, ended = asyncio.Event(), asyncio.Event(), []

    async def work() -> None:
        begun.set()
        await may_end.wait()
        ended.append("whole")

    upkeep = Upkeep(
        [Duty(name="slow", period=1.0, work=work, at_start=True), Duty(name="idle", period=60.0, work=work)]
    )
    async with asyncio.TaskGroup() as group:
        running = group.create_task(upkeep.run())
        await begun.wait()
        await upkeep.stop()
        await asyncio.sleep(0)
        assert not running.done()
        may_end.set()
    assert ended == ["whole"]


@pytest.mark.parametrize("period", [0.125, 0.25, 1.0, 5.0])
@pytest.mark.parametrize("now", [0.0, 0.01, 0.12, 0.13, 0.49, 0.51, 0.999, 77.3])
def test_duties_wake_at_times_that_they_share_and_about_as_often_as_they_should(now: float, period: float) -> None:
    wait = until_beat(now, period)
    assert period / 2 <= wait <= period * 3 / 2
    beats = (now + wait) / period
    assert beats == pytest.approx(round(beats))
