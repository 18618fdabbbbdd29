"""Users for secured writes."""

from __future__ import annotations

import click

from mxgateway_cli import session_options as options
from mxgateway_cli.connection import Connection, connected
from mxgateway_cli.output import emit
from mxgateway_cli.tag_write import read_password


@click.command()
@options.session_id
@options.server_handle
@click.option("--user", required=True, help="User name, for example DOMAIN\\user.")
@click.option("--password-env", metavar="VARIABLE", help="Variable with the password; else it is asked for.")
@connected()
def authenticate_user(
    connection: Connection, session_id: str, server_handle: int, user: str, password_env: str | None
) -> None:
    """Checks a user's credentials; prints the user id for writes. The password never comes from the command line.

    \b
    Example:
      mxgw-py authenticate-user --session-id ID --server-handle 1 --user operator --password-env OPERATOR_PASSWORD
    """
    password = read_password(user, password_env, "--password-env")
    found = connection.run(
        lambda client: client.attach_session(session_id).authenticate_user(server_handle, user, password)
    )
    emit({"sessionId": session_id, "userId": found}, connection.output_json, str(found))


@click.command()
@options.session_id
@options.server_handle
@click.option("--guid", required=True, help="GUID of an ArchestrA user.")
@connected()
def archestra_user_to_id(connection: Connection, session_id: str, server_handle: int, guid: str) -> None:
    """The user id of an ArchestrA user by its GUID.

    \b
    Example:
      mxgw-py archestra-user-to-id --session-id ID --server-handle 1 --guid 00000000-0000-0000-0000-000000000000
    """
    found = connection.run(lambda client: client.attach_session(session_id).archestra_user_to_id(server_handle, guid))
    emit({"sessionId": session_id, "userId": found}, connection.output_json, str(found))
