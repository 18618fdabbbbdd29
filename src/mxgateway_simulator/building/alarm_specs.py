"""What a description says about alarms, brought into the names that the extensions have.

`analog: {Hi: 90, HiHi: {Limit: 95, Priority: 100}}` is short for `Hi.Limit: 90`, `HiHi.Limit: 95` and so on; an alarm
that is given anything is turned on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mxgateway_simulator.plant.alarms.kinds import KINDS

_SHORT = {
    "timedeadband": "Alarm.TimeDeadband",
}
_ANALOG_SHORT = {
    "valuedeadband": "LevelAlarm.ValueDeadband",
    "timedeadband": "LevelAlarm.TimeDeadband",
    "increasinghi": "Roc.IncreasingHi",
    "decreasinghi": "Roc.DecreasingHi",
    "evalperiod": "Roc.EvalPeriod",
    "rateunits": "Roc.Rate.Units",
    "minor": "Dev.Minor",
    "major": "Dev.Major",
    "target": "Dev.Target",
    "deadband": "Dev.Deadband",
    "settlingperiod": "Dev.SettlingPeriod",
}


def extension_values(key: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of an extension's attributes by their full names, as a description may shorten them.

    Args:
        key: of the extension in a description: `alarm`, `analog`, `badvalue`.
    """
    if key == "alarm":
        return {_SHORT.get(name.casefold(), name): value for name, value in values.items()}
    if key == "badvalue":
        return {f"Bad.{name}": value for name, value in values.items()}
    if key != "analog":
        return dict(values)
    return _analog(dict(_flat(values)))


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        full = f"{prefix}.{name}" if prefix else _ANALOG_SHORT.get(name.casefold(), name)
        if isinstance(value, Mapping):
            yield from _flat(value, full)
        else:
            yield full, value


def _analog(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values, with a limit's short form spelled out and what is used turned on unless it is said."""
    bounds = {kind.suffix.casefold(): kind.bound for kind in KINDS["AnalogExtension"]}
    given = {bounds.get(name.casefold(), name): value for name, value in values.items()}
    found: dict[str, Any] = {}
    for kind in KINDS["AnalogExtension"]:
        if any(name.casefold().startswith(f"{kind.suffix.casefold()}.") for name in given):
            found |= {f"{kind.suffix}.Alarmed": True, kind.switch: True}
    return found | given
