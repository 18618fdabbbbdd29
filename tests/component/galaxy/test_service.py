"""The Galaxy service over gRPC, on the edge database."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.protobuf.wrappers_pb2 import Int32Value
from tests.support.galaxy_rows import DEPLOYED, EXPECTED_ATTRIBUTES, EXPECTED_OBJECTS, edge_database, set_deploy_time
from tests.support.galaxy_source import SteeredSource, galaxy_data
from tests.support.guarded import open_guard
from tests.support.waiting import eventually

from mxgateway.generated import galaxy_repository_pb2 as pb
from mxgateway.generated import galaxy_repository_pb2_grpc as pb_grpc
from mxgateway.rpc_errors import map_rpc_error
from mxgateway_server.galaxy import GalaxyComponent, GalaxyRepositoryService, GalaxySource, SqlGalaxySource, selection
from mxgateway_server.galaxy.errors import GalaxySourceError
from mxgateway_server.galaxy.service import BrowseScope


@asynccontextmanager
async def serving(
    source: GalaxySource, scope: BrowseScope = lambda _: (), **more: Any
) -> AsyncIterator[tuple[GalaxyComponent, pb_grpc.GalaxyRepositoryStub]]:
    galaxy = GalaxyComponent(source)
    server = grpc.aio.server()
    service = GalaxyRepositoryService(galaxy, scope=scope, **more)
    server.add_generic_rpc_handlers((open_guard().over((service.handler(),)),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with asyncio.TaskGroup() as tasks, grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        tasks.create_task(galaxy.run())
        try:
            yield galaxy, pb_grpc.GalaxyRepositoryStub(channel)
        finally:
            await galaxy.stop()
            await server.stop(None)


@pytest.fixture
def edge_source(tmp_path: Path) -> SqlGalaxySource:
    return SqlGalaxySource(edge_database(tmp_path / "edge.db"))


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


async def discover(stub: pb_grpc.GalaxyRepositoryStub, **arguments: object) -> list[str]:
    request = pb.DiscoverHierarchyRequest(**arguments)  # type: ignore[arg-type]
    return [one.tag_name for one in (await stub.DiscoverHierarchy(request)).objects]


async def refused(call: Awaitable[object]) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code(), caught.value.details() or ""


async def reasons(call: Awaitable[object]) -> tuple[str, float | None]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    error = map_rpc_error(caught.value, "Browse", sessions=False)
    return error.reason, error.retry_after


async def test_root_depth_and_filters(edge_source: SqlGalaxySource) -> None:
    """Roots by id, tag name and path, depth below them, and filters by AND."""
    async with serving(edge_source) as (_, stub):
        inner = ["AreaInner", "Pump_001", "Tank_001", "Valve_001"]
        assert await discover(stub, root_gobject_id=101) == inner
        assert await discover(stub, root_tag_name="areainner") == inner
        assert await discover(stub, root_contained_path="areaone/areainner") == inner
        assert await discover(stub, root_gobject_id=101, max_depth=Int32Value(value=1)) == inner[:3]
        assert await discover(stub, root_gobject_id=101, max_depth=Int32Value(value=0)) == inner[:1]
        assert await discover(stub, root_gobject_id=101, category_ids=[10], tag_name_glob="*_001") == inner[1:]
        assert await discover(stub, template_chain_contains=["tank"]) == ["Tank_001"]
        assert await discover(stub, alarm_bearing_only=True) == ["Tank_001"]
        assert await discover(stub, historized_only=True, tag_name_glob="x*") == []
        assert await discover(stub, tag_name_glob="mix_50%") == ["Mix_50%"]
        assert await discover(stub, tag_name_glob="größe*") == ["Größe_Öl"]


async def test_attributes_are_optional(edge_source: SqlGalaxySource) -> None:
    """Attributes come unless include_attributes is false; a platform has its built-in ones only."""
    async with serving(edge_source) as (_, stub):
        request = pb.DiscoverHierarchyRequest(root_tag_name="Platform_001")
        (platform,) = (await stub.DiscoverHierarchy(request)).objects
        nodes, scan = platform.attributes
        assert (nodes.full_tag_reference, nodes.is_array, nodes.array_dimension) == (
            "Platform_001.NodeNames[]",
            True,
            4,
        )
        assert (scan.full_tag_reference, scan.data_type_name) == ("Platform_001.ScanState", "Boolean")
        assert not scan.array_dimension_present
        arrays = pb.DiscoverHierarchyRequest(root_tag_name="Arrays_001")
        (found,) = (await stub.DiscoverHierarchy(arrays)).objects
        dimensions = {
            one.attribute_name: (one.array_dimension_present, one.array_dimension)
            for one in found.attributes
            if one.is_array
        }
        assert dimensions == {
            "Long": (True, 300),
            "Short": (True, 50),
            "Empty": (True, 0),
            "Unknown": (False, 0),
            "Absent": (False, 0),
        }
        request.include_attributes = False
        (platform,) = (await stub.DiscoverHierarchy(request)).objects
        assert not platform.attributes


async def test_origins_choose_attributes_and_ancestors_lead_to_what_passes(edge_source: SqlGalaxySource) -> None:
    """An origin is chosen in both calls; ancestors come bare; an origin that nobody knows is refused by its name."""
    configured = [pb.ATTRIBUTE_ORIGIN_CONFIGURED]
    async with serving(edge_source) as (_, stub):
        request = pb.DiscoverHierarchyRequest(
            tag_name_glob="valve*", attribute_origins=configured, include_ancestors=True
        )
        found = (await stub.DiscoverHierarchy(request)).objects
        names = [[attribute.attribute_name for attribute in one.attributes] for one in found]
        assert [one.tag_name for one in found] == ["AreaOne", "AreaInner", "Tank_001", "Valve_001"]
        assert names == [[], [], [], ["Level", "Shared", "TWICE"]]
        level = found[-1].attributes[0]
        assert (level.engineering_units, level.description) == ("m", "Füllstand 🍺")
        children = await stub.BrowseChildren(
            pb.BrowseChildrenRequest(
                parent_gobject_id=101, tag_name_glob="valve*", attribute_origins=configured, include_ancestors=True
            )
        )
        assert [(one.tag_name, len(one.attributes)) for one in children.children] == [("Tank_001", 0)]
        assert list(children.child_has_children) == [True]
        for unknown in (0, 77):
            code, text = await refused(stub.DiscoverHierarchy(pb.DiscoverHierarchyRequest(attribute_origins=[unknown])))
            assert (code, f"attribute_origins has {unknown}" in text) == (grpc.StatusCode.INVALID_ARGUMENT, True)


async def test_bad_requests(edge_source: SqlGalaxySource) -> None:
    """Unknown roots are NOT_FOUND, wrong arguments INVALID_ARGUMENT with the argument's name."""
    async with serving(edge_source) as (_, stub):

        async def answer(**arguments: object) -> tuple[grpc.StatusCode, str]:
            return await refused(stub.DiscoverHierarchy(pb.DiscoverHierarchyRequest(**arguments)))  # type: ignore[arg-type]

        for unknown in ({"root_gobject_id": 999}, {"root_tag_name": "x"}, {"root_contained_path": "a/b"}):
            assert (await answer(**unknown))[0] is grpc.StatusCode.NOT_FOUND
        for wrong, name in (
            ({"page_size": -1}, "page_size"),
            ({"max_depth": Int32Value(value=-1)}, "max_depth"),
            ({"root_tag_name": ""}, "tag name"),
            ({"root_contained_path": "/"}, "contained path"),
            ({"page_token": "rubbish"}, "page_token"),
            ({"category_ids": range(200)}, "category_ids"),
        ):
            code, details = await answer(**wrong)
            assert code is grpc.StatusCode.INVALID_ARGUMENT
            assert name in details
        missing = pb.BrowseChildrenRequest(parent_tag_name="Ghost_001")
        assert (await refused(stub.BrowseChildren(missing)))[0] is grpc.StatusCode.NOT_FOUND
        watch = pb.WatchDeployEventsRequest(last_seen_deploy_time=Timestamp(seconds=2**60))
        assert (await refused(stub.WatchDeployEvents(watch).read()))[0] is grpc.StatusCode.INVALID_ARGUMENT


