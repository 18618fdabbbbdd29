"""The verdict on a flood: each bar has its edge, and what was not measured is no success."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from attack.bars import MIB, Bars, Calls, Observation, violations

GOOD = Observation(
    honest={"steady": Calls([0.01] * 100)},
    memory_before=100 * MIB,
    memory_highest=300 * MIB,
    memory_after=164 * MIB,
    longest_hold=0.05,
    writes_sent=3,
    writes_recorded=3,
)
BARS = Bars(loop_hold=0.05)


def test_what_is_just_within_every_bar_is_held() -> None:
    assert violations(GOOD, BARS) == []
    assert violations(replace(GOOD, honest={"steady": Calls([0.25] * 100)}), BARS) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"honest": {"steady": Calls([0.2501] * 100)}}, "p99 250 ms, allowed 250 ms"),
        (
            {"honest": {"fresh": Calls([0.01], ["UNAVAILABLE: x"])}},
            "1 honest fresh calls failed, the first: UNAVAILABLE",
        ),
        ({"honest": {"write": Calls([])}}, "no write call"),
        ({"memory_highest": 301 * MIB}, "grew by 201 MiB"),
        ({"memory_after": 165 * MIB}, "65 MiB are held 30 s later"),
        ({"longest_hold": 0.051}, "stood still for 51 ms"),
        ({"writes_recorded": 2}, "of 3 honest writes 2 are in the audit"),
        ({"is_alive": False}, "the gateway is gone"),
    ],
)
def test_what_is_just_beyond_a_bar_is_told(change: dict[str, Any], words: str) -> None:
    (told,) = violations(replace(GOOD, **change), BARS)
    assert words in told


def test_a_standstill_is_no_matter_of_floods_that_are_about_other_things() -> None:
    assert violations(replace(GOOD, longest_hold=9.0), Bars()) == []
    assert violations(replace(GOOD, longest_hold=None), BARS) == []
    assert violations(replace(GOOD, writes_recorded=None), BARS) == []


@pytest.mark.parametrize(
    ("count", "slow", "p99"),
    [(100, 1, 0.01), (100, 2, 1.0), (99, 1, 1.0), (200, 2, 0.01), (1, 1, 1.0)],
)
def test_the_99th_of_a_hundred_calls_counts(count: int, slow: int, p99: float) -> None:
    assert Calls([0.01] * (count - slow) + [1.0] * slow).p99 == p99


def test_figures_are_in_milliseconds_and_errors_stand_once() -> None:
    found = Calls([0.002, 0.001, 0.003], ["a", "a", "b"]).as_json()
    assert found == {
        "count": 3,
        "p50Ms": 2.0,
        "p99Ms": 3.0,
        "maxMs": 3.0,
        "errorCount": 3,
        "errors": ["a", "b"],
    }
    assert Calls([]).as_json()["p50Ms"] == 0.0


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        ({"unary-latest-ms": 1000, "events-latest-ms": 0, "writes": 9}, ""),
        ({"unary-latest-ms": 1001, "events-latest-ms": 0, "writes": 9}, "unary went on for 1001 ms"),
        ({"unary-latest-ms": 0, "events-latest-ms": 0}, "nothing was measured"),
        ({}, "nothing was measured"),
    ],
)
def test_a_key_that_has_ended_gets_nothing_done_after_its_time(outcome: dict[str, int], words: str) -> None:
    told = violations(replace(GOOD, flood=outcome), Bars(latest=1.0))
    assert bool(told) == bool(words)
    assert words in " ".join(told)


def test_what_was_felt_before_the_flood_is_told_beside() -> None:
    slow = replace(GOOD, honest={"steady": Calls([0.3])}, quiet={"steady": Calls([0.28])})
    (told,) = violations(slow, Bars())
    assert "280 ms before the flood" in told
