"""Two hours of work on one COM worker, and a judgement of what must not grow.

One session takes events from tags that move, writes integers, texts and arrays, adds and removes items and reads, all
the time; beside it other sessions hang. Prints one JSON object; ends with 1 when a bar was not held: the worker's
working set within 1 %, its handles and files flat, no event and no completion missing, no process left.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections import defaultdict
from pathlib import Path

from soak.run import soak
from soak.site import TAGS


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
    arguments = parser.parse_args()
    if arguments.seconds < 10:
        parser.error("--seconds: at least 10, or there is nothing to judge")
    series: dict[str, list[float]] = defaultdict(list)
    report = asyncio.run(soak(arguments.backend, arguments.seconds, arguments.growth, arguments.seed, series))
    if arguments.samples:
        arguments.samples.write_text(json.dumps(series) + "\n")
    json.dump(report, sys.stdout, indent=2)
    print()
    return 1 if report["violations"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
