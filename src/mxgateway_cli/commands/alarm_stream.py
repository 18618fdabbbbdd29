"""The gateway's stream of alarms as it is, message by message, from run to run."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import click

from mxgateway import AlarmPosition, GatewayClient, next_correlation_id
from mxgateway.house import MAX_AGGREGATE_EVENTS, alarm_filter
from mxgateway_cli.alarm_options import Position, chosen_alarms
from mxgateway_cli.alarm_text import feed_line
from mxgateway_cli.commands.alarms import prefix_option
from mxgateway_cli.connection import Connection, connected
from mxgateway_cli.interrupts import graceful_end
from mxgateway_cli.output import emit, note, proto_dict
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb


@click.command()
@prefix_option
@chosen_alarms
@click.option("--after", type=Position(), help="Go on after this position, in place of the list: EPOCH:SEQUENCE.")
@click.option(
    "--state-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Keep the position in this file, and go on after it when it is there.",
)
@click.option("--until-synced", is_flag=True, help="End once all is told that there is now.")
@click.option("--extended", is_flag=True, help="Also shelving, modes, changed texts, and alarms that leave the filter.")
@click.option("--max-messages", type=click.IntRange(min=1), help="End after this many messages.")
@click.option("--duration", type=click.FloatRange(min=0, min_open=True), help="End after this many seconds.")
@click.option("--jsonl", is_flag=True, help="One JSON document a line, as the messages come.")
@connected(long_running=True)
def stream_alarms(
    connection: Connection,
    filter_prefix: str,
    chosen: dict[str, Any],
    after: AlarmPosition | None,
    state_file: Path | None,
    until_synced: bool,
    extended: bool,
    max_messages: int | None,
    duration: float | None,
    jsonl: bool,
) -> None:
    """The active alarms, then each transition, as the gateway sends them, until --max-messages, --duration or Ctrl-C.

    Every message has the position after it (`at` in JSON); with --after, or a --state-file of the run before, the
    stream goes on there, with the same options: no change is missed or told twice, or a `gap` says so and the list
    follows. `alarms` does that by itself, also when the connection breaks.

    \b
    Examples:
      mxgw-py stream-alarms --area Line1 --duration 60 --jsonl
      mxgw-py stream-alarms --state-file line1.position --until-synced --jsonl > new.jsonl
    """
    request = pb.StreamAlarmsRequest(
        client_correlation_id=next_correlation_id(),
        alarm_filter_prefix=filter_prefix,
        filter=alarm_filter(**chosen),
        include_extended=extended,
    )
    if after is not None and state_file is not None:
        raise click.UsageError("give --after or --state-file, not both")
    if start := _start(after, state_file):
        request.resume_after.CopyFrom(
            pb.AlarmPosition(epoch=start.epoch, sequence=start.sequence, filter_hash=start.filter_hash)
        )
        request.snapshot = pb.ALARM_SNAPSHOT_MODE_ON_GAP
    limit = min(max_messages or MAX_AGGREGATE_EVENTS, MAX_AGGREGATE_EVENTS) if connection.output_json else max_messages
    stream = _Stream(connection.output_json, jsonl, limit, state_file, until_synced)

    async def body(client: GatewayClient) -> None:
        with graceful_end():
            async with asyncio.timeout(duration or connection.asked_timeout), client.stream_alarms(request) as messages:
                async for message in messages:
                    if stream.take(message):
                        return

    connection.run(body)
    stream.finish()


def _start(after: AlarmPosition | None, state_file: Path | None) -> AlarmPosition | None:
    """Where to go on; None for the beginning."""
    if state_file is None or not state_file.exists():
        return after
    try:
        return AlarmPosition.parse(state_file.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise click.UsageError(f"{state_file}: {error}; remove the file to begin with the list") from error


class _Stream:
    """What a run of `stream-alarms` prints."""

    def __init__(
        self, output_json: bool, jsonl: bool, limit: int | None, state_file: Path | None, until_synced: bool
    ) -> None:
        self._collected: list[dict[str, Any]] | None = [] if output_json else None
        self._jsonl = jsonl
        self._limit = limit
        self._state_file = state_file
        self._until_synced = until_synced
        self._count = 0
        self._at: AlarmPosition | None = None

    def take(self, message: pb.AlarmFeedMessage) -> bool:
        """Prints a message; whether it was the last that is wanted."""
        self._count += 1
        if self._collected is not None:
            self._collected.append(proto_dict(message))
        else:
            click.echo(json.dumps(proto_dict(message)) if self._jsonl else feed_line(message))
            sys.stdout.flush()
        if message.HasField("at"):
            self._at = AlarmPosition(message.at.epoch, message.at.sequence, message.at.filter_hash)
            # What is printed is had: a run that is killed here repeats nothing and misses nothing.
            if self._collected is None:
                self._keep()
        arm = message.WhichOneof("payload")
        is_synced = arm == "snapshot_complete" or (arm == "position" and self._at is not None)
        return self._count == self._limit or (self._until_synced and is_synced)

    def finish(self) -> None:
        """What is left to print at the end."""
        if self._collected is not None:
            emit({"messages": self._collected}, True, "")
            self._keep()
        elif self._at is not None and not self._jsonl and self._state_file is None:
            note(f"go on with: --after {self._at}")

    def _keep(self) -> None:
        if self._state_file is None or self._at is None:
            return
        fresh = self._state_file.with_name(f"{self._state_file.name}.new")
        fresh.write_text(f"{self._at}\n", encoding="utf-8")
        os.replace(fresh, self._state_file)
