"""What a COM client owes that no event shows, in a Windows Python: memory, secrets, threads (test_in_process.py)."""

from __future__ import annotations

import ctypes
import struct
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import psutil
import pytest
from tests.support.told import Told

from mxgateway_contract import hresults
from mxgateway_protocol.errors import BackendLostError, MxComError
from mxgateway_protocol.variants import Variant
from mxgateway_worker import windows_process
from mxgateway_worker.backends.com import create_backend
from mxgateway_worker.backends.com.backend import ComBackend
from mxgateway_worker.backends.com.identity import BUFFERED_EVENTS, EVENTS, IDISPATCH, IUNKNOWN, guid_bytes
from mxgateway_worker.backends.com.interfaces import function_at, query, release
from mxgateway_worker.backends.com.sink import E_POINTER, Sink
from mxgateway_worker.backends.com.winapi import WinApi, memory, prototype
from mxgateway_worker.backends.com.windows import LmxProxy, WindowsApartment
from mxgateway_worker.backends.com.zone import WindowsZone

PASSWORD = "Wicked-Word-1"
# What only the writer's own side has: the contract carries none of them inwards.
IMAGES: list[tuple[Variant, str]] = [
    (Variant(6, 12345.6789), "vt=0006 data=15CD5B0700000000"),
    (Variant(6, 922337203685477.5807), "vt=0006 data=FFFFFFFFFFFFFF7F"),
    (Variant(10, 0x80020004 - 2**32), "vt=000A data=0400028000000000"),
    (Variant(14, -12.3456), "vt=000E data=04800000000040E2010000000000"),
    (Variant(14, 7.922816251426434e28), "vt=000E data=0000FFFFFFFFFFFFFFFFFFFFFFFF"),
    (Variant(21, 2**64 - 1), "vt=0015 data=FFFFFFFFFFFFFFFF"),
    (Variant(64, 0), "vt=0007 data=" + struct.pack("<d", 25569.0).hex().upper()),
    (Variant(0x2006, (-0.0001, 1.0)), "vt=2006 counts=2 data=FFFFFFFFFFFFFFFF|1027000000000000"),
    (Variant(0x200A, (-1, 1)), "vt=200A counts=2 data=FFFFFFFF|01000000"),
    (Variant(0x2010, (-128, 127)), "vt=2010 counts=2 data=80|7F"),
    (Variant(0x2012, (0, 65535)), "vt=2012 counts=2 data=0000|FFFF"),
    (Variant(0x2015, (0, 2**64 - 1)), "vt=2015 counts=2 data=0000000000000000|FFFFFFFFFFFFFFFF"),
    (Variant(0x2040, (0,)), "vt=2007 counts=1 data=" + struct.pack("<d", 25569.0).hex().upper()),
    (Variant(0x2002, (), -1, (2, 0)), "vt=2002 counts=2,0 data="),
]  # fmt: skip


class Bench:
    """The backend, opened and registered."""

    def __init__(self) -> None:
        self.told = Told()
        self.backend: ComBackend = create_backend({})
        self.backend.open(self.told)
        self.server = self.backend.register("details")

    @property
    def lmx(self) -> LmxProxy:
        assert isinstance(self.backend._object, LmxProxy)
        return self.backend._object

    def advised(self, reference: str) -> int:
        """An item whose first value is there."""
        item = self.backend.add_item(self.server, reference)
        self.backend.advise(self.server, item)
        self.value_of(item)
        return item

    def value_of(self, item: int, seconds: float = 10.0) -> Any:
        """The newest value of an item, waited for."""
        end = time.perf_counter() + seconds
        while not (found := [change[2] for change in self.told.changes if change[1] == item]):
            assert time.perf_counter() < end, f"no value of item {item}"
            self.backend.wait(min(self.backend.pump(), 0.05))
        return found[-1]


