"""`python -m benches.clients`: calls, events and subscriptions of every client, beside the floor of its language."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from e2e.languages import LANGUAGES, built

from benches.clients import page, programs, subjects, turns
from benches.clients.goals import goals
from benches.clients.measured import Table
from mxgateway import __version__
from mxgateway.testing import LocalGateway

DOCS = Path(__file__).resolve().parent.parent.parent / "docs" / "performance.md"

CALLS_A_SECOND = 1_000
"""About as many as a gateway answers one after the other: a run is so long as it was asked for."""

Say = Callable[[str], None]


_FAILURES = (RuntimeError, ValueError, KeyError, OSError, TimeoutError, subprocess.SubprocessError, psutil.Error)
"""How a program of a client fails; anything else is a mistake of ours."""


async def _round(table: Table, gateway: LocalGateway, language: str, seconds: float) -> None:
    programs_of = LANGUAGES[language]
    await asyncio.to_thread(programs.calls, table, gateway, language, seconds)
    await asyncio.to_thread(programs.start, table, language)
    await turns.calls(table, language, programs_of, gateway, round(seconds * CALLS_A_SECOND))
    await turns.events(table, language, programs_of)


async def _dead_readers(table: Table, languages: list[str], seconds: float) -> dict[str, str]:
    """Languages that failed, and why. All at once: a client that takes nothing costs nothing."""
    readers = [subjects.dead_reader(LANGUAGES[each].subject, each, seconds) for each in languages]
    failed = {}
    for language, grown in zip(languages, await asyncio.gather(*readers, return_exceptions=True), strict=True):
        if isinstance(grown, _FAILURES):
            failed[language] = f"a flood that nobody reads: {grown}"
        elif isinstance(grown, BaseException):
            raise grown
        else:
            table.add(language, "client", "dead-reader", grown)
    return failed


def _build(languages: list[str], failed: dict[str, str], say: Say) -> list[str]:
    here = []
    for language in languages:
        say(f"building what {language} needs")
        try:
            if built(language, for_bench=True) is not None:
                here.append(language)
        except _FAILURES as error:
            failed[language] = f"building: {error}"
            say(f"FAILED: {language}: {failed[language]}")
    return here


async def _rounds(
    table: Table, languages: list[str], failed: dict[str, str], given: argparse.Namespace, say: Say
) -> None:
    over = time.monotonic() + given.limit
    async with LocalGateway.run() as gateway:
        for number, language in ((number, each) for number in range(1, given.rounds + 1) for each in languages):
            if language in failed:
                continue
            began = time.monotonic()
            if began >= over:
                failed[language] = f"no time for round {number} of {given.rounds}"
                say(f"FAILED: {language}: {failed[language]}")
                continue
            try:
                async with asyncio.timeout(given.patience):
                    await _round(table, gateway, language, given.seconds)
            except _FAILURES as error:
                # The others go on: a table of four languages is worth more than none.
                late = f"took longer than {given.patience:g} s" if isinstance(error, TimeoutError) else ""
                failed[language] = f"round {number}: {late or error}"
                say(f"FAILED: {language}: {failed[language]}")
                continue
            took = time.monotonic() - began
            say(f"round {number} of {given.rounds}: {page.progress(table.rows, language)} ({took:.0f} s)")


async def run(given: argparse.Namespace, say: Say) -> dict[str, Any]:
    """The report of one run: all languages in turn, so that whatever else runs here disturbs all alike."""
    table, failed, load = Table(), dict[str, str](), round(os.getloadavg()[0], 2)
    here = _build(given.languages.split(","), failed, say)
    await _rounds(table, here, failed, given, say)
    if given.flood:
        say(f"a flood that nobody reads, for {given.flood:g} s")
        failed |= await _dead_readers(table, [each for each in here if each not in failed], given.flood)
    return {
        "schemaVersion": "1.3",
        "gatewayVersion": __version__,
        "machine": {"cpus": os.cpu_count(), "kernel": platform.release(), "loadBefore": load},
        "rounds": given.rounds,
        "seconds": given.seconds,
        "failed": failed,
        "results": table.report(),
        "goals": [goal.report() for goal in goals(table.rows, here)],
    }


def main() -> int:
    """Prints the report as JSON; what goes on, and the report as tables, on stderr. 1 where a language failed."""
    parser = argparse.ArgumentParser(prog="python -m benches.clients", description=__doc__)
    parser.add_argument("--languages", default=",".join(LANGUAGES), help="Which, with commas between.")
    parser.add_argument("--rounds", type=int, default=3, help="How often each program runs.")
    parser.add_argument("--seconds", type=float, default=6.0, help="How long each run measures.")
    parser.add_argument("--flood", type=float, default=120.0, help="Seconds of a flood that nobody reads; 0 for none.")
    parser.add_argument(
        "--patience", type=float, default=300.0, help="Seconds after which a round of one language has failed."
    )
    parser.add_argument(
        "--limit", type=float, default=float("inf"), help="Seconds of measuring after which no round begins any more."
    )
    parser.add_argument("--write-docs", action="store_true", help=f"Also writes the tables into {DOCS.name}.")
    given = parser.parse_args()
    began = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - began:5.0f} s  {line}", file=sys.stderr, flush=True)

    report = asyncio.run(run(given, say))
    print(json.dumps(report, indent=1))
    print(page.tables(report), file=sys.stderr)
    if given.write_docs:
        page.write(report, DOCS)
    say(f"not measured to the end: {', '.join(report['failed'])}" if report["failed"] else "done")
    return 1 if report["failed"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
