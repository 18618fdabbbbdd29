"""Sessions: opening, closing, and questions about them."""

from __future__ import annotations

import click

from mxgateway import GatewayClient
from mxgateway_cli import session_options as options
from mxgateway_cli.connection import Connection, connected
from mxgateway_cli.output import emit, emit_message, event_text, proto_dict
from mxgateway_cli.simulated import tell_simulated
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb


@click.command()
@click.option("--client-session-name", default="mxgw-py", show_default=True, help="Name in the gateway's logs.")
@click.option("--backend", default="", help="Backend to ask for: simulator, com or replay.")
@click.option(
    "--command-timeout", type=click.FloatRange(min=0, min_open=True), help="Limit of each command in the gateway, in s."
)
@connected()
def open_session(connection: Connection, client_session_name: str, backend: str, command_timeout: float | None) -> None:
    """Opens a session and leaves it open; it ends with close-session, or with its lease after half an hour unused.

    \b
    Example:
      mxgw-py open-session --endpoint localhost:5000 --plaintext --json
    """

    async def body(client: GatewayClient) -> pb.OpenSessionReply:
        session = await client.open_session(
            client_session_name=client_session_name,
            requested_backend=backend,
            command_timeout=command_timeout,
            # The next command is another process: the session has to outlive this one's connection.
            keep_when_disconnected=True,
        )
        return session.raw

    reply = connection.run(body)
    tell_simulated(reply.is_simulated)
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
@click.option("--own", is_flag=True, help="Leave the sessions of other keys out, for an admin too.")
@click.option("--close", "close_ids", metavar="ID", multiple=True, help="Close this session; may be repeated.")
@click.option("--close-own", is_flag=True, help="Close every session of this key.")
@connected()
def sessions(connection: Connection, own: bool, close_ids: tuple[str, ...], close_own: bool) -> None:
    """Lists the open sessions of this key, all of them for an admin, and closes those that are not wanted.

    \b
    Examples:
      mxgw-py sessions
      mxgw-py sessions --close session-0123456789abcdef0123456789abcdef
      mxgw-py sessions --close-own --json
    """

    async def body(client: GatewayClient) -> tuple[pb.ListSessionsReply, list[str]]:
        unwanted = list(close_ids)
        if close_own:
            listed = await client.list_sessions(own_only=True)
            unwanted += [each.session_id for each in listed if each.session_id not in unwanted]
        for session_id in unwanted:
            await client.attach_session(session_id).close()
        return await client.list_sessions_raw(pb.ListSessionsRequest(own_only=own)), unwanted

    reply, closed = connection.run(body)
    payload = {**proto_dict(reply), "closed": closed}
    emit(payload, connection.output_json, [f"session {each} closed" for each in closed] + _lines(reply))


def _lines(reply: pb.ListSessionsReply) -> list[str]:
    if not reply.sessions:
        return ["no open sessions"]
    return [_line(each) for each in reply.sessions]


def _line(session: pb.SessionSummary) -> str:
    state = pb.SessionState.Name(session.state).removeprefix("SESSION_STATE_").lower()
    if session.fault_reason:
        state = f"{state} ({session.fault_reason})"
    whose = "" if session.is_own else f", of key {session.owner_key_id}"
    presence = "connected" if session.is_connected else "client gone"
    if session.keep_when_disconnected:
        presence += ", kept"
    opened = session.opened_at.ToDatetime().isoformat(timespec="seconds")
    idle = session.idle_time.ToNanoseconds() / 1e9
    return (
        f"{session.session_id}  {session.client_session_name or '(no name)'}  {state}{whose}, {presence}, "
        f"opened {opened}Z, idle {idle:.0f} s, {session.attached_streams} streams, {session.items} items, "
        f"{session.backend_name} pid {session.worker_process_id}"
    )


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
