"""A short storm of faults over a real gateway: every promise that the oracle knows is kept."""

from __future__ import annotations

import json
import os

import pytest
from chaos.plan import SHORT_KINDS
from chaos.storm import StormOptions, storm
from chaos.wall_clock import WallClock

# One fault of every kind whose course is short.
OPTIONS = StormOptions(
    seed=11,
    faults=len(SHORT_KINDS),
    roles=("reader", "dropper", "writer", "idle"),
    kinds=SHORT_KINDS,
    pauses=(0.05, 0.5),
)


@pytest.mark.slow
@pytest.mark.storm
@pytest.mark.timeout(180)
async def test_a_short_storm_breaks_no_promise() -> None:
    """Kills, freezes, garbage, full disks, bad lines and restarts: no event lost silently, no call without an outcome,
    no session harmed by another's fault, nothing left behind."""
    report = await storm(OPTIONS)
    if not WallClock.is_available():
        assert not os.environ.get("CI"), "libfaketime is missing; install the package faketime"
        assert report["faultsSkipped"]["clock_gateway"] == 1
    assert report["violations"] == [], json.dumps(report, indent=1)
    assert sum(report["faults"].values()) + sum(report["faultsSkipped"].values()) == len(SHORT_KINDS)
    assert report["events"] > 0
    assert report["writesConfirmed"] > 0
    assert report["gatewayRestarts"] == 2
