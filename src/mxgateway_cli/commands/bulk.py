"""Bulk commands: many entries in one call, one result for each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import click

from mxgateway import Session, from_mx_value, quality_name
from mxgateway_cli import session_options as options
from mxgateway_cli.connection import Connection, connected
from mxgateway_cli.output import emit, failure_text, proto_dict, value_text
from mxgateway_cli.value_parsing import (
    TIMESTAMP,
    TYPE,
    moment_value,
    parse_value,
    split_handles,
    split_list,
    split_references,
)
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

value_type = click.option("--type", "type_name", type=TYPE, required=True, help="Type of all values.")
values_option = click.option("--values", required=True, metavar="V,V,…", help="One value for each handle.")
timestamp = click.option("--timestamp", type=TIMESTAMP, required=True, help="Source time of all entries.")


def _results(connection: Connection, session_id: str, call: Callable[[Session], Awaitable[Sequence[Any]]]) -> None:
    """Runs a bulk call and prints its results; entries that failed are results and not a failure of the command."""

    async def body(client: Any) -> Sequence[Any]:
        return await call(client.attach_session(session_id))

    results = connection.run(body)
    payload = {"results": [proto_dict(result) for result in results]}
    emit(payload, connection.output_json, map(_line, results))


def _line(result: Any) -> str:
    name = getattr(result, "tag_address", "") or f"item {result.item_handle}"
    if not result.was_successful:
        return f"{name}: failed: {failure_text(result)}"
    if isinstance(result, pb.BulkReadResult):
        cached = " (cached)" if result.was_cached else ""
        return f"{name}: {value_text(from_mx_value(result.value))} {quality_name(result.quality)}{cached}"
    return f"{name}: ok, handle {result.item_handle}"


def _entries(item_handles: str, type_name: str, values: str) -> list[tuple[int, pb.MxValue]]:
    handles, texts = split_handles(item_handles), split_list(values)
    if len(handles) != len(texts):
        raise click.UsageError(
            f"--item-handles has {len(handles)} entries, --values {len(texts)}; their numbers have to match"
        )
    return [(handle, parse_value(text, type_name, "--values")) for handle, text in zip(handles, texts, strict=True)]


@click.command()
@options.session_id
@options.server_handle
@options.items
@connected()
def add_item_bulk(connection: Connection, session_id: str, server_handle: int, items: str) -> None:
    """Adds an item for each reference.

    \b
    Example:
      mxgw-py add-item-bulk --session-id ID --server-handle 1 --items A.B,A.C --json
    """
    references = split_references(items)
    _results(connection, session_id, lambda session: session.add_item_bulk(server_handle, references))


@click.command()
@options.session_id
@options.server_handle
@options.items
@connected()
def subscribe_bulk(connection: Connection, session_id: str, server_handle: int, items: str) -> None:
    """Adds and advises an item for each reference.

    \b
    Example:
      mxgw-py subscribe-bulk --session-id ID --server-handle 1 --items A.B,A.C --json
    """
    references = split_references(items)
    _results(connection, session_id, lambda session: session.subscribe_bulk(server_handle, references))


@click.command()
@options.session_id
@options.server_handle
@options.item_handles
@connected()
def advise_item_bulk(connection: Connection, session_id: str, server_handle: int, item_handles: str) -> None:
    """Advises each item.

    \b
    Example:
      mxgw-py advise-item-bulk --session-id ID --server-handle 1 --item-handles 1,2 --json
    """
    handles = split_handles(item_handles)
    _results(connection, session_id, lambda session: session.advise_item_bulk(server_handle, handles))


@click.command()
@options.session_id
@options.server_handle
@options.item_handles
@connected()
def remove_item_bulk(connection: Connection, session_id: str, server_handle: int, item_handles: str) -> None:
    """Removes each item.

    \b
    Example:
      mxgw-py remove-item-bulk --session-id ID --server-handle 1 --item-handles 1,2 --json
    """
    handles = split_handles(item_handles)
    _results(connection, session_id, lambda session: session.remove_item_bulk(server_handle, handles))


@click.command()
@options.session_id
@options.server_handle
@options.item_handles
@connected()
def unadvise_item_bulk(connection: Connection, session_id: str, server_handle: int, item_handles: str) -> None:
    """Un-advises each item; the items stay.

    \b
    Example:
      mxgw-py unadvise-item-bulk --session-id ID --server-handle 1 --item-handles 1,2 --json
    """
    handles = split_handles(item_handles)
    _results(connection, session_id, lambda session: session.unadvise_item_bulk(server_handle, handles))


@click.command()
@options.session_id
@options.server_handle
@options.item_handles
@connected()
def unsubscribe_bulk(connection: Connection, session_id: str, server_handle: int, item_handles: str) -> None:
    """Un-advises and removes each item.

    \b
    Example:
      mxgw-py unsubscribe-bulk --session-id ID --server-handle 1 --item-handles 1,2 --json
    """
    handles = split_handles(item_handles)
    _results(connection, session_id, lambda session: session.unsubscribe_bulk(server_handle, handles))


@click.command()
@options.session_id
@options.server_handle
@options.items
@click.option(
    "--timeout-ms",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Limit for each tag without a cached value; 0 for the worker's default.",
)
@connected()
def read_bulk(connection: Connection, session_id: str, server_handle: int, items: str, timeout_ms: int) -> None:
    """Reads each reference once; advised ones answer from their last value.

    \b
    Example:
      mxgw-py read-bulk --session-id ID --server-handle 1 --items A.B,A.C --timeout-ms 2000 --json
    """
    references = split_references(items)
    _results(
        connection,
        session_id,
        lambda session: session.read_bulk(server_handle, references, timeout_ms=timeout_ms),
    )


@click.command()
@options.session_id
@options.server_handle
@options.item_handles
@value_type
@values_option
@options.user_id
@connected()
def write_bulk(
    connection: Connection,
    session_id: str,
    server_handle: int,
    item_handles: str,
    type_name: str,
    values: str,
    user_id: int,
) -> None:
    """Writes one value to each item.

    \b
    Example:
      mxgw-py write-bulk --session-id ID --server-handle 1 --item-handles 1,2 --type int32 --values 10,20 --json
    """
    entries = _entries(item_handles, type_name, values)
    _results(connection, session_id, lambda session: session.write_bulk(server_handle, entries, user_id=user_id))


@click.command()
@options.session_id
@options.server_handle
@options.item_handles
@value_type
@values_option
@timestamp
@options.user_id
@connected()
def write2_bulk(
    connection: Connection,
    session_id: str,
    server_handle: int,
    item_handles: str,
    type_name: str,
    values: str,
    timestamp: Any,
    user_id: int,
) -> None:
    """write-bulk with one source time for all entries.

    \b
    Example:
      mxgw-py write2-bulk --session-id ID --server-handle 1 --item-handles 1,2 --type int32 --values 1,2 \\
        --timestamp 2026-01-31T12:00:00Z
    """
    when = moment_value(timestamp)
    entries = [(handle, value, when) for handle, value in _entries(item_handles, type_name, values)]
    _results(connection, session_id, lambda session: session.write2_bulk(server_handle, entries, user_id=user_id))


@click.command()
@options.session_id
@options.server_handle
@options.item_handles
@value_type
@values_option
@options.current_user_id
@options.verifier_user_id
@connected()
def write_secured_bulk(
    connection: Connection,
    session_id: str,
    server_handle: int,
    item_handles: str,
    type_name: str,
    values: str,
    current_user_id: int,
    verifier_user_id: int | None,
) -> None:
    """write-secured for each item.

    \b
    Example:
      mxgw-py write-secured-bulk --session-id ID --server-handle 1 --item-handles 1,2 --type int32 --values 1,2 \\
        --current-user-id 7
    """
    verifier = current_user_id if verifier_user_id is None else verifier_user_id
    entries = [
        (handle, current_user_id, verifier, value) for handle, value in _entries(item_handles, type_name, values)
    ]
    _results(connection, session_id, lambda session: session.write_secured_bulk(server_handle, entries))


@click.command()
@options.session_id
@options.server_handle
@options.item_handles
@value_type
@values_option
@timestamp
@options.current_user_id
@options.verifier_user_id
@connected()
def write_secured2_bulk(
    connection: Connection,
    session_id: str,
    server_handle: int,
    item_handles: str,
    type_name: str,
    values: str,
    timestamp: Any,
    current_user_id: int,
    verifier_user_id: int | None,
) -> None:
    """write-secured-bulk with one source time for all entries.

    \b
    Example:
      mxgw-py write-secured2-bulk --session-id ID --server-handle 1 --item-handles 1,2 --type int32 --values 1,2 \\
        --current-user-id 7 --timestamp 2026-01-31T12:00:00Z
    """
    verifier = current_user_id if verifier_user_id is None else verifier_user_id
    when = moment_value(timestamp)
    entries = [
        (handle, current_user_id, verifier, value, when) for handle, value in _entries(item_handles, type_name, values)
    ]
    _results(connection, session_id, lambda session: session.write_secured2_bulk(server_handle, entries))
