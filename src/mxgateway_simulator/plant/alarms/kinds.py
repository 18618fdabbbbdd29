"""The kinds of alarms that an attribute can bear, and what raises and ends each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple


class Test(Enum):
    """What is looked at."""

    __test__ = False  # no class of tests

    DISCRETE = "discrete"
    ABOVE = "above"
    BELOW = "below"
    RISING = "rising"
    FALLING = "falling"
    DEVIATION = "deviation"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class AlarmKind:
    """One kind.

    Attributes:
        suffix: between the attribute and the alarm's own attributes, as `Hi` in `Level.Hi.InAlarm`; empty for none.
        extension: primitive definition that brings it.
        alarm_class: DSC, VALUE, DEV, ROC or SPC.
        type_name: the alarm type that is told, where the Category does not say it.
        category: Category, for kinds that cannot be given one.
        bound: name of the attribute that holds the limit; empty for none.
        switch: attribute that turns on the whole family, in addition to the kind's own `Alarmed`; empty for none.
    """

    suffix: str
    extension: str
    test: Test
    alarm_class: str
    type_name: str
    category: str
    bound: str = ""
    switch: str = ""


class _Family(NamedTuple):
    """What the alarms of one extension have in common that are turned on together."""

    alarm_class: str
    bound: str
    switch: str

    def kind(self, suffix: str, test: Test, type_name: str, category: str) -> AlarmKind:
        bound = f"{suffix}.{self.bound}"
        return AlarmKind(suffix, "AnalogExtension", test, self.alarm_class, type_name, category, bound, self.switch)


_LEVEL = _Family("VALUE", "Limit", "LevelAlarmed")
_RATE = _Family("ROC", "Limit", "ROCAlarmed")
_DEVIATION = _Family("DEV", "Tolerance", "DeviationAlarmed")

KINDS: Mapping[str, tuple[AlarmKind, ...]] = {
    "AlarmExtension": (AlarmKind("", "AlarmExtension", Test.DISCRETE, "DSC", "DSC", "Discrete"),),
    "AnalogExtension": (
        _LEVEL.kind("LoLo", Test.BELOW, "LOLO", "Value LoLo"),
        _LEVEL.kind("Lo", Test.BELOW, "LO", "Value Lo"),
        _LEVEL.kind("Hi", Test.ABOVE, "HI", "Value Hi"),
        _LEVEL.kind("HiHi", Test.ABOVE, "HIHI", "Value HiHi"),
        _RATE.kind("Roc.IncreasingHi", Test.RISING, "ROC", "ROC Hi"),
        _RATE.kind("Roc.DecreasingHi", Test.FALLING, "ROC", "ROC Lo"),
        _DEVIATION.kind("Dev.Minor", Test.DEVIATION, "MINDEV", "Deviation Minor"),
        _DEVIATION.kind("Dev.Major", Test.DEVIATION, "MAJDEV", "Deviation Major"),
    ),
    "BadValueAlarmExtension": (AlarmKind("Bad", "BadValueAlarmExtension", Test.BAD, "DSC", "DSC", "Process"),),
}
"""By primitive definition, the alarms that it can bring."""

CATEGORIES: Mapping[str, tuple[str, str]] = {
    "discrete": ("DSC", "DSC"),
    "valuelolo": ("VALUE", "LOLO"),
    "valuelo": ("VALUE", "LO"),
    "valuehi": ("VALUE", "HI"),
    "valuehihi": ("VALUE", "HIHI"),
    "deviationminor": ("DEV", "MINDEV"),
    "deviationmajor": ("DEV", "MAJDEV"),
    "roclo": ("ROC", "ROC"),
    "rochi": ("ROC", "ROC"),
    "spc": ("SPC", "SPC"),
}
"""Alarm class and type of a Category, by its name in lower case without blanks; what is not here is discrete."""


def kind_of(extension: str, leaf: str) -> tuple[AlarmKind, str] | None:
    """The kind that an attribute of an extension belongs to, and the attribute's name within it.

    Args:
        leaf: the attribute's name within the extension, as `Hi.InAlarm`.
    """
    for kind in KINDS.get(extension, ()):
        if not kind.suffix:
            return kind, leaf
        if leaf.casefold().startswith(f"{kind.suffix.casefold()}."):
            return kind, leaf[len(kind.suffix) + 1 :]
    return None


class Hysteresis(Enum):
    """How a limit's deadband is taken (the switch `limit_deadband`)."""

    ON_RETURN = "on_return"
    BOTH_SIDES = "both_sides"
    ON_RAISE = "on_raise"


class Bounds(NamedTuple):
    """A limit with its deadband, both at one moment."""

    limit: float
    deadband: float = 0.0
    hysteresis: Hysteresis = Hysteresis.ON_RETURN


def exceeds(excess: float, holds: bool, bounds: Bounds) -> bool:
    """Whether a condition holds, given by how far its limit is exceeded (below 0: not at all).

    Equal to the limit is no alarm.

    Args:
        holds: whether it holds so far.
    """
    begins, stays = borders(bounds)
    return excess > (stays if holds else begins)


def borders(bounds: Bounds) -> tuple[float, float]:
    """What the excess has to be above for the condition to begin, and to stay."""
    band = max(0.0, bounds.deadband)
    return (
        0.0 if bounds.hysteresis is Hysteresis.ON_RETURN else band,
        -band if bounds.hysteresis is not Hysteresis.ON_RAISE else 0.0,
    )
