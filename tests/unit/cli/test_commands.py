"""mxgw-py: each command sends its request, prints one JSON document, and refuses wrong usage."""

from __future__ import annotations

import asyncio
from typing import Any

import click
import grpc
import pytest
from tests.support.fake_gateway import Abort, FakeGateway, data_change, failed, write_complete
from tests.unit.cli.conftest import API_KEY, Cli

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_cli.main import COMMANDS, main

SESSION = ("--session-id", "session-1")
SERVER = (*SESSION, "--server-handle", "1")
ITEM = (*SERVER, "--item-handle", "2")
VALUE = ("--type", "int32", "--value", "123")
TIME = ("--timestamp", "2026-01-31T12:00:00.123456789+01:00")
USERS = ("--current-user-id", "7", "--verifier-user-id", "8")
HANDLES = (*SERVER, "--item-handles", "1,2")
VALUES = ("--type", "int32", "--values", "10,20")

CALLS: list[tuple[tuple[str, ...], str, dict[str, Any], Any]] = [
    (("register", *SESSION, "--client-name", "python-client"), "register", {"client_name": "python-client"}, 1),
    (("unregister", *SERVER), "unregister", {"server_handle": 1}, None),
    (("add-item", *SERVER, "--item", "Object.Attribute"), "add_item", {"item_definition": "Object.Attribute"}, 1),
    (("add-item2", *SERVER, "--item", "Me.A", "--context", "O"), "add_item2", {"item_context": "O"}, 1),
    (("add-buffered-item", *SERVER, "--item", "O.A"), "add_buffered_item", {"item_definition": "O.A"}, 1),
    (
        ("set-buffered-update-interval", *SERVER, "--milliseconds", "250"),
        "set_buffered_update_interval",
        {"update_interval_milliseconds": 250},
        None,
    ),
    (("remove-item", *ITEM), "remove_item", {"item_handle": 2}, None),
    (("advise", *ITEM), "advise", {"server_handle": 1, "item_handle": 2}, None),
    (("advise-supervisory", *ITEM), "advise_supervisory", {"item_handle": 2}, None),
    (("unadvise", *ITEM), "un_advise", {"item_handle": 2}, None),
    (("suspend", *ITEM), "suspend", {"item_handle": 2}, None),
    (("activate", *ITEM), "activate", {"item_handle": 2}, None),
    (("write", *ITEM, *VALUE, "--user-id", "5"), "write", {"item_handle": 2, "user_id": 5}, None),
    (("write2", *ITEM, *VALUE, *TIME), "write2", {"item_handle": 2}, None),
    (("write-secured", *ITEM, *VALUE, *USERS), "write_secured", {"current_user_id": 7, "verifier_user_id": 8}, None),
    (("write-secured2", *ITEM, *VALUE, *TIME, *USERS), "write_secured2", {"verifier_user_id": 8}, None),
    (("archestra-user-to-id", *SERVER, "--guid", "g"), "archestra_user_to_id", {"user_id_guid": "g"}, None),
    (("ping", *SESSION, "--message", "hello"), "ping", {"message": "hello"}, None),
    (("session-state", *SESSION), "get_session_state", {}, None),
    (("worker-info", *SESSION), "get_worker_info", {}, None),
    (("drain-events", *SESSION, "--max-events", "4"), "drain_events", {"max_events": 4}, None),
    (("add-item-bulk", *SERVER, "--items", "A.B, A.C"), "add_item_bulk", {"tag_addresses": ["A.B", "A.C"]}, None),
    (("subscribe-bulk", *SERVER, "--items", "A.B,A.C"), "subscribe_bulk", {"tag_addresses": ["A.B", "A.C"]}, None),
    (("advise-item-bulk", *HANDLES), "advise_item_bulk", {"item_handles": [1, 2]}, None),
    (("remove-item-bulk", *HANDLES), "remove_item_bulk", {"item_handles": [1, 2]}, None),
    (("unadvise-item-bulk", *HANDLES), "un_advise_item_bulk", {"item_handles": [1, 2]}, None),
    (("unsubscribe-bulk", *HANDLES), "unsubscribe_bulk", {"item_handles": [1, 2]}, None),
    (("read-bulk", *SERVER, "--items", "A.B,A.C", "--timeout-ms", "5"), "read_bulk", {"timeout_ms": 5}, None),
    (("write-bulk", *HANDLES, *VALUES), "write_bulk", {}, None),
    (("write2-bulk", *HANDLES, *VALUES, *TIME), "write2_bulk", {}, None),
    (("write-secured-bulk", *HANDLES, *VALUES, *USERS), "write_secured_bulk", {}, None),
    (("write-secured2-bulk", *HANDLES, *VALUES, *TIME, *USERS), "write_secured2_bulk", {}, None),
]
every_call = pytest.mark.parametrize(("arguments", "arm", "fields", "handle"), CALLS, ids=[c[0][0] for c in CALLS])


