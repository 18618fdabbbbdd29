"""Measures the product beside the bare mechanism and a peer, in one run, and prints one JSON object.

Ratios are what to compare: figures of one machine at one time share its noise, figures of two do not.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from benches import (
    access,
    alarms,
    beside,
    crowd,
    dashboard,
    floor,
    large,
    operations,
    others,
    peer_asyncua,
    product,
    report,
    restart,
    sessions,
    tabs,
)
from benches.figures import machine, tell
from benches.gateway_process import GatewayProcess, gateway

DOCS = Path(__file__).parent.parent / "docs" / "performance.md"

_SHARED: dict[str, Callable[[GatewayProcess, float], Awaitable[dict[str, Any]]]] = {
    # Lone calls come first: microseconds count, and this process is still small.
    "transports": beside.measure_transports,
    "latency": product.measure_latency,
    "commands": product.measure_commands,
    "reads": beside.measure_reads,
    "saturated": beside.measure_saturated,
    "events": product.measure_events,
    "openWarm": product.measure_open_warm,
    "others": others.measure_others,
    "memory": lambda running, _: sessions.measure_memory(running),
}
_NAMES = (
    *_SHARED,
    "access",
    "floor",
    "asyncua",
    "openCold",
    "sessions",
    "large",
    "restart",
    "operations",
    "dashboard",
    "tabs",
    "idle",
    "alarms",
    "crowd",
    "galaxy",
    "com",
)
_DEFAULT = tuple(name for name in _NAMES if name not in ("crowd", "galaxy", "com", "tabs"))


async def run(names: list[str], arguments: argparse.Namespace) -> dict[str, Any]:
    """All the named figures, one after the other."""
    seconds: float = arguments.seconds
    figures: dict[str, Any] = {"machine": machine(), "secondsPerFigure": seconds}
    # Else each collection looks through all that the benches import, and the client here pays for it: 0.3 µs an event.
    gc.collect()
    gc.freeze()

    async def step(name: str, work: Callable[[], Awaitable[dict[str, Any]]]) -> None:
        if name in names:
            tell(f"measuring {name} …")
            begin = time.perf_counter()
            figures[name] = await work()
            tell(f"  {name}: {time.perf_counter() - begin:.0f} s")

    if any(name in _SHARED for name in names):
        with gateway() as running:
            for name, measure in _SHARED.items():
                await step(name, lambda measure=measure: measure(running, seconds))  # type: ignore[misc]
    await step("access", access.measure)
    await step("floor", lambda: floor.measure(seconds))
    await step("asyncua", lambda: peer_asyncua.measure(seconds))
    await step("openCold", lambda: product.measure_open_cold(seconds))
    await step("sessions", lambda: sessions.measure_sessions(arguments.sessions, arguments.sessions_seconds))
    await step("large", large.measure_large)
    await step("restart", restart.measure)
    await step("operations", operations.measure)
    await step("dashboard", lambda: dashboard.measure(seconds))
    await step("tabs", lambda: tabs.measure(tabs.FRAMES // 9 if arguments.quick else tabs.FRAMES))
    await step("idle", lambda: crowd.measure_idle(10 * seconds))
    await step("crowd", lambda: crowd.measure_crowd(10 * seconds))
    size = alarms.Size(seconds=seconds, rows=arguments.rows)
    await step("alarms", lambda: alarms.measure(size, arguments.part or ()))
    if "galaxy" in names:
        tell("measuring galaxy …")
        from benches import galaxy

        figures["galaxy"] = galaxy.run(arguments.objects)
    if "com" in names:
        tell("measuring com …")
        from benches import com

        figures["com"] = await com.measure(seconds)
    figures["ratios"] = report.ratios(figures)
    figures["bars"] = report.bars(figures)
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument(
        "--only",
        action="append",
        choices=_NAMES,
        metavar="NAME",
        help=f"measure only this; repeatable: {', '.join(_NAMES)} (all but crowd, galaxy, com and tabs when left out)",
    )
    parser.add_argument("--quick", action="store_true", help="a second for each figure, 8 sessions for 5 s")
    parser.add_argument("--seconds", type=float, help="how long each figure is measured (default 3)")
    parser.add_argument("--sessions", type=int, help="sessions at once (default 64)")
    parser.add_argument("--sessions-seconds", type=float, help="how long they are watched (default 120)")
    parser.add_argument("--objects", type=int, default=50_000, help="size of the Galaxy of --only galaxy")
    parser.add_argument("--rows", type=int, help="changes in the history of alarms (default 2,000,000)")
    parser.add_argument("--part", action="append", choices=alarms.PARTS, help="only this of the alarms; repeatable")
    parser.add_argument("--write-docs", action="store_true", help=f"also write the table in {DOCS.name}")
    arguments = parser.parse_args()
    arguments.seconds = arguments.seconds or (1.0 if arguments.quick else 3.0)
    arguments.sessions = arguments.sessions or (8 if arguments.quick else 64)
    arguments.sessions_seconds = arguments.sessions_seconds or (5.0 if arguments.quick else 120.0)
    arguments.rows = arguments.rows or (100_000 if arguments.quick else 2_000_000)
    figures = asyncio.run(run(arguments.only or list(_DEFAULT), arguments))
    json.dump(figures, sys.stdout, indent=2)
    print()
    if arguments.write_docs:
        report.write_docs(figures, DOCS)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