async def test_tokens_are_bound(edge_source: SqlGalaxySource, tmp_path: Path) -> None:
    """A token works with another page size only; other arguments, the other call and a new deployment refuse it."""
    async with serving(edge_source) as (galaxy, stub):
        first = await stub.DiscoverHierarchy(pb.DiscoverHierarchyRequest(page_size=2, category_ids=[10]))
        token = first.next_page_token
        again = pb.DiscoverHierarchyRequest(page_size=3, category_ids=[10], page_token=token)
        assert len((await stub.DiscoverHierarchy(again)).objects) == 3
        other = pb.DiscoverHierarchyRequest(page_size=2, category_ids=[13], page_token=token)
        browse = pb.BrowseChildrenRequest(page_size=2, category_ids=[10], page_token=token)
        for call in (stub.DiscoverHierarchy(other), stub.BrowseChildren(browse)):
            code, details = await refused(call)
            assert code is grpc.StatusCode.INVALID_ARGUMENT
            assert "other arguments" in details
        set_deploy_time(tmp_path / "edge.db", DEPLOYED + timedelta(hours=1))
        await galaxy.refresh()
        code, details = await refused(stub.DiscoverHierarchy(again))
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert "earlier deployment" in details


async def test_browse_children(edge_source: SqlGalaxySource) -> None:
    """Areas first, then by name; paging, the hint of further children, and filters on both."""
    async with serving(edge_source) as (_, stub):
        top = await stub.BrowseChildren(pb.BrowseChildrenRequest(include_attributes=False))
        assert [one.browse_name for one in top.children] == [
            "AreaOne",
            "LoopA",
            "Left",
            "NoPackage_001",
            "Orphan_001",
            "Platform_001",
            "Self_001",
            "View_001",
        ]
        assert list(top.child_has_children) == [True, True, False, False, False, False, False, False]
        assert (top.total_child_count, top.next_page_token, top.cache_sequence) == (8, "", 1)
        page = pb.BrowseChildrenRequest(parent_tag_name="AreaOne", page_size=3)
        names: list[str] = []
        while True:
            reply = await stub.BrowseChildren(page)
            names += [one.browse_name for one in reply.children]
            assert len(reply.child_has_children) == len(reply.children)
            page.page_token = reply.next_page_token
            if not page.page_token:
                break
        assert names == ["AreaInner", "Arrays_001", "Changed_001", "Deep_001", "Engine_001", "Größe_Öl", "Mix_50%"]
        areas = await stub.BrowseChildren(pb.BrowseChildrenRequest(category_ids=[13]))
        assert [one.tag_name for one in areas.children] == ["AreaOne", "LoopA"]
        assert list(areas.child_has_children) == [True, True]
        inner = await stub.BrowseChildren(pb.BrowseChildrenRequest(parent_contained_path="AreaOne", category_ids=[13]))
        assert list(inner.child_has_children) == [False]