@every_call
def test_command_sends_its_request_and_prints_json(
    gateway: FakeGateway, cli: Cli, arguments: tuple[str, ...], arm: str, fields: dict[str, Any], handle: Any
) -> None:
    """The command sends one request of its kind with the options' values and prints one JSON object."""
    outcome = cli(*arguments, "--json")
    assert (outcome.code, outcome.err) == (0, "")
    assert isinstance(outcome.json, dict)
    (sent,) = gateway.commands_of(arm)
    assert {name: getattr(sent, name) for name in fields} == fields
    assert gateway.commands[0].session_id == "session-1"
    if handle is not None:
        assert handle in outcome.json.values()


@every_call
def test_json_keys_are_fixed_and_text_is_short(
    cli: Cli, arguments: tuple[str, ...], arm: str, fields: dict[str, Any], handle: Any
) -> None:
    """Two runs print the same keys in the same order; without --json there are at most two lines of text."""
    assert list(cli(*arguments, "--json").json) == list(cli(*arguments, "--json").json)
    outcome = cli(*arguments)
    assert outcome.code == 0
    assert len(outcome.out.splitlines()) <= 2


@every_call
def test_session_is_required(
    offline: Cli, arguments: tuple[str, ...], arm: str, fields: dict[str, Any], handle: Any
) -> None:
    """Leaving the session out is a usage error (2) that names what is missing."""
    outcome = offline(*[argument for argument in arguments if argument not in SESSION])
    assert outcome.code == 2
    assert "--session-id" in outcome.err


def test_bulk_results_have_their_keys(cli: Cli) -> None:
    """Bulk commands print results with the contract's keys, false and empty ones included."""
    read = cli("read-bulk", *SERVER, "--items", "A.B", "--json").json["results"][0]
    expected = "serverHandle tagAddress itemHandle wasSuccessful wasCached value quality sourceTimestamp statuses"
    assert set(expected.split()) | {"errorMessage"} == set(read)
    advised = cli("advise-item-bulk", *SERVER, "--item-handles", "77", "--json").json["results"][0]
    assert advised["wasSuccessful"] is False
    assert advised["errorMessage"]


def test_open_session_prints_the_reply(gateway: FakeGateway, cli: Cli) -> None:
    """open-session prints the reply as protobuf JSON with the capabilities, and leaves the session open."""
    outcome = cli("open-session", "--client-session-name", "me", "--json")
    assert outcome.json["sessionId"].startswith("session-")
    assert "bulk-read-commands" in outcome.json["capabilities"]
    assert outcome.json["gatewayProtocolVersion"] == 3
    assert outcome.json["protocolStatus"]["code"] == "PROTOCOL_STATUS_CODE_OK"
    assert gateway.requests[0].client_session_name == "me"
    assert "CloseSession" not in gateway.calls


def test_close_session_prints_the_final_state(cli: Cli) -> None:
    """close-session prints sessionId, finalState and protocolStatus."""
    outcome = cli("close-session", *SESSION, "--json")
    assert outcome.json["finalState"] == "SESSION_STATE_CLOSED"
    assert outcome.json["sessionId"] == "session-1"


def test_counts_of_handles_and_values_have_to_match(offline: Cli) -> None:
    """write-bulk refuses unequal numbers of handles and values as a usage error."""
    outcome = offline("write-bulk", *HANDLES, "--type", "int32", "--values", "1")
    assert outcome.code == 2
    assert "match" in outcome.err


