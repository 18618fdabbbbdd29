"""The past of the alarms, their figures, shelving, and how the gateway's monitor is doing."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import click

from mxgateway import AlarmChange, AlarmChangeKind, AlarmChanges, GatewayClient
from mxgateway_cli.alarm_options import Moment, PriorityRange, Span
from mxgateway_cli.alarm_text import (
    VENDOR_COLUMNS,
    change_line,
    csv_text,
    figure_lines,
    figure_rows,
    span_text,
    vendor_cells,
)
from mxgateway_cli.connection import Connection, connected
from mxgateway_cli.output import emit, emit_message, one_line, proto_dict
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

_KINDS = [kind.name for kind in AlarmChangeKind if 0 < kind < AlarmChangeKind.ENTERED]


@click.command()
@click.option("--since", type=Moment(), help="A time, or how long ago: 8h. All that is kept without it.")
@click.option("--until", type=Moment(), help="A time, or how long ago; now without it.")
@click.option("--area", "areas", multiple=True, help="Only this area, with the areas inside it; repeatable.")
@click.option("--object", "objects", multiple=True, metavar="GLOB", help="Only these objects.")
@click.option("--glob", "references", multiple=True, metavar="GLOB", help="Only these full references.")
@click.option("--priority", type=PriorityRange(), help="Only these, 1 is the most urgent: 1-250.")
@click.option(
    "--kind", "kinds", multiple=True, type=click.Choice(_KINDS, case_sensitive=False), help="Only these changes."
)
@click.option("--operator", default="", help="Part of the operator's name.")
@click.option("--text", default="", help="Only with this in reference, description or comment.")
@click.option("--oldest-first", is_flag=True, help="Begin with the oldest.")
@click.option(
    "--limit", type=click.IntRange(min=0), default=1000, show_default=True, help="Changes at most; 0 for all."
)
@click.option("--format", "form", type=click.Choice(("text", "csv")), default="text", help="Form of the text.")
@click.option("--utc", is_flag=True, help="Times in UTC, in place of this machine's zone; CSV always has them so.")
@connected()
def alarm_history(
    connection: Connection,
    since: datetime | None,
    until: datetime | None,
    kinds: tuple[str, ...],
    form: str,
    utc: bool,
    **asked: Any,
) -> None:
    """What happened to the alarms: who acknowledged what and when, out of the gateway's history.

    CSV has the columns of the vendor's own history.

    \b
    Examples:
      mxgw-py alarm-history --since 8h --area Line1
      mxgw-py alarm-history --since 7d --kind ACKNOWLEDGE --operator anna --format csv > acknowledged.csv
    """

    async def body(client: GatewayClient) -> AlarmChanges:
        return await client.alarms.history(
            since=since, until=until, kinds=[AlarmChangeKind[kind.upper()] for kind in kinds], **asked
        )

    changes = connection.run(body)
    if connection.output_json:
        emit({"changes": [_document(change) for change in changes]}, True, "")
    elif form == "csv":
        click.echo(csv_text(VENDOR_COLUMNS, map(vendor_cells, changes)))
    else:
        emit(None, False, [change_line(change, is_utc=utc) for change in changes] or ["no changes"])


def _document(change: AlarmChange) -> dict[str, Any]:
    assert change.alarm.raw is not None
    return proto_dict(change.alarm.raw)


@click.command()
@click.option("--window", type=Span(), default="24h", show_default=True, help="Length of time up to now.")
@click.option("--area", "areas", multiple=True, help="Only this area, with the areas inside it; repeatable.")
@click.option("--position", "positions", multiple=True, help="Only this operator's position; repeatable.")
@click.option("--format", "form", type=click.Choice(("text", "csv")), default="text", help="Form of the text.")
@connected()
def alarm_stats(
    connection: Connection, window: timedelta, areas: tuple[str, ...], positions: tuple[str, ...], form: str
) -> None:
    """Figures of the alarm system after EEMUA 191 and ISA-18.2: rates, floods, chattering, standing, times.

    \b
    Examples:
      mxgw-py alarm-stats --window 8h
      mxgw-py alarm-stats --window 7d --format csv
    """
    reply = connection.run(lambda client: client.alarms.statistics(window=window, areas=areas, positions=positions))
    if connection.output_json:
        emit(proto_dict(reply), True, "")
        return
    if form == "csv":
        rows = [(each.position, name, value) for each in reply.figures for name, value in figure_rows(each)]
        click.echo(csv_text(("position", "figure", "value"), rows))
        return
    seen = f"over {span_text(reply.observed.ToTimedelta())} in which the alarms were seen"
    for each in reply.figures:
        emit(None, False, [f"{each.position}, {seen}", *map(one_line, figure_lines(each)), ""])


@click.command()
@click.argument("references", nargs=-1, required=True, metavar="REFERENCE…")
@click.option("--hours", type=click.FloatRange(min=0, min_open=True), help="How long; then it ends by itself.")
@click.option("--reason", default="", help="Why, 200 characters at most.")
@click.option("--end", "ends", is_flag=True, help="End the shelving now.")
@click.option("--operator", default="", help="Operator's name.")
@connected()
def alarm_shelve(
    connection: Connection, references: tuple[str, ...], hours: float | None, reason: str, ends: bool, operator: str
) -> None:
    """Shelves alarms for a time, or ends their shelving. Exit code 1: some are not as it was wanted.

    \b
    Examples:
      mxgw-py alarm-shelve 'Galaxy!Line1.Pump_001.Pressure.Hi' --hours 2 --reason "in repair"
      mxgw-py alarm-shelve 'Galaxy!Line1.Pump_001.Pressure.Hi' --end
    """
    if ends == (hours is not None):
        raise click.UsageError("give --hours and --reason, or --end")
    if hours is not None and not reason:
        raise click.UsageError("--reason is missing: who finds the alarm shelved wants to know why")

    async def body(client: GatewayClient) -> Any:
        if hours is None:
            return await client.alarms.unshelve(references, operator=operator)
        return await client.alarms.shelve(references, hours=hours, reason=reason, operator=operator)

    results = connection.run(body)
    lines = [
        f"{each.outcome.name.lower().replace('_', ' ')} {each.reference or name}{f': {each.text}' if each.text else ''}"
        for each, name in zip(results, references, strict=False)
    ]
    emit({"results": [proto_dict(each.raw) for each in results]}, connection.output_json, lines)
    if not all(each.ok for each in results):
        raise click.exceptions.Exit(1)


@click.command()
@connected()
def alarm_status(connection: Connection) -> None:
    """How the gateway's alarm monitor is doing: its provider, its list, its history.

    \b
    Example:
      mxgw-py alarm-status --json
    """
    reply = connection.run(lambda client: client.alarms.status())
    emit_message(reply, connection.output_json, [one_line(line) for line in _status_lines(reply)])


def _status_lines(reply: pb.GetAlarmMonitorStatusReply) -> list[str]:
    if not reply.enabled:
        return ["alarms are off (the gateway's setting alarms.enabled)"]
    provider = reply.provider
    state = pb.AlarmMonitorState.Name(provider.state).removeprefix("ALARM_MONITOR_STATE_").lower()
    lines = [state + (f": {provider.reason}" if provider.reason else "")]
    names = {each.state: pb.AlarmState.Name(each.state).removeprefix("ALARM_STATE_") for each in reply.states}
    counts = ", ".join(f"{each.count} {names[each.state]}" for each in reply.states if each.count)
    lines.append(f"list: {counts or 'no alarms'}")
    lines.append(f"log: {reply.oldest_sequence} to {reply.newest_sequence} of {reply.epoch}")
    if reply.HasField("history"):
        lines.append(f"history: {reply.history.changes} changes, {reply.history.lost} lost")
    lines.append(f"streams: {reply.streams}; offers {', '.join(reply.capabilities) or 'nothing more'}")
    return lines
