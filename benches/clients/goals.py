"""What a client's speed has to be beside the floor of its language, and beside Python, in the same run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Results = Mapping[tuple[str, str, str], Mapping[str, Any]]
"""Reports by (language, program, scenario)."""

EVENT_CPU_MICROS = {"go": 2.0, "typescript": 5.0, "rust": 1.0, "java": 1.0}
EVENTS_BESIDE_PYTHON = {"typescript": 0.5}
START_MS = {"go": 20.0, "rust": 20.0, "typescript": 150.0, "java": 700.0}
CHEAP_CALLS = ("go", "rust", "java")
DEAD_READER_MIB = 32.0


@dataclass(frozen=True)
class Goal:
    """One figure and its bar. `is_met` is None where one of the runs is missing."""

    language: str
    name: str
    figure: float | None
    bar: float
    is_upper: bool = True

    @property
    def is_met(self) -> bool | None:
        if self.figure is None:
            return None
        return self.figure <= self.bar if self.is_upper else self.figure >= self.bar

    def report(self) -> dict[str, Any]:
        figure = None if self.figure is None else round(self.figure, 3)
        bar = f"{'≤' if self.is_upper else '≥'} {self.bar:g}"
        return {"language": self.language, "goal": self.name, "figure": figure, "bar": bar, "isMet": self.is_met}


def goals(results: Results, languages: list[str]) -> list[Goal]:
    """The goals of each language, in one order; what was not measured has no figure."""
    return [goal for language in languages for goal in _of(results, language)]


def _of(results: Results, language: str) -> list[Goal]:
    def value(who: str, program: str, scenario: str, name: str) -> float | None:
        found = results.get((who, program, scenario), {}).get(name)
        return None if found is None else float(found)

    def cpu(program: str, scenario: str, who: str = language) -> float | None:
        return value(who, program, scenario, "cpuMicrosPerOp")

    def rate(scenario: str, who: str = language) -> float | None:
        return value(who, "client", scenario, "median")

    def p50(program: str) -> float | None:
        return value(language, program, "read-bulk", "p50Ms")

    raw = cpu("client", "events")
    found = [
        Goal(language, "CPU of a call / floor", _ratio(cpu("client", "read-bulk"), cpu("floor", "read-bulk")), 1.25),
        Goal(language, "p50 of a call − floor, ms", _with(p50("client"), p50("floor"), lambda a, b: a - b), 0.03),
        Goal(language, "CPU of an event in batches / floor", _ratio(raw, cpu("floor", "events")), 1.1),
        Goal(language, "CPU of a DataChange / event in batches", _ratio(cpu("client", "subscription"), raw), 2.0),
    ]
    if language != "python":
        floor = EVENTS_BESIDE_PYTHON.get(language, 0.9)
        found += [
            Goal(language, "calls/s / Python", _ratio(rate("read-bulk"), rate("read-bulk", "python")), 1.0, False),
            Goal(
                language, "calls/s, 50 under way / Python", _ratio(rate("burst"), rate("burst", "python")), 0.8, False
            ),
            Goal(language, "events/s / Python", _ratio(rate("events"), rate("events", "python")), floor, False),
        ]
    if language in CHEAP_CALLS:
        python = cpu("client", "read-bulk", "python")
        found.append(Goal(language, "CPU of a call / Python", _ratio(cpu("client", "read-bulk"), python), 1.0))
    if language in EVENT_CPU_MICROS:
        found.append(Goal(language, "CPU of an event, µs", raw, EVENT_CPU_MICROS[language]))
    if language in START_MS:
        started = value(language, "client", "start", "median")
        found.append(Goal(language, "start of the CLI, ms", started, START_MS[language]))
    grown = value(language, "client", "dead-reader", "median")
    return [*found, Goal(language, "growth with a dead reader, MiB", grown, DEAD_READER_MIB)]


def _with(one: float | None, two: float | None, made: Callable[[float, float], float]) -> float | None:
    return None if one is None or two is None else made(one, two)


def _ratio(one: float | None, two: float | None) -> float | None:
    return _with(one, two or None, lambda a, b: a / b)
