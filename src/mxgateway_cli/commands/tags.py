"""Tags by name: read, watch, record, browse, and lists of them."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click

from mxgateway import (
    MAX_BULK_ITEMS,
    BrowseNode,
    GalaxyRepositoryClient,
    GatewayClient,
    Session,
    from_mx_value,
    quality_name,
)
from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_cli import tag_lists
from mxgateway_cli.connection import Connection, connected
from mxgateway_cli.failures import CommandFailure, SilentFailure
from mxgateway_cli.interrupts import graceful_end
from mxgateway_cli.output import emit, failure_text, is_terminal, note, proto_dict, value_text
from mxgateway_cli.watch_board import Board

_REDRAW = 0.25

tag_arguments = click.argument("names", metavar="TAG|GLOB|@LIST…", nargs=-1, required=True)
limit_option = click.option(
    "--limit", type=click.IntRange(1, tag_lists.MAX_TAGS), default=1000, show_default=True, help="Most tags to take."
)


@click.command()
@tag_arguments
@limit_option
@click.option("--timeout-ms", type=click.IntRange(min=0), default=0, help="Limit for each tag; 0 is the worker's.")
@connected()
def read(connection: Connection, names: tuple[str, ...], limit: int, timeout_ms: int) -> None:
    """Reads tags once. The exit code is 1 when one of them cannot be read.

    \b
    Examples:
      mxgw-py read TestMachine_001.TestChangingInt
      mxgw-py read 'TestMachine_*.TestChangingInt' --json
    """
    tags = tag_lists.resolve_tags(connection, names, limit)

    async def body(client: GatewayClient) -> list[pb.BulkReadResult]:
        results: list[pb.BulkReadResult] = []
        async with await client.open_session(client_session_name="mxgw-py read") as session:
            handle = await session.register("mxgw-py read")
            for start in range(0, len(tags), MAX_BULK_ITEMS):
                chunk = tags[start : start + MAX_BULK_ITEMS]
                results.extend(await session.read_bulk(handle, chunk, timeout_ms=timeout_ms))
            await session.unregister(handle)
        return results

    results = connection.run(body)
    payload = {"results": [proto_dict(result) for result in results]}
    emit(payload, connection.output_json, map(_read_line, results))
    if not all(result.was_successful for result in results):
        raise SilentFailure


def _read_line(result: pb.BulkReadResult) -> str:
    if not result.was_successful:
        return f"{result.tag_address}\tfailed: {failure_text(result)}"
    when = result.source_timestamp.ToJsonString()
    return f"{result.tag_address}\t{value_text(from_mx_value(result.value))}\t{quality_name(result.quality)}\t{when}"


@click.command()
@tag_arguments
@limit_option
@click.option("--duration", type=click.FloatRange(min=0, min_open=True), help="End after this many seconds.")
@click.option("--max-events", type=click.IntRange(min=1), help="End after this many changes.")
@connected(long_running=True)
def watch(
    connection: Connection, names: tuple[str, ...], limit: int, duration: float | None, max_events: int | None
) -> None:
    """Shows tags as they change: a live table on a terminal, a line for each change elsewhere.

    With --json there is one JSON object a line. Ctrl-C and --duration are an ordinary end.

    \b
    Examples:
      mxgw-py watch TestMachine_001.TestChangingInt
      mxgw-py watch 'Fermenter_*.Level' --duration 60 | tee levels.txt
    """
    tags = tag_lists.resolve_tags(connection, names, limit)
    connection.run(lambda client: _Watch(connection.output_json, duration, max_events).run(client, tags))


class _Watch:
    """One run of `watch`."""

    def __init__(self, output_json: bool, duration: float | None, max_events: int | None) -> None:
        self._json = output_json
        self._duration = duration
        self._max_events = max_events
        self._board = Board()
        self._live = is_terminal() and not output_json and max_events is None

    async def run(self, client: GatewayClient, tags: list[str]) -> None:
        async with await client.open_session(client_session_name="mxgw-py watch") as session:
            stream = session.stream_events()
            with self._table() as table, graceful_end():
                async with asyncio.timeout(self._duration):
                    self._board.subscribe(await subscribe(session, tags))
                    self._refusals()
                    if table is None:
                        await self._lines(stream)
                    else:
                        async with asyncio.TaskGroup() as group:
                            group.create_task(self._feed(stream))
                            while True:
                                await asyncio.sleep(_REDRAW)
                                table.update(self._board, time.monotonic())
            await stream.aclose()

    def _table(self) -> Any:
        if self._live:
            try:
                from mxgateway_cli.live_table import LiveTable
            except ImportError:
                note("install rich for the live table: pip install 'mxaccess-gateway[cli]'")
            else:
                return LiveTable("live tags, Ctrl-C ends")
        return nullcontext(None)

    def _refusals(self) -> None:
        for row in self._board.rows.values():
            if row.failure:
                note(f"{row.tag}: {row.failure}")

    async def _feed(self, stream: Any) -> None:
        async for events in stream.batches():
            now = time.monotonic()
            for event in events:
                self._board.apply(event, now)
        raise CommandFailure("the gateway ended the event stream")

    async def _lines(self, stream: Any) -> None:
        changes = 0
        async for event in stream:
            row = self._board.apply(event, time.monotonic())
            if event.HasField("replay_gap"):
                note(f"{event.replay_gap.dropped_events} events were lost")
            if row is None:
                continue
            if self._json:
                click.echo(json.dumps({"tag": row.tag, **proto_dict(event)}))
            else:
                when = event.source_timestamp.ToJsonString()
                click.echo(f"{when}\t{row.tag}\t{value_text(row.value)}\t{row.quality_text}")
            sys.stdout.flush()
            changes += 1
            if changes == self._max_events:
                return
        raise CommandFailure("the gateway ended the event stream")


async def subscribe(session: Session, tags: list[str]) -> list[pb.SubscribeResult]:
    """Registers and subscribes any number of tags, in calls of the size that the gateway takes."""
    handle = await session.register("mxgw-py")
    results: list[pb.SubscribeResult] = []
    for start in range(0, len(tags), MAX_BULK_ITEMS):
        results.extend(await session.subscribe_bulk(handle, tags[start : start + MAX_BULK_ITEMS]))
    return results


@click.command()
@tag_arguments
@limit_option
@click.option("--output", type=click.Path(dir_okay=False), required=True, help="File to write: .csv or .parquet.")
@click.option("--duration", type=click.FloatRange(min=0, min_open=True), help="End after this many seconds.")
@click.option("--max-events", type=click.IntRange(min=1), help="End after this many changes.")
@connected(long_running=True)
def record(
    connection: Connection,
    names: tuple[str, ...],
    limit: int,
    output: str,
    duration: float | None,
    max_events: int | None,
) -> None:
    """Records changes into a file (tag, time, value, quality, type) that the replay backend can play.

    CSV is written as changes come; Parquet needs the extra `pandas` and is written at the end.

    \b
    Example:
      mxgw-py record 'Fermenter_*.Level' --output levels.csv --duration 3600
    """
    from mxgateway_cli.recording import open_recording

    tags = tag_lists.resolve_tags(connection, names, limit)
    counted = {"events": 0, "lost": 0}

    async def body(client: GatewayClient) -> None:
        with open_recording(Path(output)) as recording:
            async with await client.open_session(client_session_name="mxgw-py record") as session:
                stream = session.stream_events()
                with graceful_end():
                    async with asyncio.timeout(duration):
                        handles = {r.item_handle: r.tag_address for r in await subscribe(session, tags)}
                        async for event in stream:
                            if event.HasField("replay_gap"):
                                counted["lost"] += event.replay_gap.dropped_events
                            elif event.family == pb.MX_EVENT_FAMILY_ON_DATA_CHANGE and event.item_handle in handles:
                                recording.add(handles[event.item_handle], event)
                                counted["events"] += 1
                                if counted["events"] == max_events:
                                    break
                await stream.aclose()

    connection.run(body)
    payload = {"file": output, "tags": len(tags), **counted}
    emit(payload, connection.output_json, f"{counted['events']} changes of {len(tags)} tags in {output}")


@click.command()
@click.argument("path", required=False)
@click.option("--depth", type=click.IntRange(min=1), default=2, show_default=True, help="Levels to show.")
@click.option("--attributes", is_flag=True, help="Show attributes with their types.")
@click.option("--glob", "tag_name_glob", default="", help="Only objects whose tag name fits.")
@connected()
def browse(connection: Connection, path: str | None, depth: int, attributes: bool, tag_name_glob: str) -> None:
    """Shows the Galaxy as a tree, from the top or from PATH (a tag name, or browse names joined by /).

    \b
    Examples:
      mxgw-py browse
      mxgw-py browse Brewery/Fermentation --depth 3 --attributes
    """

    async def body(galaxy: GalaxyRepositoryClient) -> list[BrowseNode]:
        by_path = path is not None and "/" in path
        nodes = await galaxy.browse(
            None if by_path else path,
            contained_path=path if by_path else None,
            tag_name_glob=tag_name_glob,
            include_attributes=attributes,
        )
        level = nodes
        for _ in range(depth - 1):
            below: list[BrowseNode] = []
            for node in level:
                if node.has_children_hint:
                    below.extend(await node.expand())
            level = below
        return nodes

    nodes = connection.run_galaxy(body)
    emit({"nodes": [_node(each, attributes) for each in nodes]}, connection.output_json, _tree(nodes, attributes, ""))


def _node(node: BrowseNode, attributes: bool) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": node.name,
        "tagName": node.object.tag_name,
        "isArea": node.object.is_area,
        "hasChildren": node.has_children_hint,
    }
    if attributes:
        described["attributes"] = [proto_dict(each) for each in node.object.attributes]
    if node.is_expanded:
        described["children"] = [_node(each, attributes) for each in node.children]
    return described


def _tree(nodes: list[BrowseNode], attributes: bool, indent: str) -> list[str]:
    lines = []
    for node in nodes:
        name = node.name if node.name == node.object.tag_name else f"{node.name} ({node.object.tag_name})"
        more = " …" if node.has_children_hint and not node.is_expanded else ""
        lines.append(f"{indent}{name}{'/' if node.object.is_area else ''}{more}")
        if attributes:
            lines.extend(
                f"{indent}  .{each.attribute_name}{'[]' if each.is_array else ''}  {each.data_type_name}"
                for each in node.object.attributes
            )
        lines.extend(_tree(node.children, attributes, indent + "  "))
    return lines


@click.group()
def tags() -> None:
    """Lists of tags as CSV, out of the Galaxy and into named lists.

    \b
    Examples:
      mxgw-py tags export 'Fermenter_*' --output fermenters.csv
      mxgw-py tags import levels fermenters.csv
    """


@tags.command("export")
@tag_arguments
@limit_option
@click.option("--output", type=click.Path(dir_okay=False), help="File to write; stdout when not given.")
@connected()
def export_tags(connection: Connection, names: tuple[str, ...], limit: int, output: str | None) -> None:
    """Writes the tags that fit as CSV, with what the Galaxy says of them.

    \b
    Example:
      mxgw-py tags export 'Fermenter_*.*' --output fermenters.csv
    """
    patterns = tag_lists.expand_lists(names)

    async def body(galaxy: GalaxyRepositoryClient) -> list[tag_lists.FoundTag]:
        return [each for pattern in patterns for each in await tag_lists.find(galaxy, pattern)]

    found = list({each.reference: each for each in connection.run_galaxy(body)}.values())
    tag_lists.check_count(len(found), names, limit)
    if connection.output_json:
        rows = [dict(zip(tag_lists.COLUMNS, each.row(), strict=True)) for each in found]
        emit({"tags": rows}, True, "")
        return
    text = io.StringIO()
    tag_lists.write_csv((each.row() for each in found), text, tag_lists.COLUMNS)
    if output is None:
        click.echo(text.getvalue(), nl=False)
    else:
        Path(output).write_text(text.getvalue(), encoding="utf-8", newline="")
        note(f"{len(found)} tags in {output}")


@tags.command("import")
@click.argument("name")
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.option("--unchecked", is_flag=True, help="Take references that the Galaxy does not have, too.")
@connected()
def import_tags(connection: Connection, name: str, file: str, unchecked: bool) -> None:
    """Keeps the tags of a CSV file as list NAME, for use as @NAME. Each is looked up in the Galaxy first.

    The file needs a column `tag`, or the tags in its first column.

    \b
    Example:
      mxgw-py tags import levels levels.csv
    """
    wanted = tag_lists.read_list(Path(file))
    target = tag_lists.list_file(name)
    if not unchecked:

        async def body(galaxy: GalaxyRepositoryClient) -> set[str]:
            async def known(object_name: str) -> list[str]:
                return [each.reference.lower() for each in await tag_lists.find(galaxy, f"{object_name}.*")]

            objects = sorted({tag.partition(".")[0] for tag in wanted})
            return {reference for each in objects for reference in await known(each)}

        references = connection.run_galaxy(body)
        unknown = [t for t in wanted if t.lower() not in references and f"{t.lower()}[]" not in references]
        if unknown:
            shown = ", ".join(unknown[:5])
            raise CommandFailure(f"the Galaxy does not have {len(unknown)} of {len(wanted)} tags: {shown}; --unchecked")
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out, lineterminator="\n").writerows([["tag"], *([tag] for tag in wanted)])
    emit({"list": name, "tags": len(wanted)}, connection.output_json, f"@{name}: {len(wanted)} tags")
