"""Bulk commands: many entries in one call, one result for each."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias

import click
from google.protobuf.timestamp_pb2 import Timestamp

from mxgateway import Session, quality_name
from mxgateway_cli import session_options as options
from mxgateway_cli.connection import Connection, connected
from mxgateway_cli.output import emit_done, failure_text, note, proto_dict
from mxgateway_cli.tag_check import is_unknown, tell_unknown
from mxgateway_cli.value_parsing import (
    TIMESTAMP,
    TYPE,
    moment_value,
    parse_value,
    split_handles,
    split_list,
    split_references,
)
from mxgateway_cli.value_text import mx_text
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

Results: TypeAlias = Awaitable[Sequence[Any]]
Entry: TypeAlias = tuple[int, pb.MxValue]
"""An item's handle, and what is written to it."""

value_type = click.option("--type", "type_name", type=TYPE, required=True, help="Type of all values.")
values_option = click.option("--values", required=True, metavar="V,V,…", help="One value for each handle.")
timestamp = click.option("--timestamp", type=TIMESTAMP, required=True, help="Source time of all entries.")


def _bulk(*parameters: Callable[..., Any]) -> Callable[[Callable[..., Results]], click.Command]:
    """Makes a command of a bulk call.

    The call gets the session, the server handle, and what the parameters give: `references` for --items, `handles` for
    --item-handles, `entries` for --item-handles with --type and --values, and the others by their own names. Entries
    that failed are results, and no failure of the command.
    """

    def decorate(call: Callable[..., Results]) -> click.Command:
        @functools.wraps(call)
        def command(connection: Connection, session_id: str, **given: Any) -> None:
            arguments = _arguments(given)
            results = connection.run(lambda client: call(client.attach_session(session_id), **arguments))
            payload = {"results": [proto_dict(result) for result in results]}
            emit_done(payload, connection.output_json, map(_line, results))
            if "references" in arguments and results and not isinstance(results[0], pb.BulkReadResult):
                added = [each.tag_address for each in results if each.was_successful]
                tell_unknown(connection, added, session_id, arguments["server_handle"])
                return
            unknown = [each.tag_address for each in results if is_unknown(getattr(each, "statuses", ()))]
            for text in connection.hints(unknown) if unknown else ():
                note(text)

        decorated = connected()(command)
        for parameter in reversed((options.session_id, options.server_handle, *parameters)):
            decorated = parameter(decorated)
        return click.command()(decorated)

    return decorate


def _arguments(given: dict[str, Any]) -> dict[str, Any]:
    """The texts of the command line as the arguments of a call.

    Raises:
        click.UsageError: one of the texts is wrong, or there are not as many values as handles.
    """
    arguments = dict(given)
    if "items" in given:
        arguments["references"] = split_references(arguments.pop("items"))
    if "item_handles" in given:
        arguments["handles"] = split_handles(arguments.pop("item_handles"))
    if "values" in given:
        handles, texts, type_name = arguments.pop("handles"), split_list(arguments.pop("values")), given["type_name"]
        del arguments["type_name"]
        if len(handles) != len(texts):
            raise click.UsageError(
                f"--item-handles has {len(handles)} entries, --values {len(texts)}; their numbers have to match"
            )
        arguments["entries"] = [(h, parse_value(t, type_name, "--values")) for h, t in zip(handles, texts, strict=True)]
    return arguments


def _line(result: Any) -> str:
    name = getattr(result, "tag_address", "") or f"item {result.item_handle}"
    if not result.was_successful:
        return f"{name}: failed: {failure_text(result)}"
    if isinstance(result, pb.BulkReadResult):
        cached = " (cached)" if result.was_cached else ""
        return f"{name}: {mx_text(result.value)} {quality_name(result.quality)}{cached}"
    return f"{name}: ok, handle {result.item_handle}"


@_bulk(options.items)
def add_item_bulk(session: Session, server_handle: int, references: list[str]) -> Results:
    """Adds an item for each reference.

    \b
    Example:
      mxgw-py add-item-bulk --session-id ID --server-handle 1 --items A.B,A.C --json
    """
    return session.add_item_bulk(server_handle, references)


@_bulk(options.items)
def subscribe_bulk(session: Session, server_handle: int, references: list[str]) -> Results:
    """Adds and advises an item for each reference.

    \b
    Example:
      mxgw-py subscribe-bulk --session-id ID --server-handle 1 --items A.B,A.C --json
    """
    return session.subscribe_bulk(server_handle, references)


