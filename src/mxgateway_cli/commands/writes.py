"""Writing one item."""

from __future__ import annotations

from typing import Any

import click

from mxgateway import GatewayClient, Session, WriteOutcome, from_mx_value
from mxgateway.house import command
from mxgateway_cli import session_options as options
from mxgateway_cli.connection import Connection, connected
from mxgateway_cli.output import emit, emit_message, proto_dict, value_text
from mxgateway_cli.value_parsing import TIMESTAMP, TYPE, moment_value, parse_value
from mxgateway_cli.value_types import type_of
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

value_type = click.option("--type", "type_name", type=TYPE, required=True, help="Type of the value.")
value_option = click.option("--value", required=True, metavar="TEXT", help="Elements of an array with commas between.")
timestamp = click.option("--timestamp", type=TIMESTAMP, required=True, help="Source time: 2026-01-31T12:00:00Z.")


@click.command()
@click.argument("tag", required=False)
@click.argument("tag_value", metavar="[VALUE]", required=False)
@click.option("--session-id", metavar="ID", help="Session; with TAG a new one when it is not given.")
@click.option("--server-handle", type=int, help="From register (handle form).")
@click.option("--item-handle", type=int, help="From add-item (handle form).")
@click.option("--type", "type_name", type=TYPE, help="Type of the value; with TAG the tag's own when not given.")
@click.option("--value", metavar="TEXT", help="Value (handle form).")
@options.user_id
@click.option("--supervisory", is_flag=True, help="With TAG: write on a supervisory connection, without a user.")
@connected()
def write(
    connection: Connection,
    tag: str | None,
    tag_value: str | None,
    session_id: str | None,
    server_handle: int | None,
    item_handle: int | None,
    type_name: str | None,
    value: str | None,
    user_id: int,
    supervisory: bool,
) -> None:
    """Writes a value: by TAG and VALUE, with the outcome awaited, or by handles.

    By TAG the command adds and advises the tag, takes the type from its first value, writes, and waits for
    OnWriteComplete. By handles (--session-id, --server-handle, --item-handle, --type, --value) it is MXAccess's Write:
    the item has to be advised, and the outcome is an event of the session. Put -- before a negative VALUE.

    \b
    Examples:
      mxgw-py write TestMachine_001.TestChangingInt 42
      mxgw-py write --session-id ID --server-handle 1 --item-handle 2 --type int32 --value 123 --json
    """
    if tag is None:
        if session_id is None or server_handle is None or item_handle is None or type_name is None or value is None:
            raise click.UsageError(
                "give TAG and VALUE, or --session-id, --server-handle, --item-handle, --type and --value"
            )
        request = pb.WriteCommand(
            server_handle=server_handle,
            item_handle=item_handle,
            value=parse_value(value, type_name),
            user_id=user_id,
        )
        _send(connection, session_id, "write", request)
        return
    if item_handle is not None or (value is None) == (tag_value is None):
        raise click.UsageError("with TAG give the value once, as VALUE or --value, and no --item-handle")
    text = tag_value if tag_value is not None else str(value)
    _write_tag(connection, tag, text, session_id, server_handle, type_name, user_id, supervisory)


