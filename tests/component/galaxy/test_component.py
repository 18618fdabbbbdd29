"""The refresher: states, failures, snapshot and events, with a steered source."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, MutableMapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.support.clock import ManualClock
from tests.support.galaxy_rows import DEPLOYED
from tests.support.galaxy_source import MemorySnapshots, SteeredSource, galaxy_data
from tests.support.waiting import eventually

from mxgateway_server.galaxy import GalaxyComponent, GalaxyTiming, SnapshotFile
from mxgateway_server.galaxy.cache import CacheStatus
from mxgateway_server.galaxy.data import GalaxyData
from mxgateway_server.galaxy.deploy_events import DeployNews, Subscription
from mxgateway_server.galaxy.errors import (
    GalaxyDataError,
    GalaxySourceError,
    GalaxyTimeoutError,
    GalaxyUnavailableError,
    SnapshotError,
)

IMPATIENT = GalaxyTiming(
    poll_interval=3600, first_load=0.05, probe=0.05, test_connection=0.05, read=0.05, snapshot=0.05
)
PATIENT = GalaxyTiming(poll_interval=3600, first_load=30, probe=30, read=30, snapshot=30)


def two_objects() -> GalaxyData:
    return galaxy_data([(1, "Area", "", 0, 13), (2, "Pump", "", 1, 10)])


@pytest.fixture
def source() -> SteeredSource:
    return SteeredSource(two_objects())


def component(
    source: SteeredSource, snapshots: MemorySnapshots | None = None, timing: GalaxyTiming = PATIENT
) -> GalaxyComponent:
    return GalaxyComponent(source, snapshots=snapshots, timing=timing, clock=ManualClock())


@asynccontextmanager
async def running(galaxy: GalaxyComponent) -> AsyncIterator[GalaxyComponent]:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(galaxy.run())
        yield galaxy
        await galaxy.stop()


def drain(subscription: Subscription) -> list[DeployNews]:
    news = []
    while (one := subscription.take()) is not None:
        news.append(one)
    return news


async def test_healthy_after_the_first_load(source: SteeredSource) -> None:
    """A database that answers is read once; later looks cost one scalar and change nothing."""
    galaxy = component(source)
    assert galaxy.view.status is CacheStatus.UNKNOWN
    await galaxy.refresh()
    entry = await galaxy.entry()
    assert (galaxy.view.status, entry.sequence, len(entry.index)) == (CacheStatus.HEALTHY, 1, 2)
    await galaxy.refresh()
    assert (await galaxy.entry()) is entry
    assert source.reads == 1


async def test_gone_at_start(source: SteeredSource) -> None:
    """Without database and snapshot the state is UNAVAILABLE with a reason, and callers do not wait again."""
    source.failure = GalaxySourceError("the Galaxy database cannot be reached", "OperationalError: secret words")
    galaxy = component(source)
    with capture_logs() as logs:
        await galaxy.refresh()
    assert galaxy.view.status is CacheStatus.UNAVAILABLE
    with pytest.raises(GalaxyUnavailableError, match="cannot be reached") as caught:
        await galaxy.entry()
    assert "secret words" not in str(caught.value)
    assert [(one["event"], one["error"]) for one in logs] == [
        ("galaxy_refresh_failed", "OperationalError: secret words")
    ]
    source.failure = None
    await galaxy.refresh()
    assert galaxy.view.status is CacheStatus.HEALTHY


async def test_gone_later(source: SteeredSource) -> None:
    """A database that goes away leaves the entry in service as STALE, and is HEALTHY again without a heavy read."""
    galaxy = component(source)
    await galaxy.refresh()
    source.failure = GalaxySourceError("the Galaxy database cannot be reached")
    await galaxy.refresh()
    await galaxy.refresh()
    assert (galaxy.view.status, galaxy.view.failures) == (CacheStatus.STALE, 2)
    assert len((await galaxy.entry()).index) == 2
    source.failure = None
    await galaxy.refresh()
    assert (galaxy.view.status, galaxy.view.failures, source.reads) == (CacheStatus.HEALTHY, 0, 1)


@pytest.mark.parametrize(
    "failure",
    [
        GalaxyTimeoutError("the Galaxy database did not answer in time"),
        GalaxyDataError("the Galaxy database returned unexpected rows", "gobject_id is of type str"),
        RuntimeError("a driver's defect"),
    ],
)
async def test_failing_reads_keep_the_last_good_entry(source: SteeredSource, failure: Exception) -> None:
    """Slow answers, rubbish rows and unexpected exceptions never replace what is served and never end the refresher."""
    galaxy = component(source)
    await galaxy.refresh()
    before = await galaxy.entry()
    source.data = galaxy_data([(1, "Other", "", 0, 10)], DEPLOYED + timedelta(hours=1))
    source.failure = failure
    with capture_logs() as logs:
        await galaxy.refresh()
    assert galaxy.view.status is CacheStatus.STALE
    assert (await galaxy.entry()) is before
    assert logs[-1]["event"] == "galaxy_refresh_failed"
    source.failure = None
    await galaxy.refresh()
    assert [row.tag_name for row in (await galaxy.entry()).index.objects] == ["Other"]


async def test_rubbish_is_not_read_at_every_look(source: SteeredSource) -> None:
    """A deployment that cannot be read is looked at with every poll, but read ever more seldom, and in the end read."""
    clock = ManualClock()
    timing = GalaxyTiming(poll_interval=30, probe=30, read=30, longest_retry=200)
    galaxy = GalaxyComponent(source, timing=timing, clock=clock)
    await galaxy.refresh(insist=False)
    source.data = galaxy_data([(1, "Other", "", 0, 10)], DEPLOYED + timedelta(hours=1))
    source.rubbish = GalaxyDataError("the Galaxy database returned unexpected rows", "gobject_id is of type str")
    read_at: list[int] = []
    with capture_logs() as logs:
        for look in range(30):
            before = source.reads
            await galaxy.refresh(insist=False)
            if source.reads > before:
                read_at.append(look)
            clock.advance(30)
    assert read_at == [0, 1, 3, 7, 14, 21, 28]
    assert source.polls == 2 + 30
    assert [one["retry_in_seconds"] for one in logs] == [30, 60, 120, 200, 200, 200, 200]
    assert (galaxy.view.status, galaxy.view.reason) == (
        CacheStatus.STALE,
        "the Galaxy database returned unexpected rows",
    )
    source.rubbish = None
    for _ in range(7):
        await galaxy.refresh(insist=False)
        clock.advance(30)
    assert [row.tag_name for row in (await galaxy.entry()).index.objects] == ["Other"]
    assert galaxy.view.status is CacheStatus.HEALTHY


@pytest.mark.parametrize("what", ["deployed", "gone and back", "asked for"])
async def test_what_ends_the_wait_for_rubbish(source: SteeredSource, what: str) -> None:
    """Another deployment, a database that was away in between, and somebody's wish have it read at once."""
    galaxy = component(source)
    source.rubbish = GalaxyDataError("the Galaxy database returned unexpected rows")
    for _ in range(3):
        await galaxy.refresh(insist=False)
    assert (source.reads, galaxy.view.status) == (1, CacheStatus.UNAVAILABLE)
    source.rubbish = None
    if what == "deployed":
        source.data = galaxy_data([], DEPLOYED - timedelta(hours=1))
    elif what == "gone and back":
        source.failure = GalaxySourceError("the Galaxy database cannot be reached")
        await galaxy.refresh(insist=False)
        source.failure = None
    await galaxy.refresh(insist=what == "asked for")
    assert (source.reads, galaxy.view.status) == (2, CacheStatus.HEALTHY)


