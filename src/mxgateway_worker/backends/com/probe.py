"""Whether MXAccess can be had here: `python -m mxgateway_worker.backends.com.probe [--tag TAG]`, one JSON line.

Makes the object, registers, adds one item, advises it where a tag is given, and takes everything back. Writes nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from mxgateway_contract.status import MxStatus
from mxgateway_protocol.backend import Backend, Sample
from mxgateway_protocol.clock import Clock, SystemClock
from mxgateway_protocol.errors import BackendLostError, MxComError
from mxgateway_protocol.variants import Variant, vartype_name
from mxgateway_worker.backends.com.backend import create_backend
from mxgateway_worker.backends.com.identity import EVENTS, ON_DATA_CHANGE
from mxgateway_worker.backends.com.images import VT_BYREF
from mxgateway_worker.backends.com.ports import Deliver

NO_SUCH_TAG = "MxGatewayProbe.Nothing"
"""AddItem takes any text; nothing is asked of the plant for it."""
FIRST_VALUE_SECONDS = 20.0


class FirstChange:
    """An event sink that keeps the first change."""

    def __init__(self) -> None:
        self.change: tuple[int, Sequence[MxStatus]] | None = None

    def on_data_change(
        self, server: int, item: int, value: Variant, quality: int, ns: int, statuses: Sequence[MxStatus]
    ) -> None:
        if self.change is None:
            self.change = (quality, statuses)

    def on_write_complete(self, server: int, item: int, statuses: Sequence[MxStatus]) -> None:
        return None

    def operation_complete(self, server: int, item: int, statuses: Sequence[MxStatus]) -> None:
        return None

    def on_buffered_data_change(
        self, server: int, item: int, data_type: int, samples: Sequence[Sample], statuses: Sequence[MxStatus]
    ) -> None:
        return None


class Shapes:
    """Notes the VARTYPEs of the first change, before anything is read out of it."""

    def __init__(self) -> None:
        self.told: dict[str, str] = {}

    def noting(self, deliver: Deliver) -> Deliver:
        """The same delivery, with a look at what it gets."""

        def note(source: str, dispid: int, arguments: bytes) -> None:
            if source == EVENTS and dispid == ON_DATA_CHANGE and len(arguments) == 96 and not self.told:
                # The last parameter comes first: statuses, time, quality, value.
                for name, at in (("time", 16), ("value", 48)):
                    vartype = int.from_bytes(arguments[at : at + 2], "little")
                    by_reference = "VT_BYREF|" if vartype & VT_BYREF else ""
                    self.told[name] = by_reference + vartype_name(vartype & ~VT_BYREF)
            deliver(source, dispid, arguments)

        return note


def probe(backend: Backend, tag: str, clock: Clock, shapes: Shapes | None = None) -> dict[str, Any]:
    """What came of it.

    Args:
        shapes: what notes the events of this backend.

    Returns:
        `milliseconds` and `interface`, or the `step` that failed with `hresult` and `text`; and `tag` with the first
        answer where one was asked for, None when none came.
    """
    sink = FirstChange()
    began = clock.monotonic()
    step = "CoCreateInstance"
    try:
        backend.open(sink)
        try:
            milliseconds = round((clock.monotonic() - began) * 1000)
            step = "Register"
            registering = clock.monotonic()
            server = backend.register("mxgateway doctor")
            registered = round((clock.monotonic() - registering) * 1000)
            step = "AddItem"
            item = backend.add_item(server, tag or NO_SUCH_TAG)
            told: dict[str, Any] = {
                "milliseconds": milliseconds,
                "registerMilliseconds": registered,
                "interface": backend.info.interface_version,
            }
            if tag:
                step = "Advise"
                told["tag"] = _first_value(backend, sink, server, item, clock)
                if told["tag"] is not None and shapes is not None:
                    told["tag"]["vartypes"] = shapes.told
        finally:
            backend.close(clock.monotonic() + 5.0)
    except MxComError as error:
        return {"step": step, "hresult": error.hresult, "text": str(error)}
    return told


def _first_value(backend: Backend, sink: FirstChange, server: int, item: int, clock: Clock) -> dict[str, Any] | None:
    began = clock.monotonic()
    backend.advise(server, item)
    while sink.change is None:
        left = FIRST_VALUE_SECONDS - (clock.monotonic() - began)
        if left <= 0:
            return None
        backend.wait(min(backend.pump(), left))
    quality, statuses = sink.change
    status = statuses[0] if statuses else MxStatus(-1, 0, 0, 0)
    return {
        "success": status.is_success,
        "category": int(status.category),
        "detail": int(status.detail),
        "quality": quality,
        "statuses": len(statuses),
        "milliseconds": round((clock.monotonic() - began) * 1000),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tag", default="")
    given = parser.parse_args(arguments)
    try:
        shapes = Shapes()
        backend = create_backend({})
        backend.wrap_delivery(shapes.noting)
        told = probe(backend, given.tag, SystemClock(), shapes)
    except BackendLostError as error:
        told = {"step": "LMXProxy", "hresult": -1, "text": str(error)}
    sys.stdout.write(json.dumps(told) + "\n")
    return 1 if "hresult" in told else 0


if __name__ == "__main__":
    sys.exit(main())
