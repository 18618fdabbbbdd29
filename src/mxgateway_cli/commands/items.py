"""Registration, items and subscriptions."""

from __future__ import annotations

from typing import Any

import click

from mxgateway.house import command
from mxgateway_cli import session_options as options
from mxgateway_cli.connection import Connection, connected
from mxgateway_cli.output import emit, emit_message, proto_dict
from mxgateway_cli.tag_check import tell_unknown
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb


def _reply(connection: Connection, session_id: str, arm: str, request: Any, text: str = "ok") -> None:
    """Runs a command without a result of its own and prints the reply."""
    reply = connection.run(lambda client: client.attach_session(session_id).invoke(command(arm, request)))
    emit_message(reply, connection.output_json, text)


@click.command()
@options.session_id
@click.option("--client-name", default="mxgw-py", show_default=True, help="Name of this client for MXAccess.")
@connected()
def register(connection: Connection, session_id: str, client_name: str) -> None:
    """Registers a client with MXAccess; prints the server handle.

    \b
    Example:
      mxgw-py register --session-id ID --client-name python-client --json
    """
    handle = connection.run(lambda client: client.attach_session(session_id).register(client_name))
    emit({"sessionId": session_id, "serverHandle": handle}, connection.output_json, str(handle))


@click.command()
@options.session_id
@options.server_handle
@connected()
def unregister(connection: Connection, session_id: str, server_handle: int) -> None:
    """Ends a registration.

    \b
    Example:
      mxgw-py unregister --session-id ID --server-handle 1
    """
    _reply(connection, session_id, "unregister", pb.UnregisterCommand(server_handle=server_handle))


@click.command()
@options.session_id
@options.server_handle
@options.item
@connected()
def add_item(connection: Connection, session_id: str, server_handle: int, item: str) -> None:
    """Adds an item; prints its handle. Whether the reference exists shows when it is advised.

    \b
    Example:
      mxgw-py add-item --session-id ID --server-handle 1 --item Object.Attribute --json
    """
    handle = connection.run(lambda client: client.attach_session(session_id).add_item(server_handle, item))
    emit(_item(session_id, server_handle, handle), connection.output_json, str(handle))
    tell_unknown(connection, [item], session_id, server_handle)


@click.command()
@options.session_id
@options.server_handle
@options.item
@click.option("--context", default="", help="Object that a relative reference starts from.")
@connected()
def add_item2(connection: Connection, session_id: str, server_handle: int, item: str, context: str) -> None:
    """Adds an item by a relative reference; prints its handle.

    \b
    Example:
      mxgw-py add-item2 --session-id ID --server-handle 1 --item Me.TestChangingInt --context TestMachine_001
    """
    handle = connection.run(lambda client: client.attach_session(session_id).add_item2(server_handle, item, context))
    emit(_item(session_id, server_handle, handle), connection.output_json, str(handle))
    tell_unknown(connection, _absolute(item, context), session_id, server_handle)


@click.command()
@options.session_id
@options.server_handle
@options.item
@click.option("--context", default="", help="Object that a relative reference starts from.")
@connected()
def add_buffered_item(connection: Connection, session_id: str, server_handle: int, item: str, context: str) -> None:
    """Adds an item whose values come in OnBufferedDataChange events; prints its handle.

    \b
    Example:
      mxgw-py add-buffered-item --session-id ID --server-handle 1 --item Object.Attribute
    """
    handle = connection.run(
        lambda client: client.attach_session(session_id).add_buffered_item(server_handle, item, context)
    )
    emit(_item(session_id, server_handle, handle), connection.output_json, str(handle))
    tell_unknown(connection, _absolute(item, context), session_id, server_handle)


@click.command()
@options.session_id
@options.server_handle
@click.option("--milliseconds", type=click.IntRange(min=0), required=True, help="MXAccess rounds up to 100 ms.")
@connected()
def set_buffered_update_interval(
    connection: Connection, session_id: str, server_handle: int, milliseconds: int
) -> None:
    """Sets how often buffered items deliver.

    \b
    Example:
      mxgw-py set-buffered-update-interval --session-id ID --server-handle 1 --milliseconds 500
    """
    request = pb.SetBufferedUpdateIntervalCommand(
        server_handle=server_handle, update_interval_milliseconds=milliseconds
    )
    _reply(connection, session_id, "set_buffered_update_interval", request)


@click.command()
@options.item_call
@connected()
def remove_item(connection: Connection, session_id: str, server_handle: int, item_handle: int) -> None:
    """Removes an item.

    \b
    Example:
      mxgw-py remove-item --session-id ID --server-handle 1 --item-handle 2
    """
    _reply(connection, session_id, "remove_item", pb.RemoveItemCommand(**_handles(server_handle, item_handle)))


@click.command()
@options.item_call
@connected()
def advise(connection: Connection, session_id: str, server_handle: int, item_handle: int) -> None:
    """Subscribes to an item's changes.

    \b
    Example:
      mxgw-py advise --session-id ID --server-handle 1 --item-handle 2 --json
    """
    _reply(connection, session_id, "advise", pb.AdviseCommand(**_handles(server_handle, item_handle)))


@click.command()
@options.item_call
@connected()
def advise_supervisory(connection: Connection, session_id: str, server_handle: int, item_handle: int) -> None:
    """Subscribes to an item's changes on a supervisory connection, which needs no user.

    \b
    Example:
      mxgw-py advise-supervisory --session-id ID --server-handle 1 --item-handle 2
    """
    request = pb.AdviseSupervisoryCommand(**_handles(server_handle, item_handle))
    _reply(connection, session_id, "advise_supervisory", request)


@click.command()
@options.item_call
@connected()
def unadvise(connection: Connection, session_id: str, server_handle: int, item_handle: int) -> None:
    """Ends a subscription; the item stays.

    \b
    Example:
      mxgw-py unadvise --session-id ID --server-handle 1 --item-handle 2
    """
    _reply(connection, session_id, "un_advise", pb.UnAdviseCommand(**_handles(server_handle, item_handle)))


@click.command()
@options.item_call
@connected()
def suspend(connection: Connection, session_id: str, server_handle: int, item_handle: int) -> None:
    """Suspends an advised item.

    \b
    Example:
      mxgw-py suspend --session-id ID --server-handle 1 --item-handle 2
    """
    status = connection.run(lambda client: client.attach_session(session_id).suspend(server_handle, item_handle))
    _status(connection, status)


@click.command()
@options.item_call
@connected()
def activate(connection: Connection, session_id: str, server_handle: int, item_handle: int) -> None:
    """Resumes a suspended item.

    \b
    Example:
      mxgw-py activate --session-id ID --server-handle 1 --item-handle 2
    """
    status = connection.run(lambda client: client.attach_session(session_id).activate(server_handle, item_handle))
    _status(connection, status)


def _status(connection: Connection, status: pb.MxStatusProxy) -> None:
    from mxgateway.house import status_text

    emit({"status": proto_dict(status)}, connection.output_json, status_text(status))


def _absolute(item: str, context: str) -> list[str]:
    """The reference as it reads without its context; nothing where only MXAccess knows."""
    if not context:
        return [item]
    return [context + item[2:]] if item.casefold().startswith("me.") else []


def _handles(server_handle: int, item_handle: int) -> dict[str, int]:
    return {"server_handle": server_handle, "item_handle": item_handle}


def _item(session_id: str, server_handle: int, item_handle: int) -> dict[str, Any]:
    return {"sessionId": session_id, "serverHandle": server_handle, "itemHandle": item_handle}