async def test_scope_restricts_browse(edge_source: SqlGalaxySource) -> None:
    """A caller's subtrees: nothing else is listed, and what leads there is shown bare in the tree."""
    async with serving(edge_source, lambda _: ["AreaOne/AreaInner/Tank_*"]) as (_, stub):
        assert await discover(stub) == ["Tank_001", "Valve_001"]
        reply = await stub.BrowseChildren(pb.BrowseChildrenRequest())
        assert [(one.tag_name, len(one.attributes)) for one in reply.children] == [("AreaOne", 0)]
        hidden = pb.DiscoverHierarchyRequest(root_tag_name="Platform_001")
        assert (await refused(stub.DiscoverHierarchy(hidden)))[0] is grpc.StatusCode.NOT_FOUND


async def test_scope_leaks_nothing(edge_source: SqlGalaxySource) -> None:
    """What a key may not browse does not show in counts, hints, roots, filters, tokens or in the words of errors."""
    scope = ["AreaOne/AreaInner/Tank_*"]
    async with serving(edge_source, lambda _: scope) as (galaxy, stub):
        await galaxy.entry()
        everything = await stub.DiscoverHierarchy(pb.DiscoverHierarchyRequest())
        assert everything.total_object_count == 2
        attributes = sum(len(one.attributes) for one in everything.objects)
        inner = await stub.BrowseChildren(pb.BrowseChildrenRequest(parent_tag_name="AreaInner"))
        assert (inner.total_child_count, list(inner.child_has_children)) == (1, [True])
        top = await stub.BrowseChildren(pb.BrowseChildrenRequest(page_size=1))
        assert (top.total_child_count, top.next_page_token, list(top.child_has_children)) == (1, "", [True])
        for hidden, absent in (
            ({"root_gobject_id": 102}, {"root_gobject_id": 902}),
            ({"root_tag_name": "Platform_001"}, {"root_tag_name": "Platform_901"}),
            ({"root_contained_path": "AreaOne/Deep_001"}, {"root_contained_path": "AreaOne/Deep_901"}),
        ):
            answers = [
                await refused(stub.DiscoverHierarchy(pb.DiscoverHierarchyRequest(**one))) for one in (hidden, absent)
            ]
            browse = [{key.replace("root", "parent"): value for key, value in one.items()} for one in (hidden, absent)]
            answers += [await refused(stub.BrowseChildren(pb.BrowseChildrenRequest(**one))) for one in browse]
            # Each absent name differs from the hidden one by a 9 alone.
            assert len({(code, details.translate({ord("9"): "0", ord("1"): "0"})) for code, details in answers}) == 1
            assert answers[0][0] is grpc.StatusCode.NOT_FOUND
        watch = stub.WatchDeployEvents(pb.WatchDeployEventsRequest())
        news = await watch.read()
        assert (news.object_count, news.attribute_count) == (2, attributes)
        watch.cancel()


