"""What the matrix asks of the benches of each CLI."""

from __future__ import annotations

import json
from typing import Any

import pytest
from benches.clients.measured import SCHEMA
from e2e.measuring import BENCHES, FAILED, Bench, judged

NOTHING = dict.fromkeys(SCHEMA["$defs"]["latency"]["required"], 0.0)
SOME = dict.fromkeys(SCHEMA["$defs"]["latency"]["required"], 0.5)
READ: dict[str, Any] = {
    "language": "go",
    "durationMs": 300.0,
    "totalCalls": 10,
    "successfulCalls": 10,
    "failedCalls": 0,
    "totalReadResults": 20,
    "cachedReadResults": 20,
    "callsPerSecond": 33.3,
    "latencyMs": SOME,
    "failureLatencyMs": NOTHING,
}
BROKEN = READ | {"failedCalls": FAILED, "successfulCalls": 10 - FAILED, "failureLatencyMs": SOME}
GOOD, BREAKING, UNREADABLE = BENCHES[0], BENCHES[1], BENCHES[2]
REFUSED = BENCHES[4]


@pytest.mark.parametrize(
    ("bench", "code", "document", "err"),
    [
        (GOOD, 0, READ, ""),
        (BREAKING, 0, BROKEN, ""),
        (UNREADABLE, 1, READ | {"cachedReadResults": 0}, "Error: 20 of 20 results were failures"),
        (REFUSED, 1, None, "Error: a tag was refused: A.B"),
    ],
)
def test_what_is_right_is_taken(bench: Bench, code: int, document: dict[str, Any] | None, err: str) -> None:
    assert judged(bench, "go", code, "" if document is None else json.dumps(document), err) == []


@pytest.mark.parametrize(
    ("bench", "code", "document", "words"),
    [
        (GOOD, 1, READ, "exit code 1"),
        (UNREADABLE, 0, READ, "exit code 0"),
        (UNREADABLE, 1, READ, "with 'results were failures'"),
        (GOOD, 0, READ | {"language": "rust"}, "says that it is rust"),
        (GOOD, 0, READ | {"more": 1}, "no keys of a bench"),
        (GOOD, 0, READ | {"cachedReadResults": 19}, "not cached"),
        (BREAKING, 0, READ, "failedCalls is 0, not 3"),
        (BREAKING, 0, BROKEN | {"failureLatencyMs": NOTHING}, "failureLatencyMs is"),
        (BREAKING, 0, BROKEN | {"successfulCalls": 10}, "totalCalls are not"),
        (GOOD, 0, READ | {"failureLatencyMs": SOME}, "failureLatencyMs is"),
    ],
)
def test_what_is_wrong_is_told(bench: Bench, code: int, document: dict[str, Any], words: str) -> None:
    found = judged(bench, "go", code, json.dumps(document), "")
    assert len(found) == 1
    assert words in found[0]


def test_what_is_no_document_is_told() -> None:
    assert "Expecting value" in judged(GOOD, "go", 0, "1,000 calls/s", "")[0] or judged(GOOD, "go", 0, "x", "")
    assert judged(REFUSED, "go", 1, "{}", "refused") == ["printed {}"]
