"""The COM backend over an apartment in Python: life, teardown, versions, threads, failures."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

import pytest
from tests.support.clock import ManualClock
from tests.support.com_apartment import NOT_INSTALLED, FakeApartment, FakeLmx, integer
from tests.support.com_memory import EarlierZone
from tests.support.told import Told

from mxgateway_contract import hresults
from mxgateway_contract.status import MxStatus
from mxgateway_protocol.backend import EventSink
from mxgateway_protocol.errors import BackendLostError, BackendOptionError, MxComError
from mxgateway_protocol.variants import Variant
from mxgateway_worker.backends.com.backend import ComBackend, ComOptions
from mxgateway_worker.backends.com.events import EventReader
from mxgateway_worker.backends.com.identity import METHODS
from mxgateway_worker.backends.com.images import ImageReader
from mxgateway_worker.backends.com.ports import Deliver
from mxgateway_worker.backends.com.times import TimeRules


class Opened:
    """A backend over a fake apartment."""

    def __init__(self, version: int = 5, options: Mapping[str, str] | None = None) -> None:
        self.apartment = FakeApartment(lambda deliver: FakeLmx(self.apartment.arena, deliver, version))
        self.told = Told()
        self.clock = ManualClock()

        def reader(sink: EventSink) -> Deliver:
            images = ImageReader(self.apartment.arena.read, TimeRules(EarlierZone()))
            return EventReader(sink, images, self.apartment.arena.read).deliver

        self.backend = ComBackend(ComOptions(options or {}), lambda _: self.apartment, reader, self.clock)

    def open(self) -> Opened:
        self.backend.open(self.told)
        return self

    @property
    def lmx(self) -> FakeLmx:
        assert self.apartment.lmx is not None
        return self.apartment.lmx

    @property
    def names(self) -> list[object]:
        return [call[0] for call in self.lmx.calls]


@pytest.fixture
def opened() -> Opened:
    return Opened().open()


def test_teardown_is_in_order_and_gives_everything_back(opened: Opened) -> None:
    """UnAdvise, RemoveItem and Unregister first, the sinks next, the object then, COM last."""
    backend = opened.backend
    server = backend.register("test")
    plain, advised = backend.add_item(server, "A.B"), backend.add_item2(server, "C", "A")
    backend.advise(server, advised)
    buffered = backend.add_buffered_item(server, "D.E", "")
    opened.lmx.calls.clear()
    backend.close()
    assert opened.lmx.calls == [
        ("remove_item", server, plain),
        ("un_advise", server, advised),
        ("remove_item", server, advised),
        ("un_advise", server, buffered),
        ("remove_item", server, buffered),
        ("unregister", server),
        ("disconnect",),
        ("release",),
    ]
    assert (opened.lmx.references, opened.apartment.entered) == (0, 0)
    backend.close()
    assert opened.lmx.references == 0


def test_what_the_session_undid_itself_is_not_undone_again(opened: Opened) -> None:
    backend = opened.backend
    server, other = backend.register("a"), backend.register("b")
    item = backend.add_item(server, "A.B")
    backend.advise_supervisory(server, item)
    backend.un_advise(server, item)
    second = backend.add_item(server, "A.C")
    backend.remove_item(server, second)
    backend.unregister(other)
    opened.lmx.calls.clear()
    backend.close()
    assert opened.names == ["remove_item", "unregister", "disconnect", "release"]


def test_after_the_deadline_unregister_takes_the_items_along(opened: Opened) -> None:
    """Fifty thousand slow RemoveItems must not eat the grace that releasing the object needs."""
    backend = opened.backend
    server = backend.register("test")
    for _ in range(3):
        backend.advise(server, backend.add_item(server, "A.B"))
    opened.lmx.calls.clear()

    def slow() -> None:
        opened.clock.advance(1.0)

    opened.lmx.answers = {"remove_item": slow, "un_advise": slow}
    backend.close(opened.clock.monotonic() + 1.5)
    assert opened.names == ["un_advise", "remove_item", "unregister", "disconnect", "release"]


@pytest.mark.parametrize("broken", ["un_advise", "remove_item", "unregister"])
def test_a_step_that_fails_does_not_keep_the_next_ones(opened: Opened, broken: str) -> None:
    backend = opened.backend
    server = backend.register("test")
    backend.advise(server, backend.add_item(server, "A.B"))

    def fail() -> None:
        raise MxComError(hresults.E_FAIL)

    opened.lmx.answers[broken] = fail
    backend.close()
    assert opened.names[-2:] == ["disconnect", "release"]
    assert opened.apartment.entered == 0


@pytest.mark.parametrize(
    ("broken", "asked"),
    [
        ("un_advise", ["un_advise"]),
        ("unregister", ["un_advise", "remove_item", "unregister"]),
        ("disconnect", ["un_advise", "remove_item", "unregister", "disconnect"]),
        ("release", ["un_advise", "remove_item", "unregister", "disconnect", "release"]),
    ],
)
def test_nothing_more_is_asked_of_an_object_that_broke_down_in_the_teardown(
    opened: Opened, monkeypatch: pytest.MonkeyPatch, broken: str, asked: list[str]
) -> None:
    """Its locks may be held for good; the thread would hang in the next call, or in leaving the apartment."""
    backend, lmx = opened.backend, opened.lmx
    server = backend.register("test")
    backend.advise(server, backend.add_item(server, "A.B"))
    lmx.calls.clear()

    def break_down() -> None:
        raise BackendLostError("LMXProxy broke down: access violation")

    def break_down_in_it() -> None:
        lmx.calls.append((broken,))
        break_down()

    lmx.answers[broken] = break_down
    if broken in ("disconnect", "release"):
        monkeypatch.setattr(lmx, broken, break_down_in_it)
    with pytest.raises(BackendLostError):
        backend.close()
    assert opened.names == asked
    assert opened.apartment.entered == 1


def test_an_object_that_cannot_be_made_leaves_no_apartment() -> None:
    opened = Opened()
    opened.apartment._refuse = NOT_INSTALLED
    with pytest.raises(MxComError) as caught:
        opened.open()
    assert caught.value.hresult == hresults.REGDB_E_CLASSNOTREG
    assert opened.apartment.entered == 0
    opened.backend.close()


CALLS: dict[str, Callable[[ComBackend], object]] = {
    "register": lambda b: b.register("x"),
    "unregister": lambda b: b.unregister(1),
    "add_item": lambda b: b.add_item(1, "a"),
    "remove_item": lambda b: b.remove_item(1, 2),
    "advise": lambda b: b.advise(1, 2),
    "un_advise": lambda b: b.un_advise(1, 2),
    "write": lambda b: b.write(1, 2, Variant(3, 5), 9),
    "write_secured": lambda b: b.write_secured(1, 2, 7, 8, Variant(3, 5)),
    "authenticate_user": lambda b: b.authenticate_user(1, "u", "p"),
    "archestra_user_to_id": lambda b: b.archestra_user_to_id(1, "{guid}"),
    "add_item2": lambda b: b.add_item2(1, "a", "ctx"),
    "write2": lambda b: b.write2(1, 2, Variant(3, 5), Variant(7, 6), 9),
    "write_secured2": lambda b: b.write_secured2(1, 2, 7, 8, Variant(3, 5), Variant(7, 6)),
    "suspend": lambda b: b.suspend(1, 2),
    "activate": lambda b: b.activate(1, 2),
    "advise_supervisory": lambda b: b.advise_supervisory(1, 2),
    "add_buffered_item": lambda b: b.add_buffered_item(1, "a", "ctx"),
    "set_buffered_update_interval": lambda b: b.set_buffered_update_interval(1, 500),
}
ARGUMENTS: dict[str, tuple[object, ...]] = {
    "register": ("x",), "unregister": (1,), "add_item": (1, "a"), "remove_item": (1, 2), "advise": (1, 2),
    "un_advise": (1, 2), "write": (1, 2, Variant(3, 5), 9), "write_secured": (1, 2, 7, 8, Variant(3, 5)),
    "authenticate_user": (1, "u", "p"), "archestra_user_to_id": (1, "{guid}"), "add_item2": (1, "a", "ctx"),
    "write2": (1, 2, Variant(3, 5), Variant(7, 6), 9),
    "write_secured2": (1, 2, 7, 8, Variant(3, 5), Variant(7, 6)), "suspend": (1, 2), "activate": (1, 2),
    "advise_supervisory": (1, 2), "add_buffered_item": (1, "a", "ctx"), "set_buffered_update_interval": (1, 500),
}  # fmt: skip


def test_every_method_is_here() -> None:
    assert CALLS.keys() == ARGUMENTS.keys() == METHODS.keys()


@pytest.mark.parametrize("name", METHODS)
def test_arguments_stand_in_mxaccess_order(opened: Opened, name: str) -> None:
    CALLS[name](opened.backend)
    assert opened.lmx.calls == [(name, *ARGUMENTS[name])]


@pytest.mark.parametrize("version", [1, 2, 3, 4])
@pytest.mark.parametrize("name", METHODS)
def test_what_an_older_object_lacks_is_not_implemented_and_not_called(name: str, version: int) -> None:
    opened = Opened(version).open()
    assert opened.backend.interface_version == version
    if METHODS[name].since <= version:
        CALLS[name](opened.backend)
        return
    with pytest.raises(MxComError, match=METHODS[name].name) as caught:
        CALLS[name](opened.backend)
    assert caught.value.hresult == hresults.E_NOTIMPL
    assert opened.lmx.calls == []


@pytest.mark.parametrize("name", METHODS)
def test_no_method_is_called_off_the_apartments_thread(opened: Opened, name: str) -> None:
    """COM itself would not refuse it."""
    refused: list[BaseException] = []

    def elsewhere() -> None:
        try:
            CALLS[name](opened.backend)
        except RuntimeError as error:
            refused.append(error)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert len(refused) == 1
    assert opened.lmx.calls == []


def test_pump_and_close_belong_to_the_thread_too(opened: Opened) -> None:
    refused: list[BaseException] = []

    def elsewhere() -> None:
        for touch in (opened.backend.pump, opened.backend.close, lambda: opened.backend.inject_fault("hang_call", {})):
            try:
                touch()
            except RuntimeError as error:
                refused.append(error)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert len(refused) == 3
    assert opened.apartment.entered == 1


def test_an_event_on_another_thread_is_dropped_and_told(opened: Opened, caplog: pytest.LogCaptureFixture) -> None:
    thread = threading.Thread(target=lambda: opened.lmx.change(1, 2, integer(5)))
    thread.start()
    thread.join()
    assert opened.told.changes == []
    assert "not the apartment's" in caplog.text
    opened.lmx.change(1, 2, integer(5))
    assert len(opened.told.changes) == 1


def test_events_may_come_inside_a_call(opened: Opened) -> None:
    """A call that waits inside dispatches messages: what comes then is handed on at once."""

    def while_advising() -> None:
        opened.lmx.change(1, 2, integer(5))
        opened.lmx.done(2, 1, 2)

    opened.lmx.answers["advise"] = while_advising
    opened.backend.advise(1, 2)
    assert (len(opened.told.changes), len(opened.told.writes)) == (1, 1)


def test_nothing_is_delivered_after_the_close(opened: Opened) -> None:
    lmx = opened.lmx
    opened.backend.close()
    lmx.change(1, 2, integer(5))
    assert opened.told.changes == []


def test_a_pump_has_a_time_budget_and_says_whether_more_waits() -> None:
    opened = Opened(options={"pump_budget_ms": "2.5"}).open()
    opened.apartment.messages = [lambda: opened.lmx.change(1, 2, integer(5))] * 3
    assert opened.backend.pump() == 0.0
    assert opened.backend.pump() > 0
    assert opened.apartment.budgets == [0.0025, 0.0025]
    assert len(opened.told.changes) == 3


def test_a_breakdown_inside_lmxproxy_is_final_from_call_and_pump(opened: Opened) -> None:
    def broken() -> None:
        raise BackendLostError("LMXProxy broke down: access violation")

    opened.lmx.answers["write"] = broken
    with pytest.raises(BackendLostError):
        opened.backend.write(1, 2, Variant(3, 5), 0)
    opened.apartment.messages = [broken]
    with pytest.raises(BackendLostError):
        opened.backend.pump()


def test_suspend_tells_the_status_that_was_filled(opened: Opened) -> None:
    assert opened.backend.suspend(1, 2) == MxStatus(-1, 1, 0, 0)


def test_faults_go_to_the_stand_in_only(opened: Opened) -> None:
    opened.backend.inject_fault("hang_call", {"seconds": "5", "method": "advise"})
    assert opened.lmx.calls == [("control", "hang_call:method=advise,seconds=5")]
    with pytest.raises(ValueError, match="rain"):
        opened.backend.inject_fault("rain", {})


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"tiem": "utc"}, "no option 'tiem'; it has: alarm_consumer, pump_budget_ms, time"),
        ({"time": "plant"}, "utc or local"),
        ({"pump_budget_ms": "0"}, "0.1 to 1000"),
        ({"pump_budget_ms": "nan"}, "0.1 to 1000"),
        ({"pump_budget_ms": "fast"}, "0.1 to 1000"),
    ],
)
def test_options_are_checked_by_name_and_value(options: dict[str, str], text: str) -> None:
    with pytest.raises(BackendOptionError, match=text):
        ComOptions(options)


def test_a_wake_before_the_wait_is_not_lost(opened: Opened) -> None:
    opened.backend.wake()
    opened.backend.wait(300)


def test_what_a_worker_tells_of_it(opened: Opened) -> None:
    assert opened.backend.info.name == "com"
    assert opened.backend.server_file.version == "3.2.0.0"
    opened.backend.close()
    assert opened.backend.interface_version == 0
