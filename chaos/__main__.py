"""A seeded storm of faults over a real gateway with several clients; prints one JSON report.

Ends with 1 when a promise was broken.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys

from chaos.actors import ROLES
from chaos.alarm_storm import AlarmStormOptions, alarm_storm
from chaos.flood import flood
from chaos.plan import KINDS
from chaos.storm import StormOptions, storm


def main() -> int:
    defaults = StormOptions()
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--faults", type=int, default=defaults.faults, help="how many (default %(default)s)")
    parser.add_argument("--seed", type=int, default=defaults.seed, help="the same seed plans the same faults")
    parser.add_argument(
        "--kind",
        action="append",
        choices=tuple(KINDS),
        metavar="NAME",
        help=f"only this kind; repeatable: {', '.join(KINDS)}",
    )
    parser.add_argument(
        "--role",
        action="append",
        choices=tuple(ROLES),
        metavar="NAME",
        help=f"a client of this kind; repeatable: {', '.join(ROLES)} (default: {', '.join(defaults.roles)})",
    )
    parser.add_argument("--pause", type=float, default=defaults.pauses[1], help="longest seconds between two faults")
    parser.add_argument(
        "--flood", type=float, metavar="SECONDS", help="instead of a storm, flood readers that never read"
    )
    parser.add_argument(
        "--alarms", action="store_true", help="a storm over the alarms: provider, workers, lines, gateways"
    )
    parser.add_argument("--plan", action="store_true", help="print the plan only")
    arguments = parser.parse_args()
    options = StormOptions(
        seed=arguments.seed,
        faults=arguments.faults,
        roles=tuple(arguments.role or defaults.roles),
        kinds=tuple(arguments.kind or defaults.kinds),
        pauses=(min(defaults.pauses[0], arguments.pause), arguments.pause),
    )
    if arguments.plan:
        json.dump(options.plan().as_json(), sys.stdout, indent=2)
        print()
        return 0
    if arguments.alarms:
        report = asyncio.run(alarm_storm(AlarmStormOptions(arguments.seed, arguments.faults)))
    else:
        report = asyncio.run(flood(arguments.flood) if arguments.flood else storm(options))
    json.dump(report, sys.stdout, indent=2)
    print()
    return 1 if report["violationCount"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
