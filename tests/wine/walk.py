"""Walks through all that a COM object does, in a Windows Python, and checks each step: walk.py [NAME=VALUE …]

Once for each variable of the stand-in that is named, in one process (see test_in_process.py).
"""

from __future__ import annotations

import ctypes
import os
import sys
import time
from collections.abc import Callable

import pytest
from tests.support.told import Told

from mxgateway_contract import hresults
from mxgateway_protocol.errors import MxComError
from mxgateway_protocol.variants import Variant
from mxgateway_worker.backends.com import create_backend
from mxgateway_worker.backends.com.identity import METHODS

SCALARS: dict[str, tuple[int, object]] = {
    "T.Bool": (11, True), "T.Int": (3, 42), "T.Int64": (20, 1099511627776), "T.Float": (4, 1.5), "T.Double": (5, 2.25),
    "T.String": (8, "café 中"), "T.Time": (7, 1_678_881_600_000_000_000), "T.Null": (1, None),
    "T.Error": (10, -2147352566), "T.IntArray[]": (0x2003, tuple(range(0, 100, 10))),
    "T.BoolArray[]": (0x200B, (False, True) * 5), "T.FloatArray[]": (0x2004, (0.0, 0.25, 0.5, 0.75)),
    "T.DoubleArray[]": (0x2005, (0.0, 0.125, 0.25, 0.375)), "T.StringArray[]": (0x2008, ("s0 é", "s1", "", "s3")),
    "T.TimeArray[]": (0x2007, (1_678_860_000_000_000_000, 1_678_946_400_000_000_000)), "T.IntArray[2]": (3, 10),
}  # fmt: skip
WRITES: dict[str, Variant] = {
    "T.Bool": Variant(11, False), "T.Int": Variant(3, -(2**31)), "T.Float": Variant(4, -0.5),
    "T.Double": Variant(5, 1e300), "T.String": Variant(8, "é\0\ud800😀"),
    "T.Time": Variant(7, 1_700_000_000_123_456_000),
    "T.IntArray[]": Variant(0x2003, (1, -2)), "T.StringArray[]": Variant(0x2008, ("a", "", "ü")),
    "T.BoolArray[]": Variant(0x200B, (True, False)), "T.DoubleArray[]": Variant(0x2005, (0.5,)),
}  # fmt: skip


def walk() -> None:
    newest, statuses_due = int(os.environ.get("LMXSIM_MAX", "5")), int(os.environ.get("LMXSIM_STATUSES", "1"))
    told = Told()
    backend = create_backend({})
    backend.open(told)
    # The plant is the process's, and a walk before this one has written to it.
    backend.inject_fault("reset_plant", {})

    def until(condition: Callable[[], bool], what: str) -> None:
        end = time.perf_counter() + 10
        while not condition():
            assert time.perf_counter() < end, what
            backend.wait(min(backend.pump(), 0.05))

    assert backend.interface_version == newest
    assert backend.server_file.path.endswith("lmxsim.dll")
    server = backend.register("walk")
    items = {name: backend.add_item(server, name) for name in (*SCALARS, "No.Such")}
    for item in items.values():
        backend.advise(server, item)
    last: dict[int, tuple[object, ...]] = {}
    until(lambda: last.update({c[1]: c for c in told.changes}) or len(last) == len(items), "first values")  # type: ignore[func-returns-value, misc]
    now = time.time_ns()
    for name, (vartype, value) in SCALARS.items():
        _, _, read, quality, ns, statuses = last[items[name]]
        assert (read.vartype, read.value) == (vartype, value), (name, read)  # type: ignore[attr-defined]
        assert quality == 192
        assert len(statuses) == statuses_due  # type: ignore[arg-type]
        assert abs(now - ns) < 60_000_000_000, (name, ns)  # type: ignore[operator]
    assert last[items["No.Such"]][2].value is None  # type: ignore[attr-defined]
    for name, variant in WRITES.items():
        told.writes.clear()
        told.changes.clear()
        backend.write(server, items[name], variant, 0)
        item = items[name]
        until(lambda: any(w[1] == item for w in told.writes), name)  # noqa: B023 — used at once
        until(lambda: any(c[1] == item and c[2].value == variant.value for c in told.changes), name)  # type: ignore[attr-defined]  # noqa: B023
    check_newer(newest, backend, told, server, items["T.Double"], until)
    with pytest.raises(MxComError, match="no such item") as caught:
        backend.write(server, 999, Variant(3, 1), 0)
    assert caught.value.hresult == hresults.E_INVALIDARG
    library = ctypes.WinDLL(backend.server_file.path)  # type: ignore[attr-defined]
    lmx = backend._object
    assert lmx is not None
    # What an older object does not have is other memory behind its table.
    assert lmx._functions.keys() == {name for name, method in METHODS.items() if method.since <= newest}  # type: ignore[attr-defined]
    sinks = [sink for _, sink in lmx._connections._connected]  # type: ignore[attr-defined]
    backend.close()
    assert [sink.references for sink in sinks] == [1] * len(sinks)
    assert all(sink.failures == 0 for sink in sinks)
    # No object of the class is left, so the library may go.
    assert library.DllCanUnloadNow() == 0


def check_newer(newest, backend, told, server, item, until) -> None:  # type: ignore[no-untyped-def]
    """Suspend, Activate and AdviseSupervisory need interface 4, buffered items interface 5."""
    if newest < 4:
        for call in (lambda: backend.suspend(server, item), lambda: backend.advise_supervisory(server, item)):
            with pytest.raises(MxComError) as caught:
                call()
            assert caught.value.hresult == hresults.E_NOTIMPL
        return
    assert tuple(backend.suspend(server, item))[:2] == (-1, 1)
    until(lambda: len(told.operations) == 1, "Suspend")
    backend.activate(server, item)
    until(lambda: len(told.operations) == 2, "Activate")
    backend.advise_supervisory(server, item)
    if newest < 5:
        return
    backend.set_buffered_update_interval(server, 250)
    buffered = backend.add_buffered_item(server, "T.Count", "")
    until(lambda: len(told.buffered) >= 3, "samples")
    assert {event[1] for event in told.buffered} == {buffered}
    samples = [sample for event in told.buffered for sample in event[3]]
    assert all(sample.value.vartype == 3 and sample.quality == 192 for sample in samples), samples
    assert all(abs(time.time_ns() - sample.timestamp_ns) < 60_000_000_000 for sample in samples)


def main() -> None:
    for mode in sys.argv[1:] or ["LMXSIM_BATCH=64"]:
        name, _, value = mode.partition("=")
        os.environ[name] = value
        try:
            walk()
        finally:
            del os.environ[name]
        sys.stdout.write(f"walked {mode}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
