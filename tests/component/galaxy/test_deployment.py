"""Deploy and undeploy of a simulated Galaxy, seen by a browsing client: poll, cache, event, browse again."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import grpc
from tests.support.guarded import open_guard
from tests.support.waiting import eventually

from mxgateway.generated import galaxy_repository_pb2 as pb
from mxgateway.generated import galaxy_repository_pb2_grpc as pb_grpc
from mxgateway_server.galaxy import (
    GalaxyComponent,
    GalaxyRepositoryService,
    GalaxyTiming,
    SnapshotFile,
    SqlGalaxySource,
)
from mxgateway_server.galaxy.cache import CacheStatus
from mxgateway_simulator.building.builder import build_galaxy
from mxgateway_simulator.building.description_reader import read_description
from mxgateway_simulator.plant.deployment import Deployment

NOW = datetime(2030, 1, 2, 3, 4, 5, 670_000, tzinfo=UTC)


async def test_undeploy_and_deploy_reach_the_client(tmp_path: Path) -> None:
    """Undeployed objects vanish from browse and from look-ups with an event, and come back when deployed."""
    database = tmp_path / "reference.db"
    build_galaxy(read_description("reference"), database, 0)
    galaxy = GalaxyComponent(SqlGalaxySource(str(database)), timing=GalaxyTiming(poll_interval=3600))
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((open_guard().over((GalaxyRepositoryService(galaxy).handler(),)),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with asyncio.TaskGroup() as tasks, grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        tasks.create_task(galaxy.run())
        stub = pb_grpc.GalaxyRepositoryStub(channel)
        try:
            before = await stub.BrowseChildren(pb.BrowseChildrenRequest(parent_tag_name="TestArea"))
            assert "TestMachine_001" in [one.tag_name for one in before.children]
            assert galaxy.lookup("TestMachine_001.TestChangingInt") is not None
            assert galaxy.lookup("TestMachine_001.DelmiaReceiver.DownloadPath") is not None
            watch = stub.WatchDeployEvents(pb.WatchDeployEventsRequest())
            first = await watch.read()

            Deployment(database, NOW).undeploy(["TestMachine_001"], cascade=True)
            galaxy.refresh_soon()
            gone = await watch.read()
            assert (gone.sequence, gone.time_of_last_deploy.ToDatetime()) == (2, NOW.replace(tzinfo=None))
            assert gone.object_count < first.object_count
            after = await stub.BrowseChildren(pb.BrowseChildrenRequest(parent_tag_name="TestArea"))
            assert "TestMachine_001" not in [one.tag_name for one in after.children]
            assert after.cache_sequence == before.cache_sequence + 1
            assert galaxy.lookup("TestMachine_001.TestChangingInt") is None

            Deployment(database, NOW.replace(hour=4)).deploy(["TestMachine_001"], cascade=True)
            galaxy.refresh_soon()
            back = await watch.read()
            assert (back.sequence, back.object_count, back.attribute_count) == (
                3,
                first.object_count,
                first.attribute_count,
            )
        finally:
            await galaxy.stop()
            await server.stop(None)


async def test_a_file_that_was_built_anew(tmp_path: Path) -> None:
    """A Galaxy built anew under its old name keeps its deploy time; a restart serves it, not the snapshot."""
    database = tmp_path / "galaxy.db"
    snapshots = SnapshotFile(tmp_path / "snapshot", [b"k"])
    sizes, sequences = [], []
    for objects in (0, None, 200):
        if objects is not None:
            database.unlink(missing_ok=True)
            build_galaxy(read_description("reference"), database, objects)
        galaxy = GalaxyComponent(SqlGalaxySource(str(database)), snapshots=snapshots)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(galaxy.run())
            await eventually(lambda galaxy=galaxy: galaxy.view.status is CacheStatus.HEALTHY)
            entry = await galaxy.entry()
            sizes.append((len(entry.index), entry.deploy_time))
            sequences.append(entry.sequence)
            await galaxy.stop()
    assert sizes[0] == sizes[1]
    assert sizes[2][1] == sizes[0][1]
    assert sizes[2][0] > sizes[0][0] + 100
    assert sequences == [1, 1, 2], "the same Galaxy is no new deployment"
