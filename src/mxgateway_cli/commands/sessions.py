"""Sessions: opening, closing, and questions about them."""

from __future__ import annotations

import click

from mxgateway import GatewayClient
from mxgateway_cli import session_options as options
from mxgateway_cli.connection import Connection, connected
from mxgateway_cli.output import emit, emit_message, event_text, proto_dict
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb


@click.command()
@click.option("--client-session-name", default="mxgw-py", show_default=True, help="Name in the gateway's logs.")
@click.option("--backend", default="", help="Backend to ask for: simulator, com or replay.")
@click.option(
    "--command-timeout", type=click.FloatRange(min=0, min_open=True), help="Limit of each command in the gateway, in s."
)
@connected()
def open_session(connection: Connection, client_session_name: str, backend: str, command_timeout: float | None) -> None:
    """Opens a session and leaves it open; it ends with close-session or with its lease.

    \b
    Example:
      mxgw-py open-session --endpoint localhost:5000 --plaintext --json
    """

    async def body(client: GatewayClient) -> pb.OpenSessionReply:
        session = await client.open_session(
            client_session_name=client_session_name, requested_backend=backend, command_timeout=command_timeout
        )
        return session.raw

    reply = connection.run(body)
    emit_message(reply, connection.output_json, f"session {reply.session_id} on {reply.backend_name}")


@click.command()
@options.session_id
@connected()
def close_session(connection: Connection, session_id: str) -> None:
    """Ends a session and its worker. Closing a closed session is no error.

    \b
    Example:
      mxgw-py close-session --session-id ID --json
    """
    reply = connection.run(lambda client: client.attach_session(session_id).close())
    state = pb.SessionState.Name(reply.final_state).removeprefix("SESSION_STATE_").lower()
    emit_message(reply, connection.output_json, f"session {session_id} {state}")


@click.command()
@options.session_id
@click.option("--message", default="ping", show_default=True, help="Text that comes back.")
@connected()
def ping(connection: Connection, session_id: str, message: str) -> None:
    """Sends a text through gateway and worker.

    \b
    Example:
      mxgw-py ping --session-id ID --message hello
    """
    command = pb.MxCommand(kind=pb.MX_COMMAND_KIND_PING, ping=pb.PingCommand(message=message))
    reply = connection.run(lambda client: client.attach_session(session_id).invoke(command))
    emit_message(reply, connection.output_json, reply.diagnostic_message)


@click.command()
@options.session_id
@connected()
def session_state(connection: Connection, session_id: str) -> None:
    """State of a session.

    \b
    Example:
      mxgw-py session-state --session-id ID
    """
    state = connection.run(lambda client: client.attach_session(session_id).state())
    name = pb.SessionState.Name(state)
    emit({"sessionId": session_id, "state": name}, connection.output_json, name.removeprefix("SESSION_STATE_").lower())


@click.command()
@options.session_id
@connected()
def worker_info(connection: Connection, session_id: str) -> None:
    """Process id, version and backend of a session's worker.

    \b
    Example:
      mxgw-py worker-info --session-id ID --json
    """
    reply = connection.run(lambda client: client.attach_session(session_id).worker_info())
    text = f"pid {reply.worker_process_id}, version {reply.worker_version}, {reply.mxaccess_progid}"
    emit_message(reply, connection.output_json, text)


@click.command()
@options.session_id
@click.option("--max-events", type=click.IntRange(min=0), default=0, show_default=True, help="0 for all that wait.")
@connected()
def drain_events(connection: Connection, session_id: str, max_events: int) -> None:
    """Takes the events that wait for a session.

    \b
    Example:
      mxgw-py drain-events --session-id ID --max-events 10 --json
    """
    events = connection.run(lambda client: client.attach_session(session_id).drain_events(max_events))
    payload = {"events": [proto_dict(event) for event in events]}
    emit(payload, connection.output_json, (event_text(event) for event in events))
