"""Signals: values as pure functions of tag and time, so that all workers see one plant without talking.

A signal changes at certain instants only and knows them, so an un-advised tag costs nothing and an advised one is
looked at when it changes. Times are nanoseconds since 1970-01-01 UTC.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple, Protocol, TypeAlias

from mxgateway_contract import quality as q
from mxgateway_simulator.signal_specs import duration_ns, signal_parameters

Value: TypeAlias = Any
Step: TypeAlias = Callable[[int, int], Value]
"""(number of the step, time of the step) → value."""

NEVER = 1 << 63
_MASK = (1 << 64) - 1
_TOTAL_EPOCH_NS = 1_735_689_600 * 10**9
# How far back an unchanged value is followed to find the instant of its last change.
_BACK_STEPS = 120
# Changes are spread, so that not all tags change at once. Those of a second and longer fall on few instants: a session
# with many of them would wake for each else.
_PHASES, _SLOW_PHASES = 16, 2
_SLOW_NS = 10**9
# How many windows of a storm are looked through for one that a tag takes part in.
_WINDOWS = 64


class Sampled(NamedTuple):
    """A value, the instant it came up, and the first instant at which it may change (NEVER for none)."""

    value: Value
    changed_ns: int
    next_ns: int


class Source(Protocol):
    """Another attribute that a signal looks at."""

    def value_at(self, t_ns: int) -> Value: ...

    def steps(self, t_ns: int) -> Sequence[tuple[int, float]]:
        """Written values with their times, oldest first; the first is what stood before. Empty if none stands."""


def seed_of(name: str) -> int:
    """The seed of a tag: the same in every process, whatever the spelling of its case."""
    return int.from_bytes(blake2b(name.casefold().encode(), digest_size=8).digest(), "little")


def uniform(seed: int, k: int) -> float:
    """A number in [0, 1) that depends on seed and k only (splitmix64)."""
    x = (seed + k * 0x9E3779B97F4A7C15) & _MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _MASK
    return float((x ^ (x >> 31)) >> 11) * (1.0 / (1 << 53))


class Signal:
    """A signal on a grid: it may change at offset + k · interval and at no other time.

    Attributes:
        interval_ns: 0 for one that changes whenever it is looked at.
        offset_ns: tags of the same interval are spread over a few offsets, so that they do not all change at once.
    """

    __slots__ = ("_seen", "interval_ns", "offset_ns", "step")

    def __init__(self, interval_ns: int, offset_ns: int, step: Step) -> None:
        self.interval_ns = interval_ns
        self.offset_ns = offset_ns
        self.step = step
        self._seen: tuple[int, int, Value, int] | None = None

    def value_at(self, t_ns: int) -> Value:
        interval = self.interval_ns
        if not interval:
            return self.step(t_ns, t_ns)
        k = (t_ns - self.offset_ns) // interval
        return self.step(k, self.offset_ns + k * interval)

    def sample(self, t_ns: int, revision: int = 0) -> Sampled:
        """The value with the instant of its last change, which is looked for in the last two minutes of steps.

        Args:
            revision: differs when something other than time has changed what the signal looks at.
        """
        interval, offset, step = self.interval_ns, self.offset_ns, self.step
        if not interval:
            return Sampled(step(t_ns, t_ns), t_ns, t_ns)
        k = (t_ns - offset) // interval
        now = offset + k * interval
        seen = self._seen
        if seen is not None and seen[0] == revision and 0 <= k - seen[1] < _BACK_STEPS:
            # Going on from the last look gives what looking back would, and costs one step instead of many.
            _, before, value, at = seen
            for n in range(before + 1, k + 1):
                fresh = step(n, offset + n * interval)
                if fresh != value:
                    value, at = fresh, offset + n * interval
        else:
            value, at = step(k, now), now
            for back in range(1, _BACK_STEPS):
                if step(k - back, now - back * interval) != value:
                    break
                at -= interval
        if seen is None or seen[0] != revision or k >= seen[1]:
            self._seen = (revision, k, value, at)
        return Sampled(value, max(at, now - (_BACK_STEPS - 1) * interval), now + interval)


class CycleSignal:
    """A signal that goes round through values, each of which stays for its own time."""

    __slots__ = ("_offset", "_period", "_starts", "_values")

    def __init__(self, steps: Sequence[tuple[Value, int]], offset_ns: int) -> None:
        self._offset = offset_ns
        self._values = [value for value, _ in steps]
        self._starts = []
        total = 0
        for _, duration in steps:
            self._starts.append(total)
            total += duration
        self._starts.append(total)
        self._period = total

    @property
    def alternates(self) -> bool:
        """Whether it goes from a true value to a false one and back, and nothing else."""
        return len(self._values) == 2 and bool(self._values[0]) != bool(self._values[1])

    def value_at(self, t_ns: int) -> Value:
        return self.sample(t_ns).value

    def sample(self, t_ns: int, revision: int = 0) -> Sampled:
        position = (t_ns - self._offset) % self._period
        base = t_ns - position
        for i, value in enumerate(self._values):
            if position < self._starts[i + 1]:
                return Sampled(value, base + self._starts[i], base + self._starts[i + 1])
        raise AssertionError("the position lies within the period")


class StormSignal:
    """True once in some windows of time, at a place in each that differs from tag to tag and window to window."""

    __slots__ = ("_every", "_length", "_off", "_on", "_seed", "_share", "_within")

    def __init__(self, spec: Mapping[str, Any], seed: int, on: Value, off: Value) -> None:
        self._every = duration_ns(spec["every"])
        self._within = duration_ns(spec["within"])
        self._length = duration_ns(spec["for"])
        self._share = spec["members"]
        self._seed = seed ^ int(spec["seed"])
        self._on, self._off = on, off

    def value_at(self, t_ns: int) -> Value:
        return self.sample(t_ns).value

    def sample(self, t_ns: int, revision: int = 0) -> Sampled:
        number = t_ns // self._every
        window = self._window(number)
        if window is not None and window[0] <= t_ns < window[1]:
            return Sampled(self._on, *window)
        if window is not None and t_ns < window[0]:
            return Sampled(self._off, self._last_end(number - 1), window[0])
        changed = window[1] if window is not None else self._last_end(number - 1)
        return Sampled(self._off, changed, self._next_start(number + 1))

    def _window(self, number: int) -> tuple[int, int] | None:
        if uniform(self._seed, number) >= self._share:
            return None
        start = number * self._every + int(uniform(self._seed ^ 0x57, number) * self._within)
        return start, start + self._length

    def _last_end(self, number: int) -> int:
        for back in range(_WINDOWS):
            window = self._window(number - back)
            if window is not None:
                return window[1]
        # As if it had ended there: no window is further away than one that a signal knows.
        return (number - _WINDOWS) // _WINDOWS * _WINDOWS * self._every

    def _next_start(self, number: int) -> int:
        for ahead in range(_WINDOWS):
            window = self._window(number + ahead)
            if window is not None:
                return window[0]
        return (number + _WINDOWS) * self._every


AnySignal: TypeAlias = Signal | CycleSignal | StormSignal


_WINDOWS_KNOWN = 16


class QualityWindows:
    """Excursions of quality: one in each period, at a place that differs from period to period."""

    def __init__(self, spec: Mapping[str, Any], seed: int) -> None:
        self._quality = int(spec.get("quality", q.BAD))
        self._every = duration_ns(spec.get("every", "5min"))
        self._length = duration_ns(spec.get("for", "5s"))
        self._seed = seed
        self._known: dict[int, tuple[int, int]] = {}

    def sample(self, t_ns: int) -> Sampled:
        period = t_ns // self._every
        start, end = self._window(period)
        if t_ns < start:
            return Sampled(q.GOOD, self._window(period - 1)[1], start)
        if t_ns < end:
            return Sampled(self._quality, start, end)
        return Sampled(q.GOOD, end, self._window(period + 1)[0])

    def _window(self, period: int) -> tuple[int, int]:
        window = self._known.get(period)
        if window is None:
            if len(self._known) >= _WINDOWS_KNOWN:
                self._known.clear()
            room = self._every - self._length
            start = period * self._every + int(uniform(self._seed, period) * room)
            window = self._known[period] = (start, start + self._length)
        return window


def _ramp(p: Mapping[str, Any], seed: int, phase: float) -> Step:
    low, span, period = p["low"], p["high"] - p["low"], duration_ns(p["period"])
    shift, shape, noise = int(phase * period), p["shape"], p["noise"]

    def step(k: int, t: int) -> float:
        x = ((t + shift) % period) / period
        if shape == "triangle":
            x = 2 * x if x < 0.5 else 2 - 2 * x
        elif shape == "fall":
            x = 1 - x
        return float(low + span * x + (noise * (uniform(seed, k) - 0.5) if noise else 0.0))

    return step


def _sine(p: Mapping[str, Any], seed: int, phase: float) -> Step:
    middle, half, period = (p["low"] + p["high"]) / 2, (p["high"] - p["low"]) / 2, duration_ns(p["period"])
    shift, noise = int(phase * period), p["noise"]
    factor = 2 * math.pi / period

    def step(k: int, t: int) -> float:
        x = middle + half * math.sin(factor * ((t + shift) % period))
        return float(x + noise * (uniform(seed, k) - 0.5)) if noise else float(x)

    return step


def _noise(p: Mapping[str, Any], seed: int, phase: float) -> Step:
    low, span = p["low"], p["high"] - p["low"]
    return lambda k, t: low + span * uniform(seed, k)


def _walk(p: Mapping[str, Any], seed: int, phase: float) -> Step:
    low, span, period = p["low"], p["high"] - p["low"], duration_ns(p["period"])
    octaves = [(period, 0.6, seed), (period // 3 or 1, 0.27, seed ^ 0x5555), (period // 11 or 1, 0.13, seed ^ 0xAAAA)]

    def step(k: int, t: int) -> float:
        x = 0.0
        for length, weight, octave in octaves:
            n, rest = divmod(t, length)
            f = rest / length
            a = uniform(octave, n)
            x += weight * (a + (uniform(octave, n + 1) - a) * f * f * (3 - 2 * f))
        return float(low + span * x)

    return step


def _counter(p: Mapping[str, Any], seed: int, phase: float) -> Step:
    start, by, wrap = p["start"], p["step"], p["wrap"]
    return lambda k, t: start + (by * k) % wrap


def _total(p: Mapping[str, Any], seed: int, phase: float) -> Step:
    rate, wrap = float(p["rate"]), float(p["wrap"])
    first = uniform(seed, 1) * wrap
    turn = 2 * math.pi / 600
    # Rate swings by a tenth within ten minutes; the sum of it has a closed form.
    swing = 0.1 * rate / turn

    def step(k: int, t: int) -> float:
        s = (t - _TOTAL_EPOCH_NS) / 1e9
        return float((first + rate * s + swing * math.sin(turn * (s % 600) + phase * 6)) % wrap)

    return step


def _text(p: Mapping[str, Any], seed: int, phase: float) -> Step:
    texts = list(p["texts"])
    return lambda k, t: texts[k % len(texts)]


def _clock(p: Mapping[str, Any], seed: int, phase: float) -> Step:
    return lambda k, t: t


def _follow(p: Mapping[str, Any], seed: int, source: Source) -> Step:
    gain, bias, lag, noise = p["gain"], p["bias"], duration_ns(p["lag"]), p["noise"]

    def step(k: int, t: int) -> float:
        steps = source.steps(t) if lag else ()
        if steps:
            # A first-order lag is linear: the answer is the sum of the answers to each written step.
            x = previous = float(steps[0][1])
            for at, value in steps[1:]:
                if t > at:
                    x += (value - previous) * (1.0 - math.exp((at - t) / lag))
                    previous = value
        else:
            x = _number(source.value_at(t))
        return float(bias + gain * x + (noise * (uniform(seed, k) - 0.5) if noise else 0.0))

    return step


def _limit(p: Mapping[str, Any], source: Source) -> Step:
    above, below = p["above"], p["below"]
    if above is not None:
        return lambda k, t: _number(source.value_at(t)) > above
    return lambda k, t: _number(source.value_at(t)) < below


def _number(value: Value) -> float:
    """What a signal makes of another attribute's value: texts and arrays count as 0."""
    return float(value) if isinstance(value, (int, float)) else 0.0


