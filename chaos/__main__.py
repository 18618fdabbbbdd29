"""A seeded storm of faults over a real gateway with several clients; prints one JSON report.

Ends with 1 when a promise was broken.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys

from chaos.actors import ROLES
from chaos.alarm_storm import KINDS as ALARM_KINDS
from chaos.alarm_storm import AlarmStormOptions, alarm_storm
from chaos.flood import flood
from chaos.plan import KINDS
from chaos.storm import StormOptions, storm


def _parser(defaults: StormOptions) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--faults", type=int, default=defaults.faults, help="how many (default %(default)s)")
    parser.add_argument("--seed", type=int, default=defaults.seed, help="the same seed plans the same faults")
    parser.add_argument(
        "--kind",
        action="append",
        metavar="NAME",
        help=f"only this kind; repeatable: {', '.join(KINDS)}; with --alarms: {', '.join(ALARM_KINDS)}",
    )
    parser.add_argument(
        "--role",
        action="append",
        choices=tuple(ROLES),
        metavar="NAME",
        help=f"a client of this kind; repeatable: {', '.join(ROLES)} (default: {', '.join(defaults.roles)}); not with "
        "--alarms, whose readers are always the same",
    )
    parser.add_argument(
        "--pause",
        type=float,
        metavar="SECONDS",
        help=f"longest time between two faults (default {defaults.pauses[1]:g}; with --alarms "
        f"{AlarmStormOptions().pauses[1]:g})",
    )
    parser.add_argument(
        "--flood", type=float, metavar="SECONDS", help="instead of a storm, flood readers that never read"
    )
    parser.add_argument(
        "--alarms", action="store_true", help="a storm over the alarms: provider, workers, lines, gateways"
    )
    parser.add_argument("--plan", action="store_true", help="print the plan only")
    return parser


def options_of(arguments: list[str] | None = None) -> tuple[StormOptions | AlarmStormOptions, argparse.Namespace]:
    """What storm the command line asks for; ends the program where it asks for none that there is."""
    defaults = StormOptions()
    parser = _parser(defaults)
    found = parser.parse_args(arguments)
    known = ALARM_KINDS if found.alarms else tuple(KINDS)
    for name in found.kind or ():
        if name not in known:
            parser.error(f"argument --kind: no such fault: {name}; choose from {', '.join(known)}")
    if found.alarms:
        for option in ("role", "flood"):
            if getattr(found, option) is not None:
                parser.error(f"argument --{option}: not with --alarms")
        usual = AlarmStormOptions()
        kinds, pauses = tuple(found.kind or usual.kinds), _pauses(usual.pauses, found.pause)
        return AlarmStormOptions(found.seed, found.faults, kinds, pauses), found
    options = StormOptions(
        seed=found.seed,
        faults=found.faults,
        roles=tuple(found.role or defaults.roles),
        kinds=tuple(found.kind or defaults.kinds),
        pauses=_pauses(defaults.pauses, found.pause),
    )
    return options, found


def _pauses(usual: tuple[float, float], longest: float | None) -> tuple[float, float]:
    return usual if longest is None else (min(usual[0], longest), longest)


def main() -> int:
    options, arguments = options_of()
    if arguments.plan:
        plan = options.plan()
        json.dump(plan if isinstance(plan, list) else plan.as_json(), sys.stdout, indent=2)
        print()
        return 0
    if isinstance(options, AlarmStormOptions):
        report = asyncio.run(alarm_storm(options))
    else:
        report = asyncio.run(flood(arguments.flood) if arguments.flood else storm(options))
    json.dump(report, sys.stdout, indent=2)
    print()
    return 1 if report["violationCount"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
