"""`python -m benches.clients`: read-bulk and stream-events of every client, and read-bulk of each language's floor."""

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

from e2e.matrix import CLIS, built

from mxgateway.testing import LocalGateway

ROOT = Path(__file__).resolve().parent.parent.parent
SCHEMA = json.loads((ROOT / "conformance" / "schema" / "bench.schema.json").read_text(encoding="utf-8"))
FLOORS: dict[str, dict[str, Any]] = {
    "python": {"command": [sys.executable, "-m", "benches.clients.floor_python"]},
    "go": {
        "build": ["go", "build", "-o", "bin/floor", "./internal/floor"],
        "folder": "clients/go",
        "command": [str(ROOT / "clients/go/bin/floor")],
    },
}
"""The same reads with nothing but the generated stub, by language."""
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
            "cpuMicrosPerOp": round(statistics.median(self.cpu_micros), 1),
        }


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


def rounds(gateway: LocalGateway, languages: list[str], count: int, seconds: float) -> list[Measured]:
    """All programs in turn, `count` times, so that whatever else runs here disturbs all alike."""
    environment = {"MXGATEWAY_API_KEY": gateway.api_key, "PYTHONPATH": str(ROOT)}
    reach = ["--endpoint", gateway.endpoint, "--ca-file", str(gateway.ca_file), "--api-key-env", "MXGATEWAY_API_KEY"]
    length = ["--duration-seconds", str(seconds), "--warmup-seconds", "0.5", "--bulk-size", str(SIZE)]
    measured: dict[tuple[str, str, str], Measured] = {}
    for _ in range(count):
        for language in languages:
            cli = CLIS[language]["command"]
            programs = {
                ("client", "read-bulk"): [*cli, "bench-read-bulk", *length, *reach],
                ("client", "stream-events"): [*cli, "bench-stream-events", *length, *reach],
                ("floor", "read-bulk"): [
                    *FLOORS[language]["command"], gateway.endpoint, str(gateway.ca_file), str(seconds), str(SIZE),
                ],
            }  # fmt: skip
            for (program, scenario), command in programs.items():
                document, cpu = ran(command, environment)
                if program == "client":
                    check(document)
                key = (language, program, scenario)
                each = measured.setdefault(key, Measured(*key))
                each.runs.append(document.get("callsPerSecond", document.get("eventsPerSecond", 0.0)))
                operations = document.get("successfulCalls", document.get("totalEvents", 0)) or 1
                each.cpu_micros.append(cpu / operations * 1e6)
    return list(measured.values())


async def run(languages: list[str], count: int, seconds: float) -> dict[str, Any]:
    """The report of one run."""
    here = [each for each in languages if built(each) is not None]
    for language in here:
        if "build" in FLOORS[language]:
            subprocess.run(FLOORS[language]["build"], check=True, cwd=ROOT / FLOORS[language]["folder"])
    async with LocalGateway.run() as gateway:
        measured = await asyncio.to_thread(rounds, gateway, here, count, seconds)
    return {
        "schemaVersion": "1.0",
        "machine": {"cpus": os.cpu_count(), "kernel": platform.release()},
        "seconds": seconds,
        "results": [each.report() for each in measured],
    }


def main() -> int:
    """Prints the report as JSON, and as a table on stderr."""
    parser = argparse.ArgumentParser(prog="python -m benches.clients", description=__doc__)
    parser.add_argument("--languages", default=",".join(FLOORS), help="Which, with commas between.")
    parser.add_argument("--rounds", type=int, default=5, help="How often each program runs.")
    parser.add_argument("--seconds", type=float, default=6.0, help="How long each run measures.")
    given = parser.parse_args()
    began = time.monotonic()
    report = asyncio.run(run(given.languages.split(","), given.rounds, given.seconds))
    print(json.dumps(report, indent=1))
    print("| language | program | scenario | median /s | spread | CPU µs |\n|---|---|---|---|---|---|", file=sys.stderr)
    for each in report["results"]:
        shown = each["median"] if each["isTrustworthy"] else "–"
        line = f"| {each['language']} | {each['program']} | {each['scenario']} | {shown} | {each['spread']:.0%} |"
        print(f"{line} {each['cpuMicrosPerOp']} |", file=sys.stderr)
    print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
