"""`watch` and `record`: lines and files, and what becomes of them when the connection breaks."""

from __future__ import annotations

import csv
import json
import sys
import time
from pathlib import Path

import grpc
import pytest
from tests.support.fake_gateway import Abort, FakeGateway, data_change, failed, ok
from tests.unit.cli.conftest import Cli

from mxgateway.generated import mxaccess_gateway_pb2 as pb

BREAK = Abort(grpc.StatusCode.UNAVAILABLE, "connection lost")
TAG = "Machine_001.Speed"


def test_watch_prints_a_line_for_each_change_when_piped(gateway: FakeGateway, cli: Cli) -> None:
    """watch without a terminal prints time, tag, value and quality, and ends after --max-events."""
    gateway.events = [data_change(1, 1), data_change(2, 2, quality=0)]
    outcome = cli("watch", "Machine_001.Speed", "Machine_002.Speed", "--max-events", "2")
    first, second = (line.split("\t") for line in outcome.out.splitlines())
    assert first[1:] == ["Machine_001.Speed", "1", "Good"]
    assert second[1:] == ["Machine_002.Speed", "2", "Bad"]
    assert gateway.calls["CloseSession"] == 1


@pytest.mark.skipif(sys.platform == "win32", reason="the time zone of a process is Unix's")
def test_times_are_utc_or_local_by_a_switch(gateway: FakeGateway, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Local times say their offset; JSON stays as it is."""
    reply = pb.MxCommandReply(protocol_status=ok(), hresult=0)
    result = reply.read_bulk.results.add(tag_address="A.B", was_successful=True, quality=192)
    result.source_timestamp.FromJsonString("2026-01-31T10:00:00Z")
    gateway.answer("read_bulk", reply)
    event = data_change(1)
    event.source_timestamp.CopyFrom(result.source_timestamp)
    gateway.events = [event]
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    try:
        assert "2026-01-31T10:00:00Z" in cli("read", "A.B").out
        assert "2026-01-31 15:30:00.000+05:30" in cli("read", "A.B", "--local-time").out
        assert "2026-01-31T10:00:00Z" in cli("read", "A.B", "--local-time", "--json").out
        assert cli("watch", "A.B", "--max-events", "1", "--local-time").out.startswith("2026-01-31 15:30:00.000+05:30")
    finally:
        monkeypatch.undo()
        time.tzset()


def test_watch_in_json_prints_an_object_a_line(gateway: FakeGateway, cli: Cli) -> None:
    """watch --json prints one object a line with the tag's name; the time being over is an ordinary end."""
    gateway.events = [data_change(1, 1)]
    outcome = cli("watch", "Machine_001.Speed", "--duration", "0.3", "--json")
    assert outcome.code == 0
    (line,) = outcome.out.splitlines()
    assert json.loads(line)["tag"] == "Machine_001.Speed"


def test_watch_says_when_the_stream_breaks(gateway: FakeGateway, cli: Cli) -> None:
    """An event stream that fails makes watch fail with the cause."""
    gateway.events = [Abort(grpc.StatusCode.UNAVAILABLE, "going away")]
    outcome = cli("watch", "Machine_001.Speed", "--duration", "5", "--no-reconnect")
    assert outcome.code == 1
    assert "going away" in outcome.err


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_record_writes_a_file(gateway: FakeGateway, cli: Cli, tmp_path: Path, ending: str) -> None:
    """record writes tag, time, value, quality and type of each change."""
    gateway.events = [data_change(1, 1), data_change(2, 1)]
    target = tmp_path / f"speed.{ending}"
    outcome = cli("record", "Machine_001.Speed", "--output", str(target), "--max-events", "2", "--json")
    figures = {"lost": 0, "interruptions": 0, "newSessions": 0, "complete": True}
    assert outcome.json == {"file": str(target), "tags": 1, "events": 2, **figures}
    if ending == "csv":
        lines = target.read_text().splitlines()
        assert lines[0] == "tag,time,value,quality,type"
        assert lines[1] == "Machine_001.Speed,2023-11-14T22:13:20.000000001Z,1,192,VT_I4"
    else:
        pandas = pytest.importorskip("pandas")
        assert list(pandas.read_parquet(target)["value"]) == ["1", "2"]


def test_record_refuses_other_files(cli: Cli, tmp_path: Path) -> None:
    """A file of another kind is a usage error."""
    assert cli("record", "A.B", "--output", str(tmp_path / "x.txt"), "--max-events", "1").code == 2


def test_watch_goes_on_when_the_stream_breaks(gateway: FakeGateway, cli: Cli) -> None:
    """The stream is opened again where it ended: stderr says so, late changes are marked, none is doubled."""
    gateway.events = [
        pb.MxEventBatch(events=[data_change(1, 1)]),
        pb.MxEventBatch(events=[data_change(1, 1), data_change(2, 1)], replayed_events=2),
    ]
    gateway.put(BREAK, data_change(3, 1))
    outcome = cli("watch", TAG, "--max-events", "3")
    assert outcome.code == 0, outcome.err
    lines = [line.split("\t")[2:] for line in outcome.out.splitlines()]
    assert lines == [["1", "Good"], ["2", "Good", "replayed"], ["3", "Good"]]
    told = outcome.err.splitlines()
    assert "reconnecting: StreamEventBatches: UNAVAILABLE: connection lost" in told[0]
    assert told[1].endswith("connected again, the session goes on: what was missed follows")
    assert told[2:] == ["1 interruption, 0 events lost"]
    assert [request.after_worker_sequence for request in gateway.stream_requests] == [0, 2]
    assert gateway.calls["CloseSession"] == gateway.calls["OpenSession"] == 1


def test_watch_opens_a_new_session_when_its_own_is_gone(gateway: FakeGateway, cli: Cli) -> None:
    """The first values of the new session are marked, and what changed before is said to be unknown."""
    gateway.answer(
        "get_session_state", pb.MxCommandReply(protocol_status=failed(pb.PROTOCOL_STATUS_CODE_SESSION_NOT_FOUND))
    )
    gateway.put(data_change(1, 1), BREAK, data_change(1, 2), data_change(2, 2))
    outcome = cli("watch", TAG, "--max-events", "3", "--json")
    assert outcome.code == 0, outcome.err
    documents = [json.loads(line) for line in outcome.out.splitlines()]
    assert [(each["workerSequence"], each["replayed"], each["recovered"]) for each in documents] == [
        ("1", False, False),
        ("1", False, True),
        ("2", False, False),
    ]
    assert "connected again in a new session: what changed in between is not known" in outcome.err
    assert outcome.err.endswith("1 interruption, 1 new session (what changed before it is not known), 0 events lost\n")


def test_watch_marks_what_was_lost(gateway: FakeGateway, cli: Cli) -> None:
    """Events that the gateway dropped are counted in the next line and on stderr; that line's value was read again."""
    gateway.events = [
        pb.MxEventBatch(events=[data_change(1, 1)]),
        pb.MxEventBatch(events=[data_change(9, 1)], dropped_events=7),
    ]
    outcome = cli("watch", TAG, "--max-events", "3")
    lines = [line.split("\t")[1:] for line in outcome.out.splitlines()]
    assert lines[1] == [TAG, "0", "Good", "recovered, 7 lost before"]
    assert outcome.err.splitlines()[0].endswith(" 7 events were lost")
    assert outcome.err.splitlines()[-1] == "7 events lost"


def test_a_value_that_was_read_again_looks_like_an_event(gateway: FakeGateway, cli: Cli) -> None:
    """In JSON it has the keys of all others; its sequence is 0."""
    gateway.events = [pb.MxEventBatch(events=[data_change(9, 1)], dropped_events=7)]
    outcome = cli("watch", TAG, "--max-events", "1", "--json")
    read = json.loads(outcome.out)
    assert (read["family"], read["workerSequence"], read["value"]["int32Value"], read["lostBefore"]) == (
        "MX_EVENT_FAMILY_ON_DATA_CHANGE",
        "0",
        0,
        7,
    )


def test_a_line_in_json_has_the_gateway_s_time(gateway: FakeGateway, cli: Cli) -> None:
    """The time of a batch stands in each of its events, as on the stream of single events."""
    batch = pb.MxEventBatch(events=[data_change(1, 1)])
    batch.gateway_receive_timestamp.FromSeconds(1_700_000_001)
    gateway.events = [batch]
    (line,) = cli("watch", TAG, "--max-events", "1", "--json").out.splitlines()
    assert json.loads(line)["gatewayReceiveTimestamp"] == "2023-11-14T22:13:21Z"


@pytest.mark.parametrize("command", ["watch", "record"])
@pytest.mark.parametrize(
    ("method", "failure", "text"),
    [
        ("OpenSession", Abort(grpc.StatusCode.UNAUTHENTICATED, "unknown key"), "unknown key"),
        ("OpenSession", BREAK, "connection lost"),
        ("Invoke", Abort(grpc.StatusCode.DEADLINE_EXCEEDED, "too slow"), "too slow"),
    ],
)
def test_a_start_that_fails_is_a_failure(
    gateway: FakeGateway, cli: Cli, tmp_path: Path, command: str, method: str, failure: Abort, text: str
) -> None:
    """Only what once stood is opened again: a first error ends the command with its cause, a timeout too."""
    gateway.script(method, failure)
    output = ("--output", str(tmp_path / "out.csv")) if command == "record" else ()
    outcome = cli(command, TAG, *output, "--duration", "20")
    assert outcome.code == 1
    assert text in outcome.err
    assert "reconnecting" not in outcome.err


@pytest.mark.parametrize("command", ["watch", "record"])
def test_a_refused_key_ends_a_run(gateway: FakeGateway, cli: Cli, tmp_path: Path, command: str) -> None:
    """An authentication failure while it runs is no interruption."""
    gateway.put(data_change(1, 1), Abort(grpc.StatusCode.UNAUTHENTICATED, "revoked"))
    output = ("--output", str(tmp_path / "out.csv")) if command == "record" else ()
    outcome = cli(command, TAG, *output, "--duration", "20")
    assert outcome.code == 1
    assert outcome.err.splitlines()[-1].startswith("Error: ")
    assert "revoked" in outcome.err
    assert gateway.calls["OpenSession"] == 1


def test_refused_tags_are_told_once(gateway: FakeGateway, cli: Cli, tmp_path: Path) -> None:
    """A tag that is refused is a line on stderr, by `record` too, whose report is not complete then."""

    def answer(request: pb.MxCommandRequest) -> pb.MxCommandReply:
        reply = pb.MxCommandReply(protocol_status=ok(), hresult=0)
        reply.subscribe_bulk.results.add(tag_address=TAG, item_handle=1, was_successful=True)
        reply.subscribe_bulk.results.add(tag_address="A.B", error_message="denied")
        return reply

    gateway.answer("subscribe_bulk", answer)
    gateway.put(data_change(1, 1), BREAK, data_change(2, 1))
    outcome = cli("watch", TAG, "A.B", "--max-events", "2")
    assert outcome.err.splitlines().count("A.B: denied") == 1
    gateway.put(data_change(1, 1))
    report = cli("record", TAG, "A.B", "--output", str(tmp_path / "a.csv"), "--max-events", "1", "--json")
    assert report.err == "A.B: denied\n"
    assert report.json["complete"] is False


def test_a_recording_that_ends_without_a_connection_says_so(gateway: FakeGateway, cli: Cli, tmp_path: Path) -> None:
    """The time may be over while the gateway is away: an ordinary end, and a report that does not claim to be whole."""
    gateway.put(data_change(1, 1), BREAK)
    gateway.answer("get_session_state", BREAK)
    file = tmp_path / "out.csv"
    outcome = cli("record", TAG, "--output", str(file), "--duration", "1", "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.json == {
        "file": str(file),
        "tags": 1,
        "events": 1,
        "lost": 0,
        "interruptions": 1,
        "newSessions": 0,
        "complete": False,
    }
    gateway.put(data_change(1, 2), BREAK)
    text = cli("record", TAG, "--output", str(file), "--duration", "1").out
    assert text.startswith(
        f"1 changes of 1 tags in {file}; 1 interruption, 0 events lost, without a connection since 2"
    )


def test_a_recording_holds_no_value_twice(gateway: FakeGateway, cli: Cli, tmp_path: Path) -> None:
    """A value that a new session tells again is no change; one that differs is."""
    gateway.answer(
        "get_session_state", pb.MxCommandReply(protocol_status=failed(pb.PROTOCOL_STATUS_CODE_SESSION_NOT_FOUND))
    )
    same = data_change(1, 1)
    again = data_change(1, 3)
    other = data_change(2, 4)
    gateway.put(same, data_change(2, 2), BREAK, again, other, data_change(3, 3))
    file = tmp_path / "out.csv"
    outcome = cli("record", TAG, "Machine_002.Speed", "--output", str(file), "--max-events", "3", "--json")
    rows = list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))
    assert [(row["tag"], row["value"]) for row in rows] == [(TAG, "1"), ("Machine_002.Speed", "2"), (TAG, "3")]
    assert (outcome.json["events"], outcome.json["newSessions"], outcome.json["complete"]) == (3, 1, False)


