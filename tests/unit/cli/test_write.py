"""`mxgw-py write`: what its command line takes."""

from __future__ import annotations

import click
import grpc
import pytest
from tests.support.fake_gateway import Abort, FakeGateway, data_change, ok, write_complete
from tests.unit.cli.conftest import Cli

from mxgateway import to_mx_value
from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_cli.tag_write import Signer, TagWrite
from mxgateway_contract.variants import DataType


def shows(gateway: FakeGateway, value: pb.MxValue) -> None:
    """Lets the tag have this value, and the write complete."""
    gateway.events = [data_change(handle, handle, value) for handle in (1, 2)]
    gateway.events += [write_complete(2 + handle, handle) for handle in (1, 2)]


@pytest.mark.parametrize(
    ("arguments", "value"),
    [
        (("-5",), to_mx_value(-5)),
        (("-5", "--user-id", "-3"), to_mx_value(-5)),
        (("--user-id", "3", "-5", "--json"), to_mx_value(-5)),
        (("--value", "-5"), to_mx_value(-5)),
        (("--", "-5"), to_mx_value(-5)),
    ],
)
def test_a_negative_number_is_a_value(
    gateway: FakeGateway, cli: Cli, arguments: tuple[str, ...], value: pb.MxValue
) -> None:
    """Set points below zero are everyday; wherever it stands, -5 is no option, and an option's value stays one."""
    shows(gateway, to_mx_value(1))
    outcome = cli("write", "O.A", *arguments)
    assert outcome.code == 0, outcome.err
    (sent,) = gateway.commands_of("write")
    assert sent.value == value
    assert sent.user_id == {"-3": -3, "3": 3}.get(arguments[1 if arguments[0] == "--user-id" else -1], 0)


@pytest.mark.parametrize("text", ["-.5", "-1e-3", "-0:01:30"])
def test_negative_numbers_and_durations_of_all_forms(gateway: FakeGateway, cli: Cli, text: str) -> None:
    shows(gateway, to_mx_value(1.0, data_type="elapsed"))
    assert cli("write", "O.A", text).code == 0
    assert gateway.commands_of("write")[0].value.double_value < 0


def test_what_is_no_number_and_begins_like_an_option_is_refused(gateway: FakeGateway, cli: Cli) -> None:
    """A misspelt option never becomes a value, and the way to write such a text is told."""
    shows(gateway, to_mx_value("x"))
    for text in ("-hello", "-x", "--jsom"):
        outcome = cli("write", "O.A", text)
        assert outcome.code == 2
        assert "Put -- before" in outcome.err
    assert gateway.commands == []
    assert cli("write", "O.A", "--", "--jsom").code == 0


def test_an_empty_variable_does_not_empty_an_array(gateway: FakeGateway, cli: Cli) -> None:
    """By name and by handle; [] does."""
    shows(gateway, to_mx_value([1, 2]))
    outcome = cli("write", "O.A[]", "")
    assert outcome.code == 2
    assert "say [] for an array without elements" in outcome.err
    handles = ("--session-id", "s", "--server-handle", "1", "--item-handle", "2", "--type", "int32[]")
    assert cli("write", *handles, "--value", "").code == 2
    assert gateway.commands_of("write") == []
    outcome = cli("write", "O.A[]", "[]")
    assert outcome.code == 0
    assert "the array had 2 elements, it has 0 now" in outcome.out


def test_a_value_with_blanks_wants_quotes(gateway: FakeGateway, cli: Cli) -> None:
    """Nobody guesses how many blanks there were."""
    outcome = cli("write", "O.A", "2026-01-31", "10:00:00Z")
    assert outcome.code == 2
    assert '"2026-01-31 10:00:00Z"' in outcome.err


@pytest.mark.parametrize("tag", ["@levels", "Tank_*.Level", "Tank_?.Level"])
def test_write_takes_one_tag(offline: Cli, tag: str) -> None:
    """A glob or a list is no reference, and says so before anything is sent."""
    outcome = offline("write", tag, "5")
    assert outcome.code == 2
    assert "write takes one tag" in outcome.err


def test_the_name_of_a_state_is_sent_as_a_text(gateway: FakeGateway, cli: Cli) -> None:
    """MXAccess knows the names of an enumeration; the contract does not."""
    state = to_mx_value(1)
    state.data_type = pb.MX_DATA_TYPE_QUALIFIED_ENUM
    shows(gateway, state)
    assert cli("write", "O.A", "Green").code == 0
    assert gateway.commands_of("write")[0].value.string_value == "Green"


