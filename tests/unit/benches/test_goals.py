"""The goals of the clients: each figure against its bar, and none where a run is missing."""

from __future__ import annotations

from benches.clients.goals import goals


def _row(median: float, cpu: float | None = None, p50: float | None = None) -> dict[str, float | None]:
    return {"median": median, "cpuMicrosPerOp": cpu, "p50Ms": p50}


def test_each_goal_is_judged_by_the_same_run() -> None:
    results = {
        ("python", "client", "read-bulk"): _row(1000.0, 400.0, 0.60),
        ("go", "client", "read-bulk"): _row(1100.0, 250.0, 0.55),
        ("go", "floor", "read-bulk"): _row(1200.0, 180.0, 0.53),
        ("go", "client", "events"): _row(0.0, 1.6),
        ("go", "floor", "events"): _row(0.0, 1.5),
        ("go", "client", "subscription"): _row(0.0, 3.0),
        ("go", "client", "start"): _row(12.0),
    }
    found = {goal.name: (goal.figure and round(goal.figure, 2), goal.is_met) for goal in goals(results, ["go"])}
    assert found == {
        "CPU of a call / floor": (1.39, False),
        "p50 of a call − floor, ms": (0.02, True),
        "CPU of an event in batches / floor": (1.07, True),
        "CPU of a DataChange / event in batches": (1.88, True),
        "calls/s / Python": (1.1, True),
        "calls/s, 50 under way / Python": (None, None),
        "events/s / Python": (None, None),
        "CPU of a call / Python": (0.62, True),
        "CPU of an event, µs": (1.6, True),
        "start of the CLI, ms": (12.0, True),
        "growth with a dead reader, MiB": (None, None),
    }


def test_python_is_measured_by_its_own_floor_alone() -> None:
    assert {goal.is_met for goal in goals({}, ["python"])} == {None}
    assert not any("Python" in goal.name for goal in goals({}, ["python"]))
