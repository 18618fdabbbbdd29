"""The Galaxy repository: connection, deployment, hierarchy."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import click

from mxgateway import AttributeOrigin, GalaxyRepositoryClient
from mxgateway.house import MAX_AGGREGATE_EVENTS, time_text
from mxgateway_cli.connection import Connection, connected
from mxgateway_cli.failures import SilentFailure
from mxgateway_cli.interrupts import graceful_end
from mxgateway_cli.output import emit, proto_dict
from mxgateway_cli.value_parsing import TIMESTAMP
from mxgateway_contract.generated import galaxy_repository_pb2 as galaxy_pb

_ORIGINS = {
    "configured": AttributeOrigin.CONFIGURED,
    "extension": AttributeOrigin.EXTENSION,
    "built-in": AttributeOrigin.BUILT_IN,
}


def filters(command: Callable[..., Any]) -> Callable[..., Any]:
    """The filters of discovery and browse."""
    for option in (
        click.option("--category", "category_ids", type=int, multiple=True, help="Category id; may be repeated."),
        click.option(
            "--template", "template_chain_contains", multiple=True, help="Template in the chain; may be repeated."
        ),
        click.option("--glob", "tag_name_glob", default="", help="Tag names that fit; * and ?."),
        click.option(
            "--origin",
            "attribute_origins",
            type=click.Choice(tuple(_ORIGINS)),
            multiple=True,
            callback=lambda _context, _option, names: [_ORIGINS[name] for name in names],
            help="Only attributes from there; may be repeated.",
        ),
        click.option(
            "--ancestors", "include_ancestors", is_flag=True, help="Also the objects above those, without attributes."
        ),
        click.option("--no-attributes", is_flag=True, help="Objects only."),
        click.option("--alarm-bearing-only", is_flag=True, help="Only objects with alarms."),
        click.option("--historized-only", is_flag=True, help="Only objects with historized attributes."),
    ):
        command = option(command)
    return command


@click.command()
@connected()
def galaxy_test_connection(connection: Connection) -> None:
    """Whether the gateway reaches the Galaxy database now. The exit code is 1 when it does not.

    \b
    Example:
      mxgw-py galaxy-test-connection --json
    """
    reached = connection.run_galaxy(lambda galaxy: galaxy.test_connection())
    emit({"ok": reached}, connection.output_json, "reachable" if reached else "not reachable")
    if not reached:
        raise SilentFailure


@click.command()
@connected()
def galaxy_last_deploy(connection: Connection) -> None:
    """When the Galaxy was last deployed.

    \b
    Example:
      mxgw-py galaxy-last-deploy --json
    """

    async def body(galaxy: GalaxyRepositoryClient) -> galaxy_pb.GetLastDeployTimeReply:
        return await galaxy.get_last_deploy_time_raw()

    reply = connection.run_galaxy(body)
    text = time_text(reply.time_of_last_deploy) if reply.present else "never"
    payload = {"present": reply.present, "timeOfLastDeploy": text if reply.present else None}
    emit(payload, connection.output_json, text)


@click.command()
@filters
@click.option("--root", help="Tag name to start at.")
@click.option("--root-contained-path", help="Browse names joined by / to start at.")
@click.option("--max-depth", type=click.IntRange(min=0), help="Levels below the root.")
@click.option("--limit", type=click.IntRange(min=1), help="Most objects to print.")
@connected()
def galaxy_discover(connection: Connection, limit: int | None, no_attributes: bool, **selection: Any) -> None:
    """The deployed objects with their attributes, as a tree with templates and numbers of attributes, or as JSON.

    \b
    Example:
      mxgw-py galaxy-discover --glob "TestMachine_*" --json
    """

    async def body(galaxy: GalaxyRepositoryClient) -> list[galaxy_pb.GalaxyObject]:
        found: list[galaxy_pb.GalaxyObject] = []
        async for each in galaxy.iter_hierarchy(include_attributes=not no_attributes, **selection):
            found.append(each)
            if len(found) == limit:
                break
        return found

    objects = connection.run_galaxy(body)
    payload = {"objects": [proto_dict(each) for each in objects]}
    emit(payload, connection.output_json, _tree(objects, not no_attributes))


@click.command()
@filters
@click.option("--parent", help="Tag name; the top of the Galaxy when not given.")
@click.option("--contained-path", help="Browse names joined by /.")
@connected()
def galaxy_browse(connection: Connection, no_attributes: bool, **selection: Any) -> None:
    """The children of one object, areas first; … marks those that have children themselves.

    \b
    Example:
      mxgw-py galaxy-browse --parent DEV --json
    """
    nodes = connection.run_galaxy(lambda galaxy: galaxy.browse(include_attributes=not no_attributes, **selection))
    payload = {
        "children": [proto_dict(node.object) for node in nodes],
        "childHasChildren": [node.has_children_hint for node in nodes],
    }
    lines = (_line(n.object, not no_attributes) + (" …" if n.has_children_hint else "") for n in nodes)
    emit(payload, connection.output_json, lines)


@click.command()
@click.option("--last-seen-deploy-time", type=TIMESTAMP, help="Leaves the first event out while it is still this one.")
@click.option("--max-events", type=click.IntRange(min=1), help="End after this many events.")
@click.option("--duration", type=click.FloatRange(min=0, min_open=True), help="End after this many seconds.")
@click.option("--jsonl", is_flag=True, help="One JSON document a line, as the events come.")
@connected(long_running=True)
def galaxy_watch(
    connection: Connection,
    last_seen_deploy_time: Any,
    max_events: int | None,
    duration: float | None,
    jsonl: bool,
) -> None:
    """The current deployment, then each new one, until --max-events, --duration or Ctrl-C.

    Reaching the time or Ctrl-C is an ordinary end; --timeout is a time too, where --duration is not given.

    \b
    Examples:
      mxgw-py galaxy-watch --max-events 1 --json
      mxgw-py galaxy-watch --last-seen-deploy-time 2026-01-31T12:00:00.123456789Z --jsonl
    """
    collected: list[galaxy_pb.DeployEvent] = []
    limit = min(max_events or MAX_AGGREGATE_EVENTS, MAX_AGGREGATE_EVENTS) if connection.output_json else max_events

    async def body(galaxy: GalaxyRepositoryClient) -> None:
        request = galaxy_pb.WatchDeployEventsRequest(last_seen_deploy_time=last_seen_deploy_time)
        count = 0
        with graceful_end():
            async with (
                asyncio.timeout(duration or connection.asked_timeout),
                galaxy.watch_deploy_events_raw(request) as stream,
            ):
                async for event in stream:
                    count += 1
                    if connection.output_json:
                        collected.append(event)
                    else:
                        click.echo(json.dumps(proto_dict(event)) if jsonl else _deploy_line(event))
                    if count == limit:
                        return

    connection.run_galaxy(body)
    if connection.output_json:
        emit({"events": [proto_dict(event) for event in collected]}, True, "")


def _tree(objects: list[galaxy_pb.GalaxyObject], attributes: bool) -> Iterator[str]:
    """Parents come before their children; an object whose parent was filtered out begins at the margin."""
    depths: dict[int, int] = {}
    for each in objects:
        depth = depths[each.gobject_id] = depths.get(each.parent_gobject_id, -1) + 1
        yield "  " * depth + _line(each, attributes)


def _line(each: galaxy_pb.GalaxyObject, attributes: bool) -> str:
    name = each.browse_name or each.tag_name
    parts = [(name if name == each.tag_name else f"{name} ({each.tag_name})") + ("/" if each.is_area else "")]
    parts.extend(each.template_chain[:1])
    if attributes:
        parts.append(f"{len(each.attributes)} attribute{'' if len(each.attributes) == 1 else 's'}")
    return "  ".join(parts)


def _deploy_line(event: galaxy_pb.DeployEvent) -> str:
    when = time_text(event.time_of_last_deploy) if event.time_of_last_deploy_present else "never"
    return f"#{event.sequence} deploy={when} objects={event.object_count} attributes={event.attribute_count}"
