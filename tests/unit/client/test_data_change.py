"""A live change makes its fields when they are read, and nobody can tell it from one that had them at once."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields, replace

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st
from tests.support.extreme_values import data_changes
from tests.support.fake_gateway import data_change

from mxgateway import DataChange
from mxgateway.data_change import change_of, live_changes_of
from mxgateway.generated import mxaccess_gateway_pb2 as pb

RECEIVED = Timestamp(seconds=1_700_000_001)
NAMES = [each.name for each in fields(DataChange)]


def live(event: pb.MxEvent, received: Timestamp | None = None) -> DataChange:
    """As a subscription makes it; the event is its own."""
    batch = pb.MxEventBatch(events=[pb.MxEvent(), event]).events
    (change,) = live_changes_of(["A.B"], batch, 1, received)
    return change


@given(data_changes(), st.permutations(NAMES))
def test_a_live_change_is_what_its_event_says_in_whatever_order_it_is_read(event: pb.MxEvent, order: list[str]) -> None:
    event.worker_sequence = 7
    late, eager = live(event), change_of("A.B", event, sequence=7)
    for name in order:
        # As text, because NaN is not equal to itself.
        assert repr(getattr(late, name)) == repr(getattr(eager, name))
    assert repr(late) == repr(eager)
    assert late.is_good == eager.is_good


def test_a_live_change_that_nobody_has_read_is_equal_to_one_that_was() -> None:
    late, eager = live(data_change(7)), change_of("A.B", data_change(7), sequence=7)
    assert late == eager
    assert live(data_change(8)) != eager


def test_the_raw_event_of_a_live_change_says_when_the_gateway_received_it() -> None:
    """A batch says it once; the event has it when somebody looks."""
    assert live(data_change(7), RECEIVED).raw.gateway_receive_timestamp == RECEIVED
    assert not live(data_change(7)).raw.HasField("gateway_receive_timestamp")


def _sent(change: DataChange) -> DataChange:
    """As another process gets it."""
    found: DataChange = pickle.loads(pickle.dumps(change))
    return found


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, replace, _sent])
def test_a_live_change_that_nobody_has_read_can_be_copied(duplicate: Callable[[DataChange], DataChange]) -> None:
    change = live(data_change(7, 5), RECEIVED)
    twin = duplicate(change)
    assert twin == change
    assert (twin.value, twin.worker_sequence, twin.lost_before) == (7, 7, 0)
    assert replace(twin, lost_before=3).lost_before == 3


def test_a_change_has_no_other_fields_and_none_can_be_set() -> None:
    change = live(data_change(7))
    with pytest.raises(AttributeError, match="'DataChange' object has no attribute 'vaule'"):
        getattr(change, "vaule")  # noqa: B009
    with pytest.raises(FrozenInstanceError):
        change.tag = "other"  # type: ignore[misc]
    assert not hasattr(change, "__dict__")
