"""`alarms` and `stream-alarms` against a scripted gateway: tables, lines, positions that are kept."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
from rich.console import Console
from tests.support.fake_gateway import Abort, FakeGateway
from tests.unit.cli.conftest import Cli
from tests.unit.client.test_alarm_reader import at, gap, marker, snapshot, transition

from mxgateway import (
    Alarm,
    AlarmChange,
    AlarmChangeKind,
    AlarmFeedState,
    AlarmMode,
    AlarmOrigin,
    AlarmProviderChanged,
    AlarmState,
)
from mxgateway_cli.alarm_board import LOOKS, AlarmBoard, age_text
from mxgateway_cli.alarm_live_table import AlarmLiveTable
from mxgateway_cli.alarm_text import feed_line
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

K, S = AlarmChangeKind, AlarmState
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
BROKEN = Abort(grpc.StatusCode.UNAVAILABLE, "gone")


def batch(*messages: pb.AlarmFeedMessage) -> pb.AlarmFeedBatch:
    return pb.AlarmFeedBatch(messages=messages)


def names(alarms: list[Alarm]) -> str:
    return "".join(alarm.reference[-1] for alarm in alarms)


def alarm(name: str, **facts: object) -> Alarm:
    return Alarm(reference=f"Galaxy!Line1.{name}", **{"state": S.UNACK_ALM, "priority": 500, **facts})  # type: ignore[arg-type]


def test_the_list_and_each_change_are_lines_where_there_is_no_terminal(gateway: FakeGateway, cli: Cli) -> None:
    gateway.alarm_streams = [
        [
            batch(snapshot("B", severity=9), snapshot("A", severity=1), snapshot("C", shelved=True), marker(5)),
            batch(transition("B", K.ACKNOWLEDGE, S.ACK_ALM, 6, severity=9, description="too\thigh\x1b[2J")),
        ]
    ]
    found = cli("alarms", "--area", "Line1", "--max-events", "1")
    assert (found.code, found.err) == (0, "")
    lines = [line.split("\t") for line in found.out.splitlines()]
    assert [line[1:5] for line in lines] == [
        ["ACTIVE", "UNACK_ALM", "1", "Galaxy!Area.A"],
        ["ACTIVE", "UNACK_ALM", "9", "Galaxy!Area.B"],
        ["ACKNOWLEDGE", "ACK_ALM", "9", "Galaxy!Area.B"],
    ]
    assert lines[2][5] == r"too high\u001b[2J"
    assert list(gateway.requests[-1].filter.areas) == ["Line1"]


def test_in_json_every_line_is_an_object_with_gaps_and_the_provider_among_them(gateway: FakeGateway, cli: Cli) -> None:
    gateway.alarm_streams = [
        [batch(snapshot("A"), marker(5)), BROKEN],
        [
            batch(
                gap("epoch"),
                marker(1),
                pb.AlarmFeedMessage(provider_status=pb.AlarmProviderStatus(uncertain=True, reason="silent")),
                transition("B", K.RAISE, S.UNACK_ALM, 2),
            )
        ],
    ]
    found = cli("alarms", "--json", "--max-events", "2", "--hidden")
    assert found.code == 0
    documents = [json.loads(line) for line in found.out.splitlines()]
    assert [next(iter(each)) for each in documents] == ["kind", "synced", "gap", "kind", "synced", "provider", "kind"]
    assert (documents[3]["kind"], documents[3]["origin"], documents[3]["sequence"]) == ("CLEAR", "RECONCILE", 0)
    assert (documents[6]["kind"], documents[6]["sequence"]) == ("RAISE", 2)
    assert documents[5]["provider"]["reason"] == "silent"
    assert "reconnecting: StreamAlarmBatches: UNAVAILABLE: gone" in found.err


def test_once_prints_the_list_and_what_has_to_be_known_of_it(gateway: FakeGateway, cli: Cli) -> None:
    status = pb.AlarmProviderStatus(degraded=True, reason="no answer")
    script = [batch(snapshot("A", S.ACK_ALM), snapshot("B"), marker(5), pb.AlarmFeedMessage(provider_status=status))]
    gateway.alarm_streams = [list(script), list(script), [batch(marker(1))]]
    text = cli("alarms", "--once")
    assert [line.split()[0] for line in text.out.splitlines()] == ["STATE", "UNACK_ALM", "ACK_ALM"]
    assert text.err.strip() == "DEGRADED: no answer"
    document = cli("alarms", "--once", "--json").json
    assert (document["state"], document["position"]) == ("degraded", "e:5")
    assert [each["alarmFullReference"] for each in document["alarms"]] == ["Galaxy!Area.B", "Galaxy!Area.A"]
    assert cli("alarms", "--once").out == "no alarms\n"
    waits = pb.AlarmProviderStatus(uncertain=True, reason="the worker does not start")
    gateway.alarm_streams = [[batch(pb.AlarmFeedMessage(provider_status=waits))]]
    none = cli("alarms", "--once")
    assert (none.code, none.out) == (1, ""), "no list is not an empty one"
    assert "no list of the alarms yet: the worker does not start" in none.err


def test_a_gateway_that_refuses_or_is_not_there_is_a_failure(gateway: FakeGateway, cli: Cli) -> None:
    gateway.script("StreamAlarmBatches", Abort(grpc.StatusCode.FAILED_PRECONDITION, "alarms are off"))
    found = cli("alarms")
    assert (found.code, "alarms are off" in found.err) == (1, True)
    gateway.alarm_streams = [[batch(snapshot("A"), marker(5)), BROKEN]]
    found = cli("alarms", "--no-reconnect")
    assert (found.code, "gone" in found.err) == (1, True)


def test_the_order_is_unacknowledged_then_priority_then_age() -> None:
    board = AlarmBoard()
    early = NOW - timedelta(hours=1)
    board.replace(
        [
            alarm("a", state=S.ACK_ALM, priority=1, raised=early),
            alarm("b", state=S.UNACK_RTN, priority=500, raised=NOW),
            alarm("c", priority=500, raised=early),
            alarm("d", priority=2, raised=NOW),
            alarm("e", priority=0, raised=early),
            alarm("f", priority=1, shelved=True),
            alarm("g", priority=1, mode=AlarmMode.SILENCED),
        ]
    )
    assert names(board.rows()) == "dcbea"
    assert board.summary(0.0).startswith("5 alarms, 4 unacknowledged, 0.0 changes/s, 2 shelved or silenced not shown")
    board.shows_hidden = True
    board.forget_order()
    assert names(board.rows()) == "fgdcbea"


def test_what_changed_stands_out_for_a_while_and_counts() -> None:
    board = AlarmBoard()
    board.replace([alarm("a")])
    for second in range(10):
        board.note(AlarmChange(K.UPDATE, alarm("a"), None, second, AlarmOrigin.LIVE), float(second))
    assert (board.rate(9.0), board.rate(15.0), board.rate(99.0)) == (1.0, 0.5, 0.0)
    assert (board.is_fresh(alarm("a"), 10.0), board.is_fresh(alarm("a"), 13.0)) == (True, False)
    for number in range(3000):
        board.note(AlarmChange(K.RAISE, alarm(str(number)), None, 1, AlarmOrigin.LIVE), 100.0 + number)
    assert len(board._changed_at) < 1100, "what has changed long ago is not kept"


def drawn(board: AlarmBoard, width: int, height: int = 24) -> str:
    table = AlarmLiveTable("alarms")
    table._console = Console(file=io.StringIO(), width=width, height=height)
    table._console.print(table._render(board, 10.0, NOW))
    return table._console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


@pytest.mark.parametrize("width", [40, 60, 80, 100, 140, 200])
def test_a_table_is_as_wide_as_the_terminal_and_tells_states_by_shape_and_word(width: int) -> None:
    board = AlarmBoard(shows_hidden=True)
    states = [S.UNACK_ALM, S.ACK_ALM, S.UNACK_RTN, S.LATCHED, S.UNKNOWN]
    board.replace(
        alarm(f"Pump_{n}.P.Hi", state=state, description="too high\n" * 9, raised=NOW - timedelta(minutes=5), value=-5)
        for n, state in enumerate(states)
    )
    text = drawn(board, width)
    assert all(len(line) <= width for line in text.splitlines())
    assert all(f"{LOOKS[state].shape} {LOOKS[state].word}" in text for state in states)
    assert text.count("5 min") == len(states)
    assert all(f"Pump_{n}" in text for n in range(len(states))) or width < 80
    assert len({look.shape for look in LOOKS.values()}) == len(LOOKS)


def test_a_table_says_what_does_not_fit_and_how_good_the_list_is() -> None:
    board = AlarmBoard()
    board.replace(alarm(f"A{n:03}", uncertain=True) for n in range(50))
    board.state = AlarmFeedState.RECONNECTING
    board.provider = AlarmProviderChanged(degraded=True, forced=True, uncertain=True, reason="no answer")
    text = drawn(board, 110)
    assert "RECONNECTING  UNCERTAIN  DEGRADED  FORCED" in text
    assert "50 alarms, 50 unacknowledged" in text
    assert "more do not fit)" in text
    assert "no answer" in text
    assert "UNACK_ALM uncertain" in text
    board.replace([])
    board.problem = "reconnecting: gone"
    assert "no alarms" in drawn(board, 80)
    assert "reconnecting: gone" in drawn(board, 80)
    assert "there is no list yet" in drawn(AlarmBoard(), 80)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (59, "59 s"), (61, "1 min"), (7200, "2 h"), (200_000, "2 d")]
)
def test_ages(seconds: int, text: str) -> None:
    assert age_text(alarm("a", raised=NOW - timedelta(seconds=seconds)), NOW) == text
    assert age_text(alarm("a"), NOW) == ""


# ---------------------------------------------------------------------------------------------------- stream-alarms


def test_a_stream_takes_all_filters_and_goes_on_after_a_position(gateway: FakeGateway, cli: Cli) -> None:
    gateway.alarm_messages = [transition("A", K.CLEAR, S.ACK_RTN, 13), gap("lagged")]
    found = cli(
        *("stream-alarms", "--area", "Line1", "--state", "unack_alm", "--priority", "1-9", "--extended"),
        *("--filter-prefix", "Galaxy!", "--after", "0af:12:f00"),
    )
    assert found.code == 0
    assert found.out.splitlines() == ["clear\tGalaxy!Area.A\tseverity 0", "gap\tlagged\t7 lost"]
    assert found.err.strip() == "go on with: --after e:13"
    asked = gateway.requests[-1]
    assert (list(asked.filter.areas), asked.filter.priority_max, asked.include_extended) == (["Line1"], 9, True)
    assert (asked.alarm_filter_prefix, asked.snapshot) == ("Galaxy!", pb.ALARM_SNAPSHOT_MODE_ON_GAP)
    assert asked.resume_after == pb.AlarmPosition(epoch="0af", sequence=12, filter_hash=0xF00)


def test_a_state_file_carries_the_position_from_run_to_run(gateway: FakeGateway, cli: Cli, tmp_path: Path) -> None:
    kept = tmp_path / "line1.position"
    gateway.alarm_messages = [snapshot("A"), marker(5), transition("A", K.CLEAR, S.ACK_RTN, 6)]
    assert cli("stream-alarms", "--state-file", str(kept), "--until-synced", "--jsonl").code == 0
    assert kept.read_text() == "e:5\n"
    assert not gateway.requests[-1].HasField("resume_after")
    gateway.alarm_messages = [transition("A", K.CLEAR, S.ACK_RTN, 6), pb.AlarmFeedMessage(position=at(7), at=at(7))]
    again = cli("stream-alarms", "--state-file", str(kept), "--until-synced", "--json")
    assert len(again.json["messages"]) == 2
    assert gateway.requests[-1].resume_after == at(5)
    assert kept.read_text() == "e:7\n"
    kept.write_text("nonsense")
    wrong = cli("stream-alarms", "--state-file", str(kept))
    assert (wrong.code, "remove the file" in " ".join(wrong.err.split())) == (2, True)
    both = cli("stream-alarms", "--state-file", str(kept), "--after", "e:1")
    assert (both.code, "not both" in both.err) == (2, True)
    assert "EPOCH:SEQUENCE" in cli("stream-alarms", "--after", "e").err


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (pb.AlarmFeedMessage(left=pb.AlarmLeft(alarm_full_reference="G!A.B")), "left\tG!A.B"),
        (
            pb.AlarmFeedMessage(provider_status=pb.AlarmProviderStatus(degraded=True, uncertain=True, reason="x\ty")),
            "provider status\tdegraded uncertain\tx y",
        ),
        (pb.AlarmFeedMessage(flood=pb.AlarmFlood(position="north", count=12)), "flood\tnorth\tbegan\t12"),
        (pb.AlarmFeedMessage(snapshot_complete=True), "snapshot complete"),
        (pb.AlarmFeedMessage(), "unknown message"),
        (
            pb.AlarmFeedMessage(
                transition=pb.OnAlarmTransitionEvent(alarm_full_reference="G!A.B\x1b", transition_kind=99)  # type: ignore[arg-type]
            ),
            "unknown\tG!A.B\\u001b\tseverity 0",
        ),
    ],
)
def test_every_message_of_a_stream_has_a_line(message: pb.AlarmFeedMessage, line: str) -> None:
    assert feed_line(message) == line
