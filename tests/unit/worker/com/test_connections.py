"""The end of the event connections: all of them, and no memory taken from under an object that still knows it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mxgateway_contract import hresults
from mxgateway_protocol.errors import BackendLostError, MxComError
from mxgateway_worker.backends.com import connections
from mxgateway_worker.backends.com.connections import Connections


class FakeSink:
    def __init__(self, references: int = 2) -> None:
        self.references = references


class FakePoint:
    """Gives its sink back when it is disconnected, unless it fails."""

    def __init__(self, sink: FakeSink, failure: Exception | None = None) -> None:
        self.sink = sink
        self.failure = failure
        self.asked = 0
        self.held_meanwhile = False

    def disconnect(self) -> None:
        self.asked += 1
        self.held_meanwhile = self.sink in connections.still_held
        if self.failure is not None:
            raise self.failure
        self.sink.references -= 1


@pytest.fixture(autouse=True)
def _nothing_is_left_for_others() -> Iterator[None]:
    yield
    connections.still_held.clear()


def connected(*points: FakePoint) -> Connections:
    all_of_them = Connections()
    for point in points:
        all_of_them.add(point, point.sink)
    return all_of_them


def test_each_is_disconnected_once_and_nothing_is_kept() -> None:
    points = [FakePoint(FakeSink()), FakePoint(FakeSink())]
    both = connected(*points)
    both.disconnect()
    both.disconnect()
    assert [(point.asked, point.held_meanwhile) for point in points] == [(1, True)] * 2
    assert connections.still_held == []


def test_one_that_fails_keeps_no_other_connected() -> None:
    """The second interface's events would come into an object that is going."""
    refused = MxComError(hresults.E_FAIL, "no such connection")
    first, second = FakePoint(FakeSink(), refused), FakePoint(FakeSink())
    with pytest.raises(MxComError, match="no such connection"):
        connected(first, second).disconnect()
    assert second.asked == 1
    assert connections.still_held == [first.sink], "the object may call it as long as the process lives"


def test_a_sink_that_is_not_given_back_lives_on() -> None:
    free, held = FakeSink(), FakeSink(references=3)
    with pytest.raises(MxComError, match="holds 1 of our event sinks"):
        connected(FakePoint(free), FakePoint(held)).disconnect()
    assert connections.still_held == [held]


def test_after_a_breakdown_every_sink_lives_on() -> None:
    first, second = FakePoint(FakeSink(), BackendLostError("access violation")), FakePoint(FakeSink())
    with pytest.raises(BackendLostError):
        connected(first, second).disconnect()
    assert second.asked == 0
    assert connections.still_held == [first.sink, second.sink]


def test_a_sink_that_nobody_counted_is_let_go() -> None:
    sink = FakeSink(references=1)
    connected(FakePoint(sink)).disconnect()
    assert connections.still_held == []
