"""Tags by name: read, browse, and lists of them."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from mxgateway import (
    GalaxyRepositoryClient,
    GatewayClient,
    MxGatewayNotFoundError,
    quality_name,
)
from mxgateway.house import time_text
from mxgateway_cli import galaxy_view, tag_lists
from mxgateway_cli.connection import Connection, connected
from mxgateway_cli.failures import CommandFailure, SilentFailure
from mxgateway_cli.output import emit, failure_text, is_terminal, note, output_encoding, proto_dict
from mxgateway_cli.simulated import tell_simulated
from mxgateway_cli.tag_check import is_unknown, tell_unknown, unreadable
from mxgateway_cli.tag_files import Kind
from mxgateway_cli.value_text import moment_text, mx_text
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

local_time_option = click.option(
    "--local-time", is_flag=True, help="Times of this machine's zone, in place of UTC; not with --json."
)
CommandT = TypeVar("CommandT", bound=Callable[..., Any])


tag_arguments = click.argument("names", metavar="TAG|GLOB|@LIST…", nargs=-1, required=True)


def glob_options(command: CommandT) -> CommandT:
    """Which tags globs take, and how many at most."""
    for option in (
        click.option(
            "--limit",
            type=click.IntRange(1, tag_lists.MAX_TAGS),
            default=1000,
            show_default=True,
            help="Most tags to take.",
        ),
        click.option(
            "--all", "every", is_flag=True, help="Globs take built-in attributes and those of extensions, too."
        ),
    ):
        command = option(command)
    return command


@click.command()
@tag_arguments
@glob_options
@click.option("--timeout-ms", type=click.IntRange(min=0), default=0, help="Limit for each tag; 0 is the worker's.")
@local_time_option
@connected()
def read(
    connection: Connection, names: tuple[str, ...], every: bool, limit: int, timeout_ms: int, local_time: bool
) -> None:
    """Reads tags once. The exit code is 1 when one of them cannot be read.

    \b
    Examples:
      mxgw-py read TestMachine_001.TestChangingInt
      mxgw-py read "TestMachine_*.TestChangingInt" --json
    """
    tags = tag_lists.resolve_tags(connection, names, limit, every=every)

    async def body(client: GatewayClient) -> list[pb.BulkReadResult]:
        results: list[pb.BulkReadResult] = []
        async with await client.open_session(client_session_name="mxgw-py read") as session:
            handle = await session.register("mxgw-py read")
            for start in range(0, len(tags), session.max_bulk_items):
                chunk = tags[start : start + session.max_bulk_items]
                results.extend(await session.read_bulk(handle, chunk, timeout_ms=timeout_ms))
            await session.unregister(handle)
            tell_simulated(session.is_simulated)
        return results

    results = connection.run(body)
    payload = {"results": [proto_dict(result) for result in results]}
    emit(payload, connection.output_json, [_read_line(result, local_time) for result in results])
    for text in connection.hints([each.tag_address for each in results if is_unknown(each.statuses)]):
        note(text)
    if not all(result.was_successful for result in results):
        raise SilentFailure


def _read_line(result: pb.BulkReadResult, is_local: bool) -> str:
    if not result.was_successful:
        return f"{result.tag_address}\tfailed: {failure_text(result)}"
    when = moment_text(result.source_timestamp) if is_local else time_text(result.source_timestamp)
    # A terminal gets what fits it; a script all that there is, so that it can write it back.
    value = mx_text(result.value, whole=not is_terminal(), encoding=output_encoding())
    return f"{result.tag_address}\t{value}\t{quality_name(result.quality)}\t{when}"


@click.command()
@click.argument("path", required=False)
@click.option(
    "--depth", type=click.IntRange(min=1), help="Levels to show below PATH.  [default: 2; with --glob all of them]"
)
@click.option("--attributes", is_flag=True, help="Show attributes of the objects below PATH, too.")
@click.option("--all", "every", is_flag=True, help="Show built-in attributes and those of extensions, too.")
@click.option("--glob", "tag_name_glob", default="", help="Only objects whose tag name fits, and what leads to them.")
@connected()
def browse(
    connection: Connection, path: str | None, depth: int | None, attributes: bool, every: bool, tag_name_glob: str
) -> None:
    """Shows the Galaxy as a tree, from the top or from PATH: a tag name, browse names joined by /, or a reference.

    PATH itself comes with its attributes: type, engineering units, history and alarm, description. Without --all they
    are those that an engineer configured.

    \b
    Examples:
      mxgw-py browse
      mxgw-py browse TestMachine_001
      mxgw-py browse "TestMachine_001.Test*"
      mxgw-py browse Brewery/Fermentation --depth 3 --attributes
      mxgw-py browse --glob "Fermenter_0*" --attributes
    """
    view = galaxy_view.View(
        path=path,
        depth=depth if depth is not None or tag_name_glob else 2,
        attributes=attributes,
        every=every,
        glob=tag_name_glob,
    )
    try:
        shown = connection.run_galaxy(lambda galaxy: galaxy_view.look(galaxy, view))
    except CommandFailure as failure:
        if path is not None and isinstance(failure.__cause__, MxGatewayNotFoundError):
            raise CommandFailure("\n".join([failure.message, *connection.hints([path])])) from failure
        raise
    payload = galaxy_view.document(shown, attributes) if connection.output_json else None
    emit(payload, connection.output_json, galaxy_view.lines(shown, attributes))
    if text := galaxy_view.remark(shown, view):
        note(text)


@click.group()
def tags() -> None:
    """Lists of tags as CSV, out of the Galaxy and into named lists.

    \b
    Examples:
      mxgw-py tags export "Fermenter_*" --output fermenters.csv
      mxgw-py tags import levels fermenters.csv
    """


@tags.command("export")
@tag_arguments
@glob_options
@click.option("--output", type=click.Path(dir_okay=False), help="File to write; stdout when not given.")
@connected()
def export_tags(connection: Connection, names: tuple[str, ...], every: bool, limit: int, output: str | None) -> None:
    """Writes the tags that fit as CSV, with what the Galaxy says of them.

    \b
    Example:
      mxgw-py tags export "Fermenter_*.*" --output fermenters.csv
    """
    patterns = tag_lists.expand_lists(names)

    async def body(galaxy: GalaxyRepositoryClient) -> list[tag_lists.FoundTag]:
        return [each for pattern in patterns for each in await tag_lists.find(galaxy, pattern, every=every)]

    found = list({each.reference: each for each in connection.run_galaxy(body)}.values())
    tag_lists.check_count(len(found), names, limit, every=every)
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
@click.option("--unchecked", is_flag=True, help="Take references that cannot be read, too.")
@connected()
def import_tags(connection: Connection, name: str, file: str, unchecked: bool) -> None:
    """Keeps the tags of a file as list NAME, for use as @NAME. Each is read once first, so all that reads is taken:
    contained names, array elements, properties.

    FILE is a CSV of any spreadsheet, with the tags in a column `tag` or in the column that has them, a plain list, or
    a Galaxy dump of the IDE, whose objects stand for their own attributes. A line that begins with # and can be no tag
    is a comment.

    \b
    Example:
      mxgw-py tags import levels levels.csv
    """
    tag_lists.list_file(name)
    found = tag_lists.read_file(Path(file))
    wanted = list(found.tags)
    for text in found.notes:
        note(f"{file}: {text}")
    if found.kind is Kind.GALAXY_DUMP:
        wanted = connection.run_galaxy(lambda galaxy: tag_lists.attributes_of(galaxy, found.tags))
        note(f"{file}: a Galaxy dump of {len(found.tags)} objects; their own attributes are {len(wanted)} tags")
    elif not unchecked:
        refused = connection.run(lambda client: unreadable(client, wanted))
        if refused:
            shown = ", ".join(list(refused)[:5])
            what = f"{file} is a {found.kind.value}, and " if found.kind is not Kind.LIST else ""
            raise CommandFailure(
                f"{what}{len(refused)} of {len(wanted)} tags cannot be read: {shown} ({next(iter(refused.values()))}); "
                "--unchecked takes them all the same"
            )
    tag_lists.save_list(name, wanted)
    left_out = [f"{found.doubles} doubles"] * bool(found.doubles) + [f"{found.comments} comments"] * bool(
        found.comments
    )
    text = f"@{name}: {len(wanted)} tags" + (f" (left out: {', '.join(left_out)})" if left_out else "")
    emit({"list": name, "tags": len(wanted)}, connection.output_json, text)


@tags.command("list")
@click.option("--json", "output_json", is_flag=True, help="One JSON document on stdout.")
def list_lists(output_json: bool) -> None:
    """The named lists, with how many tags each has.

    \b
    Example:
      mxgw-py tags list
    """
    names = tag_lists.list_names()
    rows = [{"list": name, "tags": len(tag_lists.read_file(tag_lists.list_file(name)).tags)} for name in names]
    lines = [f"@{row['list']}\t{row['tags']} tags" for row in rows]
    emit({"lists": rows}, output_json, lines or ["there is no list yet; mxgw-py tags import NAME FILE makes one"])


@tags.command("show")
@click.argument("name")
@click.option("--json", "output_json", is_flag=True, help="One JSON document on stdout.")
def show_list(name: str, output_json: bool) -> None:
    """The tags of list NAME, one a line.

    \b
    Example:
      mxgw-py tags show levels
    """
    found = tag_lists.expand_lists([f"@{name.removeprefix('@')}"])
    emit({"list": name.removeprefix("@"), "tags": found}, output_json, found)


@tags.command("save")
@click.argument("name")
@tag_arguments
@glob_options
@connected()
def save_tags(connection: Connection, name: str, names: tuple[str, ...], every: bool, limit: int) -> None:
    """Keeps TAGs, or what globs fit now, as list NAME.

    \b
    Example:
      mxgw-py tags save levels "Fermenter_*.Level"
    """
    found = tag_lists.resolve_tags(connection, names, limit, every=every)
    tag_lists.save_list(name, found)
    emit({"list": name, "tags": len(found)}, connection.output_json, f"@{name}: {len(found)} tags")
    # What a glob found is there.
    named = {each for each in tag_lists.expand_lists(names) if not tag_lists.is_glob(each)}
    tell_unknown(connection, [each for each in found if each in named])


@tags.command("delete")
@click.argument("name")
def delete_list(name: str) -> None:
    """Deletes list NAME.

    \b
    Example:
      mxgw-py tags delete levels
    """
    tag_lists.expand_lists([f"@{name.removeprefix('@')}"])
    tag_lists.list_file(name.removeprefix("@")).unlink()
    note(f"@{name.removeprefix('@')} is deleted")
