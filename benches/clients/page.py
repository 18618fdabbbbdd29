"""The report as tables, for a terminal and for the documentation, and the line that says how far a run is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benches.clients.measured import Key, Measured
from benches.report import place

BEGIN = "<!-- clients: begin (written by the benches) -->"
END = "<!-- clients: end -->"

_ROWS = (
    ("read of 6 advised tags, unary calls/s", "unary", "median"),
    ("the same, p50 ms", "unary", "p50Ms"),
    ("the same, CPU µs a call", "unary", "cpuMicrosPerOp"),
    ("the same on the command stream, by the CLI, calls/s", "read-bulk", "median"),
    ("the same, p50 ms", "read-bulk", "p50Ms"),
    ("the same, CPU µs a call", "read-bulk", "cpuMicrosPerOp"),
    ("events/s, in batches", "events", "median"),
    ("the same, CPU µs an event", "events", "cpuMicrosPerOp"),
    ("DataChanges/s of a subscription", "subscription", "median"),
    ("the same, CPU µs each", "subscription", "cpuMicrosPerOp"),
    ("pings/s, 50 under way", "burst", "median"),
    ("the same, CPU µs each", "burst", "cpuMicrosPerOp"),
    ("events/s of 20 tags that change once a second, by the CLI", "stream-events", "median"),
    ("start of the CLI, ms", "start", "median"),
)
_RATES = frozenset({"unary", "read-bulk", "events", "subscription", "burst", "stream-events"})


def progress(rows: Mapping[Key, Measured], language: str) -> str:
    """What the last round of a language was, in a line."""

    def rate(program: str, scenario: str) -> str:
        row = rows.get((language, program, scenario))
        return _number(row.runs[-1]) if row else "–"

    def cpu(program: str, scenario: str) -> str:
        row = rows.get((language, program, scenario))
        return f"{row.cpu_micros[-1]:.2f}" if row and row.cpu_micros else "–"

    def beside(scenario: str) -> str:
        rates = f"{rate('client', scenario)}/s (floor {rate('floor', scenario)})"
        return f"{rates} with {cpu('client', scenario)} µs of CPU each ({cpu('floor', scenario)})"

    return f"{language}: unary reads {beside('unary')}, events {beside('events')}"


def tables(report: Mapping[str, Any]) -> str:
    """Figures and goals, a column for each language."""
    results = {(each["language"], each["program"], each["scenario"]): each for each in report["results"]}
    languages = list(dict.fromkeys(each["language"] for each in report["goals"]))
    machine = report["machine"]
    lines = [
        f"{machine['cpus']} cores, Linux {machine['kernel']}, load average {machine['loadBefore']:.2f} before the run, "
        f"{report['rounds']} rounds of {report['seconds']:g} s; client, gateway and worker on the same machine. "
        "Client / floor of its language; a dash stands where the rounds differ by a quarter or more.",
        "",
        f"| what | {' | '.join(languages)} |",
        f"|---|{'---|' * len(languages)}",
    ]
    for name, scenario, figure in _ROWS:
        cells = [_cell(results, language, scenario, figure) for language in languages]
        if any(cells):
            lines.append(f"| {name} | {' | '.join(cells)} |")
    lines += ["", f"| goal | {' | '.join(languages)} |", f"|---|{'---|' * len(languages)}"]
    held: dict[str, dict[str, Any]] = {}
    for goal in report["goals"]:
        held.setdefault(goal["goal"], {})[goal["language"]] = goal
    for name, of in held.items():
        lines.append(f"| {name} | {' | '.join(_verdict(of.get(language)) for language in languages)} |")
    lines += [f"\nNot measured to the end: {language} ({why})." for language, why in report["failed"].items()]
    return "\n".join(lines)


def write(report: Mapping[str, Any], page: Path) -> None:
    """Puts the tables between their two marks.

    Raises:
        ValueError: the page has no marks.
    """
    place(tables(report), page, BEGIN, END)


def _cell(results: Mapping[Key, Mapping[str, Any]], language: str, scenario: str, figure: str) -> str:
    ours = _figure(results.get((language, "client", scenario)), figure)
    floor = _figure(results.get((language, "floor", scenario)), figure)
    return f"{ours} / {floor}" if floor else ours


def _figure(row: Mapping[str, Any] | None, figure: str) -> str:
    value = row and row[figure]
    if row is None or value is None:
        return ""
    if figure == "median" and row["scenario"] in _RATES:
        return _number(value) if row["isTrustworthy"] else "–"
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"


def _number(rate: float) -> str:
    return f"{rate / 1000:.0f} k" if rate >= 10_000 else f"{rate:,.0f}"


def _verdict(goal: Mapping[str, Any] | None) -> str:
    if goal is None:
        return ""
    if goal["isMet"] is None:
        return "not measured"
    rounds = goal["rounds"]
    shown = f"{goal['figure']:.3g}"
    if len(rounds) > 1:
        shown += f" ({min(rounds):.3g}…{max(rounds):.3g})"
    return f"{shown} {goal['bar']}" if goal["isMet"] else f"**{shown}, missed: {goal['bar']}**"
