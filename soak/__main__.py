"""Two hours of work on one COM worker, and a judgement of what must not grow.

One session takes events from tags that move, writes integers, texts and arrays, adds and removes items and reads, all
the time; beside it other sessions hang. Prints one JSON object; ends with 1 when a bar was not held: the worker's
working set within 1 %, its handles and files flat, no event and no completion missing, no process left. When something
ends it before its time, the report says after how long, what failed, what still runs, and holds the gateway's last
lines.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from soak.run import soak
from soak.site import TAGS


async def _soak(arguments: argparse.Namespace, series: dict[str, list[float]]) -> dict[str, Any]:
    """Ends early on SIGTERM, with a report."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel, "SIGTERM")
    return await soak(arguments.backend, arguments.seconds, arguments.growth, arguments.seed, series, log=arguments.log)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=7200.0, help="how long (default %(default)g)")
    parser.add_argument("--backend", choices=tuple(TAGS), default="com", help="of the workers (default %(default)s)")
    parser.add_argument(
        "--growth",
        type=float,
        default=1.0,
        metavar="PERCENT",
        help="how much the working set may grow (default %(default)g); a run of seconds needs more",
    )
    parser.add_argument("--seed", type=int, default=1, help="of what is chosen at random (default %(default)s)")
    parser.add_argument("--samples", type=Path, metavar="FILE", help="also write every sample there, as JSON")
    parser.add_argument(
        "--log", type=Path, metavar="FILE", help="also keep the gateway's log there, its workers' with it"
    )
    arguments = parser.parse_args()
    if arguments.seconds < 10:
        parser.error("--seconds: at least 10, or there is nothing to judge")
    series: dict[str, list[float]] = defaultdict(list)
    try:
        report = asyncio.run(_soak(arguments, series))
    finally:
        # Also of a run that breaks down: they show what was before.
        if arguments.samples:
            arguments.samples.write_text(json.dumps(series) + "\n")
    json.dump(report, sys.stdout, indent=2)
    print()
    return 1 if report["violations"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
