"""Floods a gateway that it starts itself, with an honest client beside, and judges what the honest one felt.

Each flood gets a gateway of its own on loopback, and ends after some seconds. Prints one JSON report; ends with 1 when
a bar was not held: the honest client's calls (none fails, p99), the gateway's memory, the event loop, the audit. All
floods take about eight minutes, and half an hour at the most; nothing needs more than 1,024 open files. Run it on a
machine that has nothing else to do: what others take of it counts as a standstill.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys

from attack.floods import FLOODS
from attack.run import attack
from attack.target import FILES


def main() -> int:
    parser = argparse.ArgumentParser(prog="make attack", description=__doc__)
    parser.add_argument(
        "--flood",
        action="append",
        choices=tuple(FLOODS),
        metavar="NAME",
        help=f"only this one; repeatable: {', '.join(FLOODS)}",
    )
    parser.add_argument("--seconds", type=float, default=8.0, help="of each flood (default %(default)s, at most 60)")
    parser.add_argument("--files", type=int, default=FILES, help="open files of the gateway (default %(default)s)")
    parser.add_argument("--list", action="store_true", help="say what each flood does, and run none")
    arguments = parser.parse_args()
    if not 0 < arguments.seconds <= 60:
        parser.error("--seconds: a flood lasts more than 0 and at most 60 seconds")
    if arguments.list:
        for name, flood in FLOODS.items():
            print(f"{name:14} {flood.title}")
        return 0
    reports = []
    for name in arguments.flood or FLOODS:
        try:
            report = attack(name, arguments.seconds, arguments.files)
        except (RuntimeError, OSError, subprocess.SubprocessError) as error:
            # Nothing was measured, which is no success; the others still are.
            report = {"flood": name, "violations": [str(error)]}
        print(f"{name}: {'; '.join(report['violations']) or 'held'}", file=sys.stderr)
        reports.append(report)
    broken = [report["flood"] for report in reports if report["violations"]]
    json.dump({"floods": reports, "broken": broken}, sys.stdout, indent=2)
    print()
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
