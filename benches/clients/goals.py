"""What a client's speed has to be beside the floor of its language, and beside Python, in the same run."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benches.clients.measured import Key, Measured

Rows = Mapping[Key, Measured]

EVENT_CPU_MICROS = {"go": 2.0, "typescript": 5.0, "rust": 1.0, "java": 1.0}
EVENTS_BESIDE_PYTHON = {"typescript": 0.5}
START_MS = {"go": 20.0, "rust": 20.0, "typescript": 150.0, "java": 700.0}
CHEAP_CALLS = ("go", "rust", "java")
DEAD_READER_MIB = 32.0


@dataclass(frozen=True)
class Goal:
    """One figure and its bar.

    Attributes:
        figures: the figure of each round; what is held against the bar is their median, because what slows one round
            slows both sides of a ratio in it. Empty where one of the two was not measured.
    """

    language: str
    name: str
    figures: Sequence[float]
    bar: float
    is_upper: bool = True

    @property
    def figure(self) -> float | None:
        return statistics.median(self.figures) if self.figures else None

    @property
    def is_met(self) -> bool | None:
        """None where it was not measured."""
        if self.figure is None:
            return None
        return self.figure <= self.bar if self.is_upper else self.figure >= self.bar

    def report(self) -> dict[str, Any]:
        return {
            "language": self.language,
            "goal": self.name,
            "figure": None if self.figure is None else round(self.figure, 3),
            "rounds": [round(each, 3) for each in self.figures],
            "bar": f"{'≤' if self.is_upper else '≥'} {self.bar:g}",
            "isMet": self.is_met,
        }


def goals(rows: Rows, languages: Sequence[str]) -> list[Goal]:
    """The goals of each language, in one order; what was not measured has no figure."""
    return [goal for language in languages for goal in _of(rows, language)]


def _of(rows: Rows, language: str) -> list[Goal]:
    def row(program: str, scenario: str, who: str = language) -> Measured:
        return rows.get((who, program, scenario)) or Measured(who, program, scenario)

    def beside_floor(scenario: str) -> list[float]:
        return _ratios(row("client", scenario).cpu_micros, row("floor", scenario).cpu_micros)

    def beside_python(scenario: str) -> list[float]:
        return _ratios(row("client", scenario).runs, row("client", scenario, "python").runs)

    raw = row("client", "events").cpu_micros
    read, read_floor = row("client", "unary"), row("floor", "unary")
    later = _pairs(read.p50_ms, read_floor.p50_ms, lambda client, floor: client - floor)
    found = [
        Goal(language, "CPU of a unary call / floor", beside_floor("unary"), 1.25),
        Goal(language, "p50 of a unary call − floor, ms", later, 0.03),
        Goal(language, "CPU of an event in batches / floor", beside_floor("events"), 1.1),
        Goal(
            language,
            "CPU of a DataChange / event in batches",
            _ratios(row("client", "subscription").cpu_micros, raw),
            2.0,
        ),
    ]
    if language != "python":
        events = EVENTS_BESIDE_PYTHON.get(language, 0.9)
        found += [
            Goal(language, "unary calls/s / Python", beside_python("unary"), 1.0, is_upper=False),
            Goal(language, "calls/s, 50 under way / Python", beside_python("burst"), 0.8, is_upper=False),
            Goal(language, "events/s / Python", beside_python("events"), events, is_upper=False),
        ]
    if language in CHEAP_CALLS:
        python = row("client", "unary", "python").cpu_micros
        found.append(Goal(language, "CPU of a unary call / Python", _ratios(read.cpu_micros, python), 1.0))
    if language in EVENT_CPU_MICROS:
        found.append(Goal(language, "CPU of an event, µs", raw, EVENT_CPU_MICROS[language]))
    if language in START_MS:
        found.append(Goal(language, "start of the CLI, ms", row("client", "start").runs, START_MS[language]))
    grown = row("client", "dead-reader").runs
    return [*found, Goal(language, "growth with a dead reader, MiB", grown, DEAD_READER_MIB)]


def _pairs(ours: Sequence[float], others: Sequence[float], made: Callable[[float, float], float]) -> list[float]:
    """Of each round that both have."""
    return [made(one, other) for one, other in zip(ours, others, strict=False)]


def _ratios(ours: Sequence[float], others: Sequence[float]) -> list[float]:
    return _pairs(ours, others, lambda one, other: one / other) if all(others) else []
