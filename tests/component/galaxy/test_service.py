"""The Galaxy service over gRPC, on the edge database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from tests.support.galaxy_rows import EXPECTED_ATTRIBUTES, EXPECTED_OBJECTS, edge_rows

from mxgateway.generated import galaxy_repository_pb2 as pb
from mxgateway.generated import galaxy_repository_pb2_grpc as pb_grpc
from mxgateway_server.galaxy import GalaxyComponent, GalaxyRepositoryService, GalaxySource, SqlGalaxySource


@asynccontextmanager
async def serving(source: GalaxySource) -> AsyncIterator[tuple[GalaxyComponent, pb_grpc.GalaxyRepositoryStub]]:
    galaxy = GalaxyComponent(source)
    server = grpc.aio.server()
    GalaxyRepositoryService(galaxy).add_to_server(server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with asyncio.TaskGroup() as tasks, grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        await galaxy.start(tasks)
        yield galaxy, pb_grpc.GalaxyRepositoryStub(channel)
        await galaxy.stop()
        await server.stop(None)


@pytest.fixture
def edge_source(tmp_path: Path) -> SqlGalaxySource:
    return SqlGalaxySource(edge_rows().write_file(tmp_path / "edge.db"))


async def test_discovers_everything_page_by_page(edge_source: SqlGalaxySource) -> None:
    """Pages of three join up to every object once, parents first, with all attributes and the same total."""
    async with serving(edge_source) as (_, stub):
        found: list[pb.GalaxyObject] = []
        token = ""
        while True:
            reply = await stub.DiscoverHierarchy(pb.DiscoverHierarchyRequest(page_size=3, page_token=token))
            assert reply.total_object_count == len(EXPECTED_OBJECTS)
            found.extend(reply.objects)
            token = reply.next_page_token
            if not token:
                break
    assert sorted(one.tag_name for one in found) == sorted(EXPECTED_OBJECTS)
    seen = {0}
    for one in found:
        assert one.parent_gobject_id in seen
        seen.add(one.gobject_id)
        if one.tag_name in EXPECTED_ATTRIBUTES:
            assert {attribute.attribute_name for attribute in one.attributes} == EXPECTED_ATTRIBUTES[one.tag_name]
