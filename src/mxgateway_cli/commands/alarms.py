"""Alarms, as the gateway's alarm monitor sees them."""

from __future__ import annotations

import sys
from typing import Any

import click
from google.protobuf.duration_pb2 import Duration

from mxgateway import AckResult, GatewayClient, next_correlation_id
from mxgateway.house import ack_result, alarm_filter, alarm_of
from mxgateway_cli.alarm_options import chosen_alarms, is_chosen
from mxgateway_cli.alarm_text import ALARM_COLUMNS, alarm_cells, alarm_table, csv_text
from mxgateway_cli.connection import Connection, connected
from mxgateway_cli.output import emit, emit_message, one_line, proto_dict
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

prefix_option = click.option("--filter-prefix", default="", help="Only alarms whose reference starts so.")


@click.command()
@prefix_option
@chosen_alarms
@click.option("--limit", type=click.IntRange(min=0), default=0, help="Alarms at most; 0 for all.")
@click.option("--format", "form", type=click.Choice(("table", "csv")), default="table", help="Form of the text.")
@click.option("--utc", is_flag=True, help="Times in UTC, in place of this machine's zone.")
@connected()
def query_active_alarms(
    connection: Connection, filter_prefix: str, chosen: dict[str, Any], limit: int, form: str, utc: bool
) -> None:
    """The list of alarms now, the most urgent first.

    \b
    Examples:
      mxgw-py query-active-alarms --json
      mxgw-py query-active-alarms --area Line1 --priority 1-250 --state UNACK_ALM
      mxgw-py query-active-alarms --format csv > alarms.csv
    """
    request = pb.QueryActiveAlarmsRequest(
        client_correlation_id=next_correlation_id(),
        alarm_filter_prefix=filter_prefix,
        filter=alarm_filter(**chosen),
        limit=limit,
        order=pb.ALARM_ORDER_PRIORITY,
    )

    async def body(client: GatewayClient) -> list[pb.ActiveAlarmSnapshot]:
        return [each async for each in client.query_active_alarms(request)]

    found = connection.run(body)
    if connection.output_json:
        emit({"alarms": [proto_dict(each) for each in found]}, True, "")
        return
    alarms = [alarm_of(each) for each in found]
    if form == "csv":
        click.echo(csv_text(ALARM_COLUMNS, (alarm_cells(alarm, is_utc=utc) for alarm in alarms)))
    else:
        emit(None, False, alarm_table(alarms, is_utc=utc))


@click.command()
@click.option(
    "--reference", "references", multiple=True, help="Provider!Group.Tag, or object and attribute; repeatable."
)
@click.option("--guid", "guids", multiple=True, help="GUID of an occurrence; repeatable.")
@click.option("--stdin", "from_stdin", is_flag=True, help="Takes further references from stdin, a line each.")
@chosen_alarms
@click.option(
    "--expect", type=click.IntRange(min=0), help="With a filter: how many alarms it has to match, or nothing is done."
)
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--comment", default="", help="Comment of the acknowledgement, 256 characters at most.")
@click.option("--operator", default="", help="Operator's name.")
@click.option("--no-wait", is_flag=True, help="Answer as soon as the plant has taken it.")
@connected()
def acknowledge_alarm(
    connection: Connection,
    references: tuple[str, ...],
    guids: tuple[str, ...],
    from_stdin: bool,
    chosen: dict[str, Any],
    expect: int | None,
    dry_run: bool,
    comment: str,
    operator: str,
    no_wait: bool,
) -> None:
    """Acknowledges alarms: one, several, or those that a filter takes.

    A filter needs --expect with the number of alarms that it matches, so that a slip acknowledges nothing; --dry-run
    tells that number. Exit code 1: some are not acknowledged.

    \b
    Examples:
      mxgw-py acknowledge-alarm --reference 'Galaxy!DEV.TestMachine_001.TestAlarm001' --comment seen
      mxgw-py acknowledge-alarm --area Line1 --priority 500-999 --expect 12 --comment "shift change"
    """
    named = [*references, *guids]
    if from_stdin:
        named += [line.strip() for line in sys.stdin if line.strip()]
    if bool(named) == is_chosen(chosen):
        raise click.UsageError("give --reference or --guid, or a filter such as --area, and not both")
    if is_chosen(chosen) and expect is None and not dry_run:
        raise click.UsageError("a filter needs --expect N; --dry-run says how many alarms it matches now")
    wait = Duration(seconds=0 if no_wait else 3)
    if len(named) == 1 and not dry_run:
        request = pb.AcknowledgeAlarmRequest(
            client_correlation_id=next_correlation_id(),
            alarm_full_reference=named[0],
            comment=comment,
            operator_user=operator,
            wait_for_transition=wait,
        )
        reply = connection.run(lambda client: client.acknowledge_alarm(request))
        result = ack_result(reply)
        emit_message(reply, connection.output_json, _ack_line(result, named[0]))
        if not result.ok:
            raise click.exceptions.Exit(1)
        return
    many = pb.AcknowledgeAlarmsRequest(
        alarms=[pb.AcknowledgeAlarmRequest(alarm_full_reference=each) for each in named],
        comment=comment,
        operator_user=operator,
        dry_run=dry_run,
        client_correlation_id=next_correlation_id(),
        wait_for_transition=wait,
    )
    if not named:
        many.filter.CopyFrom(alarm_filter(**chosen))
        if expect is not None:
            many.expected_count = expect
    answer = connection.run(lambda client: client.alarms.acknowledge_raw(many))
    results = [ack_result(each) for each in answer.results]
    asked = named or [""] * len(results)
    lines = [_ack_line(result, name) for result, name in zip(results, asked, strict=False)]
    emit_message(answer, connection.output_json, [*lines, f"{len(results)} alarms"])
    if not dry_run and not all(result.ok for result in results):
        raise click.exceptions.Exit(1)


def _ack_line(result: AckResult, asked: str) -> str:
    """What has become of one alarm; by the name that was asked for where it was found to mean none."""
    name = result.reference or ("" if result.ok else asked)
    text = f": {result.text}" if result.text else ""
    return one_line(f"{result.outcome.name.lower().replace('_', ' ')} {name}".strip() + text)
