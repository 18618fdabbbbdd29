"""What is told of a subscription's turns, and what goes into a recording."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from tests.support.fake_gateway import data_change

from mxgateway import DataChange
from mxgateway.data_change import change_of
from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_cli.following import Follower, background_task, event_of, marks
from mxgateway_cli.recording import PlayTimes, Reading, RecordedChanges

BASE_NS = 1_700_000_000_000_000_000


def live(sequence: int, tag: str = "A.B", *, recovered: bool = False, replayed: bool = False) -> DataChange:
    return change_of(tag, data_change(sequence), sequence=sequence, recovered=recovered, replayed=replayed)


def read_again(value: int, tag: str = "A.B") -> DataChange:
    result = pb.BulkReadResult(tag_address=tag, item_handle=7, server_handle=1, was_successful=True, quality=192)
    result.value.CopyFrom(data_change(value).value)
    result.source_timestamp.FromNanoseconds(BASE_NS + value)
    return change_of(tag, result, recovered=True)


class Kept:
    """A recording in memory."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, int]] = []

    def add(self, tag: str, event: Reading) -> None:
        self.rows.append((tag, event.value.int32_value))

    def flush(self) -> None:
        """Everything is there."""


def test_what_was_read_again_waits_for_what_the_stream_still_brings() -> None:
    """The stream brings older events after the reading: they stand before it in the file, and the reading only where
    nothing of its tag came any more."""
    kept = Kept()
    changes = RecordedChanges(kept)
    for change in (live(1), live(2, "C.D"), read_again(9), read_again(8, "C.D"), live(8, replayed=True), live(9)):
        changes.add(change)
    assert kept.rows == [("A.B", 1), ("C.D", 2), ("A.B", 8), ("A.B", 9)]
    changes.finish()
    changes.finish()
    assert kept.rows[4:] == [("C.D", 8)]
    assert changes.recorded == 5
    for change in (read_again(20), live(21)):
        changes.add(change)
    changes.finish()
    assert kept.rows[5:] == [("A.B", 21)]


def test_a_recovered_value_that_stands_there_already_is_left_out() -> None:
    """A new session tells every value: a constant's is no change; the same value at another time is one."""
    kept = Kept()
    changes = RecordedChanges(kept)
    changes.add(live(1))
    changes.add(live(1, recovered=True))
    changes.add(read_again(1))
    changes.finish()
    assert kept.rows == [("A.B", 1)]
    later = data_change(1)
    later.source_timestamp.FromNanoseconds(BASE_NS + 5)
    changes.add(replace(live(1), raw=later, recovered=True))
    assert kept.rows == [("A.B", 1), ("A.B", 1)]


def test_a_recording_may_begin_with_what_was_read() -> None:
    """A read result has no time of the worker; its own is the beginning then."""
    times = PlayTimes()
    assert times.of("A.B", read_again(5).raw) == BASE_NS + 5
    assert times.of("C.D", data_change(3)) == BASE_NS + 5


def test_a_change_that_was_read_looks_like_an_event() -> None:
    """The same keys for scripts; an event stays the object that it is."""
    event = event_of(read_again(9))
    assert (event.family, event.item_handle, event.value.int32_value) == (pb.MX_EVENT_FAMILY_ON_DATA_CHANGE, 7, 9)
    assert (event.worker_sequence, event.source_timestamp.ToNanoseconds()) == (0, BASE_NS + 9)
    change = live(1)
    assert event_of(change) is change.raw


def test_marks_of_a_change() -> None:
    """Most changes have none."""
    assert marks(live(1)) == ""
    assert marks(replace(live(1, replayed=True), lost_before=3)) == "replayed, 3 lost before"
    assert marks(read_again(1)) == "recovered"


async def test_the_first_failure_of_either_side_comes_out_as_it_is() -> None:
    """Closed pipes and full disks keep their type; the work ends with the block."""
    ended = asyncio.Event()

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def fail() -> None:
        raise BrokenPipeError

    async with background_task(wait()):
        await asyncio.sleep(0)
    assert ended.is_set()
    with pytest.raises(OSError, match="full"):
        async with background_task(wait()):
            raise OSError("full")
    with pytest.raises(BrokenPipeError):
        async with background_task(fail()):
            await asyncio.Event().wait()


class Told:
    """What a follower asks a subscription for, when tags are refused."""

    def __init__(self) -> None:
        self.failures = {"No.Such": "refused"}


def test_lines_go_elsewhere_while_a_table_is_shown() -> None:
    """What is written background_task a live table tears it."""
    beside_table, above_table = list[str](), list[str]()
    subscription = Told()
    follower = Follower(subscription, beside_table.append)  # type: ignore[arg-type]
    with follower.telling(above_table.append):
        follower.tell_refusals()
    subscription.failures = {"No.Other": "refused"}
    follower.tell_refusals()
    assert (above_table, beside_table) == (["No.Such: refused"], ["No.Other: refused"])