def _gated(step: Step, gate: Source, otherwise: Value) -> Step:
    return lambda k, t: step(k, t) if gate.value_at(t) else otherwise


_SIMPLE: dict[str, Callable[[Mapping[str, Any], int, float], Step]] = {
    "ramp": _ramp,
    "sine": _sine,
    "noise": _noise,
    "walk": _walk,
    "counter": _counter,
    "total": _total,
    "text": _text,
    "clock": _clock,
}


def make_signal(
    spec: Mapping[str, Any],
    seed: int,
    convert: Callable[[Value], Value],
    source_of: Callable[[str], Source],
    elements: int = 0,
) -> AnySignal | None:
    """The signal of a checked specification, or None for a constant.

    Args:
        convert: makes the attribute's type of a number.
        source_of: finds the attribute that `source` or `when` names.
        elements: length of an array (each element runs on a seed of its own), 0 for a scalar.
    """
    p = signal_parameters(spec)
    kind = p["kind"]
    if kind == "constant":
        return None
    if kind == "flood":
        counts = iter(range(1, NEVER))
        return Signal(duration_ns(p["every"]), 0, lambda k, t: convert(next(counts) & 0x7FFFFFFF))
    if kind == "storm":
        on, off = convert(True), convert(False)
        return StormSignal(p, seed, (on,) * elements if elements else on, (off,) * elements if elements else off)
    if kind in ("toggle", "states"):
        return _cycle(kind, p, seed, convert, elements)
    interval = duration_ns(p["every"])
    phases = _PHASES if interval < _SLOW_NS else _SLOW_PHASES
    offset = (seed % phases) * (interval // phases)
    if elements:
        steps = [_one_step(kind, p, (seed + i * 7919) & _MASK, source_of) for i in range(elements)]
        return Signal(interval, offset, lambda k, t: tuple(convert(step(k, t)) for step in steps))
    step = _one_step(kind, p, seed, source_of)
    return Signal(interval, offset, lambda k, t: convert(step(k, t)))


def _one_step(kind: str, p: Mapping[str, Any], seed: int, source_of: Callable[[str], Source]) -> Step:
    phase = float(p["phase"]) if p.get("phase") is not None else uniform(seed, 0)
    if kind == "follow":
        step = _follow(p, seed, source_of(p["source"]))
    elif kind == "limit":
        step = _limit(p, source_of(p["source"]))
    else:
        step = _SIMPLE[kind](p, seed, phase)
    return _gated(step, source_of(p["when"]), p.get("otherwise", 0)) if p.get("when") else step


def _cycle(kind: str, p: Mapping[str, Any], seed: int, convert: Callable[[Value], Value], elements: int) -> CycleSignal:
    if kind == "toggle":
        steps = [(True, duration_ns(p["trueFor"])), (False, duration_ns(p["falseFor"]))]
    else:
        steps = [(value, duration_ns(duration)) for value, duration in p["steps"]]
    period = sum(duration for _, duration in steps)
    phase = float(p["phase"]) if p.get("phase") is not None else uniform(seed, 0)
    converted = [(convert(value), duration) for value, duration in steps]
    if elements:
        converted = [((value,) * elements, duration) for value, duration in converted]
    # Whole milliseconds keep the instants of change readable.
    return CycleSignal(converted, -(int(phase * period) // 10**6) * 10**6)
