"""Writing one item."""

from __future__ import annotations

import math
from typing import Any

import click

from mxgateway import GatewayClient, MxAccessError, WriteOutcome
from mxgateway.house import command
from mxgateway_cli import session_options as options
from mxgateway_cli import tag_lists
from mxgateway_cli.connection import Connection, connected
from mxgateway_cli.failures import CommandFailure
from mxgateway_cli.output import emit_done, output_encoding, proto_dict
from mxgateway_cli.signed_values import SignedValues
from mxgateway_cli.simulated import tell_simulated
from mxgateway_cli.tag_check import is_unknown
from mxgateway_cli.tag_write import Signer, TagWrite, read_password, signature_hint
from mxgateway_cli.value_parsing import TIMESTAMP, TYPE, moment_value, parse_value
from mxgateway_cli.value_text import mx_text
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

value_type = click.option("--type", "type_name", type=TYPE, required=True, help="Type of the value.")
value_option = click.option("--value", required=True, metavar="TEXT", help="Elements of an array with commas between.")
timestamp = click.option("--timestamp", type=TIMESTAMP, required=True, help="Source time: 2026-01-31T12:00:00Z.")


@click.command(cls=SignedValues)
@click.argument("tag", required=False)
@click.argument("tag_values", metavar="[VALUE]", nargs=-1)
@click.option("--session-id", metavar="ID", help="Session; with TAG a new one when it is not given.")
@click.option("--server-handle", type=int, help="From register (handle form).")
@click.option("--item-handle", type=int, help="From add-item (handle form).")
@click.option("--type", "type_name", type=TYPE, help="Type of the value; with TAG the tag's own when not given.")
@click.option("--value", metavar="TEXT", help="Value (handle form).")
@options.user_id
@click.option("--supervisory", is_flag=True, help="With TAG: write on a supervisory connection, without a user.")
@click.option("--user", metavar="NAME", help="With TAG: sign as this person; the password is asked for.")
@click.option("--password-env", metavar="VARIABLE", help="Variable with that password.")
@click.option("--verifier", metavar="NAME", help="With --user: who verifies; the operator again when not given.")
@click.option("--verifier-password-env", metavar="VARIABLE", help="Variable with the verifier's password.")
@connected()
def write(
    connection: Connection,
    tag: str | None,
    tag_values: tuple[str, ...],
    session_id: str | None,
    server_handle: int | None,
    item_handle: int | None,
    type_name: str | None,
    value: str | None,
    user_id: int,
    supervisory: bool,
    user: str | None,
    password_env: str | None,
    verifier: str | None,
    verifier_password_env: str | None,
) -> None:
    """Writes a value: by TAG and VALUE, with the outcome awaited, or by handles.

    By TAG the command adds and advises the tag, takes the type from its first value, writes, and waits for
    OnWriteComplete. By handles (--session-id, --server-handle, --item-handle, --type, --value) it is MXAccess's Write:
    the item has to be advised, and the outcome is an event of the session.

    VALUE is what read shows: a number (-5), true or false, a text, a time with its zone, a duration (0:01:30, or
    seconds), the number or the name of an enumeration's state, a list ([1, 2] or 1,2; [] is the array without
    elements). A VALUE that begins with - and is no number needs -- before it.

    With --user the write is signed, as attributes of the classes SecuredWrite and VerifiedWrite want it.

    \b
    Examples:
      mxgw-py write TestChildObject.TestInt 43
      mxgw-py write Filler_01.Recipe 3 --user operator1 --verifier supervisor1
      mxgw-py write TestChildObject.TestDuration 0:01:30
      mxgw-py write "TestChildObject.TestStringArray[]" "first,second"
      mxgw-py write --session-id ID --server-handle 1 --item-handle 2 --type int32 --value 123 --json
    """
    if tag is not None:
        if item_handle is not None:
            raise click.UsageError("with TAG give no --item-handle")
        wanted = TagWrite(
            tag=_one_tag(tag),
            text=_the_value(tag_values, value),
            type_name=type_name,
            server_handle=server_handle,
            user_id=user_id,
            supervisory=supervisory,
            **_signers(user, password_env, verifier, verifier_password_env, supervisory),
        )
        _write_tag(connection, wanted, session_id)
        return
    if user is not None or verifier is not None:
        raise click.UsageError("--user and --verifier sign a write by TAG; by handles use mxgw-py write-secured")
    if session_id is None or server_handle is None or item_handle is None or type_name is None or value is None:
        raise click.UsageError(
            "give TAG and VALUE, or --session-id, --server-handle, --item-handle, --type and --value"
        )
    new = parse_value(value, type_name)
    request = pb.WriteCommand(server_handle=server_handle, item_handle=item_handle, value=new, user_id=user_id)
    _send(connection, session_id, "write", request)