async def test_a_watch_is_known_to_stand_before_there_is_news(edge_source: SqlGalaxySource) -> None:
    """The headers come at once: some clients return from opening a stream only with them."""
    async with serving(edge_source) as (galaxy, stub):
        await galaxy.entry()
        watch = stub.WatchDeployEvents(pb.WatchDeployEventsRequest())
        known = (await watch.read()).time_of_last_deploy
        watch.cancel()
        quiet = stub.WatchDeployEvents(pb.WatchDeployEventsRequest(last_seen_deploy_time=known))
        async with asyncio.timeout(10):
            await quiet.initial_metadata()
        quiet.cancel()


async def test_watches_of_a_key_are_bounded_and_ended_ones_make_room(edge_source: SqlGalaxySource) -> None:
    """Whoever opens watches without end is refused, and those of other keys are not counted with his."""
    callers = ["a"]
    async with serving(edge_source, key_id=lambda: callers[0], max_watches=2) as (galaxy, stub):
        mine = [stub.WatchDeployEvents(pb.WatchDeployEventsRequest()) for _ in range(2)]
        for watch in mine:
            await watch.read()
        code, text = await refused(stub.WatchDeployEvents(pb.WatchDeployEventsRequest()).read())
        assert (code, "galaxy.max_watches_per_key" in text) == (grpc.StatusCode.RESOURCE_EXHAUSTED, True)
        callers[0] = "b"
        other = stub.WatchDeployEvents(pb.WatchDeployEventsRequest())
        await other.read()
        callers[0] = "a"
        mine[0].cancel()
        await eventually(lambda: len(galaxy.notifier) == 2)
        again = stub.WatchDeployEvents(pb.WatchDeployEventsRequest())
        await again.read()
        for watch in (mine[1], other, again):
            watch.cancel()


