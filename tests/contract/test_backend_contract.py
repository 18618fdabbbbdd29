"""What a worker relies on in every backend, be it a fake, the simulator or a recording."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from tests.contract.conftest import BackendCase

from mxgateway_contract import hresults
from mxgateway_contract.status import MxStatus
from mxgateway_protocol.backend import Backend, Sample
from mxgateway_protocol.errors import MxComError
from mxgateway_protocol.variants import EMPTY, DataType, Variant, VarType


@dataclass
class Recorder:
    """An EventSink that keeps what comes and checks the thread it comes on."""

    thread: int = field(default_factory=threading.get_ident)
    changes: list[tuple[int, int, Variant, int, int, Sequence[MxStatus]]] = field(default_factory=list)
    writes: list[tuple[int, int, Sequence[MxStatus]]] = field(default_factory=list)

    def on_data_change(
        self, server: int, item: int, value: Variant, quality: int, ns: int, statuses: Sequence[MxStatus]
    ) -> None:
        assert threading.get_ident() == self.thread
        self.changes.append((server, item, value, quality, ns, statuses))

    def on_write_complete(self, server: int, item: int, statuses: Sequence[MxStatus]) -> None:
        self.writes.append((server, item, statuses))

    def operation_complete(self, server: int, item: int, statuses: Sequence[MxStatus]) -> None:
        pass

    def on_buffered_data_change(
        self, server: int, item: int, data_type: int, samples: Sequence[Sample], statuses: Sequence[MxStatus]
    ) -> None:
        pass


class Opened:
    def __init__(self, case: BackendCase) -> None:
        self.case = case
        self.events = Recorder()
        self.backend: Backend = case.make()
        self.backend.open(self.events)

    def pump_until(self, condition: Callable[[], bool]) -> None:
        for _ in range(200):
            if condition():
                return
            self.case.clock.advance(min(self.backend.pump(), 0.25))
        raise AssertionError("the event did not come")

    def advised(self, tag: str) -> tuple[int, int]:
        server = self.backend.register("contract")
        item = self.backend.add_item(server, tag)
        self.backend.advise(server, item)
        self.pump_until(lambda: bool(self.events.changes))
        return server, item


@pytest.fixture
def opened(backend_case: BackendCase) -> Opened:
    return Opened(backend_case)


def test_handles_start_at_one_and_items_are_not_checked_when_added(opened: Opened) -> None:
    """AddItem takes any text; nothing is delivered for it."""
    backend = opened.backend
    assert backend.register("contract") == 1
    assert [backend.add_item(1, "No.Such"), backend.add_item(1, opened.case.tag)] == [1, 2]
    backend.pump()
    assert opened.events.changes == []


def test_advise_delivers_the_value_by_event(opened: Opened) -> None:
    """The first OnDataChange has the item's handles, a value, a quality, a time and one good status."""
    server, item = opened.advised(opened.case.tag)
    change = opened.events.changes[0]
    assert change[:2] == (server, item)
    assert change[2].value is not None
    assert change[3] == 192
    assert change[4] > 0
    assert [status.is_success for status in change[5]] == [True]


def test_an_unknown_reference_fails_by_event(opened: Opened) -> None:
    """The first OnDataChange has a failed status and no value."""
    opened.advised("No.Such")
    _, _, value, quality, _, statuses = opened.events.changes[0]
    assert (value.value, statuses[0].success) == (None, 0)
    assert quality & 0xC0 == 0


def test_names_are_compared_without_case(opened: Opened) -> None:
    """A reference in other case means the same."""
    opened.advised(opened.case.tag.upper())
    assert opened.events.changes[0][5][0].is_success


def test_nothing_is_delivered_but_by_pumping(opened: Opened) -> None:
    """Like an STA, a backend delivers when it is pumped."""
    backend = opened.backend
    server = backend.register("contract")
    backend.advise(server, backend.add_item(server, opened.case.tag))
    assert opened.events.changes == []
    opened.pump_until(lambda: bool(opened.events.changes))


