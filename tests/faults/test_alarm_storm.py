"""A short storm over the alarms of a real gateway: nothing lost, doubled, out of order or invented without a marker."""

from __future__ import annotations

import json

import pytest
from chaos.alarm_storm import AlarmStormOptions, alarm_storm

# The whole course of each takes a second or two; a gateway that is replaced is the other storm's.
KINDS = ("kill_worker", "break_alarm_xml", "cut_alarm_list", "restart_alarm_provider", "cut")


@pytest.mark.slow
@pytest.mark.storm
@pytest.mark.timeout(180)
async def test_a_short_storm_over_alarms_breaks_no_promise() -> None:
    options = AlarmStormOptions(seed=3, faults=len(KINDS), kinds=KINDS, pauses=(0.05, 0.3), rest=1.0)
    report = await alarm_storm(options)
    assert report["violations"] == [], json.dumps(report["violations"], indent=1)
    # A worker that is not back yet cannot be hit.
    assert sum(report["faults"].values()) + sum(report["faultsSkipped"].values()) == len(KINDS)
    assert report["changesTold"] > 0