async def test_unexpected_exception_in_the_first_load(source: SteeredSource) -> None:
    """The background task survives whatever the first load raises, and the next look loads."""
    source.failure = RuntimeError("a driver's defect")
    async with running(component(source)) as galaxy:
        await eventually(lambda: galaxy.view.status is CacheStatus.UNAVAILABLE)
        source.failure = None
        galaxy.refresh_soon()
        await eventually(lambda: galaxy.view.status is CacheStatus.HEALTHY)


async def test_hanging_database(source: SteeredSource) -> None:
    """A look that hangs is given up; no second thread is piled onto it, and once it ends all is well again."""
    source.gate.clear()
    galaxy = component(source, timing=IMPATIENT)
    with capture_logs() as logs:
        await galaxy.refresh()
        await galaxy.refresh()
    assert (galaxy.view.status, source.polls) == (CacheStatus.UNAVAILABLE, 1)
    assert "in time" in galaxy.view.reason
    assert all(one["error"] for one in logs)
    assert await galaxy.test_connection() is False
    source.gate.set()
    await eventually(lambda: source.polls == 1)
    for _ in range(100):
        await galaxy.refresh()
        if galaxy.view.status is CacheStatus.HEALTHY:
            break
    assert galaxy.view.status is CacheStatus.HEALTHY


