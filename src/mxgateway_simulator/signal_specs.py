"""Which signals there are, what they take, and the check of what a description says about them."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

_UNITS_NS = {"ms": 10**6, "s": 10**9, "min": 60 * 10**9, "h": 3600 * 10**9, "d": 86400 * 10**9}
_MILLISECOND = 10**6
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|min|h|d)")


class SignalSpecError(ValueError):
    """A signal or quality specification that makes no sense; the text names the key and the remedy."""


def duration_ns(value: Any) -> int:
    """A duration as descriptions write it, in nanoseconds: `500ms`, `10s`, `2min`, `1h`, `1d`, or a number of seconds.

    Raises:
        SignalSpecError: it is none.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0:
        return round(value * 10**9)
    found = _text_ns(value) if isinstance(value, str) else None
    if found is None:
        raise SignalSpecError(f"{value!r} is no duration; write for example 500ms, 10s, 2min or 1h")
    return found


@lru_cache(maxsize=1024)
def _text_ns(text: str) -> int | None:
    match = _DURATION.fullmatch(text.strip())
    return None if match is None else round(float(match[1]) * _UNITS_NS[match[2]])


class Parameter(Protocol):
    """One key that a signal takes."""

    @property
    def default(self) -> Any: ...

    def check(self, key: str, value: Any) -> None:
        """Raises SignalSpecError for a value that the key does not take."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number; `above` is a bound that it must exceed. A default of None: may be left out, for no number."""

    default: float | None
    above: float | None = None

    def check(self, key: str, value: Any) -> None:
        if value is None and self.default is None:
            return
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise SignalSpecError(f"{key} must be a number, not {value!r}")
        if self.above is not None and value <= self.above:
            raise SignalSpecError(f"{key} must be above {self.above:g}")


@dataclass(frozen=True, slots=True)
class Duration:
    """A duration, of at least `shortest` nanoseconds. A default of None: may be left out, for none."""

    default: str | None
    shortest: int = _MILLISECOND

    def check(self, key: str, value: Any) -> None:
        if value is None and self.default is None:
            return
        if duration_ns(value) < self.shortest:
            raise SignalSpecError(f"{key} of {value!r} is too short; the shortest is 1ms")


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of a few words."""

    default: str
    choices: tuple[str, ...]

    def check(self, key: str, value: Any) -> None:
        if value not in self.choices:
            raise SignalSpecError(f"{key} {value!r} is none of {', '.join(self.choices)}")


@dataclass(frozen=True, slots=True)
class AttributeName:
    """The name of another attribute, or None where it may be left out."""

    default: None = None

    def check(self, key: str, value: Any) -> None:
        if value is not None and not isinstance(value, str):
            raise SignalSpecError(f"{key} must be the name of an attribute, not {value!r}")


@dataclass(frozen=True, slots=True)
class Texts:
    """A list of texts."""

    default: None = None

    def check(self, key: str, value: Any) -> None:
        if not (isinstance(value, list) and value and all(isinstance(text, str) for text in value)):
            raise SignalSpecError(f"{key} must be a list of texts; put words such as ON, and numbers, in quotes")


@dataclass(frozen=True, slots=True)
class Steps:
    """A list of values, each with how long it stays."""

    default: None = None

    def check(self, key: str, value: Any) -> None:
        if not isinstance(value, list) or not all(isinstance(step, list) and len(step) == 2 for step in value):
            raise SignalSpecError(f"{key} must be a list of [value, duration]")
        for _, duration in value:
            if duration_ns(duration) < _MILLISECOND:
                raise SignalSpecError(f"a step of {duration!r} is too short; the shortest is 1ms")


@dataclass(frozen=True, slots=True)
class Anything:
    """A value that is judged by the attribute it becomes."""

    default: Any = None

    def check(self, key: str, value: Any) -> None:
        """Takes every value."""


@dataclass(frozen=True, slots=True)
class SignalKind:
    """One kind of signal.

    Attributes:
        takes: its own keys.
        required: those that must be given.
    """

    meaning: str
    takes: Mapping[str, Parameter]
    required: tuple[str, ...] = ()


_BOUNDS: Mapping[str, Parameter] = {"low": Number(0.0), "high": Number(100.0)}
_EVERY: Mapping[str, Parameter] = {"every": Duration("1s")}
_SHAPE: Mapping[str, Parameter] = {**_BOUNDS, "period": Duration("60s"), **_EVERY, "noise": Number(0.0)}

SIGNAL_KINDS: dict[str, SignalKind] = {
    "constant": SignalKind("the configured value, until somebody writes", {}),
    "ramp": SignalKind(
        "rises from low to high (shape saw), falls (fall), or both in turn (triangle)",
        {**_SHAPE, "shape": OneOf("saw", ("saw", "fall", "triangle"))},
    ),
    "sine": SignalKind("swings between low and high", _SHAPE),
    "noise": SignalKind("a value anywhere between low and high", {**_BOUNDS, **_EVERY}),
    "walk": SignalKind(
        "wanders between low and high, about as slowly as the period says",
        {**_BOUNDS, "period": Duration("60s"), **_EVERY},
    ),
    "counter": SignalKind(
        "counts by step and starts again at wrap",
        {"start": Number(0), "step": Number(1), "wrap": Number(100_000, above=0), **_EVERY},
    ),
    "total": SignalKind(
        "adds up rate per second (give or take a tenth) and starts again at wrap",
        {"rate": Number(1.0), "wrap": Number(1_000_000.0, above=0), **_EVERY},
    ),
    "toggle": SignalKind("true and false in turn", {"trueFor": Duration("10s"), "falseFor": Duration("10s")}),
    "states": SignalKind(
        "goes round through steps, each a value and how long it stays", {"steps": Steps()}, required=("steps",)
    ),
    "storm": SignalKind(
        "true for a while in some windows of time: `members` is the share of the tags that take part in each, spread"
        " over `within`; tags of one seed have their storms together",
        {
            "members": Number(0.1, above=0),
            "within": Duration("60s"),
            "every": Duration("10min"),
            "for": Duration("30s"),
            "seed": Number(0),
        },
    ),
    "text": SignalKind("the texts in turn", {"texts": Texts(), "every": Duration("5s")}, required=("texts",)),
    "clock": SignalKind("the time of its own last change", _EVERY),
    "follow": SignalKind(
        "gain times another attribute plus bias, reached with a lag",
        {
            "source": AttributeName(),
            "gain": Number(1.0),
            "bias": Number(0.0),
            "lag": Duration("0s", shortest=0),
            "noise": Number(0.0),
            **_EVERY,
        },
        required=("source",),
    ),
    "limit": SignalKind(
        "whether another attribute is above, or below, a limit",
        {"source": AttributeName(), "above": Number(None), "below": Number(None), **_EVERY},
        required=("source",),
    ),
    "flood": SignalKind(
        "counts as fast as the client can take it; for load tests", {"every": Duration("0s", shortest=0)}
    ),
}
"""All kinds by name. Every kind but `constant`, `flood`, `toggle`, `states` and `storm` also takes `when` (another
attribute) and `otherwise` (the value while that one is false), and `phase` (0 to 1; without it each tag has its own).
Every kind takes `resume`: how long a written value stays before the signal goes on; without it, for good."""

_COMMON: Mapping[str, Parameter] = {
    "kind": Anything(), "when": AttributeName(), "otherwise": Anything(), "phase": Number(None),
    "resume": Duration(None),
}  # fmt: skip


def signal_parameters(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a checked specification, defaults filled in."""
    return {**{key: parameter.default for key, parameter in SIGNAL_KINDS[spec["kind"]].takes.items()}, **spec}


