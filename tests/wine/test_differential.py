"""Simulator and stand-in side by side: three thousand random calls, and no difference that has no explanation."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.wine.conftest import RunWindowsPython, winpath

CALLS = int(os.environ.get("MXGATEWAY_DIFFERENTIAL_CALLS", "3000"))
Difference = dict[str, Any]


def is_write(difference: Difference, *values: str) -> bool:
    """A write that both took, and that ended differently for one of these values."""
    same = difference["answers"] == [None, None]
    return difference["call"] in ("write", "write_secured") and same and difference["value"] in values


def is_failed_item(difference: Difference) -> bool:
    """The stand-in's further event is the item's failure, and all else is alike."""
    left, right = difference["events"]
    return (
        right[: len(left)] == left and [event[0] for event in right[len(left) :]] == ["change"] and not right[-1][5][0]
    )


NUMBERS = ("int 5", "int 0", "double 2.5", "float 0.5", "short 9", "byte 200", "double 1e300")

Explains = Callable[[Difference], bool]

# By what it is: the switch of the simulator, its value in the stand-in, and how the difference is known. What MXAccess
# does in each of these is written nowhere; `mxgw-py site-probe` asks for it.
EXPLAINED: dict[str, tuple[str, str, Explains]] = {
    "a Boolean becomes -1 by COM's own conversion, 1 in the simulator": (
        *("coercion", "automation"),
        lambda d: is_write(d, "true"),
    ),
    "a number becomes a Time by COM's own conversion; the simulator refuses it": (
        *("coercion", "automation"),
        lambda d: is_write(d, *NUMBERS) and d["reference"].endswith("TestDateTime"),
    ),
    "a Time becomes a number, a Boolean or a text of the locale by COM's own conversion": (
        *("coercion", "automation"),
        lambda d: is_write(d, "time"),
    ),
    "a text becomes a Time, or a number, by the locale in COM's own conversion": (
        *("coercion", "automation"),
        lambda d: is_write(d, "text 7", "text abc", "text true"),
    ),
    "large numbers as text: E in capitals by COM's own conversion": (
        *("coercion", "automation"),
        lambda d: is_write(d, "double 1e300"),
    ),
    "a second Suspend of a suspended item answers Pending again in the stand-in": (
        *("suspend_again", "pending"),
        lambda d: d["call"] == "suspend" and d["answers"] == [[-1, 0, 0, 0], [-1, 1, 0, 0]],
    ),
    "Suspend and Activate of an item whose reference failed tell the failure again in the stand-in": (
        *("suspend_failed_callback", "true"),
        lambda d: d["call"] in ("suspend", "activate") and d["answers"][0] == d["answers"][1] and is_failed_item(d),
    ),
}
"""Every kind of difference with its reason and its switch. What is none of these is a misreading by one of the two."""


def differences(windows_python: RunWindowsPython, galaxy: Path, calls: int, *switches: str) -> list[Difference]:
    run = windows_python("tests/wine/differential.py", winpath(galaxy), str(calls), *switches, seconds="540")
    assert run.returncode == 0, run.stdout
    told = json.loads(next(line for line in run.stdout.splitlines() if line.startswith('{"calls"')))
    assert told["calls"] >= calls
    return list(told["differences"])


@pytest.mark.timeout(600)
def test_what_differs_is_explained(windows_python: RunWindowsPython, galaxy: Path) -> None:
    found = differences(windows_python, galaxy, CALLS)
    assert [one for one in found if not any(explains(one) for _, _, explains in EXPLAINED.values())] == []
    # Each kind occurs, so none of them explains what is no more.
    assert [name for name, (_, _, explains) in EXPLAINED.items() if not any(map(explains, found))] == []


@pytest.mark.timeout(600)
def test_with_the_switches_set_nothing_differs(windows_python: RunWindowsPython, galaxy: Path) -> None:
    """So each switch covers its difference, and what a node does otherwise can be set."""
    switches = {f"{name}={value}" for name, value, _ in EXPLAINED.values()}
    assert differences(windows_python, galaxy, CALLS // 2, *sorted(switches)) == []
