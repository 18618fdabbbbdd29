"""Alarms, as the gateway's alarm monitor sees them."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import click

from mxgateway import GatewayClient, next_correlation_id
from mxgateway.house import MAX_AGGREGATE_EVENTS
from mxgateway_cli.connection import Connection, connected
from mxgateway_cli.interrupts import graceful_end
from mxgateway_cli.output import emit, emit_message, proto_dict
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

prefix_option = click.option("--filter-prefix", default="", help="Only alarms whose reference starts so.")


@click.command()
@prefix_option
@click.option("--max-messages", type=click.IntRange(min=1), help="End after this many messages.")
@click.option("--duration", type=click.FloatRange(min=0, min_open=True), help="End after this many seconds.")
@click.option("--jsonl", is_flag=True, help="One JSON document a line, as the messages come.")
@connected(long_running=True)
def stream_alarms(
    connection: Connection, filter_prefix: str, max_messages: int | None, duration: float | None, jsonl: bool
) -> None:
    """The active alarms, then each transition, until --max-messages, --duration or Ctrl-C.

    \b
    Example:
      mxgw-py stream-alarms --filter-prefix 'Galaxy!DEV' --duration 60 --jsonl
    """
    collected: list[dict[str, Any]] = []
    limit = min(max_messages or MAX_AGGREGATE_EVENTS, MAX_AGGREGATE_EVENTS) if connection.output_json else max_messages

    async def body(client: GatewayClient) -> None:
        request = pb.StreamAlarmsRequest(client_correlation_id=next_correlation_id(), alarm_filter_prefix=filter_prefix)
        count = 0
        with graceful_end():
            async with asyncio.timeout(duration or connection.asked_timeout), client.stream_alarms(request) as stream:
                async for message in stream:
                    count += 1
                    if connection.output_json:
                        collected.append(proto_dict(message))
                    else:
                        click.echo(json.dumps(proto_dict(message)) if jsonl else _line(message))
                    if count == limit:
                        return

    connection.run(body)
    if connection.output_json:
        emit({"messages": collected}, True, "")


def _line(message: pb.AlarmFeedMessage) -> str:
    kind = message.WhichOneof("payload")
    if kind == "active_alarm":
        return f"active\t{_alarm(message.active_alarm)}"
    if kind == "transition":
        name = pb.AlarmTransitionKind.Name(message.transition.transition_kind)
        return f"{name.removeprefix('ALARM_TRANSITION_KIND_').lower()}\t{_alarm(message.transition)}"
    return str(kind).replace("_", " ")


def _alarm(alarm: Any) -> str:
    return f"{alarm.alarm_full_reference}\tseverity {alarm.severity}\t{alarm.description}"


@click.command()
@prefix_option
@connected()
def query_active_alarms(connection: Connection, filter_prefix: str) -> None:
    """The alarms that are active now.

    \b
    Example:
      mxgw-py query-active-alarms --json
    """

    async def body(client: GatewayClient) -> list[pb.ActiveAlarmSnapshot]:
        request = pb.QueryActiveAlarmsRequest(
            client_correlation_id=next_correlation_id(), alarm_filter_prefix=filter_prefix
        )
        return [each async for each in client.query_active_alarms(request)]

    alarms = connection.run(body)
    emit({"alarms": [proto_dict(each) for each in alarms]}, connection.output_json, map(_alarm, alarms))


@click.command()
@click.option("--reference", required=True, help="GUID, or Provider!Group.Tag.")
@click.option("--comment", default="", help="Comment of the acknowledgement.")
@click.option("--operator", default="", help="Operator's name.")
@connected()
def acknowledge_alarm(connection: Connection, reference: str, comment: str, operator: str) -> None:
    """Acknowledges one alarm.

    \b
    Example:
      mxgw-py acknowledge-alarm --reference 'Galaxy!DEV.TestMachine_001.TestAlarm001' --comment seen
    """
    request = pb.AcknowledgeAlarmRequest(
        client_correlation_id=next_correlation_id(),
        alarm_full_reference=reference,
        comment=comment,
        operator_user=operator,
    )
    reply = connection.run(lambda client: client.acknowledge_alarm(request))
    emit_message(reply, connection.output_json, reply.diagnostic_message or "acknowledged")
