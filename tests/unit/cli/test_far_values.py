"""Whatever a gateway sends, every consumer of the command line shows it; and none dies in silence."""

from __future__ import annotations

import json

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.extreme_values import TIMESTAMPS, data_changes, read_results
from tests.support.fake_gateway import Abort, FakeGateway, data_change
from tests.unit.cli.conftest import Cli

from mxgateway.data_change import change_of
from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_cli.commands.tags import _read_line
from mxgateway_cli.commands.watch import _json_line, _text_line
from mxgateway_cli.output import event_text, one_line, proto_dict
from mxgateway_cli.tui.text import clock_text, moment_text
from mxgateway_cli.tui.watch_list import WatchList
from mxgateway_cli.watch_board import TagBoard

FAST = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def is_one_line(text: str) -> bool:
    return text.replace("\t", " ").isprintable()


@given(data_changes())
@FAST
def test_an_event_is_a_line_and_a_document(event: pb.MxEvent) -> None:
    assert is_one_line(event_text(event))
    json.loads(json.dumps(proto_dict(event)))


@given(data_changes(), st.booleans())
@FAST
def test_a_change_is_a_line_a_document_and_a_row(event: pb.MxEvent, is_late: bool) -> None:
    change = change_of("A.B", event, sequence=1, replayed=is_late)
    board = TagBoard(["A.B"])
    row = board.take(change, 1.0)
    assert is_one_line(_text_line(change, row, is_local=False))
    json.loads(_json_line(change))
    assert row.text.isprintable()


@given(read_results())
@FAST
def test_a_read_value_is_a_line_and_a_document(result: pb.BulkReadResult) -> None:
    assert is_one_line(one_line(_read_line(result, is_local=False)))
    json.loads(json.dumps(proto_dict(result)))


@given(data_changes())
@FAST
def test_the_screens_model_takes_it(event: pb.MxEvent) -> None:
    tags = WatchList()
    tags.add("A.B")
    tags.apply("A.B", event, 1.0)
    row = tags.get("A.B")
    assert row is not None
    assert row.text.isprintable()
    assert clock_text(row.source_timestamp_ns).isprintable()
    assert moment_text(row.source_timestamp_ns).isprintable()
    assert row.grade in ("good", "bad", "uncertain")


@given(st.lists(TIMESTAMPS, min_size=1, max_size=4))
@FAST
def test_far_times_stand_in_json_where_they_stood(stamps: list[object]) -> None:
    """Only they are words; all else is protobuf's JSON, in the order of the contract."""
    event = pb.MxEvent(value=pb.MxValue(array_value=pb.MxArray(timestamp_values=pb.TimestampArray(values=stamps))))
    document = proto_dict(event)
    shown = document["value"]["arrayValue"]["timestampValues"]["values"]
    assert len(shown) == len(stamps)
    assert all(each.endswith(("Z", "since 1970")) for each in shown)
    assert next(iter(document)) == "family"


@pytest.mark.parametrize("command", ["watch", "record"])
@pytest.mark.parametrize("is_json", [False, True])
def test_a_subscription_that_dies_is_a_failure(
    gateway: FakeGateway, cli: Cli, tmp_path_factory: pytest.TempPathFactory, command: str, is_json: bool
) -> None:
    """Nothing ends with 0 that was not asked to end: the cause is told, and what came before it is kept."""
    file = tmp_path_factory.mktemp("out") / "rec.csv"
    gateway.events = [data_change(1), Abort(grpc.StatusCode.PERMISSION_DENIED, "the key was revoked")]
    output = ("--output", str(file)) if command == "record" else ()
    outcome = cli(command, "A.B", *output, *(["--json"] if is_json else []), "--duration", "20")
    assert outcome.code == 1
    assert "the key was revoked" in outcome.err
    if command == "record":
        assert len(file.read_text().splitlines()) == 2
    else:
        assert outcome.out


@pytest.mark.parametrize("command", ["watch", "record"])
def test_a_value_that_cannot_be_shown_is_told(
    gateway: FakeGateway,
    cli: Cli,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
    command: str,
) -> None:
    """A mistake of this program ends the command with a failure, too; never with 0."""

    def broken(*_arguments: object, **_options: object) -> object:
        raise ArithmeticError("mistake")

    monkeypatch.setattr("mxgateway.change_reader.change_of", broken)
    gateway.events = [data_change(1)]
    output = ("--output", str(tmp_path_factory.mktemp("out") / "rec.csv")) if command == "record" else ()
    outcome = cli(command, "A.B", *output, "--duration", "20")
    assert outcome.code == 1
    assert "mistake" in outcome.err