async def test_first_callers_wait_a_bounded_time(source: SteeredSource) -> None:
    """While the first load runs a caller waits, then gets UNAVAILABLE; a caller in time gets the entry."""
    source.gate.clear()
    async with running(component(source, timing=GalaxyTiming(first_load=0.01))) as galaxy:
        with pytest.raises(GalaxyUnavailableError, match="still being read"):
            await galaxy.entry()
        assert galaxy.view.status is CacheStatus.UNKNOWN
        source.gate.set()
        await eventually(lambda: galaxy.view.status is CacheStatus.HEALTHY)
        assert (await galaxy.entry()).sequence == 1


async def test_backup_restored(source: SteeredSource) -> None:
    """A deploy time that goes backwards, or vanishes, is a change."""
    galaxy = component(source)
    await galaxy.refresh()
    source.data = galaxy_data([(1, "Older", "", 0, 10)], DEPLOYED - timedelta(days=1))
    await galaxy.refresh()
    assert [row.tag_name for row in (await galaxy.entry()).index.objects] == ["Older"]
    source.data = galaxy_data([], None)
    await galaxy.refresh()
    entry = await galaxy.entry()
    assert (entry.sequence, entry.deploy_time, len(entry.index)) == (3, None, 0)


async def test_deployment_while_reading(source: SteeredSource) -> None:
    """A deployment in the middle of a heavy read is met by another read at once, not at the next poll."""
    newer = galaxy_data([(1, "Newer", "", 0, 10)], DEPLOYED + timedelta(seconds=1))

    def deploy() -> None:
        source.data = newer

    source.on_read = deploy
    galaxy = component(source)
    await galaxy.refresh()
    assert (source.reads, (await galaxy.entry()).index.deploy_time) == (2, newer.deploy_time)
    assert galaxy.view.status is CacheStatus.HEALTHY


async def test_snapshot_serves_a_restart(source: SteeredSource) -> None:
    """A restart without database serves the snapshot as STALE at once; the database back with the same time confirms it
    without a heavy read, and without a second event."""
    snapshots = MemorySnapshots()
    await component(source, snapshots).refresh()
    assert snapshots.saves == 1
    source.failure = GalaxySourceError("the Galaxy database cannot be reached")
    async with running(component(source, snapshots)) as galaxy:
        entry = await galaxy.entry()
        assert (entry.restored, len(entry.index)) == (True, 2)
        await eventually(lambda: galaxy.view.failures == 1)
        assert galaxy.view.status is CacheStatus.STALE
        heard = galaxy.notifier.subscribe(lambda: None)
        source.failure = None
        reads = source.reads
        galaxy.refresh_soon()
        await eventually(lambda: galaxy.view.status is CacheStatus.HEALTHY)
        assert (await galaxy.entry()) is entry
        assert (source.reads, snapshots.saves) == (reads, 1)
        assert [news.sequence for news in drain(heard)] == [1]


async def test_snapshot_serves_while_the_database_hangs(source: SteeredSource) -> None:
    """A restored snapshot is served at once, before the first look at a database that does not answer has come out."""
    snapshots = MemorySnapshots()
    await component(source, snapshots).refresh()
    source.gate.clear()
    async with running(component(source, snapshots)) as galaxy:
        async with asyncio.timeout(10):
            entry = await galaxy.entry()
        assert (entry.restored, galaxy.view.status, galaxy.view.failures) == (True, CacheStatus.STALE, 0)
        source.gate.set()
        await eventually(lambda: galaxy.view.status is CacheStatus.HEALTHY)