def _one_tag(tag: str) -> str:
    if tag.startswith("@") or tag_lists.is_glob(tag):
        raise click.UsageError(f'write takes one tag, and {tag} may be many; mxgw-py read "{tag}" shows them')
    (found,) = tag_lists.expand_lists([tag])
    return found


def _signers(
    user: str | None, password_env: str | None, verifier: str | None, verifier_password_env: str | None, unsigned: bool
) -> dict[str, Signer]:
    if user is None:
        if verifier is not None or password_env is not None:
            raise click.UsageError("who signs? give --user NAME")
        return {}
    if unsigned:
        raise click.UsageError("--supervisory writes without a user; leave out it or --user")
    signers = {"operator": Signer(user, read_password(user, password_env, "--password-env"))}
    if verifier is not None:
        password = read_password(verifier, verifier_password_env, "--verifier-password-env")
        signers["verifier"] = Signer(verifier, password)
    return signers


def _the_value(tag_values: tuple[str, ...], value: str | None) -> str:
    given = [*tag_values, *([value] if value is not None else [])]
    if len(tag_values) > 1:
        raise click.UsageError(f'one VALUE, please; one with blanks stands in quotes: "{" ".join(tag_values)}"')
    if len(given) != 1:
        raise click.UsageError("with TAG give the value once, as VALUE or --value")
    return given[0]


def _write_tag(connection: Connection, wanted: TagWrite, session_id: str | None) -> None:
    limit = 0.8 * (connection.options.call_timeout or 30.0)

    async def body(client: GatewayClient) -> WriteOutcome:
        if session_id is not None:
            return await wanted.run(client.attach_session(session_id), limit)
        async with await client.open_session(client_session_name="mxgw-py write") as session:
            tell_simulated(session.is_simulated)
            return await wanted.run(session, limit)

    try:
        outcome = connection.run(body)
    except CommandFailure as failure:
        cause = failure.__cause__
        if not isinstance(cause, MxAccessError):
            raise
        hints = connection.hints([wanted.tag]) if is_unknown(cause.statuses) else [signature_hint(cause, wanted)]
        raise CommandFailure("\n".join(filter(None, [failure.message, *hints]))) from failure
    before, written = outcome.before.value, outcome.value
    old, new = (mx_text(each, encoding=output_encoding()) for each in (before, written))
    payload = {
        "tag": wanted.tag,
        "written": proto_dict(written),
        "before": proto_dict(before),
        "statuses": [proto_dict(status) for status in outcome.completion.statuses],
        "workerSequence": str(outcome.completion.worker_sequence),
    }
    emit_done(
        payload,
        connection.output_json,
        f"{wanted.tag}: {old} -> {new}, complete{_resized(before, written)}",
    )


def _resized(before: pb.MxValue, written: pb.MxValue) -> str:
    """MXAccess takes an array of another length without a word."""
    if before.WhichOneof("kind") != "array_value" or written.WhichOneof("kind") != "array_value":
        return ""
    old, new = (math.prod(each.array_value.dimensions) for each in (before, written))
    return f"; the array had {old} elements, it has {new} now" if old != new else ""


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
    emit_done(proto_dict(reply), connection.output_json, "sent; the outcome comes as OnWriteComplete")
