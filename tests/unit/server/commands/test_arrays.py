"""Sparse arrays become whole, and bare names of arrays are completed."""

from __future__ import annotations

import pytest
from tests.support.gateway import command
from tests.support.tag_facts import GALAXY

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.commands.arrays import (
    MAX_SPARSE_LENGTH,
    complete_array_names,
    expand_sparse,
    has_sparse,
    restore_names,
)
from mxgateway_server.errors import InvalidRequestError

ONE = pb.MxValue(int32_value=1)


def sparse(kind: int, length: int, **elements: pb.MxValue) -> pb.MxCommand:
    value = pb.MxValue(
        sparse_array_value=pb.MxSparseArray(
            element_data_type=pb.MxDataType.ValueType(kind),
            total_length=length,
            elements=[pb.MxSparseElement(index=int(at[1:]), value=value) for at, value in elements.items()],
        )
    )
    return command("WRITE", server_handle=1, item_handle=1, value=value)


@pytest.mark.parametrize(
    ("made", "field", "expected"),
    [
        (sparse(pb.MX_DATA_TYPE_INTEGER, 3, _1=ONE), "int32_values", [0, 1, 0]),
        (
            sparse(pb.MX_DATA_TYPE_INTEGER, 2, _0=ONE, _1=pb.MxValue(int64_value=2**40)),
            "int64_values",
            [1, 2**40],
        ),
        (sparse(pb.MX_DATA_TYPE_BOOLEAN, 2, _0=pb.MxValue(bool_value=True)), "bool_values", [True, False]),
        (sparse(pb.MX_DATA_TYPE_DOUBLE, 2), "double_values", [0.0, 0.0]),
        (sparse(pb.MX_DATA_TYPE_FLOAT, 1, _0=pb.MxValue(float_value=1.5)), "float_values", [1.5]),
        (sparse(pb.MX_DATA_TYPE_STRING, 2, _1=pb.MxValue(string_value="x")), "string_values", ["", "x"]),
    ],
)
def test_a_sparse_array_becomes_whole_with_its_types_defaults(
    made: pb.MxCommand, field: str, expected: list[object]
) -> None:
    assert has_sparse(made)
    array = expand_sparse(made).write.value.array_value
    assert list(getattr(array, field).values) == expected
    assert list(array.dimensions) == [len(expected)]


def test_missing_times_are_the_epoch() -> None:
    array = expand_sparse(sparse(pb.MX_DATA_TYPE_TIME, 2)).write.value.array_value
    assert [stamp.ToNanoseconds() for stamp in array.timestamp_values.values] == [0, 0]


@pytest.mark.parametrize(
    "made",
    [
        sparse(pb.MX_DATA_TYPE_INTEGER, 0),
        sparse(pb.MX_DATA_TYPE_INTEGER, MAX_SPARSE_LENGTH + 1),
        sparse(pb.MX_DATA_TYPE_INTEGER, 2, _2=ONE),
        sparse(pb.MX_DATA_TYPE_INTEGER, 2, _1=ONE, _01=ONE),
        sparse(pb.MX_DATA_TYPE_BOOLEAN, 2, _1=ONE),
        sparse(pb.MX_DATA_TYPE_INTEGER, 2, _1=pb.MxValue()),
        sparse(pb.MX_DATA_TYPE_REFERENCE_TYPE, 2),
    ],
)
def test_sparse_arrays_that_make_no_sense_are_refused(made: pb.MxCommand) -> None:
    with pytest.raises(InvalidRequestError, match="sparse_array_value"):
        expand_sparse(made)


def test_the_sparse_arrays_of_a_bulk_are_bounded_all_together() -> None:
    """A few bytes each, and gigabytes when they are expanded one by one."""
    one = sparse(pb.MX_DATA_TYPE_INTEGER, MAX_SPARSE_LENGTH // 2).write.value
    made = command("WRITE_BULK", entries=[pb.WriteBulkEntry(value=one)] * 2)
    expanded = expand_sparse(made)
    assert sum(len(entry.value.array_value.int32_values.values) for entry in expanded.write_bulk.entries) == 100_000
    made.write_bulk.entries.add(value=one)
    with pytest.raises(InvalidRequestError, match="total_length"):
        expand_sparse(made)


@pytest.mark.parametrize("kind", ["ADD_ITEM", "ADD_ITEM2", "ADD_BUFFERED_ITEM"])
def test_bare_names_of_arrays_are_completed_wherever_items_are_added(kind: str) -> None:
    made = command(kind, server_handle=1, item_definition="Oven.Temperatures")
    arm = kind.lower()
    assert getattr(complete_array_names(made, GALAXY), arm).item_definition == "Oven.Temperatures[]"
    for name in ("Oven.Temperatures[]", "Oven.Temperatures[3]", "Mixer.PV", "Unknown.PV"):
        made = command(kind, server_handle=1, item_definition=name)
        assert complete_array_names(made, GALAXY) is made


@pytest.mark.parametrize("name", ["Oven.Temperatures.property(Value)", "Oven.[", "Oven..Temperatures"])
def test_a_property_of_an_array_and_what_is_no_reference_stay_as_they_are(name: str) -> None:
    made = command("ADD_ITEM", server_handle=1, item_definition=name)
    assert complete_array_names(made, GALAXY) is made


@pytest.mark.parametrize("kind", ["ADD_ITEM_BULK", "SUBSCRIBE_BULK", "READ_BULK"])
def test_bare_names_in_lists_are_completed_one_by_one(kind: str) -> None:
    """One rule for every call by name."""
    made = command(kind, server_handle=1, tag_addresses=["Mixer.PV", "Oven.T ", "Oven.T[2]"])
    completed = getattr(complete_array_names(made, GALAXY), kind.lower())
    assert list(completed.tag_addresses) == ["Mixer.PV", "Oven.T[]", "Oven.T[2]"]
    assert list(getattr(made, kind.lower()).tag_addresses) == ["Mixer.PV", "Oven.T ", "Oven.T[2]"]


def test_results_bear_the_names_that_the_caller_gave() -> None:
    made = command("READ_BULK", server_handle=1, tag_addresses=["Mixer.PV", "Oven.T"])
    reply = pb.MxCommandReply()
    for name in ("Mixer.PV", "Oven.T[]"):
        reply.read_bulk.results.add(tag_address=name, was_successful=True)
    restore_names(made, reply)
    assert [result.tag_address for result in reply.read_bulk.results] == ["Mixer.PV", "Oven.T"]
