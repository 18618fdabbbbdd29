"""What a worker's start leaves out, and that all of it is still there when it is asked for."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from mxgateway_protocol.contract import NONCE_VARIABLE
from mxgateway_worker.quick_start import put_off

# What a worker that watches no alarms has no use for.
LEFT_OUT = (
    *("google.protobuf.text_format", "pickle", "uuid", "ast", "_decimal", "locale"),
    *("mxgateway_worker.alarms.service", "mxgateway_protocol.alarms.provider", "mxgateway_protocol.alarms.records"),
)
START = """
import json, sys
from mxgateway_worker import quick_start
quick_start.prepare()
import mxgateway_worker.main
import mxgateway_worker.backends.com.windows
loaded = sorted(sys.modules)
from mxgateway_contract.generated import mxaccess_worker_pb2 as wpb
ready = wpb.WorkerReady()
ready.ready_timestamp.FromNanoseconds(1_700_000_000_123_456_789)
again = wpb.WorkerReady.FromString(ready.SerializeToString())
from google.protobuf.internal import python_message
import inspect
from decimal import Decimal
from google.protobuf.timestamp_pb2 import Timestamp
moment = Timestamp()
moment.FromJsonString("2023-11-14T22:13:20Z")
assert moment.seconds == 1_700_000_000
assert inspect.signature(put_off := quick_start.put_off).parameters and Decimal("0.1") + 1 == Decimal("1.1")
print(json.dumps({
    "loaded": loaded,
    "ns": again.ready_timestamp.ToNanoseconds(),
    "text": str(again),
    "real": python_message.GeneratedProtocolMessageType.__name__,
}))
"""


def test_a_worker_loads_no_more_than_it_needs_and_protobuf_misses_nothing() -> None:
    done = subprocess.run([sys.executable, "-P", "-c", START], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert not [name for name in LEFT_OUT if name in told["loaded"]]
    assert told["ns"] == 1_700_000_000_123_456_789
    assert "seconds: 1700000000" in told["text"]
    assert told["real"] == "GeneratedProtocolMessageType"


def test_a_module_that_is_put_off_is_loaded_by_the_first_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    put_off("colorsys")
    import colorsys

    assert "__file__" not in vars(sys.modules["colorsys"])
    assert colorsys.rgb_to_hsv(0, 0, 0) == (0.0, 0.0, 0)
    real = sys.modules["colorsys"]
    assert real.__file__
    # Whoever imported it before it was loaded goes on asking the stand-in.
    assert colorsys.hsv_to_rgb(0, 0, 0) == (0, 0, 0)
    assert sys.modules["colorsys"] is real
    with pytest.raises(AttributeError):
        _ = colorsys.no_such_thing  # type: ignore[attr-defined]
    monkeypatch.delitem(sys.modules, "colorsys")


LIFE = """
import gc
from mxgateway_worker import quick_start
quick_start.prepare()
loading = gc.isenabled()
from mxgateway_worker import main

class Worker:
    threads_ended = True
    def __init__(self, **settings): pass
    def run(self):
        import sys
        print("loading", loading, "at work", gc.isenabled(), "spared", gc.get_freeze_count() > 1000, file=sys.stderr)
        return 0

main.Worker = Worker
main.main(["--session-id", "session-" + "1" * 32, "--protocol-version", "1", "--backend", "simulator"])
"""


def test_garbage_is_not_looked_for_at_the_start_and_then_only_in_what_comes() -> None:
    """Without the second half a session of days would grow with every cycle of objects."""
    environment = {**os.environ, NONCE_VARIABLE: "n" * 32}
    done = subprocess.run(
        [sys.executable, "-P", "-c", LIFE],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
    )
    assert "loading False at work True spared True" in done.stderr, done.stderr