def test_a_recording_ends_with_what_was_read_after_a_gap(gateway: FakeGateway, cli: Cli, tmp_path: Path) -> None:
    """The last change of a tag may be among the lost ones: its value was read, and stands at the end."""
    gateway.events = [
        pb.MxEventBatch(events=[data_change(1, 1), data_change(2, 2)]),
        pb.MxEventBatch(events=[data_change(9, 1)], dropped_events=6),
        pb.MxEventBatch(events=[data_change(10, 1)]),
    ]
    file = tmp_path / "out.csv"
    outcome = cli("record", TAG, "Machine_002.Speed", "--output", str(file), "--duration", "1", "--json")
    rows = list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))
    expected = [(TAG, "1"), ("Machine_002.Speed", "2"), (TAG, "9"), (TAG, "10"), ("Machine_002.Speed", "1")]
    assert [(row["tag"], row["value"]) for row in rows] == expected
    assert (outcome.json["events"], outcome.json["lost"], outcome.json["complete"]) == (5, 6, False)
    assert outcome.err.endswith(" 6 events were lost\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_ends_a_recording_with_its_cause(gateway: FakeGateway, cli: Cli, tmp_path: Path) -> None:
    """What cannot be written is an error, not an interruption."""
    file = tmp_path / "out.csv"
    file.symlink_to("/dev/full")
    gateway.events = [data_change(n, 1) for n in range(1, 1001)]
    outcome = cli("record", TAG, "--output", str(file), "--duration", "20")
    assert (outcome.code, outcome.out) == (1, "")
    assert "No space left on device" in outcome.err
    assert "reconnecting" not in outcome.err
    assert gateway.calls["CloseSession"] == 1
