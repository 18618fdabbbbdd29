"""What a message holds is counted on the wire: never less than what parsing would make of it."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from mxgateway_contract import field_counts
from mxgateway_contract.constants import MAX_BULK_ITEMS
from mxgateway_contract.field_counts import (
    MAX_DEPTH,
    FieldCountError,
    MalformedMessageError,
    count_fields,
    shape_of,
    top_fields,
)
from mxgateway_contract.generated import galaxy_repository_pb2 as gpb
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract.varints import varint

MESSAGES: list[Any] = [pb.MxCommandRequest, pb.MxCommandBatch, gpb.DiscoverHierarchyRequest, pb.OpenSessionRequest]
SHAPES = {message: shape_of(message.DESCRIPTOR) for message in MESSAGES}
REQUEST = SHAPES[pb.MxCommandRequest]


def walk(data: bytes, message: Any = pb.MxCommandRequest, most: int = field_counts.MAX_FIELDS) -> int:
    """How often others got a turn."""
    return sum(1 for _ in count_fields(data, SHAPES[message], most))


def request(**command: Any) -> bytes:
    return pb.MxCommandRequest(command=pb.MxCommand(**command)).SerializeToString()


def elements(message: Any) -> int:
    """Fields and elements of a parsed message, as `count_fields` means them."""
    found = 0
    for part, value in message.ListFields():
        values = value.values() if isinstance(value, dict) else value if part.is_repeated else [value]
        for each in values:
            found += 1
            if hasattr(each, "ListFields"):
                found += elements(each)
    return found


def wrapped(number: int, inner: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(inner)) + inner


def array(**values: Any) -> pb.MxValue:
    return pb.MxValue(array_value=pb.MxArray(**values))


@given(st.binary(max_size=60), st.sampled_from(MESSAGES))
def test_bytes_of_any_kind_are_walked_or_refused_and_what_parses_is_never_undercounted(
    data: bytes, message: Any
) -> None:
    try:
        parsed = message.FromString(data)
    except DecodeError:
        parsed = message()
    counted = elements(parsed)
    if counted:
        with pytest.raises((FieldCountError, MalformedMessageError)):
            walk(data, message, counted - 1)
    else:
        with contextlib.suppress(FieldCountError, MalformedMessageError):
            walk(data, message)


COMMANDS = [
    {"kind": pb.MX_COMMAND_KIND_PING, "ping": pb.PingCommand(message="x")},
    {
        "kind": pb.MX_COMMAND_KIND_WRITE_BULK,
        "write_bulk": pb.WriteBulkCommand(
            entries=[pb.WriteBulkEntry(item_handle=1, value=pb.MxValue(int32_value=-1))] * 9
        ),
    },
    {
        "kind": pb.MX_COMMAND_KIND_WRITE,
        "write": pb.WriteCommand(value=array(int32_values=pb.Int32Array(values=[-1, 0, 1, 1 << 30] * 20))),
    },
    {
        "kind": pb.MX_COMMAND_KIND_WRITE,
        "write": pb.WriteCommand(value=array(bool_values=pb.BoolArray(values=[True] * 9))),
    },
    {
        "kind": pb.MX_COMMAND_KIND_WRITE,
        "write": pb.WriteCommand(value=array(double_values=pb.DoubleArray(values=[0.5] * 9), dimensions=[9])),
    },
    {
        "kind": pb.MX_COMMAND_KIND_WRITE,
        "write": pb.WriteCommand(value=array(string_values=pb.StringArray(values=["", "x"] * 9))),
    },
]


@pytest.mark.parametrize("made", COMMANDS)
def test_the_count_of_a_command_is_that_of_its_fields_and_elements(made: dict[str, Any]) -> None:
    data = request(**made)
    count = elements(pb.MxCommandRequest.FromString(data))
    walk(data, most=count + 8)
    with pytest.raises(FieldCountError, match="fields and elements"):
        walk(data, most=count - 1)


@pytest.mark.parametrize(
    ("message", "data", "name"),
    [
        (pb.MxCommandRequest, lambda n: request(read_bulk=pb.ReadBulkCommand(tag_addresses=[""] * n)), "tag_addresses"),
        (pb.MxCommandRequest, lambda n: request(write_bulk=pb.WriteBulkCommand(entries=[{}] * n)), "entries"),
        (pb.MxCommandRequest, lambda n: request(advise_item_bulk={"item_handles": [1] * n}), "item_handles"),
        (pb.MxCommandBatch, lambda n: pb.MxCommandBatch(commands=[{}] * n).SerializeToString(), "commands"),
        (
            gpb.DiscoverHierarchyRequest,
            lambda n: gpb.DiscoverHierarchyRequest(category_ids=[10] * n).SerializeToString(),
            "category_ids",
        ),
        # Numbers that are not packed, as older writers send them.
        (
            gpb.DiscoverHierarchyRequest,
            lambda n: unpacked(gpb.DiscoverHierarchyRequest, "category_ids") * n,
            "category_ids",
        ),
    ],
)
def test_a_list_has_as_many_entries_as_a_bulk_call_may_have_and_no_more(message: Any, data: Any, name: str) -> None:
    walk(data(MAX_BULK_ITEMS), message)
    with pytest.raises(FieldCountError, match=f"{name} has more than {MAX_BULK_ITEMS}"):
        walk(data(MAX_BULK_ITEMS + 1), message)


def unpacked(message: Any, name: str) -> bytes:
    return varint(message.DESCRIPTOR.fields_by_name[name].number << 3) + b"\1"


def test_arrays_are_bounded_as_a_whole_and_not_by_the_length_of_a_bulk_call() -> None:
    longest = array(double_values=pb.DoubleArray(values=[1.0] * 32_767))
    walk(request(write=pb.WriteCommand(value=longest)))


@pytest.mark.parametrize(
    "data",
    [
        b"\x0a\x00" * 400_000,
        request(write=pb.WriteCommand(value=array(int32_values=pb.Int32Array(values=[1] * 400_000)))),
        # Unknown fields cost, too.
        (varint(999 << 3) + b"\1") * 400_000,
    ],
    ids=["repeated text", "packed numbers", "unknown fields"],
)
def test_more_fields_than_any_message_has_are_refused(data: bytes) -> None:
    with pytest.raises(FieldCountError, match=f"more than {field_counts.MAX_FIELDS} fields"):
        walk(data)


def test_values_within_values_without_end_are_refused() -> None:
    value = b""
    element = pb.MxSparseElement.DESCRIPTOR.fields_by_name["value"].number
    sparse = pb.MxValue.DESCRIPTOR.fields_by_name["sparse_array_value"].number
    elements_field = pb.MxSparseArray.DESCRIPTOR.fields_by_name["elements"].number
    for _ in range(MAX_DEPTH):
        value = wrapped(sparse, wrapped(elements_field, wrapped(element, value)))
    command = wrapped(pb.MxCommand.WRITE_FIELD_NUMBER, wrapped(pb.WriteCommand.VALUE_FIELD_NUMBER, value))
    with pytest.raises(FieldCountError, match="nested"):
        walk(wrapped(pb.MxCommandRequest.COMMAND_FIELD_NUMBER, command))


@pytest.mark.parametrize(
    "data", [b"\x0a\x05ab", b"\x0a", b"\xff" * 11, b"\x0f", b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"]
)
def test_what_cannot_be_parsed_is_no_message(data: bytes) -> None:
    with pytest.raises(DecodeError):
        pb.MxCommandRequest.FromString(data)
    with pytest.raises(MalformedMessageError):
        walk(data)
    with pytest.raises(MalformedMessageError):
        list(top_fields(memoryview(data), 10))


def test_others_get_turns_while_a_long_message_is_counted() -> None:
    strings = array(string_values=pb.StringArray(values=["x"] * 200_000))
    assert walk(request(write=pb.WriteCommand(value=strings))) > 40


def test_the_fields_at_the_top_are_those_of_the_message() -> None:
    batch = pb.MxCommandBatch(session_id="s", commands=[{"correlation_id": "1"}, {}], cancel_correlation_ids=["9"])
    found = [(number, bytes(value)) for number, value in top_fields(memoryview(batch.SerializeToString()), 10)]  # type: ignore[arg-type]
    assert found == [(1, b"s"), (2, batch.commands[0].SerializeToString()), (2, b""), (3, b"9")]
    with pytest.raises(FieldCountError, match="more than 3"):
        list(top_fields(memoryview(batch.SerializeToString()), 3))
