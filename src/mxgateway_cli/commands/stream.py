"""`mxgw-py stream-events`."""

from __future__ import annotations

import asyncio
import json

import click

from mxgateway import GatewayClient
from mxgateway.house import MAX_AGGREGATE_EVENTS
from mxgateway_cli import session_options as options
from mxgateway_cli.connection import Connection, connected
from mxgateway_cli.interrupts import graceful_end
from mxgateway_cli.output import emit, event_text, proto_dict
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb


@click.command()
@options.session_id
@click.option("--max-events", type=click.IntRange(min=1), help="End after this many events.")
@click.option(
    "--after-worker-sequence", type=click.IntRange(min=0), default=0, show_default=True, help="Resume after this event."
)
@click.option("--duration", type=click.FloatRange(min=0, min_open=True), help="End after this many seconds.")
@click.option("--jsonl", is_flag=True, help="One JSON document a line, as the events come.")
@connected(long_running=True)
def stream_events(
    connection: Connection,
    session_id: str,
    max_events: int | None,
    after_worker_sequence: int,
    duration: float | None,
    jsonl: bool,
) -> None:
    """Prints a session's events until --max-events, --duration, Ctrl-C or the end of the session.

    With --json the events are collected (at most 10000) and printed as one document; without a bound given, use
    --jsonl. Reaching the time or Ctrl-C is an ordinary end; --timeout is a time too, where --duration is not given.

    \b
    Examples:
      mxgw-py stream-events --session-id ID --max-events 1 --json
      mxgw-py stream-events --session-id ID --duration 60 --jsonl
    """
    collected: list[pb.MxEvent] = []
    limit = min(max_events or MAX_AGGREGATE_EVENTS, MAX_AGGREGATE_EVENTS) if connection.output_json else max_events

    async def body(client: GatewayClient) -> None:
        session = client.attach_session(session_id)
        count = 0
        with graceful_end():
            async with (
                asyncio.timeout(duration or connection.asked_timeout),
                session.stream_events(after_worker_sequence) as stream,
            ):
                async for event in stream:
                    count += 1
                    if connection.output_json:
                        collected.append(event)
                    else:
                        click.echo(json.dumps(proto_dict(event)) if jsonl else event_text(event))
                    if count == limit:
                        return

    connection.run(body)
    if connection.output_json:
        emit({"sessionId": session_id, "events": [proto_dict(event) for event in collected]}, True, "")
