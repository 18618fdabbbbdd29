"""`python -m benches.clients`: calls, events and subscriptions of every client, beside the floor of its language."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conformance.__main__ import command_of, read_subjects
from e2e.languages import LANGUAGES, built

from benches.clients import subjects
from benches.clients.goals import goals
from mxgateway.testing import LocalGateway

ROOT = Path(__file__).resolve().parent.parent.parent
SCHEMA = json.loads((ROOT / "conformance" / "schema" / "bench.schema.json").read_text(encoding="utf-8"))
MOST_SPREAD = 0.25
SIZE = 6


@dataclass
class Measured:
    """The runs of one program in one scenario; a run's figure is calls or events a second."""

    language: str
    program: str
    scenario: str
    runs: list[float] = field(default_factory=list)
    cpu_micros: list[float] = field(default_factory=list)
    p50_ms: list[float] = field(default_factory=list)

    def report(self) -> dict[str, Any]:
        median = statistics.median(self.runs)
        spread = (max(self.runs) - min(self.runs)) / median if median else 0.0
        return {
            "language": self.language,
            "program": self.program,
            "scenario": self.scenario,
            "runs": [round(each, 1) for each in self.runs],
            "median": round(median, 1),
            "spread": round(spread, 3),
            "isTrustworthy": spread < MOST_SPREAD,
            "cpuMicrosPerOp": round(statistics.median(self.cpu_micros), 2) if self.cpu_micros else None,
            "p50Ms": round(statistics.median(self.p50_ms), 3) if self.p50_ms else None,
        }