def images_of_values(bench: Bench) -> None:
    echo, image = bench.advised("Kind.Echo"), bench.advised("Kind.Image")
    for variant, came_in in IMAGES:
        bench.told.changes.clear()
        bench.backend.write(bench.server, echo, variant, 0)
        told = bench.value_of(image).value
        assert told == came_in, (variant, told)


def what_calls_were_given_is_freed(bench: Bench) -> None:
    """After the call, also when it fails."""
    item = bench.advised("T.String")
    text, array = Variant(8, "x" * 200_000), Variant(0x2008, ("y" * 1000,) * 100)

    def write_all() -> int:
        for _ in range(20):
            bench.told.changes.clear()
            bench.backend.write(bench.server, item, text, 0)
            for refused in (text, array):
                with pytest.raises(MxComError):
                    bench.backend.write(bench.server, 999, refused, 0)
            bench.value_of(item)
        return int(psutil.Process().memory_info().rss)

    before = write_all()
    # The texts that are not freed would be 48 megabytes, the arrays alone 12.
    assert max(write_all() for _ in range(3)) - before < 8_000_000


def failures_leave_nothing(bench: Bench) -> None:
    """An error's text belongs to its thread and to whoever takes it."""

    def fail(times: int) -> int:
        texts = set()
        for _ in range(times):
            try:
                bench.backend.un_advise(bench.server, 999)
            except MxComError as error:
                texts.add(str(error))
        assert len(texts) == 1
        assert "no such item" in texts.pop()
        return int(psutil.Process().memory_info().rss)

    before = fail(10_000)
    assert fail(40_000) - before < 1_000_000


def an_old_text_explains_no_new_failure(bench: Bench) -> None:
    # Past the backend, so that the text stays on the thread, as a part of LMXProxy might leave it.
    lmx = bench.lmx
    assert lmx._functions["advise"](lmx._pointer, bench.server, 999) < 0
    item = bench.backend.add_item(bench.server, "T.Int")
    bench.backend.inject_fault("fail_call", {"method": "advise", "hresult": "0x80004005"})
    with pytest.raises(MxComError) as caught:
        bench.backend.advise(bench.server, item)
    assert "no such item" not in str(caught.value)


def freed_by(bench: Bench, call: Callable[[], object]) -> list[bytes]:
    """What stood in the texts that a call gave back, at that moment."""
    api = bench.lmx._api
    freed: list[bytes] = []
    free = api.free_string

    def look(pointer: int) -> None:
        freed.append(memory(pointer, api.string_bytes(pointer)))
        free(pointer)

    api.free_string = look
    try:
        call()
    except MxComError:
        freed.append(b"")
    finally:
        api.free_string = free
    return freed


def a_password_is_gone_when_its_text_is(bench: Bench) -> None:
    freed = freed_by(bench, lambda: bench.backend.authenticate_user(bench.server, "engineer", PASSWORD))
    assert len(freed) == 2
    assert not any(PASSWORD.encode("utf-16-le") in text for text in freed)


def the_text_of_a_failure_is_given_back(bench: Bench) -> None:
    freed = freed_by(bench, lambda: bench.backend.un_advise(bench.server, 999))
    assert freed == ["no such item".encode("utf-16-le"), b""]


def a_time_that_is_written_comes_back_with_the_value(bench: Bench) -> None:
    item = bench.advised("T.Double")
    bench.told.changes.clear()
    bench.backend.write2(bench.server, item, Variant(5, 6.25), Variant(7, 1_678_881_600_000_000_000), 7)
    assert bench.value_of(item).value == 6.25
    assert bench.told.changes[-1][4] == 1_678_881_600_000_000_000


def another_thread_wakes_it(bench: Bench) -> None:
    while bench.backend.pump() == 0.0:
        continue
    timer = threading.Timer(0.05, bench.backend.wake)
    timer.start()
    began = time.perf_counter()
    bench.backend.wait(20.0)
    assert time.perf_counter() - began < 15.0
    timer.join()