@pytest.mark.parametrize(
    ("data_type", "value", "text", "sent"),
    [
        (DataType.QUALIFIED_ENUM, to_mx_value(1), "Green", to_mx_value("Green")),
        (DataType.QUALIFIED_ENUM, to_mx_value([1, 2]), "[Green, Red]", to_mx_value(["Green", "Red"])),
        (DataType.ELAPSED_TIME, to_mx_value(1.5), "0:01:30", to_mx_value(90.0, data_type="elapsed")),
        (DataType.ELAPSED_TIME, to_mx_value([1.5]), "PT1M,2", to_mx_value([60.0, 2.0], data_type="elapsed[]")),
    ],
)
def test_what_the_value_does_not_tell_the_attribute_does(
    gateway: FakeGateway, cli: Cli, data_type: int, value: pb.MxValue, text: str, sent: pb.MxValue
) -> None:
    """An event of COM has no data type: the property Type of the tag is read, once a text is no plain number."""
    gateway.events = [data_change(handle, handle, value) for handle in (1, 2, 3, 4)]
    gateway.events += [write_complete(4 + handle, handle) for handle in (1, 2, 3, 4)]
    reply = pb.MxCommandReply(protocol_status=ok(), hresult=0)
    reply.read_bulk.results.add(was_successful=True, value=to_mx_value(int(data_type)))
    gateway.answer("read_bulk", reply)
    outcome = cli("write", "O.A", text)
    assert outcome.code == 0, outcome.err
    assert [each.value for each in gateway.commands_of("write")] == [sent]
    assert [list(each.tag_addresses) for each in gateway.commands_of("read_bulk")] == [["O.A.Type"]]


@pytest.mark.parametrize("is_readable", [True, False])
def test_a_text_that_is_no_value_stays_refused(gateway: FakeGateway, cli: Cli, is_readable: bool) -> None:
    """A plain number has no names, and a key that may not read the type gets no guess."""
    gateway.events = [data_change(handle, handle, to_mx_value(1)) for handle in (1, 2, 3)]
    reply = pb.MxCommandReply(protocol_status=ok(), hresult=0)
    reply.read_bulk.results.add(was_successful=True, value=to_mx_value(int(DataType.INTEGER)))
    gateway.answer("read_bulk", reply if is_readable else Abort(grpc.StatusCode.PERMISSION_DENIED, "no"))
    outcome = cli("write", "O.A", "Green")
    assert outcome.code == 2
    assert "is no int32: say a whole number such as 42" in outcome.err
    assert gateway.commands_of("write") == []


def test_a_signed_write_asks_for_passwords_and_shows_none(
    gateway: FakeGateway, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One person signs, or two; the passwords go to the plant, and to no output."""
    shows(gateway, to_mx_value(1))
    asked: list[str] = []

    def answer(text: str, **_: object) -> str:
        asked.append(text)
        return "Sentinel-4711"

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr(click, "prompt", answer)
    monkeypatch.setenv("VERIFIER", "Sentinel-4712")
    outcome = cli("write", "O.A", "5", "--user", "olga", "--verifier", "susan", "--verifier-password-env", "VERIFIER")
    assert outcome.code == 0, outcome.err
    assert asked == ["password of olga"]
    people = gateway.commands_of("authenticate_user")
    assert [(each.verify_user, each.verify_user_password) for each in people] == [
        ("olga", "Sentinel-4711"),
        ("susan", "Sentinel-4712"),
    ]
    (sent,) = gateway.commands_of("write_secured")
    assert (sent.value, gateway.commands_of("write")) == (to_mx_value(5), [])
    assert "Sentinel" not in outcome.out + outcome.err
    assert "Sentinel" not in repr(TagWrite("O.A", "5", operator=Signer("olga", "Sentinel-4711")))


def test_one_signature_is_the_operators_twice(gateway: FakeGateway, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    shows(gateway, to_mx_value(1))
    monkeypatch.setenv("OPERATOR", "x")
    assert cli("write", "O.A", "5", "--user", "olga", "--password-env", "OPERATOR").code == 0
    (sent,) = gateway.commands_of("write_secured")
    assert sent.current_user_id == sent.verifier_user_id != 0


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        (("O.A", "5", "--verifier", "susan"), "give --user NAME"),
        (("O.A", "5", "--password-env", "X"), "give --user NAME"),
        (("O.A", "5", "--user", "olga", "--supervisory"), "leave out it or --user"),
        (("O.A", "5", "--user", "olga", "--password-env", "NOT_THERE"), "NOT_THERE (--password-env) is not set"),
        (("O.A", "5", "--user", "olga"), "use --password-env"),
        (("--user", "olga", "--session-id", "s"), "use mxgw-py write-secured"),
    ],
)
def test_a_signature_that_cannot_be_given_is_told_before_anything_is_sent(
    offline: Cli, arguments: tuple[str, ...], remedy: str
) -> None:
    outcome = offline("write", *arguments)
    assert outcome.code == 2
    assert remedy in outcome.err


@pytest.mark.parametrize(("detail", "remedy"), [(1012, "say --user NAME;"), (1013, "--user NAME --verifier ANOTHER")])
def test_a_write_that_wants_a_signature_says_how_to_give_it(
    gateway: FakeGateway, cli: Cli, detail: int, remedy: str
) -> None:
    shows(gateway, to_mx_value(1))
    for event in gateway.events[2:]:
        event.statuses[0].CopyFrom(
            pb.MxStatusProxy(success=0, category=pb.MX_STATUS_CATEGORY_SECURITY_ERROR, detail=detail)
        )
    outcome = cli("write", "O.A", "5")
    assert outcome.code == 1
    assert remedy in outcome.err
