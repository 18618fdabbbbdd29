"""The shape of a command, before anything acts on it."""

from __future__ import annotations

import math
from typing import Any

import pytest
from tests.support.gateway import command

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.commands import checks as shapes
from mxgateway_server.errors import InvalidRequestError

ONE = pb.MxValue(int32_value=1)
KINDS = [number for number in pb.MxCommandKind.values() if number]


@pytest.mark.parametrize("kind", KINDS)
def test_a_command_without_its_payload_or_with_anothers_is_refused(kind: int) -> None:
    with pytest.raises(InvalidRequestError, match="payload"):
        shapes.check_command(pb.MxCommand(kind=pb.MxCommandKind.ValueType(kind)))
    wrong = pb.MxCommand(kind=pb.MxCommandKind.ValueType(kind))
    if kind == pb.MX_COMMAND_KIND_PING:
        wrong.register.SetInParent()
    else:
        wrong.ping.SetInParent()
    with pytest.raises(InvalidRequestError, match="takes"):
        shapes.check_command(wrong)


@pytest.mark.parametrize("kind", [0, 35, 999])
def test_an_unknown_kind_is_refused(kind: int) -> None:
    with pytest.raises(InvalidRequestError, match="unknown"):
        shapes.check_command(pb.MxCommand(kind=pb.MxCommandKind.ValueType(kind), ping=pb.PingCommand()))


@pytest.mark.parametrize(
    "made",
    [
        command("ADD_ITEM_BULK", tag_addresses=["t"] * 1001),
        command("READ_BULK", tag_addresses=["t"] * 1001),
        command("UNSUBSCRIBE_BULK", item_handles=[1] * 1001),
        command("WRITE_BULK", entries=[pb.WriteBulkEntry(item_handle=1, value=ONE)] * 1001),
        command("ADD_ITEM", item_definition="x" * 1025),
        command("ADD_ITEM2", item_definition="x", item_context="y" * 1025),
        command("SUBSCRIBE_BULK", tag_addresses=["x" * 1025]),
        command("REGISTER", client_name="x" * 257),
        command("AUTHENTICATE_USER", verify_user="x" * 257),
        command("AUTHENTICATE_USER", verify_user="x", verify_user_password="y" * 257),
        command("ARCHESTRA_USER_TO_ID", user_id_guid="x" * 257),
        command("WRITE", item_handle=1),
        command("WRITE2", item_handle=1, value=ONE),
        command("WRITE_BULK", entries=[pb.WriteBulkEntry(item_handle=1)]),
    ],
)
def test_commands_beyond_the_bounds_or_with_holes_are_refused(made: pb.MxCommand) -> None:
    with pytest.raises(InvalidRequestError):
        shapes.check_command(made)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    "make",
    [
        lambda n: pb.MxValue(double_value=n),
        lambda n: pb.MxValue(float_value=n),
        lambda n: pb.MxValue(array_value=pb.MxArray(double_values=pb.DoubleArray(values=[1.0, n]))),
        lambda n: pb.MxValue(array_value=pb.MxArray(float_values=pb.FloatArray(values=[n]))),
        lambda n: pb.MxValue(
            sparse_array_value=pb.MxSparseArray(elements=[pb.MxSparseElement(value=pb.MxValue(double_value=n))])
        ),
    ],
)
def test_what_is_not_a_finite_number_is_never_written(make: Any, number: float) -> None:
    with pytest.raises(InvalidRequestError, match="finite"):
        shapes.check_command(command("WRITE", item_handle=1, value=make(number)))
    with pytest.raises(InvalidRequestError, match="finite"):
        shapes.check_command(command("WRITE_BULK", entries=[pb.WriteBulkEntry(item_handle=1, value=make(number))]))


@pytest.mark.parametrize("numbers", [[math.inf, -math.inf], [-math.inf, math.inf, 1.0], [math.nan], [1e308, math.inf]])
def test_numbers_that_are_not_finite_do_not_make_up_for_each_other(numbers: list[float]) -> None:
    for arrays in (
        pb.MxArray(double_values=pb.DoubleArray(values=numbers)),
        pb.MxArray(float_values=pb.FloatArray(values=[1e38 if math.isfinite(each) else each for each in numbers])),
    ):
        with pytest.raises(InvalidRequestError, match="finite"):
            shapes.check_command(command("WRITE", item_handle=1, value=pb.MxValue(array_value=arrays)))


def test_finite_numbers_whose_sum_is_not_may_be_written() -> None:
    value = pb.MxValue(array_value=pb.MxArray(double_values=pb.DoubleArray(values=[1.7e308, 1.7e308])))
    shapes.check_command(command("WRITE", item_handle=1, value=value))


@pytest.mark.parametrize("kind", ["ADD_ITEM_BULK", "SUBSCRIBE_BULK"])
def test_client_handles_are_for_all_entries_or_for_none(kind: str) -> None:
    for numbers in ([], [1, 2]):
        shapes.check_command(command(kind, tag_addresses=["a", "b"], client_handles=numbers))
    for numbers in ([1], [1, 2, 3]):
        with pytest.raises(InvalidRequestError, match="client_handles"):
            shapes.check_command(command(kind, tag_addresses=["a", "b"], client_handles=numbers))


def test_a_null_may_be_written() -> None:
    shapes.check_command(command("WRITE", item_handle=1, value=pb.MxValue(is_null=True)))


@pytest.mark.parametrize("session_id", ["", "session-", "session-" + "g" * 32, "session-" + "0" * 33, "x" * 9999])
def test_a_malformed_session_id_is_refused_and_not_repeated(session_id: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        shapes.check_session_id(session_id)
    assert session_id == "" or session_id not in str(caught.value)


@pytest.mark.parametrize("text", ["x" * 201, "a\nb", "\x1b[2J", "\x00", "\u202e"])
def test_correlation_ids_are_short_and_printable(text: str) -> None:
    shapes.check_correlation_id("x" * 200)
    shapes.check_correlation_id("Zähler 7")
    with pytest.raises(InvalidRequestError) as caught:
        shapes.check_correlation_id(text)
    assert text not in str(caught.value)


@pytest.mark.parametrize("entries", [1, 4])
def test_sparse_arrays_of_a_command_give_a_bounded_number_of_elements(entries: int) -> None:
    def made(elements: int) -> pb.MxCommand:
        value = pb.MxValue(sparse_array_value={"elements": [{"index": 0, "value": ONE}] * elements})
        if entries == 1:
            return command("WRITE", value=value)
        return command("WRITE_BULK", entries=[pb.WriteBulkEntry(value=value)] * entries)

    shapes.check_command(made(shapes.MAX_SPARSE_ELEMENTS // entries))
    with pytest.raises(InvalidRequestError, match="write the whole array"):
        shapes.check_command(made(shapes.MAX_SPARSE_ELEMENTS // entries + 1))
