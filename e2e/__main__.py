"""`python -m e2e`: runs the matrix and reports it."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
from pathlib import Path

from e2e.languages import LANGUAGES
from e2e.matrix import compare, run
from e2e.steps import STEPS


def main() -> int:
    """Exit code 0: every client did and printed the same. 1: one did not."""
    parser = argparse.ArgumentParser(prog="python -m e2e", description=__doc__)
    parser.add_argument(
        "--languages", default=",".join(LANGUAGES), help="Which, with commas between; python is the model."
    )
    parser.add_argument("--report", type=Path, help="Writes the report as JSON.")
    parser.add_argument("--dry-run", action="store_true", help="Only the lines that would be run.")
    parser.add_argument(
        "--skip", action="append", default=[], choices=("benches", "signals", "outage"), help="Leaves it out."
    )
    given = parser.parse_args()
    if given.dry_run:
        print("\n".join(step.arguments for step in STEPS))
        return 0
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A background job inherits an ignored SIGINT and hands it on; in the clients Ctrl+C has to work.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    names = ["python", *(each for each in given.languages.split(",") if each != "python")]
    records = asyncio.run(run(names, frozenset(given.skip)))
    report, failed = [], False
    print("| client | steps | seconds | differences |\n|---|---|---|---|")
    problems: list[str] = []
    for record in records:
        found = compare(records[0], record) if record is not records[0] else record.problems
        failed |= bool(found)
        problems += [f"{record.language}: {each}" for each in found]
        report.append({"language": record.language, "steps": len(record.answers), "problems": found})
        print(f"| {record.language} | {len(record.answers)} | {record.seconds:.1f} | {len(found)} |")
    print("\n".join(problems))
    if given.report:
        given.report.write_text(
            json.dumps({"schemaVersion": "1.0", "clients": report}, indent=1) + "\n", encoding="utf-8"
        )
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
