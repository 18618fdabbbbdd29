"""The driver of the clients' benches takes no figures that do not mean what they say."""

from __future__ import annotations

from typing import Any

import pytest
from benches.clients.__main__ import SCHEMA, Measured, check

LATENCY = dict.fromkeys(SCHEMA["$defs"]["latency"]["required"], 0.0)
READ: dict[str, Any] = {
    **dict.fromkeys(SCHEMA["oneOf"][0]["required"], 0),
    "language": "go",
    "latencyMs": LATENCY,
    "failureLatencyMs": LATENCY,
}


def test_a_document_of_the_schema_is_taken() -> None:
    check(READ)
    check({**dict.fromkeys(SCHEMA["oneOf"][1]["required"], 0), "latencyMs": LATENCY})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"more": 1}, "no keys of a bench"),
        ({"failedCalls": 1}, "failed"),
        ({"totalReadResults": 6, "cachedReadResults": 5}, "not cached"),
        ({"latencyMs": {"p50": 1}}, "latencyMs"),
    ],
)
def test_another_document_is_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        check(READ | change)


def test_runs_that_differ_much_are_no_figure() -> None:
    near = Measured("go", "client", "read-bulk", [100.0, 110.0, 105.0], [10.0, 12.0, 11.0]).report()
    far = Measured("go", "client", "read-bulk", [100.0, 200.0], [10.0, 12.0]).report()
    assert (near["median"], near["isTrustworthy"], near["cpuMicrosPerOp"]) == (105.0, True, 11.0)
    assert far["isTrustworthy"] is False