@_bulk(options.item_handles)
def advise_item_bulk(session: Session, server_handle: int, handles: list[int]) -> Results:
    """Advises each item.

    \b
    Example:
      mxgw-py advise-item-bulk --session-id ID --server-handle 1 --item-handles 1,2 --json
    """
    return session.advise_item_bulk(server_handle, handles)


@_bulk(options.item_handles)
def remove_item_bulk(session: Session, server_handle: int, handles: list[int]) -> Results:
    """Removes each item.

    \b
    Example:
      mxgw-py remove-item-bulk --session-id ID --server-handle 1 --item-handles 1,2 --json
    """
    return session.remove_item_bulk(server_handle, handles)


@_bulk(options.item_handles)
def unadvise_item_bulk(session: Session, server_handle: int, handles: list[int]) -> Results:
    """Un-advises each item; the items stay.

    \b
    Example:
      mxgw-py unadvise-item-bulk --session-id ID --server-handle 1 --item-handles 1,2 --json
    """
    return session.unadvise_item_bulk(server_handle, handles)


@_bulk(options.item_handles)
def unsubscribe_bulk(session: Session, server_handle: int, handles: list[int]) -> Results:
    """Un-advises and removes each item.

    \b
    Example:
      mxgw-py unsubscribe-bulk --session-id ID --server-handle 1 --item-handles 1,2 --json
    """
    return session.unsubscribe_bulk(server_handle, handles)


@_bulk(
    options.items,
    click.option(
        "--timeout-ms",
        type=click.IntRange(min=0),
        default=0,
        show_default=True,
        help="Limit for each tag without a cached value; 0 for the worker's default.",
    ),
)
def read_bulk(session: Session, server_handle: int, references: list[str], timeout_ms: int) -> Results:
    """Reads each reference once; advised ones answer from their last value.

    \b
    Example:
      mxgw-py read-bulk --session-id ID --server-handle 1 --items A.B,A.C --timeout-ms 2000 --json
    """
    return session.read_bulk(server_handle, references, timeout_ms=timeout_ms)


@_bulk(options.item_handles, value_type, values_option, options.user_id)
def write_bulk(session: Session, server_handle: int, entries: list[Entry], user_id: int) -> Results:
    """Writes one value to each item.

    \b
    Example:
      mxgw-py write-bulk --session-id ID --server-handle 1 --item-handles 1,2 --type int32 --values 10,20 --json
    """
    return session.write_bulk(server_handle, entries, user_id=user_id)


@_bulk(options.item_handles, value_type, values_option, timestamp, options.user_id)
def write2_bulk(
    session: Session, server_handle: int, entries: list[Entry], timestamp: Timestamp, user_id: int
) -> Results:
    """write-bulk with one source time for all entries.

    \b
    Example:
      mxgw-py write2-bulk --session-id ID --server-handle 1 --item-handles 1,2 --type int32 --values 1,2 \\
        --timestamp 2026-01-31T12:00:00Z
    """
    when = moment_value(timestamp)
    return session.write2_bulk(server_handle, [(*entry, when) for entry in entries], user_id=user_id)


@_bulk(options.item_handles, value_type, values_option, options.current_user_id, options.verifier_user_id)
def write_secured_bulk(
    session: Session, server_handle: int, entries: list[Entry], current_user_id: int, verifier_user_id: int | None
) -> Results:
    """write-secured for each item.

    \b
    Example:
      mxgw-py write-secured-bulk --session-id ID --server-handle 1 --item-handles 1,2 --type int32 --values 1,2 \\
        --current-user-id 7
    """
    verifier = current_user_id if verifier_user_id is None else verifier_user_id
    signed = [(handle, current_user_id, verifier, value) for handle, value in entries]
    return session.write_secured_bulk(server_handle, signed)


@_bulk(options.item_handles, value_type, values_option, timestamp, options.current_user_id, options.verifier_user_id)
def write_secured2_bulk(
    session: Session,
    server_handle: int,
    entries: list[Entry],
    timestamp: Timestamp,
    current_user_id: int,
    verifier_user_id: int | None,
) -> Results:
    """write-secured-bulk with one source time for all entries.

    \b
    Example:
      mxgw-py write-secured2-bulk --session-id ID --server-handle 1 --item-handles 1,2 --type int32 --values 1,2 \\
        --current-user-id 7 --timestamp 2026-01-31T12:00:00Z
    """
    verifier, when = current_user_id if verifier_user_id is None else verifier_user_id, moment_value(timestamp)
    signed = [(handle, current_user_id, verifier, value, when) for handle, value in entries]
    return session.write_secured2_bulk(server_handle, signed)
