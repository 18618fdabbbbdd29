"""The Galaxy: hierarchy, browse tree, deploy events."""

from __future__ import annotations

from datetime import datetime

from mxgateway import (
    AttributeOrigin,
    BrowseNode,
    DeployEvent,
    GalaxyAttribute,
    GalaxyAttributes,
    GalaxyObject,
    GalaxyRepositoryClient,
    MxGatewayNotFoundError,
    ServerStream,
)


async def references(galaxy: GalaxyRepositoryClient) -> list[str]:
    found: list[str] = []
    each: GalaxyObject
    async for each in galaxy.iter_hierarchy(tag_name_glob="TestMachine_*", alarm_bearing_only=True):
        attributes: list[GalaxyAttribute] = [attribute for attribute in each.attributes if not attribute.is_array]
        found += [attribute.full_tag_reference for attribute in attributes]
    objects: list[GalaxyObject] = await galaxy.discover_hierarchy(max_depth=2)
    return found + [each.tag_name for each in objects]


async def own_tags(galaxy: GalaxyRepositoryClient) -> list[tuple[str, str, str]]:
    found: GalaxyAttributes = await galaxy.attributes("TestMachine_001")
    everything = await galaxy.attributes("TestMachine_001", origins=[AttributeOrigin.BUILT_IN])
    print(found.to_dataframe(), len(everything))
    return [(each.full_tag_reference, each.engineering_units, each.description) for each in found]


async def tree(node: BrowseNode, depth: int = 0) -> None:
    print(" " * depth + node.name, node.has_children_hint, node.object.gobject_id)
    try:
        for child in await node.expand():
            await tree(child, depth + 1)
    except MxGatewayNotFoundError:
        print("not deployed any more")


async def deployments(galaxy: GalaxyRepositoryClient) -> datetime | None:
    known = await galaxy.get_last_deploy_time()
    stream: ServerStream[DeployEvent] = galaxy.watch_deploy_events(known)
    async with stream as events:
        async for event in events:
            return event.time_of_last_deploy.ToDatetime()
    return known