def a_wait_that_fails_is_an_end(bench: Bench) -> None:
    """Else the worker would wait again and again, with all of a processor."""
    apartment = bench.backend._apartment
    assert isinstance(apartment, WindowsApartment)
    handles = apartment._handles
    apartment._handles = (ctypes.c_void_p * 1)(0xBAD0)
    try:
        with pytest.raises(BackendLostError, match="cannot wait"):
            bench.backend.wait(20.0)
    finally:
        apartment._handles = handles


def a_sink_answers_what_it_is_asked(bench: Bench) -> None:
    """Through its own table, as LMXProxy does."""
    (_, sink), *_ = bench.lmx._connections._connected
    assert isinstance(sink, Sink)
    before = sink.references
    assert [query(sink.pointer, iid) for iid in (EVENTS, IDISPATCH, IUNKNOWN)] == [sink.pointer] * 3
    assert sink.references == before + 3
    assert [release(sink.pointer) for _ in range(3)] == [before + 2, before + 1, before]
    assert query(sink.pointer, BUFFERED_EVENTS) == 0, "that one is another sink's"
    ask = function_at(sink.pointer, 0, prototype(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p))
    assert ask(sink.pointer, guid_bytes(EVENTS), None) == E_POINTER
    assert ask(sink.pointer, None, ctypes.byref(ctypes.c_void_p())) == E_POINTER
    assert sink.references == before
    invoke = function_at(
        sink.pointer,
        6,
        prototype(
            *(ctypes.c_void_p, ctypes.c_int32, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint16),
            *(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p),
        ),
    )
    changes = len(bench.told.changes)
    for dispid in (1, 99):
        # No arguments at all, and an event that this version does not know.
        nothing = struct.pack("<IIII", 0, 0, 0, 0)
        assert invoke(sink.pointer, dispid, bytes(16), 0, 1, nothing, None, None, None) == hresults.S_OK
    assert len(bench.told.changes) == changes
    assert sink.failures == 0


def a_flood_ends_a_pump_in_time(bench: Bench) -> None:
    flood = bench.backend.add_item(bench.server, "Sim.Burst.400000")
    bench.backend.advise(bench.server, flood)
    bench.value_of(flood)
    began = time.perf_counter()
    assert bench.backend.pump() == 0.0
    assert time.perf_counter() - began < 1.0
    bench.backend.un_advise(bench.server, flood)


def the_thread_of_a_broken_apartment_stays() -> None:
    thread = threading.Thread(target=windows_process.stay, daemon=True)
    thread.start()
    thread.join(0.3)
    assert thread.is_alive()


def a_worker_tells_what_memory_it_uses_now() -> None:
    block = bytearray(64 << 20)
    block[::4096] = b"x" * (len(block) // 4096)
    with_it = windows_process.working_set()
    del block
    assert 0 < windows_process.working_set() < with_it - (48 << 20)


def local_times_keep_their_milliseconds() -> None:
    zone = WindowsZone(WinApi())
    for ns in (1_678_881_600_123_456_000, 951_782_400_999_000_000, -2_209_161_600_000_000_000):
        assert zone.to_utc(zone.to_local(ns)) == ns


def main() -> None:
    bench = Bench()
    images_of_values(bench)
    an_old_text_explains_no_new_failure(bench)
    a_password_is_gone_when_its_text_is(bench)
    the_text_of_a_failure_is_given_back(bench)
    a_time_that_is_written_comes_back_with_the_value(bench)
    another_thread_wakes_it(bench)
    a_wait_that_fails_is_an_end(bench)
    a_sink_answers_what_it_is_asked(bench)
    what_calls_were_given_is_freed(bench)
    failures_leave_nothing(bench)
    a_flood_ends_a_pump_in_time(bench)
    local_times_keep_their_milliseconds()
    the_thread_of_a_broken_apartment_stays()
    a_worker_tells_what_memory_it_uses_now()
    library = ctypes.WinDLL(bench.backend.server_file.path)  # type: ignore[attr-defined]
    bench.backend.close()
    assert library.DllCanUnloadNow() == 0
    sys.stdout.write("all in order\n")


if __name__ == "__main__":
    main()