class Table:
    """What was measured, by language, program and scenario."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str, str], Measured] = {}

    def add(self, language: str, program: str, scenario: str, figure: float, cpu: float | None = None) -> Measured:
        """Notes one run."""
        key = (language, program, scenario)
        row = self.rows.setdefault(key, Measured(*key))
        row.runs.append(figure)
        if cpu is not None:
            row.cpu_micros.append(cpu)
        return row


def check(document: dict[str, Any]) -> None:
    """Refuses what is not as the schema of all clients says.

    Raises:
        ValueError: keys are missing or too many, or the figures are of failed or uncached reads.
    """
    for each in SCHEMA["oneOf"]:
        if set(document) == set(each["required"]):
            break
    else:
        raise ValueError(f"these are no keys of a bench: {', '.join(document)}")
    for name in ("latencyMs", "failureLatencyMs"):
        if name in document and set(document[name]) != set(SCHEMA["$defs"]["latency"]["required"]):
            raise ValueError(f"{name} has {', '.join(document[name])}")
    if document.get("failedCalls") or document.get("cachedReadResults") != document.get("totalReadResults"):
        raise ValueError("reads failed, or were not cached")


def ran(command: list[str], environment: dict[str, str]) -> tuple[dict[str, Any], float]:
    """The document that a program printed last, and the CPU seconds that it took."""
    before = os.times()
    found = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}, cwd=ROOT)
    after = os.times()
    if found.returncode != 0:
        raise RuntimeError(f"{' '.join(command[:3])} failed: {found.stderr[-500:]}")
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    document: dict[str, Any] = json.loads(found.stdout[found.stdout.index("{") :])
    return document, cpu


def calls(table: Table, gateway: LocalGateway, language: str, seconds: float) -> None:
    """One run of each program that calls a real gateway."""
    environment = {"MXGATEWAY_API_KEY": gateway.api_key, "PYTHONPATH": str(ROOT)}
    reach = ["--endpoint", gateway.endpoint, "--ca-file", str(gateway.ca_file), "--api-key-env", "MXGATEWAY_API_KEY"]
    length = ["--duration-seconds", str(seconds), "--warmup-seconds", "0.5", "--bulk-size", str(SIZE), "--json"]
    cli, floor = LANGUAGES[language].cli, LANGUAGES[language].floor
    programs = {
        ("client", "read-bulk"): [*cli, "bench-read-bulk", *length, *reach],
        ("client", "stream-events"): [*cli, "bench-stream-events", *length, *reach],
    }
    if floor:
        programs["floor", "read-bulk"] = [*floor, gateway.endpoint, str(gateway.ca_file), str(seconds), str(SIZE)]
    for (program, scenario), command in programs.items():
        document, cpu = ran(command, environment)
        if program == "client":
            check(document)
        figure = document.get("callsPerSecond", document.get("eventsPerSecond", 0.0))
        operations = document.get("successfulCalls", document.get("totalEvents", 0)) or 1
        row = table.add(language, program, scenario, figure, cpu / operations * 1e6)
        if (p50 := document.get("p50Ms", document.get("latencyMs", {}).get("p50"))) is not None:
            row.p50_ms.append(p50)


def starts(table: Table, language: str) -> None:
    """How long the CLI takes to say its version, in milliseconds."""
    began = time.perf_counter()
    subprocess.run([*LANGUAGES[language].cli, "version"], check=True, capture_output=True, cwd=ROOT)
    table.add(language, "client", "start", (time.perf_counter() - began) * 1000)


async def events(table: Table, language: str, command: list[str]) -> None:
    """One run of each program that takes a flood of events."""
    for scenario, (rate, cpu) in (await subjects.events(command, language)).items():
        table.add(language, "client", scenario, rate, cpu)
    floor = LANGUAGES[language].floor
    if not floor:
        return
    gateway, endpoint = await subjects.scripted_gateway()
    try:
        used = {}
        for count in (0, subjects.EVENTS):
            await gateway.ask({"load": subjects.flood(subjects.EVENTS, subscribed=False)})
            began = time.perf_counter()
            _, used[count] = await asyncio.to_thread(
                ran, [*floor, "events", endpoint, str(count)], {"PYTHONPATH": str(ROOT)}
            )
        took = time.perf_counter() - began
        # What starting costs is not the events'.
        cpu = max(used[subjects.EVENTS] - used[0], 0.0) / subjects.EVENTS * 1e6
        table.add(language, "floor", "events", subjects.EVENTS / took, cpu)
    finally:
        await gateway.stop()


async def run(languages: list[str], count: int, seconds: float, flood: float) -> dict[str, Any]:
    """The report of one run: all programs in turn, so that whatever else runs here disturbs all alike."""
    here = [each for each in languages if built(each) is not None]
    known = read_subjects()
    commands = {each: command_of(each, known[each], skips=False) or [] for each in here}
    table = Table()
    async with LocalGateway.run() as gateway:
        reach = {"endpoint": gateway.endpoint, "api_key": gateway.api_key, "ca_file": str(gateway.ca_file)}
        for _ in range(count):
            for language in here:
                await asyncio.to_thread(calls, table, gateway, language, seconds)
                await asyncio.to_thread(starts, table, language)
                table.add(language, "client", "burst", *await subjects.burst(commands[language], language, reach))
                await events(table, language, commands[language])
    for language in here if flood else ():
        table.add(language, "client", "dead-reader", await subjects.dead_reader(commands[language], language, flood))
    results = {key: row.report() for key, row in table.rows.items()}
    return {
        "schemaVersion": "1.1",
        "machine": {"cpus": os.cpu_count(), "kernel": platform.release()},
        "seconds": seconds,
        "results": list(results.values()),
        "goals": [goal.report() for goal in goals(results, here)],
    }


def main() -> int:
    """Prints the report as JSON, and as a table on stderr."""
    parser = argparse.ArgumentParser(prog="python -m benches.clients", description=__doc__)
    parser.add_argument("--languages", default=",".join(LANGUAGES), help="Which, with commas between.")
    parser.add_argument("--rounds", type=int, default=5, help="How often each program runs.")
    parser.add_argument("--seconds", type=float, default=6.0, help="How long each run measures.")
    parser.add_argument("--flood", type=float, default=120.0, help="Seconds of a flood that nobody reads; 0 for none.")
    given = parser.parse_args()
    began = time.monotonic()
    report = asyncio.run(run(given.languages.split(","), given.rounds, given.seconds, given.flood))
    print(json.dumps(report, indent=1))
    print("| language | program | scenario | median /s | spread | CPU µs |\n|---|---|---|---|---|---|", file=sys.stderr)
    for each in report["results"]:
        shown = each["median"] if each["isTrustworthy"] else "–"
        line = f"| {each['language']} | {each['program']} | {each['scenario']} | {shown} | {each['spread']:.0%} |"
        print(f"{line} {each['cpuMicrosPerOp'] or ''} |", file=sys.stderr)
    print("\n| language | goal | figure | bar | |\n|---|---|---|---|---|", file=sys.stderr)
    for goal in report["goals"]:
        verdict = {True: "met", False: "missed", None: "not measured"}[goal["isMet"]]
        print(
            f"| {goal['language']} | {goal['goal']} | {goal['figure']} | {goal['bar']} | {verdict} |", file=sys.stderr
        )
    print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