def test_bad_handles_are_invalid_arguments(opened: Opened) -> None:
    """Each call with a handle that was never given fails with E_INVALIDARG."""
    backend = opened.backend
    server = backend.register("contract")
    calls: list[Callable[[], object]] = [
        lambda: backend.unregister(99),
        lambda: backend.add_item(99, "x"),
        lambda: backend.add_item2(99, "x", ""),
        lambda: backend.remove_item(server, 99),
        lambda: backend.advise(server, 99),
        lambda: backend.advise_supervisory(server, 99),
        lambda: backend.un_advise(server, 99),
        lambda: backend.suspend(server, 99),
        lambda: backend.activate(server, 99),
        lambda: backend.write(server, 99, Variant(VarType.VT_I4, 1), 0),
        lambda: backend.set_buffered_update_interval(99, 100),
    ]
    for number, call in enumerate(calls):
        with pytest.raises(MxComError) as caught:
            call()
        assert caught.value.hresult == hresults.E_INVALIDARG, number


def test_a_removed_item_is_gone(opened: Opened) -> None:
    """Its handle is not valid any more, and it delivers nothing more."""
    server, item = opened.advised(opened.case.tag)
    opened.backend.remove_item(server, item)
    with pytest.raises(MxComError):
        opened.backend.advise(server, item)
    opened.events.changes.clear()
    for _ in range(5):
        opened.case.clock.advance(1.0)
        opened.backend.pump()
    assert opened.events.changes == []


def test_an_unregistered_handle_takes_its_items_along(opened: Opened) -> None:
    """After Unregister neither the server handle nor its items are valid."""
    server, item = opened.advised(opened.case.tag)
    opened.backend.unregister(server)
    with pytest.raises(MxComError):
        opened.backend.un_advise(server, item)
    with pytest.raises(MxComError):
        opened.backend.add_item(server, "x")


def test_writing_an_item_that_is_not_advised_is_an_invalid_argument(opened: Opened) -> None:
    """So is writing nothing."""
    backend = opened.backend
    server = backend.register("contract")
    item = backend.add_item(server, opened.case.tag)
    with pytest.raises(MxComError) as caught:
        backend.write(server, item, Variant(VarType.VT_I4, 1, DataType.INTEGER), 0)
    assert caught.value.hresult == hresults.E_INVALIDARG
    backend.advise(server, item)
    opened.pump_until(lambda: bool(opened.events.changes))
    with pytest.raises(MxComError):
        backend.write(server, item, EMPTY, 0)


def test_a_write_completes_by_event(opened: Opened) -> None:
    """Exactly one OnWriteComplete with the item's handles; where writing is possible the value comes back."""
    tag = opened.case.writable or opened.case.tag
    server, item = opened.advised(tag)
    opened.backend.write(server, item, Variant(VarType.VT_I4, 41, DataType.INTEGER), 0)
    opened.pump_until(lambda: bool(opened.events.writes))
    assert [write[:2] for write in opened.events.writes] == [(server, item)]
    succeeded = opened.events.writes[0][2][0].is_success
    assert succeeded == bool(opened.case.writable)
    if succeeded:
        opened.pump_until(lambda: opened.events.changes[-1][2].value == 41)


def test_wait_ends_by_wake_even_when_it_came_first(opened: Opened) -> None:
    """A wake is never lost; the waits here would take minutes without it."""
    backend = opened.backend
    backend.wake()
    backend.wait(300)
    waker = threading.Thread(target=backend.wake)
    waker.start()
    backend.wait(300)
    waker.join()


def test_pump_says_when_it_wants_to_be_called_again(opened: Opened) -> None:
    """A number of seconds, not negative."""
    opened.advised(opened.case.tag)
    assert opened.backend.pump() >= 0


def test_an_unknown_fault_is_refused(opened: Opened) -> None:
    """The message names it."""
    with pytest.raises(ValueError, match="rain"):
        opened.backend.inject_fault("rain", {})