async def test_snapshot_of_an_older_deployment(source: SteeredSource) -> None:
    """A newer deployment than the snapshot's replaces it and is kept in its place."""
    snapshots = MemorySnapshots()
    await component(source, snapshots).refresh()
    source.data = galaxy_data([(1, "Newer", "", 0, 10)], DEPLOYED + timedelta(hours=1))
    async with running(component(source, snapshots)) as galaxy:
        await eventually(lambda: galaxy.view.status is CacheStatus.HEALTHY)
        assert (await galaxy.entry()).sequence == 2
        await eventually(lambda: snapshots.kept["steered"] is source.data)


@pytest.mark.parametrize("failure", [SnapshotError("it is truncated"), OSError("no disk"), RuntimeError("defect")])
async def test_useless_snapshot(source: SteeredSource, failure: Exception) -> None:
    """A snapshot that cannot be read or written costs a log line and nothing else."""
    snapshots = MemorySnapshots()
    snapshots.failure = failure
    with capture_logs() as logs:
        async with running(component(source, snapshots)) as galaxy:
            await eventually(lambda: galaxy.view.status is CacheStatus.HEALTHY and snapshots.saves == 1)
    assert "galaxy_snapshot_ignored" in {one["event"] for one in logs}


def complaints(logs: Sequence[MutableMapping[str, Any]]) -> list[MutableMapping[str, Any]]:
    return [one for one in logs if one["event"] == "galaxy_snapshot_not_saved"]


@pytest.mark.parametrize("place", ["the path is a folder", "the folder is a file", "the folder cannot be written"])
async def test_snapshot_that_cannot_be_kept(source: SteeredSource, tmp_path: Path, place: str) -> None:
    """Whatever stands in the way of the snapshot: a line in the log with the reason, and browse goes on."""
    path = tmp_path / "state" / "snapshot.gz"
    if place == "the path is a folder":
        path.mkdir(parents=True)
    elif place == "the folder is a file":
        path.parent.write_text("")
    else:
        # The one folder that nobody can write to, not even root.
        path = Path("/proc/mxgateway/snapshot.gz")
    galaxy = GalaxyComponent(source, snapshots=SnapshotFile(path, [b"k"]), timing=PATIENT, clock=ManualClock())
    with capture_logs() as logs:
        async with running(galaxy):
            await eventually(lambda: len(complaints(logs)) == 1)
            source.data = galaxy_data([], DEPLOYED + timedelta(hours=1))
            galaxy.refresh_soon()
            await eventually(lambda: len(complaints(logs)) == 2)
            assert (await galaxy.entry()).sequence == 2
            assert galaxy.view.status is CacheStatus.HEALTHY
    assert all(one["reason"] and one["log_level"] == "warning" for one in complaints(logs))
    assert await asyncio.to_thread(lambda: list(tmp_path.rglob(".*"))) == []


