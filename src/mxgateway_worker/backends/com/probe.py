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
from mxgateway_protocol.variants import Variant
from mxgateway_worker.backends.com.backend import create_backend

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


def probe(backend: Backend, tag: str, clock: Clock) -> dict[str, Any]:
    """What came of it.

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
            server = backend.register("mxgateway doctor")
            step = "AddItem"
            item = backend.add_item(server, tag or NO_SUCH_TAG)
            told: dict[str, Any] = {"milliseconds": milliseconds, "interface": backend.info.interface_version}
            if tag:
                step = "Advise"
                told["tag"] = _first_value(backend, sink, server, item, clock)
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
        "milliseconds": round((clock.monotonic() - began) * 1000),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tag", default="")
    given = parser.parse_args(arguments)
    try:
        told = probe(create_backend({}), given.tag, SystemClock())
    except BackendLostError as error:
        told = {"step": "LMXProxy", "hresult": -1, "text": str(error)}
    sys.stdout.write(json.dumps(told) + "\n")
    return 1 if "hresult" in told else 0


if __name__ == "__main__":
    sys.exit(main())
