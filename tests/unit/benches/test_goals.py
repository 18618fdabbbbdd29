"""The goals of the clients: each figure against its bar, and none where a run is missing."""

from __future__ import annotations

import pytest
from benches.clients.goals import goals
from benches.clients.measured import Measured


def _row(
    who: str,
    program: str,
    scenario: str,
    runs: list[float],
    cpu: list[float] | None = None,
    p50: list[float] | None = None,
) -> Measured:
    return Measured(who, program, scenario, runs, cpu or [], p50 or [])


def _rows(*rows: Measured) -> dict[tuple[str, str, str], Measured]:
    return {(each.language, each.program, each.scenario): each for each in rows}


def test_each_goal_is_judged_by_the_same_run() -> None:
    rows = _rows(
        _row("python", "client", "unary", [1000.0], [400.0], [0.60]),
        _row("go", "client", "unary", [1100.0], [250.0], [0.55]),
        _row("go", "floor", "unary", [1200.0], [180.0], [0.53]),
        _row("go", "client", "events", [1.0], [1.6]),
        _row("go", "floor", "events", [1.0], [1.5]),
        _row("go", "client", "subscription", [1.0], [3.0]),
        _row("go", "client", "start", [12.0]),
    )
    found = {goal.name: (goal.figure and round(goal.figure, 2), goal.is_met) for goal in goals(rows, ["go"])}
    assert found == {
        "CPU of a unary call / floor": (1.39, False),
        "p50 of a unary call − floor, ms": (0.02, True),
        "CPU of an event in batches / floor": (1.07, True),
        "CPU of a DataChange / event in batches": (1.88, True),
        "unary calls/s / Python": (1.1, True),
        "calls/s, 50 under way / Python": (None, None),
        "events/s / Python": (None, None),
        "CPU of a unary call / Python": (0.62, True),
        "CPU of an event, µs": (1.6, True),
        "start of the CLI, ms": (12.0, True),
        "growth with a dead reader, MiB": (None, None),
    }


def test_a_ratio_is_taken_within_each_round() -> None:
    """A slow round slows both sides: medians of each side would say 2.0 here."""
    rows = _rows(
        _row("go", "client", "unary", [1.0] * 3, [110.0, 400.0, 220.0]),
        _row("go", "floor", "unary", [1.0] * 3, [100.0, 400.0, 100.0]),
    )
    goal = goals(rows, ["go"])[0]
    assert goal.figures == pytest.approx([1.1, 1.0, 2.2])
    report = goal.report()
    assert (report["figure"], report["rounds"], report["bar"], report["isMet"]) == (
        1.1,
        [1.1, 1.0, 2.2],
        "≤ 1.25",
        True,
    )


def test_nothing_is_held_against_a_floor_of_nothing() -> None:
    rows = _rows(
        _row("go", "client", "events", [1.0], [1.0]),
        _row("go", "floor", "events", [1.0], [0.0]),
    )
    assert goals(rows, ["go"])[2].is_met is None


def test_python_is_measured_by_its_own_floor_alone() -> None:
    assert {goal.is_met for goal in goals({}, ["python"])} == {None}
    assert not any("Python" in goal.name for goal in goals({}, ["python"]))