@pytest.mark.parametrize("damage", ["truncated", "of another Galaxy", "no snapshot at all"])
async def test_damaged_snapshot_and_no_database(source: SteeredSource, tmp_path: Path, damage: str) -> None:
    """A snapshot that cannot be trusted is not served: callers hear at once that there is nothing, and why."""
    snapshots = SnapshotFile(tmp_path / "snapshot.gz", [b"k"])
    snapshots.save("another" if damage == "of another Galaxy" else source.identity, source.data)
    whole = (tmp_path / "snapshot.gz").read_bytes()
    if damage == "truncated":
        (tmp_path / "snapshot.gz").write_bytes(whole[: len(whole) // 2])
    elif damage == "no snapshot at all":
        (tmp_path / "snapshot.gz").write_bytes(b"something else")
    source.failure = GalaxySourceError("the Galaxy database cannot be reached")
    galaxy = GalaxyComponent(source, snapshots=snapshots, timing=PATIENT, clock=ManualClock())
    with capture_logs() as logs:
        async with running(galaxy):
            with pytest.raises(GalaxyUnavailableError, match="cannot be reached"):
                await galaxy.entry()
            assert galaxy.view.status is CacheStatus.UNAVAILABLE
            source.failure = None
            galaxy.refresh_soon()
            await eventually(lambda: galaxy.view.status is CacheStatus.HEALTHY)
    assert [one["event"] for one in logs[:2]] == ["galaxy_snapshot_ignored", "galaxy_refresh_failed"]


async def test_stuck_disk(source: SteeredSource) -> None:
    """A disk that hangs delays nothing for ever: the database is looked at, and again, and the entry is served."""
    snapshots = MemorySnapshots()
    snapshots.gate.clear()
    timing = GalaxyTiming(poll_interval=3600, first_load=30, probe=30, read=30, snapshot=0.02)
    try:
        with capture_logs() as logs:
            async with running(component(source, snapshots, timing)) as galaxy:
                await eventually(lambda: galaxy.view.status is CacheStatus.HEALTHY)
                source.data = galaxy_data([], DEPLOYED + timedelta(hours=1))
                galaxy.refresh_soon()
                await eventually(lambda: galaxy.view.entry is not None and galaxy.view.entry.sequence == 2)
        reasons = [one["reason"] for one in logs if one["event"].startswith("galaxy_snapshot")]
        assert reasons[0] == "the disk did not answer in time"
    finally:
        snapshots.gate.set()


async def test_stop_during_a_save_is_no_failure(source: SteeredSource) -> None:
    """Shutting down while the snapshot is written is not logged as a failure."""
    snapshots = MemorySnapshots()
    with capture_logs() as logs:
        async with running(component(source, snapshots)) as galaxy:
            await eventually(lambda: galaxy.view.status is CacheStatus.HEALTHY and snapshots.saves == 1)
            snapshots.gate.clear()
            source.data = galaxy_data([], None)
            galaxy.refresh_soon()
            await eventually(lambda: snapshots.saves == 2)
    snapshots.gate.set()
    assert not [one for one in logs if one["log_level"] in {"warning", "error"}]


async def test_connection_probes_are_shared_and_never_raise(source: SteeredSource) -> None:
    """Many callers at once cost two probes at most; any failure is a plain no."""
    galaxy = component(source)
    assert await asyncio.gather(*(galaxy.test_connection() for _ in range(20))) == [True] * 20
    assert source.probes <= 2
    for failure in (GalaxySourceError("gone"), RuntimeError("defect"), TimeoutError()):
        source.failure = failure
        assert await galaxy.test_connection() is False


async def test_connection_has_a_bound_of_its_own(source: SteeredSource) -> None:
    """Whoever asks a database that hangs hears no soon, however long a look may take and however many ask."""
    source.gate.clear()
    timing = GalaxyTiming(poll_interval=3600, probe=30, test_connection=0.05)
    galaxy = component(source, timing=timing)
    with capture_logs() as logs:
        async with asyncio.timeout(20):
            assert await asyncio.gather(*(galaxy.test_connection() for _ in range(20))) == [False] * 20
    assert source.probes == 1
    assert {(one["event"], one["reason"]) for one in logs} == {
        ("galaxy_probe_failed", "the Galaxy database did not answer in time")
    }
    source.gate.set()
    for _ in range(100):
        if await galaxy.test_connection():
            break
    assert await galaxy.test_connection()


async def test_a_caller_that_leaves_is_no_answer_for_the_others(source: SteeredSource) -> None:
    """A call that its client cancels while it asks the database does not make the answer of those who wait."""
    source.gate.clear()
    galaxy = component(source)
    callers = [asyncio.ensure_future(galaxy.test_connection()) for _ in range(3)]
    await eventually(lambda: source.probes == 1)
    callers[0].cancel()
    source.gate.set()
    assert await asyncio.gather(*callers[1:]) == [True, True]
    assert callers[0].cancelled()


async def test_lookup(source: SteeredSource) -> None:
    """References are looked up in what is served; nothing loaded is nothing found."""
    galaxy = component(source)
    assert galaxy.lookup("Pump.A0") is None
    await galaxy.refresh()
    facts = galaxy.lookup("pump.a0")
    assert facts is not None
    assert (facts.full_tag_reference, facts.contained_path, facts.attribute.is_alarm) == ("Pump.A0", "Area/Pump", True)
    assert [one.full_tag_reference for one in galaxy.alarm_attributes()] == ["Area.A0", "Pump.A0"]
