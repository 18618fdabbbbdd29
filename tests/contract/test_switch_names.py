"""The simulator's switches and the stand-in's are one list: so one description of a Galaxy sets both."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Literal, get_args, get_origin, get_type_hints

import pytest

from mxgateway_simulator.faults import FAULTS
from mxgateway_simulator.switches import Switches

SOURCE = Path(__file__).parents[1] / "standin" / "switches.h"
DIFFERENT = {"coercion": "automation", "suspend_again": "pending", "suspend_failed_callback": "true"}
"""Where the two read the facts differently: the stand-in's own choice. Each is explained in the differential run."""


def stand_ins() -> dict[str, tuple[tuple[str, ...], str]]:
    """By name: the values that the stand-in plays, and its own choice."""
    rows = re.findall(r'\{L"(\w+)", L"([^"]*)", L"([^"]*)"\}', SOURCE.read_text(encoding="utf-8"))
    return {name: (tuple(values.split("|")), initial) for name, values, initial in rows}


def test_both_know_the_same_switches() -> None:
    assert list(stand_ins()) == [field.name for field in fields(Switches)]


@pytest.mark.parametrize("name", [field.name for field in fields(Switches)])
def test_a_switch_has_the_same_values_and_the_same_beginning_in_both(name: str) -> None:
    """The stand-in may play fewer of them, never another one; what it begins with differs only where that is said."""
    values, initial = stand_ins()[name]
    hint = get_type_hints(Switches)[name]
    default = str(getattr(Switches(), name))
    if hint is bool:
        default = default.lower()
        assert set(values) <= {"true", "false"}
    elif get_origin(hint) is Literal:
        assert set(values) <= set(get_args(hint))
    else:
        assert values in (("number",), ("0",))
    assert initial == DIFFERENT.get(name, default)
    assert initial in values or values == ("number",)


def test_the_stand_in_plays_the_simulators_faults() -> None:
    """By the same names, so that one storm runs over both; what concerns the alarm manager is no matter of LMXProxy."""
    source = (SOURCE.parent / "model.h").read_text(encoding="utf-8")
    played = set(re.findall(r'name == L"(\w+)"', source[source.index("bool control(") :]))
    of_alarms = {
        "fail_poll",
        "crash_poll",
        "slow_poll",
        "cut_alarm_list",
        "break_alarm_xml",
        "refuse_ack",
        "restart_alarm_provider",
    }
    assert set(FAULTS) - of_alarms <= played
    assert of_alarms <= set(FAULTS)
