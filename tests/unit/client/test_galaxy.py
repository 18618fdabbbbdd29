"""GalaxyRepositoryClient: laziness of pages, filters, deploy events, browse nodes."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from tests.support.fake_gateway import FakeGateway
from tests.support.waiting import eventually

from mxgateway import (
    AttributeOrigin,
    DeployEvent,
    GalaxyAttribute,
    GalaxyAttributes,
    GalaxyObject,
    GalaxyRepositoryClient,
    MxGatewayNotFoundError,
    MxGatewayProtocolError,
)
from mxgateway.galaxy_attributes import attribute_origin
from mxgateway.generated import galaxy_repository_pb2 as galaxy_pb


def galaxy_object(number: int, parent: int = 0) -> GalaxyObject:
    return GalaxyObject(gobject_id=number, tag_name=f"Object_{number}", parent_gobject_id=parent)


async def test_simple_questions(gateway: FakeGateway, galaxy: GalaxyRepositoryClient) -> None:
    """test_connection is a bool, get_last_deploy_time an aware UTC datetime, or None when never deployed."""
    assert await galaxy.test_connection() is True
    assert await galaxy.get_last_deploy_time() == datetime.fromtimestamp(1_700_000_000, UTC)
    gateway.script("GetLastDeployTime", galaxy_pb.GetLastDeployTimeReply(present=False))
    assert await galaxy.get_last_deploy_time() is None
    assert all(metadata["authorization"].startswith("Bearer ") for metadata in gateway.metadata)


async def test_pages_are_fetched_when_needed(gateway: FakeGateway, galaxy: GalaxyRepositoryClient) -> None:
    """The next page is asked for only when every object of the current one was taken."""
    gateway.objects = [galaxy_object(n) for n in range(1, 6)]
    objects = galaxy.iter_hierarchy()
    calls = [(each.gobject_id, gateway.calls["DiscoverHierarchy"]) async for each in objects]
    assert calls == [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3)]


async def test_stopping_early_asks_no_further(gateway: FakeGateway, galaxy: GalaxyRepositoryClient) -> None:
    """Leaving the loop leaves the remaining pages unasked."""
    gateway.objects = [galaxy_object(n) for n in range(1, 6)]
    async for _ in galaxy.iter_hierarchy():
        break
    assert gateway.calls["DiscoverHierarchy"] == 1


async def test_discover_hierarchy_is_the_list_of_it(gateway: FakeGateway, galaxy: GalaxyRepositoryClient) -> None:
    """discover_hierarchy returns all pages as one list of generated messages."""
    gateway.objects = [galaxy_object(n) for n in range(1, 6)]
    found = await galaxy.discover_hierarchy()
    assert [each.gobject_id for each in found] == [1, 2, 3, 4, 5]
    assert all(isinstance(each, GalaxyObject) for each in found)


async def test_without_arguments_nothing_is_filtered(gateway: FakeGateway, galaxy: GalaxyRepositoryClient) -> None:
    """A call without arguments sends an empty request."""
    await galaxy.discover_hierarchy()
    assert gateway.requests[-1] == galaxy_pb.DiscoverHierarchyRequest()


async def test_filters_travel(gateway: FakeGateway, galaxy: GalaxyRepositoryClient) -> None:
    """Each filter reaches the request, max_depth 0 as set and not as absent."""
    await galaxy.discover_hierarchy(
        root="DEV",
        max_depth=0,
        category_ids=[13],
        template_chain_contains=["$T"],
        tag_name_glob="T*",
        include_attributes=False,
        alarm_bearing_only=True,
        historized_only=True,
        attribute_origins=[AttributeOrigin.CONFIGURED, AttributeOrigin.EXTENSION],
        include_ancestors=True,
        page_size=7,
    )
    sent = gateway.requests[-1]
    assert (list(sent.attribute_origins), sent.include_ancestors) == ([1, 3], True)
    assert sent.root_tag_name == "DEV"
    assert sent.HasField("max_depth")
    assert sent.HasField("include_attributes")
    assert (list(sent.category_ids), list(sent.template_chain_contains), sent.page_size) == ([13], ["$T"], 7)
    await galaxy.discover_hierarchy(root=5)
    assert gateway.requests[-1].root_gobject_id == 5
    await galaxy.discover_hierarchy(root_contained_path="A/B")
    assert gateway.requests[-1].root_contained_path == "A/B"
    with pytest.raises(TypeError):
        await galaxy.discover_hierarchy(root="A", root_contained_path="A/B")


async def test_repeated_page_token_raises(gateway: FakeGateway, galaxy: GalaxyRepositoryClient) -> None:
    """A gateway that hands out a token again gets an error in place of an endless loop."""
    page = galaxy_pb.DiscoverHierarchyReply(objects=[galaxy_object(1)], next_page_token="again")
    gateway.script("DiscoverHierarchy", page, page, page)
    with pytest.raises(MxGatewayProtocolError, match="page token twice"):
        await galaxy.discover_hierarchy()
    assert gateway.calls["DiscoverHierarchy"] == 2


async def test_deploy_events(gateway: FakeGateway, galaxy: GalaxyRepositoryClient) -> None:
    """watch_deploy_events yields generated events and ends its stream when it is left."""
    known = datetime(2026, 1, 1, tzinfo=UTC)
    first, second = DeployEvent(sequence=1), DeployEvent(sequence=2)
    first.time_of_last_deploy.FromDatetime(known)
    second.time_of_last_deploy.FromDatetime(known + timedelta(days=1))
    gateway.deploy_events = [first, second]
    async with galaxy.watch_deploy_events() as stream:
        assert (await anext(stream)).sequence == 1
    async with galaxy.watch_deploy_events(last_seen_deploy_time=known) as stream:
        assert (await anext(stream)).sequence == 2
    with pytest.raises(ValueError, match="time zone"):
        galaxy.watch_deploy_events(datetime(2026, 1, 1))


async def test_cancelled_watch_ends_its_call(gateway: FakeGateway, galaxy: GalaxyRepositoryClient) -> None:
    """Cancelling the waiting task raises CancelledError and ends the stream."""
    stream = galaxy.watch_deploy_events()
    waiter = asyncio.ensure_future(anext(stream))
    await eventually(lambda: gateway.calls.get("WatchDeployEvents") == 1)
    waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    assert stream.finished


async def test_browse_nodes_expand_once(gateway: FakeGateway, galaxy: GalaxyRepositoryClient) -> None:
    """Ten concurrent expands ask the gateway once; pages of siblings are hidden; hints tell leaves apart."""
    gateway.objects = [galaxy_object(1), *(galaxy_object(n, parent=1) for n in range(2, 7))]
    (root,) = await galaxy.browse()
    assert (root.has_children_hint, root.is_expanded, root.children) == (True, False, [])
    before = gateway.calls["BrowseChildren"]
    results = await asyncio.gather(*(root.expand() for _ in range(10)))
    assert gateway.calls["BrowseChildren"] - before == 3  # pages of two
    assert all([child.object.gobject_id for child in children] == [2, 3, 4, 5, 6] for children in results)
    assert root.is_expanded
    assert not root.children[0].has_children_hint
    assert "Object_1" in root._repr_html_()


async def test_browse_of_a_missing_parent(galaxy: GalaxyRepositoryClient) -> None:
    """A parent that is not deployed raises the typed error."""
    with pytest.raises(MxGatewayNotFoundError):
        await galaxy.browse("Nothing")


async def test_browse_filters_stay_with_the_nodes(gateway: FakeGateway, galaxy: GalaxyRepositoryClient) -> None:
    """The filters of the first call hold for expanded children as well."""
    gateway.objects = [galaxy_object(1), galaxy_object(2, parent=1)]
    (root,) = await galaxy.browse(tag_name_glob="O*", include_attributes=False)
    await root.expand()
    sent = gateway.requests[-1]
    assert (sent.parent_gobject_id, sent.tag_name_glob, sent.include_attributes) == (1, "O*", False)


async def test_hints_that_do_not_match_raise(gateway: FakeGateway, galaxy: GalaxyRepositoryClient) -> None:
    """Children without as many hints break the contract."""
    gateway.script("BrowseChildren", galaxy_pb.BrowseChildrenReply(children=[galaxy_object(1)]))
    with pytest.raises(MxGatewayProtocolError):
        await galaxy.browse()


async def test_close_is_idempotent(galaxy: GalaxyRepositoryClient) -> None:
    """close may be called again."""
    await galaxy.close()
    await galaxy.close()


def pump(*, says_origins: bool = True) -> GalaxyObject:
    origins = (1, 3, 2) if says_origins else (0, 0, 0)
    speed, unit, state = (
        GalaxyAttribute(attribute_name="Speed", full_tag_reference="Pump.Speed", data_type_name="Float",
                        engineering_units="rpm", description="Of the motor", is_historized=True),
        GalaxyAttribute(attribute_name="Speed.EngUnits", full_tag_reference="Pump.Speed.EngUnits"),
        GalaxyAttribute(attribute_name="Path", full_tag_reference="Pump.Path[]", data_type_name="String", is_array=True,
                        array_dimension=4, array_dimension_present=True),
    )  # fmt: skip
    for each, origin in zip((speed, unit, state), origins, strict=True):
        each.origin = origin  # type: ignore[assignment]
    return GalaxyObject(gobject_id=1, tag_name="Pump", attributes=[speed, unit, state])


async def test_attributes_of_an_object(gateway: FakeGateway, galaxy: GalaxyRepositoryClient) -> None:
    """An engineer's own unless others are asked for; all of them where the gateway tells no origins."""
    gateway.finds_roots = True
    gateway.objects = [pump()]
    own = await galaxy.attributes("Pump")
    assert repr(own) == "<GalaxyAttributes 1: Pump.Speed: Float, rpm, Of the motor, history>"
    assert [each.attribute_name for each in await galaxy.attributes("Pump", origins=[AttributeOrigin.BUILT_IN])] == [
        "Path"
    ]
    assert len(await galaxy.attributes("Pump", origins=())) == 3
    gateway.objects = [pump(says_origins=False)]
    assert len(await galaxy.attributes("Pump")) == 3
    with pytest.raises(MxGatewayNotFoundError):
        await galaxy.attributes("Pumpp")


def test_attributes_as_a_dataframe() -> None:
    """A row for each attribute, and the same columns where there are none."""
    pytest.importorskip("pandas")
    frame = GalaxyAttributes(pump().attributes).to_dataframe()
    assert list(frame["origin"]) == ["configured", "extension", "built_in"]
    assert list(frame["units"]) == ["rpm", "", ""]
    assert list(frame["dimension"]) == [0, 0, 4]
    empty = GalaxyAttributes().to_dataframe()
    assert (len(empty), list(empty.columns)) == (0, list(frame.columns))


def test_origins_are_the_contracts() -> None:
    """The enumeration has the contract's names and numbers, and takes a number that only a newer gateway knows."""
    contract = {name.removeprefix("ATTRIBUTE_ORIGIN_"): number for name, number in galaxy_pb.AttributeOrigin.items()}
    assert contract == {each.name: each.value for each in AttributeOrigin}
    assert attribute_origin(GalaxyAttribute(origin=77)) is AttributeOrigin.UNSPECIFIED  # type: ignore[arg-type]