def check_signal(spec: Mapping[str, Any]) -> None:
    """Checks one `signal:` of a description.

    Raises:
        SignalSpecError: with the key and the remedy.
    """
    kind = spec.get("kind")
    if kind not in SIGNAL_KINDS:
        raise SignalSpecError(f"kind {kind!r} is none of {', '.join(SIGNAL_KINDS)}")
    definition = SIGNAL_KINDS[str(kind)]
    known = {**_COMMON, **definition.takes}
    for key in spec:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"it takes {', '.join(known)}"
            raise SignalSpecError(f"a signal of kind {kind} does not take {key!r}; {hint}")
    for key in definition.required:
        if not spec.get(key):
            raise SignalSpecError(f"a signal of kind {kind} needs {key!r}")
    merged = signal_parameters(spec)
    for key, value in merged.items():
        known[key].check(key, value)
    if "low" in merged and merged["low"] > merged["high"]:
        raise SignalSpecError(f"low {merged['low']} is above high {merged['high']}; swap them")
    if kind == "storm" and not 0 < merged["members"] <= 1:
        raise SignalSpecError(f"members is a share above 0, of 1 at most, not {merged['members']}")
    if kind == "storm" and duration_ns(merged["within"]) + duration_ns(merged["for"]) > duration_ns(merged["every"]):
        raise SignalSpecError("within and for together must not be longer than every")
    if kind == "limit" and (merged["above"] is None) == (merged["below"] is None):
        raise SignalSpecError("give either above or below")


def check_quality(spec: Mapping[str, Any]) -> None:
    """Checks one `quality:` of a description: excursions of `quality` lasting `for`, one in each `every`.

    Raises:
        SignalSpecError: with the key and the remedy.
    """
    for key in spec:
        if key not in ("quality", "every", "for"):
            raise SignalSpecError(f"quality does not take {key!r}; it takes quality, every, for")
    code = spec.get("quality", 0)
    if isinstance(code, bool) or not isinstance(code, int) or not 0 <= code <= 255:
        raise SignalSpecError(f"quality {code!r} is no OPC quality; give 0 to 255, for example 0 bad, 64 uncertain")
    if duration_ns(spec.get("for", "5s")) >= duration_ns(spec.get("every", "5min")):
        raise SignalSpecError("for must be shorter than every")