def test_negative_read_timeout_is_a_usage_error(offline: Cli) -> None:
    """A negative --timeout-ms is refused by the parser."""
    assert offline("read-bulk", *SERVER, "--items", "A.B", "--timeout-ms", "-1").code == 2


@pytest.mark.parametrize(
    ("arguments", "flag"),
    [
        (("write", *ITEM, "--type", "int32", "--value", "x"), "--value"),
        (("write", *ITEM, "--type", "int32", "--value", "3000000000"), "--value"),
        (("write", *ITEM, "--type", "double", "--value", "nan"), "--value"),
        (("write", *ITEM, "--type", "bool", "--value", "maybe"), "--value"),
        (("write-bulk", *HANDLES, "--type", "int32", "--values", "1,x"), "--values"),
        (("remove-item-bulk", *SERVER, "--item-handles", "1,x"), "--item-handles"),
        (("write2", *ITEM, *VALUE, "--timestamp", "2026-01-31 12:00"), "--timestamp"),
    ],
)
def test_bad_value_names_its_flag(offline: Cli, arguments: tuple[str, ...], flag: str) -> None:
    """A value that cannot be parsed is a usage error that names the flag."""
    outcome = offline(*arguments)
    assert outcome.code == 2
    assert f"Invalid value for '{flag}'" in outcome.err or f"Invalid value for {flag}" in outcome.err


def test_timestamp_keeps_nanoseconds(gateway: FakeGateway, cli: Cli) -> None:
    """A --timestamp with nine digits and an offset arrives to the nanosecond in UTC."""
    cli("write2", *ITEM, *VALUE, *TIME)
    stamp = gateway.commands_of("write2")[0].timestamp_value.timestamp_value
    assert stamp.ToJsonString() == "2026-01-31T11:00:00.123456789Z"


