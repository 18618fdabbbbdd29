"""The alarm commands against a scripted gateway: what they ask, what they print, and when they end with 1."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import click
import pytest
from tests.support.fake_gateway import FakeGateway, ok
from tests.unit.cli.conftest import Cli

from mxgateway import (
    Alarm,
    AlarmChange,
    AlarmChangeKind,
    AlarmFeedState,
    AlarmOrigin,
    AlarmPosition,
    AlarmsSynced,
    AlarmState,
)
from mxgateway.sync import GatewayClient as SyncClient
from mxgateway_cli.alarm_options import Moment, PriorityRange, Span
from mxgateway_cli.alarm_text import VENDOR_COLUMNS, alarm_table, change_line, csv_text, span_text, vendor_cells
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

RAISED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PUMP = Alarm(
    reference="Galaxy!Line1.Pump.P.Hi",
    object_reference="Pump.P.Hi",
    area="Line1",
    priority=3,
    state=AlarmState.ACK_ALM,
    raised=RAISED,
    changed=RAISED + timedelta(seconds=9),
    acknowledged_at=RAISED + timedelta(seconds=9),
    operator="anna",
    comment="=HYPERLINK(1)",
    description="too high\n\x1b[31m",
    value=-5,
    shelved=True,
)


def acknowledged(*outcomes: int) -> pb.AcknowledgeAlarmsReply:
    return pb.AcknowledgeAlarmsReply(
        protocol_status=ok(),
        results=[
            pb.AcknowledgeAlarmReply(outcome=pb.AlarmAckOutcome.ValueType(each), alarm_full_reference=f"G!A.{n}")
            for n, each in enumerate(outcomes)
        ],
    )


def test_the_list_is_asked_for_by_all_that_chooses(gateway: FakeGateway, cli: Cli) -> None:
    options = (
        *("--area", "Line1", "--area", "Line2", "--no-sub-areas", "--object", "Pump*", "--glob", "*.Hi"),
        *("--priority", "1-250", "--state", "unack_alm", "--text", "high", "--limit", "5"),
    )
    assert "TestAlarm001" in cli("query-active-alarms", *options).out
    asked = gateway.requests[-1]
    chosen = asked.filter
    assert (list(chosen.areas), chosen.include_sub_areas, list(chosen.objects)) == (
        ["Line1", "Line2"],
        False,
        ["Pump*"],
    )
    assert (list(chosen.references), chosen.priority_min, chosen.priority_max) == (["*.Hi"], 1, 250)
    assert (list(chosen.states), chosen.text, asked.limit) == ([pb.ALARM_STATE_UNACK_ALM], "high", 5)
    header, line = cli("query-active-alarms", "--format", "csv").out.splitlines()
    assert header.startswith("state,priority,since,alarm")
    assert "TestAlarm001" in line


def test_acknowledging_one_and_several(gateway: FakeGateway, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    one = cli("acknowledge-alarm", "--reference", "G!A.B", "--no-wait")
    assert (one.code, one.out.strip()) == (0, "accepted")
    assert gateway.requests[-1].wait_for_transition.seconds == 0
    both = cli("acknowledge-alarm", "--reference", "G!A.B", "--guid", "1-2", "--comment", "seen")
    assert (both.code, both.out.splitlines()[-1]) == (0, "2 alarms")
    asked = gateway.requests[-1]
    assert ([each.alarm_full_reference for each in asked.alarms], asked.comment) == (["G!A.B", "1-2"], "seen")
    monkeypatch.setattr("sys.stdin", io.StringIO("G!A.C\n\n G!A.D \n"))
    piped = cli("acknowledge-alarm", "--stdin", "--reference", "G!A.B")
    assert piped.code == 0
    assert [each.alarm_full_reference for each in gateway.requests[-1].alarms] == ["G!A.B", "G!A.C", "G!A.D"]


def test_one_that_is_not_acknowledged_is_exit_code_1(gateway: FakeGateway, cli: Cli) -> None:
    gateway.script("AcknowledgeAlarms", acknowledged(1, 5, 3))
    found = cli("acknowledge-alarm", "--reference", "a", "--reference", "b", "--reference", "c")
    assert found.code == 1
    assert found.out.splitlines() == [
        *("acknowledged G!A.0", "superseded G!A.1", "already acknowledged G!A.2"),
        "3 alarms",
    ]


def test_what_is_not_found_is_told_by_the_name_that_was_asked_for(gateway: FakeGateway, cli: Cli) -> None:
    missing = pb.AcknowledgeAlarmReply(protocol_status=ok(), outcome=4, diagnostic_message="no such alarm")
    gateway.script("AcknowledgeAlarm", missing)
    one = cli("acknowledge-alarm", "--reference", "G!A.B")
    assert (one.code, one.out.strip()) == (1, "not found G!A.B: no such alarm")
    answer = acknowledged(1, 1)
    answer.results[1].CopyFrom(missing)
    gateway.script("AcknowledgeAlarms", answer)
    both = cli("acknowledge-alarm", "--reference", "G!A.0", "--reference", "G!A.C")
    assert (both.code, both.out.splitlines()[1]) == (1, "not found G!A.C: no such alarm")
    shelved = pb.ShelveAlarmsReply(protocol_status=ok())
    shelved.results.add(outcome=pb.ALARM_SHELVE_OUTCOME_NOT_FOUND, diagnostic_message="no such alarm")
    gateway.script("ShelveAlarms", shelved)
    assert cli("alarm-shelve", "G!A.D", "--end").out.strip() == "not found G!A.D: no such alarm"


def test_a_filter_acknowledges_the_number_that_was_expected(gateway: FakeGateway, cli: Cli) -> None:
    gateway.script("AcknowledgeAlarms", acknowledged(11, 11), acknowledged(1, 1))
    dry = cli("acknowledge-alarm", "--area", "Line1", "--dry-run")
    assert (dry.code, dry.out.splitlines()[-1]) == (0, "2 alarms")
    assert (gateway.requests[-1].dry_run, gateway.requests[-1].HasField("expected_count")) == (True, False)
    assert cli("acknowledge-alarm", "--area", "Line1", "--expect", "2").code == 0
    asked = gateway.requests[-1]
    assert (asked.expected_count, list(asked.filter.areas), len(asked.alarms)) == (2, ["Line1"], 0)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("acknowledge-alarm",), "give --reference or --guid, or a filter"),
        (("acknowledge-alarm", "--reference", "a", "--area", "b"), "and not both"),
        (("acknowledge-alarm", "--area", "b"), "--expect N"),
        (("query-active-alarms", "--priority", "0-5"), "from 1, the most urgent"),
        (("query-active-alarms", "--state", "ALARMED"), "unack_alm"),
        (("alarm-history", "--since", "yesterday"), "how long ago (8h"),
        (("alarm-stats", "--window", "0h"), "no length of time"),
        (("alarm-shelve", "a"), "--hours and --reason, or --end"),
        (("alarm-shelve", "a", "--hours", "1"), "--reason is missing"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(
    gateway: FakeGateway, cli: Cli, arguments: tuple[str, ...], text: str
) -> None:
    found = cli(*arguments)
    assert found.code == 2
    assert text in " ".join(found.err.split())
    assert gateway.requests == []


def test_the_past(gateway: FakeGateway, cli: Cli) -> None:
    event = pb.OnAlarmTransitionEvent(
        alarm_full_reference="Galaxy!Line1.Pump.P.Hi",
        transition_kind=pb.ALARM_TRANSITION_KIND_ACKNOWLEDGE,
        state=pb.ALARM_STATE_ACK_ALM,
        severity=3,
        operator_user="anna",
    )
    event.transition_timestamp.FromDatetime(RAISED)
    for form in ((), ("--format", "csv"), ("--json",)):
        gateway.script("QueryAlarmHistory", pb.AlarmHistoryPage(changes=[event]))
        found = cli("alarm-history", "--since", "2026-01-01T00:00Z", "--kind", "acknowledge", "--utc", *form)
        assert found.code == 0
        if not form:
            assert found.out.strip() == (
                "2026-01-02 03:04:05+00:00 ACKNOWLEDGE by anna Galaxy!Line1.Pump.P.Hi priority 3"
            )
        elif form == ("--json",):
            assert found.json["changes"][0]["operatorUser"] == "anna"
        else:
            assert found.out.startswith("EventStamp,AlarmState,TagName")
    asked = gateway.requests[-1]
    assert (asked.from_time.ToDatetime(UTC), list(asked.kinds)) == (datetime(2026, 1, 1, tzinfo=UTC), [2])
    assert cli("alarm-history").out.strip() == "no changes"


def test_figures_shelving_and_status(gateway: FakeGateway, cli: Cli) -> None:
    figures = pb.AlarmFigures(
        position="all",
        annunciated=12,
        average_rate=1.5,
        most_frequent=[pb.AlarmCount(alarm_full_reference=f"G!A.B{number}", count=20 - number) for number in range(12)],
    )
    figures.time_to_acknowledge.count = 1
    figures.time_to_acknowledge.median.seconds = 90
    reply = pb.GetAlarmStatisticsReply(protocol_status=ok(), figures=[figures])
    reply.observed.seconds = 3600
    gateway.script("GetAlarmStatistics", reply, reply)
    shown = cli("alarm-stats", "--window", "8h").out
    lines = shown.splitlines()
    assert lines[0] == "all, over 1 h in which the alarms were seen"
    assert "median 1 min 30 s" in shown
    # Each alarm has a line, and of many there are ten.
    first = next(place for place, line in enumerate(lines) if line.startswith("most frequent"))
    assert [line.split("  ")[-1].strip() for line in lines[first : first + 11]] == [
        *(f"G!A.B{number} {20 - number}" for number in range(10)),
        "and 2 more",
    ]
    assert any(line.split() == ["chattering", "none"] for line in lines)
    assert max(map(len, lines)) < 80
    assert gateway.requests[-1].window.seconds == 28_800
    assert "all,annunciated,12" in cli("alarm-stats", "--format", "csv").out
    shelved = cli("alarm-shelve", "G!A.B", "--hours", "0.5", "--reason", "in repair")
    assert (shelved.code, shelved.out.strip()) == (0, "done G!A.B")
    assert gateway.requests[-1].duration.seconds == 1800
    assert cli("alarm-shelve", "G!A.B", "--end").code == 0
    status = pb.GetAlarmMonitorStatusReply(protocol_status=ok(), enabled=True, epoch="e", newest_sequence=9)
    status.provider.state = pb.ALARM_MONITOR_STATE_DEGRADED
    status.provider.reason = "no answer"
    status.states.add(state=pb.ALARM_STATE_UNACK_ALM, count=3)
    gateway.script("GetAlarmMonitorStatus", status)
    assert cli("alarm-status").out.splitlines()[:3] == ["degraded: no answer", "list: 3 UNACK_ALM", "log: 0 to 9 of e"]
    gateway.script("GetAlarmMonitorStatus", pb.GetAlarmMonitorStatusReply(protocol_status=ok()))
    assert "alarms.enabled" in cli("alarm-status").out


def test_lines_and_tables_cannot_command_a_terminal_or_a_spreadsheet() -> None:
    (header, line) = alarm_table([PUMP], is_utc=True)
    assert header.split() == ["STATE", "PRIORITY", "SINCE", "ALARM", "DESCRIPTION", "VALUE", "OPERATOR", "COMMENT"]
    assert "ACK_ALM shelved" in line
    assert "\x1b" not in line
    assert "\n" not in line
    change = AlarmChange(AlarmChangeKind.ACKNOWLEDGE, PUMP, None, 4, AlarmOrigin.RECONCILE)
    assert "ACKNOWLEDGE by anna (reconcile) Galaxy!Line1.Pump.P.Hi" in change_line(change)
    assert "\x1b" not in change_line(change)
    rows = list(csv.DictReader(io.StringIO(csv_text(VENDOR_COLUMNS, [vendor_cells(change)]))))
    assert rows[0]["Comment"] == "'=HYPERLINK(1)"
    assert (rows[0]["Value"], rows[0]["UNACKDuration"], rows[0]["Provider"]) == ("-5", "9000", "Galaxy")
    assert alarm_table([]) == ["no alarms"]


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        (PriorityRange(), "1-250", (1, 250)),
        (PriorityRange(), " 7 ", (7, 7)),
        (Span(), "1.5h", timedelta(minutes=90)),
        (Span(), "7d", timedelta(days=7)),
        (Moment(), "2026-01-02T03:04:05+02:00", datetime(2026, 1, 2, 1, 4, 5, tzinfo=UTC)),
    ],
)
def test_values_of_options(kind: Any, text: str, expected: object) -> None:
    assert kind.convert(text, None, None) == expected
    assert kind.convert(expected, None, None) == expected


def test_how_long_ago_is_before_now() -> None:
    before = datetime.now(UTC) - timedelta(hours=8)
    found = Moment().convert("8h", None, None)
    assert before <= found <= datetime.now(UTC) - timedelta(hours=8)
    for wrong in ("", "8 hours ago", "99999999999999d"):
        with pytest.raises(click.BadParameter):
            Moment().convert(wrong, None, None)


def test_the_feed_without_async(gateway: FakeGateway) -> None:
    """As scripts use it: the list at once, what happens with a limit of time, and the calls beside."""
    gateway.alarm_streams = [
        [
            pb.AlarmFeedBatch(
                messages=[
                    pb.AlarmFeedMessage(active_alarm=pb.ActiveAlarmSnapshot(alarm_full_reference="Galaxy!Area.A")),
                    pb.AlarmFeedMessage(snapshot_complete=True),
                ],
                at=pb.AlarmPosition(epoch="e", sequence=5),
            )
        ]
    ]
    with (
        SyncClient.connect(endpoint=gateway.endpoint, plaintext=True, api_key="mxgw_k_s") as client,
        client.alarms.watch() as feed,
    ):
        assert feed.find("Galaxy!Area.A") is not None
        assert feed.next_event(10) == AlarmsSynced(1)
        with pytest.raises(TimeoutError):
            feed.next_event(0.01)
        assert (feed.state, feed.position) == (AlarmFeedState.SYNCED, AlarmPosition("e", 5))
        assert client.alarms.acknowledge("x").ok
        assert len(client.alarms.active()) == 1


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (3.42, "3.4 s"),
        (59, "59 s"),
        (60, "1 min"),
        (125, "2 min 5 s"),
        (3600, "1 h"),
        (86_399.6, "1 d"),
        (183_600, "2 d 3 h"),
    ],
)
def test_a_length_of_time_is_told_in_two_units_at_most(seconds: float, text: str) -> None:
    assert span_text(timedelta(seconds=seconds)) == text
