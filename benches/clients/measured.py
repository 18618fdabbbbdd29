"""What was measured, run by run, and what one run is worth. Free of measuring."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SCHEMA = json.loads(
    (Path(__file__).resolve().parent.parent.parent / "conformance" / "schema" / "bench.schema.json").read_text(
        encoding="utf-8"
    )
)
MOST_SPREAD = 0.25

Key = tuple[str, str, str]
"""Language, program (client or floor) and scenario."""


def batched(figures: Sequence[float], size: int) -> Iterator[Sequence[float]]:
    """So many at a time, in their order."""
    return (figures[start : start + size] for start in range(0, len(figures), size))


def spread(runs: Sequence[float]) -> float:
    """How far the runs lie apart, as a share of their median; 0 for none."""
    median = statistics.median(runs) if runs else 0.0
    return (max(runs) - min(runs)) / median if median else 0.0


@dataclass
class Measured:
    """The runs of one program in one scenario.

    Attributes:
        runs: calls or events a second; for `start` milliseconds, for `dead-reader` MiB.
        cpu_micros: processor time of a call or an event, by run.
        p50_ms: median duration of a call, by run.
        peak_bytes: the most memory that the program held, by run.
        turns: how many runs make a round.
    """

    language: str
    program: str
    scenario: str
    runs: list[float] = field(default_factory=list)
    cpu_micros: list[float] = field(default_factory=list)
    p50_ms: list[float] = field(default_factory=list)
    peak_bytes: list[int] = field(default_factory=list)
    turns: int = 1

    @property
    def median(self) -> float:
        return statistics.median(self.runs)

    def _spread(self, figures: Sequence[float]) -> float:
        """Of the medians of the rounds: a turn is short, and one of many may be a slow one."""
        return spread([statistics.median(each) for each in batched(figures, self.turns)])

    def report(self) -> dict[str, Any]:
        """All of it; a figure that did not come to be is None."""
        return {
            "language": self.language,
            "program": self.program,
            "scenario": self.scenario,
            "runs": [round(each, 1) for each in self.runs],
            "median": round(self.median, 1),
            "spread": round(self._spread(self.runs), 3),
            "isTrustworthy": self._spread(self.runs) < MOST_SPREAD,
            "cpuMicrosPerOp": round(statistics.median(self.cpu_micros), 3) if self.cpu_micros else None,
            "cpuSpread": round(self._spread(self.cpu_micros), 3) if self.cpu_micros else None,
            "p50Ms": round(statistics.median(self.p50_ms), 4) if self.p50_ms else None,
            "maxRssBytes": max(self.peak_bytes, default=None),
        }


class Table:
    """What was measured so far."""

    def __init__(self) -> None:
        self.rows: dict[Key, Measured] = {}

    def add(
        self,
        language: str,
        program: str,
        scenario: str,
        figure: float,
        *,
        cpu: float | None = None,
        p50: float | None = None,
        peak: int | None = None,
        turns: int = 1,
    ) -> None:
        """Notes one run, of which so many make a round."""
        row = self.rows.setdefault((language, program, scenario), Measured(language, program, scenario, turns=turns))
        row.runs.append(figure)
        if cpu is not None:
            row.cpu_micros.append(cpu)
        if p50 is not None:
            row.p50_ms.append(p50)
        if peak is not None:
            row.peak_bytes.append(peak)

    def report(self) -> list[dict[str, Any]]:
        """The rows in one order, whatever was measured first."""
        return [self.rows[key].report() for key in sorted(self.rows)]


def check(document: Mapping[str, Any], language: str, *, is_measure: bool = True) -> None:
    """Refuses what is not as the schema of all clients says, and what is no measure.

    Raises:
        ValueError: keys are missing or too many, or it is of another language; where it is to be a measure, the figures
            are of failed or uncached reads, or of no events.
    """
    for each in SCHEMA["oneOf"]:
        if set(document) == set(each["required"]):
            break
    else:
        raise ValueError(f"these are no keys of a bench: {', '.join(document)}")
    for name in ("latencyMs", "failureLatencyMs"):
        if name in document and set(document[name]) != set(SCHEMA["$defs"]["latency"]["required"]):
            raise ValueError(f"{name} has {', '.join(document[name])}")
    if document["language"] != language:
        raise ValueError(f"the bench of {language} says that it is {document['language']}")
    if not is_measure:
        return
    if document.get("failedCalls") or document.get("cachedReadResults") != document.get("totalReadResults"):
        raise ValueError("reads failed, or were not cached")
    if not operations(document):
        raise ValueError("nothing was measured")


def operations(document: Mapping[str, Any]) -> int:
    """How many calls or events a document is about."""
    return int(document.get("successfulCalls", document.get("totalEvents", document.get("events", 0))))


def of_each(short: tuple[float, int], long: tuple[float, int]) -> float:
    """Microseconds of each operation, from processor seconds and operations of a short run and of a long one.

    What starting, warming up and ending cost is in both, so it is not the operations'.

    Raises:
        ValueError: the long run had no more operations than the short one.
    """
    (less, few), (more, many) = short, long
    if many <= few:
        raise ValueError(f"a long run had {many} operations, the short one {few}")
    return max(more - less, 0.0) / (many - few) * 1e6
