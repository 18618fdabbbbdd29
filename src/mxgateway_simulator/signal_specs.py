"""Which signals there are, what they take, and the check of what a description says about them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_UNITS_NS = {"ms": 10**6, "s": 10**9, "min": 60 * 10**9, "h": 3600 * 10**9, "d": 86400 * 10**9}
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
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if not match:
        raise SignalSpecError(f"{value!r} is no duration; write for example 500ms, 10s, 2min or 1h")
    return round(float(match[1]) * _UNITS_NS[match[2]])


@dataclass(frozen=True, slots=True)
class SignalKind:
    """One kind of signal.

    Attributes:
        takes: its own keys with their defaults; a default of None means that the key must be given, or may be left
            out where the text says so.
        durations: those of its keys that are durations and must be longer than nothing.
        required: those that must be given.
    """

    meaning: str
    takes: Mapping[str, Any]
    durations: tuple[str, ...] = ()
    required: tuple[str, ...] = ()


_SHAPE = {"low": 0.0, "high": 100.0, "period": "60s", "every": "1s", "noise": 0.0}

SIGNAL_KINDS: dict[str, SignalKind] = {
    "constant": SignalKind("the configured value, until somebody writes", {}),
    "ramp": SignalKind(
        "rises from low to high (shape saw), falls (fall), or both in turn (triangle)",
        {**_SHAPE, "shape": "saw"},
        ("period", "every"),
    ),
    "sine": SignalKind("swings between low and high", _SHAPE, ("period", "every")),
    "noise": SignalKind(
        "a value anywhere between low and high", {"low": 0.0, "high": 100.0, "every": "1s"}, ("every",)
    ),
    "walk": SignalKind(
        "wanders between low and high, about as slowly as the period says",
        {"low": 0.0, "high": 100.0, "period": "60s", "every": "1s"},
        ("period", "every"),
    ),
    "counter": SignalKind(
        "counts by step and starts again at wrap",
        {"start": 0, "step": 1, "wrap": 100_000, "every": "1s"},
        ("every",),
    ),
    "total": SignalKind(
        "adds up rate per second (give or take a tenth) and starts again at wrap",
        {"rate": 1.0, "wrap": 1_000_000.0, "every": "1s"},
        ("every",),
    ),
    "toggle": SignalKind("true and false in turn", {"trueFor": "10s", "falseFor": "10s"}, ("trueFor", "falseFor")),
    "states": SignalKind(
        "goes round through steps, each a value and how long it stays", {"steps": None}, (), ("steps",)
    ),
    "text": SignalKind("the texts in turn", {"texts": None, "every": "5s"}, ("every",), ("texts",)),
    "clock": SignalKind("the time of its own last change", {"every": "1s"}, ("every",)),
    "follow": SignalKind(
        "gain times another attribute plus bias, reached with a lag",
        {"source": None, "gain": 1.0, "bias": 0.0, "lag": "0s", "noise": 0.0, "every": "1s"},
        ("every",),
        ("source",),
    ),
    "limit": SignalKind(
        "whether another attribute is above, or below, a limit",
        {"source": None, "above": None, "below": None, "every": "1s"},
        ("every",),
        ("source",),
    ),
    "flood": SignalKind("counts as fast as the client can take it; for load tests", {"every": "0s"}),
}
"""All kinds by name. Every kind but `constant` and `flood` also takes `when` (another attribute) and `otherwise`
(the value while that one is false), and `phase` (0 to 1; without it each tag has a phase of its own)."""

_COMMON = ("kind", "when", "otherwise", "phase")


def signal_parameters(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a checked specification, defaults filled in."""
    return {**SIGNAL_KINDS[spec["kind"]].takes, **spec}


def check_signal(spec: Mapping[str, Any]) -> None:
    """Checks one `signal:` of a description.

    Raises:
        SignalSpecError: with the key and the remedy.
    """
    kind = spec.get("kind")
    if kind not in SIGNAL_KINDS:
        raise SignalSpecError(f"kind {kind!r} is none of {', '.join(SIGNAL_KINDS)}")
    definition = SIGNAL_KINDS[str(kind)]
    known = (*_COMMON, *definition.takes)
    for key in spec:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"it takes {', '.join(known)}"
            raise SignalSpecError(f"a signal of kind {kind} does not take {key!r}; {hint}")
    for key in definition.required:
        if not spec.get(key):
            raise SignalSpecError(f"a signal of kind {kind} needs {key!r}")
    for key, value in signal_parameters(spec).items():
        _check_parameter(str(kind), key, value, definition)
    merged = signal_parameters(spec)
    if "low" in merged and merged["low"] > merged["high"]:
        raise SignalSpecError(f"low {merged['low']} is above high {merged['high']}; swap them")
    if kind == "limit" and (merged["above"] is None) == (merged["below"] is None):
        raise SignalSpecError("give either above or below")


def _check_parameter(kind: str, key: str, value: Any, definition: SignalKind) -> None:
    if key in definition.durations and duration_ns(value) < 10**6:
        raise SignalSpecError(f"{key} of {value!r} is too short; the shortest is 1ms")
    if key in ("lag", "every"):
        duration_ns(value)
    numeric = ("low", "high", "noise", "start", "step", "wrap", "rate", "gain", "bias", "phase")
    if key in numeric and (isinstance(value, bool) or not isinstance(value, (int, float))):
        raise SignalSpecError(f"{key} is to be a number, not {value!r}")
    if key in ("wrap",) and value <= 0:
        raise SignalSpecError("wrap is to be above 0")
    if key == "shape" and value not in ("saw", "fall", "triangle"):
        raise SignalSpecError(f"shape {value!r} is none of saw, fall, triangle")
    if key == "texts" and not (isinstance(value, list) and value):
        raise SignalSpecError("texts is to be a list of texts")
    if key == "steps":
        if not isinstance(value, list) or not all(isinstance(step, list) and len(step) == 2 for step in value):
            raise SignalSpecError("steps is to be a list of [value, duration]")
        for _, duration in value:
            if duration_ns(duration) < 10**6:
                raise SignalSpecError(f"a step of {duration!r} is too short; the shortest is 1ms")
    if key in ("source", "when") and value is not None and not isinstance(value, str):
        raise SignalSpecError(f"{key} is to be the name of an attribute, not {value!r}")


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
        raise SignalSpecError("for is to be shorter than every")
