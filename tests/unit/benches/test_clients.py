"""The driver of the clients' benches takes no figures that do not mean what they say."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
from benches.clients.measured import SCHEMA, Measured, Table, check, of_each, operations, spread
from benches.clients.programs import document_of, lengths, peak_of, ran
from e2e.languages import LANGUAGES

LATENCY = dict.fromkeys(SCHEMA["$defs"]["latency"]["required"], 0.0)
READ: dict[str, Any] = {
    **dict.fromkeys(SCHEMA["oneOf"][0]["required"], 6),
    "language": "go",
    "failedCalls": 0,
    "latencyMs": LATENCY,
    "failureLatencyMs": LATENCY,
}
STREAM: dict[str, Any] = {**dict.fromkeys(SCHEMA["oneOf"][1]["required"], 1), "language": "go", "latencyMs": LATENCY}


def test_every_language_is_measured_beside_its_floor() -> None:
    assert {name for name, each in LANGUAGES.items() if each.floor and each.subject} == set(LANGUAGES)


def test_a_document_of_the_schema_is_taken() -> None:
    check(READ, "go")
    check(STREAM, "go")
    assert (operations(READ), operations(STREAM), operations({"events": 3})) == (6, 1, 3)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"more": 1}, "no keys of a bench"),
        ({"failedCalls": 1}, "failed"),
        ({"totalReadResults": 6, "cachedReadResults": 5}, "not cached"),
        ({"latencyMs": {"p50": 1}}, "latencyMs"),
        ({"failureLatencyMs": {"p50": 1}}, "failureLatencyMs"),
        ({"language": "rust"}, "says that it is rust"),
        ({"successfulCalls": 0}, "nothing was measured"),
    ],
)
def test_another_document_is_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        check(READ | change, "go")


def test_a_bench_without_an_event_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing was measured"):
        check(STREAM | {"totalEvents": 0}, "go")


def test_runs_that_differ_much_are_no_figure() -> None:
    near = Measured("go", "client", "read-bulk", [100.0, 110.0, 105.0], [10.0, 12.0, 11.0]).report()
    far = Measured("go", "client", "read-bulk", [100.0, 200.0], [10.0, 12.0]).report()
    assert (near["median"], near["isTrustworthy"], near["cpuMicrosPerOp"]) == (105.0, True, 11.0)
    assert far["isTrustworthy"] is False
    assert (spread([]), spread([0.0]), spread([75.0, 100.0, 125.0])) == (0.0, 0.0, 0.5)


def test_turns_make_rounds_and_only_these_are_held_against_each_other() -> None:
    table = Table()
    for rate in (100.0, 10.0, 100.0, 110.0, 500.0, 110.0):
        table.add("go", "client", "events", rate, cpu=rate / 10, turns=3)
    (row,) = table.report()
    assert (row["median"], row["isTrustworthy"]) == (105.0, True)
    assert row["spread"] == row["cpuSpread"] == 0.095
    assert row["runs"] == [100.0, 10.0, 100.0, 110.0, 500.0, 110.0]


def test_rows_stand_in_one_order_and_keep_every_round() -> None:
    table = Table()
    table.add("rust", "floor", "events", 3.0)
    table.add("go", "client", "read-bulk", 1.0, cpu=5.0, p50=0.5, peak=100)
    table.add("go", "client", "read-bulk", 2.0, cpu=7.0, p50=0.7, peak=50)
    first, second = table.report()
    assert (first["language"], first["runs"], first["cpuMicrosPerOp"], first["p50Ms"]) == ("go", [1.0, 2.0], 6.0, 0.6)
    assert first["maxRssBytes"] == 100
    assert (second["language"], second["cpuMicrosPerOp"], second["p50Ms"], second["maxRssBytes"]) == (
        "rust",
        None,
        None,
        None,
    )


def test_what_starting_costs_is_not_the_calls() -> None:
    assert of_each((0.25, 100), (0.45, 1100)) == pytest.approx(200.0)
    assert of_each((0.25, 100), (0.2, 1100)) == 0.0
    with pytest.raises(ValueError, match="had 100 operations"):
        of_each((0.25, 100), (0.45, 100))


def test_a_run_that_is_subtracted_is_long_enough_for_an_event() -> None:
    """The tags of the simulator change once a second."""
    assert lengths("stream-events", 6.0) == (2.0, 8.0)
    assert lengths("unary", 6.0) == (0.3, 6.3)


@pytest.mark.parametrize(
    ("text", "document"),
    [
        ('{"a": 1}\n', {"a": 1}),
        ('warming up {0 of 1}\n{\n  "a": {"b": 2}\n}\n', {"a": {"b": 2}}),
        ('{"a": 1}\nagain\n{"a": 2}\ndone\n', {"a": 2}),
    ],
)
def test_the_last_document_of_a_program_counts(text: str, document: dict[str, Any]) -> None:
    assert document_of(text) == document


def test_a_program_without_a_document_is_refused() -> None:
    with pytest.raises(ValueError, match="no JSON object in 'nothing"):
        document_of("nothing {")


def test_a_program_is_run_with_its_environment_and_its_costs_are_known() -> None:
    found = ran([sys.executable, "-c", "import os, json; print(json.dumps({'a': os.environ['OF']}))"], {"OF": "test"})
    assert found.document == {"a": "test"}
    assert found.cpu > 0
    assert found.seconds > 0


def test_the_memory_of_a_program_is_its_own() -> None:
    """The kernel counts what the parent held when it was forked."""
    held = b"x" * 200_000_000
    found = ran([sys.executable, "-c", "print('{}')"], {})
    assert len(held) == 200_000_000
    assert found.peak_bytes is None or found.peak_bytes < 100_000_000


def test_the_peak_of_a_process_is_known_as_long_as_it_runs() -> None:
    assert (peak_of(os.getpid()) or 0) > 10_000_000
    ended = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
    assert peak_of(ended.pid) is None
    ended.wait()
    assert peak_of(ended.pid) is None


def test_a_program_that_fails_says_why() -> None:
    with pytest.raises(RuntimeError, match="ended with 3: why"):
        ran([sys.executable, "-c", "import sys; print('{}'); print('why', file=sys.stderr); sys.exit(3)"], {})


def test_a_program_that_hangs_is_ended() -> None:
    with pytest.raises(RuntimeError, match=r"did not end within 0\.1 s"):
        ran([sys.executable, "-c", "import signal; signal.pause()"], {}, limit=0.1)