def _write_tag(
    connection: Connection,
    tag: str,
    text: str,
    session_id: str | None,
    server_handle: int | None,
    type_name: str | None,
    user_id: int,
    supervisory: bool,
) -> None:

    ready = parse_value(text, type_name, "VALUE") if type_name is not None else None

    def converted(before: pb.MxEvent) -> pb.MxValue:
        return ready if ready is not None else parse_value(text, _type_of(before.value), "VALUE")

    async def in_session(session: Session) -> WriteOutcome:
        limit = 0.8 * (connection.options.call_timeout or 30.0)
        return await session.write_and_confirm(
            tag,
            converted,
            server_handle=server_handle,
            user_id=user_id,
            supervisory=supervisory,
            timeout=limit,
        )

    async def body(client: GatewayClient) -> WriteOutcome:
        if session_id is not None:
            return await in_session(client.attach_session(session_id))
        async with await client.open_session(client_session_name="mxgw-py write") as session:
            return await in_session(session)

    outcome = connection.run(body)
    payload = {
        "tag": tag,
        "written": proto_dict(outcome.value),
        "before": proto_dict(outcome.before.value),
        "statuses": [proto_dict(status) for status in outcome.completion.statuses],
        "workerSequence": str(outcome.completion.worker_sequence),
    }
    old, new = (value_text(from_mx_value(each)) for each in (outcome.before.value, outcome.value))
    emit(payload, connection.output_json, f"{tag}: {old} -> {new}, complete")


def _type_of(value: pb.MxValue) -> str:
    found = type_of(value)
    if found is None:
        raise click.UsageError("the tag's value does not tell its type; give --type")
    return found


@click.command()
@options.item_call
@value_type
@value_option
@timestamp
@options.user_id
@connected()
def write2(
    connection: Connection,
    session_id: str,
    server_handle: int,
    item_handle: int,
    type_name: str,
    value: str,
    timestamp: Any,
    user_id: int,
) -> None:
    """Writes a value with a source time of its own.

    \b
    Example:
      mxgw-py write2 --session-id ID --server-handle 1 --item-handle 2 --type int32 --value 1 \\
        --timestamp 2026-01-31T12:00:00Z
    """
    request = pb.Write2Command(
        server_handle=server_handle,
        item_handle=item_handle,
        value=parse_value(value, type_name),
        timestamp_value=moment_value(timestamp),
        user_id=user_id,
    )
    _send(connection, session_id, "write2", request)


@click.command()
@options.item_call
@value_type
@value_option
@options.current_user_id
@options.verifier_user_id
@connected()
def write_secured(
    connection: Connection,
    session_id: str,
    server_handle: int,
    item_handle: int,
    type_name: str,
    value: str,
    current_user_id: int,
    verifier_user_id: int | None,
) -> None:
    """Writes to a secured or verified attribute in the name of one or two users.

    \b
    Example:
      mxgw-py write-secured --session-id ID --server-handle 1 --item-handle 2 --type bool --value true \\
        --current-user-id 7
    """
    request = pb.WriteSecuredCommand(
        server_handle=server_handle,
        item_handle=item_handle,
        current_user_id=current_user_id,
        verifier_user_id=current_user_id if verifier_user_id is None else verifier_user_id,
        value=parse_value(value, type_name),
    )
    _send(connection, session_id, "write_secured", request)


@click.command()
@options.item_call
@value_type
@value_option
@timestamp
@options.current_user_id
@options.verifier_user_id
@connected()
def write_secured2(
    connection: Connection,
    session_id: str,
    server_handle: int,
    item_handle: int,
    type_name: str,
    value: str,
    timestamp: Any,
    current_user_id: int,
    verifier_user_id: int | None,
) -> None:
    """write-secured with a source time of its own.

    \b
    Example:
      mxgw-py write-secured2 --session-id ID --server-handle 1 --item-handle 2 --type bool --value true \\
        --current-user-id 7 --timestamp 2026-01-31T12:00:00Z
    """
    request = pb.WriteSecured2Command(
        server_handle=server_handle,
        item_handle=item_handle,
        current_user_id=current_user_id,
        verifier_user_id=current_user_id if verifier_user_id is None else verifier_user_id,
        value=parse_value(value, type_name),
        timestamp_value=moment_value(timestamp),
    )
    _send(connection, session_id, "write_secured2", request)


def _send(connection: Connection, session_id: str, arm: str, request: Any) -> None:
    reply = connection.run(lambda client: client.attach_session(session_id).invoke(command(arm, request)))
    emit_message(reply, connection.output_json, "sent; the outcome comes as OnWriteComplete")