def test_password_comes_from_the_environment_only(
    gateway: FakeGateway, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """authenticate-user reads the password from the named variable and never prints it."""
    monkeypatch.setenv("OPERATOR_PASSWORD", "sentinel-password")
    outcome = cli("authenticate-user", *SERVER, "--user", "op", "--password-env", "OPERATOR_PASSWORD", "--json")
    assert outcome.json == {"sessionId": "session-1", "userId": 7}
    assert gateway.commands_of("authenticate_user")[0].verify_user_password == "sentinel-password"
    assert "sentinel" not in outcome.out + outcome.err
    assert cli("authenticate-user", *SERVER, "--user", "op", "--password-env", "NOT_SET").code == 2


def test_handle_form_of_write_needs_all_of_it(offline: Cli) -> None:
    """write without TAG and without the full set of handle options is a usage error that names both forms."""
    outcome = offline("write", *SESSION, "--type", "int32", "--value", "1")
    assert outcome.code == 2
    assert "TAG" in outcome.err
    assert "--item-handle" in outcome.err
    assert offline("write", "A.B").code == 2
    assert offline("write", "A.B", "1", "--item-handle", "2").code == 2


def test_write_by_tag_awaits_the_outcome(gateway: FakeGateway, cli: Cli) -> None:
    """write TAG VALUE takes the type from the first value, writes, reports the completion and leaves nothing behind."""
    gateway.events = [data_change(1), write_complete(2, 1)]
    outcome = cli("write", "O.A", "42", "--json")
    assert outcome.code == 0
    assert outcome.json["written"]["int32Value"] == 42
    assert outcome.json["before"]["int32Value"] == 1
    arms = [request.command.WhichOneof("payload") for request in gateway.commands]
    assert arms == ["register", "add_item", "advise", "write", "unsubscribe_bulk", "unregister"]
    assert gateway.calls["CloseSession"] == 1


def test_refused_write_by_tag_fails(gateway: FakeGateway, cli: Cli) -> None:
    """A failed OnWriteComplete makes the exit code 1 and names status and detail; the session is closed."""
    gateway.events = [data_change(1), write_complete(2, 1, success=0, detail=1012)]
    outcome = cli("write", "O.A", "42")
    assert outcome.code == 1
    assert "1012" in outcome.err
    assert gateway.calls["CloseSession"] == 1


def test_stream_events_collects_up_to_the_limit(gateway: FakeGateway, cli: Cli) -> None:
    """stream-events --max-events ends with 0 and one document; sequences are unsigned in text and JSON."""
    gateway.events = [data_change(2**63 + 1), data_change(2**63 + 2)]
    outcome = cli("stream-events", *SESSION, "--max-events", "1", "--json")
    assert outcome.code == 0
    (event,) = outcome.json["events"]
    assert event["family"] == "MX_EVENT_FAMILY_ON_DATA_CHANGE"
    assert event["workerSequence"] == str(2**63 + 1)
    assert str(2**63 + 1) in cli("stream-events", *SESSION, "--max-events", "1").out


@pytest.mark.parametrize("bound", ["--duration", "--timeout"])
def test_stream_events_ends_by_time_with_what_it_has(gateway: FakeGateway, cli: Cli, bound: str) -> None:
    """The time being over before --max-events is an ordinary end: exit code 0 and the events so far."""
    gateway.events = [data_change(1)]
    outcome = cli("stream-events", *SESSION, "--max-events", "5", bound, "0.3", "--json")
    assert outcome.code == 0
    assert len(outcome.json["events"]) == 1


def test_stream_events_resumes(gateway: FakeGateway, cli: Cli) -> None:
    """--after-worker-sequence travels in the request; --jsonl prints one document a line."""
    gateway.events = [data_change(n) for n in range(1, 5)]
    outcome = cli("stream-events", *SESSION, "--after-worker-sequence", "2", "--max-events", "2", "--jsonl")
    assert [line[:1] for line in outcome.out.splitlines()] == ["{", "{"]
    assert gateway.stream_requests[0].after_worker_sequence == 2


def test_smoke_reports_and_closes(gateway: FakeGateway, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """smoke prints its report with the key's source, never the key, and closes its session."""
    monkeypatch.setenv("MXGATEWAY_API_KEY", API_KEY)
    gateway.events = [data_change(1), write_complete(2, 1)]
    outcome = cli("smoke", "--item", "O.A", "--value", "5", "--api-key-env", "MXGATEWAY_API_KEY", "--json")
    assert outcome.code == 0, outcome.err
    keys = "language operation sessionId serverHandle itemHandle events writeCompletion closeStatus keySource"
    assert {*keys.split(), "isSimulated"} == set(outcome.json)
    assert outcome.json["closeStatus"] == "SESSION_STATE_CLOSED"
    assert outcome.json["keySource"] == "environment variable MXGATEWAY_API_KEY"
    assert API_KEY not in outcome.out + outcome.err


def test_smoke_closes_its_session_when_it_fails(
    gateway: FakeGateway, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """smoke closes the session also when no event comes, and says so."""
    begin = asyncio.timeout
    # The limit of the events, which is most of the command's own, is over soon; the command's own never.
    monkeypatch.setattr(asyncio, "timeout", lambda delay: begin(0.2 if delay == 800.0 else delay))
    outcome = cli("smoke", "--item", "O.A", "--timeout", "1000")
    assert outcome.code == 1
    assert "0 of 1 events" in outcome.err
    assert gateway.calls["CloseSession"] == 1


def test_smoke_of_an_item_that_fails_is_a_failure(gateway: FakeGateway, cli: Cli) -> None:
    """A reference that does not resolve gives an event too; the report is printed, but the exit code tells."""
    event = data_change(1, quality=4)
    event.statuses[0].CopyFrom(
        pb.MxStatusProxy(success=0, category=pb.MX_STATUS_CATEGORY_CONFIGURATION_ERROR, detail=6)
    )
    gateway.events = [event]
    outcome = cli("smoke", "--item", "Nope.Nope", "--json")
    assert outcome.code == 1
    assert outcome.json["closeStatus"] == "SESSION_STATE_CLOSED"
    assert "the gateway works, but Nope.Nope does not: CONFIGURATION_ERROR detail 6" in outcome.err


def test_empty_references_are_a_usage_error(offline: Cli) -> None:
    """A comma too many would read or add an item without a name."""
    outcome = offline("read-bulk", *SERVER, "--items", "A.B,")
    assert outcome.code == 2
    assert "--items" in outcome.err


def test_a_secret_is_asked_for_only_on_a_terminal(offline: Cli) -> None:
    """Without a terminal the remedy is named; nothing waits for input that cannot come."""
    for arguments, remedy in (
        (("authenticate-user", *SERVER, "--user", "operator"), "--password-env"),
        (("login", "--no-check"), "--api-key-env"),
    ):
        outcome = offline(*arguments)
        assert outcome.code == 2
        assert remedy in outcome.err


def test_a_misspelt_command_is_met_with_a_near_one(offline: Cli) -> None:
    """The near names are offered, as for options."""
    outcome = offline.bare("raed", "A.B")
    assert outcome.code == 2
    assert "Did you mean read" in outcome.err


def test_every_command_stands_in_the_help_once(offline: Cli) -> None:
    """The help groups the commands; their short texts are whole sentences."""
    text = offline.bare("--help").out
    for name in COMMANDS:
        assert text.count(f"\n  {name} ") == 1, name
    assert "..." not in text.partition("\n\n  ")[2]


def test_a_full_disk_is_a_line_on_stderr(offline: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Output that cannot be written ends the command with 1 and its cause, without a traceback."""

    def full(*_arguments: Any, **_options: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mxgateway_cli.output.click.echo", lambda text="", err=False, **_o: None if err else full())
    outcome = offline.bare("version")
    assert outcome.code == 1


def test_gateway_failure_is_a_line_on_stderr(gateway: FakeGateway, cli: Cli) -> None:
    """A refused command exits with 1 and one line on stderr, without a traceback."""
    gateway.answer("advise", pb.MxCommandReply(protocol_status=failed(pb.PROTOCOL_STATUS_CODE_SESSION_NOT_FOUND, "no")))
    outcome = cli("advise", *ITEM, "--json")
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err == "Error: Advise: no\n"


@pytest.mark.parametrize("source", ["flag", "variable"])
def test_key_is_redacted_from_errors(
    gateway: FakeGateway, cli: Cli, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    """An error text that quotes the key shows it nowhere, whether it came from a flag or from the environment."""
    secret = "plain-key-without-shape"
    gateway.script("Invoke", Abort(grpc.StatusCode.PERMISSION_DENIED, f"key '{secret}' and \"{API_KEY}\": denied"))
    monkeypatch.setenv("SOME_KEY", secret)
    chosen = ("--api-key", secret) if source == "flag" else ("--api-key-env", "SOME_KEY")
    outcome = cli("advise", *ITEM, *chosen)
    assert outcome.code == 1
    assert secret not in outcome.err
    assert "sentinelsecret" not in outcome.err
    assert gateway.metadata[0]["authorization"] == f"Bearer {secret}"


def test_version_names_the_contract(offline: Cli) -> None:
    """version prints name, version and both protocol versions."""
    outcome = offline.bare("version", "--json")
    assert list(outcome.json) == ["name", "version", "gatewayProtocolVersion", "workerProtocolVersion"]
    assert outcome.json["gatewayProtocolVersion"] == 3
    assert offline.bare("version").out.startswith("mxgw-py ")


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_help_has_an_example(offline: Cli, name: str) -> None:
    """Each command has the name that it is listed under, and its help shows an example."""
    command = main.get_command(click.Context(main), name)
    assert command is not None
    assert command.name == name
    outcome = offline.bare(name, "--help")
    assert outcome.code == 0
    assert f"  mxgw-py {name}" in outcome.out


def test_unreachable_gateway_is_said_clearly(offline: Cli) -> None:
    """A gateway that does not answer is one line with its address, exit code 1."""
    outcome = offline("session-state", *SESSION)
    assert outcome.code == 1
    assert "cannot reach localhost:1" in outcome.err


def test_keys_stand_in_the_order_of_the_contract(gateway: FakeGateway, cli: Cli) -> None:
    """Keys come in the order of the contract's fields, whether a field has its default value or not."""
    gateway.events = [data_change(1)]
    (event,) = cli("stream-events", *SESSION, "--max-events", "1", "--json").json["events"]
    assert list(event)[:5] == ["family", "sessionId", "serverHandle", "itemHandle", "value"]
    assert list(event["value"]) == ["dataType", "variantType", "isNull", "rawDiagnostic", "rawDataType", "int32Value"]
    names = [field.json_name for field in pb.MxEvent.DESCRIPTOR.fields]
    assert [name for name in names if name in event] == list(event)