async def test_watchers_with_one_scope_share_its_globs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The globs of a limited key are matched once a deployment, not once an event and watcher."""
    matched: list[object] = []
    original = selection.in_scope
    monkeypatch.setattr(selection, "in_scope", lambda index, globs: matched.append(globs) or original(index, globs))
    source = SteeredSource(galaxy_data([(1, "Mine", "", 0, 10), (2, "Other", "", 0, 10)]))
    async with serving(source, lambda _: ["Mine"]) as (galaxy, stub):
        await galaxy.entry()
        for deployment in (1, 2):
            for _ in range(4):
                watch = stub.WatchDeployEvents(pb.WatchDeployEventsRequest())
                news = await watch.read()
                assert (news.sequence, news.object_count, news.attribute_count) == (deployment, 1, 2)
                watch.cancel()
            assert len(matched) == deployment
            source.data = galaxy_data([(1, "Mine", "", 0, 10)], DEPLOYED + timedelta(hours=1))
            await galaxy.refresh()


async def test_bare_ancestors_pass_no_attribute_filter() -> None:
    """An area above the scope is shown without attributes, so filters by attributes do not tell of them either."""
    rows = [(1, "Area", "", 0, 13), (2, "Mine", "", 1, 10), (3, "Other", "", 1, 10)]
    async with serving(SteeredSource(galaxy_data(rows)), lambda _: ["Area/Mine"]) as (_, stub):
        top = await stub.BrowseChildren(pb.BrowseChildrenRequest())
        assert [one.tag_name for one in top.children] == ["Area"]
        for wanted in ({"alarm_bearing_only": True}, {"historized_only": True}):
            top = await stub.BrowseChildren(pb.BrowseChildrenRequest(**wanted))
            assert (list(top.children), top.total_child_count) == ([], 0)
            mine = await stub.BrowseChildren(pb.BrowseChildrenRequest(parent_tag_name="Area", **wanted))
            assert [one.tag_name for one in mine.children] == ["Mine"]


async def test_scope_of_nothing_sees_nothing(edge_source: SqlGalaxySource) -> None:
    """A key whose subtrees match no object has an empty Galaxy, and hears of deployments without counts."""
    async with serving(edge_source, lambda _: ["Nowhere"]) as (galaxy, stub):
        await galaxy.entry()
        reply = await stub.DiscoverHierarchy(pb.DiscoverHierarchyRequest())
        assert (list(reply.objects), reply.total_object_count) == ([], 0)
        assert not (await stub.BrowseChildren(pb.BrowseChildrenRequest())).children
        watch = stub.WatchDeployEvents(pb.WatchDeployEventsRequest())
        news = await watch.read()
        assert (news.object_count, news.attribute_count, news.time_of_last_deploy_present) == (0, 0, True)
        watch.cancel()


async def test_watch() -> None:
    """The current deployment at once unless it was seen, then each change; counts and times as served."""
    source = SteeredSource(galaxy_data([(1, "A", "", 0, 10)]))
    async with serving(source) as (galaxy, stub):
        await galaxy.entry()
        watch = stub.WatchDeployEvents(pb.WatchDeployEventsRequest())
        first = await watch.read()
        assert (first.sequence, first.object_count, first.attribute_count) == (1, 1, 2)
        assert first.time_of_last_deploy.ToDatetime() == DEPLOYED
        seen = stub.WatchDeployEvents(pb.WatchDeployEventsRequest(last_seen_deploy_time=first.time_of_last_deploy))
        source.data = galaxy_data([], None)
        await eventually(lambda: len(galaxy.notifier) == 2)
        await galaxy.refresh()
        for one in (watch, seen):
            news = await one.read()
            assert (news.sequence, news.time_of_last_deploy_present, news.object_count) == (2, False, 0)
        seen.cancel()
        await eventually(lambda: len(galaxy.notifier) == 1)
        await galaxy.stop()
        code, details = await refused(watch.read())
        assert code is grpc.StatusCode.UNAVAILABLE
        assert "stopping" in details


async def test_database_gone(tmp_path: Path) -> None:
    """Without database: TestConnection says no, everything else is UNAVAILABLE without a word of SQL or of the path."""
    source = SqlGalaxySource(str(tmp_path / "absent.db"))
    async with serving(source) as (_, stub):
        assert not (await stub.TestConnection(pb.TestConnectionRequest())).ok
        for call in (
            stub.GetLastDeployTime(pb.GetLastDeployTimeRequest()),
            stub.DiscoverHierarchy(pb.DiscoverHierarchyRequest()),
            stub.BrowseChildren(pb.BrowseChildrenRequest()),
        ):
            code, details = await refused(call)
            assert code is grpc.StatusCode.UNAVAILABLE
            assert "cannot be reached" in details
            assert "SELECT" not in details
            assert "absent.db" not in details
    assert not os.listdir(tmp_path)


async def test_last_deploy_time(edge_source: SqlGalaxySource) -> None:
    """The time of the last deployment, to the tick, or none."""
    async with serving(edge_source) as (_, stub):
        assert (await stub.TestConnection(pb.TestConnectionRequest())).ok
        reply = await stub.GetLastDeployTime(pb.GetLastDeployTimeRequest())
        assert (reply.present, reply.time_of_last_deploy.ToDatetime()) == (True, DEPLOYED)
    async with serving(SteeredSource(galaxy_data([], None))) as (_, stub):
        assert not (await stub.GetLastDeployTime(pb.GetLastDeployTimeRequest())).present


async def test_page_sizes() -> None:
    """A page has 500 objects unless asked for otherwise, and 5,000 at most, whatever is asked for."""
    source = SteeredSource(galaxy_data(((n, f"Object_{n:04}", "", 0, 10) for n in range(1, 5102)), attributes=0))
    async with serving(source) as (_, stub):
        for asked, given in ((0, 500), (1, 1), (5000, 5000), (5001, 5000), (2**31 - 1, 5000)):
            found = await stub.DiscoverHierarchy(pb.DiscoverHierarchyRequest(page_size=asked))
            children = await stub.BrowseChildren(pb.BrowseChildrenRequest(page_size=asked))
            assert (len(found.objects), len(children.children)) == (given, given)
            assert (found.total_object_count, children.total_child_count) == (5101, 5101)


async def test_pages_end_at_the_byte_limit() -> None:
    """A page that would outgrow gRPC's default message limit ends early, and the token goes on from there."""
    source = SteeredSource(galaxy_data(((n, f"Object_{n:04}", "", 0, 10) for n in range(1, 301)), attributes=500))
    async with serving(source) as (_, stub):
        request = pb.DiscoverHierarchyRequest(page_size=5000)
        found: list[str] = []
        pages = 0
        while True:
            reply = await stub.DiscoverHierarchy(request)
            found += [one.tag_name for one in reply.objects]
            pages += 1
            request.page_token = reply.next_page_token
            if not request.page_token:
                break
        assert found == [f"Object_{n:04}" for n in range(1, 301)]
        assert pages > 1


async def test_errors_carry_reason_and_wait_to_the_client(edge_source: SqlGalaxySource) -> None:
    """An object that is not there, a wrong page token, a Galaxy that cannot be served: why, and when to come back."""
    gone = SteeredSource(galaxy_data([], None))
    gone.failure = GalaxySourceError("the Galaxy database cannot be reached")
    async with serving(edge_source) as (_, stub):
        assert await reasons(stub.DiscoverHierarchy(pb.DiscoverHierarchyRequest(root_tag_name="No"))) == (
            "GALAXY_NOT_FOUND",
            None,
        )
        assert await reasons(stub.DiscoverHierarchy(pb.DiscoverHierarchyRequest(page_token="x"))) == (
            "PAGE_TOKEN",
            None,
        )
        assert await reasons(stub.DiscoverHierarchy(pb.DiscoverHierarchyRequest(page_size=-1))) == (
            "INVALID_REQUEST",
            None,
        )
    async with serving(gone) as (_, stub):
        assert await reasons(stub.GetLastDeployTime(pb.GetLastDeployTimeRequest())) == ("GALAXY_UNAVAILABLE", 30.0)
