"""Event batches: bytes joined here are the events that protobuf reads there."""

import pytest

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract.varints import varint
from mxgateway_protocol.batches import count_events, join_events, split_events


def events(count: int) -> list[bytes]:
    return [
        pb.MxEvent(worker_sequence=n + 1, value=pb.MxValue(string_value="x" * (n * 40))).SerializeToString()
        for n in range(count)
    ]


def test_joined_events_are_a_batch_for_protobuf_and_split_again_into_the_same_bytes() -> None:
    wanted = events(20)
    batch = join_events(wanted)
    assert [e.SerializeToString() for e in pb.MxEventBatch.FromString(batch).events] == wanted
    assert list(split_events(batch)) == wanted
    assert count_events(batch) == 20


def test_a_batch_can_be_extended_by_bytes() -> None:
    tail = pb.MxEventBatch(dropped_events=7).SerializeToString()
    assert pb.MxEventBatch.FromString(join_events(events(2)) + tail).dropped_events == 7


@pytest.mark.parametrize("cut", [1, 2, 5])
def test_a_cut_batch_is_refused(cut: int) -> None:
    with pytest.raises(ValueError):
        list(split_events(join_events(events(3))[:-cut]))


@pytest.mark.parametrize("number", [0, 1, 127, 128, 300, 2**32, 2**63])
def test_varints_are_those_of_protobuf(number: int) -> None:
    encoded = pb.MxEvent(worker_sequence=number).SerializeToString()
    assert encoded == (b"\x48" + varint(number) if number else b"")
